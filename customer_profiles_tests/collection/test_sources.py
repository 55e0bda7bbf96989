"""A team's own files become a table's rows by ``sources.yaml`` alone; nothing is lost on the way."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from customer_profiles.collection.formats import OLD_CONTAINER, READERS
from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.check import check_table
from customer_profiles.collection.sources.finding import (
    delivered_days,
    find_delivery,
    lacking_sources,
    lies_there,
    state_of_sources,
    waiting_days,
)
from customer_profiles.collection.sources.load import SourcesError
from customer_profiles.collection.sources.schema import Format, Join
from customer_profiles.contracts import CONTRACTS
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal, place_of
from customer_profiles.settings import CollectionSettings
from customer_profiles_tests.collection.conftest import OwnData, workbook

ROOT = Path(__file__).parents[2]
DAY = date(2026, 3, 3)
SEAL = Seal(b"k" * 32)
ORDER = {
    "order_id": "No",
    "line_number": {"place_in": "No"},
    "status_at": "At",
    "ordered_at": "At",
    "customer_id": "Who",
    "quantity": "Pieces",
    "amount_minor": {"column": "Paid", "minor_units": 2},
    "currency": {"constant": "EUR"},
    "status": {"constant": "paid"},
}
ROW = {"No": "A1", "At": "2026-03-03 10:00:00", "Who": "C1", "Pieces": "2", "Paid": "19.90"}


def csv_of(rows: list[dict[str, str]], sign: str = ",") -> str:
    return "\n".join([sign.join(rows[0]), *(sign.join(row.values()) for row in rows)]) + "\n"


# formats

FORMATS: dict[str, tuple[dict[str, Any], Callable[[Path], object]]] = {
    "signs, quoting and decimal comma": (
        {"path": "f.csv", "delimiter": ";", "quote": "'", "decimal": ","},
        lambda f: f.write_text("No;At;Who;Pieces;Paid\nA1;2026-03-03 10:00:00;'C1';2;'19,90'\n"),
    ),
    "tabs, and lines before the header": (
        {"path": "f.tsv", "format": "csv", "delimiter": "tab", "skip_lines": 2},
        lambda f: f.write_text("Report\nof today\n" + csv_of([ROW], "\t")),
    ),
    "no header": (
        {"path": "f.csv", "header": list(ROW)},
        lambda f: f.write_text(",".join(ROW.values()) + "\n"),
    ),
    "GBK": (
        {"path": "f.csv", "encoding": "gbk", "ignore": ["备注"]},
        lambda f: f.write_bytes(csv_of([ROW | {"备注": "很好"}]).encode("gbk")),
    ),
    "UTF-8 with BOM, compressed": (
        {"path": "f.csv.gz"},
        lambda f: f.write_bytes(gzip.compress(csv_of([ROW]).encode("utf-8-sig"))),
    ),
    "UTF-16 without its mark": (
        {"path": "f.csv", "encoding": "utf-16-be"},
        lambda f: f.write_bytes(csv_of([ROW]).encode("utf-16-be")),
    ),
    "UTF-16": (
        {"path": "f.csv", "encoding": "utf-16"},
        lambda f: f.write_bytes(csv_of([ROW]).encode("utf-16")),
    ),
    "fixed width": (
        {
            "path": "f.txt",
            "fixed": {"No": [1, 4], "At": [5, 23], "Who": [25, 28], "Pieces": [29, 32], "Paid": [33, 40]},
        },
        lambda f: f.write_text("A1  2026-03-03 10:00:00 C1     2   19.90\r\n"),
    ),
    "NDJSON": ({"path": "f.ndjson"}, lambda f: f.write_text(json.dumps(ROW))),
    "NDJSON, compressed": (
        {"path": "f.ndjson.gz"},
        lambda f: f.write_bytes(gzip.compress(json.dumps(ROW).encode())),
    ),
    "Parquet with types": (
        {"path": "f.parquet"},
        lambda f: pl.DataFrame(
            [ROW | {"At": datetime(2026, 3, 3, 10, tzinfo=UTC), "Pieces": 2, "Paid": 19.9}]
        ).write_parquet(f),
    ),
    "Excel": (
        {"path": "f.xlsx", "sheets": ["March"]},
        lambda f: workbook(f, [list(ROW), ["A1", "2026-03-03 10:00:00", "C1", 2, 19.9]]),
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_is_the_same_in_every_format(own: OwnData, name: str) -> None:
    source, write = FORMATS[name]
    write(own.folder / source["path"])
    own.says(source | {"columns": ORDER})
    received = own.receive()
    (row,) = received.rows.to_dicts()
    assert row["broken_rules"] == []
    assert (row["order_id"], row["line_number"], row["quantity"], row["amount_minor"]) == ("A1", 1, 2, 1990)
    assert row["ordered_at"] == datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert received.unknown_columns == ()


def test_every_format_can_be_asked_for_and_is_read_here() -> None:
    assert set(get_args(Format)) == set(READERS)
    here = [source for source, _ in FORMATS.values()]
    assert {form for form in READERS for one in here if form in one or one["path"].endswith(form)} == set(
        READERS
    )


WRONG: dict[str, tuple[dict[str, Any], str | bytes, str]] = {
    "another encoding": ({"encoding": "utf-8"}, "No,姓名\n1,王芳\n".encode("gbk"), "line 1 is not UTF-8"),
    "not the encoding said": ({"encoding": "gbk"}, b"No\n\x80\xff\n", "line .* is not gb18030; correct `enc"),
    "no mapped column": ({}, "No,At\n1,2\n", r"maps its columns \['Paid', 'Pieces', 'Who'\] to orders"),
    "no header": (
        {},
        "王芳,2\n",
        "maps its columns .* none of its 2 columns is known: is its first line a head",
    ),
    "merged cells without a header": (
        {"fill_down": ["No"]},
        "王芳,2\n",
        r"fill_down names \['No'\], but none of its 2 columns is known",
    ),
    "entries without a header": (
        {"rows_of": "items"},
        "王芳,2\n",
        "rows_of names 'items', but none of its 2 columns is known",
    ),
    "merged cells of another name": (
        {"fill_down": ["Nr"]},
        csv_of([ROW]),
        r"fill_down names \['Nr'\], but it has \['No', ",
    ),
    "another delimiter": ({}, "No;At\n1;2\n", "its 1 columns is known: .*, and `delimiter` right"),
    "two files put together": (
        {},
        csv_of(
            [ROW, dict.fromkeys(ROW, "x"), dict(zip(ROW, ["Who", "No", "At", "Pieces", "Paid"], strict=True))]
        ),
        "a line below the first names the columns in another order: .* deliver each by itself",
    ),
    "UTF-16 without its mark": (
        {},
        csv_of([ROW]).encode("utf-16-be"),
        "say `encoding: utf-16-be` in sources",
    ),
    "zeros": ({}, bytes(64), "binary bytes, so it is not text; deliver UTF-8 text$"),
    "a zip archive": ({}, b"PK\x03\x04\x14\x00\x00\x00", "binary bytes.* unpack the zip archive, or say"),
    "amounts in whole coins forgotten": (
        {"columns": ORDER | {"amount_minor": "Paid"}},
        csv_of([ROW] * 20),
        r"amount_minor: 20 of 20 cells cannot be read .*in sources.yaml \(`minor_units`, `decimal`\)",
    ),
    "no workbook": ({"format": "xlsx"}, "a,b\n", "not a whole Excel workbook"),
    "a workbook under a password": (
        {"format": "xlsx"},
        OLD_CONTAINER + bytes(512),
        "under a password; save it as .xlsx without one; deliver",
    ),
    "an untold format": ({"path": "{day}.dat"}, "a", "does not tell its format; say `format`"),
    "an expression over text": (
        {"columns": ORDER | {"status": {"expression": "CASE WHEN Pieces > 1 THEN 'paid' END"}}},
        csv_of([ROW]),
        "orders.status: the expression .* cannot be computed .*unless they stand under `numbers`",
    ),
    "an expression on which Polars panics": (
        {"columns": ORDER | {"status": {"expression": "Pieces::decimal(50, 2)"}}},
        csv_of([ROW]),
        "orders.status: the expression .* cannot be computed",
    ),
    "a path without quotes": (
        {"path": "{day}.ndjson", "drop": {"tests": "buyer.kind = 'test'"}},
        json.dumps(ROW | {"buyer": {"kind": "test", "name": "王芳"}}) + "\n",
        "drop 'tests': .* cannot be computed .*a column's name with a dot stands in double",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_unlike_its_description_ends_in_one_error_with_the_fix(own: OwnData, name: str) -> None:
    source, content, says = WRONG[name]
    source = {"path": "{day}.csv", "columns": ORDER} | source
    own.put(source["path"].format(day=DAY), content)
    own.says(source)
    with pytest.raises(DeliveryError, match=f"orders of {DAY}: {DAY}.*{says}") as refused:
        own.receive()
    assert "王芳" not in str(refused.value)


def test_a_folder_where_a_file_belongs_is_named(own: OwnData) -> None:
    (own.folder / f"{DAY}.csv").mkdir()
    own.says({"path": "{day}.csv", "columns": ORDER})
    with pytest.raises(DeliveryError, match="no file that can be read"):
        own.receive()


# columns


def one(own: OwnData, columns: dict[str, Any], row: dict[str, str], **more: Any) -> dict[str, Any]:
    zone = more.pop("business", "UTC")
    own.put("f.ndjson", json.dumps(ROW | row))
    own.says({"path": "f.ndjson", "delivery_day": str(DAY), "columns": ORDER | columns, **more})
    (found,) = own.rows(timezone=zone)
    return found


SHANGHAI, TEN = {"timezone": "Asia/Shanghai"}, "2026-03-03 10:00:00"
TIMES: dict[str, tuple[dict[str, Any], str, str]] = {
    "by its format": ({"date_format": "%d.%m.%Y %H:%M"}, "3.3.2026 10:00", "2026-03-03 10:00:00"),
    "by the second format": (
        {"date_format": ["%Y%m%d", "%m/%d/%Y %H:%M"]},
        "3/2/2026 9:00",
        "2026-03-02 09:00:00",
    ),
    "seconds": ({"date_format": "epoch_s"}, "1772532000", "2026-03-03 10:00:00"),
    "milliseconds": ({"date_format": "epoch_ms"}, "1772532000500", "2026-03-03 10:00:00.500"),
    "in its zone": ({"timezone": "Asia/Shanghai"}, "2026-03-03 18:00:00", "2026-03-03 10:00:00"),
    "with an offset": ({"timezone": "Asia/Shanghai"}, "2026-03-03T11:00:00+01:00", "2026-03-03 10:00:00"),
    "the earlier of two in autumn": (
        {"timezone": "Europe/Berlin", "date_format": "%d.%m.%Y %H:%M"},
        "26.10.2025 02:30",
        "2025-10-26 00:30:00",
    ),
    "a leap day": ({"date_format": "%Y%m%d%H%M"}, "202402291000", "2024-02-29 10:00:00"),
    "an hour without minutes": ({"date_format": "%Y-%m-%d %H"}, "2014-12-06 02", "2014-12-06 02:00:00"),
    "an hour of the afternoon": ({"date_format": "%d/%m/%Y %I %p"}, "06/12/2014 2 PM", "2014-12-06 14:00:00"),
    "an hour with its offset": (
        {"date_format": "%Y-%m-%dT%H%z"},
        "2014-12-06T02-0500",
        "2014-12-06 07:00:00",
    ),
    "ISO 8601 by its sign": ({**SHANGHAI, "date_format": "%+"}, "2026-03-03T12:00:00+02:00", TEN),
    "seconds by their sign": ({**SHANGHAI, "date_format": "%s"}, "1772532000", TEN),
    "UTC by its letter": ({**SHANGHAI, "date_format": "%Y%m%dT%H%M%SZ"}, "20260303T100000Z", TEN),
    "UTC by its name": (
        {**SHANGHAI, "date_format": ["%d.%m.%Y %H:%M", "%a, %d %b %Y %H:%M:%S GMT"]},
        "Tue, 03 Mar 2026 10:00:00 GMT",
        TEN,
    ),
    "the name of the zone": (
        {"timezone": "America/New_York", "date_format": ["%b %d, %Y %I:%M %p EST", "%b %d, %Y %I:%M %p EDT"]},
        "Jul 03, 2026 6:00 AM EDT",
        "2026-07-03 10:00:00",
    ),
    "a year of two digits": (
        {"date_format": ["%m/%d/%Y %H:%M", "%m/%d/%y %H:%M"]},
        "3/2/26 9:00",
        "2026-03-02 09:00:00",
    ),
    "a fraction of a second": (
        {"date_format": "%d.%m.%Y %H:%M:%S.%f"},
        "03.03.2026 10:00:00.250",
        "2026-03-03 10:00:00.250",
    ),
}


@pytest.mark.parametrize("name", TIMES)
def test_a_time_is_read(own: OwnData, name: str) -> None:
    how, cell, told = TIMES[name]
    moment = datetime.fromisoformat(told).replace(tzinfo=UTC)
    row = one(own, {"ordered_at": {"column": "At", **how}}, {"At": cell})
    assert row["ordered_at"] == moment
    assert row["ordered_hour"] == moment.hour


@pytest.mark.parametrize(
    ("how", "cell", "rule"),
    [
        ({"date_format": "%Y-%d-%m %H:%M"}, "2026-01-13 10:00", "unparsable"),  # would be read as another day
        ({"date_format": "%Y-%d-%m"}, "2026-1-13", "unparsable"),
        (
            {"timezone": "Europe/Berlin"},
            "2026-03-29 02:30:00",
            "unparsable",
        ),  # the hour that spring leaves out
        ({"date_format": "%m/%d/%Y"}, "3/2/26", "unparsable"),
        ({"date_format": "%Y%m%d"}, "20260230", "unparsable"),
        ({"date_format": "%Y%m%d"}, "0000-00-00", "impossible_date"),
        ({"date_format": "%Y-%m-%d %H"}, "2026-03-03 02:30", "unparsable"),
        ({"date_format": "epoch_s"}, "9000000000000", "unparsable"),  # the year 287,000
    ],
)
def test_a_time_that_is_none_is_quarantined_and_never_misread(
    own: OwnData, how: dict[str, Any], cell: str, rule: str
) -> None:
    row = one(
        own, {"ordered_at": {"column": "At", **how}, "status_at": {"constant": "2026-03-03"}}, {"At": cell}
    )
    assert row["ordered_at"] is None
    assert f"ordered_at|{rule}" in row["broken_rules"]


@pytest.mark.parametrize(
    ("how", "cell"),
    [
        ({"date_format": "%Y%m%d"}, "20260303"),
        ({"day_precise": True}, "2026-03-03 00:00:00"),
        ({"day_precise": True}, "2026-3-3 00:00:00"),
        ({}, "2026-3-3"),
        ({}, "2026-3-03"),
    ],
)
def test_a_date_without_hours_has_no_daypart(own: OwnData, how: dict[str, Any], cell: str) -> None:
    row = one(
        own, {"ordered_at": {"column": "At", **how}}, {"At": cell}, business="Asia/Tokyo", timezone="UTC"
    )
    assert (row["ordered_day"], row["ordered_hour"]) == ((DAY - date(1970, 1, 1)).days, None)


@pytest.mark.parametrize(
    ("cell", "year"), [("03/02/65", 1965), ("03/02/99", 1999), ("03/02/05", 2005), ("03/02/2065", 2065)]
)
def test_nobody_is_born_in_a_year_to_come_of_which_two_digits_are_told(
    own: OwnData, cell: str, year: int
) -> None:
    own.put("c_2026-03-03.csv", f"customer_id,updated_at,Born\nc,2026-03-03,{cell}\n")
    born = {"birth_date": {"column": "Born", "date_format": ["%d/%m/%y", "%d/%m/%Y"]}}
    own.says({"path": "c_{day}.csv", "columns": born}, "customers")
    (row,) = own.rows("customers")
    assert row["birth_year"] == year
    assert row["broken_rules"] == (["customer_is_underage"] if year > 2026 else [])


@pytest.mark.parametrize(
    ("cell", "zone"),
    [
        ("1990-01-01T00:00:00.000Z", "America/New_York"),
        ("1990-01-01 00:00:00+01", "America/New_York"),
        ("1989-12-31T23:00:00.000Z", "Europe/Berlin"),
        ("1990-01-01T05:30:00Z", "America/New_York"),
        ("1990-01-01T23:30:00", "America/New_York"),
    ],
)
def test_a_birth_told_by_a_midnight_is_of_the_same_day_in_any_way(own: OwnData, cell: str, zone: str) -> None:
    rows = f"customer_id,updated_at,birth_date\nc,2026-03-03,{cell}\n"
    own.put("deliveries/customers/2026-03-03.csv", rows)
    found = own.rows("customers", timezone=zone)
    own.put("c_2026-03-03.csv", rows)
    for home, columns in (
        (zone, {}),
        (zone, {"birth_date": "birth_date"}),
        ("Asia/Shanghai", {"birth_date": {"column": "birth_date", "timezone": zone}}),
    ):
        own.says({"path": "c_{day}.csv", "columns": columns}, "customers")
        found += own.rows("customers", timezone=home)
    assert [(row["birth_year"], row["birth_month"]) for row in found] == [(1990, 1)] * 4


@pytest.mark.parametrize("cell", ["'+16175550123", '="+16175550123"', "`+16175550123 ", "+16175550123"])
def test_what_excel_keeps_as_text_names_the_same_customer(own: OwnData, cell: str) -> None:
    keys = {one(own, {}, {"Who": who})["customer_key"] for who in (cell, "+16175550123")}
    assert len(keys) == 1


@pytest.mark.parametrize("how", [{}, {"date_format": "%Y-%m-%d"}, {"day_precise": True}])
def test_values_say_what_a_word_among_times_means(own: OwnData, how: dict[str, Any]) -> None:
    at = {"column": "At", "values": {"infinity": "", "new year": "2026-01-01"}, **how}
    assert one(own, {"ordered_at": at}, {"At": "new year"})["ordered_at"].date() == date(2026, 1, 1)
    assert "ordered_at|required" in one(own, {"ordered_at": at}, {"At": "infinity"})["broken_rules"]


@pytest.mark.parametrize(
    ("cell", "decimal", "minor"),
    [
        ("19.90", ".", 1990),
        ("1,234.50", ".", 123450),
        ("1.234,50", ",", 123450),
        ("1.234,50 TL", ",", 123450),
        ("1\u00a0234,50 zł", ",", 123450),
        ("12,50 руб.", ",", 1250),
        ("¥ 12.5", ".", 1250),
        ("-0.005", ".", 0),
        ("2.675", ".", 268),
        ("7", ",", 700),
    ],
)
def test_an_amount_becomes_minor_units(own: OwnData, cell: str, decimal: str, minor: int) -> None:
    assert one(own, {}, {"Paid": cell}, decimal=decimal)["amount_minor"] == minor


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("12,50", "unparsable"),
        ("0,125", "unparsable"),
        ("nan", "non_finite"),
        ("1e400", "unparsable"),
        ("=cmd|'/c'!A1", "unparsable"),
    ],
)
def test_an_amount_that_is_none_is_quarantined(own: OwnData, cell: str, rule: str) -> None:
    row = one(own, {}, {"Paid": cell})
    assert row["amount_minor"] is None
    assert row["broken_rules"] == [f"amount_minor|{rule}"]


def test_values_are_recoded_and_others_stay(own: OwnData) -> None:
    how = {"status": {"column": "State", "values": {"1": "paid", "no": "cancelled"}}}
    assert one(own, how, {"State": "1"})["status"] == "paid"
    assert one(own, how, {"State": "no"})["status"] == "cancelled"
    assert one(own, how, {"State": "shipped"})["status"] == "shipped"
    assert one(own, how, {"State": "9"})["broken_rules"] == ["status|unparsable"]


def test_numbers_of_a_file_are_seconds_whatever_its_decimal_sign(own: OwnData) -> None:
    at = {"column": "At", "date_format": "epoch_s"}
    row: dict[str, Any] = {"At": 1772532000.5, "Paid": "1,50"}
    found = one(own, {"ordered_at": at, "status_at": at}, row, decimal=",")
    assert found["ordered_at"] == datetime(2026, 3, 3, 10, microsecond=500_000, tzinfo=UTC)


def test_an_expression_sees_full_width_digits_as_the_table_does(own: OwnData) -> None:
    status = {"expression": "CASE WHEN Pieces < 0 THEN 'returned' ELSE 'completed' END"}
    row = one(own, {"status": status}, {"Pieces": "－２"}, numbers=["Pieces"])
    assert (row["quantity"], row["status"], row["broken_rules"]) == (-2, "returned", [])


def test_an_expression_sees_numbers_where_they_are_named(own: OwnData) -> None:
    status = {"expression": "CASE WHEN No LIKE 'C%' OR Pieces < 0 THEN 'returned' ELSE 'paid' END"}
    amount = {"expression": "Pieces * Paid", "minor_units": 2}
    how = {"status": status, "amount_minor": amount}
    row = one(own, how, {"Pieces": "-3", "Paid": "0.7"}, numbers=["Pieces", "Paid"])
    assert (row["status"], row["amount_minor"], row["broken_rules"]) == ("returned", -210, [])


@pytest.mark.parametrize("cast", ["CAST(Paid AS INT)", "TRY_CAST(Paid as integer)", "Paid::int"])
def test_a_product_beyond_32_bits_is_the_number_that_it_is(own: OwnData, cast: str) -> None:
    how = {
        "amount_minor": {"expression": f"{cast} * 100"},
        "coupon_id": {"expression": "CONCAT(Who, ' AS INT', ' ::int')"},
    }
    row = one(own, how, {"Paid": "50000000"})
    assert (row["amount_minor"], row["coupon_id"]) == (5_000_000_000, "C1 AS INT ::int")


def test_what_rows_are_joined_on_is_cast_in_64_bits_too() -> None:
    join = Join.model_validate({"path": "y", "on": {"TRY_CAST(a AS INT)": "b::int"}})
    assert join.on == {"TRY_CAST(a AS BIGINT)": "b::BIGINT"}


def test_a_path_leads_into_nested_fields(own: OwnData) -> None:
    row = {"buyer": {"city": "上海", "ids": [{"no": 7}]}}
    how = {"payment_method": "buyer.city", "coupon_id": "buyer.ids[0].no", "channel": "buyer.absent"}
    found = one(own, how, row)  # type: ignore[arg-type]
    assert (found["payment_method"], found["coupon_id"], found["channel"]) == ("上海", "7", None)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_a_nested_whole_number_has_no_fraction(own: OwnData, form: str, decimal: str) -> None:
    frame = pl.DataFrame([ROW | {"Paid": 19.9, "buyer": {"id": 17850.0, "share": 0.5}}])
    (frame.write_ndjson if form == "ndjson" else frame.write_parquet)(own.folder / f"f.{form}")
    columns = ORDER | {"coupon_id": "buyer.id", "channel": "buyer.share"}
    own.says({"path": f"f.{form}", "columns": columns, "decimal": decimal})
    (row,) = own.rows()
    assert (row["coupon_id"], row["channel"]) == ("17850", f"0{decimal}5")


@pytest.mark.parametrize("rows_of", [None, "buyer"])
def test_nested_ids_of_many_digits_stay_apart(own: OwnData, rows_of: str | None) -> None:
    ids = [10**22 + 1, 10**22 + 2]
    own.put("f.ndjson", "\n".join(json.dumps(ROW | {"buyer": {"id": each}}) for each in ids))
    rows = {"rows_of": rows_of} if rows_of else {}
    own.says({"path": "f.ndjson", "columns": ORDER | {"coupon_id": "buyer.id"}, **rows})
    assert [row["coupon_id"] for row in own.rows()] == [str(each) for each in ids]


def test_a_row_without_an_id_gets_the_same_one_every_time(own: OwnData) -> None:
    how = {"order_id": {"hash_of": ["Who", "At"]}}
    ids = [one(own, how, row)["order_id"] for row in ({}, {"Pieces": "9"}, {"Who": "C2"})]
    assert ids[0] == ids[1] != ids[2]


def test_repeated_lines_of_an_order_stay_lines(own: OwnData) -> None:
    own.put("f.csv", csv_of([ROW, ROW | {"No": "B"}, ROW]))
    own.says({"path": "f.csv", "columns": ORDER})
    rows = own.rows()
    assert [(row["order_id"], row["line_number"]) for row in rows] == [("A1", 1), ("B", 1), ("A1", 2)]
    assert not any(row["exact_copy"] for row in rows)


def test_a_column_of_the_same_name_needs_no_line_unless_it_is_used_for_another(own: OwnData) -> None:
    row = one(own, {"coupon_id": "category"}, {"category": "X1", "channel": "web"})
    assert (row["channel"], row["coupon_id"], row["category"]) == ("web", "X1", None)


def test_a_column_of_the_same_name_is_read_as_its_source_says(own: OwnData) -> None:
    row = {"ordered_at": "2026-03-03 08:00", "quantity": "1.000", "product_id": " '007"}
    how: dict[str, Any] = {name: ORDER[name] for name in ORDER if name not in row}
    own.put("f_2026-03-03.csv", csv_of([ROW | row | {"Paid": "7"}]))
    source = {"path": "f_{day}.csv", "timezone": "Asia/Tokyo", "decimal": ","}
    told = []
    for more in ({}, {name: name for name in row}):
        own.says({**source, "columns": how | more})
        told.append([own.rows()[0][name] for name in row])
    assert told[0] == told[1] == [datetime(2026, 3, 2, 23, tzinfo=UTC), 1000, "007"]


def test_a_required_column_is_there_also_if_another_is_made_of_it(own: OwnData) -> None:
    own.put("f.csv", "product_id,valid_from,category\nP1,2026-03-03,pens\n")
    own.says({"path": "f.csv", "columns": {"name": "product_id"}}, table="products")
    (row,) = own.rows("products")
    assert (row["product_id"], row["name"]) == ("P1", "P1")


def test_columns_that_nobody_maps_are_kept_sealed_but_for_ignored_ones(own: OwnData) -> None:
    own.put("f.csv", csv_of([ROW | {"Note": "x", "Junk": "y"}]))
    own.says({"path": "f.csv", "columns": ORDER, "ignore": ["Junk"]})
    received = own.receive()
    assert received.unknown_columns == ("Note",)
    (sealed,) = received.rows["extra_sealed"]
    assert SEAL.open(sealed, place_of("orders", DAY, "f.csv", 1, "extra")) == '{"Note":"x"}'


def test_a_quarantined_row_is_sealed_as_it_was_delivered(own: OwnData) -> None:
    own.put("f.csv", csv_of([ROW | {"Paid": "free"}]))
    own.says({"path": "f.csv", "columns": ORDER})
    (row,) = own.rows()
    original = SEAL.open(row["original_sealed"], place_of("orders", DAY, "f.csv", 1, "original"))
    assert json.loads(original) == ROW | {"Paid": "free"}


# rows


def test_rows_that_a_rule_leaves_out_are_counted_by_rule(own: OwnData) -> None:
    lines = csv_of([ROW, ROW | {"No": "T1"}, ROW | {"Who": "staff"}, ROW | {"No": "T2", "Who": "staff"}])
    own.put("f.csv", lines + "ragged\n")
    drop = {"test orders": "No LIKE 'T%'", "staff": "Who = 'staff'", "no customer": "Who IS NULL"}
    own.says({"path": "f.csv", "columns": ORDER, "drop": drop})
    received = own.receive()
    assert received.rows["row_number"].to_list() == [1, 5]
    assert received.rows["broken_rules"].to_list() == [[], ["ragged_row"]]
    (file,) = received.files.to_dicts()
    assert (file["rows"], file["filtered"]) == (2, 3)
    assert sorted(file["filtered_by"]) == ["staff: 1", "test orders: 2"]


def test_one_file_feeds_several_tables(own: OwnData) -> None:
    own.put("f.csv", csv_of([ROW | {"City": "Rome"}, ROW | {"City": "Rome"}]))
    file = {"kind": "files", "path": "f.csv"}
    customers = {"customer_id": "Who", "updated_at": "At", "city": "City"}
    own.says_all({"orders": [file | {"columns": ORDER}], "customers": [file | {"columns": customers}]})
    assert own.receive("orders").unknown_columns == own.receive("customers").unknown_columns == ()
    rows = own.rows("customers")
    assert [(row["city"], row["exact_copy"]) for row in rows] == [("Rome", False), ("Rome", True)]


def test_a_second_file_stands_beside_the_rows(own: OwnData) -> None:
    lines = [{"No": "A1", "Pieces": "2", "Paid": "9"}, {"No": "B", "Pieces": "1", "Paid": "8"}]
    own.put(f"lines_{DAY}.csv", csv_of(lines))
    heads = {"No": "A1", "At": "2026-03-03 10:00:00", "Who": "C0", "Note": "x"}
    own.put(f"heads_{DAY}.csv", csv_of([heads, heads | {"Who": "C1"}]))
    join = {"path": "heads_{day}.csv", "on": "No"}
    own.says({"path": "lines_{day}.csv", "join": [join], "columns": ORDER})
    received = own.receive()
    first, second = received.rows.to_dicts()
    assert first["customer_key"] == Pseudonyms(b"s" * 32).key("C1")
    assert {"customer_id|required", "ordered_at|required"} <= set(second["broken_rules"])
    assert received.unknown_columns == ()
    own.says({"path": "lines_{day}.csv", "join": [join | {"on": "Nr"}], "columns": ORDER})
    with pytest.raises(DeliveryError, match=r"heads_2026-03-03\.csv: it cannot be joined on \['Nr'\]"):
        own.receive()


def test_of_a_list_of_properties_the_newest_of_one_kind_is_joined(own: OwnData) -> None:
    own.put("f.csv", csv_of([ROW, ROW | {"No": "B", "Who": "C2"}]))
    told = [("C1", "city", "Rome", "1"), ("C1", "tier", "gold", "9"), ("C1", "tier", "silver", "2")]
    columns = ("Who", "what", "value", "at")
    own.put("properties.csv", csv_of([dict(zip(columns, row, strict=True)) for row in told]))
    newest = "at < MAX(at) OVER (PARTITION BY Who, what)"
    join = {"path": "properties.csv", "on": "Who", "drop": {"others": "what <> 'tier'", "older": newest}}
    own.says({"path": "f.csv", "join": [join], "columns": ORDER | {"category": "value"}})
    assert own.receive().rows["category"].to_list() == ["gold", None]
    own.says({"path": "f.csv", "join": [join | {"drop": {"others": "kind = 1"}}], "columns": ORDER})
    with pytest.raises(
        DeliveryError, match=r"properties\.csv: `drop` of `join` looks at \['kind'\], but it has"
    ):
        own.receive()


def test_several_sources_feed_one_table(own: OwnData) -> None:
    own.put("a/x.csv", csv_of([ROW]))
    own.put("b/x.csv", csv_of([ROW | {"No": "B1"}]))
    own.says([{"path": "a/{day}.csv", "columns": ORDER}, {"path": "b/x.csv", "columns": ORDER}])
    own.put(f"a/{DAY}.csv", csv_of([ROW | {"No": "A2"}]))
    assert [row["order_id"] for row in own.rows()] == ["A2", "B1"]


# days


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("in/{day}.csv", "in/2026-03-03.csv"),
        ("in/orders_{day:%Y%m%d}_*.csv", "in/orders_20260303_v2.csv"),
        ("in/{day:%Y}/{day:%m}/{day:%d}/*.csv", "in/2026/03/03/part-1.csv"),
        ("in/**/{day}.csv", "in/shop/7/2026-03-03.csv"),
        ("in/**/{day}.csv", "in/2026-03-03.csv"),
        ("in/{day}/**/*.csv", "in/2026-03-03/DAY0.csv"),
        ("DAY0/{day}_*.csv", "DAY0/2026-03-03_a.csv"),
        ("_export/{day}*.csv", "_export/2026-03-03.csv"),
    ],
)
def test_the_day_is_told_by_the_name(own: OwnData, path: str, file: str) -> None:
    own.put(file, csv_of([ROW]))
    own.put("in/readme.txt", "no delivery")
    own.put(file + ".tmp", "still being written")
    own.says({"path": path, "format": "csv", "columns": ORDER})
    assert delivered_days(own.home(), "orders") == [DAY]
    assert [row["source"] for row in own.rows()] == [file]
    assert find_delivery(own.home(), "orders", date(2026, 3, 4)) is None


def test_what_a_program_keeps_for_itself_is_no_delivery(own: OwnData) -> None:
    for file in (
        ".snapshot/2026-03-03.csv",
        "_temporary/0/2026-03-03.csv",
        "~$2026-03-03.csv",
        "2026-03-03.csv~",
    ):
        own.put(f"in/{file}", csv_of([ROW]))
    own.says({"path": "in/**/*{day}.csv*", "format": "csv", "columns": ORDER})
    assert delivered_days(own.home(), "orders") == []


def history(own: OwnData, *moments: str, **more: Any) -> None:
    rows = [ROW | {"No": str(number), "At": at} for number, at in enumerate(moments)]
    own.put("all.csv", csv_of(rows))
    own.says({"path": "all.csv", "columns": ORDER} | more)


def arrived(own: OwnData, **settings: Any) -> dict[str, list[int]]:
    home = own.home(**settings)
    days = delivered_days(home, "orders")
    return {str(day): [row["row_number"] for row in own.rows(day=day, **settings)] for day in days}


def test_rows_that_gather_on_a_day_since_their_time_cannot_be_read_are_judged_among_the_whole_file(
    own: OwnData,
) -> None:
    history(own, *["2026-03-01"] * 12, "2026-03-03", *["soon"] * 11)
    rows = own.rows()
    assert len(rows) == 12
    assert sum("ordered_at|unparsable" in row["broken_rules"] for row in rows) == 11
    assert check_table(own.home(), CollectionSettings(), "orders", DAY).quarantined_rows == 11
    history(own, "2026-03-01", "2026-03-03", *["soon"] * 11)
    with pytest.raises(DeliveryError, match=r"all\.csv: column ordered_at: 11 of 13 cells cannot be read"):
        own.receive()


def test_rows_of_a_file_for_all_days_arrive_on_the_day_of_their_latest_time(own: OwnData) -> None:
    shipped = {"status_at": {"column": "Sent"}, "ordered_at": "At"}
    rows = [
        ("0", "2026-03-01", "2026-03-03"),
        ("1", "2026-03-01", "2026-03-01"),
        ("2", "2026-03-03 23:30:00", ""),
    ]
    own.put("all.csv", csv_of([ROW | {"No": no, "At": at, "Sent": sent} for no, at, sent in rows]))
    own.says({"path": "all.csv", "timezone": "UTC", "columns": ORDER | shipped})
    assert arrived(own) == {"2026-03-01": [2], "2026-03-02": [], "2026-03-03": [1, 3]}
    assert arrived(own, timezone="Asia/Shanghai")["2026-03-04"] == [3]
    assert own.receive().files["known_time_imputed"].to_list() == [True]


@pytest.mark.parametrize(
    ("january", "february", "between"),
    [
        ((2, 29), (2, 27), ["2026-01-30", "2026-01-31", "2026-02-01"]),  # closed for three days
        ((2, 24), (2, 27), []),  # for more than a week: perhaps a file is lost
        ((30, 31), (3, 27), []),  # more days than the first file has
        ((2, 31), (1, 27), []),
    ],
)
def test_quiet_days_between_two_files_are_delivered_without_rows(
    own: OwnData, january: tuple[int, int], february: tuple[int, int], between: list[str]
) -> None:
    for month, days in ((1, january), (2, february)):
        times = [f"2026-{month:02}-{day:02}" for day in days]
        own.put(f"2026-{month:02}.csv", csv_of([ROW | {"No": at, "At": at} for at in times]))
    own.says({"path": "2026-??.csv", "columns": ORDER})
    days = [str(day) for day in delivered_days(own.home(), "orders")]
    first, last = f"2026-01-{january[1]:02}", f"2026-02-{february[0]:02}"
    assert [day for day in days if first < day < last] == between
    assert [own.rows(day=date.fromisoformat(day)) for day in between] == [[]] * len(between)


def test_rows_without_a_day_stay_with_those_before_them_and_old_ones_arrive_on_the_first(
    own: OwnData,
) -> None:
    history(own, "2026-03-02", "1970-01-01", "soon", "2199-01-01", "2026-03-03")
    assert arrived(own, first_day=date(2026, 3, 1)) == {
        "2026-03-01": [2], "2026-03-02": [1, 3], "2026-03-03": [4, 5],
    }  # fmt: skip
    with pytest.raises(
        DeliveryError,
        match=r"most of its rows lie before first_day 2027-01-01: set first_day: .*`delivery_day`",
    ):
        arrived(own, first_day=date(2027, 1, 1))


def test_rows_that_a_rule_leaves_out_far_from_all_others_begin_and_end_no_days(own: OwnData) -> None:
    drop = {"absurd": "At < '2026-03-02' OR At > '2026-04'"}
    history(own, "2025-12-24", "2026-03-02", "2026-08-28", "1970-01-01", "2026-03-03", drop=drop)
    assert arrived(own, first_day=date(2026, 1, 1)) == {"2026-03-02": [2], "2026-03-03": [5]}
    counts = [own.receive(day=date(2026, 3, day)).files["filtered"].sum() for day in (2, 3)]
    assert counts == [3, 0]
    # the file goes on, perhaps: the last day is where it was when more has come
    history(own, "2026-03-02", "2026-03-05", drop={"test": "At = '2026-03-05'"})
    assert list(arrived(own)) == ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]
    history(own, "2026-01-01", "2026-01-02", "2026-03-02", drop={"old": "At < '2026-03-01'"})
    assert arrived(own, first_day=date(2026, 3, 1)) == {"2026-03-02": [3]}


@pytest.mark.parametrize("year", [2569, 1404])
def test_years_of_another_calendar_are_not_said_to_be_unreadable(own: OwnData, year: int) -> None:
    history(own, f"{year}-03-02", f"{year}-03-03")
    with pytest.raises(DeliveryError, match=f"still to come .the first in the year {year}.; .* `expression`"):
        arrived(own)


def test_one_wrong_time_does_not_begin_the_days_that_are_proposed(own: OwnData) -> None:
    history(own, "1902-05-07", *["2026-03-02"] * 150)
    with pytest.raises(DeliveryError, match="set first_day: 2026-03-02"):
        arrived(own, first_day=date(2026, 4, 1))


def test_a_file_that_is_parted_otherwise_is_not_told_to_mend_its_times(own: OwnData) -> None:
    own.put("all.csv", "A;2026-03-03;c;1.00\n" * 3)
    own.says({"path": "all.csv", "columns": ORDER, "header": list(ROW)})
    with pytest.raises(DeliveryError, match="3 of 3 lines cannot be split into columns; mend `format`"):
        arrived(own)
    history(own, "Mar 3rd")
    with pytest.raises(DeliveryError, match=r"shaped like 'aaa 9aa'\); correct their `date_format`"):
        arrived(own)


def test_a_check_names_days_that_may_be_none(own: OwnData) -> None:
    history(own, "1902-05-07", *["2026-03-02"] * 150, "2026-08-28")
    early, late = check_table(own.home(), CollectionSettings(), "orders").doubts
    assert early.startswith("all.csv: 1 rows tell a day before first_day 2026-01-01, the earliest 1902-05-07")
    assert late.startswith("all.csv: 1 rows come 179 days after all others, from 2026-08-28 to 2026-08-28")
    history(own, *["2026-03-02"] * 50, "2026-08-28", drop={"absurd": "At > '2026-08'"})
    assert check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_an_export_of_todays_state_arrives_whole_on_the_day_that_is_said(own: OwnData) -> None:
    history(own, "2026-02-01", "2026-03-01", delivery_day=str(DAY))
    assert arrived(own) == {str(DAY): [1, 2]}


def test_a_longer_export_leaves_the_days_that_it_repeats_unchanged(own: OwnData) -> None:
    history(own, "soon", "2026-03-01", "2026-03-02", "soon")
    before = {
        str(day): find_delivery(own.home(), "orders", day) for day in delivered_days(own.home(), "orders")
    }
    history(own, "soon", "2026-03-01", "2026-03-02", "soon", "2026-03-02", "2026-03-03")
    for day, same in (("2026-03-01", True), ("2026-03-02", False)):
        was, now = before[day], find_delivery(own.home(), "orders", date.fromisoformat(day))
        assert was is not None
        assert now is not None
        assert (was.parts[0].digest() == now.parts[0].digest()) is same


def test_a_file_for_all_days_is_read_once(own: OwnData, monkeypatch: pytest.MonkeyPatch) -> None:
    from customer_profiles.collection.sources import rows

    history(own, *(f"2026-03-{day:02}" for day in range(1, 20)))
    read: list[Path] = []
    original = rows.read_pieces
    monkeypatch.setattr(rows, "read_pieces", lambda file, *more: read.append(file) or original(file, *more))
    home = own.home()
    for day in delivered_days(home, "orders"):
        delivery = find_delivery(home, "orders", day)
        assert delivery is not None
        assert [part.height for piece in delivery.parts[0].read() for part in [piece.cells]] == [1]
    assert len(read) == 1


def test_an_export_that_cannot_be_read_hides_no_other_tables_days(own: OwnData) -> None:
    own.put("all.csv", "a,b\n1,2\n")
    own.says({"path": "all.csv", "columns": ORDER})
    with pytest.raises(DeliveryError, match=r"orders of every day: all\.csv: sources\.yaml maps its columns"):
        waiting_days(own.home())
    own.put(f"deliveries/texts/{DAY}.csv", "text_id\n")
    assert waiting_days(own.home()) == [DAY]


@pytest.mark.parametrize("name", ["home [1]", "home*", "home?"])
def test_a_home_is_found_whatever_its_name_means_in_a_glob(tmp_path: Path, name: str) -> None:
    own = OwnData(tmp_path / name)
    own.put("in/o_20260303.csv", csv_of([ROW]))
    own.says({"path": "in/o_{day:%Y%m%d}.csv", "columns": ORDER})
    assert delivered_days(own.home(), "orders") == [DAY]
    assert len(own.rows()) == 1


@pytest.mark.parametrize("path", ["in/o_{day}.csv", "in/*_{day}.csv", "in/o_2026-03-03.csv"])
def test_a_broken_link_is_named_and_stops_nothing_else(own: OwnData, path: str) -> None:
    (own.folder / "in").mkdir()
    (own.folder / "in/o_2026-03-03.csv").symlink_to("nowhere")
    own.says({"path": path, "columns": ORDER})
    assert len(state_of_sources(own.home())) == 1 + len(CONTRACTS) - 1
    with pytest.raises(DeliveryError, match="it is no file that can be read"):
        own.receive()


def test_days_that_are_counted_have_the_fraction_that_the_source_writes(own: OwnData) -> None:
    own.put("f.csv", csv_of([ROW | {"At": "46084,5", "Paid": "19,90"}], ";"))
    at = {"column": "At", "date_format": "days_since 1899-12-30"}
    told = {"ordered_at": at, "status_at": at}
    own.says({"path": "f.csv", "delimiter": ";", "decimal": ",", "columns": ORDER | told})
    assert own.rows()[0]["ordered_at"] == datetime(2026, 3, 3, 12, tzinfo=UTC)


def test_a_path_that_leads_nowhere_is_said(own: OwnData) -> None:
    own.put("in/o_2026-03-03.csv", csv_of([ROW]))
    own.says([{"path": "inn/{day}.csv"}, {"path": "in/o_{day:%d%m%Y}.csv"}, {"path": "in/o_{day}.csv"}])
    nowhere, unread = lacking_sources(own.home())
    assert (
        nowhere
        == f"orders: there is no file at {own.folder}/inn/{{day}}.csv that this user may see; correct `path`"
    )
    assert unread.startswith("orders: the name o_2026-03-03.csv tells no day as `path`")
    assert lacking_sources(own.home(), "texts") == []


def test_a_query_that_is_asked_on_no_day_is_said(own: OwnData) -> None:
    query = "select 1 where :day_start < :day_end"
    own.says({"kind": "sql", "url_variable": "SHOP_URL", "query": query, "last_day": "1998-05-06"})
    (said,) = lacking_sources(own.home())
    assert said.startswith("orders: the query of SHOP_URL is asked on no day:")
    assert f"is asked on no day: its first day would be {own.home().first_day}, its last 1998-05-06" in said


def test_a_mapping_written_as_json_knows_signs_beyond_16_bits(own: OwnData) -> None:
    own.put("f_2026-03-03.csv", csv_of([ROW | {"Where 🏬": "🛒"}]))
    told = {"column": "Where 🏬", "values": {"🛒": "store"}}
    source = {"kind": "files", "path": "f_{day}.csv", "columns": ORDER | {"channel": told}}
    own.put("sources.yaml", json.dumps({"tables": {"orders": [source]}}, ensure_ascii=True))
    assert own.rows()[0]["channel"] == "store"


def test_amounts_with_the_other_decimal_sign_name_the_keys_that_say_how_they_are_written(
    own: OwnData,
) -> None:
    own.put("f.csv", csv_of([ROW | {"No": f"A{n}"} for n in range(20)]))
    own.says({"path": "f.csv", "decimal": ",", "columns": ORDER})
    with pytest.raises(DeliveryError, match=r"amount_minor: 20 of 20 .*\(`minor_units`, `decimal`\)"):
        own.receive()


def test_the_columns_of_a_query_are_named_where_a_files_might_be_cells(own: OwnData, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "shop.sqlite").close()
    query = "select 1 as nr, 2 as kunde where :day_start < :day_end"
    own.says({"kind": "sql", "url_variable": "SHOP_URL", "query": query, "columns": {"order_id": "id"}})
    home = replace(own.home(), variables={"SHOP_URL": f"sqlite:///{tmp_path / 'shop.sqlite'}"})
    delivery = find_delivery(home, "orders", DAY)
    assert delivery is not None
    with pytest.raises(
        DeliveryError, match=r"maps its columns \['id'\] to orders, but it has \['nr', 'kunde'\]"
    ):
        list(delivery.parts[0].read())


def test_a_folder_that_may_not_be_entered_holds_nothing_and_stops_no_run(
    own: OwnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.says({"path": "logs/*.csv"})

    def denied(path: Path) -> bool:  # by the folder's mode it would not be: root enters all
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_symlink", denied)
    assert waiting_days(own.home()) == []
    (says,) = lacking_sources(own.home())
    assert "that this user may see" in says


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that may be listed but not entered; its mode would not make it one: root enters all."""
    stat = Path.stat

    def entered(path: Path, **said: bool) -> object:
        if path.parent.name == "texts":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **said)

    monkeypatch.setattr(Path, "stat", entered)
    return "texts"


