"""A shelf: rows that lie on disk while they are needed, some at a time in memory."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

ALIGNED = 64
"""Bytes to whose multiples Arrow aligns: what lies so is read where it lies."""


class Laid(NamedTuple):
    """Where a frame lies on a shelf."""

    start: int
    end: int


class Shelf:
    """Frames in a file of a folder that has no name: whoever ends, and however, leaves nothing behind."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (open as long as the shelf stands)

    def lay(self, frame: pl.DataFrame) -> Laid:
        """Write a frame behind the others."""
        self._file.write(bytes(-self._file.tell() % ALIGNED))
        start = self._file.tell()
        frame.write_ipc_stream(self._file)
        self._file.flush()
        return Laid(start, self._file.tell())

    def take(self, laid: Laid, rows: pl.Series) -> pl.DataFrame:
        """Rows of a frame by their numbers; what else lies there is not read."""
        import pyarrow as pa

        lying = memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))
        frame = pl.DataFrame(pa.ipc.open_stream(pa.py_buffer(lying[laid.start : laid.end])).read_all())
        return frame[rows]


@dataclass(frozen=True)
class Rows:
    """The mapped rows of a file on a shelf, in frames of which ``starts`` numbers the first rows."""

    shelf: Shelf
    frames: Sequence[Laid]
    starts: Sequence[int]

    def at(self, numbers: pl.Series) -> pl.DataFrame:
        """Rows by their ascending numbers."""
        first = numbers.search_sorted(pl.Series(self.starts, dtype=numbers.dtype)).to_list()
        frames = zip(self.frames, self.starts, first, [*first[1:], numbers.len()], strict=True)
        taken = [self.shelf.take(laid, numbers[a:b] - start) for laid, start, a, b in frames if a < b]
        return pl.concat(taken or [self.shelf.take(self.frames[0], numbers)], how="diagonal")
