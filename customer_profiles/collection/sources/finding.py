"""What lies there for a table and a day, by the kinds of its sources.

A kind of source is four functions, named in ``KINDS``. Each takes the source as ``sources.yaml`` states it,
the table and the home:

- ``days(source, table, home)``: the days for which it has rows, ascending;
- ``parts(source, table, day, home)``: what it delivers of a day; none if there is nothing. A part is read
  when ``Part.read`` is called; it yields ``ReadFile``: of a kind that is mapped, the table's columns that
  ``mapping`` made, the cells as delivered beside them, and how many rows each rule left out;
- ``state(source, table, home)``: values that differ when there may be something new to read;
- ``lacking(source, home)``: why it leads to nothing on any day, if so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple

from customer_profiles.collection.reading import Delivery, DeliveryError, Part, refusal
from customer_profiles.collection.sources.deliveries import (
    deliveries_days,
    deliveries_parts,
    deliveries_state,
)
from customer_profiles.collection.sources.files import files_days, files_lacking, files_parts, files_state
from customer_profiles.collection.sources.histories import EVERY_DAY
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.sql import sql_days, sql_lacking, sql_parts, sql_state
from customer_profiles.contracts import CONTRACTS


class Kind(NamedTuple):
    """A kind of source."""

    days: Callable[[Any, str, Home], list[date]]
    parts: Callable[[Any, str, date, Home], list[Part]]
    state: Callable[[Any, str, Home], list[Any]]
    lacking: Callable[[Any, Home], str | None]


DELIVERIES = Kind(deliveries_days, deliveries_parts, deliveries_state, lambda *_: None)
"""The kind of a table that ``sources.yaml`` does not name."""
FILES = Kind(files_days, files_parts, files_state, files_lacking)
SQL = Kind(sql_days, sql_parts, sql_state, sql_lacking)
KINDS: dict[str, Kind] = {"files": FILES, "log": FILES, "sql": SQL}
"""The kinds that ``sources.yaml`` can name."""


def find_delivery(home: Home, table: str, day: date) -> Delivery | None:
    """What one table's sources deliver of a day. Raises ``DeliveryError`` if nobody can tell."""
    with _entered(table, day, home):
        parts = [
            part for source, kind in _sources(home, table) for part in kind.parts(source, table, day, home)
        ]
    return Delivery(table, day, _told_apart(parts)) if parts else None


def _told_apart(parts: list[Part]) -> tuple[Part, ...]:
    """Parts of a day; a file that several sources of the table read is numbered from its second one on."""
    told, read = list[Part](), Counter[str]()
    for part in parts:
        read[part.source] += 1
        times = read[part.source]
        told.append(part if times == 1 else part.renamed(f"{part.source}:{times}"))
    return tuple(told)


def delivered_days(home: Home, table: str) -> list[date]:
    """Days for which any of a table's sources has rows, ascending.

    Raises ``DeliveryError`` if nobody can tell.
    """
    with _entered(table, EVERY_DAY, home):
        return sorted(
            {day for source, kind in _sources(home, table) for day in kind.days(source, table, home)}
        )


@contextmanager
def _entered(table: str, day: date | str, home: Home) -> Iterator[None]:
    """Refuse a folder, or what lies in it, that this user may not look at."""
    try:
        yield
    except OSError as error:
        raise refusal(table, day, str(error.filename or home.folder))(
            f"it cannot be read ({error.strerror})"
        ) from error


def waiting_days(home: Home) -> list[date]:
    """Days for which any table's delivery lies there, ascending.

    A file for all days that cannot be read tells no days; the asset that loads it reports it. Raises its
    ``DeliveryError`` if no other source tells any.
    """
    days: set[date] = set()
    unread: DeliveryError | None = None
    for table in CONTRACTS:
        try:
            days |= set(delivered_days(home, table))
        except DeliveryError as error:
            unread = unread or error
    if unread and not days:
        raise unread
    return sorted(days)


def lacking_sources(home: Home, table: str | None = None) -> list[str]:
    """Why sources that ``sources.yaml`` names, of one table or of all, lead to nothing on any day."""
    return [
        f"{name}: {reason}"
        for name, sources in home.tables.items()
        if table in (None, name)
        for source in sources
        if (reason := KINDS[source.kind].lacking(source, home))
    ]


def lies_there(home: Home, table: str) -> bool:
    """Whether any of a table's sources holds something, on whatever day."""
    return any(kind.state(source, table, home) for source, kind in _sources(home, table))


def state_of_sources(home: Home) -> list[Any]:
    """What all sources look like from outside: equal as long as there is nothing new to read."""
    return [kind.state(source, table, home) for table in CONTRACTS for source, kind in _sources(home, table)]


def _sources(home: Home, table: str) -> list[tuple[Any, Kind]]:
    if table not in home.tables:
        return [(None, DELIVERIES)]
    return [(source, KINDS[source.kind]) for source in home.tables[table]]
