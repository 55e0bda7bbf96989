"""`sources init`: a first mapping of files as shops and servers write them, or a reason why not."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from customer_profiles.collection.formats import OLD_CONTAINER
from customer_profiles.collection.sources.cells import iso_time
from customer_profiles.collection.sources.guess import guess_source
from customer_profiles.collection.sources.heads import GuessError
from customer_profiles.collection.sources.load import parse_sources
from customer_profiles.collection.sources.schema import Column
from customer_profiles.collection.sources.time_formats import FORMATS
from customer_profiles.contracts.stored import required_columns
from customer_profiles_tests.collection.conftest import workbook

LINE = '10.0.0.1 - u7 [03/Mar/2026:10:00:00 +0800] "GET /product/12 HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n'


def guessed(folder: Path, name: str, content: str | bytes) -> tuple[str, dict[str, Any], str]:
    """The table, its source and the remarks. What is guessed can be read as it is."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = guess_source(file, folder)
    parse_sources(text.encode(), file)
    ((table, (source,)),) = yaml.safe_load(text)["tables"].items()
    return table, source, text


def test_last_words_of_a_column_tell_it_and_a_person_is_asked(tmp_path: Path) -> None:
    rows = "Name,Email,Lineitem quantity,Lineitem price,Lineitem sku,Paid at\n#1,a@b.c,2,9.99,S1,2026-03-03\n"
    table, source, text = guessed(tmp_path, "orders.csv", rows)
    assert table == "orders"
    columns = source["columns"]
    assert (columns["quantity"], columns["product_id"]) == ("Lineitem quantity", "Lineitem sku")
    assert columns["customer_id"] == {"expression": 'LOWER("Email")'}
    assert "# quantity: taken from Lineitem quantity; is it that?" in text


@pytest.mark.parametrize(
    ("header", "how"),
    [
        ("Customer ID,First Name,Last Name", {"expression": """CONCAT_WS(' ', "First Name", "Last Name")"""}),
        ("客户编号,名字,姓氏", {"expression": """CONCAT_WS('', "姓氏", "名字")"""}),
        ("customer_id,first_name,last_name,full_name", "full_name"),
        ("customer_id,first_name,email", "first_name"),
    ],
)
def test_a_first_and_a_last_name_are_one_name(tmp_path: Path, header: str, how: object) -> None:
    _, source, text = guessed(tmp_path, "customers.csv", header + "\n")
    assert source["columns"]["full_name"] == how
    assert ("joined; correct it" in text) == isinstance(how, dict)


@pytest.mark.parametrize(
    ("header", "table", "unsure"),
    [
        ("household_id,age,marital_status,kids_count", "customers", False),
        ("campaign_id,household_id", "campaign_contacts", True),
        ("household_id,campaign_id,redemption_date", "campaign_contacts", True),
        ("Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID", "orders", False),
        ("itemid,property,value", "products", True),
        ("basket_id,household_id,product_id,quantity,sales_value,date", "orders", False),
        ("product_id,department,brand", "products", False),
    ],
)
def test_a_table_is_told_by_what_it_needs_and_a_doubt_is_said(
    tmp_path: Path, header: str, table: str, unsure: bool
) -> None:
    told, _, text = guessed(tmp_path, "x.csv", f"{header}\n{','.join('1' for _ in header.split(','))}\n")
    assert told == table
    assert ("--table names another" in text) is unsure


def test_times_and_days_written_in_no_known_way_are_said(tmp_path: Path) -> None:
    rows = "order_id,order_date,status_date\n1,03-Mar-26 10h,2026年03月03日 10:00:00\n"
    _, source, text = guessed(tmp_path, "till_03032026.csv", rows)
    assert source["columns"]["status_at"]["date_format"] == "%Y年%m月%d日 %H:%M:%S"
    assert "# ordered_at: order_date is written in no way known here; say its date_format" in text
    assert "# path: one file for all days; if its name tells a day" in text


@pytest.mark.parametrize(
    ("header", "status", "means"),
    [
        (
            "Bestellnummer;Bestelldatum;Kundennr.;Menge;Einzelpreis;Gesamtpreis (EUR);Bestellstatus",
            "bezahlt",
            "paid",
        ),
        (
            "Numéro de commande;Date de commande;ID client;Quantité;Prix unitaire;Montant total;Statut",
            "Livrée",
            "completed",
        ),
        (
            "id_pedido;fecha_pedido;id_cliente;cantidad;precio_unitario;importe;estado_pedido",
            "Anulado",
            "cancelled",
        ),
        (
            "Pedido;Data do Pedido;Cliente;Quantidade;Preço Unitário;Valor Total;Status",
            "Entregue",
            "completed",
        ),
        (
            "ID ordine;Data ordine;Codice cliente;Quantità;Prezzo unitario;Importo;Stato ordine",
            "spedito",
            "shipped",
        ),
    ],
)
def test_orders_are_known_by_their_names_in_other_languages(
    tmp_path: Path, header: str, status: str, means: str
) -> None:
    row = f"B1;13.03.2026;K7;2;19,90;39,80;{status}\n"
    table, source, _ = guessed(tmp_path, "x.csv", f"{header}\n{row}{row.replace('B1', 'B2')}")
    order, ordered, customer, pieces, _, amount, said = header.split(";")
    assert table == "orders"
    assert source["decimal"] == ","
    columns = source["columns"]
    assert (columns["order_id"], columns["customer_id"], columns["quantity"]) == (order, customer, pieces)
    assert columns["ordered_at"] == {"column": ordered, "date_format": "%d.%m.%Y"}
    assert columns["amount_minor"] == {"column": amount, "minor_units": 2}
    assert columns["status"] == {"column": said, "values": {status: means}}


GERMAN = "Bestellnummer;Kundennummer;Bestelldatum;Menge;Einzelpreis;Rabatt\n"


def test_a_comma_before_fractions_is_seen_wherever_amounts_are_looked_at(tmp_path: Path) -> None:
    rows = "".join(f"B{n};K{n};0{n}.03.2026;{n};{10 + n},90;0,{n}5\n" for n in range(1, 6))
    _, source, _ = guessed(tmp_path, "x.csv", GERMAN + rows)
    assert source["columns"]["amount_minor"]["expression"] == '"Menge" * "Einzelpreis"'
    assert source["decimal"] == ","
    assert "discount_minor" not in source["columns"]  # it is a rate
    totals = "".join(f"B{n};K{n};0{n}.03.2026;{n};{10 * n},90;\n" for n in (1, 2, 3))
    of_one_price = "".join(
        f"B{n};K{n};0{n}.03.2026;{n};{str(n * 2.5).replace('.', ',')}0;\n" for n in range(1, 6)
    )
    _, source, _ = guessed(tmp_path, "x.csv", GERMAN + of_one_price)
    assert source["columns"]["amount_minor"] == {"column": "Einzelpreis", "minor_units": 2}
    _, source, _ = guessed(tmp_path, "x.csv", GERMAN + totals)
    assert source["columns"]["amount_minor"]["expression"] == '"Menge" * "Einzelpreis"'


