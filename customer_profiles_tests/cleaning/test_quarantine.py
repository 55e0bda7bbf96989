"""Quarantine that people use: counted, looked at without seeing anybody, and let in again once mended."""

from __future__ import annotations

import base64
import getpass
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from customer_profiles.cleaning.clean import quarantine_days
from customer_profiles.cleaning.quarantine import (
    Chosen,
    QuarantineError,
    counts_by_rule,
    examples_by_rule,
    find_rows,
    held_by_table,
    masked,
    original,
    release_rows,
)
from customer_profiles.cleaning.tables import CLEANED, REVEALED
from customer_profiles.collection.sources.load import load_home
from customer_profiles.settings import load_settings
from customer_profiles.warehouse import Warehouse

DAY = date(2026, 3, 3)
NEXT = DAY + timedelta(days=1)
NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)
FATES = ("accepted", "repaired", "quarantined", "duplicate")


def hold(shop, *days: date) -> None:
    for day in days:
        quarantine_days(shop.warehouse, day, day)


def fates(shop, table: str, day: date) -> dict[str, int]:
    hold(shop, day)
    (counted,) = shop.fates(table, day, day)
    assert counted["received"] == sum(counted[fate] for fate in FATES)
    return {fate: counted[fate] for fate in FATES if counted[fate]}


@pytest.fixture
def too_young(shop, sound):
    """Two customers of 16 years, and an order without pieces, all held."""
    young = [sound("customers", customer_id=f"C{n}", birth_date="2010-01-01") for n in (1, 2)]
    shop.deliver("customers", young)
    shop.deliver("orders", [sound("orders", quantity="0")])
    for table in ("customers", "orders"):
        shop.run(table, DAY, NEXT)
    hold(shop, DAY, NEXT)
    return shop


def test_rows_are_counted_per_day_table_and_rule(too_young) -> None:
    counts = counts_by_rule(too_young.warehouse, None, None)
    assert counts.rows() == [
        (DAY, "customers", "customer_is_underage", 2, 0),
        (DAY, "orders", "quantity_is_zero", 1, 0),
    ]


def test_rows_received_and_held_are_counted_per_table_without_those_that_were_released(too_young) -> None:
    warehouse = too_young.warehouse
    assert held_by_table(warehouse, DAY, NEXT).rows() == [
        (DAY, "customers", 2, 2, "customer_is_underage"),
        (DAY, "orders", 1, 1, "quantity_is_zero"),
    ]
    release_rows(warehouse, Chosen("customers", DAY, "customer_is_underage", rows=[1]), NOW)
    release_rows(warehouse, Chosen("orders", DAY), NOW)
    assert held_by_table(warehouse, DAY, NEXT).rows() == [(DAY, "customers", 2, 1, "customer_is_underage")]


def test_released_rows_come_in_on_the_newest_day_and_the_counts_add_up(too_young) -> None:
    assert release_rows(too_young.warehouse, Chosen("customers", DAY, rows=[2]), NOW) == (1, 0)
    too_young.door = too_young.door_with(minimum_age=16)
    ran = too_young.run("customers", NEXT)
    assert ran[NEXT].rows == 1
    (row,) = too_young.warehouse.frame(CLEANED["customers"], NEXT, NEXT).iter_rows(named=True)
    assert row["customer_key"] == too_young.keys.key("C2")
    assert row["source"].startswith(f"customers/{DAY}.ndjson@released-")
    assert (fates(too_young, "customers", DAY), fates(too_young, "customers", NEXT)) == (
        {"quarantined": 2},
        {"accepted": 1},
    )
    assert too_young.personal("customers", day=NEXT)[2, "customer_id"] == "C2"


def test_a_released_row_is_marked_and_never_released_twice(too_young) -> None:
    release_rows(too_young.warehouse, Chosen("customers", DAY, rows=[1]), NOW)
    waiting = find_rows(too_young.warehouse, Chosen("customers", DAY, rows=[1]))
    assert (waiting["release"].null_count(), waiting["released_on"].to_list()) == (0, [None])
    with pytest.raises(QuarantineError, match="these 1 rows were released before"):
        release_rows(too_young.warehouse, Chosen("customers", DAY, rows=[1]), NOW)
    assert release_rows(too_young.warehouse, Chosen("customers", DAY), NOW + timedelta(1)) == (1, 0)
    too_young.run("customers", NEXT)
    found = find_rows(too_young.warehouse, Chosen("customers", DAY))
    assert found["released_on"].to_list() == [NEXT, NEXT]
    before = too_young.raw("customers", day=NEXT)
    too_young.run("customers", DAY, NEXT)
    assert too_young.raw("customers", day=NEXT).equals(before)


