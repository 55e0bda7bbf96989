"""Rows of a query on a database, in batches, as text.

The URL stands in an environment variable and appears nowhere else: not in what is printed, and not in an
error. Nor do cells, which a driver likes to quote: of what goes wrong while rows are read, the kind alone
is told. Everything runs in a transaction that may only read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic
from types import UnionType
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from customer_profiles.collection.json_cells import EXACT_FLOAT, nested_text
from customer_profiles.collection.layouts import Refuse

BOUNDS = ("day_start", "day_end")
SAID_WORD_FOR_WORD = re.compile(
    r"\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL
)
"""Parts of a query in which a colon begins no parameter: words in quotes, and remarks.

In PostgreSQL's ``E'it\\'s'`` a backslash takes the meaning from the quote behind it.
"""
CAST_BOUND = re.compile(r"(?<![:\\])(:day_start|:day_end)\b(?=::)")
"""A bound with PostgreSQL's cast behind it, which SQLAlchemy does not see: ``:day_start::date``."""
LIBPQ = {"connect_timeout": 15, "client_encoding": "utf8"}
"""What a PostgreSQL URL that does not say otherwise is opened with: a database of encoding SQL_ASCII would
give bytes."""
SLOW_SECONDS, SILENT_SECONDS = 5, 60
"""A database that let us wait so long for nothing is left alone for so long: the next days would wait too."""
SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
"""Parts of a URL that are no secret, though the driver says them."""
AS_WRITTEN = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
"""PostgreSQL's types of which Python cannot hold every value: ``infinity``, ``24:00`` and a month are for the
door to judge."""
MYSQL = ("mysql", "mariadb")
OFFSETS_SINCE, UNKNOWN_ZONE = 2000, 1298
"""Year from which on a zone that never changed its offset is that offset to MySQL; its error for others."""
QUOTES_CELLS = frozenset({1105, 1292, 1300, 1366, 1411, 1690})
"""MySQL's errors that quote what they could not read, though to its driver they are none of data."""
NO_CELLS = ("53", "57", "58")
"""Classes of PostgreSQL's errors that quote no cell: it lacks means, was told to stop, or has a fault."""


@dataclass(frozen=True)
class Query:
    """A query, and the zone of the times without one that it compares and returns.

    ``each_day``: it is asked for each day, and so has to name the day's bounds. ``decimal``: the sign between
    whole part and fraction in its text, with which its numbers are written too.
    """

    url_variable: str
    text: str
    zone: str
    batch_rows: int = 50_000
    each_day: bool = True
    decimal: str = "."


Silent = MutableMapping[str, tuple[float, str]]
"""By the variable of its URL, a database that does not answer: until when it is left alone, and why."""


def day_bounds(day: date, timezone: str) -> tuple[datetime, datetime]:
    """Where a business day begins, and the next one: 23 to 25 hours later."""
    zone = ZoneInfo(timezone)
    start, end = (datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1)))
    return start, end


