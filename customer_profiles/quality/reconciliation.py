"""Nothing is lost and nothing is invented: counts of rows, held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from customer_profiles.quality.finding import Finding

MOST_DISPLACED, FEW_DISPLACED = 0.05, 5
"""Share of a delivery's rows that may have the key of another one; so many rows may, whatever their share."""
MOST_QUARANTINED, FEW_QUARANTINED = 0.05, 5
"""Share of a table's rows that may be in quarantine; so many rows may, whatever their share."""
MOST_REUSED, FEW_REUSED = 0.01, 5
"""Share of a delivery's orders that may have an id that was another's; so many may, whatever their share."""
FATES = ("accepted", "repaired", "quarantined", "duplicate")


def rows_add_up(counts: Mapping[str, Mapping[str, int]]) -> Finding:
    """Hold that each table's rows received are its rows accepted, repaired, quarantined and duplicate.

    ``counts`` maps a table to its count under ``received``, under each of ``FATES`` and, if a rule left rows
    out before they were received, under ``filtered``.
    """
    unaccounted = {table: of["received"] - sum(of[fate] for fate in FATES) for table, of in counts.items()}
    broken = {table: rows for table, rows in unaccounted.items() if rows}
    received = sum(of["received"] for of in counts.values())
    filtered = sum(of.get("filtered", 0) for of in counts.values())
    says = f"all {received:,} rows received have a fate"
    if filtered:
        says += f"; {filtered:,} more were left out by a rule of sources.yaml"
    if broken:
        tables = "; ".join(
            f"{table}: {abs(rows):,} rows {'lost' if rows > 0 else 'invented'}"
            for table, rows in broken.items()
        )
        says = f"received is not accepted + repaired + quarantined + duplicate: {tables}"
    return Finding(
        passed=not broken,
        value=sum(map(abs, broken.values())),
        threshold=0,
        says=says,
        details=[
            {
                "table": table,
                "received": of["received"],
                **{fate: of[fate] for fate in FATES},
                **{name: of[name] for name in ("filtered",) if name in of},
                "unaccounted": unaccounted[table],
            }
            for table, of in counts.items()
        ],
    )


def keys_tell_apart(rows: int, displaced: int, key: Sequence[str]) -> Finding:
    """Hold that few rows of a delivery have the ``key`` of a later one, which then counts alone."""
    have = f"have the {', '.join(key)} of another one"
    lost = "of each key the last row counts alone, though they are no copies"
    return _are_few("rows", displaced, rows, MOST_DISPLACED, FEW_DISPLACED, have, lost)


def ids_are_new(orders: int, reused: int) -> Finding:
    """Hold that few orders take the place of another customer's, whose id they have."""
    have = "have the id of another customer's of another day"
    return _are_few("orders", reused, orders, MOST_REUSED, FEW_REUSED, have, "its lines count no more")


def _are_few(what: str, part: int, whole: int, most: float, few: int, have: str, lost: str) -> Finding:
    """A warning of what is ``lost`` if a part is more than ``most`` of the whole, and more than ``few``."""
    share = part / whole if whole else 0.0
    passed = share <= most or part <= few
    says = f"{part:,} of {whole:,} {what} ({share:.2%}) {have}"
    return Finding(
        passed=passed,
        value=round(share, 6),
        threshold={"warn": most},
        says=says if passed else f"{says}: {lost}",
        severity="warn",
    )


def quarantined_are_few(tables: Sequence[Mapping[str, Any]]) -> Finding:
    """Hold that of each table few rows are in quarantine.

    ``tables`` tell of each ``table`` the rows ``received``, those of them ``quarantined``, and the ``rule``
    that most of these broke. The value is the largest share of a table of which more than a few are.
    """
    shares = {
        row["table"]: row["quarantined"] / row["received"]
        for row in tables
        if row["received"] and row["quarantined"] > FEW_QUARANTINED
    }
    told = [
        f"{row['table']}: {row['quarantined']:,} of {row['received']:,} rows ({shares[row['table']]:.2%}), "
        f"most under {row['rule']}"
        for row in tables
        if shares.get(row["table"], 0.0) > MOST_QUARANTINED
    ]
    return Finding(
        passed=not told,
        value=round(max(shares.values(), default=0.0), 6),
        threshold={"warn": MOST_QUARANTINED},
        says=f"in quarantine, where no profile counts them: {'; '.join(told)}"
        if told
        else f"of no table more than {FEW_QUARANTINED} rows and {MOST_QUARANTINED:.0%} are in quarantine",
        severity="warn",
        details=[dict(row) for row in tables],
    )


def orphans_are_few(
    rows: int, orphans: int, *, warn_share: float, error_share: float, of: str = "customer"
) -> Finding:
    """Hold that few rows name an unknown ``of``: a warning above one share, an error above the other."""
    share = orphans / rows if rows else 0.0
    return Finding(
        passed=share <= warn_share,
        value=round(share, 6),
        threshold={"warn": warn_share, "error": error_share},
        says=f"{orphans:,} of {rows:,} rows ({share:.2%}) name an unknown {of}",
        severity="error" if share > error_share else "warn",
    )
