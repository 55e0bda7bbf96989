"""Exports as shop systems, marketplaces, ledgers and databases write them become rows by ``sources.yaml``."""

from __future__ import annotations

import gzip
import json
import re
import resource
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from customer_profiles.collection import formats, pieces, reading, text_files
from customer_profiles.collection.escapes import parted_by_one_sign
from customer_profiles.collection.layouts import Layout
from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.repeats import Repeats
from customer_profiles.collection.sources import check, histories
from customer_profiles.collection.sources.changes import reading_states, what_changed
from customer_profiles.collection.sources.finding import delivered_days, find_delivery
from customer_profiles.collection.sources.load import SourcesError
from customer_profiles.collection.sources.mapping import maps_piece_by_piece
from customer_profiles.collection.sources.places import on_day
from customer_profiles.collection.sources.schema import FilesSource
from customer_profiles.settings import CollectionSettings
from customer_profiles_tests.collection.conftest import OwnData, workbook

if TYPE_CHECKING:
    from pathlib import Path

OWN_DAY = date(2026, 3, 3)
ORDER = {
    "order_id": "No",
    "line_number": {"place_in": "No"},
    "status_at": "At",
    "ordered_at": "At",
    "customer_id": "Who",
    "quantity": {"constant": "1"},
    "amount_minor": {"column": "Paid", "minor_units": 2},
    "currency": {"constant": "EUR"},
    "status": {"constant": "paid"},
}


def column(rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def test_what_stands_on_an_orders_first_line_alone_holds_for_its_other_lines(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv",
        "No,At,Who,Paid,State\n#1,2026-03-03 10:00:00 +0800,a@b.cn,9.99,paid\n"
        "#1,2026-03-03 10:00:00 +0800,a@b.cn,5.00,\n#2,2026-03-03 11:00:00 +0800,a@b.cn,1.00,voided\n",
    )
    state = {"expression": "FIRST(State) OVER (PARTITION BY No)", "values": {"voided": "cancelled"}}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "status": state}})
    assert column(own.rows(), "status") == ["paid", "paid", "cancelled"]
    assert column(own.rows(), "ordered_at")[0] == datetime(2026, 3, 3, 2, tzinfo=UTC)


def test_days_since_the_order_before_add_up_to_days(own: OwnData) -> None:
    own.put("f.csv", "No,who,nth,gap,Paid\n3,u1,10,7.0,1\n1,u1,1,,1\n2,u1,2,15.0,1\n4,u2,1,,1\n")
    days = "SUM(COALESCE(gap, 0)) OVER (PARTITION BY who ORDER BY nth)"
    at = {"expression": days, "date_format": "days_since 2026-03-01"}
    columns = ORDER | {"customer_id": "who", "ordered_at": at, "status_at": at}
    own.says({"path": "f.csv", "numbers": ["gap", "nth"], "columns": columns})
    assert delivered_days(own.home(), "orders")[-1] == date(2026, 3, 23)
    assert [column(own.rows(day=date(2026, 3, day)), "order_id") for day in (1, 16, 23)] == [
        ["1", "4"],
        ["2"],
        ["3"],
    ]


def test_a_file_for_all_days_may_have_a_column_of_the_platforms_own_name(own: OwnData) -> None:
    own.put("f.csv", "No,At,Who,Paid,source\n1,2026-03-03 10:00:00,u1,9.99,newsletter\n")
    own.says({"path": "f.csv", "columns": ORDER})
    assert column(own.rows(), "amount_minor") == [999]


def test_files_are_joined_on_columns_of_other_names_and_in_other_layouts(own: OwnData) -> None:
    own.put("lines_2026-03-03.csv", "order,sku,Paid,status\nA,s1,1.00,packed\nA,s2,2.00,packed\nB,s3,3,\n")
    own.put("orders.txt", "id;buyer;At;status\nA;b1;2026-03-03 10:00:00;paid\nC;b9;2026-03-03;paid\n")
    own.put("buyers.csv", "key,Who\nb1,Köln-1\n".encode("cp1252"))
    own.says(
        {
            "path": "lines_{day}.csv",
            "join": [
                {
                    "path": "orders.txt",
                    "format": "csv",
                    "delimiter": ";",
                    "on": {"order": "id"},
                    "prefix": "o_",
                },
                {"path": "buyers.csv", "encoding": "cp1252", "on": {"o_buyer": "key"}},
            ],
            "columns": {
                **ORDER,
                "order_id": "order",
                "line_number": {"place_in": "order"},
                "ordered_at": "o_At",
                "status_at": "o_At",
                "status": "o_status",
                "product_id": "sku",
            },
        }
    )
    received = own.receive()
    assert column(received.rows.to_dicts(), "status") == ["paid", "paid", None]
    assert received.rows["customer_key"].is_null().to_list() == [False, False, True]
    assert received.unknown_columns == ("status as delivered",)


def test_files_are_joined_on_what_expressions_and_paths_tell(own: OwnData) -> None:
    lines = ({"No": 1, "At": "2026-03-03T10:00:00Z", "Paid": 5, "by": {"mail": "Ann@X.de"}, "cur": "USD"},)
    own.put("l_2026-03-03.ndjson", "".join(json.dumps(line) + "\n" for line in lines))
    own.put("who.csv", "mail,Who\nBob@x.de,2\nANN@x.de,7\n")
    own.put("rates.csv", "day,cur,rate\n2026-03-02,USD,0.5\n2026-03-03,USD,0.9\n")
    joins = [
        {"path": "who.csv", "on": {'LOWER("by.mail")': "LOWER(mail)"}, "format": "csv"},
        {"path": "rates.csv", "on": {"SUBSTR(At, 1, 10)": "day", "cur": "cur"}, "format": "csv"},
        {
            "path": "who.csv",
            "on": {"by.mail": "REPLACE(mail, 'ANN@x', 'Ann@X')"},
            "format": "csv",
            "prefix": "w_",
        },
    ]
    columns = {
        **ORDER,
        "amount_minor": {"expression": "Paid * rate", "minor_units": 2},
        "product_id": "w_Who",
    }
    own.says({"path": "l_{day}.ndjson", "numbers": ["Paid", "rate"], "join": joins, "columns": columns})
    received = own.receive()
    assert column(received.rows.to_dicts(), "amount_minor") == [450]
    assert column(received.rows.to_dicts(), "product_id") == ["7"]
    assert received.rows["customer_key"].is_not_null().all()


def test_rows_that_name_nothing_are_joined_to_none(own: OwnData) -> None:
    lines = "No,Part,At,Paid\n,,2026-03-03,1\n1,,2026-03-03,2\n"
    own.put("l_2026-03-03.csv", lines)
    own.put("l_2026-03-03.ndjson", pl.read_csv(lines.encode(), infer_schema=False).write_ndjson())
    own.put("o.csv", "No,Part,Who\n,,a totals line\n1,,b\n")
    for form in ("csv", "ndjson"):  # what is empty in one is NULL in the other
        for on, keys in (("No", [False, True]), (["No", "Part"], [False, True]), ("Part", [False, False])):
            own.says({"path": f"l_{{day}}.{form}", "join": [{"path": "o.csv", "on": on}], "columns": ORDER})
            assert [row["customer_key"] is not None for row in own.rows()] == keys


def test_a_joined_file_whose_name_tells_no_format_has_the_sources(own: OwnData) -> None:
    own.put("l_2026-03-03.asc", "No;At;Paid\n1;2026-03-03;1\n")
    own.put("o.asc", "No;Who\n1;a\n")
    source = {"path": "l_{day}.asc", "format": "csv", "delimiter": ";"}
    own.says({**source, "join": [{"path": "o.asc", "on": "No"}], "columns": ORDER})
    (row,) = own.rows()
    assert row["customer_key"] is not None


def test_expressions_and_rules_see_cells_without_spaces_around_them(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv",
        "No,At,Done,Who,Paid,State\n1\t,2026-03-03,\t,c,1,ok\t\n1,2026-03-03,\t2026-03-04\t,c,1,ok\n"
        "2,2026-03-03,,c,1,test\t\n",
    )
    done = {"expression": "COALESCE(NULLIF(Done, ''), At)"}
    source = {"path": "o_{day}.csv", "drop": {"tests": "State = 'test'"}}
    own.says({**source, "columns": {**ORDER, "status_at": done}})
    rows = own.rows()
    assert [row["status_at"].day for row in rows] == [3, 4]
    assert column(rows, "line_number") == [1, 2]


def test_what_excel_keeps_as_text_is_joined_and_counted_by_expressions(own: OwnData) -> None:
    own.put("l_2026-03-03.csv", 'No,Pieces,Price\n="001",`2,`1.50\n="001",="1",2.00\n002\t,`1,3.00\n')
    own.put("o.csv", 'No,At,Who\n001\t,2026-03-03,a\n="002",2026-03-03,b\n="003",2026-03-03,c\n')
    price = {"expression": "Price * Pieces", "minor_units": 2}
    columns = {**ORDER, "quantity": "Pieces", "amount_minor": price}
    source = {"path": "l_{day}.csv", "join": [{"path": "o.csv", "on": "No"}], "numbers": ["Pieces", "Price"]}
    own.says({**source, "columns": columns})
    rows = own.rows()
    assert column(rows, "order_id") == ["001", "001", "002"]
    assert column(rows, "amount_minor") == [300, 200, 300]
    assert len({row["customer_key"] for row in rows} - {None}) == 2


