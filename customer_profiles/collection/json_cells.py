"""JSON as cells of text."""

from __future__ import annotations

import json
from typing import Any


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


# made once: json.loads and json.dumps make a new one at each call with an option
DECODERS = {
    ".": json.JSONDecoder(object_pairs_hook=_named_once).decode,
    ",": json.JSONDecoder(
        object_pairs_hook=_named_once, parse_float=lambda number: number.replace(".", ",")
    ).decode,
}
"""Read JSON, by the sign with which its fractions are written as text."""
written_json = json.JSONEncoder(ensure_ascii=False).encode


def json_text(value: Any) -> str | None:
    """A JSON value as the text of a cell."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if type(value) is int else written_json(value)
