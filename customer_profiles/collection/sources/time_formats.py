"""The format in which a column's first times are written."""

from __future__ import annotations

import re
from datetime import datetime

import polars as pl

FORMATS = (
    "%Y-%m-%d %H",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%y %H:%M",
    "%d/%m/%y",
    "%m/%d/%y %H:%M",
    "%m/%d/%y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y %H:%M:%S",
    "%m-%d-%Y %H:%M",
    "%m-%d-%Y",
    "%d-%m-%y %H:%M",
    "%d-%m-%y",
    "%m-%d-%y %H:%M",
    "%m-%d-%y",
    "%d-%b-%Y %H:%M:%S",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%d/%b/%Y:%H:%M:%S %z",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%Y.%m.%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
)
EPOCH_DIGITS = {10: "epoch_s", 13: "epoch_ms", 16: "epoch_us"}


def time_format(cells: pl.Series) -> str | None:
    """The first format that all cells have; None if they are ISO 8601, or of no format known here."""
    if are_iso(cells):
        return None
    digits = {len(cell) for cell in cells}
    if cells.str.contains(r"^\d+$").all() and len(digits) == 1 and (size := digits.pop()) in EPOCH_DIGITS:
        return EPOCH_DIGITS[size]
    return next((form for form in FORMATS if all(_is_of(form, cell) for cell in cells)), None)


def swapped(name: str, form: str | None, cells: pl.Series) -> list[str]:
    """A doubt, if the cells are dates with day and month in the other order too."""
    other = re.sub("%d([/-])%m", r"%m\1%d", form or "")
    if other == form or not other or not all(_is_of(other, cell) for cell in cells):
        return []
    return [f"{name}: the first rows fit {other} as well as {form}; which is it?"]


def are_iso(cells: pl.Series) -> bool:
    """Whether all cells begin with a day as ISO 8601 writes it."""
    return bool(cells.str.contains(r"^\d{4}-\d{2}-\d{2}($|[T ]\d{2}:)").all())


def _is_of(form: str, cell: str) -> bool:
    try:
        datetime.strptime(cell, form)  # noqa: DTZ007
    except ValueError:
        return False
    return True
