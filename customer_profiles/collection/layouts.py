"""How a delivered file is laid out."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Refuse = Callable[[str], Exception]
"""Makes the error that refuses a file, from the reason."""
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
