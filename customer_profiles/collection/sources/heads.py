"""The beginning of a file that nobody has described yet: how it is laid out, and its first rows as text."""

from __future__ import annotations

import codecs
import csv
import json
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from customer_profiles.collection.access_logs import COMBINED
from customer_profiles.collection.escapes import PARTED
from customer_profiles.collection.formats import ONE_A_LINE, UNREAD, format_of, no_workbook, plain
from customer_profiles.collection.json_cells import json_text
from customer_profiles.collection.parsing import as_texts
from customer_profiles.collection.sources.cells import bare
from customer_profiles.collection.text_files import open_bytes, unmarked_utf16, why_no_text
from customer_profiles.settings import Mendable

HEAD_BYTES, HEAD_ROWS = 1_000_000, 200
DELIMITERS = (",", ";", "\t", "|", "::")
DEEPEST_PATH = 3
"""Objects within objects whose members are looked at: ``order.buyer.id``."""
NO_NAME = re.compile(r"[-+]?[\d.,:/ -]*|\\N|(?i:null)|.*@.*\..*")
"""What is a cell, and no column's name."""
LIST = re.compile(r"\s*\[\s*\{")
RULER = re.compile(r"[-=+| ]{3,}")
LINE_END = re.compile(r"\r\n?|\n")
"""Nothing else ends a line: in cells stand signs at which ``str.splitlines`` would part them too."""


class GuessError(Mendable, ValueError):
    """A file's columns cannot be guessed at. The message says why."""


def head_of(file: Path, header: Sequence[str]) -> tuple[dict[str, Any], pl.DataFrame]:
    """How a file is laid out, as ``sources.yaml`` says it, and its first rows; a log has none.

    ``header`` names the columns of a CSV that has no header line. Raises ``GuessError`` if it cannot be read.
    """
    told, cells = _head_as_it_is(file, header)
    return told, _opened(cells)


def _head_as_it_is(file: Path, header: Sequence[str]) -> tuple[dict[str, Any], pl.DataFrame]:
    form = format_of(file.name)
    try:
        if form == "parquet":
            return {}, _as_texts(pl.read_parquet(file, n_rows=HEAD_ROWS))
        if form == "xlsx":
            return _workbook(file)
        text, encoding = _text(file)
        told: dict[str, Any] = {} if encoding == "utf-8" else {"encoding": encoding}
        if not text.strip():
            raise GuessError("it is empty")
        lines = LINE_END.split(text.rstrip("\r\n"))
        if form not in ("csv", "csv.gz") and LIST.match(text):
            raise GuessError(f"it is one JSON list; {ONE_A_LINE}")
        if form in ("ndjson", "ndjson.gz") or (form is None and lines[0].lstrip().startswith("{")):
            return _objects(lines[:HEAD_ROWS], told if form else {"format": "ndjson"} | told)
        if form is None and re.match(COMBINED, lines[0]):
            return {"kind": "log", "format": "combined"}, pl.DataFrame()
        if form is None and any(line.startswith("#Fields:") for line in lines[:HEAD_ROWS]):
            return {"kind": "log", "format": "w3c"}, pl.DataFrame()
        return _table(lines, told if form else {"format": "csv"} | told, list(header))
    except (OSError, EOFError, ValueError, zlib.error, csv.Error, *UNREAD) as error:
        raise GuessError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error


