"""The formats of delivered files: what each one holds, as it was written.

Text formats come out as strings.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from customer_profiles.collection.escapes import PARTED, as_parted, as_written, unescaped
from customer_profiles.collection.json_cells import EXACT_FLOAT, json_rows, nested_text
from customer_profiles.collection.layouts import Layout, Ragged, Refuse
from customer_profiles.collection.parsing import as_text
from customer_profiles.collection.text_files import CHUNK, lines_of, open_text, require_closed, survey_text

BOM = "\ufeff"
"""Stands before a text; files that were put together hold it in the middle, too."""
ONE_A_LINE = "deliver one JSON object a line (of a list: jq -c '.[]')"
NO_OBJECTS = f"no line of it is a JSON object with columns; {ONE_A_LINE}"
TICKS = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
"""Of a day, by the unit of a time."""
FARTHEST_DAY = 95_000_000
"""Days from 1970 beyond which Polars panics where it writes a time: 260,000 years. ``infinity`` is one."""
UNREAD = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What Polars raises of types that it does not know, such as decimals of more than 38 digits."""
OLD_CONTAINER = bytes.fromhex("d0cf11e0a1b11ae1")
"""Begins workbooks of Excel before 2007, and those under a password ([MS-CFB] 2.2)."""


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
                stream if survey.lines > 1 else io.BytesIO(stream.read() + b"\n"),
                **csv_options(layout, 2 * layout.longest_line, keep),
            )
    except pa.ArrowInvalid:
        # the cause is left out: it may quote a row
        raise refuse(
            "it cannot be split into rows: it has no header, or a quotation mark is never closed; deliver "
            "it again"
        ) from None
    rows = pl.DataFrame(pl.from_arrow(table.rename_columns(tidy_names(table.column_names, refuse))))
    if survey.has_lines_in_cells(before + rows.height + len(ragged)):
        require_closed(file, layout, refuse)
    require_one_order(rows, refuse)
    return as_meant(rows, ragged, layout)


def require_one_order(rows: pl.DataFrame, refuse: Refuse) -> None:
    """Refuse cells of CSV among which the columns are named anew, in another order: those below are others.

    The same names once more are a row, for the door to judge.
    """
    names = rows.columns
    heads = rows.filter(pl.first().is_in(names)).filter(pl.all_horizontal(pl.all().is_in(names)))
    if any(len(set(row)) == len(names) and list(row) != names for row in heads.iter_rows()):
        raise refuse(
            "a line below the first names the columns in another order: files were put together; deliver "
            "each by itself"
        )


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


def _read_ndjson(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    return next(ndjson_parts(file, layout, refuse), (pl.DataFrame(), []))


def ndjson_parts(
    file: Path, layout: Layout, refuse: Refuse, most: int | None = None
) -> Iterator[tuple[pl.DataFrame, Ragged]]:
    """At ``most`` so many lines at a time, under the names that were met so far.

    The objects of a part may lack some names, or all. Broken lines alone, before any object, show a file of
    another layout, which is refused.
    """
    survey_text(file, layout, refuse)
    names: dict[str, None] = {}
    before = 0
    with open_text(file, layout) as stream:
        lines = (line for line in lines_of(stream) if line.strip())
        while some := list(islice(lines, most)):
            cells, sound = json_rows(some, layout.decimal)
            names |= dict.fromkeys(cells.columns)
            if not names:
                raise refuse(NO_OBJECTS)
            absent = pl.Series([None], dtype=pl.String).new_from_index(0, int(sound.sum()))
            rows = pl.DataFrame({name: cells.get_column(name, default=absent) for name in names})
            rows.columns = tidy_names(rows.columns, refuse)
            yield (
                rows,
                [(before + place + 1, some[place].decode("utf-8-sig")) for place in (~sound).arg_true()],
            )
            before += len(some)


def _read_parquet(file: Path, layout: Layout, refuse: Refuse) -> tuple[pl.DataFrame, Ragged]:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(file) as whole:
            rows = of_arrow(whole.read())  # of Arrow's date64, Polars' own reader makes a midnight
        rows.columns = tidy_names(rows.columns, refuse)
        return rows.with_columns(plain(rows[name], layout.decimal) for name in rows.columns), []
    except (ArrowException, *UNREAD) as error:
        raise refuse(no_parquet(error)) from error


def no_parquet(error: BaseException) -> str:
    """Why a file cannot be read as Parquet, and what can be done to it."""
    reason = str(error).splitlines()[0].rstrip(".")
    return f"it is not a whole Parquet file: {reason}; deliver it again"


def _is_at_an_offset(dtype: Any) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(dtype)) and (dtype.tz or "").startswith(("+", "-"))


