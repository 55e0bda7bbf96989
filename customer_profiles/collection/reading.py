"""What a delivery consists of, and reading its files: every row, as written, with its place in its file.

A file that is not what its name says ends in one ``DeliveryError``.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import polars as pl

from customer_profiles.collection.formats import READERS
from customer_profiles.collection.layouts import Layout, Ragged, Refuse
from customer_profiles.collection.pieces import LARGE_FILE, PIECES
from customer_profiles.settings import Mendable

UNREADABLE = "ragged_row"
"""Rule of a line that cannot be split into the file's columns. Its words are kept in ``_line``."""
LINE = "_line"


class DeliveryError(Mendable, ValueError):
    """A delivery is not what it says. The message names table, day, file, column and what to do."""


@dataclass(frozen=True)
class ReadFile:
    """Rows of one part of a delivery: ``cells`` under the table's column names, and as many ``places``.

    A place is ``source``, ``row_number`` and, if the row is ragged, ``_line``. They are kept apart, since
    a delivered column may have any name. ``originals`` are the cells as they were delivered, if a mapping
    made others of them: what is sealed of a quarantined row. ``filtered`` counts, by rule, the rows that
    ``sources.yaml`` leaves out. ``known_time_imputed``: the day of arrival was told from the rows' times.
    ``of_objects``: each row names its own cells, so that a name which none of them holds is no mistake.
    """

    cells: pl.DataFrame
    places: pl.DataFrame
    source: str
    bytes: int
    sha256: str
    originals: pl.DataFrame | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)
    known_time_imputed: bool = False
    of_objects: bool = False


@dataclass(frozen=True)
class Part:
    """One thing that a delivery consists of: a file, one day's rows of a file, the rows of a query.

    ``source`` is its name in the ledger; ``file`` where it lies, if it is one. ``digest`` tells whether it
    changed since it was loaded. ``read`` yields its rows, in one piece or in several with ascending row
    numbers; it raises ``DeliveryError`` if the part is not what it says. ``of_all_days``: parts of other days
    have the same name; where they are of one file, their rows move its own to other numbers. ``whole`` makes
    a part of that file's rows of all days. ``remap`` maps rows as they were read once, of a query whose
    mapping looks at each row by itself: its database may hold others now.
    """

    source: str
    file: Path | None
    digest: Callable[[], str]
    read: Callable[[], Iterator[ReadFile]]
    of_all_days: bool = False
    whole: Callable[[], Part] | None = None
    remap: Callable[[ReadFile], ReadFile] | None = None

    def renamed(self, source: str) -> Part:
        """The same under another name, so that every row has one place."""

        def read() -> Iterator[ReadFile]:
            for file in self.read():
                places = file.places.with_columns(source=pl.lit(source))
                yield replace(file, source=source, places=places)

        return replace(self, source=source, read=read)


@dataclass(frozen=True)
class Delivery:
    """What one table's delivery of one day consists of."""

    table: str
    day: date
    parts: tuple[Part, ...]


def refusal(table: str, day: date | str, source: str) -> Refuse:
    """What makes a reason into the error that names table, day and file."""

    def refuse(reason: str) -> DeliveryError:
        return DeliveryError(f"{table} of {day}: {source}: {reason}")

    return refuse


def digest(file: Path, refuse: Refuse) -> str:
    """SHA-256 of the file as it lies there. Raises what ``refuse`` makes if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise refuse(f"it cannot be read: {error}; {_advice(error)}") from error


@contextmanager
def left_alone(file: Path, form: str, refuse: Refuse) -> Iterator[os.stat_result]:
    """The state of a file, for as long as it is read as a ``form``.

    Raises what ``refuse`` makes if it cannot be read so, or was written to meanwhile.
    """
    try:
        before = file.stat()
        yield before
        after = file.stat()
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(f"it cannot be read as {form}: {error}; {_advice(error)}") from error
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise refuse("it was written to while it was read; run again once it is whole")


def _advice(error: Exception) -> str:
    return "let this user read it" if isinstance(error, PermissionError) else "deliver it again"


def read_file(file: Path, source: str, layout: Layout, refuse: Refuse) -> ReadFile:
    """Read one file as it is. Raises ``DeliveryError`` if it is not what its name says."""
    with left_alone(file, layout.format, refuse) as state:
        if state.st_size == 0:
            raise refuse("it is empty (0 bytes); a day without rows is a header, or for NDJSON an empty line")
        cells, ragged = READERS[layout.format](file, layout, refuse)
        sha256 = digest(file, refuse)
    cells, places = placed(cells, ragged, source)
    return ReadFile(cells, places, source, state.st_size, sha256, of_objects=layout.is_of_objects)


def read_pieces(file: Path, source: str, layout: Layout, refuse: Refuse) -> Iterator[ReadFile]:
    """Read one file as it is: a large one piece by piece; one without rows is one piece, however large.

    Raises ``DeliveryError`` as ``read_file`` does.
    """
    with left_alone(file, layout.format, refuse) as state:
        if state.st_size >= LARGE_FILE and layout.format in PIECES:
            sha256, place = digest(file, refuse), 0
            for rows, ragged in PIECES[layout.format](file, layout, refuse):
                cells, places = placed(rows, ragged, source, place)
                size = state.st_size if place == 0 else 0  # the sizes of its pieces add up to the file's
                place += places.height
                yield ReadFile(cells, places, source, size, sha256, of_objects=layout.is_of_objects)
            if place:
                return
    yield read_file(file, source, layout, refuse)


def placed(
    cells: pl.DataFrame, ragged: Ragged, source: str, before: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the rows by their place in the file, ragged ones in between as rows without cells.

    ``before`` rows of the file came in earlier pieces.
    """
    height = cells.height + len(ragged)
    lines = pl.Series(LINE, [None], dtype=pl.String).new_from_index(0, height)
    if ragged:
        lines = lines.scatter([number - 1 - before for number, _ in ragged], [line for _, line in ragged])
        split = lines.is_null()
        cells = cells.select(pl.all().gather(split.set(~split, None).cum_sum() - 1))
    places = pl.DataFrame(
        {
            "source": pl.repeat(source, height, eager=True),
            "row_number": range(before + 1, before + height + 1),
            LINE: lines,
        },
        schema_overrides={"source": pl.String, "row_number": pl.Int64},
    )
    return cells, places