def test_a_check_tells_of_a_join_that_finds_nothing(own: OwnData) -> None:
    own.put("l_2026-03-03.csv", "No,At,Paid\n1,2026-03-03,1\n")
    own.put("o.csv", "No,Who\n0001,a\n0002,b\n")
    own.says({"path": "l_{day}.csv", "join": [{"path": "o.csv", "on": "No"}], "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith(
        "join o.csv: none of its 2 rows is joined to a row of the day; see that both files"
    )
    times = {"ordered_at": "Day", "status_at": "Day"}
    own.put("o.csv", "No,Who,Day\n0001,a,2026-03-03\n")
    own.says({"path": "l_*.csv", "join": [{"path": "o.csv", "on": "No"}], "columns": {**ORDER, **times}})
    with pytest.raises(
        DeliveryError, match=r"its times \(status_at, ordered_at\) are empty in every row; map"
    ):
        delivered_days(own.home(), "orders")


def test_a_check_tells_of_numbers_that_begin_anew_at_every_till(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv",
        "Till,No,At,Who,Paid\n1,7,2026-03-03,a,1\n1,7,2026-03-03,a,1\n2,7,2026-03-03,b,2\n",
    )
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("1 of 1 orders have several customers; if numbers begin anew in every shop")
    number = {"order_id": {"expression": "Till || '-' || No"}}
    own.says({"path": "o_{day}.csv", "columns": ORDER | number})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_a_join_on_a_column_that_is_not_there_says_whose_it_is(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No\n1\n")
    own.put("more.csv", "id\n1\n")
    for on, named, says in (
        ({"No": "nr"}, "nr", "it has no such columns"),
        ({"nr": "id"}, "nr", "the rows have no such columns"),
        ({"LOWR(No)": "id"}, "LOWR(No)", "the rows have no such columns, and that is no Polars-SQL over"),
    ):
        own.says({"path": "o_{day}.csv", "join": [{"path": "more.csv", "on": on}], "columns": ORDER})
        why = f"more.csv: it cannot be joined on ['{named}']: {says}"
        with pytest.raises(reading.DeliveryError, match=re.escape(why)):
            own.receive()


def as_a_cell(document: object) -> str:
    return '"' + json.dumps(document).replace('"', '""') + '"'


@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_in_json_that_stands_in_a_cell_are_those_of_ndjson(own: OwnData, decimal: str) -> None:
    documents_of = [
        {"id": 2026030122001412345678901234 + n, "paid": 12.125, "who": 17.0, "of": [{"n": 10**19}]}
        for n in (0, 1)
    ]
    own.put(
        "o_2026-03-03.csv", "At;doc\n" + "".join(f"2026-03-03;{as_a_cell(each)}\n" for each in documents_of)
    )
    own.put("o_2026-03-03.ndjson", documents(*({"At": "2026-03-03", "doc": each} for each in documents_of)))
    columns = {
        **ORDER,
        "line_number": {"constant": "1"},
        "order_id": "doc.id",
        "product_id": "doc.of[0].n",
        "customer_id": "doc.who",
        "amount_minor": {"column": "doc.paid", "minor_units": 3},
    }
    told = []
    for form in ("csv", "ndjson"):
        own.says({"path": f"o_{{day}}.{form}", "delimiter": ";", "decimal": decimal, "columns": columns})
        told.append(own.receive().rows.select("order_id", "product_id", "customer_key", "amount_minor"))
    assert told[0].equals(told[1])
    assert told[0]["order_id"].to_list() == [str(each["id"]) for each in documents_of]
    assert told[0]["amount_minor"].to_list() == [12125, 12125]


@pytest.mark.parametrize("where", ["doc", "doc.of"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_in_a_list_that_stands_in_a_cell_are_exact(own: OwnData, decimal: str, where: str) -> None:
    entries = [{"id": 1, "paid": 1.125}, {"id": 2 * 10**19 + 1, "paid": 2.5}]
    cell = as_a_cell(entries if where == "doc" else {"of": entries})
    own.put("o_2026-03-03.csv", f"At;Who;doc\n2026-03-03;c;{cell}\n")
    paid = {"column": f"{where}.paid", "minor_units": 3}
    columns = {**ORDER, "line_number": f"{where}.#", "order_id": f"{where}.id", "amount_minor": paid}
    layout = {"delimiter": ";", "decimal": decimal, "rows_of": where}
    own.says({"path": "o_{day}.csv", **layout, "columns": columns})
    rows = own.rows()
    assert column(rows, "order_id") == ["1", "20000000000000000001"]
    assert column(rows, "amount_minor") == [1125, 2500]


def test_a_value_that_no_json_is_stays_as_it_is(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid,doc\nA,2026-03-03,c,1,{1234567890123456789\n")
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "product_id": "doc.id"}})
    assert column(own.rows(), "product_id") == [None]


def test_a_constant_is_written_with_a_point_or_as_its_file_is(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No;At;Who\nA;2026-03-03;c\n")
    for said in ("12.50", "12,50"):
        columns = {**ORDER, "amount_minor": {"constant": said, "minor_units": 2}}
        own.says({"path": "o_{day}.csv", "delimiter": ";", "decimal": ",", "columns": columns})
        assert column(own.rows(), "amount_minor") == [1250]


def test_a_csv_file_is_joined_to_a_fixed_width_one(own: OwnData) -> None:
    own.put("l_2026-03-03.txt", "A2026-03-03c1\n")
    own.put("o.csv", "No,state\nA,paid\n")
    source = {"fixed": {"No": [1, 1], "At": [2, 11], "Who": [12, 12], "Paid": [13, 13]}}
    join = [{"path": "o.csv", "on": "No"}]
    own.says({"path": "l_{day}.txt", "join": join, "columns": {**ORDER, "status": "state"}, **source})
    assert column(own.rows(), "status") == ["paid"]


BOUGHT = {"No": "1", "At": "2026-03-03 10:00:00", "Who": "c", "Paid": "1.00"}


def documents(*orders: dict[str, Any]) -> str:
    return "".join(json.dumps(order) + "\n" for order in orders)


BY_ENTRY = {
    "path": "o_{day}.ndjson",
    "rows_of": "order.items",
    "columns": {
        **ORDER,
        "order_id": "order.id",
        "line_number": {"place_in": "order.id"},
        "product_id": "order.items.sku",
        "amount_minor": {"column": "order.items.paid", "minor_units": 2},
    },
}


def test_every_entry_of_a_list_within_an_order_becomes_a_line(own: OwnData) -> None:
    at = {"At": "2026-03-03 10:00:00", "Who": "c"}
    items = [{"sku": "x", "paid": 1.5}, {"sku": "y", "paid": 2}]
    own.put(
        "o_2026-03-03.ndjson",
        documents(at | {"order": {"id": "A", "items": items}}, at | {"order": {"id": "B", "items": []}}),
    )
    own.says(BY_ENTRY)
    rows = own.rows()
    assert column(rows, "product_id") == ["x", "y", None]
    assert column(rows, "line_number") == [1, 2, 1]
    assert column(rows, "amount_minor") == [150, 200, None]
    assert column(rows, "row_number") == [1, 2, 3]
    assert rows[2]["broken_rules"] == ["amount_minor|required"]  # an order without lines is not lost


def test_entries_of_a_list_within_entries_become_lines(own: OwnData) -> None:
    at = {"At": "2026-03-03 10:00:00", "Who": "c", "visit": "V"}
    bought = [{"sku": "x", "paid": 1.5}, {"sku": "y", "paid": 2}]
    hits = [{"id": "1", "product": None}, {"id": "2", "product": bought}, {"id": "3", "product": bought[:1]}]
    columns = {
        **ORDER,
        "order_id": "hits.id",
        "line_number": {"place_in": "hits.id"},
        "product_id": "hits.product.sku",
        "coupon_id": "hits.product.cupon",
        "amount_minor": {"column": "hits.product.paid", "minor_units": 2},
    }
    source = {"path": "o_{day}.ndjson", "columns": columns, "drop": {"no sale": '"hits.product" IS NULL'}}
    own.put("o_2026-03-03.ndjson", documents(at | {"hits": hits}))
    own.says(source | {"rows_of": ["hits", "hits.product"]})
    rows = own.rows()
    assert column(rows, "product_id") == ["x", "y", "x"]
    assert column(rows, "order_id") == ["2", "2", "3"]
    assert column(rows, "amount_minor") == [150, 200, 150]
    assert column(rows, "row_number") == [2, 3, 4]
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert checked.doubts == ("empty in all rows of the day: coupon_id (hits.product.cupon)",)
    own.says(source | {"rows_of": "hits.product"})
    with pytest.raises(DeliveryError, match=r"within a list; write `rows_of: \[hits, hits.product\]`"):
        own.receive()


def test_an_entry_of_an_order_that_came_twice_is_the_same_line(own: OwnData) -> None:
    bought = [{"paid": 1}, {"paid": 1}, {"paid": 2}]
    order = {"At": "2026-03-03", "Who": "c", "No": "1", "items": bought}
    own.put("o_2026-03-03.ndjson", documents(order, order, order | {"No": "2", "items": []}))
    paid = {"column": "items.paid", "minor_units": 2}
    source = {"path": "o_{day}.ndjson", "rows_of": "items"}
    own.says(source | {"columns": {**ORDER, "amount_minor": paid}})
    assert column(own.rows(), "line_number") == [1, 2, 3, 4, 5, 6, 1]
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("line_number: 4 of 7 rows are alike in all columns, and `place_in` makes each")
    assert "`items.#`" in doubt
    own.says(source | {"columns": {**ORDER, "amount_minor": paid, "line_number": "items.#"}})
    assert column(own.rows(), "line_number") == [1, 2, 3, 1, 2, 3, 1]
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert (checked.duplicates, checked.doubts) == (3, ())


@pytest.mark.parametrize("stated", [{}, {"format": "ndjson"}])
@pytest.mark.parametrize("pieces_of", [1, 9])
def test_a_name_that_no_object_of_a_day_or_piece_holds_is_null(
    own: OwnData, monkeypatch: pytest.MonkeyPatch, stated: dict[str, str], pieces_of: int
) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(pieces, "ROWS", pieces_of)
    order = {"At": "2026-03-03 10:00:00", "Who": "c", "Paid": 1}
    own.put("o_2026-03-03.ndjson", documents(order | {"No": "1"}, order | {"No": "2"}))
    columns = {**ORDER, "coupon_id": "coupon", "product_id": "items.sku"}
    own.says({"path": "o_{day}.ndjson", "rows_of": "items", "columns": columns, **stated})
    rows = own.rows()
    assert column(rows, "order_id") == ["1", "2"]
    assert column(rows, "coupon_id") == column(rows, "product_id") == [None, None]
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert checked.doubts == (
        "`rows_of` names items, but no column is called so",
        "empty in all rows of the day: coupon_id (coupon), product_id (items.sku)",
    )


def test_objects_that_hold_nothing_of_what_is_mapped_are_refused_and_none_are_a_day_without_rows(
    own: OwnData,
) -> None:
    own.put("o_2026-03-03.ndjson", documents({"Nummer": "1"}))
    own.says({"path": "o_{day}.ndjson", "columns": ORDER})
    with pytest.raises(DeliveryError, match=r"sources.yaml maps its columns .*'No'.*correct the mapping"):
        own.receive()
    own.put("o_2026-03-03.ndjson", "\n")
    assert own.rows() == []


def test_a_list_that_is_not_there_is_said(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At\nA,2026-03-03\n")
    own.says(BY_ENTRY | {"path": "o_{day}.csv"})
    with pytest.raises(
        reading.DeliveryError, match=r"rows_of names 'order.items', but it has \['No', 'At'\]"
    ):
        own.receive()


def test_entries_are_numbered_on_through_the_pieces_of_a_large_file(
    own: OwnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(pieces, "ROWS", 2)
    order = {"At": "2026-03-03 10:00:00", "Who": "c", "items": [{"sku": "x"}, {"sku": "y"}]}
    own.put("o_2026-03-03.ndjson", documents(*({"No": str(n), **order} for n in range(5))))
    columns = {
        **ORDER,
        "line_number": {"constant": "1"},
        "order_id": {"hash_of": ["No", "items.sku"]},
        "amount_minor": {"constant": "5"},
        "product_id": "items.sku",
    }
    own.says({"path": "o_{day}.ndjson", "rows_of": "items", "columns": columns})
    received = own.receive()
    assert received.rows["row_number"].to_list() == list(range(1, 11))
    assert received.files["rows"].to_list() == [4, 4, 2]
    assert received.rows["product_id"].to_list() == ["x", "y"] * 5


def test_merged_cells_are_filled_from_above(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,c,1\n , ,,2\nB,2026-03-03,d,3\n")
    own.says({"path": "o_{day}.csv", "fill_down": ["No", "At", "Who"], "columns": ORDER})
    rows = own.rows()
    assert column(rows, "order_id") == ["A", "A", "B"]
    assert column(rows, "line_number") == [1, 2, 1]
    assert rows[0]["customer_key"] == rows[1]["customer_key"] != rows[2]["customer_key"]


LEDGER = (
    "HEXPORT 03.03.2026                \r\n"
    "PA1C1        03.03.2026      12,50\r\n"
    "PA2C2        03.03.2026   1.012,50-\r\n".replace("   1.012,50-", "  1.012,50-")
    + "E0002\r\n"
)


def test_head_and_trailer_of_a_ledger_are_left_out_and_counted(own: OwnData) -> None:
    own.put("l_2026-03-03.txt", LEDGER)
    own.says(
        {
            "path": "l_{day}.txt",
            "decimal": ",",
            "fixed": {"kind": [1, 1], "No": [2, 3], "Who": [4, 13], "At": [14, 23], "Paid": [24, 40]},
            "drop": {"head": "kind = 'H'", "trailer": "_line LIKE 'E%'"},
            "columns": {
                **ORDER,
                "ordered_at": {"column": "At", "date_format": "%d.%m.%Y"},
                "status_at": {"column": "At", "date_format": "%d.%m.%Y"},
                "status": {"constant": "returned"},
            },
        }
    )
    received = own.receive()
    assert received.rows["amount_minor"].to_list() == [1250, -101250]
    assert received.files["filtered_by"].to_list() == [["head: 1", "trailer: 1"]]


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        ("¥12,999.90", 1299990),
        ("12.50元", 1250),
        ("１２．５０", 1250),
        ("12,34,567.50", 123456750),
        ("(12.50)", -1250),
        ("12.50-", -1250),
        ("-12.50", -1250),
        ("USD 1,012.50", 101250),
        ("-R$ 12.50", -1250),
        ("Rs. 1,012.50", 101250),
        ("12.50 eur-", -1250),
        ("1'234’567.50", 123456750),
        ("CHF 1 234 ", 123400),
        ("Fr. 1'250.-", 125000),
        ("-12.— €", -1200),
        ("12,-", None),
        ("12€50", None),
        ("12'50", None),
        ("12 50 €", None),
        ("1 234 5", None),
        ("12.50 MIO", None),
        ("12.50 CR", None),
    ],
)
def test_amounts_are_read_as_people_and_bookkeepers_write_them(
    own: OwnData, written: str, minor: int | None
) -> None:
    own.put("o_2026-03-03.csv", f'No,At,Who,Paid\nA,2026-03-03,c,"{written}"\n')
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "status": {"constant": "returned"}}})
    assert column(own.rows(), "amount_minor") == [minor]


def test_equal_cells_are_mapped_alike_however_often_they_stand_there(own: OwnData) -> None:
    cells = [
        ('"¥1,234.50"', "2026-03-03 10:00"),
        ("", ""),
        ("1.2.3", "soon"),
        ("(12.50)", "2026-03-03 10:00"),
    ]
    own.put("o_2026-03-03.csv", "No,Paid,At\n" + "".join(f"A,{paid},{at}\n" for paid, at in cells * 5))
    rules = {
        "customer_id": {"expression": "CASE WHEN Paid > 0 THEN 'c' END"},
        "status": {"constant": "returned"},
    }
    own.says({"path": "o_{day}.csv", "numbers": ["Paid"], "columns": {**ORDER, **rules}})
    rows = own.rows()
    assert column(rows, "amount_minor") == [123450, None, None, -1250] * 5
    at = datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert column(rows, "ordered_at") == [at, None, None, at] * 5
    assert [key is not None for key in column(rows, "customer_key")] == [True, False, False, False] * 5
    assert "ordered_at|unparsable" in column(rows, "broken_rules")[18]


def test_what_is_computed_of_numbers_with_a_comma_is_a_number(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv", "No;At;Who;Paid;Off\nA;2026-03-03;c;1.234,50;0,75\nA;2026-03-03;c;0,10;0,20\n"
    )
    off = {"expression": "Off + Paid * 0", "minor_units": "2"}
    source = {"path": "o_{day}.csv", "delimiter": ";", "decimal": ",", "numbers": ["Paid", "Off"]}
    own.says({**source, "columns": {**ORDER, "discount_minor": off}})
    rows = own.rows()
    assert column(rows, "discount_minor") == [75, 20]
    assert column(rows, "amount_minor") == [123450, 10]


@pytest.mark.parametrize("form", ["parquet", "ndjson", "xlsx"])
@pytest.mark.parametrize("large", [False, True])
def test_under_a_decimal_comma_a_number_is_a_number_still(
    own: OwnData, monkeypatch: pytest.MonkeyPatch, form: str, large: bool
) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 0 if large else pieces.LARGE_FILE)
    amounts = [1.234, 1234.5, 12.0, 7.25]
    rows = [
        {"No": str(n), "At": "2026-03-03", "Who": "c", "Paid": paid, "Off": {"sum": paid}, "Text": "1.234,50"}
        for n, paid in enumerate(amounts)
    ]
    frame, file = pl.DataFrame(rows), own.folder / f"o_2026-03-03.{form}"
    if form == "parquet":
        frame.with_columns(Back=pl.col("Paid").cast(pl.Decimal(10, 3))).write_parquet(file)
    elif form == "ndjson":
        frame.with_columns(Back="Paid").write_ndjson(file)
    else:
        names = ["No", "At", "Who", "Paid", "Text"]
        workbook(file, [names, *([row[name] for name in names] for row in rows)])
    nested = {} if form == "xlsx" else {"refunded_minor": "Back", "discount_minor": "Off.sum"}
    money = {"amount_minor": "Paid", **nested, "coupon_id": "Text"}
    columns = ORDER | {name: {"column": paid, "minor_units": 2} for name, paid in money.items()}
    own.says({"path": f"o_{{day}}.{form}", "decimal": ",", "columns": columns})
    rows = own.rows()
    for name in ("amount_minor", *nested):
        assert column(rows, name) == [123, 123450, 1200, 725]
    assert column(rows, "coupon_id") == ["123450"] * 4


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [["Export"], ["No", "At", "Who", "Paid", " Paid"], ["1", "2026-03-03", "c", 5, 6]],
            r"columns \[4, 5\]",
        ),
        ([["Export"]], "names no columns; a day without rows is a header"),
    ],
)
def test_a_sheet_names_its_columns_each_once(own: OwnData, rows: list[Any], says: str) -> None:
    workbook(own.folder / "o_2026-03-03.xlsx", rows)
    own.says({"path": "o_{day}.xlsx", "skip_lines": "1", "columns": ORDER})
    with pytest.raises(DeliveryError, match=says):
        own.receive()


