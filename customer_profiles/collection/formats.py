"""The formats of delivered files: what each one holds, as it was written.

Text formats come out as strings. A file that is not what its name says is refused with a reason, which
never quotes a cell: it ends in logs.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

CHUNK = 1 << 20
EXACT_FLOAT = 2.0**53
"""Whole numbers up to here are the same as floats."""

Refuse = Callable[[str], Exception]
Ragged = list[tuple[int, str]]
"""Lines that cannot be split into columns, each with its row number."""


@dataclass(frozen=True)
class Layout:
    """How a file is laid out. A line longer than ``longest_line`` bytes refuses it."""

    format: str
    longest_line: int


def _open(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


@dataclass(frozen=True)
class Survey:
    """What a text file holds: line feeds and quotation marks."""

    lines: int
    quotes: int


def _survey(file: Path, longest_line: int, refuse: Refuse) -> Survey:
    """Refuse what is not UTF-8 text, and endless lines, before a parser meets them; in constant memory."""
    too_long = refuse(
        f"a line is longer than {longest_line:,} bytes; deliver one row per line, or raise "
        f"collection.longest_line_bytes"
    )
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = line = lines = quotes = 0
    with _open(file) as stream:
        while chunk := stream.read(CHUNK):
            if not size and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise refuse("it is UTF-16; deliver UTF-8 text")
            if b"\0" in chunk:
                raise refuse("it holds binary bytes, so it is not text; deliver UTF-8 text")
            last = chunk.rfind(b"\n")
            first = chunk.find(b"\n")
            longest_here = line + (len(chunk) if first < 0 else first)
            if longest_here > longest_line:
                raise too_long
            line = longest_here if last < 0 else len(chunk) - last - 1
            if line > longest_line:
                raise too_long
            _require_utf8(decoder, chunk, lines, refuse)
            size += len(chunk)
            lines += chunk.count(b"\n")
            quotes += chunk.count(b'"')
    _require_utf8(decoder, b"", lines, refuse)
    if not size:
        raise refuse("it is empty; a day without rows is a header, or for NDJSON an empty line")
    return Survey(lines, quotes)


def _require_utf8(decoder: codecs.IncrementalDecoder, chunk: bytes, lines: int, refuse: Refuse) -> None:
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        line = lines + 1 + error.object[: error.start].count(b"\n")
        # the cause is left out: it holds the delivered bytes
        raise refuse(f"line {line} is not UTF-8 (GBK perhaps?); deliver UTF-8 text") from None


def tidy_names(names: list[str], refuse: Refuse) -> list[str]:
    """Column names without surrounding space. Two alike are refused by place: a name may be a cell."""
    tidy = [name.strip() for name in names]
    twice = [number for number, name in enumerate(tidy, start=1) if tidy.count(name) > 1]
    if twice:
        raise refuse(f"its columns {twice} have the same name; name every column once")
    return tidy


def _read_csv(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    import pyarrow as pa
    from pyarrow import csv

    survey = _survey(file, layout.longest_line, refuse)
    ragged: Ragged = []

    def keep(row: Any) -> str:
        ragged.append((row.number - 1, row.text))  # the header is row 1
        return "skip"

    try:
        with _open(file) as stream:
            table = csv.read_csv(
                stream if survey.lines else io.BytesIO(stream.read() + b"\n"),
                read_options=csv.ReadOptions(
                    use_threads=False, block_size=max(CHUNK, 2 * layout.longest_line), encoding="utf8"
                ),
                parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
                convert_options=csv.ConvertOptions(
                    default_column_type=pa.string(), strings_can_be_null=False
                ),
            )
    except pa.ArrowInvalid:
        # the cause is left out: it may quote a row
        raise refuse(
            "it cannot be split into rows: it has no header, or a quotation mark is never closed; deliver "
            "it again"
        ) from None
    rows = pl.DataFrame(pl.from_arrow(table.rename_columns(tidy_names(table.column_names, refuse))))
    if survey.quotes % 2 and "\n" in _last_row(rows, ragged):
        raise refuse(
            f"a quotation mark in row {rows.height + len(ragged)} is never closed, and the rest of the file "
            f"is inside it; deliver it again"
        )
    return rows, ragged


def _last_row(rows: pl.DataFrame, ragged: Ragged) -> str:
    if ragged and ragged[-1][0] == rows.height + len(ragged):
        return ragged[-1][1]
    return "".join(rows.tail(1).row(0)) if rows.height else ""


def _read_ndjson(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    _survey(file, layout.longest_line, refuse)
    cells: dict[str, list[str | None]] = {}
    height = 0
    ragged: Ragged = []
    with _open(file) as stream:
        for number, line in enumerate((line for line in stream if line.strip()), start=1):
            row = _json_row(line)
            if row is None:
                ragged.append((number, line.decode("utf-8-sig").rstrip("\n")))
                continue
            for name in [name for name in row if name not in cells]:
                cells[name] = [None] * height
            for name, column in cells.items():
                column.append(row.get(name))
            height += 1
    if not cells and (height or ragged):
        raise refuse("no line of it is a JSON object with columns; deliver one JSON object a line")
    rows = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
    rows.columns = tidy_names(rows.columns, refuse)
    return rows, ragged


def _json_row(line: bytes) -> dict[str, str | None] | None:
    """The cells of one line as text; None if it is not one JSON object that names each cell once."""
    try:
        row = json.loads(line, object_pairs_hook=_named_once)
        if not isinstance(row, dict):
            return None
        cells = {name: _json_text(value) for name, value in row.items()}
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


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _read_parquet(file: Path, _: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    try:
        rows = pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise refuse(f"it is not a whole Parquet file: {reason}; deliver it again") from error
    rows.columns = tidy_names(rows.columns, refuse)
    return rows.with_columns(_plain(rows[name]) for name in rows.columns), []


def _plain(column: pl.Series) -> pl.Series:
    """Cells that have no text of their own as text: nested, binary and floating ones."""
    if column.dtype.is_float():
        whole = (column == column.floor()) & (column.abs() <= EXACT_FLOAT)
        return column.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole, column.cast(pl.String))
    if column.dtype == pl.Binary:
        try:
            return column.cast(pl.String)
        except pl.exceptions.ComputeError:
            return column.bin.encode("hex")
    if column.dtype.is_nested():
        cells = [
            None if cell is None else json.dumps(cell, ensure_ascii=False, default=str)
            for cell in column.to_list()
        ]
        return pl.Series(column.name, cells, dtype=pl.String)
    return column


READERS: dict[str, Callable[[Path, Layout, Refuse], tuple[pl.DataFrame, Ragged]]] = {
    "csv": _read_csv,
    "csv.gz": _read_csv,
    "ndjson": _read_ndjson,
    "parquet": _read_parquet,
}
"""Reads a file into its cells and its ragged lines, by its format."""
