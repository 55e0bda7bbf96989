"""A query on a database gives a day's rows in batches, as text, and tells no secret when it fails."""

import socket
import sqlite3
import time
from datetime import date
from pathlib import Path
from traceback import format_exception

import polars as pl
import pytest

from customer_profiles.collection import databases
from customer_profiles.collection.databases import Query, read_query
from customer_profiles.settings import Mendable

DAY = date(2026, 3, 3)
ZONE = "Asia/Shanghai"
IN_THE_DAY = "where at >= :day_start and at < :day_end order by 1"


class RefusedError(Mendable, ValueError):
    pass


def rows_of(
    url: str, text: str, *, day: date = DAY, timezone: str = ZONE, zone: str = "", **more
) -> pl.DataFrame:
    return pl.concat(batches_of(url, text, day=day, timezone=timezone, zone=zone, **more))


def batches_of(url, text, *, day=DAY, timezone=ZONE, zone="", **more) -> list[pl.DataFrame]:
    query = Query("SHOP_URL", text, zone or timezone, **more)
    return list(read_query(query, day, timezone, {"SHOP_URL": url}, RefusedError))


@pytest.fixture
def sqlite(tmp_path: Path):
    """``sqlite("create ...", "insert ...")``: the URL of a new file in which these were run."""

    def build(*statements: str) -> str:
        with sqlite3.connect(tmp_path / "shop.sqlite") as connection:
            for statement in statements:
                connection.execute(statement)
        return f"sqlite:///{tmp_path / 'shop.sqlite'}"

    return build


ORDERS = "create table orders (id integer, at {kind})"


def test_postgresql_gives_the_rows_of_the_business_day(postgres) -> None:
    postgres.execute(
        "drop table if exists orders",
        ORDERS.format(kind="timestamptz"),
        "insert into orders values (1, '2026-03-02 23:59:59+08'), (2, '2026-03-02 16:00:00Z'),"
        " (3, '2026-03-03 23:59:59.999999+08'), (4, '2026-03-04 00:00:00+08')",
    )
    rows = rows_of(postgres.url, f"select id, at from orders {IN_THE_DAY}")
    assert rows.to_dicts() == [
        {"id": "2", "at": "2026-03-03 00:00:00+08"},
        {"id": "3", "at": "2026-03-03 23:59:59.999999+08"},
    ]


@pytest.mark.parametrize("kind", ["timestamp", "date"])
def test_times_without_a_zone_are_compared_in_the_querys(postgres, kind: str) -> None:
    postgres.execute(
        "drop table if exists orders",
        ORDERS.format(kind=kind),
        "insert into orders values (1, '2026-03-02 20:00'), (2, '2026-03-03 00:00'), (3, '2026-03-04 00:00')",
    )
    text = f"select id from orders {IN_THE_DAY}"
    assert rows_of(postgres.url, text)["id"].to_list() == ["2"]
    in_utc = {"timestamp": ["1", "2"], "date": ["2"]}
    assert rows_of(postgres.url, text, zone="UTC")["id"].to_list() == in_utc[kind]


def test_a_url_without_a_driver_means_psycopg(postgres) -> None:
    url = postgres.url.replace("+psycopg", "")
    assert rows_of(url, "select 1 as one where :day_start < :day_end").item() == "1"


def test_a_day_of_summer_time_has_23_hours(postgres) -> None:
    text = "select extract(epoch from (:day_end - :day_start))::int / 3600 as hours"
    days = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)]
    hours = [rows_of(postgres.url, text, day=day, timezone="Europe/Berlin").item() for day in days]
    assert hours == ["24", "23", "25"]


@pytest.mark.parametrize(
    "stored", ["2026-03-03", "2026-03-03 00:00:00", "2026-03-03T00:00:00", "2026-03-03 23:59:59.999"]
)
def test_sqlite_compares_dates_and_times_as_text(sqlite, stored: str) -> None:
    url = sqlite(ORDERS.format(kind="text"), f"insert into orders values (7, '{stored}')")
    text = f"select id, at from orders {IN_THE_DAY}"
    assert rows_of(url, text).to_dicts() == [{"id": "7", "at": stored}]
    assert rows_of(url, text, day=date(2026, 3, 2)).is_empty()
    assert rows_of(url, text, day=date(2026, 3, 4)).is_empty()


