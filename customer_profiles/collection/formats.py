"""The formats of delivered files: what each one holds, as it was written.

Text formats come out as strings. A file that is not what its name says is refused with a reason, which
never quotes a cell: it ends in logs.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl

from customer_profiles.collection.escapes import (
    PARTED,
    as_parted,
    as_written,
    parted_by_one_sign,
    unescaped,
    without_escapes,
)

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
BOM = "\ufeff"
"""Stands before a text; files that were put together hold it in the middle, too."""
EXACT_FLOAT = 2.0**53
"""Whole numbers up to here are the same as floats."""

Refuse = Callable[[str], Exception]
Ragged = list[tuple[int, str]]
"""Lines that cannot be split into columns, each with its row number."""


@dataclass(frozen=True)
class Layout:
    """How a file is laid out. A line longer than ``longest_line`` bytes refuses it.

    ``header`` names the columns of a CSV without a header line; ``fixed`` gives the first and last
    character of each column of a fixed-width line, from 1; ``sheets`` are those of a workbook; ``escape`` is
    a backslash where one takes the meaning from the sign behind it. ``decimal`` is the sign between whole
    part and fraction in its text, with which its numbers are written too: 1.5 is no text.
    """

    format: str
    longest_line: int
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    header: tuple[str, ...] = ()
    skip_lines: int = 0
    fixed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sheets: tuple[str, ...] = ()
    decimal: str = "."

    @property
    def is_utf8(self) -> bool:
        """Whether the text needs no recoding."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig", "ascii")

    @property
    def is_parted(self) -> bool:
        """Whether several bytes part the columns of a CSV, such as ``::``."""
        return self.format in ("csv", "csv.gz") and len(self.delimiter.encode()) > 1

    @property
    def is_of_objects(self) -> bool:
        """Whether each row names its own cells."""
        return self.format in ("ndjson", "ndjson.gz")


def open_bytes(file: Path) -> BinaryIO:
    """A file's bytes, unpacked: gzip is told by its first bytes, whatever the name says."""
    stream = file.open("rb")
    packed = stream.read(len(GZIP)) == GZIP
    stream.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if packed else stream


