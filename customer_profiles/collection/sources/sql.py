"""Sources of kind ``sql``: a query that is asked for each day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import polars as pl

from customer_profiles.collection.databases import Query, read_query
from customer_profiles.collection.reading import Part, ReadFile, placed, refusal
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.mapping import (
    Above,
    map_rows,
    maps_piece_by_piece,
    maps_row_by_row,
)
from customer_profiles.collection.sources.schema import SqlSource


def sql_days(source: SqlSource, _: str, home: Home) -> list[date]:
    """Every day from the home's first to yesterday, or to the source's ``last_day``; or its one day.

    A day of which the query returns nothing was delivered too, empty.
    """
    if source.delivery_day:
        return [max(source.delivery_day, home.first_day)]
    first, last = _bounds(source, home)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def sql_lacking(source: SqlSource, home: Home) -> str | None:
    """Why the query is asked on no day, if so."""
    if sql_days(source, "", home):
        return None
    first, last = _bounds(source, home)
    return (
        f"the query of {source.url_variable} is asked on no day: its first day would be {first}, its last "
        f"{last}; correct first_day in settings.yaml, or first_day and last_day of the source"
    )


def _bounds(source: SqlSource, home: Home) -> tuple[date, date]:
    yesterday = datetime.now(ZoneInfo(home.timezone)).date() - timedelta(days=1)
    return max(source.first_day or date.min, home.first_day), min(source.last_day or date.max, yesterday)


def sql_parts(source: SqlSource, table: str, day: date, home: Home) -> list[Part]:
    """The rows of the day's query."""
    if day not in sql_days(source, table, home):
        return []
    name = name_of_query(source, table, home)
    read = partial(_read, source, table, day, name, home)
    remap = partial(_remapped, source, table, day, name, home) if maps_row_by_row(source) else None
    return [Part(name, None, partial(_digest, source, day), read, of_all_days=True, remap=remap)]


def sql_state(source: SqlSource, table: str, home: Home) -> list[str]:
    """The query, and the last day for which it can be asked. The database is not."""
    return [_digest(source, day) for day in sql_days(source, table, home)[-1:]]


def name_of_query(source: SqlSource, table: str, home: Home) -> str:
    """Its name in the ledger, however it is worded: the variable that holds the URL, and the query's place.

    The place among the table's queries of that database, from the second one on.
    """
    of_database = [
        each
        for each in home.tables[table]
        if isinstance(each, SqlSource) and each.url_variable == source.url_variable
    ]
    place = of_database.index(source)
    return f"sql:{source.url_variable}" + (f":{place + 1}" if place else "")


def _digest(source: SqlSource, day: date) -> str:
    """Tells one wording of a day's query from another: what another one read cannot be mapped again.

    ``decimal`` is part of it where it is no point: the rows' numbers are written out with that sign.
    """
    worded = f"{source.url_variable}\n{source.query}\n{day}"
    sign = "" if source.decimal == "." else f"\n{source.decimal}"
    return hashlib.sha256(f"{worded}{sign}".encode()).hexdigest()


def _remapped(source: SqlSource, table: str, day: date, name: str, home: Home, rows: ReadFile) -> ReadFile:
    """Rows as the query gave them once, mapped as ``sources.yaml`` says now."""
    read = replace(rows, source=name, sha256=_digest(source, day))
    return map_rows(source, table, read, Above(), home, refusal(table, day, name))


def _read(source: SqlSource, table: str, day: date, name: str, home: Home) -> Iterator[ReadFile]:
    """The day's rows, mapped: batch by batch, unless an expression looks at other rows than its own."""
    refuse = refusal(table, day, name)
    query = Query(
        source.url_variable,
        source.query,
        source.timezone or home.timezone,
        source.batch_rows,
        each_day=source.delivery_day is None,
        decimal=source.decimal,
    )
    batches = read_query(query, day, home.timezone, home.variables, refuse, home.silent)
    first, above = 0, Above()
    for rows in batches if maps_piece_by_piece(source) else iter([pl.concat(batches)]):
        cells, places = placed(rows, [], name)
        places = places.with_columns(pl.col("row_number") + first)
        read = ReadFile(cells, places, name, int(cells.estimated_size()), _digest(source, day))
        first += cells.height
        yield map_rows(source, table, read, above, home, refuse)