def test_what_lies_in_a_folder_that_may_be_listed_but_not_entered_is_there(own: OwnData, shut: str) -> None:
    own.put(f"deliveries/{shut}/2026-03-03.csv", "text_id\n")
    assert [lies_there(own.home(), table) for table in ("texts", "events")] == [True, False]
    assert [("texts/2026-03-03.csv", -1, -1)] in state_of_sources(own.home())


@pytest.mark.parametrize("name", ["o_{day}.csv", "*_{day}.csv", "o_2026-03-03.csv"])
def test_a_file_in_such_a_folder_is_refused(own: OwnData, shut: str, name: str) -> None:
    own.put(f"{shut}/o_2026-03-03.csv", csv_of([ROW]))
    own.says({"path": f"{shut}/{name}", "columns": ORDER})
    with pytest.raises(DeliveryError, match=r"orders of 2026-03-03: .*cannot be read.*Permission denied"):
        own.receive()


def test_a_new_or_changed_file_is_seen_from_outside(own: OwnData) -> None:
    own.says({"path": "in/{day}.csv", "columns": ORDER})
    states = [state_of_sources(own.home())]
    own.put("in/2026-03-03.csv", csv_of([ROW]))
    states.append(state_of_sources(own.home()))
    own.put("in/2026-03-03.csv", csv_of([ROW, ROW]))
    states.append(state_of_sources(own.home()))
    assert states[0] != states[1] != states[2]
    for name in (
        "in/2026-03-04.csv.part",
        "deliveries/texts/2026-03-04.csv.part",
        "deliveries/texts/_SUCCESS",
    ):
        own.put(name, "still being sent")
    assert state_of_sources(own.home()) == states[2]