def test_sqlite_that_counts_in_utc_says_so(sqlite) -> None:
    url = sqlite(
        ORDERS.format(kind="text"),
        "insert into orders values (1, '2026-03-02 15:59:59'), (2, '2026-03-02 16:00:00')",
    )
    assert rows_of(url, f"select id from orders {IN_THE_DAY}", zone="UTC")["id"].to_list() == ["2"]


BOUND = "(:day_start is not null and :day_end is not null)"


def test_cells_are_text_that_parses_to_the_same_value(postgres) -> None:
    row = rows_of(
        postgres.url,
        "select 12345678901234.50::numeric(20, 2) as price, 3::float8 as whole, 0.1::float8 as part,"
        " true as yes,"
        " 'NaN'::float8 as nan, 'infinity'::timestamptz as forever, '0044-03-15 BC'::date as ides,"
        " jsonb_build_object('name', '王芳') as document, array[1, 2] as list, '\\x00ff'::bytea as bytes,"
        f" '' as nothing, null as absent, 'a:b' as colon, '🎁 \"q\"' as gift where {BOUND}",
    ).row(0, named=True)
    assert row == {
        "price": "12345678901234.50", "whole": "3", "part": "0.1", "yes": "true", "nan": "nan",
        "forever": "infinity", "ides": "0044-03-15 BC", "document": '{"name": "王芳"}', "list": "[1, 2]",
        "bytes": "00ff", "nothing": "", "absent": None, "colon": "a:b", "gift": '🎁 "q"',
    }  # fmt: skip


def test_what_python_cannot_hold_is_text_as_postgresql_writes_it(postgres) -> None:
    row = rows_of(
        postgres.url,
        "select time '24:00' as midnight, timetz '10:00+02' as zoned, interval '1 mon 3 days' as a_month,"
        " interval '1000000 years' as ages, array[timestamp 'infinity'] as list,"
        f" 'Web'::char(10) as filled, array['x'::char(4)] as letters where {BOUND}",
    ).row(0, named=True)
    assert row == {
        "midnight": "24:00:00", "zoned": "10:00:00+02", "a_month": "1 mon 3 days",
        "ages": "1000000 years", "list": '["infinity"]', "filled": "Web", "letters": '["x"]',
    }  # fmt: skip


def test_a_database_without_an_encoding_is_read_as_utf8_unless_the_url_says_otherwise(postgres) -> None:
    postgres.execute(
        "drop database if exists old", "create database old encoding 'SQL_ASCII' template template0"
    )
    url = postgres.url.removesuffix("postgres") + "old"
    text = f"select chr(195) || chr(182) as letter where {BOUND}"
    assert rows_of(url, text).item() == "ö"
    assert rows_of(f"{url}?client_encoding=latin1", text).item() == "Ã¶"


def test_numbers_are_written_with_the_decimal_sign_of_the_text_beside_them(postgres, sqlite) -> None:
    text = f"select 1.234 as number, '1.234,50 €' as words, 3 as whole where {BOUND}"
    for url in (postgres.url, sqlite()):
        assert rows_of(url, text, decimal=",").row(0) == ("1,234", "1.234,50 €", "3")
    nested = f"""select '{{"paid": 1.234}}'::jsonb as json, array[1.234] as list where {BOUND}"""
    assert rows_of(postgres.url, nested, decimal=",").row(0) == ('{"paid": "1,234"}', '["1,234"]')


def test_a_percent_sign_is_no_parameter(postgres, sqlite) -> None:
    for url in (postgres.url, sqlite()):
        assert rows_of(url, f"select 5 % 3 as rest where 'ab' like 'a%' and {BOUND}").item() == "2"


def test_a_colon_in_words_or_remarks_begins_no_parameter(postgres) -> None:
    text = f"""select to_char(timestamp '2026-03-03 12:34:56', 'HH24:MI:SS') as at, 1 as "a:b" -- it's :this
        /* and :that */ where {BOUND};"""
    assert rows_of(postgres.url, text).to_dicts() == [{"at": "12:34:56", "a:b": "1"}]
    escaped = rf"select E'it\'s :this ''too'' \\' as words where {BOUND}"
    assert rows_of(postgres.url, escaped).item() == "it's :this 'too' \\"


def test_a_bound_can_be_cast_as_postgresql_does(postgres) -> None:
    postgres.execute(
        "drop table if exists orders",
        ORDERS.format(kind="date"),
        "insert into orders values (1, '2026-03-02'), (2, '2026-03-03'), (3, '2026-03-04')",
    )
    text = (
        "select id, ':day_end::date' as said from orders where at >= :day_start::date and at < :day_end::date"
    )
    assert rows_of(postgres.url, text).rows() == [("2", ":day_end::date")]


