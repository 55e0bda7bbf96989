"""What ``sources.yaml`` may have meant otherwise: what fails nothing, and yet is seldom wanted."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import polars as pl

from customer_profiles.collection.formats import sheet_names
from customer_profiles.collection.parsing import ABSENT
from customer_profiles.collection.reading import LINE, Delivery, ReadFile
from customer_profiles.collection.sources.doubts_of_amounts import doubts_of_amounts
from customer_profiles.collection.sources.doubts_of_rows import doubts_of_rows
from customer_profiles.collection.sources.files import odd_days
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.mapping import path_into
from customer_profiles.collection.sources.names import PURCHASES
from customer_profiles.collection.sources.places import tells_days
from customer_profiles.collection.sources.purchases import as_deed
from customer_profiles.collection.sources.rows import rows_beside
from customer_profiles.collection.sources.schema import FilesSource, Source, SqlSource
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of, spellings
from customer_profiles.contracts.stored import (
    columns_with,
    delivered_columns,
    required_columns,
)

MOST_WORDS = 10
BEYOND_ASCII = r"[^\x00-\x7f]"
MOST_CELLS = 1000
"""Of a column, to tell its encoding by: another one's would not all be sound UTF-8."""
FEW_ALIKE = 5
"""So many rows may be alike by chance."""
MOST_ALIKE = 0.05
"""Share of the rows of sheets that may be alike in all columns: what was bought twice."""
CUT_SHORT = r"^\d(\.\d+)?[eE]\+\d{2}$"
HAPPENED = {"orders": "status_at", "events": "event_at"}
"""When a row of a table came about that is delivered soon after."""
SOON, LONG = timedelta(days=7), timedelta(days=366)
"""A delivery most of whose rows happened earlier is history; one whose every time is, is misread."""


def doubts_of(
    delivery: Delivery, home: Home, files: Sequence[ReadFile], sound: pl.DataFrame
) -> tuple[str, ...]:
    """What is doubtful about the sources of a delivery: of its ``files``, of which ``sound`` rows came."""
    sources = [source for source in home.tables.get(delivery.table, ()) if source.holds(delivery.day)]
    of_files = [source for source in sources if isinstance(source, FilesSource)]
    return (
        *_names_of_nothing(sources, files),
        *_utf8_read_as_another(of_files, files),
        *_sheets_left_out(of_files, delivery),
        *_joined_nowhere(of_files, delivery, home, files),
        *_without_order(sources),
        *(doubt for each in sources if each.kind != "sql" for doubt in odd_days(each, delivery.table, home)),
        *_holding_nothing(sources, delivery, files),
        *unknown_words(delivery.table, files),
        *_numbered_on(of_files, files),
        *_ids_made_numbers(delivery.table, files),
        *doubts_of_amounts(sources, _as_read(files)),
        *doubts_of_rows(delivery.table, sound, home.timezone),
        *_long_past(sources, delivery, sound),
    )


def _names_of_nothing(sources: Sequence[Source], files: Sequence[ReadFile]) -> Iterator[str]:
    """Columns that a source names beside its mapping, where a misspelt one fails nothing, but no file has."""
    held = {name for cells in _as_read(files) for name in cells.columns}
    for key in ("rows_of", "numbers", "ignore"):
        names = [name for source in sources for name in getattr(source, key, ())]
        if nowhere := [name for name in names if path_into(name, held) is None]:
            yield f"`{key}` names {', '.join(nowhere)}, but no column is called so"


def _utf8_read_as_another(sources: Sequence[FilesSource], files: Sequence[ReadFile]) -> Iterator[str]:
    """An encoding in which UTF-8 can be read, as signs that nobody wrote."""
    others = {
        source.encoding for source in sources if not codecs.lookup(source.encoding).name.startswith("utf")
    }
    if not others:
        return
    beyond = [
        cell
        for cells in _as_read(files)
        for column in cells.select(pl.col(pl.String))
        for cell in column.filter(column.str.contains(BEYOND_ASCII)).unique().head(MOST_CELLS)
    ]
    for encoding in sorted(others):
        if beyond and all(_is_utf8(cell, encoding) for cell in beyond):
            yield f"`encoding: {encoding}`: all that is not ASCII would be sound UTF-8; leave it out"


