"""The matrix of bad input: what each fault comes to, and that nothing else is touched by it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from customer_profiles.cleaning.clean import quarantine_days
from customer_profiles.cleaning.tables import CLEANED, QUARANTINE
from customer_profiles.collection import reading
from customer_profiles.collection.ledger import ledger
from customer_profiles.collection.tables import PERSONAL, RAW

DAY = date(2026, 3, 31)
BEFORE = DAY - timedelta(days=1)
TABLES = ("orders", "customers")
HEADER = "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency"
LINE = "O{n},1,2026-03-30 10:00:00,C1,2026-03-30 10:00:00,paid,2,9900,CNY"
LINES = [LINE.format(n=n) for n in range(12)]
GOOD = "\n".join([HEADER, *LINES]) + "\n"
SQL = "'); drop table raw.orders; --"


class Fault(NamedTuple):
    """How the file comes to lie there; what refuses it, or the fates of its rows and the rules they broke."""

    put: Callable[[Path], Any]
    refused: str = ""
    accepted: int = 12
    repaired: int = 0
    rules: tuple[str, ...] = ()


def text(content: str) -> Callable[[Path], Any]:
    return lambda place: place.write_text(content, encoding="utf-8")


def bytes_of(content: bytes) -> Callable[[Path], Any]:
    return lambda place: place.write_bytes(content)


def one_more(**cells: str) -> Callable[[Path], Any]:
    """The good lines and one with these cells, quoted."""
    sound = dict(zip(HEADER.split(","), LINE.format(n=99).split(","), strict=True))
    row = sound | cells
    extra = [name for name in row if name not in sound]
    header = ",".join([HEADER, *extra])
    lines = [line + "," * len(extra) for line in LINES]
    last = ",".join('"' + cell.replace('"', '""') + '"' for cell in row.values())
    return text("\n".join([header, *lines, last]) + "\n")


def folder_with_sql_in_its_name(place: Path) -> None:
    folder = place.with_suffix("")
    folder.mkdir()
    (folder / f"{SQL}.csv").write_text(GOOD)


def loop(place: Path) -> None:
    place.symlink_to(place)


FAULTS = {
    "GBK": Fault(
        bytes_of(GOOD.replace("CNY", "人民币").encode("gbk")), refused="not UTF-8 .gbk or cp1252 perhaps"
    ),
    "UTF-16": Fault(bytes_of(GOOD.encode("utf-16")), refused="it is UTF-16"),
    "binary": Fault(bytes_of(b"PK\x03\x04\x00\x00"), refused="it holds binary bytes"),
    "ragged rows": Fault(text(GOOD + "O77,1\n" + LINE.format(n=78) + ",x,y\n"), rules=("ragged_row",) * 2),
    "an unclosed quote": Fault(text(GOOD.replace("O3,", '"O3,')), refused="quotation mark"),
    "a repeated header": Fault(text(GOOD + HEADER + "\n"), rules=("quantity|unparsable",)),
    "two columns of one name": Fault(
        text(GOOD.replace("currency", "quantity")), refused=r"its columns \[7, 9\] have the same name"
    ),
    "a renamed required column": Fault(
        text(GOOD.replace("customer_id", "Customer ID")), refused="did you mean 'Customer ID' for customer_id"
    ),
    "a new column": Fault(one_more(shop_name="x"), accepted=13),
    "a column retyped in every row": Fault(
        text(GOOD.replace(",2,9900", ",two,9900")), refused="column quantity: 12 of 12 cells cannot be read"
    ),
    "a column retyped in one row": Fault(one_more(quantity="two"), rules=("quantity|unparsable",)),
    "a very long line": Fault(one_more(order_id="x" * 3_000_000), refused="a line is longer than 2,000,000"),
    "zero bytes": Fault(text(""), refused="0 bytes"),
    "a header alone": Fault(text(HEADER + "\n"), accepted=0),
    "a directory in place of a file": Fault(lambda place: place.mkdir(), refused="cannot be read"),
    "a symlink loop": Fault(loop, refused="cannot be read"),
    "a dangling symlink": Fault(lambda place: place.symlink_to("nowhere"), refused="cannot be read"),
    "0000-00-00": Fault(one_more(ordered_at="0000-00-00"), rules=("ordered_at|impossible_date",)),
    "the year 9999": Fault(one_more(ordered_at="9999-12-31"), rules=("ordered_at|impossible_date",)),
    "1e400": Fault(one_more(amount_minor="1e400"), rules=("amount_minor|unparsable",)),
    "a number past 64 bits": Fault(one_more(quantity="9" * 30), rules=("quantity|unparsable",)),
    "NaN": Fault(one_more(amount_minor="NaN"), rules=("amount_minor|non_finite",)),
    "NULL where a value must be": Fault(one_more(currency="NULL"), rules=("currency|required",)),
    "NULL where none need be": Fault(one_more(coupon_id="NULL"), accepted=13),
    "emoji and right-to-left text": Fault(one_more(coupon_id="🎁 مرحبا\u200f שלום"), accepted=13),
    "formula cells": Fault(one_more(coupon_id="=cmd|' /C calc'!A0", category="@SUM(1)"), accepted=13),
    "SQL in a value": Fault(one_more(order_id=SQL, coupon_id=SQL), accepted=13),
    "SQL in a file's name": Fault(folder_with_sql_in_its_name),
    "a leap day": Fault(one_more(ordered_at="2024-02-29 12:00:00"), accepted=13),
    "a leap day that there is not": Fault(
        one_more(ordered_at="2026-02-29 12:00:00"), rules=("ordered_at|unparsable",)
    ),
    "an hour that summer time leaves out": Fault(
        one_more(ordered_at="2026-03-29 02:30:00"), rules=("ordered_at|unparsable",)
    ),
    "an hour that comes twice": Fault(one_more(ordered_at="2025-10-26 02:30:00"), accepted=13),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, open_shop, sound) -> Path:
    """A shop in Berlin with good days around the fault."""
    home = tmp_path_factory.mktemp("berlin")
    with ExitStack() as files:
        shop = in_berlin(open_shop(home, files))
        for table in TABLES:
            shop.deliver(table, [sound(table)], day=BEFORE)
            shop.run(table, BEFORE)
        shop.deliver("customers", [sound("customers")], day=DAY)
        shop.run("customers", BEFORE, DAY)
    return home


@pytest.fixture
def berlin(template: Path, tmp_path: Path, open_shop) -> Iterator[Any]:
    with ExitStack() as files:
        yield in_berlin(open_shop(Path(shutil.copytree(template, tmp_path / "home")), files))


def in_berlin(shop):
    shop.door = shop.door_with(timezone="Europe/Berlin", longest_line_bytes=2_000_000)
    return shop


def everything_but(shop, table: str, day: date) -> dict[str, pl.DataFrame]:
    """The rows of both tables and the vault but those of one table and day."""
    kept = {}
    for name in TABLES:
        for stored in (RAW[name], CLEANED[name]):
            rows = shop.warehouse.frame(stored)
            kept[stored.name] = rows.filter(pl.col("delivery_day") != day) if name == table else rows
    own = (pl.col("table_name") == table) & (pl.col("delivery_day") == day)
    return kept | {PERSONAL.name: shop.vault.frame(PERSONAL).filter(~own)}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_comes_to_what_it_must_and_touches_nothing_else(berlin, fault: str) -> None:
    put, refused, accepted, repaired, rules = FAULTS[fault]
    before = everything_but(berlin, "orders", DAY)
    put(berlin.deliveries / "orders" / f"{DAY}.csv")
    ran = berlin.run("orders", DAY)[DAY]
    quarantine_days(berlin.warehouse, DAY, DAY)
    held = berlin.warehouse.frame(QUARANTINE, DAY, DAY).filter(table_name="orders")
    (fates,) = berlin.fates("orders", DAY, DAY)
    if refused:
        assert [reason for reason in ran.refused if pl.Series([reason]).str.contains(refused)[0]], ran.refused
        assert all(str(DAY) in reason and "orders" in reason for reason in ran.refused)
        assert (fates["received"], ledger(berlin.warehouse, "orders", DAY).height) == (0, 0)
    else:
        assert ran.refused == ()
        assert fates["received"] == accepted + repaired + len(rules)
        assert (fates["accepted"], fates["repaired"], fates["quarantined"]) == (
            accepted,
            repaired,
            len(rules),
        )
        assert [rule for rule in rules if not any(rule in broken for broken in held["broken_rules"])] == []
    assert_same(everything_but(berlin, "orders", DAY), before)


def assert_same(now: dict[str, pl.DataFrame], before: dict[str, pl.DataFrame]) -> None:
    assert [name for name in before if not now[name].equals(before[name])] == []


def test_a_file_that_vanishes_while_it_is_read_is_refused(berlin, monkeypatch: pytest.MonkeyPatch) -> None:
    place = berlin.deliveries / "orders" / f"{DAY}.csv"
    place.write_text(GOOD)
    read = reading.READERS["csv"]

    def vanish(file: Path, *more: Any) -> Any:
        rows = read(file, *more)
        file.unlink()
        return rows

    monkeypatch.setitem(reading.READERS, "csv", vanish)
    before = everything_but(berlin, "orders", DAY)
    ran = berlin.run("orders", DAY)[DAY]
    assert ["No such file" in reason for reason in ran.refused] == [True]
    assert_same(everything_but(berlin, "orders", DAY), before)


def test_a_file_that_is_written_to_while_it_is_read_is_refused(
    berlin, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = berlin.deliveries / "orders" / f"{DAY}.csv"
    place.write_text(GOOD)
    read = reading.READERS["csv"]

    def grow(file: Path, *more: Any) -> Any:
        rows = read(file, *more)
        with file.open("a") as stream:
            stream.write(LINE.format(n=500) + "\n")
        return rows

    monkeypatch.setitem(reading.READERS, "csv", grow)
    ran = berlin.run("orders", DAY)[DAY]
    assert ["it was written to while it was read" in reason for reason in ran.refused] == [True]


def test_a_changed_file_that_may_not_be_read_is_refused_and_its_rows_stay(
    berlin, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = berlin.deliveries / "orders" / f"{DAY}.csv"
    place.write_text(GOOD)
    berlin.run("orders", DAY)
    place.write_text(GOOD + LINE.format(n=500) + "\n")

    def denied(*_: object) -> None:  # by the mode of the file it would not be: root may read all
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(reading.hashlib, "file_digest", denied)
    ran = berlin.run("orders", DAY)[DAY]
    assert (ran.fate, ran.rows) == ("loaded", 12)
    assert ["cannot be read" in reason and "let this user" in reason for reason in ran.refused] == [True]


def test_the_hour_that_comes_twice_is_the_first_of_the_two(berlin) -> None:
    one_more(ordered_at="2025-10-26 02:30:00")(berlin.deliveries / "orders" / f"{DAY}.csv")
    berlin.run("orders", DAY)
    moment = berlin.raw("orders", day=DAY).filter(order_id="O99")["ordered_at"][0]
    assert moment == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


def test_the_original_of_a_held_row_is_whole(berlin) -> None:
    one_more(quantity="two", coupon_id="🎁 שלום", shop_name=SQL)(berlin.deliveries / "orders" / f"{DAY}.csv")
    berlin.run("orders", DAY)
    quarantine_days(berlin.warehouse, DAY, DAY)
    (row,) = berlin.warehouse.frame(QUARANTINE, DAY, DAY).filter(table_name="orders").to_dicts()
    held = json.loads(berlin.open("orders", row, "original", row["original_sealed"], DAY))
    assert (held["quantity"], held["coupon_id"], held["shop_name"]) == ("two", "🎁 שלום", SQL)
