"""Sources of kinds ``files`` and ``log``: files of a day, or one file for all days, found by a glob."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from customer_profiles.collection.parsing import PARSERS
from customer_profiles.collection.reading import LINE, Part, ReadFile, digest, refusal
from customer_profiles.collection.refusals import shape
from customer_profiles.collection.sources.cells import UNMAPPED
from customer_profiles.collection.sources.deliveries import FileState, name_of, state_of_file
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.mapping import leave_out
from customer_profiles.collection.sources.places import matches, of_any_day, on_day, tells_days, told_by
from customer_profiles.collection.sources.rows import Found, mapped_pieces, together
from customer_profiles.collection.sources.schema import FilesSource, LogSource
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import EARLIEST_YEAR, columns_of

EVERY_DAY = "every day"
ONE_IN = 100
"""Of so many times one may be wrong: a clock that was never set, a zero for a time that is unknown."""
LONG = 30
"""Days before or after all others on which next to nothing arrives: they may be wrong."""
NOT_YET = ("expires_at",)
"""Times that lie in the future when a row arrives: they tell nothing of its arrival."""


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
        kept = history.dropped.is_null()
        rows.update({day: int(kept[numbers].sum()) for day, numbers in history.days.items()})
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
    kept = history.dropped.is_null()
    rows = {day: int(kept[numbers].sum()) for day, numbers in history.days.items()}
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
        return f"there is no file at {home.folder / source.path}; correct `path`"
    if tells_days(source.path) and not any(told_by(file, source.path, home.folder) for file in files):
        return f"the name {files[0].name} tells no day as `path` {source.path} says; correct {{day}}"
    return None


def files_parts(source: Found, table: str, day: date, home: Home) -> list[Part]:
    """The files of a day, or the day's rows of the files for all days."""
    if not tells_days(source.path):
        histories = _histories(source, table, home)
        return [_part_of_history(history, table, day) for history in histories if day in history.days]
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

    return Part(name_of(file, home), file, partial(digest, file), read)


@dataclass(frozen=True)
class History:
    """A file for all days: its mapped rows, the rule that leaves each out, and the rows of every day.

    A day between its first and its last on which no row arrived was delivered too, without rows: else a
    window over it would be unknown. ``early`` are the days before the home's first that its rows tell.
    """

    file: Path
    rows: ReadFile
    dropped: pl.Series
    days: Mapping[date, pl.Series]
    early: pl.Series


def _histories(source: Found, table: str, home: Home) -> list[History]:
    return [_history(source, table, file, home) for file in matches(source.path, home.folder)]


def _history(source: Found, table: str, file: Path, home: Home) -> History:
    """Read once, as long as the file stays as it is: a run asks for every one of its days."""
    if not file.is_file():
        raise refusal(table, EVERY_DAY, name_of(file, home))("it is no file that can be read; correct `path`")
    key = (table, source.model_dump_json(), *state_of_file(file, home))
    if key not in home.histories:
        for other in [known for known in home.histories if known[0] != table]:
            del home.histories[other]  # one table's rows at a time are kept in memory
        home.histories[key] = _split(source, table, file, home)
    history: History = home.histories[key]
    return history


def _split(source: Found, table: str, file: Path, home: Home) -> History:
    rows, dropped = together(list(mapped_pieces(source, table, EVERY_DAY, file, home)))
    told = arrival_days(source, table, rows, dropped, home)
    early = told.filter((told < home.first_day) & dropped.is_null())
    days = told.clip(lower_bound=home.first_day)
    if days.is_empty():
        return History(file, rows, dropped, {}, early)
    arrived = (
        pl.DataFrame({"day": days}).with_row_index("row").group_by("day", maintain_order=True).agg("row")
    )
    every = arrived.select(pl.date_range(pl.col("day").min(), pl.col("day").max()))
    by_day = every.join(arrived, on="day", how="left", maintain_order="left")
    rows_of = dict(by_day.with_columns(pl.col("row").fill_null([])).iter_rows())
    return History(file, rows, dropped, rows_of, early)