def open_text(file: Path, layout: Layout) -> BinaryIO:
    """The text of a file as UTF-8 bytes."""
    stream = open_bytes(file)
    if not layout.is_utf8:
        stream = cast(BinaryIO, codecs.EncodedFile(stream, "utf-8", layout.encoding))
    if layout.escape:
        stream = cast(BinaryIO, without_escapes(stream))
    return cast(BinaryIO, parted_by_one_sign(stream, layout.delimiter)) if layout.is_parted else stream


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream, each ended by a line feed: a recoded stream ends its own with other signs."""
    rest = b""
    while chunk := stream.read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


@dataclass(frozen=True)
class Survey:
    """What a text file holds: line feeds, quotation marks, and the bytes of its longest line or more."""

    lines: int
    quotes: int
    longest: int


def survey_text(file: Path, layout: Layout, refuse: Refuse) -> Survey:
    """Refuse what is no text of its encoding, and endless lines, before a parser meets them.

    In constant memory.
    """
    longest_line = layout.longest_line
    too_long = refuse(
        f"a line is longer than {longest_line:,} bytes; deliver one row per line, or raise "
        f"collection.longest_line_bytes"
    )
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = line = lines = quotes = longest = 0
    with open_text(file, layout) as stream:
        while chunk := _next_chunk(stream, layout, lines, refuse):
            if not size and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise refuse("it is UTF-16; deliver UTF-8 text, or say `encoding: utf-16` in sources.yaml")
            if b"\0" in chunk:
                zipped = not size and chunk.startswith(ZIP)
                fix = "unpack the zip archive, or say `format: xlsx`" if zipped else "deliver UTF-8 text"
                raise refuse(f"it holds binary bytes, so it is not text; {fix}")
            last = chunk.rfind(b"\n")
            first = chunk.find(b"\n")
            longest_here = line + (len(chunk) if first < 0 else first)
            if longest_here > longest_line:
                raise too_long
            longest = max(longest, longest_here, _longest_within(chunk))
            line = longest_here if last < 0 else len(chunk) - last - 1
            if line > longest_line:
                raise too_long
            _require_utf8(decoder, chunk, lines, refuse)
            size += len(chunk)
            lines += chunk.count(b"\n")
            quotes += chunk.count(layout.quote.encode()) if layout.quote else 0
    _require_utf8(decoder, b"", lines, refuse)
    if not size:
        raise refuse("it is empty; a day without rows is a header, or for NDJSON an empty line")
    return Survey(lines, quotes, max(longest, line))


def _longest_within(chunk: bytes) -> int:
    """Bytes between two line feeds that lie farthest apart, or all if there are none."""
    return max(map(len, chunk.split(b"\n")))


def _next_chunk(stream: BinaryIO, layout: Layout, lines: int, refuse: Refuse) -> bytes:
    try:
        return stream.read(CHUNK)
    except UnicodeError as error:
        line = lines + 1 + getattr(error, "object", b"")[: getattr(error, "start", 0)].count(b"\n")
        # the cause is left out: it holds the delivered bytes
        raise refuse(f"line {line} is not {layout.encoding}; correct `encoding` in sources.yaml") from None


def _require_utf8(decoder: codecs.IncrementalDecoder, chunk: bytes, lines: int, refuse: Refuse) -> None:
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        line = lines + 1 + error.object[: error.start].count(b"\n")
        # the cause is left out: it holds the delivered bytes
        raise refuse(
            f"line {line} is not UTF-8 (GBK perhaps?); deliver UTF-8 text, or say `encoding` in sources.yaml"
        ) from None


def tidy_names(names: list[str], refuse: Refuse) -> list[str]:
    """Column names without surrounding space, and a number for one without a name.

    Two alike are refused by place: a name may be a cell.
    """
    tidy = [name.strip() or f"column_{number}" for number, name in enumerate(names, start=1)]
    twice = [number for number, name in enumerate(tidy, start=1) if tidy.count(name) > 1]
    if twice:
        raise refuse(f"its columns {twice} have the same name; name every column once")
    return tidy


def _read_csv(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    import pyarrow as pa
    from pyarrow import csv

    survey = survey_text(file, layout, refuse)
    ragged: Ragged = []

    def keep(row: Any) -> str:
        ragged.append((row.number - before, row.text))
        return "skip"

    before = layout.skip_lines + (not layout.header)  # lines that are no rows are counted

    try:
        with open_text(file, layout) as stream:
            table = csv.read_csv(
                stream if survey.lines else io.BytesIO(stream.read() + b"\n"),
                **csv_options(layout, 2 * layout.longest_line, keep),
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
    return as_meant(rows, ragged, layout)


def as_meant(rows: pl.DataFrame, ragged: Ragged, layout: Layout) -> tuple[pl.DataFrame, Ragged]:
    """Cells of CSV without their escapes, ragged lines with them."""
    if rows.width:
        rows = rows.with_columns(pl.first().str.strip_prefix(BOM))
    if layout.is_parted:  # what stands in quotes parted nothing
        stood = as_parted(layout.delimiter)
        rows = rows.with_columns(pl.all().str.replace_many(stood))
        ragged = [(number, "".join(stood.get(sign, sign) for sign in line)) for number, line in ragged]
    if not layout.escape:
        return rows, ragged
    return unescaped(rows), [(number, as_written(line)) for number, line in ragged]


def csv_options(layout: Layout, block: int, keep: Callable[[Any], str]) -> dict[str, Any]:
    """How pyarrow reads a CSV file: text alone, in order, ragged rows given to ``keep``."""
    import pyarrow as pa
    from pyarrow import csv

    return {
        "read_options": csv.ReadOptions(
            use_threads=False,
            block_size=max(CHUNK, block),
            encoding="utf8",
            skip_rows=layout.skip_lines,
            column_names=list(layout.header) or None,
        ),
        "parse_options": csv.ParseOptions(
            delimiter=PARTED if layout.is_parted else layout.delimiter,
            quote_char=layout.quote or False,
            newlines_in_values=True,
            invalid_row_handler=keep,
        ),
        "convert_options": csv.ConvertOptions(default_column_type=pa.string(), strings_can_be_null=False),
    }


def _last_row(rows: pl.DataFrame, ragged: Ragged) -> str:
    if ragged and ragged[-1][0] == rows.height + len(ragged):
        return ragged[-1][1]
    return "".join(rows.tail(1).row(0)) if rows.height else ""


def _read_ndjson(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    survey_text(file, layout, refuse)
    cells: dict[str, list[str | None]] = {}
    height = 0
    ragged: Ragged = []
    with open_text(file, layout) as stream:
        for number, line in enumerate((line for line in lines_of(stream) if line.strip()), start=1):
            row = json_row(line, layout.decimal)
            if row is None:
                ragged.append((number, line.decode("utf-8-sig")))
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
_encoded = json.JSONEncoder(ensure_ascii=False).encode


def json_text(value: Any) -> str | None:
    """A JSON value as the text of a cell."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if type(value) is int else _encoded(value)


