"""Files for all days: mapped once, laid down on disk, and taken up again day by day.

Memory stays flat however long the file is: of each row its day and its number are held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from customer_profiles.collection.layouts import Refuse
from customer_profiles.collection.parsing import PARSERS
from customer_profiles.collection.pieces import ROWS
from customer_profiles.collection.reading import LINE, Part, ReadFile, refusal
from customer_profiles.collection.refusals import MEND_THE_LAYOUT, shape
from customer_profiles.collection.sources.cells import UNMAPPED
from customer_profiles.collection.sources.deliveries import name_of, state_of_file
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.mapping import leave_out
from customer_profiles.collection.sources.rows import Found, Mapped, mapped_pieces
from customer_profiles.collection.sources.schema import LogSource
from customer_profiles.collection.sources.shelf import Laid, Rows, Shelf
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import EARLIEST_YEAR, columns_of
from customer_profiles.contracts.stored import delivered_columns

EVERY_DAY = "every day"
NO_ROWS = pl.Series("row", [], dtype=pl.get_index_type())
ONE_IN = 100
"""Of so many times one may be wrong: a clock that was never set, a zero for a time that is unknown."""
LONG = 30
"""Days before or after all others on which next to nothing arrives: they may be wrong."""
NOT_YET = ("expires_at",)
"""Times that lie in the future when a row arrives: they tell nothing of its arrival."""
CELL, ORIGINAL, RULE = "cell ", "original ", "rule"
"""Where columns of cells and of cells as delivered stand beside each other, these begin their names."""


@dataclass(frozen=True)
class History:
    """A file for all days, and its mapped ``rows``.

    ``days`` has the numbers of every day's rows, and ``left_out`` of all rows whether a rule leaves them out.
    A day between the first and the last on which no row arrived was delivered too, without rows: else a
    window over it would be unknown. ``early`` are the days before the home's first that its rows tell.
    """

    file: Path
    source: str
    bytes: int
    rows: Callable[[], Rows]
    days: dict[date, pl.Series]
    left_out: pl.Series
    early: pl.Series

    def with_days(self, days: Sequence[date]) -> History:
        """The same, on which days without rows follow."""
        return replace(self, days=self.days | dict.fromkeys(days, NO_ROWS)) if days else self

    def kept_rows(self) -> dict[date, int]:
        """How many rows of each day no rule leaves out."""
        return {day: rows.len() - int(self.left_out[rows].sum()) for day, rows in self.days.items()}

    def part(self, day: date) -> Part:
        """The rows of a day."""
        return replace(self._part(self.days[day]), whole=self._whole)

    def _whole(self) -> Part:
        return self._part(pl.concat(self.days.values()).sort())

    def _part(self, numbers: pl.Series) -> Part:
        def read() -> Iterator[ReadFile]:
            told = hashlib.sha256()
            for number, (rows, dropped) in enumerate(self._pieces(numbers)):
                assert rows.originals is not None
                lines = pl.concat([rows.originals, rows.places.select(LINE)], how="horizontal")
                told.update(lines.write_csv(include_header=number == 0).encode())
                size = 0 if number else self.bytes  # the sizes of its pieces add up to the file's
                yield leave_out(replace(rows, bytes=size, sha256=told.hexdigest()), dropped)

        @cache  # it reads all rows of the day
        def digest() -> str:
            return [rows.sha256 for rows in read()][-1]

        return Part(self.source, self.file, digest, read, of_all_days=True)

    def _pieces(self, numbers: pl.Series) -> Iterator[Mapped]:
        """Rows by their numbers and what leaves them out, some at a time; of no rows one piece."""
        rows = self.rows()
        for first in range(0, max(numbers.len(), 1), ROWS):
            yield self._apart(rows.at(numbers[first : first + ROWS]))

    def _apart(self, rows: pl.DataFrame) -> Mapped:
        cells, originals = (
            rows.select(pl.col(f"^{begins}.*$").name.replace(f"^{begins}", "")) for begins in (CELL, ORIGINAL)
        )
        places = rows.select(pl.lit(self.source).alias("source"), "row_number", LINE)
        read = ReadFile(cells, places, self.source, 0, "", originals=originals, known_time_imputed=True)
        return read, rows[RULE]


def history_of(source: Found, table: str, file: Path, home: Home) -> History:
    """Read once, as long as the file stays as it is: a run asks for every one of its days."""
    name = name_of(file, home)
    if not file.is_file():
        raise refusal(table, EVERY_DAY, name)("it is no file that can be read; correct `path`")
    key, state = _key(source, table, file, home), state_of_file(file, home)
    known = home.histories.get(key)
    if known is None or known[0] != state:
        known = home.histories[key] = state, _split(source, table, file, home)
    history: History = known[1]
    return history


def _key(source: Found, table: str, file: Path, home: Home) -> tuple[str, ...]:
    """Tells a file as one source maps it."""
    return table, source.model_dump_json(), name_of(file, home)


def _split(source: Found, table: str, file: Path, home: Home) -> History:
    """Map a file, lay its rows down, and tell their days."""
    refuse = refusal(table, EVERY_DAY, name_of(file, home))
    shelf, frames, starts, size = Shelf(home.folder), list[Laid](), [0], 0
    latest, left_out, first = list[pl.Series](), list[pl.Series](), None
    for read, dropped in mapped_pieces(source, table, EVERY_DAY, file, home):
        try:
            frames.append(shelf.lay(_side_by_side(read, dropped)))
        except OSError as error:
            raise refuse(
                f"its rows could not be laid down in {home.folder} ({error}): a file for all days "
                f"takes some five times its size of free disk while it is loaded; free some, and run again"
            ) from error
        starts.append(starts[-1] + read.places.height)
        size += read.bytes
        latest.append(_latest_time(source, table, read.cells, home, refuse))
        left_out.append(dropped.is_not_null())
        first = first or read
    out = pl.concat(left_out)
    told = pl.concat(latest)
    days = arrival_days(source, told, out, home, refuse)
    if days is None:
        assert first is not None
        raise refuse(_why_no_day(first, _times(source, table, first.cells), told))
    home.laid[_key(source, table, file, home)] = Rows(shelf, frames, starts[:-1])
    return History(
        file,
        name_of(file, home),
        size,
        partial(_rows, source, table, file, home),
        _by_day(days.clip(lower_bound=home.first_day)),
        out,
        early=days.filter((days < home.first_day) & ~out),
    )


def _rows(source: Found, table: str, file: Path, home: Home) -> Rows:
    """The rows as they lie there, laid down again if they were put away."""
    key = _key(source, table, file, home)
    if key not in home.laid:
        _split(source, table, file, home)
    rows: Rows = home.laid[key]
    return rows


def _side_by_side(read: ReadFile, dropped: pl.Series) -> pl.DataFrame:
    originals = read.cells if read.originals is None else read.originals
    return pl.concat(
        [
            read.cells.select(pl.all().name.prefix(CELL)),
            originals.select(pl.all().name.prefix(ORIGINAL)),
            read.places.select("row_number", LINE),
            dropped.to_frame(RULE),
        ],
        how="horizontal",
    )


def _by_day(days: pl.Series) -> dict[date, pl.Series]:
    """The numbers of the rows of every day from the first to the last."""
    if days.is_empty():
        return {}
    arrived = (
        pl.DataFrame({"day": days}).with_row_index("row").group_by("day", maintain_order=True).agg("row")
    )
    every = arrived.select(pl.date_range(pl.col("day").min(), pl.col("day").max()))
    by_day = every.join(arrived, on="day", how="left", maintain_order="left")
    return dict(zip(by_day["day"], by_day["row"].fill_null([]), strict=True))


def _latest_time(source: Found, table: str, cells: pl.DataFrame, home: Home, refuse: Refuse) -> pl.Series:
    """The latest business day that each row's times tell, or the one day of arrival that is told of all."""
    told = _told(source)
    if isinstance(told, date):
        return pl.repeat(told, cells.height, dtype=pl.Date, eager=True)
    times = _times(source, table, cells)
    if not times or not set(times) <= set(cells.columns):
        raise refuse(
            f"no column tells on which day a row arrived; name mapped columns of {table} under "
            f"`delivery_day`, or the day of the export"
        )
    local = (
        PARSERS["moment"](name, {}, home.timezone).value.dt.convert_time_zone(home.timezone) for name in times
    )
    return cells.select(pl.max_horizontal(time.dt.date() for time in local)).to_series()


