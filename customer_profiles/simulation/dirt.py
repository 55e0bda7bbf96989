"""Every kind of dirty row that a rule names, planted into deliveries, each with its expected fate.

A stain says how one cell of one row is written wrongly and what must become of the row. Rules are named
as the platform stores them: ``column|rule``, the name of a row rule, or ``ragged_row``; a repaired row
names the column alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.simulation.delivery_files import Damage, Edit

PLANT = "plant"
UNTOUCHED = "untouched"
"""Value of the ``plant`` column for rows that no stain may touch: something else hangs on them."""

PLANTED: dict[str, tuple[str, str | None, str | None]] = {
    "exact_duplicate": ("duplicate", None, None),
    "key_duplicate": ("duplicate", None, None),
    "redelivered_event": ("duplicate", None, None),
    "redelivered_version": ("accepted", None, None),
    "underage": ("quarantined", "customer_is_underage", "birth_date"),
    "aged_exactly_18": ("accepted", None, "birth_date"),
    "unknown_customer": ("accepted", None, "customer_id"),
    "unknown_product": ("accepted", None, "product_id"),
}
"""Kinds of row that are odd as a whole -> expected fate, rule, column."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Stain:
    """One way in which a row is dirty. ``cell`` makes the written cell from the row and the day."""

    kind: str
    column: str
    fate: str
    rule: str
    cell: Callable[[Row, str, date], Any]
    fits: Callable[[Row], bool] = lambda row: True


def _always(value: Any) -> Callable[[Row, str, date], Any]:
    return lambda row, column, day: value


def _shaped(pattern: str) -> Callable[[Row, str, date], Any]:
    return lambda row, column, day: pattern.format(row[column])


def _wide(row: Row, column: str, day: date) -> str:
    return str(row[column]).translate({ord("0") + digit: ord("０") + digit for digit in range(10)})


def _upper(row: Row, column: str, day: date) -> str:
    return str(row[column]).upper()


def _negative(row: Row, column: str, day: date) -> str:
    return f"-{row[column]}"


def _itself(row: Row, column: str, day: date) -> Any:
    return row["source_customer_id"]


def _in_days(ahead: int) -> Callable[[Row, str, date], str]:
    return lambda row, column, day: f"{day + timedelta(days=ahead)} 10:00:00"


def _days_ahead(ahead: int) -> Callable[[Row, str, date], datetime]:
    return lambda row, column, day: (
        datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=ahead)
    )


def _has(column: str) -> Callable[[Row], bool]:
    return lambda row: row[column] is not None


def _absent(column: str) -> Stain:
    return Stain("required_absent", column, "quarantined", f"{column}|required", _always(None))


def _unparsable(column: str, cell: Any) -> Stain:
    return Stain("unparsable_cell", column, "quarantined", f"{column}|unparsable", _always(cell))


def _impossible(column: str, cell: str) -> Stain:
    return Stain("impossible_date", column, "quarantined", f"{column}|impossible_date", _always(cell))


def _out_of_range(column: str, cell: Any, fits: Callable[[Row], bool] = lambda row: True) -> Stain:
    return Stain("out_of_range", column, "quarantined", f"{column}|out_of_range", _always(cell), fits)


def _non_finite(column: str, cell: str) -> Stain:
    return Stain("non_finite", column, "quarantined", f"{column}|non_finite", _always(cell))


def _future(column: str) -> Stain:
    return Stain("in_the_future", column, "quarantined", "event_in_future", _in_days(3))


def _wide_digits(column: str) -> Stain:
    return Stain("full_width_digits", column, "repaired", column, _wide, _has(column))


def _spaced(column: str) -> Stain:
    return Stain("surrounding_spaces", column, "repaired", column, _shaped("  {} "), _has(column))


def _point_zero(column: str) -> Stain:
    return Stain("whole_with_point", column, "repaired", column, _shaped("{}.0"), _has(column))