def of_arrow(table: Any) -> pl.DataFrame:
    """Cells of Arrow. Polars knows no zone that is an offset: such times are told in UTC."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp(field.type.unit, "UTC")) if _is_at_an_offset(field.type) else field
        for field in table.schema
    ]
    return pl.DataFrame(pl.from_arrow(table.cast(pa.schema(fields))))


def plain(column: pl.Series, decimal: str = ".") -> pl.Series:
    """Cells that have no text of their own as text: nested, binary and floating ones, decimals."""
    if column.dtype.is_float() or column.dtype.is_decimal():
        return _digits(column).str.replace(".", decimal, literal=True)
    if column.dtype.is_temporal():
        return _times(column)
    if column.dtype == pl.Binary:
        try:
            return column.cast(pl.String)
        except pl.exceptions.ComputeError:
            return column.bin.encode("hex")
    if column.dtype.is_nested():
        cells = [None if cell is None else nested_text(cell, decimal) for cell in column.to_list()]
        return pl.Series(column.name, cells, dtype=pl.String)
    return column


def _digits(numbers: pl.Series) -> pl.Series:
    """Floats and decimals as text; whole floats without a fraction."""
    if numbers.dtype.is_decimal():
        return numbers.cast(pl.String)
    numbers = numbers.cast(pl.Float32) if numbers.dtype == pl.Float16 else numbers  # whose floor is itself
    whole = (numbers == numbers.floor()) & (numbers.abs() <= EXACT_FLOAT)
    return numbers.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole, numbers.cast(pl.String))


def _times(times: pl.Series) -> pl.Series:
    """Times as they are; as text if one of them is too far away: of it the number of its days or ticks."""
    if times.dtype == pl.Duration:
        return times.dt.to_string("iso")
    ticks = times.to_physical().cast(pl.Int64)
    a_day = TICKS[times.dtype.time_unit] if isinstance(times.dtype, pl.Datetime) else 1
    far = ((ticks // a_day).abs() > FARTHEST_DAY).fill_null(value=False)
    if times.dtype == pl.Time or not far.any():
        return times
    near = times.set(far, None).to_frame()
    return near.select(as_text(times.dtype, pl.first())).to_series().zip_with(~far, ticks.cast(pl.String))


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
        sheets = [_sheet(book, name, layout, refuse) for name in names]
    except fastexcel.FastExcelError as error:
        raise refuse(f"{no_workbook(file, error)}; deliver it again") from error
    for sheet in sheets:
        sheet.columns = tidy_names(sheet.columns, refuse)
    rows = pl.concat(sheets, how="diagonal")
    if not rows.width:
        raise refuse("it names no columns; a day without rows is a header")
    return rows.filter(~pl.all_horizontal(pl.all().is_null())), []


def _sheet(book: Any, name: str, layout: Layout, refuse: Refuse) -> pl.DataFrame:
    """A sheet's cells as text. In a cell that is a number a point is no sign of the text."""
    cells: pl.DataFrame = book.load_sheet(name, header_row=layout.skip_lines, dtypes="string").to_polars()
    if cells.width:  # of two names alike fastexcel has made a and a_1
        first = {"header_row": None, "skip_rows": layout.skip_lines or None, "n_rows": 1}
        heads = book.load_sheet(name, **first, dtypes="string").to_polars()
        tidy_names([head or "" for head in heads.row(0)], refuse)
    if layout.decimal == ".":
        return cells
    # a number is true or false, a text is neither: fastexcel tells a cell's own type by no other way
    truths = book.load_sheet(name, header_row=layout.skip_lines, dtypes="boolean").to_polars()
    return cells.with_columns(
        text.zip_with(truths[text.name].is_null(), text.str.replace(".", layout.decimal, literal=True))
        for text in cells
    )


def no_workbook(file: Path, error: Exception) -> str:
    """Why a file cannot be read as a workbook, and what can be done to it."""
    with file.open("rb") as stream:
        if stream.read(len(OLD_CONTAINER)) == OLD_CONTAINER:
            return "it is an .xls of old, or under a password; save it as .xlsx without one"
    return f"it is not a whole Excel workbook: {str(error).splitlines()[0]}"


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


def format_of(name: str) -> str | None:
    """The format that the ending of a file's name tells, if it tells one."""
    return next((form for form in READERS if name.lower().endswith("." + form)), None)