def read_query(
    query: Query,
    day: date,
    timezone: str,
    environ: Mapping[str, str],
    refuse: Refuse,
    silent: Silent | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a business day as frames of text of at most ``batch_rows`` rows, one at least.

    The rows are fetched through a cursor on the server, so that memory does not grow with them; all come
    from one snapshot of the database. ``silent`` is kept from one day to the next. Raises what ``refuse``
    makes if anything is wrong.
    """
    url = _url(query.url_variable, environ, refuse)
    statement = _statement(query, refuse)
    engine = _engine(url, query, refuse)
    try:
        with _connection(engine, query, refuse, {} if silent is None else silent) as connection:
            bounds = dict(zip(BOUNDS, _bound(day_bounds(day, timezone), query.zone, url), strict=True))
            named = {name: bounds[name] for name in statement.compile().params}
            yield from _batches(connection, statement.bindparams(**named), query, refuse)
    finally:
        engine.dispose()


def _url(variable: str, environ: Mapping[str, str], refuse: Refuse) -> sa.URL:
    text = environ.get(variable, "").strip()
    if not text:
        raise refuse(
            f"the environment variable {variable} is not set; it holds the database's URL, such as "
            f"postgresql+psycopg://user:password@host/database"
        )
    form = f"{variable} does not hold a URL such as postgresql+psycopg://user:password@host/database"
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise refuse(f"{form}; / : @ and # in a password are written %2F %3A %40 %23") from None
    if "@" in (url.host or ""):
        raise refuse(f"{form}: an @ in the password is written %40")
    if url.drivername in MYSQL:
        url = url.set(drivername=f"{url.drivername}+pymysql")
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise refuse(f"{variable} names an SQLite file that is not there; write sqlite:////absolute/path")
    return url


def _engine(url: sa.URL, query: Query, refuse: Refuse) -> sa.Engine:
    try:
        libpq = url.get_dialect().driver in ("psycopg", "psycopg2")
        return sa.create_engine(
            url,
            poolclass=sa.NullPool,
            hide_parameters=True,
            connect_args={name: LIBPQ[name] for name in LIBPQ if name not in url.query} if libpq else {},
        )
    except NoSuchModuleError:
        raise refuse(
            f"{query.url_variable} names a kind of database that SQLAlchemy does not know; PostgreSQL is "
            f"postgresql+psycopg://, MySQL is mysql+pymysql://, SQLite is sqlite:///"
        ) from None
    except ModuleNotFoundError as error:
        raise refuse(
            f"{query.url_variable} needs the Python module {error.name}, which is not installed; install the "
            f"package that holds it, or name another driver: <database>+<driver>://"
        ) from None
    except (SQLAlchemyError, TypeError, ValueError):
        raise refuse(f"{query.url_variable} cannot be used as a database's URL; look at its parts") from None


def _statement(query: Query, refuse: Refuse) -> sa.TextClause:
    words = SAID_WORD_FOR_WORD.sub(
        lambda said: re.sub(r"(?<!\\):", r"\\:", said[0]), query.text.strip(" \n\t;")
    )
    statement = sa.text(CAST_BOUND.sub(r"(\1)", words))
    named = set(statement.compile().params)
    missing = [f":{name}" for name in BOUNDS if name not in named]
    if missing and query.each_day:
        raise refuse(
            f"the query does not use {' and '.join(missing)}, so that each day would read the same rows; add "
            f"for instance: where changed_at >= :day_start and changed_at < :day_end, or, for a table that "
            f"knows no times, say `delivery_day`"
        )
    if others := sorted(named - set(BOUNDS)):
        raise refuse(
            f"the query names {', '.join(f':{name}' for name in others)}; only :day_start and :day_end are "
            f"given (a colon that begins no parameter is written \\:)"
        )
    return statement


@contextmanager
def _connection(engine: sa.Engine, query: Query, refuse: Refuse, silent: Silent) -> Iterator[sa.Connection]:
    """A connection that may only read, in whose session a time without a zone is in the query's."""
    began = monotonic()
    until, why = silent.get(query.url_variable, (began, ""))
    if began < until:
        raise refuse(why)
    with ExitStack() as opened:
        try:
            connection = opened.enter_context(closing(engine.connect())).execution_options(
                stream_results=True, yield_per=query.batch_rows, postgresql_readonly=True
            )
            if prepare := PREPARED.get(engine.dialect.name):
                prepare(connection, query.zone)
        except UnknownZoneError as error:
            raise refuse(f"the database of {query.url_variable} {error}") from None
        except Exception as error:  # of a wrong part of the URL drivers raise what they like
            why = (
                f"the database of {query.url_variable} cannot be reached{_told(error, engine.url)}; look at "
                f"its host, port, database, user and password"
            )
            if monotonic() - began > SLOW_SECONDS:
                silent[query.url_variable] = monotonic() + SILENT_SECONDS, why
            raise refuse(why) from None
        yield connection


def _prepare_postgresql(connection: sa.Connection, zone: str) -> None:
    from psycopg.types.string import TextLoader

    class Unpadded(TextLoader):
        """``char(n)`` as PostgreSQL compares it: without the blanks that fill it up."""

        def load(self, data: Any) -> str:
            return str(super().load(data)).rstrip(" ")

    settings = sa.text(
        "select set_config('TimeZone', :zone, true), set_config('DateStyle', 'ISO, YMD', true)"
    )
    connection.execute(settings, {"zone": zone})
    if connection.engine.dialect.driver == "psycopg":
        driver: Any = connection.connection.driver_connection
        for name in AS_WRITTEN:
            driver.adapters.register_loader(name, TextLoader)
        driver.adapters.register_loader("bpchar", Unpadded)


def _prepare_sqlite(connection: sa.Connection, _: str) -> None:
    connection.execute(sa.text("pragma query_only = on"))


class UnknownZoneError(ValueError):
    """A database cannot tell times in a zone."""


def _prepare_mysql(connection: sa.Connection, zone: str) -> None:
    """A ``TIMESTAMP`` is compared and given in the session's zone, a ``DATETIME`` as it stands there.

    Zones have names only where the server's tables of them are filled.
    """
    connection.execute(sa.text("set session transaction read only"))
    offset = _constant_offset(zone)
    try:
        connection.execute(sa.text("set time_zone = :zone"), {"zone": offset or zone})
    except DBAPIError as error:
        if _number_of(error) != UNKNOWN_ZONE:
            raise
        raise UnknownZoneError(
            f"does not know the time zone {zone}: fill its tables of zones, mysql_tzinfo_to_sql "
            f"/usr/share/zoneinfo | mysql mysql, or say `timezone: UTC` if its times are in UTC"
        ) from None


def _constant_offset(zone: str) -> str | None:
    """``+08:00`` of a zone whose clocks have not been changed for years."""
    years = range(OFFSETS_SINCE, datetime.now(UTC).year + 2)
    days = (datetime(year, month, 1, tzinfo=ZoneInfo(zone)) for year in years for month in (1, 7))
    offsets = {day.isoformat()[-len("+08:00") :] for day in days}
    return offsets.pop() if len(offsets) == 1 else None


PREPARED: Mapping[str, Callable[[sa.Connection, str], None]] = {
    "postgresql": _prepare_postgresql,
    "sqlite": _prepare_sqlite,
    **dict.fromkeys(MYSQL, _prepare_mysql),
}


def _bound(bounds: tuple[datetime, datetime], zone: str, url: sa.URL) -> list[datetime | str]:
    """The bounds as the database compares them: PostgreSQL knows zones; SQLite compares text, of which
    a date alone comes before each of its times; others get times in the query's zone without it."""
    if url.get_backend_name() == "postgresql":
        return list(bounds)
    local = [bound.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for bound in bounds]
    if url.get_backend_name() == "sqlite":
        return [str(each if each.time() != time() else each.date()) for each in local]
    return list(local)


def _batches(
    connection: sa.Connection, statement: sa.TextClause, query: Query, refuse: Refuse
) -> Iterator[pl.DataFrame]:
    result = _executed(connection, statement, query, refuse)
    names = list(result.keys())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise refuse(f"the query returns the columns {twice} more than once; name each of them with `as`")
    yield _frame([], names, query.decimal)
    count = 0
    try:
        for rows in result.partitions(query.batch_rows):  # without a size it fetches all
            yield _frame(rows, names, query.decimal)
            count += len(rows)
    except DBAPIError as error:
        unreadable = _unreadable(error, count, connection.engine.url)
        raise refuse(_lost_or(error, query, count, unreadable)) from None


def _executed(
    connection: sa.Connection, statement: sa.TextClause, query: Query, refuse: Refuse
) -> sa.CursorResult[Any]:
    try:
        result = connection.execute(statement)
    except DBAPIError as error:
        refused = (
            _unreadable(error, 0, connection.engine.url)  # the first rows are fetched here too
            if isinstance(error, DataError) or _number_of(error) in QUOTES_CELLS
            else f"the database refuses the query ({_kind(error)}){_told(error, connection.engine.url)}"
        )
        raise refuse(_lost_or(error, query, 0, refused)) from None
    if not result.returns_rows:
        raise refuse("the query returns no rows; it begins with select or with")
    return result


def _frame(rows: Any, names: list[str], decimal: str) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(
        [
            pl.Series(name, [_text(cell, decimal) for cell in column], dtype=pl.String)
            for name, column in zip(names, columns, strict=True)
        ]
    )


def _text(cell: Any, decimal: str) -> str | None:
    """A cell as the text that parses to the same value."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, dict | list):
        return nested_text(cell, decimal)
    text = next(written for kind, written in TEXTS if isinstance(cell, kind))(cell)
    return text.replace(".", decimal) if isinstance(cell, float | Decimal) else text


def _number(cell: float) -> str:
    return str(int(cell)) if cell.is_integer() and abs(cell) <= EXACT_FLOAT else repr(cell)


TEXTS: tuple[tuple[type | UnionType, Callable[[Any], str]], ...] = (
    (bool, lambda cell: str(cell).lower()),
    (float, _number),
    (Decimal, lambda cell: format(cell, "f")),
    (datetime, lambda cell: cell.isoformat(" ")),
    (bytes | bytearray | memoryview, lambda cell: bytes(cell).hex()),
    (object, str),
)
"""How cells are written, by the first type that they have."""


def _lost_or(error: DBAPIError, query: Query, count: int, otherwise: str) -> str:
    if not error.connection_invalidated:
        return otherwise
    return (
        f"the connection to the database of {query.url_variable} was lost after {count:,} rows; nothing of "
        f"the day is stored: run it again when the database is back"
    )


def _unreadable(error: DBAPIError, count: int, url: sa.URL) -> str:
    stopped = str(getattr(error.orig, "sqlstate", "")).startswith(NO_CELLS)
    said = _told(error, url) if stopped else ""
    mend = "allow it more, or ask for less" if stopped else "mend the query, or the row that it cannot read"
    return (
        f"the rows after the first {count:,} cannot be read ({_kind(error)}){said}; nothing of the day is "
        f"stored: {mend}"
    )


def _number_of(error: DBAPIError) -> object:
    """MySQL's number of an error; of another database whatever its driver says first."""
    return next(iter(getattr(error.orig, "args", ())), None)


def _kind(error: DBAPIError) -> str:
    return type(error.orig).__name__


def _told(error: Exception, url: sa.URL) -> str:
    """The first line of what the driver says, unless a part of the URL that may be secret stands in it."""
    said = str(getattr(error, "orig", error) or "").strip()
    first = said.splitlines()[0] if said else ""
    values = (
        value for given in url.query.values() for value in ([given] if isinstance(given, str) else given)
    )
    secrets = [secret for secret in (url.password, *values) if secret and secret not in SSL_MODES]
    return f": {first}" if first and not any(str(secret) in first for secret in secrets) else ""