def arrival_days(source: Found, table: str, rows: ReadFile, dropped: pl.Series, home: Home) -> pl.Series:
    """The day on which each row of a file for all days arrived, as far as the row itself can tell.

    The latest of its times; the file's last day for a time that is still to come. A row without any lacks a
    required one and is broken: it stands with the rows before it, so that it is where it was when the file
    has grown; so does one that a rule leaves out, long before or long after the others. Where
    ``delivery_day`` names the times it may be sound, and has the file's last day too. Raises
    ``DeliveryError`` if the rows tell no day.
    """
    told = () if isinstance(source, LogSource) else source.delivery_day
    if isinstance(told, date):
        return pl.repeat(told, rows.cells.height, dtype=pl.Date, eager=True)
    refuse = refusal(table, EVERY_DAY, rows.source)
    times = list(told) or _times(table, rows)
    if not times or not set(times) <= set(rows.cells.columns):
        raise refuse(
            f"no column tells on which day a row arrived; name mapped columns of {table} under "
            f"`delivery_day`, or the day of the export"
        )
    local = (
        PARSERS["moment"](name, {}, home.timezone).value.dt.convert_time_zone(home.timezone) for name in times
    )
    latest = rows.cells.select(pl.max_horizontal(time.dt.date() for time in local)).to_series()
    past = latest.is_between(date(EARLIEST_YEAR, 1, 1), datetime.now(ZoneInfo(home.timezone)).date())
    if not past.any():
        raise refuse(_why_no_day(rows, times))
    stays = past & dropped.is_null()
    days = latest.filter(stays if stays.any() else past)
    in_order = days.sort()
    earliest, last = in_order[0], in_order[-1]
    if 2 * (days < home.first_day).sum() > days.len():
        begin = in_order[days.len() // ONE_IN]
        raise refuse(
            f"most of its rows lie before first_day {home.first_day}: set first_day: {begin} in "
            f"settings.yaml, or, of a list of what is so today, the day of the export as `delivery_day`"
        )
    arrived = latest.zip_with(past | latest.is_null(), pl.Series([last]))
    near = latest.is_between(earliest - timedelta(LONG), last + timedelta(LONG))
    arrived = arrived.set(dropped.is_not_null() & ~near, None)
    before = arrived.cum_max().forward_fill().fill_null(days[0])
    return arrived.fill_null(last if told else before)


def _why_no_day(rows: ReadFile, times: list[str]) -> str:
    """What is wrong with a file none of whose rows tells a day."""
    split = rows.places[LINE].is_null()
    if 2 * (~split).sum() > split.len():
        counted = f"{(~split).sum():,} of {split.len():,}"
        return (
            f"{counted} lines cannot be split into columns; mend `delimiter`, `quote`, `escape` or `header`"
        )
    told = rows.cells[times[0]].filter(split).drop_nulls()
    seen = f"; shaped like {shape(told[0].removeprefix(UNMAPPED))!r}" if told.len() else ""
    return f"none of its times can be read ({', '.join(times)}{seen}); correct their `date_format`"


def _times(table: str, rows: ReadFile) -> list[str]:
    columns = columns_of(CONTRACTS[table])
    return [
        name
        for name in rows.cells.columns
        if name in columns and (columns[name].metadata or {})["kind"] == "moment" and name not in NOT_YET
    ]


def _part_of_history(history: History, table: str, day: date) -> Part:
    numbers, whole = history.days[day], history.rows
    originals = whole.originals if whole.originals is not None else whole.cells

    def digest_of_rows() -> str:
        rows = pl.concat([originals[numbers], whole.places[numbers].select(LINE)], how="horizontal")
        return hashlib.sha256(rows.write_csv().encode()).hexdigest()

    def read() -> Iterator[ReadFile]:
        rows = replace(
            whole,
            cells=whole.cells[numbers],
            places=whole.places[numbers],
            originals=originals[numbers],
            sha256=digest_of_rows(),
            known_time_imputed=True,
        )
        yield leave_out(rows, history.dropped[numbers])

    return Part(whole.source, history.file, digest_of_rows, read)