def test_a_sheet_s_numbers_are_told_from_its_texts_cell_by_cell(own: OwnData) -> None:
    paid: list[str | float] = ["1.234,50", "1.234", 1.234, 1234.5, "12,5", 7, "5,- €"]
    rows: list[list[str | float]] = [["No", "At", "Who", "Paid"]]
    rows += [[str(number), "2026-03-03", "c", cell] for number, cell in enumerate(paid)]
    workbook(own.folder / "o_2026-03-03.xlsx", rows)
    own.says({"path": "o_{day}.xlsx", "decimal": ",", "columns": ORDER})
    assert column(own.rows(), "amount_minor") == [123450, 123400, 123, 123450, 1250, 700, 500]


@pytest.mark.parametrize(
    ("decimal", "written"), [(",", "12.00"), (",", "12.0"), (".", "10000000000000000"), (",", "1.5")]
)
def test_an_amount_that_cannot_be_read_is_never_taken_for_minor_units(
    own: OwnData, decimal: str, written: str
) -> None:
    own.put("o_2026-03-03.csv", f"No;At;Who;Paid\nA;2026-03-03;c;{written}\n")
    own.says({"path": "o_{day}.csv", "delimiter": ";", "decimal": decimal, "columns": ORDER})
    (row,) = own.rows()
    assert row["amount_minor"] is None
    assert row["broken_rules"] == ["amount_minor|unparsable"]