def test_a_row_that_is_still_broken_stands_in_quarantine_again_and_can_be_released_again(too_young) -> None:
    release_rows(too_young.warehouse, Chosen("orders", DAY), NOW)
    too_young.run("orders", NEXT)
    assert fates(too_young, "orders", NEXT) == {"quarantined": 1}
    again = find_rows(too_young.warehouse, Chosen("orders", NEXT))
    assert again["release"].to_list() == [None]
    assert release_rows(too_young.warehouse, Chosen("orders", NEXT), NOW + timedelta(1)) == (1, 0)
    too_young.run("orders", NEXT)
    assert fates(too_young, "orders", NEXT) == {"quarantined": 2}
    assert original(again.row(0, named=True), too_young.seal)["quantity"] == "0"


def test_a_line_that_cannot_be_split_comes_in_with_its_mended_file(shop) -> None:
    header = "customer_id,purpose,effective_at,status\n"
    lines = header + "C1,profiling,2026-03-01,granted\nC2,profiling\n,profiling,2026-03-01,granted\n"
    shop.deliver("consents", lines)
    shop.run("consents", DAY, NEXT)
    hold(shop, DAY)
    with pytest.raises(QuarantineError, match=r"1 lines cannot be split .* mend them in their file"):
        release_rows(shop.warehouse, Chosen("consents", DAY, rows=[2]), NOW)
    assert release_rows(shop.warehouse, Chosen("consents", DAY), NOW) == (1, 1)
    shop.deliver("consents", lines.replace("C2,profiling\n", "C2,profiling,2026-03-01,granted\n"))
    shop.run("consents", NEXT)
    assert fates(shop, "consents", NEXT) == {"accepted": 1, "quarantined": 1}


def test_a_rebuild_of_the_day_takes_back_what_was_released(too_young) -> None:
    release_rows(too_young.warehouse, Chosen("customers", DAY), NOW)
    too_young.run("customers", NEXT)
    too_young.door = too_young.door_with(minimum_age=16)
    too_young.run("customers", DAY, rebuild=True)
    too_young.run("customers", NEXT)
    assert fates(too_young, "customers", DAY) == {"accepted": 2}
    assert fates(too_young, "customers", NEXT) == {}


MAPPED = {
    "order_id": "No",
    "line_number": {"place_in": "No"},
    "status_at": "When",
    "ordered_at": "When",
    "customer_id": "Who",
    "quantity": {"constant": "1"},
    "amount_minor": {"constant": "100"},
    "currency": {"constant": "EUR"},
}


def test_rows_of_a_mapped_file_are_mapped_again_with_their_neighbours_as_often_as_it_is_mended(
    shop, tmp_path: Path
) -> None:
    def map_status(**values: str) -> None:
        columns = MAPPED | {"status": {"column": "State", "values": values}}
        orders = {"kind": "files", "path": "exports/{day}.csv", "columns": columns}
        (tmp_path / "sources.yaml").write_text(json.dumps({"tables": {"orders": [orders]}}))
        shop.door = replace(shop.door, home=load_home(load_settings(tmp_path), {}))

    file = tmp_path / "exports" / f"{DAY}.csv"
    file.parent.mkdir()
    lines = [f"A,C1,2026-03-03 10:00:00,{state}" for state in ("paid", "bezahlt", "storno")]
    file.write_text("\n".join(["No,Who,When,State", *lines]) + "\n")
    map_status()
    shop.run("orders", DAY, NEXT)
    hold(shop, DAY)
    release_rows(shop.warehouse, Chosen("orders", DAY), NOW)
    map_status(bezahlt="paid")
    shop.run("orders", NEXT)
    came = shop.warehouse.frame(CLEANED["orders"], NEXT, NEXT)
    assert came.select("row_number", "line_number", "status").rows() == [(2, 2, "paid")]
    assert fates(shop, "orders", NEXT) == {"accepted": 1, "quarantined": 1}
    assert release_rows(shop.warehouse, Chosen("orders", NEXT), NOW + timedelta(1)) == (1, 0)
    map_status(bezahlt="paid", storno="cancelled")
    shop.run("orders", NEXT)
    came = shop.warehouse.frame(CLEANED["orders"], NEXT, NEXT)
    assert came.select("row_number", "line_number", "status").rows() == [(2, 2, "paid"), (3, 3, "cancelled")]
    assert fates(shop, "orders", NEXT) == {"accepted": 2, "quarantined": 1}