def test_a_quotation_mark_in_a_columns_name_stays_one(tmp_path: Path) -> None:
    header = 'order_id,at,qty,"unit ""net"" price","accepts ""news"" newsletter","mail ""a"" email"'
    rows = f"{header}\n1,2026-03-03,2,3.5,yes,a@b.c\n"
    _, source, _ = guessed(tmp_path, "x.csv", rows)
    assert source["columns"]["amount_minor"]["expression"] == '"qty" * "unit ""net"" price"'
    assert source["columns"]["customer_id"]["expression"] == 'LOWER("mail ""a"" email")'
    (consents,) = yaml.safe_load(guess_source(tmp_path / "x.csv", tmp_path, "consents"))["tables"]["consents"]
    assert consents["drop"] == {"not asked": """COALESCE("accepts ""news"" newsletter", '') = ''"""}


def test_who_was_not_asked_is_told_by_the_words_for_nothing_that_a_column_has(tmp_path: Path) -> None:
    rows = "customer_id,created_at,newsletter\n1,2026-03-03,yes\n2,2026-03-03,NULL\n3,2026-03-03,N/A\n"
    (tmp_path / "x.csv").write_text(rows)
    (consents,) = yaml.safe_load(guess_source(tmp_path / "x.csv", tmp_path, "consents"))["tables"]["consents"]
    assert consents["drop"] == {"not asked": "COALESCE(\"newsletter\", '') IN ('', 'N/A', 'NULL')"}


def test_customers_are_known_by_their_names_in_other_languages(tmp_path: Path) -> None:
    rows = "Kundennr.;Vorname;Nachname;Geschlecht;Ort\nK1;Anna;Weiß;w;Köln\nK2;Jo;Groß;m;Wien\n"
    table, source, _ = guessed(tmp_path, "kunden.csv", rows)
    assert table == "customers"
    columns = source["columns"]
    assert columns["gender"] == {"column": "Geschlecht", "values": {"w": "female"}}
    assert columns["full_name"] == {"expression": """CONCAT_WS(' ', "Vorname", "Nachname")"""}
    assert (columns["customer_id"], columns["city"]) == ("Kundennr.", "Ort")


def test_what_only_sounds_like_a_status_or_an_amount_is_none(tmp_path: Path) -> None:
    rows = "Order ID,Order Date,State,Sales,Discount\n1,12/20/2015,Texas,9.5,0.2\n2,12/21/2015,Ohio,8,0\n"
    _, source, text = guessed(tmp_path, "store.csv", rows)
    assert source["columns"]["status"] == {"constant": "completed"}
    assert "discount_minor" not in source["columns"]
    assert "not mapped, kept sealed: State, Discount" in text
    _, source, _ = guessed(tmp_path, "store.csv", rows.replace("0.2", "20%"))
    assert "discount_minor" not in source["columns"]
    _, source, _ = guessed(tmp_path, "store.csv", "order_id,order_date,state\n1,2026-03-03,canceled\n")
    assert source["columns"]["status"] == {"column": "state", "values": {"canceled": "cancelled"}}


def test_a_price_beside_pieces_is_that_of_one(tmp_path: Path) -> None:
    rows = "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID\n1,S1,2,2010-03-03,1.25,9\n"
    _, source, text = guessed(tmp_path, "lines.csv", rows)
    assert source["columns"]["amount_minor"] == {"expression": '"Quantity" * "Price"', "minor_units": 2}
    assert "# amount_minor: pieces times Price; correct it if that is a line's total" in text
    _, source, _ = guessed(tmp_path, "lines.csv", rows.replace("Quantity", "Colour"))
    assert source["columns"]["amount_minor"] == {"column": "Price", "minor_units": 2}


def test_sheets_with_the_columns_of_the_first_are_read_with_it(tmp_path: Path) -> None:
    rows: list[list[str | float]] = [
        ["Invoice", "InvoiceDate", "Customer ID", "Total"],
        ["1", "2010-03-03", "9", 1],
    ]
    for sheets, told in ((("2009", "2010"), ["2009", "2010"]), (("2009",), None)):
        workbook(tmp_path / "book.xlsx", rows, sheets)
        (source,) = yaml.safe_load(guess_source(tmp_path / "book.xlsx", tmp_path))["tables"]["orders"]
        assert source.get("sheets") == told


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("12/31/10 8:26", "%m/%d/%y %H:%M"),
        ("31/12/10", "%d/%m/%y"),
        ("31/12/2010", "%d/%m/%Y"),
        ('"Jan 5, 2026 3:04:05 PM"', "%b %d, %Y %I:%M:%S %p"),
        ("12/31/2010 3:04:05 PM", "%m/%d/%Y %I:%M:%S %p"),
        ("31-12-2010 8:26", "%d-%m-%Y %H:%M"),
        ("31-DEC-10", "%d-%b-%y"),
        ("04-30-22", "%m-%d-%y"),
        ('"Thu, 25 May 2023 17:54:35 +0200"', "%a, %d %b %Y %H:%M:%S %z"),
    ],
)
def test_how_a_time_is_written_is_told(tmp_path: Path, cell: str, told: str) -> None:
    _, source, _ = guessed(tmp_path, "t.csv", f"order_id,order_date\n1,{cell}\n")
    assert source["columns"]["ordered_at"]["date_format"] == told


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_in_a_format_that_is_told_is_read_by_it(form: str) -> None:
    cell = datetime(2023, 5, 25, 17, tzinfo=UTC).strftime(form)
    column = Column.model_validate({"column": "at", "date_format": form})
    (read,) = pl.DataFrame({"at": [cell]}).select(iso_time("at", column, "moment", ".", "UTC", "UTC"))["at"]
    assert read.startswith("2023-05-25T17:00:00" if "H" in form or "I" in form else "2023-05-25")