def test_an_export_whose_columns_changed_is_two_sources(own: OwnData) -> None:
    own.put("o_2026-03-02.csv", "No,At,Who,Paid\nA,2026-03-02,c,1.00\n")
    own.put("o_2026-03-03.csv", "No,At,Who,Sum\nB,2026-03-03,c,2.00\n")
    new = {**ORDER, "amount_minor": {"column": "Sum", "minor_units": "2"}}
    old = {"path": "o_{day}.csv", "columns": ORDER, "last_day": "2026-03-02"}
    own.says([old, {"path": "o_{day}.csv", "columns": new, "first_day": "2026-03-03"}])
    assert delivered_days(own.home(), "orders") == [date(2026, 3, 2), OWN_DAY]
    assert column(own.rows(), "amount_minor") == [200]
    with pytest.raises(SourcesError, match="first_day and last_day need a path with"):
        own.says({"path": "o.csv", "columns": ORDER, "first_day": "2026-03-03"})
        own.home()


def test_a_list_that_tells_no_time_is_of_the_day_in_its_name(own: OwnData) -> None:
    columns = {
        "product_id": "sku",
        "name": "sku",
        "category": {"constant": "g"},
        "valid_from": {"constant": "{day}"},
    }
    own.says({"path": "goods/{day:%Y%m%d}.csv", "columns": columns}, "products")
    for day, price in (("20260302", 5), ("20260303", 6)):
        own.put(f"goods/{day}.csv", f"sku,list_price_minor\nP1,{price}\n")
    for day, price in ((date(2026, 3, 2), 5), (OWN_DAY, 6)):
        (row,) = own.rows("products", day)
        assert (row["list_price_minor"], row["broken_rules"]) == (price, [])
        assert row["valid_from"] == datetime(day.year, day.month, day.day, tzinfo=UTC)
    with pytest.raises(SourcesError, match=r"columns name \{day\}, and so has to do the `path` of files"):
        own.says({"path": "goods/all.csv", "columns": columns}, "products")
        own.home()


@pytest.mark.parametrize("size", [None, 1])
def test_tills_whose_folders_tell_the_shop_and_the_day(
    own: OwnData, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    if size:
        monkeypatch.setattr(reading, "LARGE_FILE", size)
    at = {"expression": "'{day:%d.%m.%Y} ' || Time", "date_format": "%d.%m.%Y %H:%M"}
    made = {
        "status_at": at,
        "ordered_at": at,
        "order_id": {"expression": "SPLIT_PART(till, '/', 2) || '-' || No"},
    }
    source = {
        "path": "tills/*/{day:%Y}/{day:%m-%d}.csv",
        "path_column": "till",
        "columns": ORDER | made,
        "drop": {"training till": "till LIKE 'tills/99/%'"},
    }
    own.says(source)
    for shop in ("07", "12", "99"):
        own.put(
            f"tills/{shop}/2026/03-03.csv",
            "No,Time,Who,Paid,Clerk\n1,09:30,c1,9.99,Ann\n1,09:30,c1,5.00,Ann\n",
        )
    assert own.receive().unknown_columns == ("Clerk",)
    rows = own.rows()
    assert column(rows, "order_id") == ["07-1", "07-1", "12-1", "12-1"]
    assert {(row["ordered_at"], *row["broken_rules"]) for row in rows} == {
        (datetime(2026, 3, 3, 9, 30, tzinfo=UTC),)
    }
    own.says(source | {"path_column": "Who"})
    with pytest.raises(DeliveryError, match=r"it has a column 'Who' of its own; correct `path_column`"):
        own.rows()


@pytest.mark.parametrize("size", [None, 1])
def test_a_backslash_takes_the_meaning_from_the_sign_behind_it(
    own: OwnData, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    if size:
        monkeypatch.setattr(reading, "LARGE_FILE", size)
    lines = (
        r"A	2026-03-03 10:00:00	c1	1.00	\N",
        "B	2026-03-03 10:00:00	c2	2.00	tab\\\there, line\\\nend",
        r"C	2026-03-03 10:00:00	c3	3.00	back\\slash \"quoted\" line\nend",
        "D	2026-03-03 10:00:00	c\\",
    )
    own.put("o_2026-03-03.txt", "\n".join(lines) + "\n")
    source = {"format": "csv", "delimiter": "tab", "quote": "", "escape": "\\"}
    header = ["No", "At", "Who", "Paid", "coupon_id"]
    own.says(
        {
            "path": "o_{day}.txt",
            "header": header,
            **source,
            "columns": {**ORDER, "line_number": {"constant": "1"}},
        }
    )
    rows = own.rows()
    assert column(rows, "coupon_id") == [
        None,
        "tab\there, line\nend",
        'back\\slash "quoted" line\nend',
        None,
    ]
    assert column(rows, "broken_rules") == [[], [], [], ["ragged_row"]]


def test_paths_find_the_member_of_a_list_by_its_key(own: OwnData) -> None:
    params = [{"key": "page", "value": {"s": "/"}}, {"key": "session", "value": {"i": "77"}}]
    event = {"ts": "1772503200123456", "name": "view_item", "who": "u", "params": params}
    own.put("e_2026-03-03.ndjson", documents(event))
    own.says(
        {
            "path": "e_{day}.ndjson",
            "columns": {
                "event_id": {"hash_of": ["ts", "who"]},
                "event_at": {"column": "ts", "date_format": "epoch_us"},
                "event_name": {"column": "name", "values": {"view_item": "product_view"}},
                "channel": {"constant": "web"},
                "customer_id": "who",
                "session_id": "params[?(@.key=='session')].value.i",
            },
        },
        "events",
    )
    (row,) = own.rows("events")
    assert (row["session_id"], row["event_name"]) == ("77", "product_view")
    assert row["event_at"] == datetime(2026, 3, 3, 2, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("member", ["product id", "@id", "xdm:product", "it's", 'the "id"', "商品 id"])
def test_paths_name_members_as_they_are_called(own: OwnData, member: str) -> None:
    own.put("o_2026-03-03.ndjson", documents(BOUGHT | {"items": [{"of": {member: "P1"}}]}))
    own.says(
        {
            "path": "o_{day}.ndjson",
            "rows_of": "items",
            "columns": ORDER | {"product_id": f"items.of.{member}"},
        }
    )
    (row,) = own.rows()
    assert row["product_id"] == "P1"


def test_a_path_that_leads_nowhere_is_named(own: OwnData) -> None:
    own.put("o_2026-03-03.ndjson", documents({"No": "1", "items": [{"sku": "x"}]}))
    own.says({"path": "o_{day}.ndjson", "columns": ORDER | {"product_id": "items[?(@.sku"}})
    with pytest.raises(DeliveryError, match=r"names 'items\[\?\(@.sku', which is no path such as buyer.id"):
        own.rows()


@pytest.mark.parametrize(
    ("number", "at", "day_precise"),
    [
        ("46084", datetime(2026, 3, 3, tzinfo=UTC), True),
        ("46084.5208333333", datetime(2026, 3, 3, 12, 30, tzinfo=UTC), False),
    ],
)
def test_numbers_that_count_days_become_days_and_hours(
    own: OwnData, number: str, at: datetime, day_precise: bool
) -> None:
    own.put("o_2026-03-03.csv", f"No,At,Who,Paid\nA,{number},c,1\n")
    form = {"column": "At", "date_format": "days_since 1899-12-30"}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "ordered_at": form, "status_at": form}})
    (row,) = own.rows()
    assert row["ordered_at"] == at
    assert (row["ordered_hour"] is None) == day_precise