@pytest.fixture
def history(shop, tmp_path: Path) -> Callable[..., None]:
    """Orders of two days, one of each in a state that nobody mapped, in one file or behind one query."""
    states = [(DAY, "paid"), (DAY, "bezahlt"), (NEXT, "bezahlt"), (NEXT, "paid"), (DAY, "offen")]
    rows = [(f"{n}", f"C{n}", f"{day} 10:00:00", state) for n, (day, state) in enumerate(states, start=1)]
    (tmp_path / "all.csv").write_text(
        "\n".join(map(",".join, [("No", "Who", "When", "State"), *rows])) + "\n"
    )
    with sqlite3.connect(tmp_path / "shop.sqlite") as database:
        database.execute('create table orders ("No" text, "Who" text, "When" text, "State" text)')
        database.executemany("insert into orders values (?, ?, ?, ?)", rows)
    query = 'select * from orders where "When" >= :day_start and "When" < :day_end'
    kinds = {
        "files": {"path": "all*.csv"},
        "sql": {"url_variable": "SHOP_URL", "query": query, "last_day": str(NEXT)},
    }

    def mapped(kind: str, place_in: str = "", decimal: str = ".", **values: str) -> None:
        line = {"place_in": place_in} if place_in else {"constant": "1"}
        columns = MAPPED | {"line_number": line, "status": {"column": "State", "values": values}}
        orders = {"kind": kind, "timezone": "UTC", "decimal": decimal, "columns": columns, **kinds[kind]}
        (tmp_path / "sources.yaml").write_text(json.dumps({"tables": {"orders": [orders]}}))
        variables = {"SHOP_URL": f"sqlite:///{tmp_path / 'shop.sqlite'}"}
        shop.door = replace(shop.door, home=load_home(load_settings(tmp_path), variables))

    return mapped


@pytest.mark.parametrize("kind", ["files", "sql"])
def test_rows_of_any_day_of_one_file_or_query_are_released(shop, history, kind: str) -> None:
    history(kind)
    shop.run("orders", DAY, NEXT)
    hold(shop, DAY, NEXT)
    assert release_rows(shop.warehouse, Chosen("orders", None, "status|unparsable"), NOW) == (3, 0)
    history(kind, bezahlt="paid", offen="placed")
    shop.run("orders", NEXT)
    came = shop.warehouse.frame(CLEANED["orders"], NEXT, NEXT)
    assert sorted(came.select("order_id", "status").rows()) == [
        ("2", "paid"), ("3", "paid"), ("4", "paid"), ("5", "placed")
    ]  # fmt: skip
    assert fates(shop, "orders", NEXT) == {"accepted": 4, "quarantined": 1}
    assert set(find_rows(shop.warehouse, Chosen("orders", DAY))["released_on"]) == {NEXT}


@pytest.mark.parametrize("kind", ["files", "sql"])
def test_days_of_one_file_or_query_that_came_late_are_released_and_rewritten_each_alone(
    shop, history, kind: str
) -> None:
    newest = NEXT + timedelta(days=1)
    shop.run("orders", DAY, NEXT, newest)
    history(kind)
    shop.run("orders", newest)
    hold(shop, newest)
    assert fates(shop, "orders", newest) == {"accepted": 2, "quarantined": 3}
    release_rows(shop.warehouse, Chosen("orders", None, "status|unparsable"), NOW)
    history(kind, bezahlt="paid", offen="placed")
    shop.run("orders", newest)
    assert fates(shop, "orders", newest) == {"accepted": 5, "quarantined": 3}
    shop.run("orders", DAY, rebuild=True)
    shop.run("orders", NEXT, newest)
    assert fates(shop, "orders", DAY) == {"accepted": 3}
    assert fates(shop, "orders", newest) == {"accepted": 2, "quarantined": 1}


@pytest.mark.parametrize("name", ["all.csv", "all_2026-03-05.csv"])
def test_rows_that_moved_within_a_file_for_all_days_are_released_and_no_others(
    shop, history, tmp_path: Path, name: str
) -> None:
    history("files")
    shop.run("orders", DAY, NEXT)
    hold(shop, DAY, NEXT)
    head, *lines = (tmp_path / "all.csv").read_text().splitlines()
    later = ["9,C9,2026-03-05 10:00:00,paid", "8,C8,2026-03-05 10:00:00,paid"]
    (tmp_path / "all.csv").rename(tmp_path / name)
    (tmp_path / name).write_text("\n".join([head, *later, *lines]) + "\n")
    release_rows(shop.warehouse, Chosen("orders", None), NOW)
    history("files", bezahlt="paid", offen="placed")
    shop.run("orders", NEXT)
    came = shop.warehouse.frame(CLEANED["orders"], NEXT, NEXT)
    assert sorted(came["order_id"]) == ["2", "3", "4", "5"]