@pytest.mark.parametrize("between", ["/", "-"])
def test_days_and_months_that_could_be_swapped_are_asked_about(tmp_path: Path, between: str) -> None:
    swapped = "ordered_at: the first rows fit %m/%d/%Y as well as %d/%m/%Y; which is it?"
    swapped = swapped.replace("/", between)
    for second, doubtful in (("11/2/2000", True), ("13/2/2000", False)):
        rows = f"order_id,order_date\n1,11/1/2000\n2,{second}\n".replace("/", between)
        _, _, text = guessed(tmp_path, "t.csv", rows)
        assert (swapped in text) is doubtful


EVENTS = """\
timestamp,visitorid,event,itemid,transactionid
1433221332117,7,view,3,
1433221332118,7,addtocart,3,
1433221332119,7,transaction,3,90
1433221332119,7,transaction,4,90
"""


def test_purchases_among_events_are_orders_and_no_others_are(tmp_path: Path) -> None:
    table, source, text = guessed(tmp_path, "e.csv", EVENTS)
    assert table == "events"
    assert source["drop"] == {"bought": "\"event\" IN ('transaction')"}
    assert source["columns"]["event_name"]["values"] == {"addtocart": "add_to_cart", "view": "product_view"}
    assert "name this file there too, as --table orders says it; `drop` leaves transaction out here" in text
    orders = yaml.safe_load(text := guess_source(tmp_path / "e.csv", tmp_path, "orders"))["tables"]["orders"][
        0
    ]
    assert orders["drop"] == {"not bought": "COALESCE(\"event\", '') NOT IN ('transaction')"}
    assert orders["columns"]["order_id"] == "transactionid"
    assert "drop: only rows whose event is transaction are purchases; is it that?" in text
    assert "transactionid is empty" not in text
    assert "amount_minor: REQUIRED, not found; name the file's column; where no money is told say" in text


def test_events_of_no_known_word_but_the_purchase_are_no_orders(tmp_path: Path) -> None:
    rows = "".join(
        json.dumps({"person": "p", "event": event, "value": {"amount": 9.5}, "time": 6}) + "\n"
        for event in ("offer viewed", "transaction")
    )
    (tmp_path / "e.ndjson").write_text(rows)
    (orders,) = yaml.safe_load(guess_source(tmp_path / "e.ndjson", tmp_path, "orders"))["tables"]["orders"]
    assert orders["drop"] == {"not bought": "COALESCE(\"event\", '') NOT IN ('transaction')"}
    assert (orders["columns"]["customer_id"], orders["columns"]["quantity"]) == ("person", {"constant": "1"})


def test_without_a_purchase_among_the_first_events_none_is_an_order(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(EVENTS.replace("transaction,", "view,"))
    text = guess_source(tmp_path / "e.csv", tmp_path, "orders")
    (orders,) = yaml.safe_load(text)["tables"]["orders"]
    assert orders["drop"] == {"not bought": "COALESCE(\"event\", '') NOT IN ('purchase')"}
    assert "drop: no purchase stands in the first rows; say which word of event means one" in text
    assert "drop" not in guessed(tmp_path, "o.csv", "order_id,type,order_date\n1,order,2026-03-03\n")[1]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("sales_260303.csv", "sales_{day:%y%m%d}.csv"),
        ("订单_2026年03月03日.csv", "订单_{day:%Y年%m月%d日}.csv"),
        ("sales_201203.csv", "sales_201203.csv"),
        ("sales [1] 2026-03-03.csv", "sales [[]1] {day}.csv"),
        ("items-2026-01-01-2026-03-31.csv", "items-2026-01-01-2026-03-31.csv"),
    ],
)
def test_a_name_tells_its_day_or_none(tmp_path: Path, name: str, path: str) -> None:
    _, source, _ = guessed(tmp_path, name, "order_id,order_date\n1,2026-03-03\n")
    assert source["path"] == path


def test_words_of_a_marketplace_are_told_in_chinese(tmp_path: Path) -> None:
    rows = (
        "订单编号,买家会员名,订单付款时间,买家实际支付金额,订单状态\n1,tb1,2026/3/3 10:00:00,¥9.9,交易成功\n"
    )
    _, source, _ = guessed(tmp_path, "订单_20260303.csv", rows.encode("gb18030"))
    assert (source["encoding"], source["path"]) == ("gb18030", "订单_{day:%Y%m%d}.csv")
    columns = source["columns"]
    assert columns["status"] == {"column": "订单状态", "values": {"交易成功": "completed"}}
    assert columns["ordered_at"] == {"column": "订单付款时间", "date_format": "%Y/%m/%d %H:%M:%S"}
    assert (columns["amount_minor"]["column"], columns["customer_id"]) == ("买家实际支付金额", "买家会员名")


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        ("Straße,São Paulo,amount\na,b,1\n", "cp1252", "cp1252"),
        ("a;b;amount\nMüller;x;1\n", "latin-1", "cp1252"),
        ("a,b,amount\n完,x,1\n", "gbk", "gb18030"),
        ("a,b,amount\nx,y,1\n", "utf-16", "utf-16"),
        ("a,b,amount\nx,y,1\n", "utf-16-le", "utf-16-le"),
        ("a,b,amount\nx,y,1\n", "utf-16-be", "utf-16-be"),
    ],
)
def test_encodings_are_told_apart(tmp_path: Path, text: str, encoding: str, told: str) -> None:
    _, source, remarks = guessed(tmp_path, "x.csv", text.encode(encoding))
    assert source["encoding"] == told
    assert ("# encoding: it is not UTF-8" in remarks) is ("utf-16" not in told)


def test_lines_drawn_beneath_the_names_part_nothing(tmp_path: Path) -> None:
    ruler = "-" * 30
    rows = [f"|{n}  |2026-03-0{n}|   1.002,50 EUR|" for n in (1, 2)]
    lines = ["Orders of March", "", ruler, "|order_id|order_date|amount|", ruler, *rows, ruler]
    _, source, _ = guessed(tmp_path, "list.txt", "\n".join(lines))
    assert (source["delimiter"], source["skip_lines"], source["decimal"]) == ("|", 3, ",")
    assert source["columns"]["order_id"] == "order_id"


def test_a_web_servers_log_is_a_log(tmp_path: Path) -> None:
    table, source, _ = guessed(tmp_path, "access.log-260303", LINE * 3)
    assert (table, source["kind"], source["path"]) == ("events", "log", "access.log-{day:%y%m%d}")
    assert source["format"] == "combined"
    _, source, _ = guessed(tmp_path, "u_ex260303.log", "#Version: 1.0\n#Fields: date time c-ip\n")
    assert (source["kind"], source["format"]) == ("log", "w3c")


