"""Delivered files: odd ones are read, wrong ones end in one error that says what to do."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.finding import delivered_days, find_delivery
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.tables import DELIVERIES, RAW

DAY = date(2026, 3, 3)
HEADER = "customer_id,purpose,effective_at,status\n"
ROW = "C1,profiling,2026-03-01,granted\n"
CONSENTS = HEADER + ROW
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
ORDERS = pl.DataFrame(
    {
        "order_id": [7, 8],
        "line_number": [1, 1],
        "status_at": [NOON, NOON],
        "customer_id": [12, 13],
        "ordered_at": [NOON, NOON],
        "status": ["paid", "paid"],
        "quantity": [1, 2],
        "amount_minor": [100, 200],
        "currency": ["CNY", "CNY"],
    }
)
NEVER_CLOSED = HEADER + ROW + 'C2,"profiling,2026-03-01,granted\n' + ROW * 3


def truncated(frame: pl.DataFrame) -> bytes:
    whole = io.BytesIO()
    frame.write_parquet(whole)
    return whole.getvalue()[:-60]


def json_lines(*rows: object) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


WRONG: dict[str, tuple[str, str | bytes, str]] = {
    "an empty file": ("csv", "", r"it is empty \(0 bytes\); a day without rows is a header"),
    "an empty file inside gzip": ("csv.gz", gzip.compress(b"", mtime=0), "it is empty; a day without rows"),
    "only an empty line": ("csv", "\n", "it has no header"),
    "truncated Parquet": ("parquet", truncated(ORDERS), "not a whole Parquet file: .*deliver it again"),
    "CSV named Parquet": ("parquet", CONSENTS, "not a whole Parquet file"),
    "binary in a CSV": ("csv", CONSENTS.encode() + b"\x00\x01", "holds binary bytes.*deliver UTF-8 text"),
    "binary without zeros": ("csv", bytes(range(1, 256)) * 9, "line 2 is not UTF-8"),
    "UTF-16": ("csv", CONSENTS.encode("utf-16"), "it is UTF-16; deliver UTF-8 text"),
    "GBK cells": ("csv", (CONSENTS + "王,a,b,c\n").encode("gbk"), "line 3 is not UTF-8 .*deliver UTF-8"),
    "GBK header": ("csv", ("城市," + CONSENTS).encode("gbk"), "line 1 is not UTF-8"),
    "GBK in NDJSON": ("ndjson", json_lines({"customer_id": "王"}).encode("gbk"), "line 1 is not UTF-8"),
    "a cut character at the end": ("csv", CONSENTS.encode() + "王".encode()[:2], "line 3 is not UTF-8"),
    "not gzip, but zip": ("csv.gz", b"PK\x03\x04\x14\x00\x00\x00", "holds binary bytes"),
    "truncated gzip": (
        "csv.gz",
        gzip.compress(CONSENTS.encode(), mtime=0)[:-12],
        "ended before.*deliver it again",
    ),
    "a damaged gzip": (
        "csv.gz",
        gzip.compress(CONSENTS.encode(), mtime=0)[:-8] + b"\0" * 8,
        "CRC check failed",
    ),
    "a missing required column": (
        "csv",
        "customer_id,purpose,effective_at\n",
        r"required columns \['status'\] are missing; it has \['customer_id', .*Deliver them, or rename",
    ),
    "columns in another case": (
        "csv",
        CONSENTS.replace("customer_id", "Customer ID"),
        r"required columns \['customer_id'\] are missing.*did you mean 'Customer ID' for customer_id\?",
    ),
    "a duplicate column": (
        "csv",
        CONSENTS.replace("purpose", "customer_id"),
        r"columns \[1, 2\] have the same name; name every column once",
    ),
    "a duplicate column but for spaces": (
        "csv",
        CONSENTS.replace("purpose", " customer_id"),
        r"columns \[1, 2\] have the same name",
    ),
    "a quotation mark that is never closed": ("csv", NEVER_CLOSED, "mark in row 2 is never closed"),
    "one never closed, in the last cell": (
        "csv",
        HEADER + 'C1,profiling,2026-03-01,"granted\n' + ROW,
        "mark in row 1 is never closed",
    ),
    "two never closed, each at the mark of the other": (
        "csv",
        HEADER + ROW + 'C2,"profiling,2026-03-01,granted\n' + ROW + 'C3,"profiling,2026-03-01,granted',
        "mark in row 2 is never closed",
    ),
    "NDJSON of arrays": ("ndjson", json_lines([1], [2]), "no line of it is a JSON object.*one JSON object a"),
    "one JSON array": ("ndjson", json_lines([{"customer_id": "C1"}]), "no line of it is a JSON object"),
    "objects without columns": ("ndjson", "{}\n{}\n", "no line of it is a JSON object with columns"),
    "mostly ragged lines": ("csv", HEADER + ROW * 4 + "C1,x\n" * 8, "8 of 12 lines cannot be split"),
    "mostly a wrong date format": (
        "csv",
        HEADER + "C1,profiling,01/03/2026,granted\n" * 9 + ROW * 3,
        r"column effective_at: 9 of 12 cells cannot be read \(shaped like '99/99/9999'\); dates are ISO",
    ),
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_wrong_file_is_one_error_and_changes_nothing(shop, wrong: str) -> None:
    form, content, says = WRONG[wrong]
    shop.deliver("consents", CONSENTS)
    shop.load("consents")
    shop.deliveries.joinpath("consents", f"{DAY}.csv").unlink()
    shop.deliver("consents", content, form=form)
    before = shop.raw("consents"), shop.warehouse.frame(DELIVERIES)
    with pytest.raises(DeliveryError, match=says) as refused:
        shop.load("consents", rebuild=True)
    assert str(refused.value).startswith(f"consents of {DAY}: consents/{DAY}.{form}: ")
    assert "\n" not in str(refused.value)
    assert shop.raw("consents").equals(before[0])
    assert shop.warehouse.frame(DELIVERIES).equals(before[1])


def test_a_refused_first_delivery_leaves_no_row(shop) -> None:
    shop.deliver("consents", "")
    with pytest.raises(DeliveryError):
        shop.load("consents")
    assert shop.warehouse.days(RAW["consents"]) == []
    assert shop.warehouse.days(DELIVERIES) == []


@pytest.mark.parametrize(
    "content",
    [
        "王芳,fang@example.com,13800138000\nC1,2026-03-01,profiling\n",
        "王芳,王芳,13800138000\nC1,2026-03-01,profiling\n",
        HEADER + "王芳," + "x" * 3_000_000 + '\n"',
        HEADER + "王芳,profiling,fang@example.com,granted\n" * 12,
    ],
    ids=["no header", "no header, cells alike", "a long open row", "personal data in a date"],
)
def test_an_error_never_quotes_a_cell(shop, content: str) -> None:
    shop.deliver("consents", content)
    with pytest.raises(DeliveryError) as refused:
        shop.receive("consents", door=shop.door_with(longest_line_bytes=1_000_000))
    assert not any(cell in str(refused.value) for cell in ("王芳", "fang@", "13800138000", "xxx"))
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("form", ["csv", "csv.gz", "ndjson"])
def test_an_endless_line_is_refused_in_constant_memory_before_its_end_is_read(shop, form: str) -> None:
    file = shop.deliver("consents", "", form=form)
    megabyte = b"x" * 1_000_000
    with gzip.open(file, "wb", compresslevel=1) if form == "csv.gz" else file.open("wb") as stream:
        for _ in range(200):
            stream.write(megabyte)
        stream.write(b"\0")  # who reads as far refuses the file for this
    tracemalloc.start()
    with pytest.raises(DeliveryError, match=r"a line is longer than 16,000,000 bytes; deliver one row per"):
        shop.receive("consents")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000


def names(folder: Path, *entries: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        place = folder / entry
        place.parent.mkdir(exist_ok=True)
        place.mkdir() if entry.endswith("/") else place.write_text(CONSENTS)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (["2026-03-03.csv", "2026-03-03.parquet"], "more than once .*03.csv, .*03.parquet.*; keep one"),
        (["2026-03-03.csv", "2026-03-03/a.csv"], "more than once"),
        (["2026-03-03/a.csv", "2026-03-03/b.xlsx"], "consents/2026-03-03/b.xlsx cannot be read"),
        (["2026-03-03/a.csv", "2026-03-03/b.csv/"], "consents/2026-03-03/b.csv cannot be read"),
        (["2026-03-03.xlsx"], "2026-03-03.xlsx cannot be read; .* formats are csv, csv.gz, ndjson, parquet"),
        (["2026-03-03.CSV"], "2026-03-03.CSV cannot be read"),
        (["2026-03-03.parquet/"], "2026-03-03.parquet cannot be read; a delivery is <day>.<format> or"),
    ],
)
def test_a_delivery_that_cannot_be_told_is_refused_by_name(shop, entries: list[str], says: str) -> None:
    names(shop.deliveries / "consents", *entries)
    with pytest.raises(DeliveryError, match=f"consents of 2026-03-03.*{says}"):
        shop.load("consents")


def test_what_is_hidden_or_still_being_sent_is_no_delivery(shop) -> None:
    names(
        shop.deliveries / "consents", ".2026-03-03.csv", "2026-03-03.csv.part", "readme.txt", "20260304.csv"
    )
    assert shop.load("consents").fate == "absent"
    assert delivered_days(shop.door.home, "consents") == []


def test_a_checksum_beside_a_delivery_does_no_harm(shop) -> None:
    names(shop.deliveries / "consents", "2026-03-03.csv", "2026-03-03.csv.md5")
    assert shop.load("consents").rows == 1


def test_a_folder_of_files_is_one_delivery(shop) -> None:
    names(shop.deliveries / "consents" / str(DAY), "b.csv", "a.csv", "_SUCCESS", ".a.csv.crc")
    rows = shop.receive("consents").rows
    assert rows["source"].to_list() == [f"consents/{DAY}/a.csv", f"consents/{DAY}/b.csv"]
    assert rows["row_number"].to_list() == [1, 1]
    assert rows["exact_copy"].to_list() == [False, True]
    assert delivered_days(shop.door.home, "consents") == [DAY]


def test_one_wrong_file_of_a_folder_is_named_however_many_are_right(shop) -> None:
    folder = shop.deliveries / "consents" / str(DAY)
    names(folder, "a.csv")
    (folder / "a.csv").write_text(HEADER + ROW * 90)
    (folder / "b.csv").write_text(HEADER + "C1,profiling,1.3.2026,granted\n" * 10)
    with pytest.raises(DeliveryError, match=f"consents/{DAY}/b.csv: column effective_at: 10 of 10 cells"):
        shop.receive("consents")


def test_no_file_is_no_delivery(tmp_path: Path) -> None:
    home = Home(tmp_path, "UTC", DAY, 1_000)
    assert find_delivery(home, "consents", DAY) is None
    assert delivered_days(home, "consents") == []


FINE: dict[str, str | bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + CONSENTS.encode(),
    "Windows line ends": CONSENTS.replace("\n", "\r\n"),
    "old Mac line ends": CONSENTS.replace("\n", "\r"),
    "no last line end": CONSENTS.rstrip(),
    "blank lines": "\n" + HEADER + "\n\n" + ROW + "\n\n",
    "quoted cells": CONSENTS.replace("C1", '"C1"').replace("purpose", '"purpose"'),
    "spaces round names": CONSENTS.replace("purpose", " purpose "),
    "columns in another order": "status,effective_at,purpose,customer_id\ngranted,2026-03-01,profiling,C1\n",
}


@pytest.mark.parametrize("fine", list(FINE))
def test_an_odd_csv_is_read_as_the_plain_one(shop, fine: str) -> None:
    shop.deliver("consents", CONSENTS)
    plain = shop.receive("consents").rows
    shop.deliver("consents", FINE[fine])
    assert shop.receive("consents").rows.equals(plain)


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("csv", HEADER),
        ("csv", HEADER.strip()),
        ("csv.gz", gzip.compress(HEADER.encode(), mtime=0)),
        ("ndjson", "\n"),
    ],
)
def test_a_day_without_rows_can_be_delivered(shop, form: str, content: str | bytes) -> None:
    shop.deliver("consents", content, form=form)
    assert shop.load("consents").fate == "loaded"
    assert shop.clean("consents").is_empty()
    assert [fate["received"] for fate in shop.fates("consents")] == [0]


def test_parquet_without_rows_can_be_delivered(shop) -> None:
    shop.deliver("orders", ORDERS.clear())
    assert shop.receive("orders").rows.is_empty()


def test_a_quoted_cell_can_hold_lines_commas_and_quotes(shop) -> None:
    words = 'red\nshoes, "big"'
    quoted = words.replace('"', '""')
    shop.deliver("texts", f'text_id,customer_id,kind,created_at,body\nT1,C1,review,2026-03-01,"{quoted}"\n')
    row = shop.receive("texts").rows.row(0, named=True)
    assert shop.open("texts", row, "body", row["body_sealed"]) == words


def test_quotation_marks_within_a_cell_of_several_lines_close_nothing(shop) -> None:
    header = "text_id,customer_id,kind,created_at,rating,body\n"
    words = ['said:\r\n""yes"", twice', 'a\nsaid "well" now', "twelve,\r\nthen,", "five\n1,2,3,4,5"]
    lines = [f'T{n},C1,review,2026-03-01,5,"{each}"\r\n' for n, each in enumerate(words)]
    shop.deliver("texts", header + "".join(lines))
    assert shop.receive("texts").rows["text_id"].to_list() == ["T0", "T1", "T2", "T3"]


def test_ragged_lines_keep_their_place_and_their_words(shop) -> None:
    more = ROW.strip() + ",x,y"
    shop.deliver("consents", HEADER + ROW + "C2,profiling\n" + ROW.replace("1", "3", 1) + more + "\n")
    rows = shop.receive("consents").rows
    assert rows["row_number"].to_list() == [1, 2, 3, 4]
    assert rows["broken_rules"].to_list() == [[], ["ragged_row"], [], ["ragged_row"]]
    lines = [
        json.loads(shop.open("consents", row, "original", row["original_sealed"]))
        for row in rows.rows(named=True)
        if row["original_sealed"]
    ]
    assert lines == [{"_line": "C2,profiling"}, {"_line": more}]


def test_ragged_lines_behind_the_first_block_keep_their_place(shop) -> None:
    shop.deliver("consents", HEADER + ROW * 40_000 + "C2,profiling\n" + ROW * 40_000 + "C3\n")
    rows = shop.receive("consents", door=shop.door_with(longest_line_bytes=1_000)).rows
    assert rows["row_number"].to_list() == list(range(1, 80_003))
    ragged = rows.filter(pl.col("broken_rules").list.contains("ragged_row"))
    assert ragged["row_number"].to_list() == [40_001, 80_002]


@pytest.mark.parametrize(
    "line",
    ['[1, 2]', '{"customer_id": "C9"', '{"customer_id": "C9", "customer_id": "C8"}', '{"purpose": "\\ud83d"}',
     '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", '"text"', "9" * 5_000],
    ids=["array", "cut", "name twice", "half a character", "nested without end", "text", "number"],
)  # fmt: skip
def test_a_line_that_is_no_json_object_is_a_ragged_row(shop, sound, line: str) -> None:
    shop.deliver("consents", json_lines(sound("consents")) + f"\n\n{line}\n", form="ndjson")
    rows = shop.receive("consents").rows
    assert rows["broken_rules"].to_list() == [[], ["ragged_row"]]
    original = shop.open("consents", rows.row(1, named=True), "original", rows["original_sealed"][1])
    assert json.loads(original) == {"_line": line}


def test_json_values_are_read_by_their_text(shop, sound) -> None:
    rows = [
        sound("campaign_contacts", randomised=True, assignment_probability=0.5, cost_minor=1e3),
        sound("campaign_contacts", customer_id=7, randomised=False, channel="sms", opened_at=None),
    ]
    shop.deliver("campaign_contacts", rows)
    found = shop.receive("campaign_contacts").rows
    assert found["broken_rules"].to_list() == [[], []]
    assert found.select("randomised", "assignment_probability", "cost_minor").rows() == [
        (True, 0.5, 1000),
        (False, None, None),
    ]
    assert found["customer_key"][1] == shop.keys.key("7")


@pytest.mark.parametrize("number", ["17850.0", "1.785E4"])
def test_a_whole_number_of_json_is_the_same_id_however_it_is_written(shop, sound, number: str) -> None:
    row = json.dumps(sound("orders", customer_id=0)).replace('"customer_id": 0', f'"customer_id": {number}')
    shop.deliver("orders", row, form="ndjson")
    assert shop.receive("orders").rows["customer_key"].to_list() == [shop.keys.key("17850")]


TYPED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "integers as ids": ({}, {"order_id": "7", "quantity": 1, "ordered_at": NOON}),
    "floats for integers and ids": (
        {"order_id": pl.Float64, "quantity": pl.Float32, "amount_minor": pl.Float64},
        {"order_id": "7", "quantity": 1, "amount_minor": 100},
    ),
    "decimals": ({"amount_minor": pl.Decimal(12, 2)}, {"amount_minor": 100}),
    "categories": ({"status": pl.Categorical, "currency": pl.Enum(["CNY"])}, {"status": "paid"}),
    "dates": ({"ordered_at": pl.Date}, {"ordered_at": datetime(2026, 2, 28, 16, tzinfo=UTC)}),
    "milliseconds": ({"ordered_at": pl.Datetime("ms", "UTC")}, {"ordered_at": NOON}),
    "nanoseconds": ({"ordered_at": pl.Datetime("ns", "UTC")}, {"ordered_at": NOON}),
    "another zone": ({"ordered_at": pl.Datetime("us", "America/New_York")}, {"ordered_at": NOON}),
    "binary text": ({"currency": pl.Binary}, {"currency": "CNY"}),
}


@pytest.mark.parametrize("typed", list(TYPED))
def test_parquet_types_are_read_as_what_they_mean(shop, typed: str) -> None:
    casts, means = TYPED[typed]
    shop.deliver("orders", ORDERS.cast(casts))
    row = shop.receive("orders").rows.row(0, named=True)
    assert row["broken_rules"] == []
    assert {name: row[name] for name in means} == means


def test_parquet_times_without_zone_are_business_time(shop) -> None:
    shop.deliver("orders", ORDERS.with_columns(pl.col("ordered_at").dt.replace_time_zone(None)))
    assert shop.receive("orders").rows["ordered_at"][0] == datetime(2026, 2, 28, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "dtype", [pl.Date, pl.Datetime("ms"), pl.Datetime("us", "UTC"), pl.Datetime("us", "Asia/Shanghai")]
)
def test_parquet_times_too_far_away_to_be_written_are_broken_alone(shop, dtype: Any) -> None:
    infinite = 2**31 - 1 if dtype == pl.Date else 2**63 - 1
    times = pl.Series([infinite, ORDERS["ordered_at"].cast(dtype).to_physical()[1]]).cast(dtype)
    shop.deliver("orders", ORDERS.with_columns(ordered_at=times, seen_at=times))
    rows = shop.receive("orders").rows
    assert rows["broken_rules"].to_list() == [["ordered_at|unparsable"], []]
    original = shop.open("orders", rows.row(0, named=True), "original", rows["original_sealed"][0])
    assert json.loads(original)["seen_at"] == str(infinite)


def test_unreadable_parquet_cells_are_broken_not_lost(shop) -> None:
    amounts = pl.Series([float("nan"), 1e30])
    shop.deliver("orders", ORDERS.with_columns(amount_minor=amounts))
    rows = shop.receive("orders").rows
    broken = [["amount_minor|non_finite"], ["amount_minor|unparsable"]]
    assert rows["broken_rules"].to_list() == broken
    original = shop.open("orders", rows.row(0, named=True), "original", rows["original_sealed"][0])
    assert json.loads(original)["amount_minor"] == "NaN"


def test_nested_and_binary_columns_are_kept_as_text(shop) -> None:
    shop.deliver(
        "orders",
        ORDERS.with_columns(
            category=pl.Series([["a", "b"], None]),
            basket=pl.struct(pieces=pl.lit(1), at=pl.col("ordered_at")),
            picture=pl.lit(b"\xff\x00"),
            took=pl.duration(minutes=3),
            rate=pl.lit(Decimal("0.25")),
        ),
    )
    received = shop.receive("orders")
    assert received.unknown_columns == ("basket", "picture", "rate", "took")
    assert received.rows["category"].to_list() == ['["a", "b"]', None]
    extra = shop.open("orders", received.rows.row(0, named=True), "extra", received.rows["extra_sealed"][0])
    assert json.loads(extra)["picture"] == "ff00"
    assert json.loads(json.loads(extra)["basket"])["pieces"] == 1