def test_rows_whose_day_a_mended_mapping_tells_are_released_from_a_file_for_all_days(
    shop, tmp_path: Path
) -> None:
    def map_times(*formats: str) -> None:
        when = {"column": "When", "date_format": list(formats)}
        columns = {**MAPPED, "ordered_at": when, "status_at": when, "line_number": {"constant": "1"}}
        orders = {"kind": "files", "path": "all.csv", "columns": {**columns, "status": {"constant": "paid"}}}
        (tmp_path / "sources.yaml").write_text(json.dumps({"tables": {"orders": [orders]}}))
        shop.door = replace(shop.door, home=load_home(load_settings(tmp_path), {}))

    rows = [("1", DAY), ("2", NEXT.strftime("%d.%m.%Y")), ("3", NEXT), ("4", DAY)]
    lines = ["No,Who,When", *(f"{number},C{number},{when}" for number, when in rows)]
    (tmp_path / "all.csv").write_text("\n".join(lines) + "\n")
    map_times("%Y-%m-%d")
    shop.run("orders", DAY, NEXT)
    hold(shop, DAY)
    release_rows(shop.warehouse, Chosen("orders", DAY), NOW)
    map_times("%Y-%m-%d", "%d.%m.%Y")
    assert shop.run("orders", NEXT)[NEXT].refused == ()
    came = shop.warehouse.frame(CLEANED["orders"], NEXT, NEXT)
    assert sorted(came["order_id"]) == ["2", "3"]
    (gone,) = shop.run("orders", DAY, rebuild=True)[DAY].gone
    assert "2 now, 3 before; rows that sources.yaml puts on other days now come in when those" in gone


@pytest.fixture
def moved_on(shop, tmp_path: Path) -> Callable[[], tuple[str, ...]]:
    """Run the newest day after a release and changes in the database; why rows do not come in."""

    def run() -> tuple[str, ...]:
        hold(shop, DAY, NEXT)
        release_rows(shop.warehouse, Chosen("orders", DAY), NOW)
        with sqlite3.connect(tmp_path / "shop.sqlite") as database:
            database.execute("update orders set \"Who\" = 'C9', \"State\" = 'paid' where \"No\" = '2'")
            database.execute("delete from orders where \"No\" = '1'")
        return shop.run("orders", NEXT)[NEXT].refused

    return run


def test_rows_of_a_query_are_released_as_they_were_delivered(shop, history, moved_on) -> None:
    history("sql")
    shop.run("orders", DAY, NEXT)
    history("sql", bezahlt="paid", offen="placed")
    assert moved_on() == ()
    came = shop.warehouse.frame(CLEANED["orders"], NEXT, NEXT).filter(pl.col("source").str.contains("rel"))
    assert came.select("row_number", "order_id", "status").rows() == [(2, "2", "paid"), (3, "5", "placed")]
    assert set(came["customer_key"]) == {shop.keys.key("C2"), shop.keys.key("C5")}
    assert fates(shop, "orders", NEXT) == {"accepted": 3, "quarantined": 1}
    assert shop.run("orders", DAY, NEXT)[DAY].says == "loaded before, unchanged"


@pytest.mark.parametrize(
    ("mended", "says"),
    [({"place_in": "No"}, "the query gives other rows now"), ({"decimal": ","}, "or was changed")],
)
def test_rows_of_a_query_that_gives_others_now_are_not_guessed(
    shop, history, moved_on, mended: dict[str, Any], says: str
) -> None:
    history("sql")
    shop.run("orders", DAY, NEXT)
    history("sql", bezahlt="paid", offen="placed", **mended)
    (refused,) = moved_on()
    assert says in refused
    assert "customer-profiles run --rebuild 2026-03-03" in refused
    assert fates(shop, "orders", NEXT) == {"accepted": 1, "quarantined": 1}