def test_a_databases_dump_has_numbered_columns_and_escapes(tmp_path: Path) -> None:
    _, source, _ = guessed(tmp_path, "dump.txt", "1\t\\N\tx\n2\ta\\\tb\ty\n3\t\\N\tz\n")
    assert (source["delimiter"], source["quote"], source["escape"]) == ("tab", "", "\\")
    assert source["header"] == ["column_1", "column_2", "column_3"]


def test_members_of_objects_are_paths(tmp_path: Path) -> None:
    event = {
        "event_name": "view_item",
        "ts": "1772503200123456",
        "user": {"id": "u"},
        "params": [{"key": "a"}],
    }
    broken = '{"event_na\n\nnull\n'
    table, source, _ = guessed(tmp_path, "e_2026-03-03.ndjson", f"{broken}{json.dumps(event)}\n")
    columns = source["columns"]
    assert (table, columns["customer_id"]) == ("events", "user.id")
    assert columns["event_at"] == {"column": "ts", "date_format": "epoch_us"}
    assert columns["event_name"]["values"] == {"view_item": "product_view"}


@pytest.mark.parametrize("sign", ["\u2028", "\x85"])
def test_a_line_ends_nowhere_within_a_cell(tmp_path: Path, sign: str) -> None:
    cell = f"so{sign}good"
    rows = json.dumps({"review_id": 1, "user_id": 2, "review_text": cell}, ensure_ascii=False)
    assert guessed(tmp_path, "r.ndjson", rows)[0] == "texts"
    assert guessed(tmp_path, "r.csv", f"review_id,user_id,review_text\r\n1,2,{cell}\r\n")[0] == "texts"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"0001C1        20260303\n0002C2        20260303\n", "fixed widths, write a source with `fixed"),
        (b"", "cannot be read: it is empty$"),
        (b"\n \n", "cannot be read: it is empty$"),
        (
            gzip.compress(b"a,b\n1,2\n", mtime=0)[:10] + b"\xff" * 20,
            "cannot be read: Error -3 while decompressing",
        ),
        (b'{"a": 1\n', "cannot be read"),
        (b"\x81\n", "text of no encoding known here"),
        (
            b"PK\x03\x04\0\0a,b,c\n",
            "it holds binary bytes, so it is not text; unpack the zip archive, or say",
        ),
        (
            b'[\n {"a": 1},\n {"a": 2}\n]\n',
            r"it is one JSON list; deliver one JSON object a line \(of a list: jq",
        ),
    ],
)
def test_what_cannot_be_guessed_at_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(GuessError, match=says):
        guessed(tmp_path, "x.txt", content)


def test_a_file_without_a_header_line_is_guessed_by_the_names_that_are_given(tmp_path: Path) -> None:
    file = tmp_path / "UserBehavior.csv"
    file.write_text("1,2268318,2520377,pv,1511544070\n1,2333346,2520771,fav,1511561733\n")
    assert "# header: no line names its columns; guess again with --header" in guess_source(file, tmp_path)
    names = ["user_id", "item_id", "category_id", "behavior_type", "timestamp"]
    ((table, (source,)),) = yaml.safe_load(guess_source(file, tmp_path, header=names))["tables"].items()
    columns = source["columns"]
    assert (table, source["header"], columns["customer_id"]) == ("events", names, "user_id")
    assert columns["event_at"] == {"column": "timestamp", "date_format": "epoch_s"}
    with pytest.raises(GuessError, match="--header names 4 columns, but its first line has 5"):
        guess_source(file, tmp_path, header=names[1:])
    with pytest.raises(GuessError, match="--header names a column twice"):
        guess_source(file, tmp_path, header=["user_id", *names[:-1]])
    (tmp_path / "x.ndjson").write_text('{"a": 1}\n')
    with pytest.raises(GuessError, match=r"x\.ndjson names its columns itself; leave --header out"):
        guess_source(tmp_path / "x.ndjson", tmp_path, header=["a"])


def test_two_colons_part_columns(tmp_path: Path) -> None:
    _, source, _ = guessed(tmp_path, "movies.dat", "1::Cité, La::Drama|War\n2::Shall We Dance?::Comedy|War\n")
    assert (source["delimiter"], source["header"]) == ("::", ["column_1", "column_2", "column_3"])


def test_a_header_may_end_with_empty_names_and_quotes_stand_beside_escapes(tmp_path: Path) -> None:
    rows = 'increment_id,Customer ID,Working Date, MV ,code,,\n100,1.0,7/13/2016," 1,950 ",\\N,,\n'
    table, source, text = guessed(tmp_path, "x.csv", rows)
    assert (table, source["columns"]["order_id"]) == ("orders", "increment_id")
    assert (source["escape"], "quote" in source, "header" in source) == ("\\", False, False)
    assert "column_7" in text


def test_an_empty_column_is_nothing_and_an_address_is_one_customers_however_written(tmp_path: Path) -> None:
    rows = "id,Amount,Created (UTC),Customer ID,Customer Email\nch_1,5.00,2024-03-31 19:51:00,,A@b.c\n"
    _, source, _ = guessed(tmp_path, "payments.csv", rows)
    assert source["columns"]["customer_id"] == {"expression": 'LOWER("Customer Email")'}
    assert source["columns"]["ordered_at"] == {"column": "Created (UTC)", "timezone": "UTC"}


def test_what_an_orders_first_line_alone_tells_is_asked_about(tmp_path: Path) -> None:
    rows = (
        "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem price\n"
        "#1,a@b.c,paid,USD,31.00,2024-03-05 10:22:31 -0500,1,1.00\n"
        "#1,a@b.c,,,,2024-03-05 10:22:31 -0500,3,10.00\n"
    )
    _, source, text = guessed(tmp_path, "orders_export.csv", rows)
    assert source["columns"]["order_id"] == "Name"
    assert source["columns"]["amount_minor"]["expression"] == '"Lineitem quantity" * "Lineitem price"'
    told = 'expression: FIRST("Currency") OVER (PARTITION BY "Name")'
    assert (
        f"# currency: Currency is empty in 1 of 2 rows; told on an order's first line alone? {told}" in text
    )


