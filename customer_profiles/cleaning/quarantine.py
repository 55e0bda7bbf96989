"""The quarantine as people use it: how many rows, by which rule, what one looks like, which to release."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.tables import QUARANTINE, REVEALED
from customer_profiles.collection.json_cells import json_text
from customer_profiles.collection.ledger import ledger
from customer_profiles.collection.reading import UNREADABLE
from customer_profiles.collection.refusals import shape
from customer_profiles.collection.releasing import ask_release, released_source
from customer_profiles.collection.tables import DELIVERIES, PLACE, RELEASES
from customer_profiles.contracts import CONTRACTS, Pii
from customer_profiles.contracts.columns import columns_of, spellings
from customer_profiles.contracts.stored import ROW_PLACE, delivered_columns
from customer_profiles.privacy.sealing import Seal, place_of
from customer_profiles.settings import Mendable
from customer_profiles.warehouse import Session

PLAIN_KINDS = ("moment", "date", "whole", "decimal", "flag")
"""Kinds of column whose cells are shown unmasked, if they could be read: they hold no words."""

MEND_THE_FILE = "mend them in their file; the next run takes its new rows, and those alone"


class QuarantineError(Mendable, ValueError):
    """No such rows. The message says which there are."""


@dataclass(frozen=True)
class Chosen:
    """Which quarantined rows of a table are meant; all of a day, or of all days, by default."""

    table: str
    day: date | None
    rule: str | None = None
    rows: Collection[int] = ()
    source: str | None = None

    def __str__(self) -> str:
        """The table, and the day if there is one."""
        return f"{self.table} of {self.day}" if self.day else self.table


def counts_by_rule(session: Session, first: date | None, last: date | None) -> pl.DataFrame:
    """Rows held and rows released, per day, table and rule; a row counts under every rule that it breaks."""
    return (
        _counts(session, first, last)
        .explode("broken_rules")
        .group_by("delivery_day", "table_name", rule="broken_rules")
        .agg(pl.col("rows", "released").sum())
        .sort("delivery_day", "table_name", "rule")
    )


def held_by_table(session: Session, first: date, last: date) -> pl.DataFrame:
    """Rows received and held, per day and table that holds any, and the rule that most of these broke.

    Rows that were released are not held: they came in on another day.
    """
    place = ["delivery_day", "table_name"]
    held = _counts(session, first, last).with_columns(pl.col("rows") - pl.col("released"))
    held = held.filter(pl.col("rows") > 0)
    rules = held.explode("broken_rules").group_by(*place, rule="broken_rules").agg(pl.col("rows").sum())
    received = session.collect(
        session.read(DELIVERIES, first, last)
        .group_by(*place)
        .agg(nw.col("rows").sum().cast(nw.Int64).alias("received"))
    )
    return (
        held.group_by(place)
        .agg(quarantined=pl.col("rows").sum())
        .join(received, on=place)
        .join(rules.sort("rows", "rule").group_by(place).agg(pl.col("rule").last()), on=place)
        .rename({"table_name": "table"})
        .select("delivery_day", "table", "received", "quarantined", "rule")
        .sort("delivery_day", "table")
    )


def _counts(session: Session, first: date | None, last: date | None) -> pl.DataFrame:
    """Rows held and rows of them released, per day, table and the rules that they break together."""
    asked = session.read(RELEASES, first, last).select("table_name", *ROW_PLACE, asked="release")
    rows = session.read(QUARANTINE, first, last).join(asked, on=["table_name", *ROW_PLACE], how="left")
    counted = rows.group_by("delivery_day", "table_name", "broken_rules").agg(
        rows=nw.len().cast(nw.Int64), released=nw.col("asked").count().cast(nw.Int64)
    )
    return session.collect(counted)


def require_delivered(table: str) -> None:
    """Raise ``QuarantineError`` unless there is such a delivered table."""
    if table not in CONTRACTS:
        raise QuarantineError(f"{table!r} is no delivered table; they are {', '.join(CONTRACTS)}")


def find_rows(session: Session, chosen: Chosen) -> pl.DataFrame:
    """The chosen rows as ``quarantine.rows`` has them, with ``released_on``: the day on which they came in.

    ``release`` is set for a row that was released; it waits while ``released_on`` is empty. Raises
    ``QuarantineError`` if there are none.
    """
    require_delivered(chosen.table)
    held = session.read(QUARANTINE, chosen.day, chosen.day).filter(nw.col("table_name") == chosen.table)
    wanted = held
    if chosen.rule:
        wanted = wanted.filter(nw.col("broken_rules").list.contains(chosen.rule))
    if chosen.rows:
        wanted = wanted.filter(nw.col("row_number").is_in(list(chosen.rows)))
    if chosen.source:
        wanted = wanted.filter(nw.col("source") == chosen.source)
    found = session.collect(wanted)
    if found.is_empty():
        broken = session.collect(held.select("broken_rules"))["broken_rules"]
        rules = ", ".join(sorted(broken.explode().drop_nulls().unique())) or "none"
        raise QuarantineError(
            f"{chosen}: no such row in quarantine; rules broken there: {rules}. See: "
            f"customer-profiles quarantine list"
        )
    asked = session.collect(session.read(RELEASES).filter(nw.col("table_name") == chosen.table))
    came = ledger(session, chosen.table).select(came_as="source", released_on="delivery_day")
    names = pl.struct("source", "release").map_elements(
        lambda row: released_source(row["source"], row["release"]), return_dtype=pl.String
    )
    asked = asked.select(*ROW_PLACE, "release").with_columns(came_as=names)
    marked = found.join(asked.join(came, on="came_as", how="left"), on=list(ROW_PLACE), how="left")
    return marked.sort(*PLACE, "delivery_day")


class Released(NamedTuple):
    """How many rows were released, and how many lines can come in with a mended file alone."""

    rows: int
    left: int


def release_rows(session: Session, chosen: Chosen, now: datetime, *, mapped: bool = False) -> Released:
    """Let the chosen rows in with the next run of the newest day.

    A line that cannot be split into columns can be if its table is ``mapped`` by ``sources.yaml``, which may
    say now how it is split; else only its file can be mended. Raises ``QuarantineError`` if no row is left.
    """
    found = find_rows(session, chosen)
    whole = found.filter(mapped | ~pl.col("broken_rules").list.contains(UNREADABLE))
    if whole.is_empty():
        raise QuarantineError(
            f"{chosen}: {found.height:,} lines cannot be split into columns: {MEND_THE_FILE}"
        )
    released = ask_release(session, chosen.table, whole.select(ROW_PLACE), now)
    if not released:
        raise QuarantineError(
            f"{chosen}: these {whole.height:,} rows were released before; a row that "
            f"is still broken stands in quarantine again, under the day on which it came in"
        )
    return Released(released, found.height - whole.height)


def original(row: Mapping[str, Any], seal: Seal) -> dict[str, str | None]:
    """The cells of a quarantined row as they were delivered, personal data in clear."""
    place = place_of(row["table_name"], row["delivery_day"], row["source"], row["row_number"], "original")
    cells = json.loads(seal.open(row["original_sealed"], place))
    return {name: json_text(value) for name, value in cells.items()}


def masked(row: Mapping[str, Any], seal: Seal) -> dict[str, str | None]:
    """The same with every cell that can hold words shown by its shape: ``9`` a digit, ``a`` a letter."""
    columns, known = columns_of(CONTRACTS[row["table_name"]]), delivered_columns(row["table_name"])
    unread = {rule.partition("|")[0] for rule in row["broken_rules"]}

    def is_plain(name: str, cell: str) -> bool:
        metadata = (columns[name].metadata or {}) if name in known and name not in unread else {}
        if metadata.get("kind") == "choice":  # a cell that is none of its values may be anything
            return cell.lower() in spellings(metadata)
        return metadata.get("pii") is Pii.NONE and metadata.get("kind") in PLAIN_KINDS

    return {
        name: cell if cell is None or is_plain(name, cell) else shape(cell)
        for name, cell in original(row, seal).items()
    }


def examples_by_rule(
    session: Session, first: date, last: date, seal: Seal
) -> dict[date, list[dict[str, Any]]]:
    """Of each day, per table and rule: how many rows of the quarantine, and the first of them, masked."""
    held, of_rule = session.read(QUARANTINE, first, last), ["delivery_day", "table_name", "rule"]
    broken = held.select("table_name", *ROW_PLACE, nw.col("broken_rules").alias("rule")).explode("rule")
    firsts = broken.unique(of_rule, keep="first", order_by=PLACE).join(held, on=["table_name", *ROW_PLACE])
    counted = firsts.join(broken.group_by(of_rule).agg(rows=nw.len()), on=of_rule).sort(of_rule)
    examples: dict[date, list[dict[str, Any]]] = {}
    for row in session.collect(counted).iter_rows(named=True):
        shown = {"table": row["table_name"], "rule": row["rule"], "rows": row["rows"]}
        told = {**shown, "example": _in_a_line(masked(row, seal))}
        examples.setdefault(row["delivery_day"], []).append(told)
    return examples


def record_reveal(session: Session, rows: pl.DataFrame, who: str, now: datetime) -> None:
    """Note who saw which originals in clear, and when."""
    notes = {"revealed_on": now.date(), "revealed_at": now, "revealed_by": who}
    seen = rows.select("table_name", *ROW_PLACE).with_columns(
        pl.lit(v).alias(name) for name, v in notes.items()
    )
    with session.transaction():
        session.append(REVEALED, seen.select(list(REVEALED.schema)).cast(dict(REVEALED.schema)))  # type: ignore[arg-type]


def _in_a_line(cells: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name}={cell}" for name, cell in cells.items() if cell is not None)
