r"""CSV in which a backslash takes the meaning from the sign behind it: MySQL's, PostgreSQL's and Hive's.

Before a file is split, an escaped delimiter, quotation mark or line end becomes a private character that no
parser minds; in the cells it becomes what it stood for. A cell ``\N`` is NULL.
"""

from __future__ import annotations

import re
from typing import BinaryIO

import polars as pl

ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a", "v": "\v", "f": "\f"}
"""What letters behind a backslash stand for, in MySQL and PostgreSQL alike."""
PRIVATE = 0xF0000
"""Of Unicode's private planes, in which no writing lies: this code and those of ASCII behind it."""
NOTHING = "\\N"


class EscapedText:
    """A stream of bytes in which no escaped sign means anything to a parser."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def read(self, size: int = -1) -> bytes:
        """Bytes of about so many of the stream."""
        chunk = self.stream.read(size)
        while (len(chunk) - len(chunk.rstrip(b"\\"))) % 2 and (more := self.stream.read(1)):
            chunk += more
        return ESCAPED.sub(_hidden, chunk)

    def __enter__(self) -> EscapedText:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    @property
    def closed(self) -> bool:
        """Whether the stream was."""
        return self.stream.closed


def _hidden(found: re.Match[bytes]) -> bytes:
    (sign,) = found[1]
    if sign >= 0x80 or chr(sign) == "N":
        return found[0]
    return chr(PRIVATE + sign).encode()


MEANT = {chr(PRIVATE + sign): LETTERS.get(chr(sign), chr(sign)) for sign in range(0x80)}
WRITTEN = {chr(PRIVATE + sign): f"\\{chr(sign)}" for sign in range(0x80)}


def unescaped(cells: pl.DataFrame) -> pl.DataFrame:
    """What the cells of an escaped text stand for."""
    return cells.with_columns(
        pl.when(pl.col(name) != NOTHING).then(pl.col(name).str.replace_many(MEANT)) for name in cells.columns
    )


def as_written(line: str) -> str:
    """An escaped line as it stood in its file."""
    return "".join(WRITTEN.get(sign, sign) for sign in line)