@pytest.mark.parametrize("numbers", ["", "A"])
def test_a_total_is_not_to_be_repeated_on_every_line(tmp_path: Path, numbers: str) -> None:
    rows = f"订单号,下单时间,会员号,数量,实付金额\nA,2026-03-03,u,1,9.9\n{numbers},,,2,\n"
    _, _, text = guessed(tmp_path, "o.csv", rows)
    assert (
        "# amount_minor: 实付金额 is empty in 1 of 2 rows; the order's total, which would count once" in text
    )
    assert "下单时间" in "".join(line for line in text.splitlines() if "fill_down" in line or "FIRST" in line)
    assert not any("实付金额" in line for line in text.splitlines() if "fill_down" in line or "FIRST" in line)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("price_paid_gbp", "GBP"),
        ("revenue_in_usd", "USD"),
        ("Amount (€)", "EUR"),
        ("lineTotalUSD", "USD"),
        ("paid", "CNY"),
    ],
)
def test_an_amount_is_told_by_other_names_and_its_currency_by_the_unit_behind_it(
    tmp_path: Path, name: str, code: str
) -> None:
    _, source, _ = guessed(tmp_path, "o.csv", f"order_id,{name}\nA,9.90\nB,1\n")
    assert source["columns"]["amount_minor"] == {"column": name, "minor_units": 2}
    assert source["columns"]["currency"] == {"constant": code}


@pytest.mark.parametrize("said", [("true", "false"), ("1", "0"), ("Y", "N")])
def test_whether_an_order_is_paid_is_no_amount(tmp_path: Path, said: tuple[str, str]) -> None:
    _, source, _ = guessed(tmp_path, "o.csv", f"order_id,paid\nA,{said[0]}\nB,{said[1]}\n")
    assert source["columns"]["amount_minor"] == {"constant": ""}


@pytest.mark.parametrize(("amount", "code"), [('"9,90 €"', "EUR"), ("12.50 USD", "USD"), ("$12.50", "CNY")])
def test_the_currency_is_the_one_that_amounts_are_written_in(tmp_path: Path, amount: str, code: str) -> None:
    _, source, _ = guessed(tmp_path, "o.csv", f"order_id,total\nA,{amount}\nB,\n")
    assert source["columns"]["currency"] == {"constant": code}


def test_columns_with_units_and_words_of_a_marketplace_are_told(tmp_path: Path) -> None:
    rows = "订单号,订单状态,用户实付金额(元),商品数量(件),订单成交时间\nA,已收货,9.9,2,2026-03-03\n"
    _, source, text = guessed(tmp_path, "o.csv", rows)
    assert source["columns"]["quantity"] == "商品数量(件)"
    assert source["columns"]["amount_minor"] == {"column": "用户实付金额(元)", "minor_units": 2}
    assert "# status: see that its words mean what stands behind them, each one of placed" in text
    _, _, text = guessed(tmp_path, "o.csv", rows.replace("已收货", "已妥投"))
    assert "# status: say what 已妥投 stand for, each one of placed, paid" in text


def test_reviews_that_name_orders_are_texts(tmp_path: Path) -> None:
    rows = "订单编号,买家昵称,评价内容,评分,评价时间\nA,u,好,5,2026-03-03 10:00:00\n"
    table, source, _ = guessed(tmp_path, "r.csv", rows)
    assert (table, source["columns"]["body"], source["columns"]["order_id"]) == (
        "texts",
        "评价内容",
        "订单编号",
    )


def test_objects_that_stand_as_text_in_a_cell_are_opened(tmp_path: Path) -> None:
    lines = [{"sku": "A1", "qty": 2, "total": 10.5}]
    payload = json.dumps({"order": {"id": "7", "user_id": "u1", "lines": lines}, "currency": "EUR"})
    line = json.dumps({"offset": 1, "created_at": "2026-03-03T10:00:00Z", "payload": payload})
    table, source, text = guessed(tmp_path, "k.ndjson", line + "\n")
    columns = source["columns"]
    assert (table, columns["order_id"], columns["customer_id"]) == (
        "orders",
        "payload.order.id",
        "payload.order.user_id",
    )
    assert "# payload.order.lines holds a list; `rows_of: payload.order.lines` makes" in text
    rows = 'order_id,at,who,note\n1,2026-03-03,"{""user_id"": ""u1""}","{gift}"\n2,2026-03-04,,{}\n'
    _, source, text = guessed(tmp_path, "o.csv", rows)
    assert source["columns"]["customer_id"] == "who.user_id"
    assert "not mapped, kept sealed: note" in text


def test_lists_of_objects_are_named(tmp_path: Path) -> None:
    row = '{"visitId": "1", "hits": [{"hitNumber": "1"}], "helpful": [0, 3]}\n'
    _, _, text = guessed(tmp_path, "sessions.ndjson", row)
    assert "# hits holds a list; `rows_of: hits` makes a row of every entry" in text
    assert "helpful holds" not in text


def test_hours_without_minutes_are_told(tmp_path: Path) -> None:
    _, source, _ = guessed(tmp_path, "x.csv", "user_id,item_id,behavior_type,time\n1,2,pv,2014-12-06 02\n")
    assert source["columns"]["event_at"] == {"column": "time", "date_format": "%Y-%m-%d %H"}


BILL = """#支付宝业务明细查询
#起始日期：[2026年03月03日 00:00:00]   终止日期：[2026年03月04日 00:00:00]

支付宝交易号,商户订单号,创建时间,用户标识,订单金额（元）,商品名称
`42,`S1\t,2026-03-03 10:00:00\t,u1\t,9.90\t,"茶, 大杯"\t
`43,`S2\t,2026-03-03 11:00:00\t,u2\t,19.90\t,茶\t
#----业务明细列表结束----
"""


def test_remarks_above_the_names_and_marks_of_a_spreadsheet_are_no_cells(tmp_path: Path) -> None:
    table, source, text = guessed(tmp_path, "b_20260303.csv", BILL.encode("gb18030"))
    assert (table, source["skip_lines"], "delimiter" in source) == ("orders", 3, False)
    assert "# skip_lines: the columns' names stand in line 4, below 3 of remarks" in text
    columns = source["columns"]
    assert columns["amount_minor"] == {"column": "订单金额（元）", "minor_units": 2}
    assert (columns["customer_id"], columns["order_id"]) == ("用户标识", "商户订单号")


def test_another_marketplace_has_other_words(tmp_path: Path) -> None:
    rows = "订单号,下单帐号,下单时间,订购数量,订单金额,订单状态\n"
    rows += "1,jd_1,2026-03-03 10:00:00,1,9.9,等待出库\n2,jd_2,2026-03-03 10:00:00,1,9.9,等待确认收货\n"
    _, source, text = guessed(tmp_path, "o.csv", rows)
    assert source["columns"]["status"]["values"] == {"等待出库": "paid", "等待确认收货": "shipped"}
    assert "REQUIRED" not in text


