"""JSON as cells of text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

LARGEST = 2**63
"""Whole numbers from here on are rounded by whoever holds them in 64 bits with a sign."""
EXACT_FLOAT = 2.0**53
"""Whole numbers up to here are the same as floats."""
MAY_BE_LARGE = re.compile(r"\d{19}")
"""Few texts hold so many digits, and that is found out faster than all numbers are looked at."""


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
