"""Sources of kinds ``files`` and ``log``: files of a day, or one file for all days, found by a glob."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from customer_profiles.collection.reading import Part, ReadFile, digest, refusal
from customer_profiles.collection.sources.deliveries import FileState, name_of, state_of_file
from customer_profiles.collection.sources.histories import EVERY_DAY, LONG, ONE_IN, History, history_of
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.mapping import leave_out
from customer_profiles.collection.sources.places import matches, of_any_day, on_day, tells_days, told_by
from customer_profiles.collection.sources.rows import Found, mapped_pieces
from customer_profiles.collection.sources.schema import FilesSource

MOST_QUIET = 7
"""So many days without rows between two files, at most, may be quiet ones: a shop is closed for a week."""


def files_days(source: Found, table: str, home: Home) -> list[date]:
    """The days that names of files tell, or, of a file for all days, its rows."""
    if not tells_days(source.path):
        return sorted({day for history in _histories(source, table, home) for day in history.days})
    files = matches(of_any_day(source.path), home.folder)
    found = {told_by(file, source.path, home.folder) for file in files}
    return sorted(day for day in found if day is not None and source.holds(day))


def rows_of_days(source: Found, table: str, home: Home) -> Counter[date]:
    """How many rows that no rule leaves out files for all days hold of each day.

    Nothing of files whose names tell their day.
    """
    rows: Counter[date] = Counter()
    for history in [] if tells_days(source.path) else _histories(source, table, home):
        rows.update(history.kept_rows())
    return rows


def odd_days(source: Found, table: str, home: Home) -> list[str]:
    """What files for all days say of days that may be none: long before, or long after, all others."""
    said = []
    for history in [] if tells_days(source.path) else _histories(source, table, home):
        if history.early.len():
            said.append(
                f"{history.file.name}: {history.early.len():,} rows tell a day before first_day "
                f"{home.first_day}, the earliest {history.early.sort()[0]}, and arrive on it; `drop` leaves "
                f"out what cannot be"
            )
        said += _long_after(history)
    return said


def _long_after(history: History) -> list[str]:
    rows = history.kept_rows()
    filled = sorted(day for day, many in rows.items() if many)
    after = 0
    for before, day in reversed(list(pairwise(filled))):
        after += rows[day]
        if after * ONE_IN > sum(rows.values()):
            return []
        if (gap := (day - before).days) > LONG:
            return [
                f"{history.file.name}: {after:,} rows come {gap:,} days after all others, from {day} to "
                f"{filled[-1]}, and the days between are run without rows; `drop` leaves out what cannot be"
            ]
    return []


def files_lacking(source: Found, home: Home) -> str | None:
    """Why a path leads to nothing on any day; None if it leads to something."""
    files = matches(of_any_day(source.path), home.folder)
    if not files:
        return f"there is no file at {home.folder / source.path} that this user may see; correct `path`"
    if tells_days(source.path) and not any(told_by(file, source.path, home.folder) for file in files):
        return f"the name {files[0].name} tells no day as `path` {source.path} says; correct {{day}}"
    return None


def files_parts(source: Found, table: str, day: date, home: Home) -> list[Part]:
    """The files of a day, or the day's rows of the files for all days."""
    if not tells_days(source.path):
        histories = _histories(source, table, home)
        return [history.part(day) for history in histories if day in history.days]
    if not source.holds(day):
        return []
    of_day = on_day(source.path, day)
    return [_part(source, table, day, file, home) for file in matches(of_day, home.folder)]


def files_state(source: Found, table: str, home: Home) -> list[FileState]:
    """Every file that the globs find."""
    joins = source.join if isinstance(source, FilesSource) else ()
    paths = [source.path, *(join.path for join in joins)]
    return [state_of_file(file, home) for path in paths for file in matches(of_any_day(path), home.folder)]


def _part(source: Found, table: str, day: date, file: Path, home: Home) -> Part:
    def read() -> Iterator[ReadFile]:
        for rows, dropped in mapped_pieces(source, table, day, file, home):
            yield leave_out(rows, dropped)

    name = name_of(file, home)
    return Part(name, file, partial(digest, file, refusal(table, day, name)), read)


def _histories(source: Found, table: str, home: Home) -> list[History]:
    """The files for all days. Quiet days between two of them belong to the earlier one, without rows."""
    histories = [history_of(source, table, file, home) for file in matches(source.path, home.folder)]
    in_time = sorted((each for each in histories if each.days), key=lambda each: next(iter(each.days)))
    if histories and not in_time:  # an empty one among others may be a log that has just been rotated
        raise refusal(table, EVERY_DAY, histories[0].source)(
            "it has no rows; deliver some, or correct `path`"
        )
    quiet = {before.file: _quiet_days(before, after) for before, after in pairwise(in_time)}
    return [each.with_days(quiet.get(each.file, [])) for each in histories]


def _quiet_days(before: History, after: History) -> list[date]:
    """Days between two files that are few beside theirs: a month may end on a holiday, or a file is lost."""
    last, first = next(reversed(before.days)), next(iter(after.days))
    gap = (first - last).days - 1
    if gap > MOST_QUIET or 2 * gap > min(len(before.days), len(after.days)):
        return []
    return [last + timedelta(days=number) for number in range(1, gap + 1)]
