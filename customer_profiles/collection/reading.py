"""Finding a delivery and reading its files: every row, as it was written, with its place in its file.

A file that is not what its name says ends in one ``DeliveryError``.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from customer_profiles.collection.formats import READERS, Ragged, Refuse
from customer_profiles.settings import Mendable

FORMATS = tuple(READERS)
UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart")
"""Endings of files that are still being sent."""
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
    """One file: ``cells`` as delivered, and as many ``places``.

    A place is ``source``, ``row_number`` and, if the row is ragged, ``_line``. They are kept apart, since
    a delivered column may have any name.
    """

    cells: pl.DataFrame
    places: pl.DataFrame
    source: str
    bytes: int
    sha256: str


def find_delivery(deliveries: Path, table: str, day: date) -> Delivery | None:
    """The delivery of a table and day: one file, or a folder of files named after the day.

    Raises ``DeliveryError`` if it is delivered twice, or in a format that nobody can read.
    """
    place = deliveries / table
    found = [place / f"{day}.{form}" for form in FORMATS if (place / f"{day}.{form}").is_file()]
    folder = place / str(day)
    parts = _visible(folder, "*") if folder.is_dir() else []
    strange = [file for file in parts if _format(file) is None or not file.is_file()]
    found += parts
    if not found:
        strange = _visible(place, f"{day}.*")
    if strange:
        names = ", ".join(str(file.relative_to(deliveries)) for file in strange)
        raise DeliveryError(
            f"{table} of {day}: {names} cannot be read; a delivery is <day>.<format> or a folder <day> of "
            f"such files, and formats are {', '.join(FORMATS)}: deliver it in one of them, or take it away"
        )
    if not found:
        return None
    if len({file.parent for file in found}) > 1 or (not parts and len(found) > 1):
        names = ", ".join(str(file.relative_to(deliveries)) for file in found)
        raise DeliveryError(f"{table} of {day} is delivered more than once ({names}); keep one of them")
    return Delivery(table, day, tuple(found))


def _visible(folder: Path, pattern: str) -> list[Path]:
    """Entries of a folder, but for hidden files, markers (Spark's ``_SUCCESS``) and unfinished ones."""
    return sorted(
        entry
        for entry in folder.glob(pattern)
        if not entry.name.startswith((".", "_")) and not entry.name.endswith(UNFINISHED)
    )


def delivered_days(deliveries: Path, table: str) -> list[date]:
    """Days for which a file or folder of the table lies there, ascending. Other names are ignored."""
    days = set()
    for entry in (deliveries / table).glob("*"):
        name = entry.name if entry.is_dir() else entry.name.removesuffix("." + (_format(entry) or "?"))
        try:
            day = date.fromisoformat(name)
        except ValueError:
            continue
        if str(day) == name:
            days.add(day)
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
        cells, ragged = READERS[form](file, longest_line, refuse)
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(f"it cannot be read as {form}: {error}; deliver it again") from error
    cells, places = _placed(cells, ragged, source)
    return ReadFile(cells, places, source, size, digest(file))


def _placed(cells: pl.DataFrame, ragged: Ragged, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the rows by their place in the file, ragged ones in between as rows without cells."""
    height = cells.height + len(ragged)
    lines = pl.Series(LINE, [None], dtype=pl.String).new_from_index(0, height)
    if ragged:
        lines = lines.scatter([number - 1 for number, _ in ragged], [line for _, line in ragged])
        split = lines.is_null()
        cells = cells.select(pl.all().gather(split.set(~split, None).cum_sum() - 1))
    places = pl.DataFrame(
        {"source": pl.repeat(source, height, eager=True), "row_number": range(1, height + 1), LINE: lines},
        schema_overrides={"source": pl.String, "row_number": pl.Int64},
    )
    return cells, places


def _format(file: Path) -> str | None:
    return next((form for form in ("csv.gz", *FORMATS) if file.name.endswith("." + form)), None)


def _refusal(delivery: Delivery, source: str) -> Refuse:
    def refuse(reason: str) -> DeliveryError:
        return DeliveryError(f"{delivery.table} of {delivery.day}: {source}: {reason}")

    return refuse
