"""A query on MySQL gives a day's rows: ``TIMESTAMP`` and ``DATETIME`` in the zone that the source says."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from customer_profiles.collection.databases import Query, read_query
from customer_profiles.settings import Mendable

DAY, ZONE = date(2026, 3, 3), "Asia/Shanghai"
IN_THE_DAY = "where at >= :day_start and at < :day_end order by 1"


class RefusedError(Mendable, ValueError):
    pass


def rows_of(url: str, text: str, *, day: date = DAY, timezone: str = ZONE, zone: str = "") -> pl.DataFrame:
    query = Query("SHOP_URL", text, zone or timezone, 2)
    return pl.concat(read_query(query, day, timezone, {"SHOP_URL": url}, RefusedError))


@pytest.mark.parametrize("kind", ["timestamp", "datetime"])
def test_the_rows_of_the_business_day_are_those_of_its_zone(mariadb, kind: str) -> None:
    mariadb.execute(
        "drop table if exists orders",
        f"create table orders (id int, at {kind}(6) null)",
        "set time_zone = '+08:00'",
        "insert into orders values (1, '2026-03-02 23:59:59'), (2, '2026-03-03 00:00:00'),"
        " (3, '2026-03-03 23:59:59.999999'), (4, '2026-03-04 00:00:00'), (5, null)",
    )
    rows = rows_of(mariadb.url, f"select * from orders {IN_THE_DAY}")
    assert rows.rows() == [("2", "2026-03-03 00:00:00"), ("3", "2026-03-03 23:59:59.999999")]
    in_utc = rows_of(mariadb.url, f"select * from orders {IN_THE_DAY}", zone="UTC")
    told = {"timestamp": [("2", "2026-03-02 16:00:00"), ("3", "2026-03-03 15:59:59.999999")]}
    assert in_utc.rows() == told.get(kind, [("1", "2026-03-02 23:59:59"), ("2", "2026-03-03 00:00:00")])


def test_a_zone_of_which_the_server_has_no_table_is_named_unless_its_clocks_never_change(mariadb) -> None:
    text = "select timestampdiff(hour, :day_start, :day_end) as hours, @@time_zone as zone"
    summer = date(2026, 3, 29)
    assert rows_of(mariadb.url, text, day=summer, timezone="Europe/Berlin").row(0) == ("24", "Europe/Berlin")
    assert rows_of(mariadb.url, text, timezone="Asia/Tokyo").row(0) == ("24", "+09:00")
    with pytest.raises(RefusedError, match="SHOP_URL does not know the time zone America/New_York: fill its"):
        rows_of(mariadb.url, text, timezone="America/New_York")


def test_a_day_on_which_clocks_change_has_its_rows(mariadb) -> None:
    mariadb.execute(
        "drop table if exists orders",
        "create table orders (id int, at timestamp)",
        "set time_zone = '+00:00'",
        "insert into orders values (1, '2026-03-28 22:59:59'), (2, '2026-03-28 23:00:00'),"
        " (3, '2026-03-29 01:00:00'), (4, '2026-03-29 21:59:59'), (5, '2026-03-29 22:00:00')",
    )
    text = f"select * from orders {IN_THE_DAY}"
    rows = rows_of(mariadb.url, text, day=date(2026, 3, 29), timezone="Europe/Berlin")
    times = ["2026-03-29 00:00:00", "2026-03-29 03:00:00", "2026-03-29 23:59:59"]
    assert rows["at"].to_list() == times


def test_cells_are_text_that_parses_to_the_same_value(mariadb) -> None:
    mariadb.execute(
        "drop table if exists cells",
        "create table cells (a bigint unsigned, b decimal(12, 2), c double, d json, e enum('paid'), f date,"
        " g varbinary(2), h char(5), i text, j tinyint(1), at datetime)",
        """insert into cells values (18446744073709551615, 1234567890.05, 0.1, '{"a": [1, 2]}', 'paid',
        '2026-03-03', x'00ff', 'ab', '🎁 50%', 1, '2026-03-03')""",
        "set sql_mode = ''",
        "insert into cells (at, b) values ('2026-03-03 10:00:00', -0.5)",
        "update cells set f = '0000-00-00' where f is null",
    )
    rows = rows_of(mariadb.url, f"select * from cells where i like '%50%' or b < 0 and {IN_THE_DAY[6:]}")
    first = (
        "18446744073709551615",
        "1234567890.05",
        "0.1",
        '{"a": [1, 2]}',
        "paid",
        "2026-03-03",
        "00ff",
        "ab",
    )
    assert sorted(rows.rows(), key=str) == [
        (*first, "🎁 50%", "1", "2026-03-03 00:00:00"),
        (None, "-0.50", None, None, None, "0000-00-00", None, None, None, None, "2026-03-03 10:00:00"),
    ]


def test_a_query_can_only_read(mariadb) -> None:
    mariadb.execute("drop table if exists orders", "create table orders (id int, at datetime)")
    for text in (
        "insert into orders values (1, :day_start) returning id, :day_end",
        "delete from orders where at > :day_start or at < :day_end",
    ):
        with pytest.raises(RefusedError, match="Cannot execute statement in a READ ONLY transaction"):
            rows_of(mariadb.url, text)


@pytest.mark.parametrize("read", ["extractvalue('<a/>', concat(0x5c, name))", "exp(length(name) * 100)"])
def test_a_cell_that_cannot_be_read_is_not_quoted(mariadb, read: str) -> None:
    mariadb.execute(
        "drop table if exists people",
        "create table people (name varchar(20), at datetime)",
        "insert into people values ('Ouyang Secret', '2026-03-03')",
    )
    with pytest.raises(RefusedError, match="the rows after the first 0 cannot be read") as refused:
        rows_of(mariadb.url, f"select {read} as x from people {IN_THE_DAY}")
    assert "Ouyang" not in str(refused.value)


def test_a_url_without_a_driver_means_pymysql_and_a_wrong_password_is_never_said(mariadb) -> None:
    url, text = mariadb.url.replace("+pymysql", ""), "select 1 as one, :day_start as a, :day_end as b"
    assert rows_of(url, text)["one"].item() == "1"
    with pytest.raises(RefusedError, match=r"cannot be reached: .*Access denied") as refused:
        rows_of(url.replace("geheim", "falsch"), text)
    assert "falsch" not in str(refused.value)