def test_a_number_of_days_beyond_all_years_is_quarantined(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,1e300,c,1\nB,46084,c,1\n")
    form = {"column": "At", "date_format": "days_since 1899-12-30"}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "ordered_at": form, "status_at": form}})
    assert own.rows()[0]["broken_rules"] == ["ordered_at|unparsable", "status_at|unparsable"]


@pytest.mark.parametrize(
    "form", ["days_since 30.12.1899", "epoch", "yyyy-mm-dd", "%d/%m/%Y %I:%M", "%d/%m/%Y %M:%S"]
)
def test_a_date_format_that_is_none_is_named(own: OwnData, form: str) -> None:
    own.says(
        {"path": "o_{day}.csv", "columns": {**ORDER, "ordered_at": {"column": "At", "date_format": form}}}
    )
    with pytest.raises(SourcesError, match=form):
        own.home()


@pytest.mark.parametrize(
    ("said", "written", "name"),
    [
        ("gbk", "gb18030", "䶮"),
        ("shift-jis", "cp932", "①髙"),
        ("euc-kr", "cp949", "똠"),
        ("big5", "cp950", "碁"),
    ],
)
def test_a_file_may_hold_all_that_its_system_adds_to_the_encoding_that_is_said(
    own: OwnData, said: str, written: str, name: str
) -> None:
    own.put("o_2026-03-03.csv", f"No,At,Who,Paid\n{name},2026-03-03,c,5\n".encode(written))
    own.says({"path": "o_{day}.csv", "encoding": said, "columns": ORDER})
    assert column(own.rows(), "amount_minor") == [500]


@pytest.mark.parametrize(
    ("expression", "alone"),
    [
        ("a * 2", True),
        ("a IN ('x', 'y')", True),
        ("CAST(a AS INT) * CAST(b AS INT)", True),
        ("CASE WHEN a = 'Over' THEN 'Agg' ELSE b END", True),
        ("FIRST(a) OVER (PARTITION BY b)", False),
        ("a = MAX(a)", False),
        ("COUNT(*)", False),
        ("a > QUANTILE_CONT(a, 0.9)", False),
        ("CORR(a, b)", False),
    ],
)
def test_a_mapping_goes_piece_by_piece_unless_it_looks_at_other_rows(expression: str, alone: bool) -> None:
    column = {"expression": expression}
    source = FilesSource.model_validate({"kind": "files", "path": "x", "columns": {"order_id": column}})
    assert maps_piece_by_piece(source) is alone
    join = {"path": "y", "on": {expression: "id", "Order No": "no"}}
    assert (
        maps_piece_by_piece(FilesSource.model_validate({"kind": "files", "path": "x", "join": [join]}))
        is alone
    )


def test_repeats_are_counted_through_many_pieces() -> None:
    seen = Repeats()
    digest = "{:032x}".format
    every = [[digest(n * 2**70) for n in range(start, start + 3)] for start in range(0, 30, 3)]
    assert [seen.met(some) for some in every] == [{}] * 10
    assert seen.met([digest(0), digest(99 * 2**70), digest(0), digest(99 * 2**70)]) == {0: 2, 2: 3, 3: 2}
    assert seen.met([digest(0)]) == {0: 4}


def test_a_changed_rule_and_a_changed_joined_file_are_told(own: OwnData) -> None:
    def said(**more: Any) -> dict[str, str]:
        joins = [{"path": "orders_{day}.csv", "on": "No"}, {"path": "buyers.csv", "on": "Who"}]
        own.says({"path": "o_{day}.csv", "join": joins, "columns": ORDER, **more})
        return reading_states(own.home())

    own.put("orders_2026-03-03.csv", "No,Who\nA,c\n")
    before = said()
    own.put("orders_2026-03-04.csv", "No,Who\nB,d\n")
    own.put("buyers.csv", "Who\nc\n")
    assert what_changed(before, said()) == []
    own.put("orders_2026-03-03.csv", "No,Who\nA,another\n")
    mapping, joined = what_changed(before, said(drop={"tests": "Who = 'test'"}))[::-1]
    assert mapping.startswith("sources.yaml maps orders in another way than in the run before")
    assert joined.startswith("orders_2026-03-03.csv, joined to orders of 2026-03-03, changed since")


def test_more_days_of_one_source_are_no_other_mapping(own: OwnData) -> None:
    def until(*days: str) -> dict[str, str]:
        own.says([{"path": "o_{day}.csv", "columns": ORDER, "last_day": day} for day in days])
        return reading_states(own.home())

    assert what_changed(until("2026-03-03"), until("2026-03-04")) == []
    assert len(what_changed(until("2026-03-03", "2026-03-05"), until("2026-03-04", "2026-03-05"))) == 1


SEVERAL = ["{day:%Y}/{day:%m}/o_{day:%d}.csv", "{day:%Y%m}/o_{day}.csv", "{day:%y}/{day:%m%d}-[a]*.csv"]


@pytest.mark.parametrize("path", SEVERAL)
def test_the_parts_of_a_day_can_stand_anywhere_in_a_path(own: OwnData, path: str) -> None:
    own.says({"path": path, "columns": ORDER})
    for day in (date(2026, 3, 3), date(2026, 11, 30)):
        own.put(on_day(path, day).replace("[a]*", "a"), "No,At,Who,Paid\nA,2026-03-03,c,1\n")
    assert delivered_days(own.home(), "orders") == [date(2026, 3, 3), date(2026, 11, 30)]
    assert column(own.rows(), "order_id") == ["A"]


@pytest.mark.parametrize("path", ["o_{Day}.csv", "o_{day.csv", "o_{day:%d}.csv", "{day:%Y%m}/o.csv"])
def test_a_path_that_tells_no_day_is_named(own: OwnData, path: str) -> None:
    own.says({"path": path, "columns": ORDER})
    with pytest.raises(SourcesError, match=r"line 1: tables.orders\[0\].path: "):
        own.home()


GOOD = "No,At,Who,Paid\nA,2026-03-03 10:00:00,c,1.00\n"
NAMELESS = "No,At,Who,Paid,,\nA,2026-03-03 10:00:00,c,1.00,,\n"
ODD: dict[str, tuple[bytes, list[str | None]]] = {
    "files put together, marks included": (f"\ufeff{GOOD}\ufeffB{GOOD[16:]}".encode(), ["A", "B"]),
    "columns without a name": (NAMELESS.encode(), ["A"]),
    "packed, whatever its name says": (gzip.compress(GOOD.encode(), mtime=0), ["A"]),
    "digits that Excel shall not touch": (GOOD.replace("A,", '"=""007""",').encode(), ["007"]),
    "a second header line": (GOOD.replace("A,", "订单,时间,买家,金额\nA,").encode(), [None, "A"]),
    "line ends of an old Mac": (GOOD.replace("\n", "\r").encode(), ["A"]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_give_the_rows_that_they_mean(own: OwnData, name: str) -> None:
    content, ids = ODD[name]
    own.put("o_2026-03-03.csv", content)
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    assert column(own.rows(), "order_id") == ids


def test_an_amount_too_large_to_be_exact_is_quarantined(own: OwnData) -> None:
    amounts = ["90071992547409.91", "90071992547409.93", "-0.00", "1e400"]
    rows = "".join(f"{n},2026-03-03,c,{amount}\n" for n, amount in enumerate(amounts))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\n" + rows)
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    assert column(own.rows(), "amount_minor") == [9007199254740991, None, 0, None]


@pytest.mark.parametrize("large", [False, True])
def test_days_and_offsets_of_parquet_are_read_whatever_arrow_calls_them(
    own: OwnData, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 0 if large else 48_000_000)
    days = pa.array([date(2026, 3, 3)], pa.date64())
    moments = pa.array([datetime(2026, 3, 3, 8, tzinfo=UTC)], pa.timestamp("us", "+05:30"))
    rows = pa.table({"No": ["A"], "At": days, "status_at": moments, "Who": ["c"], "Paid": [1.0]})
    parquet.write_table(rows, own.folder / "o_2026-03-03.parquet")
    own.says({"path": "o_{day}.parquet", "columns": {**ORDER, "status_at": "status_at"}})
    (row,) = own.rows()
    assert (row["ordered_hour"], row["status_at"].hour) == (None, 8)


@pytest.mark.parametrize("large", [False, True])
def test_a_type_of_parquet_that_is_not_read_is_named(
    own: OwnData, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 0 if large else 48_000_000)
    wide = pa.array([Decimal(1)], pa.decimal256(50, 2))
    rows = pa.table({"No": ["A"], "At": ["2026-03-03"], "Who": ["c"], "Paid": wide})
    parquet.write_table(rows, own.folder / "o_2026-03-03.parquet")
    own.says({"path": "o_{day}.parquet", "columns": ORDER})
    with pytest.raises(DeliveryError, match="not a whole Parquet file: "):
        own.rows()


def test_nested_decimals_of_parquet_have_the_sign_of_the_source(own: OwnData) -> None:
    prices = pa.array([{"price": Decimal("2.125")}], pa.struct([("price", pa.decimal128(10, 3))]))
    rows = pa.table({"No": ["A"], "At": ["2026-03-03"], "Who": ["c"], "paid": prices})
    parquet.write_table(rows, own.folder / "o_2026-03-03.parquet")
    paid = {"amount_minor": {"column": "paid.price", "minor_units": 2}}
    own.says({"path": "o_{day}.parquet", "decimal": ",", "columns": ORDER | paid})
    assert column(own.rows(), "amount_minor") == [212]


def test_a_duration_of_parquet_is_kept_as_text(own: OwnData) -> None:
    rows = pl.DataFrame(
        {"No": ["A"], "At": ["2026-03-03"], "Who": ["c"], "Paid": [1.0], "took": [timedelta(1)]}
    )
    rows.write_parquet(own.folder / "o_2026-03-03.parquet")
    own.says({"path": "o_{day}.parquet", "columns": ORDER})
    assert own.receive().unknown_columns == ("took",)


@pytest.mark.parametrize("kind", [pl.Float16, pl.Float32, pl.Float64])
def test_a_parquet_s_floats_keep_their_fraction_however_small_they_are(
    own: OwnData, kind: type[pl.DataType]
) -> None:
    rows = pl.DataFrame({"No": ["A", "B"], "At": "2026-03-03", "Who": "c", "Paid": [19.5, 7]})
    rows.cast({"Paid": kind}).write_parquet(own.folder / "o_2026-03-03.parquet")
    own.says({"path": "o_{day}.parquet", "columns": ORDER})
    assert column(own.rows(), "amount_minor") == [1950, 700]


def test_a_day_whose_midnight_the_clocks_leave_out_is_still_a_day(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2017-10-15 00:00:00,c,1\nB,15/10/2017 00:00,c,1\n")
    forms = ["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M"]
    for how in ({"date_format": forms}, {}):
        at = {"column": "At", "day_precise": True, **how}
        own.says({"path": "o_{day}.csv", "columns": {**ORDER, "ordered_at": at, "status_at": at}})
        home = own.home(timezone="America/Sao_Paulo")
        delivery = find_delivery(home, "orders", OWN_DAY)
        (read,) = [file for part in delivery.parts for file in part.read()]
        assert read.cells["ordered_at"].to_list()[0] == "2017-10-15"


def test_a_midnight_that_the_clocks_leave_out_is_the_days_first_moment(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2017-10-15 00:00:00,c,1\nB,15/10/2017 00:00,c,1\n")
    for how in ({}, {"date_format": ["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M"]}):
        at = {"column": "At", "timezone": "America/Sao_Paulo", **how}
        own.says({"path": "o_{day}.csv", "columns": {**ORDER, "ordered_at": at, "status_at": at}})
        read = column(own.rows(), "ordered_at")
        assert read == [datetime(2017, 10, 15, 3, tzinfo=UTC)] * (2 if how else 1) + [None] * (not how)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"fixed": {"No": [5, 1]}}, r"fixed: \['No'\]: the first character is 1 or more"),
        ({"fixed": {"No": [0, 1]}}, r"fixed: \['No'\]: the first character is 1 or more"),
        ({"format": "fixed"}, "format: fixed needs `fixed: "),
        ({"join": [{"path": "x.csv", "on": []}]}, r"join\[0\].on: "),
    ],
)
def test_a_layout_that_cannot_be_is_named(own: OwnData, source: dict[str, Any], says: str) -> None:
    own.says({"path": "o_{day}.txt", "columns": ORDER, **source})
    with pytest.raises(SourcesError, match=f"line 1: .*{says}"):
        own.home()