def test_rows_of_a_file_that_a_table_reads_twice_are_released_by_their_own_mapping(shop, tmp_path) -> None:
    def map_both(**values: str) -> None:
        columns = {"customer_id": "Who", "effective_at": "When"}
        both = [
            {
                "kind": "files",
                "path": "{day}.csv",
                "columns": {
                    **columns,
                    "purpose": {"constant": purpose},
                    "status": {"column": column, "values": {"no": "denied", **values}},
                },
            }
            for purpose, column in (("marketing_email", "Mail"), ("marketing_sms", "Text"))
        ]
        (tmp_path / "sources.yaml").write_text(json.dumps({"tables": {"consents": both}}))
        shop.door = replace(shop.door, home=load_home(load_settings(tmp_path), {}))

    lines = ["Who,When,Mail,Text", "C1,2026-03-03,no,yes", "C2,2026-03-03,no,no"]
    (tmp_path / f"{DAY}.csv").write_text("\n".join(lines) + "\n")
    map_both()
    shop.run("consents", DAY, NEXT)
    raw = shop.raw("consents")
    assert not raw.select("source", "row_number").is_duplicated().any()
    assert fates(shop, "consents", DAY) == {"accepted": 3, "quarantined": 1}
    release_rows(shop.warehouse, Chosen("consents", DAY), NOW)
    map_both(yes="granted")
    shop.run("consents", NEXT)
    came = shop.warehouse.frame(CLEANED["consents"], NEXT, NEXT)
    assert came.select("purpose", "status").rows() == [("marketing_sms", "granted")]


def test_a_line_is_released_and_split_as_the_mapping_now_says(shop, tmp_path: Path) -> None:
    def map_with(**layout: str) -> None:
        columns = MAPPED | {"status": "State"}
        orders = {"kind": "files", "path": "exports/{day}.csv", "columns": columns, **layout}
        (tmp_path / "sources.yaml").write_text(json.dumps({"tables": {"orders": [orders]}}))
        shop.door = replace(shop.door, home=load_home(load_settings(tmp_path), {}))

    file = tmp_path / "exports" / f"{DAY}.csv"
    file.parent.mkdir()
    lines = ["A,C1,2026-03-03 10:00:00,paid,plain", "B,C2,2026-03-03 10:00:00,paid,'one, two'"]
    file.write_text("\n".join(["No,Who,When,State,Note", *lines]) + "\n")
    map_with()
    shop.run("orders", DAY, NEXT)
    hold(shop, DAY)
    assert release_rows(shop.warehouse, Chosen("orders", DAY), NOW, mapped=True) == (1, 0)
    map_with(quote="'")
    shop.run("orders", NEXT)
    came = shop.warehouse.frame(CLEANED["orders"], NEXT, NEXT)
    assert came.select("row_number", "status").rows() == [(2, "paid")]
    assert fates(shop, "orders", DAY) == {"accepted": 1, "quarantined": 1}
    assert fates(shop, "orders", NEXT) == {"accepted": 1}


def test_rows_of_a_file_that_is_read_as_other_rows_now_are_not_guessed(shop, tmp_path: Path) -> None:
    def map_with(**layout: int) -> None:
        orders = {"kind": "files", "path": "exports/{day}.csv", "columns": MAPPED | {"status": "State"}}
        (tmp_path / "sources.yaml").write_text(json.dumps({"tables": {"orders": [orders | layout]}}))
        shop.door = replace(shop.door, home=load_home(load_settings(tmp_path), {}))

    file = tmp_path / "exports" / f"{DAY}.csv"
    file.parent.mkdir()
    lines = ["A,C1,2026-03-03 10:00:00,paid", "No,Who,When,State", "B,C2,2026-03-03 11:00:00,bezahlt"]
    file.write_text("\n".join(["No,Who,When,State", *lines]) + "\n")
    map_with()
    shop.run("orders", DAY, NEXT)
    hold(shop, DAY)
    release_rows(shop.warehouse, Chosen("orders", DAY, rows=[3]), NOW)
    map_with(skip_lines=2)
    (refused,) = shop.run("orders", NEXT)[NEXT].refused
    assert "it had 3 rows when it was loaded and has 1" in refused
    assert "customer-profiles run --rebuild 2026-03-03" in refused