def test_events_named_in_several_words_are_understood(tmp_path: Path) -> None:
    at = {"messageId": "m", "timestamp": "2026-03-03T10:00:00Z", "userId": "u"}
    names = ("Product Viewed", "Products Searched", "Order Completed")
    rows = "".join(json.dumps({**at, "event": name}) + "\n" for name in names)
    table, source, text = guessed(tmp_path, "e_2026-03-03.ndjson", rows)
    assert (table, source["columns"]["event_id"]) == ("events", "messageId")
    told = source["columns"]["event_name"]["values"]
    assert (told["Product Viewed"], told["Products Searched"]) == ("product_view", "search")
    assert "`drop` leaves Order Completed out here" in text


def test_commas_within_cells_part_no_columns(tmp_path: Path) -> None:
    rows = '"User-ID";"Location";"Age"\n"1";"nyc, new york, usa";NULL\n"2";"porto, n/a, portugal";"18"\n'
    table, source, _ = guessed(tmp_path, "u.csv", rows)
    assert (table, source["delimiter"], source["columns"]["customer_id"]) == ("customers", ";", "User-ID")
    assert "skip_lines" not in source


def test_a_sheets_title_is_no_name_and_merged_cells_are_to_be_filled(tmp_path: Path) -> None:
    title = ["订单报表", "", "", "", ""]
    names = ["订单号", "下单时间", "会员号", "数量", "金额(元)"]
    rows = [title, names, ["A", "2026-03-03", "u", "1", "9.9"], ["", "", "", "2", "1.0"]]
    workbook(tmp_path / "book.xlsx", rows, ["orders"])
    text = guess_source(tmp_path / "book.xlsx", tmp_path)
    assert "below 1 of remarks" in text
    assert (
        "order_id: 订单号 is empty in 1 of 2 rows; merged cells? say fill_down: [订单号, 下单时间, 会员号]"
        in text
    )


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ('"Heroes', {"quote": ""}),
        ('"a \\"b\\" c"', {"escape": "\\"}),
        ('{"a": "b \\"c\\" d"}', {}),
        ('"a ""b"" c"', {}),
        ('"a;b"', {}),
    ],
)
def test_what_quotation_marks_mean_is_told(tmp_path: Path, cell: str, told: dict[str, str]) -> None:
    rows = f"order_id;user_id;date;note\n1;u;2026-03-03;{cell}\n2;v;2026-03-03;plain\n"
    _, source, _ = guessed(tmp_path, "o.csv", rows)
    assert {key: source[key] for key in ("quote", "escape") if key in source} == told


def test_what_is_no_workbook_is_named(tmp_path: Path) -> None:
    (tmp_path / "o.xlsx").write_text("order_id,user_id\n1,2\n")
    with pytest.raises(GuessError, match=r"o\.xlsx cannot be read: it is not a whole Excel workbook"):
        guess_source(tmp_path / "o.xlsx", tmp_path)
    (tmp_path / "o.xlsx").write_bytes(OLD_CONTAINER + bytes(512))
    with pytest.raises(
        GuessError, match=r"o\.xlsx cannot be read: it is an \.xls of old, or under a password"
    ):
        guess_source(tmp_path / "o.xlsx", tmp_path)


def test_what_is_not_found_is_not_said_to_be_taken_from_another_time(tmp_path: Path) -> None:
    _, _, text = guessed(tmp_path, "o.csv", "order_id,user_id,amount\n1,2,3\n")
    assert "# ordered_at: REQUIRED, not found; name the file's column" in text


def test_points_that_set_thousands_apart_are_no_fractions(tmp_path: Path) -> None:
    rows = "order_id,order_date,amount\n1,2026-03-03,Rp 15.000\n2,2026-03-03,Rp 1.796.000\n"
    assert guessed(tmp_path, "o.csv", rows)[1]["decimal"] == ","
    assert "decimal" not in guessed(tmp_path, "o.csv", rows.replace("1.796.000", "12.500"))[1]


def test_amounts_without_any_fraction_are_asked_about(tmp_path: Path) -> None:
    rows = "order_id,order_date,amount\n" + "".join(f"{n},2026-03-03,{990 + n}\n" for n in range(9))
    asked = (
        "# amount_minor: amount has no fraction; if it is in minor units (cents) already, leave minor_units"
    )
    assert asked in guessed(tmp_path, "o.csv", rows)[2]
    assert asked not in guessed(tmp_path, "o.csv", rows + "9,2026-03-03,9.90\n")[2]


@pytest.mark.parametrize(("day", "form"), [("2026-03-0{n}", None), ("{n}/13/2026", "%m/%d/%Y %H:%M")])
def test_days_that_are_written_as_midnights_are_days(tmp_path: Path, day: str, form: str | None) -> None:
    rows = "".join(f"{n},{day.format(n=n)} 00:00\n" for n in range(1, 9))
    _, source, text = guessed(tmp_path, "o.csv", "order_id,order_date\n" + rows)
    at = {"column": "order_date", **({"date_format": form} if form else {}), "day_precise": True}
    assert source["columns"]["ordered_at"] == at
    assert "# ordered_at: order_date is at midnight in all rows, so that its hours say nothing" in text
    _, source, _ = guessed(tmp_path, "o.csv", f"order_id,order_date\n{rows}9,{day.format(n=9)} 10:05\n")
    assert "day_precise" not in source["columns"]["ordered_at"]


def test_a_view_that_always_names_a_product_is_of_one(tmp_path: Path) -> None:
    head, rows = "event_time,event_type,user_id,product_id\n", "2026-03-03,view,1,7\n2026-03-03,view,2,8\n"
    for more, told in (("", "product_view"), ("2026-03-03,view,2,\n", "page_view")):
        _, source, _ = guessed(tmp_path, "e.csv", head + rows + more)
        assert source["columns"]["event_name"]["values"] == {"view": told}


def test_columns_that_only_a_made_key_uses_are_named(tmp_path: Path) -> None:
    _, _, text = guessed(tmp_path, "e.csv", "event_time,event_type,colour\n2026-03-03,login,1\n")
    assert "# not mapped, only part of a made key: colour" in text


def test_the_only_times_are_the_tables_and_who_and_when_make_an_order(tmp_path: Path) -> None:
    rows = "t_dat,customer_id,article_id,product_code,price\n2018-09-20,0a,0108775015,108775,0.05\n"
    _, source, text = guessed(tmp_path, "t.csv", rows)
    columns = source["columns"]
    assert (columns["ordered_at"], columns["status_at"], columns["product_id"]) == (
        "t_dat",
        "t_dat",
        "article_id",
    )
    assert columns["order_id"] == {"hash_of": ["customer_id", "t_dat"]}
    assert columns["line_number"] == {"place_in": ["customer_id", "t_dat"]}
    assert "# ordered_at: taken from t_dat, which holds times; is it that?" in text
    _, source, _ = guessed(
        tmp_path, "t.csv", rows.replace("product_code", "until").replace("108775,0.", "2018-09-21,0.")
    )
    assert source["columns"]["ordered_at"] == {"constant": ""}