def test_a_check_of_a_large_file_looks_at_its_first_rows(
    own: OwnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.put("o_2026-03-03.ndjson", '{"No": "A", "At": "2026-03-03", "Who": "c", "Paid": 1}\n' * 100)
    columns = {**ORDER, "line_number": {"constant": "1"}}
    own.says({"path": "o_{day}.ndjson", "columns": columns})
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(pieces, "ROWS", 20)
    monkeypatch.setattr(check, "ENOUGH_ROWS", 30)
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert (checked.received, checked.whole) == (40, False)


def test_a_check_of_a_file_for_all_days_looks_at_the_fullest_day(own: OwnData) -> None:
    days = ["2026-03-02", "2026-03-03", "2026-03-03", "2026-03-04", "2026-03-04", "2026-03-05"]
    own.put("all.csv", "No,At,Who,Paid\n" + "".join(f"{n},{day},c,1\n" for n, day in enumerate(days)))
    own.says({"path": "all.csv", "columns": {**ORDER, "line_number": {"constant": "1"}}})
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert (checked.day, checked.received) == (date(2026, 3, 4), 2)
    asked = check.check_table(own.home(), CollectionSettings(), "orders", date(2026, 3, 5))
    assert (asked.day, asked.received) == (date(2026, 3, 5), 1)
    empty = {"drop": {"empty": "Who = ''"}}
    own.put("all.csv", (own.folder / "all.csv").read_text() + ",,,\n" * 9)
    own.says({"path": "all.csv", "columns": {**ORDER, "line_number": {"constant": "1"}}, **empty})
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert (checked.day, checked.received) == (date(2026, 3, 4), 2)


def test_seconds_that_are_read_as_milliseconds_are_told(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,1772510400,c,1\nB,1740000000,c,1\n")

    def doubts(form: str) -> tuple[str, ...]:
        when = {"column": "At", "date_format": form}
        own.says({"path": "o_{day}.csv", "columns": ORDER | {"ordered_at": when, "status_at": when}})
        return check.check_table(own.home(), CollectionSettings(), "orders").doubts

    assert doubts("epoch_s") == ()
    told = "the latest is of 1970-01-21, long before 2026-03-03; see to its `date_format`"
    assert doubts("epoch_ms") == (f"status_at: {told}", f"ordered_at: {told}")


def test_history_in_a_file_of_one_day_is_told(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\n1,2026-01-03,c,1\n2,2026-02-03,c,2\n3,2026-03-03,c,3\n")
    own.put("o_2026-03-04.csv", "No,At,Who,Paid\n4,2026-03-03,c,1\n5,2026-02-03,c,2\n")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    told = [
        check.check_table(own.home(), CollectionSettings(), "orders", day).doubts
        for day in (OWN_DAY, date(2026, 3, 4))
    ]
    assert told[1] == ()
    assert told[0][0].startswith("2 of 3 rows happened more than 7 days before 2026-03-03, the day on")


def test_a_line_returned_in_parts_is_told(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv",
        "No,At,Who,Paid\nA,2026-03-03 08:00:00,c,9\nA,2026-03-03 09:00:00,c,-1\nA,2026-03-03 10:00:00,c,-2\n",
    )
    status = {"expression": "CASE WHEN Paid LIKE '-%' THEN 'returned' ELSE 'paid' END"}
    columns = {**ORDER, "line_number": {"constant": "1"}, "status": status}
    columns["quantity"] = {"expression": "CASE WHEN Paid LIKE '-%' THEN -1 ELSE 1 END"}
    own.says({"path": "o_{day}.csv", "columns": columns})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("of several returns of a line the newest counts: 1 of 2 are hidden; if each gave")


def test_amounts_in_several_currencies_under_one_are_told(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,c,1.50 EUR\nB,2026-03-03,c,-$2\nC,2026-03-03,c,3\n"
    )
    status = {"constant": "returned"}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "status": status}})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("Paid is written in $, EUR, but `currency` is the same in every row")
    told = {"expression": "CASE WHEN Paid LIKE '%$%' THEN 'USD' ELSE 'EUR' END"}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "status": status, "currency": told}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [
        ('"9,90 €"', "CNY", "Paid is written in €, but `currency` is CNY"),
        ('"9,90 €"', "EUR", ""),
        ("USD 9.90", "EUR", "Paid is written in USD, but `currency` is EUR"),
        ("$9.90", "CAD", ""),
        ("9.90 RMB", "rmb", ""),
    ],
)
def test_amounts_in_another_currency_than_is_said_are_told(
    own: OwnData, amount: str, currency: str, told: str
) -> None:
    own.put("o_2026-03-03.csv", f"No,At,Who,Paid\nA,2026-03-03,c,{amount}\n")
    source = {"path": "o_{day}.csv", "decimal": "," if "," in amount else "."}
    own.says({**source, "columns": {**ORDER, "currency": {"constant": currency}}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ((told,) if told else ())


def test_a_refund_above_what_its_line_cost_is_told(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv", "No,At,Who,Paid,Back\nA,2026-03-03,c,1,3\nA,2026-03-03,c,9,\nB,2026-03-03,c,2,2\n"
    )
    back = {"refunded_minor": {"column": "Back", "minor_units": 2}}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, **back}})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("refunded_minor is above amount_minor in 1 of 3 rows, and counts up to it alone")
    spread = 'FIRST(Back) OVER (PARTITION BY "No") * Paid / SUM(Paid) OVER (PARTITION BY "No")'
    back = {"refunded_minor": {"expression": spread, "minor_units": 2}}
    own.says({"path": "o_{day}.csv", "numbers": ["Back", "Paid"], "columns": {**ORDER, **back}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()
    assert column(own.rows(), "refunded_minor") == [30, 270, 200]


@pytest.mark.parametrize("others", [0, 50])
def test_words_that_are_none_of_a_column_s_values_are_told(own: OwnData, others: int) -> None:
    words = ["versendet"] * 7 + [" Bezahlt"] * 4 + ["PAID", "", "shipped"] + ["paid"] * others
    lines = "".join(f"{number},2026-03-03,c,1,{word}\n" for number, word in enumerate(words))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid,State\n" + lines)
    own.says({"path": "o_{day}.csv", "columns": ORDER | {"status": "State"}})
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert bool(checked.wrong) == (not others)  # most rows cannot be read: the file is refused, and told of
    (doubt,) = checked.doubts
    assert doubt.startswith("status is one of placed, paid, shipped, completed,")
    assert doubt.endswith(
        "none of them cannot be read: 'versendet' (7), 'Bezahlt' (4); say in `values` what each stands for"
    )
    values = {"versendet": "shipped", "Bezahlt": "paid", "": "placed"}
    own.says({"path": "o_{day}.csv", "columns": ORDER | {"status": {"column": "State", "values": values}}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_many_words_that_a_column_does_not_know_are_told_by_the_commonest(own: OwnData) -> None:
    lines = "".join(f"c,2026-03-03,web,n{number % 12}\n" for number in range(25))
    own.put("e_2026-03-03.csv", "Who,At,Chan,What\n" + lines)
    columns = {"customer_id": "Who", "event_at": "At", "channel": "Chan", "event_name": "What"}
    columns |= {"event_id": {"hash_of": ["Who", "What"]}}  # type: ignore[dict-item]
    own.says_all({"events": [{"kind": "files", "path": "e_{day}.csv", "columns": columns}]})
    doubts = check.check_table(own.home(), CollectionSettings(), "events").doubts
    (doubt,) = [doubt for doubt in doubts if doubt.startswith("event_name is one of")]
    assert "what is none of them counts as other: 'n0' (3), " in doubt
    assert doubt.endswith("and 2 more; say in `values` what each stands for")
    own.put("e_2026-03-03.csv", "Who,At,Chan,What\n" + lines.replace("n0", "Purchase"))
    doubts = check.check_table(own.home(), CollectionSettings(), "events").doubts
    (doubt,) = [doubt for doubt in doubts if doubt.startswith("event_name is one of")]
    assert doubt.endswith(
        "stands for, but leave Purchase out by `drop`: who bought is told by `orders`, from the same file"
    )


def test_lines_that_one_key_swallows_are_told(own: OwnData) -> None:
    lines = "A,2026-03-03,c,1,x\nA,2026-03-03,c,2,y\nA,2026-03-03,c,2,y\nB,2026-03-03,c,2,x\n"
    own.put("o_2026-03-03.csv", "No,At,Who,Paid,What\n" + lines)
    columns = ORDER | {"line_number": {"constant": 1}, "product_id": "What"}
    own.says({"path": "o_{day}.csv", "columns": columns})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("1 of 3 rows have the order_id, line_number, status_at of another one")
    assert "they differ in amount_minor, product_id; if" in doubt
    own.says({"path": "o_{day}.csv", "columns": columns | {"line_number": {"place_in": "No"}}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_amounts_with_a_fraction_that_count_as_minor_units_are_told(own: OwnData) -> None:
    own.put(
        "o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,c,100.00\nB,2026-03-03,c,99.50\nC,2026-03-03,c,7\n"
    )
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "amount_minor": "Paid"}})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("amount_minor is written with a fraction in 1 of 2 rows, such as 100.00, and was")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_an_order_s_total_on_each_of_its_lines_is_told(own: OwnData) -> None:
    lines = "".join(f"{n},2026-03-03,c,30,{line},s{line}\n" for n in range(7) for line in (1, 2))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid,Line,What\n" + lines)
    own.says({"path": "o_{day}.csv", "columns": ORDER | {"product_id": "What"}})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith(
        "amount_minor is the same on all lines of 7 of 7 orders with several; if it is the"
    )
    spread = {"expression": 'Paid * Line / SUM(Line) OVER (PARTITION BY "No")', "minor_units": 2}
    columns = ORDER | {"product_id": "What", "amount_minor": spread}
    own.says({"path": "o_{day}.csv", "numbers": ["Paid", "Line"], "columns": columns})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_pieces_of_one_thing_that_cost_the_same_are_no_totals(own: OwnData) -> None:
    lines = "".join(f"{n},2026-03-03,c,9,s{n}\n" * 2 for n in range(9))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid,What\n" + lines)
    own.says({"path": "o_{day}.csv", "columns": ORDER | {"product_id": "What"}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("Price", "amount_minor looks like what one piece costs: it takes 3 values, and 12 if it is divided"),
        ("Price * Pieces", None),
        ("Price * Pieces * Pieces", "amount_minor looks multiplied by quantity twice: divided by it once it"),
    ],
)
def test_what_one_piece_costs_is_no_amount_of_a_line(own: OwnData, amount: str, told: str | None) -> None:
    lines = "".join(f"{n},2026-03-03,c{n},{(3.5, 7.25, 11)[n % 3]},{n % 4 + 1}\n" for n in range(36))
    own.put("o_2026-03-03.csv", "No,At,Who,Price,Pieces\n" + lines)
    columns = ORDER | {"quantity": "Pieces", "amount_minor": {"expression": amount, "minor_units": 2}}
    own.says({"path": "o_{day}.csv", "numbers": ["Price", "Pieces"], "columns": columns})
    doubts = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert [doubt[: len(told or "")] for doubt in doubts] == ([told] if told else [])


def test_amounts_that_rounding_takes_much_of_are_told(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,c,0.0508\nB,2026-03-03,c,0.0152\n")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("amount_minor: rounded to `minor_units: 2`, what Paid says is 8.5% off; say more")
    own.says(
        {"path": "o_{day}.csv", "columns": ORDER | {"amount_minor": {"column": "Paid", "minor_units": 4}}}
    )
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,c,957.5775\n")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def doubts_of_amounts(own: OwnData, amounts: list[str], decimal: str = ".") -> tuple[str, ...]:
    lines = "".join(f'{n},2026-03-03,c{n},"{amount}"\n' for n, amount in enumerate(amounts))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\n" + lines)
    own.says({"path": "o_{day}.csv", "decimal": decimal, "columns": ORDER})
    return check.check_table(own.home(), CollectionSettings(), "orders").doubts


@pytest.mark.parametrize(("decimal", "other"), [(".", ","), (",", ".")])
def test_a_sign_that_may_set_thousands_apart_is_told(own: OwnData, decimal: str, other: str) -> None:
    amounts = [f"Rp {n}{decimal}{100 + n}" for n in range(1, 9)] + ["500"]
    (doubt,) = doubts_of_amounts(own, amounts, decimal)
    assert doubt.startswith(f"Paid has three digits behind each '{decimal}', as 15{decimal}000, which")
    assert doubt.endswith(f"say `decimal: '{other}'`")
    assert doubts_of_amounts(own, amounts, other) == ()
    for fraction in (f"0{decimal}125", f"1250{decimal}125", f"1{decimal}50"):
        assert doubts_of_amounts(own, [*amounts, fraction], decimal) == ()


def test_amounts_without_any_fraction_may_be_minor_units(own: OwnData) -> None:
    amounts = [str(990 + n) for n in range(30)]
    (doubt,) = doubts_of_amounts(own, amounts)
    assert doubt.startswith(
        "amount_minor: Paid has no fraction in any row, and `minor_units: 2` makes 100 of"
    )
    assert doubts_of_amounts(own, [*amounts, "9.90"]) == ()
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "amount_minor": "Paid"}})
    assert column(own.rows(), "amount_minor")[0] == 990


@pytest.mark.parametrize(("hour", "told"), [("00:00:00", True), ("00:00:0{n}", False)])
def test_days_that_are_written_as_midnights_are_told(own: OwnData, hour: str, told: bool) -> None:
    lines = "".join(f"{n},2026-03-03 {hour.format(n=n % 9)},c{n},1\n" for n in range(30))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\n" + lines)
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    doubts = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert bool(doubts) == told
    assert all(each.startswith("ordered_at is at 00:00:00 in all 30 rows that tell an") for each in doubts)
    at = {"column": "At", "day_precise": True}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "ordered_at": at, "status_at": at}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_a_customer_who_may_stand_for_all_that_are_not_known_is_told(own: OwnData) -> None:
    lines = "".join(f"{n},2026-03-03,{'nan' if n % 3 else f'c{n}'},1\n" for n in range(90))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\n" + lines)
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith(
        "customer_id: one customer has 60 of 90 rows, the next one 1; if it is a word for"
    )
    own.says({"path": "o_{day}.csv", "drop": {"guests": "Who = 'nan'"}, "columns": ORDER})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_addresses_in_a_column_that_is_stored_in_clear_are_told(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nwang@x.cn,2026-03-03,wang@x.cn,1\nB,2026-03-03,li@x.cn,1\n")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("order_id holds an e-mail address in 1 of 2 rows and would be stored in clear;")


def test_ids_whose_digits_a_spreadsheet_cut_off_are_told(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,8.61383E+12,1\nB,2026-03-03,1E5,1\n")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith("customer_id is written as 1.30858E+12 in 1 of 2 rows: a spreadsheet cut its")


def test_ids_that_were_made_floating_numbers_are_told(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,13085.0,1\nB,2026-03-03,,1\n")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith(
        "customer_id is written with a fraction, such as 13085.0; where other files write"
    )
    whole = {"expression": "SPLIT_PART(Who, '.', 1)"}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "customer_id": whole}})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\nA,2026-03-03,13085.0,1\nB,2026-03-03,7.1,1\n")
    own.says({"path": "o_{day}.csv", "columns": ORDER})
    assert check.check_table(own.home(), CollectionSettings(), "orders").doubts == ()


