"""The default place of a table's deliveries: ``deliveries/<table>/<YYYY-MM-DD>.<format>``."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path

from customer_profiles.collection.layouts import Layout
from customer_profiles.collection.reading import DeliveryError, Part, digest, read_pieces, refusal
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.places import is_visible

FOLDER_FORMATS = ("csv", "csv.gz", "ndjson", "parquet")
FileState = tuple[str, int, int]


def deliveries_parts(_: object, table: str, day: date, home: Home) -> list[Part]:
    """The delivery of a table and day: one file, or a folder of files named after the day.

    Raises ``DeliveryError`` if it is delivered twice, or in a format that nobody can read.
    """
    place = home.deliveries / table
    found = [place / f"{day}.{form}" for form in FOLDER_FORMATS if (place / f"{day}.{form}").is_file()]
    folder = place / str(day)
    parts = visible(folder, "*") if folder.is_dir() else []
    strange = [file for file in parts if _format(file) is None or not file.is_file()]
    found += parts
    if not found:
        strange = visible(place, f"{day}.*")
    if strange:
        names = ", ".join(str(file.relative_to(home.deliveries)) for file in strange)
        raise DeliveryError(
            f"{table} of {day}: {names} cannot be read; a delivery is <day>.<format> or a folder <day> of "
            f"such files, and formats are {', '.join(FOLDER_FORMATS)}: deliver it in one of them, or take it "
            f"away"
        )
    if len({file.parent for file in found}) > 1 or (not parts and len(found) > 1):
        names = ", ".join(str(file.relative_to(home.deliveries)) for file in found)
        raise DeliveryError(f"{table} of {day} is delivered more than once ({names}); keep one of them")
    return [_part(file, table, day, home) for file in found]


def deliveries_days(_: object, table: str, home: Home) -> list[date]:
    """Days for which a file or folder of the table lies there, ascending. Other names are ignored."""
    days = set()
    for entry in (home.deliveries / table).glob("*"):
        name = entry.name if entry.is_dir() else entry.name.removesuffix("." + (_format(entry) or "?"))
        try:
            day = date.fromisoformat(name)
        except ValueError:
            continue
        if str(day) == name:
            days.add(day)
    return sorted(days)


def deliveries_state(_: object, table: str, home: Home) -> list[FileState]:
    """The visible files that lie there, those in a folder that may be listed but not entered too."""
    files = (file for file in sorted((home.deliveries / table).rglob("*")) if not _is_folder(file))
    return [state_of_file(file, home) for file in files if is_visible(file)]


def _is_folder(entry: Path) -> bool:
    with suppress(PermissionError):  # what lies in a folder that this user may not enter cannot be looked at
        return entry.is_dir()
    return False


def state_of_file(file: Path, home: Home) -> FileState:
    """Name, size and time of change: another state is another content."""
    return (name_of(file, home), *size_and_time(file))


def size_and_time(file: Path) -> tuple[int, int]:
    """Bytes, and nanoseconds since 1970 at which it was last written to.

    A broken link, or a file that has just gone, has both too: who reads it says what is wrong.
    """
    try:
        stat = file.stat()
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns


def name_of(file: Path, home: Home) -> str:
    """A file's name in the ledger: relative to the deliveries, to the home, or as it is."""
    for folder in (home.deliveries, home.folder):
        if file.is_relative_to(folder):
            return str(file.relative_to(folder))
    return str(file)


def visible(folder: Path, pattern: str) -> list[Path]:
    """The visible entries of a folder."""
    return sorted(filter(is_visible, folder.glob(pattern)))


def _part(file: Path, table: str, day: date, home: Home) -> Part:
    source = name_of(file, home)
    layout, refuse = Layout(_format(file) or "", home.longest_line), refusal(table, day, source)
    return Part(
        source, file, partial(digest, file, refuse), partial(read_pieces, file, source, layout, refuse)
    )


def _format(file: Path) -> str | None:
    return next((form for form in FOLDER_FORMATS if file.name.endswith("." + form)), None)