RAGGED = Stain("ragged_row", "", "quarantined", "ragged_row", _always(None))
ZEROES, FAR, WRONG_DAY = "0000-00-00 00:00:00", "9999-12-31 00:00:00", "31/13/2026x"

STAINS: dict[str, tuple[Stain, ...]] = {
    "customers": (
        _absent("customer_id"),
        _impossible("birth_date", "0000-00-00"),
        Stain("full_width_digits", "phone", "repaired", "phone", _wide, _has("phone")),
        _unparsable("updated_at", WRONG_DAY),
        Stain("unknown_value", "gender", "repaired", "gender", _always("外星人")),
        _future("registered_at"),
        Stain("upper_case_email", "email", "repaired", "email", _upper, _has("email")),
        _impossible("registered_at", FAR),
        _spaced("city"),
        RAGGED,
    ),
    "consents": (
        _absent("status"),
        _unparsable("purpose", "world_domination"),
        _impossible("effective_at", "9999-12-31T00:00:00+08:00"),
        _spaced("status"),
        _unparsable("status", "maybe"),
        RAGGED,
    ),
    "products": (
        _absent("name"),
        _out_of_range("list_price_minor", "-990"),
        _unparsable("cost_minor", "二十元"),
        _impossible("valid_from", ZEROES),
        _spaced("category"),
        _absent("category"),
        RAGGED,
    ),
    "events": (
        Stain("in_the_future", "event_at", "quarantined", "event_in_future", _days_ahead(2)),
        Stain("nobody_did_it", "customer_id", "quarantined", "somebody_did_it", _always(None),
              lambda row: row["customer_id"] is not None and row["anonymous_id"] is None),
        _absent("event_id"),
        Stain("unknown_value", "event_name", "repaired", "event_name", _always("teleport")),
        _out_of_range("dwell_ms", -5),
        _unparsable("channel", "carrier_pigeon"),
        _out_of_range("quantity", 0, _has("quantity")),
        _absent("event_at"),
        _spaced("product_id"),
        _absent("event_name"),
    ),
    "orders": (
        _unparsable("amount_minor", "12.3元"),
        _wide_digits("quantity"),
        _impossible("ordered_at", ZEROES),
        Stain("negative_amount", "amount_minor", "quarantined", "negative_but_not_returned", _negative,
              lambda row: row["status"] != "returned"),
        Stain("zero_quantity", "quantity", "quarantined", "quantity_is_zero", _always("0")),
        _point_zero("amount_minor"),
        _absent("customer_id"),
        _future("ordered_at"),
        _non_finite("amount_minor", "NaN"),
        _unparsable("status_at", WRONG_DAY),
        _spaced("currency"),
        _impossible("ordered_at", FAR),
        _out_of_range("discount_minor", "-100"),
        _unparsable("status", "vanished"),
        _non_finite("amount_minor", "inf"),
        _absent("currency"),
        RAGGED,
    ),
    "texts": (
        _out_of_range("rating", 6, _has("rating")),
        _absent("body"),
        _unparsable("kind", "graffiti"),
        Stain("full_width_digits", "rating", "repaired", "rating", _wide, _has("rating")),
        _impossible("created_at", "9999-12-31T00:00:00+08:00"),
        _unparsable("rating", "five"),
    ),
    "social_edges": (
        Stain("tie_to_oneself", "target_customer_id", "quarantined", "tie_to_oneself", _itself),
        _non_finite("weight", "NaN"),
        _unparsable("kind", "nemesis"),
        _non_finite("weight", "inf"),
        _spaced("kind"),
        _out_of_range("weight", "-0.5"),
        RAGGED,
    ),
    "campaign_contacts": (
        Stain("no_assignment_probability", "assignment_probability", "quarantined",
              "assignment_probability_absent", _always(None)),
        _out_of_range("assignment_probability", "1.5"),
        _absent("arm"),
        _unparsable("randomised", "perhaps"),
        Stain("flag_in_chinese", "randomised", "accepted", "", _always("是")),
        RAGGED,
    ),
    "partner_attributes": (
        Stain("no_consent_reference", "consent_reference", "quarantined",
              "consent_reference_absent", _always(None)),
        _absent("identifier"),
        _spaced("value"),
        _unparsable("observed_at", WRONG_DAY),
    ),
    "identity_links": (
        _unparsable("method", "telepathy"),
        _absent("identifier"),
        _spaced("kind"),
        RAGGED,
    ),
}  # fmt: skip