def test_sheets_that_repeat_rows_of_each_other_are_told(own: OwnData) -> None:
    lines = [["A", "2026-03-03", "c", n] for n in range(8)]
    workbook(own.folder / "o_2026-03-03.xlsx", [["No", "At", "Who", "Paid"], *lines], ("2025", "2026"))
    source = {"path": "o_{day}.xlsx", "columns": ORDER}
    own.says(source | {"sheets": ["2025", "2026"]})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert doubt.startswith(
        "line_number: 8 of 16 rows are alike in all columns, and `place_in` makes each a line"
    )
    own.says([source | {"sheets": year} for year in ("2025", "2026")])
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert (checked.duplicates, checked.doubts) == (8, ())


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 20])
def test_columns_are_parted_by_two_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(text_files, "CHUNK", chunk)
    lines = (
        "1::City of Lost Children: Cité::Drama|War", '2::"a::b"::Comedy', "3:::odd:::", "4::broken",
        "5::x\x1fy::z", "6::a::b::c\x1f",
    )  # fmt: skip
    file = tmp_path / "movies.dat"
    file.write_bytes(("\n".join(lines) + "\n").encode("latin-1"))
    header = ("No", "Name", "Genres")
    layout = Layout("csv", 1_000, "latin-1", "::", header=header)
    rows, ragged = formats.READERS["csv"](file, layout, DeliveryError)
    assert rows.rows() == [
        ("1", "City of Lost Children: Cité", "Drama|War"), ("2", "a::b", "Comedy"), ("3", ":odd", ":"),
        ("5", "x\x1fy", "z"),
    ]  # fmt: skip
    assert ragged == [(4, lines[3]), (6, lines[5])]
    ((same, lines_too),) = pieces.PIECES["csv"](file, layout, DeliveryError)
    assert (same.rows(), lines_too) == (rows.rows(), ragged)


