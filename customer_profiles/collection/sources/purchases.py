"""Purchases among a file's events: rows of ``orders``, as all others are rows of ``events``."""

from __future__ import annotations

import polars as pl

from customer_profiles.collection.sources.names import MEANINGS, PURCHASES
from customer_profiles.collection.sources.schema_matching import column_of, letters, matched
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of, spellings
from customer_profiles.warehouse.statements import literals, quoted

DEEDS = {*MEANINGS["event_name"], *spellings(columns_of(CONTRACTS["events"])["event_name"].metadata or {})}
"""Words for what customers do, besides buying."""


def as_deed(cell: str) -> str:
    """``Product Viewed`` and ``product_viewed`` are one word."""
    return cell.strip().lower().replace(" ", "_")


def column_of_deeds(cells: pl.DataFrame) -> str | None:
    """The column whose words say what customers did; None if none of them is known.

    A ``type`` of orders may be called as a purchase is, an event may not.
    """
    found = matched("event_name", cells)
    known = DEEDS | (PURCHASES if found and letters(found) != "type" else set())
    return found if found and any(as_deed(word) in known for word in _words(cells[found])) else None


def parted(table: str, cells: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str], list[str]]:
    """The rows of ``table``, the ``drop`` that leaves the others out, and what a person must look at."""
    if table == "events" and (found := column_of("event_name", cells)):
        return _without_purchases(found, cells)
    if table == "orders" and (found := column_of_deeds(cells)):
        return _purchases(found, cells)
    return cells, {}, []


def _without_purchases(found: str, cells: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str], list[str]]:
    bought = [word for word in _words(cells[found]) if as_deed(word) in PURCHASES]
    if not bought:
        return cells, {}, []
    note = (
        f"event_name: who bought is told by `orders`: name this file there too, as --table orders says it; "
        f"`drop` leaves {', '.join(bought)} out here"
    )
    others = cells.filter(~pl.col(found).str.strip_chars().is_in(bought).fill_null(False))
    return others if others.height else cells, {"bought": f"{quoted(found)} IN ({literals(bought)})"}, [note]


def _purchases(found: str, cells: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str], list[str]]:
    bought = [word for word in _words(cells[found]) if as_deed(word) in PURCHASES]
    note = f"drop: only rows whose {found} is {', '.join(bought)} are purchases; is it that?"
    if not bought:
        note = f"drop: no purchase stands in the first rows; say which word of {found} means one"
    bought = bought or ["purchase"]
    # what has no word was not bought either
    others = f"COALESCE({quoted(found)}, '') NOT IN ({literals(bought)})"
    orders = cells.filter(pl.col(found).str.strip_chars().is_in(bought))
    return orders if orders.height else cells, {"not bought": others}, [note]


def _words(cells: pl.Series) -> list[str]:
    return cells.str.strip_chars().drop_nulls().unique().sort().to_list()