def arrival_days(
    source: Found, latest: pl.Series, left_out: pl.Series, home: Home, refuse: Refuse
) -> pl.Series | None:
    """The day on which each row of a file for all days arrived, as far as the row itself can tell.

    The ``latest`` of its times; the file's last day for a time that is still to come. A row without any lacks
    a required one and is broken: it stands with the rows before it, so that it is where it was when the file
    has grown; so does one that a rule leaves out, long before or long after the others. Where
    ``delivery_day`` names the times it may be sound, and has the file's last day too. No days of no rows;
    ``None`` if none of the rows tells one; raises ``DeliveryError`` if most tell one before the home's first.
    """
    told = _told(source)
    if isinstance(told, date) or latest.is_empty():
        return latest
    past = latest.is_between(date(EARLIEST_YEAR, 1, 1), datetime.now(ZoneInfo(home.timezone)).date())
    if not past.any():
        return None
    stays = past & ~left_out
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
    arrived = arrived.set(left_out & ~near, None)
    before = arrived.cum_max().forward_fill().fill_null(days[0])
    return arrived.fill_null(last if told else before)


def _why_no_day(rows: ReadFile, times: Sequence[str], latest: pl.Series) -> str:
    """What is wrong with rows none of which tells a day that has been."""
    split = rows.places[LINE].is_null()
    if 2 * (~split).sum() > split.len():
        counted = f"{(~split).sum():,} of {split.len():,}"
        return f"{counted} lines cannot be split into columns; {MEND_THE_LAYOUT}"
    told = rows.cells[times[0]].filter(split).drop_nulls()
    if told.is_empty():
        return (
            f"its times ({', '.join(times)}) are empty in every row; map them to the columns that hold them, "
            f"or, if these are joined, see that both files write the columns of `on` alike"
        )
    seen = shape(told[0].removeprefix(UNMAPPED))
    named = ", ".join(times)
    if known := latest.dt.year().drop_nulls().to_list():
        return (
            f"all of its times ({named}) lie before {EARLIEST_YEAR} or are still to come (the first in the "
            f"year {known[0]}); correct their `date_format`, or by `expression` the calendar's years"
        )
    return f"none of its times can be read ({named}; shaped like {seen!r}); correct their `date_format`"


def _told(source: Found) -> date | Sequence[str]:
    """The day of arrival, or the times that tell it, as ``sources.yaml`` has them."""
    return () if isinstance(source, LogSource) else source.delivery_day


def _times(source: Found, table: str, cells: pl.DataFrame) -> list[str]:
    """The columns that tell when a row arrived: those named for it, or all mapped times of the table."""
    columns, told = columns_of(CONTRACTS[table]), _told(source)
    named = [] if isinstance(told, date) else list(told)
    known = [name for name in delivered_columns(table) if name in cells.columns and name not in NOT_YET]
    return named or [name for name in known if (columns[name].metadata or {})["kind"] == "moment"]
