"""Days that a table holds as text: told by the one way of writing that fits every cell, and read by it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import polars as pl

from customer_profiles.conversion.columns import TEXT, filled_cells, require_read

ORDERS = (
    *(f"%Y{by}%m{by}%d" for by in "-/."),
    *(f"%d{by}%m{by}%Y" for by in "-/."),
    *(f"%m{by}%d{by}%Y" for by in "-/."),
)
HOURS = ("", " %H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f", "T%H:%M:%S%.fZ")
LIKE_DAY = r"^(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4})([ T]\d.*)?$"
"""A year has four digits: strptime would take two of them for the years 0 to 99."""


def days_among(frame: pl.DataFrame) -> dict[str, str]:
    """The columns of text in which every filled cell is a day, each with its strftime format.

    Where the day's place and the month's could be told either way, as in ``03/04/2026`` alone, it is neither.
    """
    found = {name: _format(frame[name]) for name, dtype in frame.schema.items() if dtype in TEXT}
    return {name: written for name, written in found.items() if written is not None}


def with_days(frame: pl.DataFrame, days: Mapping[str, str]) -> pl.DataFrame:
    """Return ``frame`` with its columns of text among ``days`` (column -> format) as times.

    A cell that is no such day becomes NULL. Raises ``InputsError`` naming columns of which hardly a filled
    cell is one.
    """
    schema = frame.schema
    here = [name for name in days if schema.get(name) in TEXT]
    times = {name: _read(frame[name].cast(pl.String).str.strip_chars(), days[name]) for name in here}
    for name, column in times.items():
        require_read({name: (frame[name], column)}, f"days as {days[name].replace('%.f', '')}")
    return frame.with_columns(times.values())


def _format(column: pl.Series) -> str | None:
    cells = filled_cells(column)
    if not cells.head(1).str.contains(LIKE_DAY).any() or not cells.str.contains(LIKE_DAY).all():
        return None
    first, cells = cells.head(1), cells.unique()
    ways = [way for way in map("".join, product(ORDERS, HOURS)) if not _read(first, way).has_nulls()]
    fitting = [way for way in ways if not _read(cells, way).has_nulls()]
    return fitting[0] if len(fitting) == 1 else None


def _read(text: pl.Series, way: str) -> pl.Series:
    return text.str.strptime(pl.Datetime("us"), way, strict=False)