def _is_utf8(cell: str, encoding: str) -> bool:
    try:
        cell.encode(encoding).decode()
    except UnicodeError:
        return False
    return True


def _sheets_left_out(sources: Sequence[FilesSource], delivery: Delivery) -> Iterator[str]:
    """Sheets of the delivery's workbooks that no source of the table reads."""
    named = {name for source in sources for name in source.sheets}
    books = {part.file for part in delivery.parts if part.file and part.file.name.endswith(".xlsx")}
    for book in sorted(books if "*" not in named else ()):
        left = [name for name in sheet_names(book)[0 if named else 1 :] if name not in named]
        if left:
            yield f"{book.name}: its sheets {', '.join(left)} are not read; name them in `sheets`"


def _joined_nowhere(
    sources: Sequence[FilesSource], delivery: Delivery, home: Home, files: Sequence[ReadFile]
) -> Iterator[str]:
    """Joined files that no row is joined to; rows of them that a later one with the same of ``on`` hides."""
    for source in sources:
        for join in source.join:
            rows = rows_beside(source, join, delivery.table, delivery.day, home).unique()
            on = list(join.on.values())
            brought = [join.prefix + name for name in rows.columns if join.prefix or name not in on]
            if not any(_holds(file.originals, name) for file in files for name in brought):
                yield (
                    f"join {join.path}: none of its {rows.height:,} rows is joined to a row of the day; see "
                    f"that both files write {', '.join(on)} alike"
                )
            if nowhere := rows.height - rows.select(on).unique().height:
                yield (
                    f"join {join.path}: of rows with the same {', '.join(on)} the last is joined, "
                    f"{nowhere:,} of {rows.height:,} are not; if each should be a row of {delivery.table}, "
                    f"make that file the `path` and join this one to it"
                )


def _without_order(sources: Sequence[Source]) -> Iterator[str]:
    """Columns that number the rows of a query in the order in which they come, if it states none."""
    for source in sources:
        if isinstance(source, SqlSource) and not re.search(r"\border\s+by\b", source.query, re.IGNORECASE):
            for name in (name for name, column in source.columns.items() if column.place_in):
                yield (
                    f"{name}: `place_in` numbers rows as the database happens to return them; end the query "
                    f"with ORDER BY"
                )


def _holding_nothing(
    sources: Sequence[Source], delivery: Delivery, files: Sequence[ReadFile]
) -> Iterator[str]:
    """Optional columns that a source maps, of which no row holds anything: perhaps a misspelt path."""
    mapped = {name: how.column for source in sources for name, how in source.columns.items() if how.column}
    rows = sum(file.places[LINE].null_count() for file in files)
    empty = [
        f"{name} ({column})"
        for name, column in mapped.items()
        if name not in required_columns(delivery.table)
        and not any(_holds(file.cells, name) for file in files)
    ]
    if rows and empty:
        yield f"empty in all rows of the day: {', '.join(empty)}"


def _numbered_on(sources: Sequence[FilesSource], files: Sequence[ReadFile]) -> Iterator[str]:
    """Rows that a list or a sheet holds once more, and that ``place_in`` numbers as lines of their own."""
    held = _as_read(files)
    rows = sum(cells.height for cells in held)
    repeated = sum(cells.height - cells.unique().height for cells in held)
    many = repeated > max(FEW_ALIKE, MOST_ALIKE * rows)
    advice: dict[str, str] = {}
    for source in sources:
        if source.rows_of and repeated:
            says = f"rows are delivered twice, say `{source.rows_of[-1]}.#`, an entry's place in its list"
        elif many and (len(source.sheets) > 1 or "*" in source.sheets):
            says = "a sheet repeats rows of another one, make each sheet a source of its own"
        else:
            continue
        advice |= {name: says for name, how in source.columns.items() if how.place_in}
    for name, says in advice.items():
        yield (
            f"{name}: {repeated:,} of {rows:,} rows are alike in all columns, and `place_in` makes each a "
            f"line; if {says}"
        )