def _read_parquet(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    try:
        rows = pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise refuse(f"it is not a whole Parquet file: {reason}; deliver it again") from error
    rows.columns = tidy_names(rows.columns, refuse)
    return rows.with_columns(plain(rows[name], layout.decimal) for name in rows.columns), []


def plain(column: pl.Series, decimal: str = ".") -> pl.Series:
    """Cells that have no text of their own as text: nested, binary and floating ones, and decimals."""
    if column.dtype.is_float() or column.dtype.is_decimal():
        return _digits(column).str.replace(".", decimal, literal=True)
    if column.dtype == pl.Duration:
        return column.dt.to_string("iso")
    if column.dtype == pl.Binary:
        try:
            return column.cast(pl.String)
        except pl.exceptions.ComputeError:
            return column.bin.encode("hex")
    if column.dtype.is_nested():
        cells = [
            None if cell is None else _encoded(DECODERS[decimal](json.dumps(cell, default=str)))
            for cell in column.to_list()
        ]
        return pl.Series(column.name, cells, dtype=pl.String)
    return column


def _digits(numbers: pl.Series) -> pl.Series:
    """Floats and decimals as text; whole floats without a fraction."""
    if numbers.dtype.is_decimal():
        return numbers.cast(pl.String)
    whole = (numbers == numbers.floor()) & (numbers.abs() <= EXACT_FLOAT)
    return numbers.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole, numbers.cast(pl.String))


def _read_fixed(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    survey_text(file, layout, refuse)
    with open_text(file, layout) as stream:
        return split_fixed(list(fixed_lines(stream, layout)), layout)


def fixed_lines(stream: BinaryIO, layout: Layout) -> Iterator[str]:
    """The rows of a fixed-width text."""
    lines = islice(lines_of(stream), layout.skip_lines, None)
    return (line.decode("utf-8-sig").rstrip("\r") for line in lines if line.strip())


def split_fixed(lines: list[str], layout: Layout, first: int = 1) -> tuple[pl.DataFrame, Ragged]:
    """Cells of fixed-width lines, numbered from ``first``. One that ends before its last column is ragged."""
    rows = pl.Series("line", lines, dtype=pl.String)
    whole = rows.str.len_chars() >= max(begin for begin, _ in layout.fixed.values())
    cells = pl.DataFrame({"line": rows.filter(whole)}).select(
        pl.col("line").str.slice(begin - 1, end - begin + 1).str.strip_chars().alias(name)
        for name, (begin, end) in layout.fixed.items()
    )
    return cells, [(first + place, rows[place]) for place in (~whole).arg_true()]


def _read_xlsx(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    """The sheets of a workbook, one under the other; cells as text, empty rows left out."""
    import fastexcel

    try:
        book = fastexcel.read_excel(file)
        names = book.sheet_names if layout.sheets == ("*",) else layout.sheets or book.sheet_names[:1]
        absent = [name for name in names if name not in book.sheet_names]
        if absent:
            raise refuse(f"it has no sheets {absent}, but {book.sheet_names}; correct `sheets`")
        sheets = [_sheet(book, name, layout) for name in names]
    except fastexcel.FastExcelError as error:
        raise refuse(
            f"it is not a whole Excel workbook: {str(error).splitlines()[0]}; deliver it again"
        ) from error
    for sheet in sheets:
        sheet.columns = tidy_names(sheet.columns, refuse)
    rows = pl.concat(sheets, how="diagonal")
    return rows.filter(~pl.all_horizontal(pl.all().is_null())), []


def _sheet(book: Any, name: str, layout: Layout) -> pl.DataFrame:
    """A sheet's cells as text. In a column of numbers alone a point is no sign of the text."""
    cells: pl.DataFrame = book.load_sheet(name, header_row=layout.skip_lines, dtypes="string").to_polars()
    if layout.decimal == ".":
        return cells
    typed = book.load_sheet(name, header_row=layout.skip_lines, schema_sample_rows=None)
    numbers = [cells.columns[told.index] for told in typed.available_columns() if told.dtype == "float"]
    return cells.with_columns(pl.col(numbers).str.replace(".", layout.decimal, literal=True))


def sheet_names(file: Path) -> list[str]:
    """The sheets of a workbook that can be read, in order."""
    import fastexcel

    return list(fastexcel.read_excel(file).sheet_names)


READERS: dict[str, Callable[[Path, Layout, Refuse], tuple[pl.DataFrame, Ragged]]] = {
    "csv": _read_csv,
    "csv.gz": _read_csv,
    "ndjson": _read_ndjson,
    "ndjson.gz": _read_ndjson,
    "parquet": _read_parquet,
    "xlsx": _read_xlsx,
    "fixed": _read_fixed,
}
"""Reads a file into its cells and its ragged lines, by its format."""