PIECES_TIMES_PRICE = {"expression": '"Quantity" * "Price"', "minor_units": 2}


@pytest.mark.parametrize(
    ("lines", "quantity", "amount"),
    [
        (
            "Quantity,Price\n5,1500.40\n3,900.24\n5,200.00\n",
            "Quantity",
            {"column": "Price", "minor_units": 2},
        ),
        ("Quantity,Price\n500,0.85\n400,0.95\n", "Quantity", PIECES_TIMES_PRICE),
        ("AMOUNT,SALES_PRICE\n1,30\n2,60\n1,44\n", "AMOUNT", {"column": "SALES_PRICE", "minor_units": 2}),
        ("purchase_amount,price\n1,30\n", {"constant": "1"}, {"column": "purchase_amount", "minor_units": 2}),
        (
            "QUANTITYORDERED,PRICEEACH,SALES\n2,9.5,20\n",
            "QUANTITYORDERED",
            {"column": "SALES", "minor_units": 2},
        ),
        ("Amount,Price\n12,30\n60,60\n", {"constant": "1"}, {"column": "Amount", "minor_units": 2}),
        (
            "Discount Amount,Line Subtotal\n1,30\n",
            {"constant": "1"},
            {"column": "Line Subtotal", "minor_units": 2},
        ),
    ],
)
def test_pieces_and_what_was_paid_for_all_of_them_are_told_apart(
    tmp_path: Path, lines: str, quantity: Any, amount: dict[str, Any]
) -> None:
    head, *rows = lines.splitlines()
    text = f"order_id,order_date,{head}\n" + "".join(f"{n},2026-03-03,{row}\n" for n, row in enumerate(rows))
    _, source, _ = guessed(tmp_path, "o.csv", text)
    assert (source["columns"]["quantity"], source["columns"]["amount_minor"]) == (quantity, amount)


def test_pieces_below_zero_are_returned_and_customers_whom_no_line_names_are_told(tmp_path: Path) -> None:
    rows = "Invoice,Quantity,InvoiceDate,Price,Customer ID\n1,2,2010-03-03,1.5,9\nC2,-1,2010-03-04,1.5,\n"
    _, source, text = guessed(tmp_path, "o.csv", rows)
    told = "CASE WHEN \"Quantity\" < 0 THEN 'returned' ELSE 'completed' END"
    assert source["columns"]["status"] == {"expression": told}
    assert source["numbers"] == ["Quantity", "Price"]
    assert "# customer_id: Customer ID is empty in 1 of 2 rows; they will be quarantined" in text


def test_an_id_that_tells_rows_apart_is_the_tables(tmp_path: Path) -> None:
    rows = "ID,Purchase Date,Customer Email,Grand Total\n000000001,2026-03-03,a@b.c,9.9\n"
    _, source, text = guessed(tmp_path, "o.csv", rows)
    assert source["columns"]["order_id"] == "ID"
    assert "# order_id: taken from ID, which tells each row apart; is it that?" in text
    _, source, _ = guessed(tmp_path, "o.csv", rows + "000000001,2026-03-03,a@b.c,9.9\n")
    assert "hash_of" in source["columns"]["order_id"]
    people = "id,Email,Name,Created (UTC)\ncus_1,a@b.c,Bo,2023-01-02 10:00\n"
    table, source, _ = guessed(tmp_path, "c.csv", people)
    assert (table, source["columns"]["customer_id"]) == ("customers", "id")


def test_a_list_without_a_time_is_of_one_day(tmp_path: Path) -> None:
    _, _, text = guessed(tmp_path, "c.csv", "customerID,gender,tenure\n7590-VHVEG,Female,1\n")
    assert (
        "# updated_at: REQUIRED, not found; name the file's column; of a list that tells no time say" in text
    )


def test_a_list_without_a_time_whose_name_tells_a_day_is_of_that_day(tmp_path: Path) -> None:
    _, source, text = guessed(tmp_path, "c_2026-03-03.csv", "customerID,gender,tenure\n7590-VHVEG,Female,1\n")
    assert source["columns"]["updated_at"] == {"constant": "{day}"}
    assert "# updated_at: the day of the file, since no time was found" in text


def test_columns_that_say_who_consents_are_rows_of_consents(tmp_path: Path) -> None:
    rows = (
        "id,created_at,Accepts Marketing,sms_opt_in,同意画像,Subscribed Boxes\n1,2026-03-03,yes,FALSE,是,3\n"
    )
    _, _, text = guessed(tmp_path, "customers.csv", rows)
    assert "# Accepts Marketing, sms_opt_in, 同意画像: told by `consents`: name this file there too" in text
    text = guess_source(tmp_path / "customers.csv", tmp_path, "consents")
    parse_sources(text.encode(), tmp_path / "customers.csv")
    sources = yaml.safe_load(text)["tables"]["consents"]
    assert [(each["columns"]["purpose"]["constant"], each["columns"]["status"]) for each in sources] == [
        (
            "marketing_email",
            {"column": "Accepts Marketing", "values": {"yes": "granted", "no": "denied"}},
        ),
        ("marketing_sms", {"column": "sms_opt_in", "values": {"TRUE": "granted", "FALSE": "denied"}}),
        ("profiling", {"column": "同意画像", "values": {"是": "granted", "否": "denied"}}),
    ]
    assert {each["columns"]["effective_at"] for each in sources} == {"created_at"}
    assert sources[0]["drop"] == {"not asked": "COALESCE(\"Accepts Marketing\", '') = ''"}
    assert "not mapped, kept sealed: Subscribed Boxes" in text