def test_tables_that_the_file_does_not_name_come_from_the_deliveries_folder(own: OwnData) -> None:
    own.says({"path": "nowhere/{day}.csv"})
    own.put(f"deliveries/orders/{DAY}.csv", "order_id\n")
    own.put(f"deliveries/texts/{DAY}.csv", "text_id,customer_id,kind,created_at,body\n")
    assert delivered_days(own.home(), "orders") == []
    assert delivered_days(own.home(), "texts") == [DAY]


def test_the_simulated_retailers_mapping_reads_what_no_mapping_reads(own: OwnData, tmp_path: Path) -> None:
    sample, example = ROOT / "data/sample/deliveries", ROOT / "examples/simulated_retailer/sources.yaml"
    plain, mapped = type(own)(tmp_path / "plain"), type(own)(tmp_path / "mapped")
    for each in (plain, mapped):
        each.folder.mkdir()
        (each.folder / "deliveries").symlink_to(sample)
    (mapped.folder / "sources.yaml").write_bytes(example.read_bytes())
    of_the_cells = "_sealed$|^fingerprint$"  # as delivered: typed in Parquet, text behind a mapping
    for table in CONTRACTS:
        day = delivered_days(plain.home(), table)[2]
        one, other = (
            each.receive(table, day).rows.drop(pl.selectors.matches(of_the_cells)) for each in (plain, mapped)
        )
        assert one.equals(other), table