def test_rows_of_a_file_that_has_changed_since_are_not_guessed_and_a_rebuild_ends_it(
    shop, tmp_path: Path
) -> None:
    orders = {"kind": "files", "path": "exports/{day}.csv", "columns": MAPPED | {"status": "State"}}
    (tmp_path / "sources.yaml").write_text(json.dumps({"tables": {"orders": [orders]}}))
    shop.door = replace(shop.door, home=load_home(load_settings(tmp_path), {}))
    file = tmp_path / "exports" / f"{DAY}.csv"
    file.parent.mkdir()
    file.write_text("No,Who,When,State\nA,C1,2026-03-03 10:00:00,paid\nB,C2,2026-03-03 11:00:00,bezahlt\n")
    shop.run("orders", DAY, NEXT)
    hold(shop, DAY)
    release_rows(shop.warehouse, Chosen("orders", DAY), NOW)
    file.write_text("No,Who,When,State\nB,C2,2026-03-03 11:00:00,paid\n")
    (refused,) = shop.run("orders", NEXT)[NEXT].refused
    assert refused.endswith("or rewrite its day: customer-profiles run --rebuild 2026-03-03")
    shop.run("orders", DAY, rebuild=True)
    assert shop.run("orders", NEXT)[NEXT].refused == ()
    assert (fates(shop, "orders", DAY), fates(shop, "orders", NEXT)) == ({"accepted": 1}, {})


def test_words_are_masked_and_readable_cells_are_not(shop, sound) -> None:
    broken = sound(
        "orders", quantity="0", amount_minor="王芳 12", coupon_id="a@b.c", note="ring 2x", channel="c@d.e"
    )
    shop.deliver("orders", [broken])
    shop.run("orders", DAY)
    hold(shop, DAY)
    (row,) = find_rows(shop.warehouse, Chosen("orders", DAY)).to_dicts()
    seen = masked(row, shop.seal)
    assert (seen["quantity"], seen["status"], seen["ordered_at"]) == ("0", "paid", "2026-03-03 12:00:00")
    assert (seen["amount_minor"], seen["coupon_id"], seen["note"]) == ("aa 99", "a@a.a", "aaaa 9a")
    assert seen["channel"] == "a@a.a"
    assert (seen["customer_id"], seen["order_id"]) == ("a9", "a9")
    assert original(row, shop.seal) == broken


def test_the_ui_shows_an_example_of_each_rule(too_young) -> None:
    hold(too_young, DAY)
    shown = examples_by_rule(too_young.warehouse, DAY, DAY, too_young.seal)[DAY]
    assert [(each["table"], each["rule"], each["rows"]) for each in shown] == [
        ("customers", "customer_is_underage", 2),
        ("orders", "quantity_is_zero", 1),
    ]
    assert shown[0]["example"].startswith("birth_date=9999-99-99, customer_id=a9")


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (Chosen("order", DAY), "'order' is no delivered table; they are customers, "),
        (Chosen("orders", NEXT), "no such row in quarantine; rules broken there: none"),
        (Chosen("orders", DAY, rule="nonsense"), "rules broken there: quantity_is_zero"),
    ],
)
def test_what_is_not_there_is_said(too_young, chosen: Chosen, says: str) -> None:
    with pytest.raises(QuarantineError, match=says):
        find_rows(too_young.warehouse, chosen)


def test_from_the_terminal(
    too_young, command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise OSError("a container's user has no account")

    too_young.close()
    home = ("--home", tmp_path)
    listed = command("quarantine", "list", *home)
    assert "customer_is_underage" in listed.out, listed.err
    mistyped = command("quarantine", "list", "--table", "customer", *home)
    assert (mistyped.code, "'customer' is no delivered table" in mistyped.err) == (1, True)
    (tmp_path / "secrets").mkdir()
    for name, secret in (("pseudonym.secret", b"s" * 32), ("vault.key", b"k" * 32)):
        (tmp_path / "secrets" / name).write_bytes(base64.b64encode(secret))
    shown = command("quarantine", "show", "customers", DAY, *home)
    assert "customer_id: 'a9'" in shown.out, shown.err
    assert "C1" not in shown.out
    revealed = command("quarantine", "show", "customers", DAY, "--row", 1, "--reveal", *home)
    assert "customer_id: 'C1'" in revealed.out
    with Warehouse(tmp_path / "warehouse.duckdb").session() as session:
        seen = session.frame(REVEALED)
    assert seen.select("table_name", "row_number").rows() == [("customers", 1)]
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert command("quarantine", "show", "customers", DAY, "--row", 1, "--reveal", *home).code == 0
    with Warehouse(tmp_path / "warehouse.duckdb").session() as session:
        assert session.frame(REVEALED)["revealed_by"].to_list()[-1] == "unknown"
    released = command("quarantine", "release", "customers", DAY, *home)
    assert f"2 rows of customers are released; they come in with the next run of {NEXT}" in released.out
    again = command("quarantine", "release", "customers", DAY, *home)
    assert (again.code, "released before" in again.err) == (1, True)