def test_rows_come_in_batches_from_a_cursor_on_the_server(postgres) -> None:
    text = f"select n from generate_series(1, 250) n where {BOUND}"
    batches = read_query(
        Query("SHOP_URL", text, ZONE, 100), DAY, ZONE, {"SHOP_URL": postgres.url}, RefusedError
    )
    heights = [next(batches).height, next(batches).height]
    [(running,)] = postgres.execute("select query from pg_stat_activity where query like 'FETCH%' limit 1")
    heights += [batch.height for batch in batches]
    assert (heights, running[:14]) == ([0, 100, 100, 50], "FETCH FORWARD ")


def test_a_day_without_rows_still_tells_the_columns(postgres, sqlite) -> None:
    for url in (postgres.url, sqlite()):
        assert rows_of(url, f"select 1 as id, 'x' as name where 1 = 0 and {BOUND}").columns == ["id", "name"]


@pytest.mark.parametrize(
    "text",
    [
        f"delete from orders where {BOUND} returning id",
        f"with gone as (delete from orders returning id) select id from gone where {BOUND}",
        f"select nextval('numbers') where {BOUND}",
    ],
)
def test_a_query_can_only_read(postgres, text: str) -> None:
    postgres.execute(
        "drop table if exists orders",
        ORDERS.format(kind="date"),
        "insert into orders values (1, null)",
        "create sequence if not exists numbers",
    )
    with pytest.raises(RefusedError, match=r"SyntaxError|ReadOnlySqlTransaction|FeatureNotSupported"):
        batches_of(postgres.url, text)
    assert postgres.execute("select count(*) from orders") == [(1,)]
    assert postgres.execute("select is_called from numbers") == [(False,)]


def test_a_query_on_sqlite_can_only_read(sqlite) -> None:
    url = sqlite(ORDERS.format(kind="text"), "insert into orders values (1, '')")
    with pytest.raises(RefusedError, match="readonly"):
        batches_of(url, f"delete from orders where {BOUND} returning id")


# what can go wrong


def test_a_database_that_goes_away_in_the_middle_says_how_far_it_came(postgres) -> None:
    text = f"select n from generate_series(1, 1000000) n where {BOUND}"
    batches = read_query(
        Query("SHOP_URL", text, ZONE, 100), DAY, ZONE, {"SHOP_URL": postgres.url}, RefusedError
    )
    assert [next(batches).height for _ in range(3)] == [0, 100, 100]
    postgres.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like 'FETCH%'")
    with pytest.raises(
        RefusedError, match="of SHOP_URL was lost after 200 rows; nothing of the day is stored"
    ):
        list(batches)


def test_a_row_that_cannot_be_read_is_not_quoted(postgres) -> None:
    text = (
        "select case when n = 150 then ('王芳 13800138000' || n)::int else n end as n"
        f" from generate_series(1, 200) n where {BOUND}"
    )
    with pytest.raises(
        RefusedError, match=r"the rows after the first 100 cannot be read \(InvalidTextRep"
    ) as refused:
        batches_of(postgres.url, text, batch_rows=100)
    assert "13800138000" not in str(refused.value)


def test_the_first_row_that_cannot_be_read_is_not_quoted_either(postgres) -> None:
    text = (
        f"select ('王芳 13800138000' || n)::int as n from generate_series(1, 200) n where {BOUND} order by 1"
    )
    with pytest.raises(
        RefusedError, match=r"the rows after the first 0 cannot be read \(InvalidTextRep"
    ) as refused:
        batches_of(postgres.url, text)
    assert "13800138000" not in str(refused.value)


def test_rows_that_take_too_long_say_why_they_end(postgres) -> None:
    text = f"select n, pg_sleep(0.01)::text as z from generate_series(1, 1000) n where {BOUND}"
    with pytest.raises(
        RefusedError, match=r"canceling statement due to statement timeout; nothing .*ask for less"
    ):
        batches_of(f"{postgres.url}?options=-cstatement_timeout%3D200", text)