def _ids_made_numbers(table: str, files: Sequence[ReadFile]) -> Iterator[str]:
    """Ids such as ``13085.0``, perhaps in this file alone, and ``1.30858E+12``, of which digits are lost."""
    for name in (name for name in delivered_columns(table) if name.endswith("_id") or name == "phone"):
        held = [file.cells[name].cast(pl.String) for file in files if name in file.cells.columns]
        ids = pl.concat(held or [pl.Series(dtype=pl.String)]).str.strip_chars()
        ids = ids.filter(~ids.is_in(ABSENT))
        if ids.len() and ids.str.contains(r"^\d+\.0$").all():
            yield (
                f"{name} is written with a fraction, such as 13085.0; where other files write 13085, it is "
                f"another one; say `expression: SPLIT_PART(x, '.', 1)`"
            )
        if cut := ids.str.contains(CUT_SHORT).sum():
            yield (
                f"{name} is written as 1.30858E+12 in {cut:,} of {ids.len():,} rows: a spreadsheet cut its "
                f"digits off, and several may have become one; export it again, as text"
            )


def _as_read(files: Sequence[ReadFile]) -> list[pl.DataFrame]:
    """The cells of files as they were before the mapping."""
    return [file.originals for file in files if file.originals is not None]


def _holds(cells: pl.DataFrame | None, name: str) -> bool:
    return cells is not None and name in cells.columns and bool((cells[name].str.strip_chars() != "").any())


def unknown_words(table: str, files: Sequence[ReadFile]) -> Iterator[str]:
    """What stands in columns of a few values and is none of them, the commonest first."""
    for name in columns_with(table, "kind", "choice"):
        choice = columns_of(CONTRACTS[table])[name].metadata or {}
        told = pl.Series("word", dtype=pl.String)
        for file in files:
            if name in file.cells.columns:
                told = told.append(file.cells[name].cast(pl.String).str.strip_chars())
        held = told.filter(~told.is_in(ABSENT))
        strange = held.filter(~held.str.to_lowercase().is_in(list(spellings(choice))))
        words = strange.value_counts(sort=True, name="rows")
        if words.height:
            shown = [f"{word!r} ({rows:,})" for word, rows in words.head(MOST_WORDS).iter_rows()]
            more = f" and {words.height - MOST_WORDS:,} more" if words.height > MOST_WORDS else ""
            becomes = f"counts as {choice['fallback']}" if choice["fallback"] else "cannot be read"
            yield (
                f"{name} is one of {', '.join(choice['values'])}; what is none of them {becomes}: "
                f"{', '.join(shown)}{more}; say in `values` what each stands for{_orders_among(name, words)}"
            )


def _orders_among(name: str, words: pl.DataFrame) -> str:
    """That purchases are no events, if some of the words mean one."""
    bought = [word for word in words["word"] if as_deed(word) in PURCHASES]
    if name != "event_name" or not bought:
        return ""
    return (
        f", but leave {', '.join(bought)} out by `drop`: who bought is told by `orders`, from the same file"
    )


def _long_past(sources: Sequence[Source], delivery: Delivery, sound: pl.DataFrame) -> Iterator[str]:
    """Times long before their delivery: history, or misread: seconds taken for milliseconds are of 1970."""
    of_a_day = any(source.kind != "sql" and tells_days(source.path) for source in sources)
    moments = columns_with(delivery.table, "kind", "moment")
    for name in (each for each in required_columns(delivery.table) if each in moments):
        days = sound[name].dt.date()
        latest, old = days.max(), int((days < delivery.day - SOON).sum())
        if isinstance(latest, date) and latest < delivery.day - LONG:
            yield f"{name}: the latest is of {latest}, long before {delivery.day}; see to its `date_format`"
        elif of_a_day and name == HAPPENED.get(delivery.table) and 2 * old > sound.height:
            yield (
                f"{old:,} of {sound.height:,} rows happened more than {SOON.days} days before "
                f"{delivery.day}, the day on which all arrive; if the file is history, leave {{day}} out of "
                f"`path`: each row arrives on its own"
            )
