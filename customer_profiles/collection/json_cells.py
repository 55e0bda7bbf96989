"""JSON as cells of text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

LARGEST = 2**63
"""Whole numbers from here on are rounded by whoever holds them in 64 bits with a sign."""
EXACT_FLOAT = 2.0**53
"""Whole numbers up to here are the same as floats."""
MAY_BE_LARGE = re.compile(r"\d{19}")
"""Few texts hold so many digits, and that is found out faster than all numbers are looked at."""

TOLD_OTHERWISE = {
    ".": r"[:\[,]\s*-?(\d{19}|\d+\.0+\s*[,\]}]|\d+(\.\d+)?[eE])",
    ",": r"[:\[,]\s*-?(\d{19}|\d+\.\d|\d+[eE])",
}
"""Numbers of which a path would tell something else than ``json_row``, by the sign of fractions."""

SPACE = r"[ \t\r]*"
PLAIN = r'"[^"\\\x00-\x1f]*"|-?[1-9][0-9]{0,17}|0|null|true|false'
"""Values that are written as their cell's text: words without escapes, whole numbers that fit 64 bits."""
FRACTION = r"-?(?:0|[1-9][0-9]{0,8})\.[0-9]{0,3}[1-9]"
"""Numbers that are written as a float of 64 bits is."""
MOST_NAMES, LOOKED_AT = 20, 10
"""Of wider objects the pattern is slower; of so many lines one has to be as the pattern says."""


def json_rows(lines: Sequence[bytes], decimal: str = ".") -> tuple[pl.DataFrame, pl.Series]:
    """The cells as text of those lines that ``json_row`` can read, and of every line whether it can.

    Most are written as the first one is, with plain values: a pattern reads them in half of the time.
    """
    first = next(filter(None, (json_row(line, decimal) for line in lines[:LOOKED_AT])), {})
    columns = _written_alike(lines, list(first), decimal)
    read = next(iter(columns.values())).is_not_null() if columns else _repeated(False, len(lines))
    cells = {name: _unquoted(written) for name, written in columns.items()}
    others = {int(place): json_row(lines[place], decimal) for place in (~read).arg_true()}
    objects = {place: row for place, row in others.items() if row is not None}
    places = pl.Series(list(objects), dtype=pl.UInt32)
    for name in dict.fromkeys(name for row in objects.values() for name in row):
        told = pl.Series([row.get(name) for row in objects.values()], dtype=pl.String)
        cells[name] = cells.get(name, _repeated(None, len(lines), pl.String)).scatter(places, told)
    sound = read.scatter(places, True)
    return pl.DataFrame(cells).filter(sound if cells else []), sound


def _written_alike(lines: Sequence[bytes], names: Sequence[str], decimal: str) -> dict[str, pl.Series]:
    """Values as they are written, of lines with these names in this order and plain values; else NULL."""
    if not 0 < len(names) <= MOST_NAMES:
        return {}
    value = f"({PLAIN}|{FRACTION})" if decimal == "." else f"({PLAIN})"
    members = f"{SPACE},{SPACE}".join(
        f"{re.escape(written_json(name))}{SPACE}:{SPACE}{value}" for name in names
    )
    alike = rf"^{SPACE}\{{{SPACE}{members}{SPACE}\}}{SPACE}$"
    texts = pl.Series(lines, dtype=pl.Binary).cast(pl.String, strict=False)
    if not texts.head(LOOKED_AT).str.contains(alike).any():
        return {}
    found = texts.str.extract_groups(alike).struct.unnest()
    return dict(zip(names, found.get_columns(), strict=True))


def _unquoted(written: pl.Series) -> pl.Series:
    cell = pl.col(written.name)
    words = cell.str.slice(1).str.head(-1)
    told = pl.when(cell.str.starts_with('"')).then(words).when(cell != "null").then(cell)
    return written.to_frame().select(told).to_series()


def _repeated(value: object, times: int, dtype: pl.DataType | type[pl.DataType] = pl.Boolean) -> pl.Series:
    return pl.Series([value], dtype=dtype).new_from_index(0, times)


def json_row(line: bytes, decimal: str = ".") -> dict[str, str | None] | None:
    """The cells of one line as text; None if it is not one JSON object that names each cell once."""
    try:
        row = DECODERS[decimal](line.decode("utf-8-sig", "surrogatepass"))
        if not isinstance(row, dict):
            return None
        cells = {name: json_text(value) for name, value in row.items()}
        if b"\\u" in line:
            "".join(filter(None, [*cells, *cells.values()])).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        return None
    return cells


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("a name comes twice")
    return named


def _number(decimal: str) -> Callable[[str], int | float | str]:
    """What JSON writes with a fraction or an exponent; a whole number is whole, as in Parquet and databases.

    JSON tells 17850.0 and 17850 not apart: a column of ids in which some are absent is written so.
    """

    def number(written: str) -> int | float | str:
        value = float(written)
        if value.is_integer() and abs(value) <= EXACT_FLOAT:
            return int(value)
        return value if decimal == "." else written.replace(".", decimal)

    return number


def _exact(value: Any) -> Any:
    """The same, with large whole numbers as text: a path would round them, and ids would be one."""
    if isinstance(value, dict):
        return {name: _exact(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_exact(part) for part in value]
    return str(value) if type(value) is int and abs(value) >= LARGEST else value


# made once: json.loads and json.dumps make a new one at each call with an option
DECODERS = {
    decimal: json.JSONDecoder(object_pairs_hook=_named_once, parse_float=_number(decimal)).decode
    for decimal in (".", ",")
}
"""Read JSON, by the sign with which its fractions are written as text."""
written_json = json.JSONEncoder(ensure_ascii=False).encode


def retold(cells: pl.Series, decimal: str) -> pl.Series:
    """Cells of text with the numbers of those that are JSON told as ``json_row`` tells them."""
    told_otherwise = cells.str.contains(r"^\s*[\[{]") & cells.str.contains(TOLD_OTHERWISE[decimal])
    places = told_otherwise.fill_null(False).arg_true()
    return cells.scatter(places, [_retold(cell, decimal) for cell in cells.gather(places)])


def _retold(cell: str, decimal: str) -> str:
    try:
        text = _written(DECODERS[decimal](cell))
        text.encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        return cell
    return text


def json_text(value: Any) -> str | None:
    """A JSON value as the text of a cell."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if type(value) is int else _written(value)


def _written(value: Any) -> str:
    text = written_json(value)
    return written_json(_exact(value)) if MAY_BE_LARGE.search(text) else text


def nested_text(value: Any, decimal: str) -> str:
    """A list or struct of typed values as JSON, its fractions written with the sign ``decimal``."""

    def written(part: Any) -> str:
        return format(part, "f").replace(".", decimal) if isinstance(part, Decimal) else str(part)

    return _written(DECODERS[decimal](json.dumps(value, default=written)))