# sources.yaml itself

FILE = "tables:\n  orders:\n    - kind: files\n"
MAPPED = FILE + "      path: x\n      columns:\n        "
MISTAKES = {
    "tables:\n  order: []": r"line 2: tables.order: there is no such table; did you mean 'orders'\?",
    MAPPED + "ordered: A": (
        r"line 6: tables.orders\[0\].columns.ordered: there is no such column of orders; did you mean "
        "'ordered_at'"
    ),
    FILE + "      paht: x": r"line 4: .*paht: there is no such key; did you mean 'path'",
    FILE: r"line 3: tables.orders\[0\].path: it is missing",
    "tables:\n  orders:\n    - path: x": "line 3: .*kind",
    "tables:\n  orders:\n    - kind: ftp\n      path: x": "line [34]: .*'files', 'log', 'sql'",
    MAPPED + "status: {colum: A}": "line 6: .*colum: there is no such key; did you mean 'column'",
    MAPPED + "status: {column: A, constant: b}": "line 6: .*give one of column, constant",
    FILE + "      path: x\n      timezone: Mars": "line 5: .*not an IANA time zone",
    FILE + "      path: x\n      timezone: America": "line 5: .*not an IANA time zone",
    FILE + "      path: x\n      encoding: klingon": "line 5: .*not an encoding",
    FILE + "      path: x\n      encoding: base64": "line 5: .*'base64' is not an encoding",
    FILE + "      path: x\n      quote: “": r"line 5: tables.orders\[0\].quote: .*\(got '“'\)",
    FILE + "      path: x\n      drop: {a: 'SELEC )'}": "line 5: .*not a Polars-SQL",
    MAPPED + "status: {expression: UPPER(วันที่)}": "line 6: .*name of more than letters.* in double quotes",
    MAPPED + "status: {expression: LOWER(user)}": "line 6: .*a word of SQL such as user, .* in double quotes",
    "tables:\n  orders: []\n  orders: []": "line 3: 'orders' stands twice in tables; keep one",
    "tables:\n  orders: {kind: files, path: x}": "line 2: tables.orders: it is a list",
    "tables: orders": "line 1: tables: it is lines of `key: value`",
    MAPPED + "status:": "line 6: .*status.column: .*at least 1 character",
    FILE
    + "      path: x\n      delivery_day: [order_at]": "line 5: .*order_at: .* did you mean 'ordered_at'",
    FILE + "      path: x\n      delivery_day: 2026-13-45": "line 5: .*there is no such day; .*2026-13-45",
    FILE + "      path: x\n      delivery_day: tomorrow": "line 5: .*tomorrow: there is no such column",
    FILE + "      path: x\n      join: [{path: 'o_{day}', on: a}]": "line 3: .*but `path` has none",
    MAPPED
    + "status: {column: A, values: {x: done}}": "line 6: .*status.values.x: 'done' is none of placed, paid",
    MAPPED + "status: {constant: done}": "line 6: .*status.constant: 'done' is none of placed, paid",
    MAPPED + "currency: {constant: Euro}": "line 6: .*currency.constant: 'Euro' is no ISO 4217 code of three",
    MAPPED + "currency: {column: A, values: {€: Euro}}": "line 6: .*values.€: 'Euro' is no ISO 4217 code",
    MAPPED + "ordered_at: {column: A, date_format: '%Q'}": "line 6: .*'%Q': a sign behind a % means nothing",
    MAPPED
    + "ordered_at: {column: A, date_format: '%Y-%m-%d %H:%M %Z'}": "line 6: .*%Z would pass over the zone's",
    FILE
    + "      path: x\n      join: [{path: y, on: a, how: left}]": "line 5: .*how: .*sheets, path, on, prefix",
    "tables:\n  orders:\n    - columns: {}": r"line 3: tables.orders\[0\]: it has no `kind`",
    "tables:\n\torders:": "line 2.*indent with spaces, not with tabs",
    FILE + "      drop: {nobody: COALESCE(Who, '') = ''}": "line 4.*stands in marks itself: \"x = 'a, b'\"",
    MAPPED + "status: \"A\" || 'b'": "line 6.*; an expression that holds quotation marks",
    "tables: [": "cannot be read as YAML: .*line 1",
    "": "line 1: tables: it is missing",
    "tables:\n  orders: &a [*a]": "line 2: it is nested deeper than",
    "tables: &a\n  <<: *a": "line 1: it is nested deeper than",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_with_its_line_its_key_and_the_fix(own: OwnData, text: str) -> None:
    own.put("sources.yaml", text)
    with pytest.raises(SourcesError, match=MISTAKES[text]) as refused:
        own.home()
    assert "\n" not in str(refused.value)


def test_anchors_and_merged_keys_work(own: OwnData) -> None:
    own.put(
        "sources.yaml",
        "tables:\n  orders:\n    - &f {kind: files, path: x.csv, encoding: gbk}\n"
        "  texts:\n    - {<<: *f, encoding: utf-8}\n",
    )
    tables = own.home().tables
    assert [source.encoding for one in tables.values() for source in one] == ["gb18030", "utf-8"]  # type: ignore[union-attr]


def test_aliases_that_multiply_are_refused(own: OwnData) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    own.put("sources.yaml", "\n".join(lines))
    with pytest.raises(SourcesError, match="over 200,000 values"):
        own.home()


def test_names_that_no_column_has_are_told_by_a_check(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", csv_of([ROW]))
    own.put("more_2026-03-03.csv", "No,Colour\nA1,red\n")
    join = [{"path": "more_{day}.csv", "on": "No"}]
    numbers, ignore = ["Peices", "Pieces", "Colour"], ["Color"]
    own.says({"columns": ORDER, "path": "o_{day}.csv", "join": join, "numbers": numbers, "ignore": ignore})
    checked = check_table(own.home(), CollectionSettings(), "orders")
    assert checked.doubts == (
        "`numbers` names Peices, but no column is called so",
        "`ignore` names Color, but no column is called so",
    )


@pytest.mark.parametrize(
    ("sheets", "left"),
    [([], "April, May"), (["April"], "March, May"), (["March", "April", "May"], ""), ("*", "")],
)
def test_sheets_that_are_not_read_are_told_by_a_check(own: OwnData, sheets: Any, left: str) -> None:
    rows: list[list[str | float]] = [list(ROW), ["A1", "2026-03-03 10:00:00", "C1", 2, 19.9]]
    workbook(own.folder / "o_2026-03-03.xlsx", rows, ("March", "April", "May"))
    own.says({"columns": ORDER, "path": "o_{day}.xlsx", "sheets": sheets})
    told = (f"o_2026-03-03.xlsx: its sheets {left} are not read; name them in `sheets`",) if left else ()
    assert check_table(own.home(), CollectionSettings(), "orders").doubts == told


@pytest.mark.parametrize(
    ("written", "said", "doubtful"),
    [("utf-8", "latin-1", True), ("utf-8", "utf-8", False), ("latin-1", "latin-1", False)],
)
def test_utf8_that_is_said_to_be_of_another_encoding_is_asked_about(
    own: OwnData, written: str, said: str, doubtful: bool
) -> None:
    own.put("f_2026-03-03.csv", csv_of([ROW | {"Who": "Zoë"}, ROW | {"Who": "Ann"}]).encode(written))
    own.says({"path": "f_{day}.csv", "encoding": said, "columns": ORDER})
    doubts = check_table(own.home(), CollectionSettings(), "orders").doubts
    assert any("would be sound UTF-8" in doubt for doubt in doubts) is doubtful