def test_two_signs_part_a_text_with_escapes(tmp_path: Path) -> None:
    file = tmp_path / "x.dat"
    file.write_text("1::a\\::b::\\N\n2::broken\\::\n")
    layout = Layout("csv", 1_000, delimiter="::", quote="", escape="\\", header=("No", "Name", "End"))
    rows, ragged = formats.READERS["csv"](file, layout, DeliveryError)
    assert rows.rows() == [("1", "a::b", None)]
    assert ragged == [(2, "2::broken\\::")]


def test_a_stream_read_sign_by_sign_is_parted_as_a_whole_one_is() -> None:
    text = b"1::a:::b:c::::d:"
    stream = parted_by_one_sign(BytesIO(text), "::")
    assert b"".join(iter(lambda: stream.read(1), b"")) == text.replace(b"::", b"\x1f")


def test_a_check_tells_of_joined_rows_that_are_joined_to_nothing(own: OwnData) -> None:
    own.put("o_2026-03-03.csv", "No,At,Who\nA,2026-03-03,c\nB,2026-03-03,d\n")
    own.put("lines.csv", "order,Paid\nA,1\nA,2\nA,2\nB,3\n")
    join = [{"path": "lines.csv", "on": {"No": "order"}}]
    own.says({"path": "o_{day}.csv", "join": join, "columns": ORDER})
    (doubt,) = check.check_table(own.home(), CollectionSettings(), "orders").doubts
    assert "join lines.csv: of rows with the same order the last is joined, 1 of 3 are not" in doubt
    orders = [{"path": "o_2026-03-03.csv", "on": {"order": "No"}}]
    own.says({"path": "lines.csv", "join": orders, "columns": {**ORDER, "order_id": "order"}})
    assert not check.check_table(own.home(), CollectionSettings(), "orders").doubts


def test_a_check_shows_rows_that_can_be_split(own: OwnData) -> None:
    ragged = "".join(f"{n},2,3,4,5\n" for n in range(4))
    own.put("o_2026-03-03.csv", f"No,At,Who,Paid\n{ragged}A,2026-03-03,c,1\n")
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "line_number": {"constant": "1"}}})
    checked = check.check_table(own.home(), CollectionSettings(), "orders")
    assert (checked.received, checked.quarantined) == (5, {"ragged_row": 4})
    assert checked.sample["order_id"].to_list() == ["A"]


def test_a_large_fixed_width_file_goes_in_pieces(own: OwnData, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["head", "", *(f"{n:02}2026-03-03c{n}1" for n in range(5)), "short", "992026-03-03c91"]
    own.put("l_2026-03-03.txt", "\r\n".join(lines) + "\r\n")
    fixed = {"No": [1, 2], "At": [3, 12], "Who": [13, 14], "Paid": [15, 15]}
    columns = {**ORDER, "line_number": {"constant": "1"}}
    own.says({"path": "l_{day}.txt", "fixed": fixed, "skip_lines": 1, "columns": columns})
    whole = own.receive()
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(pieces, "ROWS", 2)
    received = own.receive()
    assert received.files["rows"].to_list() == [2, 2, 2, 1]
    told = ["order_id", "row_number", "broken_rules", "amount_minor"]
    assert received.rows.select(told).equals(whole.rows.select(told))
    assert received.rows["broken_rules"].to_list()[5] == ["ragged_row"]


def test_what_looks_above_looks_into_the_pieces_above(own: OwnData, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [("A", "c1"), ("B", ""), ("A", " "), ("B", "c2"), ("A", "c1"), ("", ""), ("", "")]
    rows = [{"No": no, "At": "2026-03-03", "Who": who, "Paid": 1} for no, who in orders]
    del rows[-1]["Who"]  # an object need not name what is empty, nor need any of a piece
    own.put("o_2026-03-03.ndjson", documents(*rows))
    own.says({"path": "o_{day}.ndjson", "fill_down": ["Who"], "columns": ORDER})
    whole = own.receive().rows
    assert whole["line_number"].to_list() == [1, 1, 2, 2, 3, 1, 2]
    assert whole["customer_key"].n_unique() == 2
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(pieces, "ROWS", 2)
    received = own.receive()
    assert received.files["rows"].to_list() == [2, 2, 2, 1]
    assert received.rows.equals(whole)


def all_days(own: OwnData) -> list[tuple[str, list[Any]]]:
    """Of each day of a file for all days: the part's digest, and its rows piece by piece."""
    home = own.home()
    days = []
    for day in delivered_days(home, "orders"):
        delivery = find_delivery(home, "orders", day)
        assert delivery is not None
        (part,) = delivery.parts
        read = list(part.read())
        assert read[-1].sha256 == part.digest()
        days.append((part.digest(), [piece.cells.to_dicts() for piece in read]))
    return days


def test_a_large_file_for_all_days_is_laid_down_and_taken_up_day_by_day(
    own: OwnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [3, 1, 2, 3, 5, 1, 3, 3, 3, 1, 5]
    rows = ({"No": f"{n}", "At": f"2026-03-0{day}", "Who": "c", "Paid": n} for n, day in enumerate(days))
    own.put("all.ndjson", documents(*rows))
    own.says({"path": "all.ndjson", "drop": {"last": "No = '10'"}, "columns": ORDER})
    there = sorted(own.folder.iterdir())
    at_once = all_days(own)
    assert [[len(piece) for piece in read] for _, read in at_once] == [[3], [1], [5], [0], [1]]
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(pieces, "ROWS", 2)
    monkeypatch.setattr(histories, "ROWS", 2)
    in_pieces = all_days(own)
    assert [[len(piece) for piece in read] for _, read in in_pieces] == [[2, 1], [1], [2, 2, 1], [0], [1]]
    for (told, (whole,)), (told_too, parts) in zip(at_once, in_pieces, strict=True):
        assert told == told_too
        assert whole == [row for part in parts for row in part]
    assert sorted(own.folder.iterdir()) == there


def test_rows_that_were_put_away_are_laid_down_again(own: OwnData) -> None:
    own.put("all.csv", "No,At,Who,Paid\nA,2026-03-03,c,1\nB,2026-03-04,d,2\n")
    own.says({"path": "all.csv", "columns": ORDER})
    home = own.home()
    delivery = find_delivery(home, "orders", OWN_DAY)
    assert delivery is not None
    home.put_away()
    assert not home.laid
    assert [piece.cells["order_id"].to_list() for piece in delivery.parts[0].read()] == [["A"]]


def test_a_full_disk_is_named_where_a_file_for_all_days_is_laid_down(own: OwnData) -> None:
    own.put("all.csv", "No,At,Who,Paid\n" + "A,2026-03-03,c,1\n" * 5000)
    own.says({"path": "all.csv", "columns": ORDER})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DeliveryError, match=r"all\.csv: its rows could not be laid down in .* free disk"):
            delivered_days(own.home(), "orders")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_line_of_recoded_json_ends_with_a_line_feed_alone(own: OwnData) -> None:
    row = {"No": "A\x85B", "At": "2026-03-03", "Who": "c", "Paid": 1}
    text = json.dumps(row, ensure_ascii=False) + "\n"
    own.put("o_2026-03-03.ndjson", text.encode("latin-1"))
    own.says({"path": "o_{day}.ndjson", "encoding": "latin-1", "columns": ORDER})
    assert column(own.rows(), "broken_rules") == [[]]


def test_of_times_in_another_form_the_shape_is_told_as_they_are_written(own: OwnData) -> None:
    rows = "".join(f"{number},2026-03-03 10:00:00,c,1\n" for number in range(20))
    own.put("o_2026-03-03.csv", "No,At,Who,Paid\n" + rows)
    at = {"column": "At", "date_format": "%d.%m.%Y"}
    own.says({"path": "o_{day}.csv", "columns": {**ORDER, "ordered_at": at}})
    with pytest.raises(DeliveryError, match=r"column ordered_at: .*shaped like '9999-99-99 99:99:99'"):
        own.receive()