@pytest.mark.parametrize("table", ["consents", "social_edges", "identity_links"])
def test_what_stands_in_for_a_column_of_one_table_is_not_said_of_another(tmp_path: Path, table: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text("customer_id,at\n1,2026-03-03\n")
    columns = yaml.safe_load(guess_source(file, tmp_path, table))["tables"][table][0]["columns"]
    assert columns["status" if table == "consents" else "kind"] == {"constant": ""}


def test_a_range_of_products_is_no_line_and_a_lines_id_no_product(tmp_path: Path) -> None:
    rows = "Invoice ID,Product line,Date,item_id,sku\n7,Sports and travel,2019-01-05,211131,MUG\n"
    _, source, _ = guessed(tmp_path, "o.csv", rows)
    columns = source["columns"]
    assert (columns["line_number"], columns["product_id"]) == ({"place_in": "Invoice ID"}, "sku")


def consents_of(folder: Path, name: str, rows: str) -> tuple[list[dict[str, Any]], str]:
    file = folder / name
    file.write_text(rows)
    text = guess_source(file, folder, "consents")
    return [source["columns"] for source in yaml.safe_load(text)["tables"]["consents"]], text


@pytest.mark.parametrize(
    "name", ["opt_out", "HasOptedOutOfEmail", "email_unsubscribed", "短信退订", "不同意"]
)
def test_who_opts_out_denies(tmp_path: Path, name: str) -> None:
    (columns,), text = consents_of(
        tmp_path, "c.csv", f"id,created_at,{name}\n1,2026-03-03,1\n2,2026-03-03,0\n"
    )
    assert columns["status"] == {"column": name, "values": {"1": "denied", "0": "granted"}}
    assert f"# status: who has not refused ({name}) is granted" in text


def test_who_is_said_to_be_subscribed_is_granted_in_any_column(tmp_path: Path) -> None:
    rows = "id,created_at,opt_out_status\n1,2026-03-03,subscribed\n2,2026-03-03,unsubscribed\n"
    (columns,), _ = consents_of(tmp_path, "c.csv", rows)
    assert columns["status"]["values"] == {"subscribed": "granted", "unsubscribed": "denied"}


def test_a_birth_is_not_the_time_of_anything_else(tmp_path: Path) -> None:
    (columns,), _ = consents_of(
        tmp_path, "c_2026-03-03.csv", "id,dob,opt_in\n1,1990-05-01,1\n2,1985-02-03,0\n"
    )
    assert columns["effective_at"] == {"constant": "{day}"}


def test_words_are_no_stars_and_a_device_no_category(tmp_path: Path) -> None:
    reason = "What is the reason for your score?"
    _, source, _ = guessed(
        tmp_path,
        "t.csv",
        f"Response ID,Submitted At,Customer ID,Feedback,{reason}\nr1,2026-03-03 10:00:00,u1,Good,Fast\n",
    )
    assert source["columns"]["text_id"] == "Response ID"
    assert source["columns"]["body"] == "Feedback"
    assert "rating" not in source["columns"]
    _, source, _ = guessed(
        tmp_path,
        "o.ndjson",
        '{"order_id": "7", "event_timestamp": "1772359200000000", "event_date": "20260301", "user_id": "u1", '
        '"revenue": 45.0, "device": {"category": "mobile"}}\n',
    )
    assert source["columns"]["ordered_at"] == {"column": "event_timestamp", "date_format": "epoch_us"}
    assert "category" not in source["columns"]


def test_charges_have_an_id_beside_the_invoice_that_some_are_for_and_times_in_utc(tmp_path: Path) -> None:
    rows = (
        "id,Created (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Invoice ID\n"
        "ch_1,2026-03-01 10:00,9.90,0.00,eur,Paid,cus_1,in_1\n"
        "ch_2,2026-03-02 10:00,20.00,5.00,eur,Refunded,cus_2,\n"
    )
    _, source, _ = guessed(tmp_path, "charges.csv", rows)
    columns = source["columns"]
    assert columns["order_id"] == "id"
    assert columns["ordered_at"] == {"column": "Created (UTC)", "timezone": "UTC"}
    assert columns["refunded_minor"] == {"column": "Amount Refunded", "minor_units": 2}


def test_where_a_contact_lives_is_no_status(tmp_path: Path) -> None:
    rows = (
        "Id,Email,MailingState,CreatedDate,LastModifiedDate\n"
        "003,a@b.de,BE,2026-03-01T09:00:00.000+0000,2026-03-02T09:00:00.000+0000\n"
    )
    table, source, _ = guessed(tmp_path, "contacts.csv", rows)
    assert table == "customers"
    assert source["columns"]["updated_at"] == "LastModifiedDate"
    assert source["columns"]["province"] == "MailingState"
    (columns,), _ = consents_of(tmp_path, "contacts.csv", rows)
    assert columns["status"] == {"constant": ""}


def test_nobody_and_no_campaign_is_made_from_all_columns(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text("id,who,created_at\n1,u2,2026-03-03 10:00:00\n2,u3,2026-03-03 11:00:00\n")
    for table in ("social_edges", "campaign_contacts", "identity_links"):
        (source,) = yaml.safe_load(guess_source(file, tmp_path, table))["tables"][table]
        assert source["columns"][required_columns(table)[0]] == {"constant": ""}
    assert "campaign_id: REQUIRED, not found; name the file's column; of a file of one campaign say" in (
        guess_source(file, tmp_path, "campaign_contacts")
    )
    file.write_text("customer_id,referred_by,created_at\nu2,u1,2026-03-03 10:00:00\n")
    (source,) = yaml.safe_load(guess_source(file, tmp_path, "social_edges"))["tables"]["social_edges"]
    columns = source["columns"]
    assert (columns["source_customer_id"], columns["target_customer_id"]) == ("referred_by", "customer_id")


def test_a_refund_that_stands_on_an_orders_first_line_is_none_of_that_line(tmp_path: Path) -> None:
    rows = (
        "Name,Email,Financial Status,Currency,Refunded Amount,Created at,Lineitem quantity,Lineitem price\n"
        "#1,a@x.de,refunded,EUR,50.00,2026-03-01 10:00:00,1,15.00\n#1,a@x.de,,,,2026-03-01 10:00:00,1,35.00\n"
    )
    _, source, _ = guessed(tmp_path, "o.csv", rows)
    assert "refunded_minor" not in source["columns"]


def test_hours_beside_a_day_are_asked_about(tmp_path: Path) -> None:
    rows = "Transaction ID,Date,Time,Qty,Gross Sales,Net Sales\nt1,2026-03-01,10:05:00,1,$3.50,$3.00\n"
    _, source, text = guessed(tmp_path, "items.csv", rows)
    assert '# Time holds hours without a day; a day beside it is joined to it by expression: "Day"' in text
    assert source["columns"]["amount_minor"] == {"column": "Net Sales", "minor_units": 2}


def test_a_products_title_is_its_name_before_its_description(tmp_path: Path) -> None:
    rows = "id,title,description,price\nA1,Tee,Soft and wide,10.00\nB2,Shoe,Light,35.00\n"
    table, source, _ = guessed(tmp_path, "feed.csv", rows)
    assert (table, source["columns"]["name"]) == ("products", "title")
