r"""CSV in which a backslash takes the meaning from the sign behind it: MySQL's, PostgreSQL's and Hive's.

Before a file is split, an escaped delimiter, quotation mark or line end becomes a private character that no
parser minds; in the cells it becomes what it stood for. A cell ``\N`` is NULL. A delimiter of several bytes
becomes one sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO

import polars as pl

ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a", "v": "\v", "f": "\f"}
"""What letters behind a backslash stand for, in MySQL and PostgreSQL alike."""
PRIVATE = 0xF0000
"""Of Unicode's private planes, in which no writing lies: this code and those of ASCII behind it."""
NOTHING = "\\N"
PARTED = "\x1f"
"""ASCII's unit separator."""


class RewrittenText:
    """A stream of bytes in which signs stand for others; ``amid`` tells of a chunk that ends within one."""

    def __init__(
        self, stream: BinaryIO, amid: Callable[[bytes], bool], rewritten: Callable[[bytes], bytes]
    ) -> None:
        self.stream, self.amid, self.rewritten = stream, amid, rewritten

    def read(self, size: int = -1) -> bytes:
        """Bytes of about so many of the stream."""
        chunk = self.stream.read(size)
        while self.amid(chunk) and (more := self.stream.read(1)):
            chunk += more
        return self.rewritten(chunk)

    def __enter__(self) -> RewrittenText:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the stream."""
        self.stream.close()

    @property
    def closed(self) -> bool:
        """Whether the stream was."""
        return self.stream.closed


def without_escapes(stream: BinaryIO) -> RewrittenText:
    """The stream, in which no escaped sign means anything to a parser."""
    return RewrittenText(
        stream,
        lambda chunk: (len(chunk) - len(chunk.rstrip(b"\\"))) % 2 == 1,
        lambda chunk: ESCAPED.sub(_hidden, chunk),
    )


def parted_by_one_sign(stream: BinaryIO, delimiter: str) -> RewrittenText:
    """The stream with ``PARTED`` for a delimiter of several bytes, of which no parser knows any."""
    sign, one, itself = (text.encode() for text in (delimiter, PARTED, chr(PRIVATE + ord(PARTED))))
    return RewrittenText(
        stream,
        lambda chunk: any(chunk.endswith(sign[:end]) for end in range(1, len(sign))),
        lambda chunk: chunk.replace(one, itself).replace(sign, one),
    )


def _hidden(found: re.Match[bytes]) -> bytes:
    (sign,) = found[1]
    if sign >= 0x80 or chr(sign) == "N":
        return found[0]
    return chr(PRIVATE + sign).encode()


MEANT = {chr(PRIVATE + sign): LETTERS.get(chr(sign), chr(sign)) for sign in range(0x80)}
WRITTEN = {chr(PRIVATE + sign): f"\\{chr(sign)}" for sign in range(0x80)}


def as_parted(delimiter: str) -> dict[str, str]:
    """What stands in cells and lines of a text whose delimiter became one sign, and what stood there."""
    return {PARTED: delimiter, chr(PRIVATE + ord(PARTED)): PARTED}


def unescaped(cells: pl.DataFrame) -> pl.DataFrame:
    """What the cells of an escaped text stand for."""
    return cells.with_columns(
        pl.when(pl.col(name) != NOTHING).then(pl.col(name).str.replace_many(MEANT)) for name in cells.columns
    )


def as_written(line: str) -> str:
    """An escaped line as it stood in its file."""
    return "".join(WRITTEN.get(sign, sign) for sign in line)
