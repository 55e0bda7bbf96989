"""Texts of delivered files as UTF-8, looked through before a parser meets them.

A file that is not what its name says is refused with a reason, which never quotes a cell: it ends in logs.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from customer_profiles.collection.escapes import PARTED, parted_by_one_sign, without_escapes
from customer_profiles.collection.layouts import Layout, Refuse

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"


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
    """What a text file holds: lines, quotation marks, and the bytes of its longest line or more."""

    lines: int
    quotes: int
    longest: int

    def has_lines_in_cells(self, rows: int) -> bool:
        """Whether cells may hold line feeds, of a text that was split into so many rows and heads."""
        return self.quotes > 0 and (self.quotes % 2 == 1 or self.lines > rows)


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
                raise refuse(why_no_text(b"" if size else chunk))
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
    return Survey(lines + (line > 0), quotes, max(longest, line))


def require_closed(file: Path, layout: Layout, refuse: Refuse) -> None:
    """Refuse CSV in which a quotation mark is never closed, so that a cell holds the rows below it.

    Such a cell ends with the file, or at the mark that should open another one: it has a delimiter before it
    and words behind it. A row that has another number of cells than its file has columns is ragged, and told.
    """
    sign, mark = PARTED if layout.is_parted else layout.delimiter, layout.quote
    s, m = re.escape(sign), re.escape(mark)
    opens_another = re.compile(rf"(?:(?:[^{m}]++|{m}{m})*+(?<={s}))?{m}(?![{m}{s}\n])")
    lines: list[str] = []

    def each_line(stream: BinaryIO) -> Iterator[str]:
        for line in islice(lines_of(stream), layout.skip_lines, None):
            lines.append(line.decode("utf-8-sig").rstrip("\r").replace("\r", " ") + "\n")
            yield lines[-1]
        yield "\n"

    csv.field_size_limit(sys.maxsize)
    columns, row = len(layout.header), 0
    with open_text(file, layout) as stream:
        for cells in csv.reader(each_line(stream), delimiter=sign, quotechar=mark):
            row += bool(cells) and columns > 0
            columns = columns or len(cells)
            whole = len(lines) == 1 or len(cells) != columns or not opens_another.match(lines[-1])
            lines.clear()
            if not whole:
                break
        else:
            whole = not cells  # what was added to the end is an empty line, and no part of a cell
    if not whole:
        raise refuse(
            f"a quotation mark in row {row} is never closed, and what follows is inside it; deliver it again"
        )


def why_no_text(first: bytes) -> str:
    """What is said of a file that holds zero bytes, by its first ones."""
    if first.startswith(ZIP):
        fix = "unpack the zip archive, or say `format: xlsx`"
    elif encoding := unmarked_utf16(first):
        fix = f"deliver UTF-8 text, or say `encoding: {encoding}` in sources.yaml"
    else:
        fix = "deliver UTF-8 text"
    return f"it holds binary bytes, so it is not text; {fix}"


def unmarked_utf16(first: bytes) -> str | None:
    """The UTF-16 in which every second byte of a text that begins so is zero, and the others are not."""
    halves = first[::2], first[1::2]
    big, little = (2 * half.count(0) > len(half) for half in halves)
    return None if big == little else "utf-16-be" if big else "utf-16-le"


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
            f"line {line} is not UTF-8 (gbk or cp1252 perhaps?); deliver UTF-8 text, or say `encoding` in "
            f"sources.yaml"
        ) from None