def test_a_database_that_does_not_answer_keeps_one_day_waiting_and_not_the_next(monkeypatch) -> None:
    monkeypatch.setattr(databases, "SLOW_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql+psycopg://u:secret@127.0.0.1:{mute.getsockname()[1]}/db?connect_timeout=2"
        query, silent = Query("SHOP_URL", f"select 1 where {BOUND}", ZONE), {}
        for seconds in (5, 0.5):
            began = time.monotonic()
            with pytest.raises(RefusedError, match=r"SHOP_URL cannot be reached.*timeout"):
                list(read_query(query, DAY, ZONE, {"SHOP_URL": url}, RefusedError, silent))
            assert time.monotonic() - began < seconds
        silent["SHOP_URL"] = (time.monotonic(), "")
        with pytest.raises(RefusedError, match=r"SHOP_URL cannot be reached.*timeout"):
            list(read_query(query, DAY, ZONE, {"SHOP_URL": url}, RefusedError, silent))


def test_what_the_driver_says_of_ssl_is_passed_on(postgres) -> None:
    with pytest.raises(RefusedError, match=r"cannot be reached: .*does not support SSL.*look at its host"):
        batches_of(f"{postgres.url}?sslmode=require", f"select 1 where {BOUND}")


def test_a_wrong_password_is_never_said(postgres) -> None:
    with pytest.raises(
        RefusedError, match=r'password authentication failed for user "shop".*look at its host'
    ) as refused:
        batches_of(postgres.url_with("-".join(["wrong", "77"])), f"select 1 where {BOUND}")
    assert "wrong-77" not in "".join(format_exception(refused.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u:ge@heim@127.0.0.1:1/db",
        "postgresql+psycopg://u:ge/heim@127.0.0.1:1/db",
        "postgresql+psycopg://u:ge?heim@127.0.0.1:1/db",
        "postgresql+psycopg://u:ge#heim@127.0.0.1:1/db",
        "postgresql+psycopg://u:geheim@127.0.0.1:port/db",
        "postgresql+psycopg://u:geheim@127.0.0.1:1/db",
        "postgresql+psycopg://u@127.0.0.1:1/db?password=geheim",
        "postgresql+psycopg://u@127.0.0.1:1/db?sslmode=geheim",
        "postgres://u:geheim@h/db",
        "mysql://u:geheim@h/db",
        "mssql+nosuch://u:geheim@h/db",
        "geheim",
        "://geheim",
        "sqlite:///geheim/file",
        "sqlite://",
    ],
)
def test_no_part_of_a_wrong_url_is_said(url: str) -> None:
    with pytest.raises(RefusedError) as refused:
        batches_of(url, f"select 1 where {BOUND}")
    assert "SHOP_URL" in str(refused.value)
    assert "heim" not in str(refused.value)


def test_text_that_is_no_utf8_is_not_quoted(sqlite) -> None:
    url = sqlite("create table t (name text)", "insert into t values (cast(x'61ff62' as text))")
    with pytest.raises(RefusedError, match=r"the rows after the first 0 cannot be read \(OperationalError\)"):
        batches_of(url, f"select name from t where {BOUND}")


def test_a_missing_variable_is_named() -> None:
    query = Query("SHOP_URL", f"select 1 where {BOUND}", ZONE)
    with pytest.raises(RefusedError, match="environment variable SHOP_URL is not set"):
        list(read_query(query, DAY, ZONE, {"OTHER": "x"}, RefusedError))


def test_a_missing_driver_is_named() -> None:
    with pytest.raises(RefusedError, match=r"needs the Python module MySQLdb, which is not installed"):
        batches_of("mysql+mysqldb://u:p@h/db", f"select 1 where {BOUND}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select 1", "does not use :day_start and :day_end"),
        ("select * from t where at >= :day_start", "does not use :day_end"),
        ("select ':day_start', ':day_end'", "does not use :day_start and :day_end"),
        (f"select :other where {BOUND}", "names :other; only :day_start and :day_end"),
        (f"select 1 as a, 2 as b, 3 as a where {BOUND}", r"the columns \['a'\] more than once"),
        (f"selec 1 where {BOUND}", "refuses the query"),
        (f"select nobody from nowhere where {BOUND}", "refuses the query .*no such table: nowhere"),
        ("update t set a = :day_start where b = :day_end", "refuses the query"),
        ("pragma user_version /* :day_start :day_end */", "does not use"),
        ("", "does not use"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(sqlite, text: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        batches_of(sqlite(), text)


def test_an_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="SQLite file that is not there"):
        batches_of(f"sqlite:///{tmp_path / 'no.sqlite'}", f"select 1 where {BOUND}")
    assert list(tmp_path.iterdir()) == []