ONLY_ROW: dict[str, Callable[[Row], bool]] = {
    "customers": lambda row: bool(row["updated_at"] == row["registered_at"]),
}
"""Rows that must not be lost, lest all that hangs on them becomes an orphan."""
DIRTY_SHARE = {"orders": 0.003, "events": 0.001, "customers": 0.001}
USUAL_DIRTY_SHARE = 0.002
SMALLEST_DELIVERY = 20
MOST_TRIES = 400
TRUTH_SCHEMA = {
    "table": pl.String,
    "delivery_day": pl.Date,
    "source": pl.String,
    "row_number": pl.Int64,
    "kind": pl.String,
    "fate": pl.String,
    "rule": pl.String,
    "column": pl.String,
}


class Soiler:
    """Chooses rows and stains; goes round the stains of a table, so that each kind comes in its turn."""

    def __init__(self) -> None:
        self.turn = dict.fromkeys(STAINS, 0)

    def soil(
        self, table: str, rows: pl.DataFrame, day: date, rng: np.random.Generator
    ) -> tuple[Damage, list[tuple[int, Stain]]]:
        """Damage for a delivery, and which row (from 0) got which stain.

        Only rows whose ``plant`` is NULL are touched, each by one stain.
        """
        damage, stained = Damage(), []
        free = np.flatnonzero(rows[PLANT].is_null().to_numpy())
        wanted = rng.poisson(rows.height * DIRTY_SHARE.get(table, USUAL_DIRTY_SHARE))
        due = rng.random() < rows.height / SMALLEST_DELIVERY
        count = min(int(max(wanted, due)), free.size // 4)
        candidates = iter(rng.permutation(free).tolist())
        for _ in range(count):
            stain = STAINS[table][self.turn[table] % len(STAINS[table])]
            found = _first_fit(table, rows, stain, candidates)
            if found is None:
                break
            self.turn[table] += 1
            place, row = found
            if stain is RAGGED:
                damage.ragged[place] = 2 if self.turn[table] % 2 else -2
            else:
                damage.edits.append(Edit(place, stain.column, stain.cell(row, stain.column, day)))
            stained.append((place, stain))
        return damage, stained


def _first_fit(
    table: str, rows: pl.DataFrame, stain: Stain, candidates: Iterator[int]
) -> tuple[int, Row] | None:
    """The first candidate that the stain fits; a customer's or product's only row is not spoilt."""
    only = ONLY_ROW.get(table, lambda row: False) if stain.fate == "quarantined" else lambda row: False
    for place, _ in zip(candidates, range(MOST_TRIES), strict=False):
        row = rows.row(place, named=True)
        if stain.fits(row) and not only(row):
            return place, row
    return None


def truth_of_dirt(
    table: str, day: date, source: str, stained: list[tuple[int, Stain]], plants: pl.Series
) -> pl.DataFrame:
    """Rows of ``truth/dirt`` for one delivery: its stains, and the rows that are odd as a whole."""
    rows = [
        (place + 1, stain.kind, stain.fate, stain.rule or None, stain.column or None)
        for place, stain in stained
    ]
    for place in plants.is_in(list(PLANTED)).fill_null(False).arg_true().to_list():
        rows.append((place + 1, plants[place], *PLANTED[plants[place]]))
    said = [(table, day, source, *row) for row in sorted(rows, key=lambda row: row[:2])]
    return pl.DataFrame(said, schema=TRUTH_SCHEMA, orient="row")
