"""Reading one delivered file: every row, as it was written, with its place in the file.

Text formats come out as strings, so that a cell which does not fit its column is noted and not
lost. A file that is not what its name says ends in one ``DeliveryError``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from customer_profiles.settings import Mendable

FORMATS = ("csv", "csv.gz", "ndjson", "parquet")
CHUNK = 1 << 20
UNREADABLE = "ragged_row"
"""Rule of a line that cannot be split into the file's columns. Its words are kept in ``_line``."""
LINE = "_line"


class DeliveryError(Mendable, ValueError):
    """A delivery is not what it says. The message names table, day, file, column and what to do."""


@dataclass(frozen=True)
class Delivery:
    """The files that one table's delivery of one day consists of."""

    table: str
    day: date
    files: tuple[Path, ...]


@dataclass(frozen=True)
class ReadFile:
    """One file's rows: the delivered columns, ``source``, ``row_number`` and, if ragged, ``_line``."""

    rows: pl.DataFrame
    source: str
    bytes: int
    sha256: str


def find_delivery(deliveries: Path, table: str, day: date) -> Delivery | None:
    """The delivery of a table and day: one file, or a folder of files named after the day."""
    place = deliveries / table
    found = [place / f"{day}.{form}" for form in FORMATS if (place / f"{day}.{form}").is_file()]
    folder = place / str(day)
    if folder.is_dir():
        parts = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
        strange = [file.name for file in parts if _format(file) is None]
        if strange:
            raise DeliveryError(
                f"{table} of {day}: {folder} holds {strange}; formats are {', '.join(FORMATS)}"
            )
        found += parts
    if not found:
        return None
    if len({file.parent for file in found}) > 1 or (not folder.is_dir() and len(found) > 1):
        names = ", ".join(str(file.relative_to(deliveries)) for file in found)
        raise DeliveryError(f"{table} of {day} is delivered more than once ({names}); keep one of them")
    return Delivery(table, day, tuple(found))


def delivered_days(deliveries: Path, table: str) -> list[date]:
    """Days for which a file or folder of the table lies there, ascending. Other names are ignored."""
    days = set()
    for entry in (deliveries / table).glob("*"):
        name = entry.name if entry.is_dir() else entry.name.removesuffix("." + (_format(entry) or "?"))
        try:
            days.add(date.fromisoformat(name))
        except ValueError:
            continue
    return sorted(days)


def digest(file: Path) -> str:
    """SHA-256 of the file as it lies there."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_file(delivery: Delivery, file: Path, deliveries: Path, longest_line: int) -> ReadFile:
    """Read one file of a delivery. Raises ``DeliveryError`` if it is not what its name says."""
    source = str(file.relative_to(deliveries))
    refuse = _refusal(delivery, source)
    size = file.stat().st_size
    if size == 0:
        raise refuse("it is empty (0 bytes); a day without rows is a header, or for NDJSON an empty line")
    form = _format(file) or ""
    try:
        rows = READERS[form](file, longest_line, refuse)
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(f"it cannot be read as {form}: {error}; deliver it again") from error
    if rows.columns and "row_number" not in rows.columns:
        rows = rows.with_row_index("row_number", offset=1)
    rows = rows.with_columns(pl.col("row_number").cast(pl.Int64), source=pl.lit(source))
    return ReadFile(rows, source, size, digest(file))


def _format(file: Path) -> str | None:
    return next((form for form in ("csv.gz", *FORMATS) if file.name.endswith("." + form)), None)


Refuse = Callable[[str], DeliveryError]


def _refusal(delivery: Delivery, source: str) -> Refuse:
    def refuse(reason: str) -> DeliveryError:
        return DeliveryError(f"{delivery.table} of {delivery.day}: {source}: {reason}")

    return refuse


def _open(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _survey(file: Path, longest_line: int, refuse: Refuse) -> None:
    """Refuse binary content and endless lines before a parser meets them, in constant memory."""
    too_long = refuse(
        f"a line is longer than {longest_line:,} bytes; deliver one row per line, or raise "
        f"collection.longest_line_bytes"
    )
    line = 0
    with _open(file) as stream:
        while chunk := stream.read(CHUNK):
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


def _read_csv(file: Path, longest_line: int, refuse: Refuse) -> pl.DataFrame:
    import pyarrow as pa
    from pyarrow import csv

    _survey(file, longest_line, refuse)
    ragged: list[tuple[int, str]] = []

    def keep(row: Any) -> str:
        ragged.append((row.number, row.text))
        return "skip"

    with _open(file) as stream:
        header = stream.readline().decode("utf-8-sig", errors="replace")
    names = next(iter(_csv_cells(header)), [])
    if len(set(names)) < len(names):
        raise refuse(f"its header names a column twice: {sorted({n for n in names if names.count(n) > 1})}")
    try:
        with _open(file) as stream:
            table = csv.read_csv(
                stream,
                read_options=csv.ReadOptions(
                    use_threads=False, block_size=max(CHUNK, 2 * longest_line), encoding="utf8"
                ),
                parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
    except pa.ArrowInvalid as error:
        raise refuse(f"it is not CSV in UTF-8: {error}; deliver UTF-8 text with a header") from error
    rows = pl.DataFrame(pl.from_arrow(table))
    return _with_ragged(rows.rename(str.strip), ragged)


def _csv_cells(text: str) -> Iterator[list[str]]:
    import csv

    return csv.reader([text])


def _with_ragged(rows: pl.DataFrame, ragged: list[tuple[int, str]]) -> pl.DataFrame:
    """Number the rows by their place in the file, ragged ones in between (the header is line 1)."""
    strange = pl.Series([number - 1 for number, _ in ragged], dtype=pl.Int64)
    places = pl.Series(range(1, rows.height + len(ragged) + 1), dtype=pl.Int64)
    numbered = rows.with_columns(
        places.filter(~places.is_in(strange.implode())).alias("row_number"),
        pl.lit(None, pl.String).alias(LINE),
    )
    if not ragged:
        return numbered
    lines = pl.DataFrame({"row_number": strange, LINE: [text for _, text in ragged]})
    return pl.concat([numbered, lines], how="diagonal").sort("row_number")


def _read_ndjson(file: Path, longest_line: int, refuse: Refuse) -> pl.DataFrame:
    _survey(file, longest_line, refuse)
    cells: dict[str, list[str | None]] = {}
    numbers: list[int] = []
    ragged: list[tuple[int, str]] = []
    with _open(file) as stream:
        for number, line in enumerate((line for line in stream if line.strip()), start=1):
            row = _json_row(line)
            if row is None:
                ragged.append((number + 1, line.decode(errors="replace").rstrip("\n")))
                continue
            numbers.append(number)
            for name in [name for name in row if name not in cells]:
                cells[name] = [None] * (len(numbers) - 1)
            for name, column in cells.items():
                column.append(_json_text(row.get(name)))
    if not numbers and ragged:
        raise refuse("no line of it is a JSON object; deliver one JSON object a line")
    return _with_ragged(pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)), ragged)


def _json_row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _read_parquet(file: Path, _: int, refuse: Refuse) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise refuse(f"it is not a whole Parquet file: {reason}; deliver it again") from error


READERS: dict[str, Callable[[Path, int, Refuse], pl.DataFrame]] = {
    "csv": _read_csv,
    "csv.gz": _read_csv,
    "ndjson": _read_ndjson,
    "parquet": _read_parquet,
}