def _workbook(file: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """An xlsx file's first sheet; if there are others, those that have its columns are named."""
    import fastexcel

    try:
        book = fastexcel.read_excel(file)
    except fastexcel.FastExcelError as error:
        raise GuessError(no_workbook(file, error)) from error
    # as the rows lie: else empty ones at the top are not counted
    grid = book.load_sheet(0, header_row=None, skip_rows=0, n_rows=HEAD_ROWS, dtypes="string").to_polars()
    if grid.is_empty():
        raise GuessError("its first sheet is empty")
    before = _lines_before_names([[cell or "" for cell in row] for row in grid.rows()])
    sheets = {
        name: book.load_sheet(name, header_row=before, n_rows=HEAD_ROWS, dtypes="string").to_polars()
        for name in book.sheet_names
    }
    first = next(iter(sheets.values()))
    alike = [name for name, sheet in sheets.items() if sheet.columns == first.columns]
    told: dict[str, Any] = {"skip_lines": before} if before else {}
    return told | ({"sheets": alike} if len(sheets) > 1 else {}), _as_texts(first)


def _lines_before_names(rows: list[list[str]]) -> int:
    """How many lines stand before the names of the columns: a title, a period, remarks.

    They fill less than half of the columns that most parted lines have. 0 if no line seems to hold names.
    """
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return 0
    width = widths.most_common(1)[0][0]
    filled = [2 * sum(cell.strip() != "" for cell in row) >= width for row in rows]
    place = filled.index(True) if True in filled else 0
    return 0 if _are_cells([name.strip() for name in rows[place]]) else place


def _table(lines: list[str], told: dict[str, Any], given: list[str]) -> tuple[dict[str, Any], pl.DataFrame]:
    """A CSV's; columns of one without a header line are called as ``given``, or by their number."""
    delimiter, before, rows = max(
        (_parted_by(sign, lines[: HEAD_ROWS + 1], given) for sign in DELIMITERS), key=_how_well_parted
    )
    told |= {"skip_lines": before} if before else {}
    if len(rows[0]) == 1:
        raise GuessError(
            "no sign parts its columns; if they have fixed widths, write a source with `fixed: {column: "
            "[first, last], ...}` by hand"
        )
    told |= {} if delimiter == "," else {"delimiter": "tab" if delimiter == "\t" else delimiter}
    told |= _quoting(delimiter, rows, lines[before : HEAD_ROWS + 1])
    header = [name.strip() for name in rows[0]]
    if given or _are_cells(header):
        if given and len(given) != len(header):
            raise GuessError(f"--header names {len(given)} columns, but its first line has {len(header)}")
        if "" in given or len(set(given)) < len(given):
            raise GuessError("--header names a column twice, or one not at all")
        header = given or [f"column_{number}" for number in range(1, len(header) + 1)]
        told |= {"header": header}
        rows.insert(0, header)
    header = [name or f"column_{number}" for number, name in enumerate(header, start=1)]
    whole = [row for row in rows[1:] if len(row) == len(header)]
    cells = pl.DataFrame(whole, schema=dict.fromkeys(header, pl.String), orient="row")
    return told, cells.select(bare(column) for column in cells)


def _parted_by(sign: str, lines: list[str], given: list[str]) -> tuple[str, int, list[list[str]]]:
    """A sign that may part columns, how many lines stand before their names, and the lines from there on."""
    one = [line.replace(sign, PARTED) for line in lines]
    rows = [[cell.replace(PARTED, sign) for cell in row] for row in csv.reader(one, delimiter=PARTED)]
    before = 0 if given else _lines_before_names(rows)
    return sign, before, rows[before:]


def _quoting(delimiter: str, rows: list[list[str]], lines: list[str]) -> dict[str, str]:
    """Whether a backslash takes the meaning from the sign behind it, and whether quotation marks are text."""
    sign = re.escape(delimiter)
    quote_escaped = re.compile(rf'(^|{sign})"([^"\\]|\\.)*\\"(?!{sign}|$)')
    if any((row[-1:] and row[-1].endswith("\\")) or "\\N" in row for row in rows) or any(
        quote_escaped.search(line) for line in lines
    ):
        quoted = any(f'{delimiter}"' in line for line in lines)
        return {"escape": "\\"} if quoted else {"quote": "", "escape": "\\"}
    without_quotes = [line.count(delimiter) + 1 for line in lines if line]
    misread = [len(row) for row in rows if row] != without_quotes
    return {"quote": ""} if misread and len(set(without_quotes)) == 1 else {}


def _how_well_parted(parted: tuple[str, int, list[list[str]]]) -> tuple[bool, bool, int]:
    """Of two signs the one that parts every line but for totals at the end, and the names with them."""
    _, before, rows = parted
    some = [len(row) for row in rows[:20] if not _is_ruler(row)]
    while len(some) > 1 and some[-1] <= 1:
        some.pop()
    fewest = min(some, default=0)
    return fewest > 1, before == 0, fewest


def _is_ruler(line: list[str]) -> bool:
    """Whether a line draws one beneath the names, as lists for people do."""
    return RULER.fullmatch("".join(line)) is not None


def _are_cells(line: list[str]) -> bool:
    """Whether a first line is a row. A header may leave the first names and the last ones empty."""
    filled = [place for place, name in enumerate(line) if name]
    names = line[filled[0] : filled[-1] + 1] if filled else line
    return any(NO_NAME.fullmatch(name) for name in names) or len(set(names)) < len(names)


def _objects(lines: list[str], told: dict[str, Any]) -> tuple[dict[str, Any], pl.DataFrame]:
    """An NDJSON's, with a column for every path; a broken line tells none."""
    rows = [dict(_paths(row, "")) for row in map(_object, lines) if row is not None]
    if not rows:
        raise GuessError("none of its first lines is a JSON object")
    names = dict.fromkeys(name for row in rows for name in row)
    return told, pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _opened(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells, with a column for every path into those that hold objects as text, in place of these."""
    columns: dict[str, pl.Series] = {}
    for column in cells:
        told = [cell for cell in column if cell]
        objects = [_object(cell) if cell else {} for cell in column]
        paths = [dict(_paths(held, column.name)) if held else {} for held in objects]
        names = dict.fromkeys(name for row in paths for name in row)
        if not told or None in objects or {*names} & {*columns, *cells.columns}:
            columns[column.name] = column
            continue
        for name in names:
            columns[name] = pl.Series(name, [row.get(name) for row in paths], dtype=pl.String)
    return pl.DataFrame(columns)


def _object(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _paths(value: Any, path: str) -> list[tuple[str, str | None]]:
    if not isinstance(value, dict) or path.count(".") == DEEPEST_PATH:
        return [(path, json_text(value))]
    return [found for name, part in value.items() for found in _paths(part, f"{path}.{name}".lstrip("."))]


def _text(file: Path) -> tuple[str, str]:
    """The whole lines at a file's beginning, and their encoding."""
    with open_bytes(file) as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head[: len(head) // 2 * 2].decode("utf-16", errors="ignore"), "utf-16"
    if b"\0" in head:
        if encoding := unmarked_utf16(head):
            return head[: len(head) // 2 * 2].decode(encoding, errors="ignore"), encoding
        raise GuessError(why_no_text(head))
    whole = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n")]
    beyond_ascii = re.findall(rb"[\x80-\xff]+", whole)
    # in GBK they come in pairs; in Western text an accent stands among plain letters
    in_pairs = 2 * sum(len(run) > 1 for run in beyond_ascii) > len(beyond_ascii)
    for encoding in ("utf-8", "gb18030" if in_pairs else "cp1252", "cp1252"):
        try:
            return whole.decode(encoding).removeprefix("\ufeff"), encoding
        except UnicodeDecodeError:
            continue
    raise GuessError(
        "it is text of no encoding known here (utf-8, gb18030, cp1252); write `encoding` by hand"
    )


def _as_texts(rows: pl.DataFrame) -> pl.DataFrame:
    return as_texts(rows.select(plain(rows[name]) for name in rows.columns))
