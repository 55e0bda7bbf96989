"""Somebody else's data, mapped by a ``sources.yaml`` alone, from the command line to the profiles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from customer_profiles.collection.door import Received, receive
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.tables import DELIVERIES, RAW
from customer_profiles.orchestration.platform import Platform
from customer_profiles.privacy.sealing import place_of
from customer_profiles.privacy.secrets import write_demo_secrets
from customer_profiles.settings import load_settings

ROOT = Path(__file__).parent.parent
EXAMPLES, DATASETS = ROOT / "examples", ROOT.parent / "shared" / "datasets"
FIRST = date(2010, 12, 1)
LAST = date(2011, 12, 9)
Command = Callable[..., Any]


def invoices() -> pl.DataFrame:
    """Six invented days of a shop: a line twice, a return, a debt, lines without customer or words."""
    lines = [
        (
            f"{536000 + n}",
            f"S{n % 7}",
            f"THING {n % 7}",
            1 + n % 5,
            FIRST + timedelta(days=n % 4),
            1.25,
            12000 + n % 30,
        )
        for n in range(300)
    ]
    lines += [
        lines[0],
        ("C537000", "S1", "THING 1", -2, FIRST + timedelta(days=5), 1.25, 12001),
        ("A537001", "B", "Adjust bad debt", 1, FIRST, -11.06, None),
        ("537002", "S2", None, -10, FIRST, 0.0, None),
        ("537003", "S3", "THING 3", 4, FIRST, 0.001, None),
    ]
    names = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
    return pl.DataFrame(lines, schema=names, orient="row").with_columns(
        (pl.col("InvoiceDate").cast(pl.String) + " 08:26:00").alias("InvoiceDate"),
        pl.col("CustomerID").cast(pl.Float64),
        Country=pl.lit("United Kingdom"),
    )


def home_of(example: str, folder: Path, **changed: Any) -> Path:
    """A home with an example's two files; ``changed`` are settings that a short history needs."""
    shutil.copytree(EXAMPLES / example, folder)
    settings = yaml.safe_load((folder / "settings.yaml").read_text())
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings | changed))
    write_demo_secrets(folder / "secrets")
    return folder


def test_a_shop_of_one_file_gets_profiles_and_says_what_it_cannot_know(
    tmp_path: Path, command: Command
) -> None:
    home = home_of("online_retail", tmp_path / "home", features={"recent_days": 1})
    invoices().write_parquet(home / "online_retail.parquet")

    said = command("sources", "check", "--home", str(home), "--day", str(FIRST))
    assert said.code == 0
    assert "would be quarantined: 3 rows: customer_id|required" in said.out
    assert "would be quarantined: 1 rows: negative_but_not_returned" in said.out
    assert "left out by rule: 3 rows: no customer" in said.out
    assert "behaviour: NULL, for want of events" in said.out
    assert "12000" not in said.out
    assert not (home / "warehouse.duckdb").exists()

    said = command("run", "--home", str(home))
    assert said.code == 0, said.out + said.err
    assert "rows left out by rules of sources.yaml: customers 3, products 1" in said.out
    orders, ledger = stored(home)
    assert (orders.height, orders["amount_minor"].sum()) == (305, invoiced(invoices()))
    assert set(ledger["delivery_day"]) == {FIRST + timedelta(days=n) for n in range(6)}
    assert ledger["known_time_imputed"].all()
    profiles = pl.read_parquet(home / "published/current/customer_profiles.parquet")
    assert profiles["customer_key"].n_unique() == 30
    assert profiles["orders_lifetime"].sum() == 300
    assert profiles["sessions_30"].null_count() == profiles.height


def stored(home: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    platform = Platform(load_settings(home), {})
    with platform.warehouse() as warehouse:
        ledger = warehouse.frame(DELIVERIES)
        return warehouse.frame(RAW["orders"]), ledger.filter(pl.col("table_name") == "orders")


def invoiced(lines: pl.DataFrame) -> int:
    amounts = (lines["Quantity"] * lines["UnitPrice"] * 100).round(6)
    return int(amounts.round(0, mode="half_to_even").cast(pl.Int64).sum())


def all_at_once(example: str, data: str, folder: Path, day: date) -> tuple[Platform, Received]:
    """The orders of a real file, all of them delivered on one day."""
    if not (DATASETS / data).exists():
        pytest.skip(f"{data} is not there")
    home = home_of(example, folder)
    sources = yaml.safe_load((home / "sources.yaml").read_text())
    orders = sources["tables"]["orders"][0] | {"delivery_day": str(day), "path": str(DATASETS / data)}
    (home / "sources.yaml").write_text(yaml.safe_dump({"tables": {"orders": [orders]}}))
    platform = Platform(load_settings(home), {})
    delivery = find_delivery(platform.home, "orders", day)
    assert delivery is not None
    return platform, receive(delivery, platform.door)


def test_every_row_of_online_retail_is_told(tmp_path: Path) -> None:
    platform, received = all_at_once("online_retail", "online_retail.parquet", tmp_path / "home", LAST)
    rows = received.rows
    assert (rows.height, rows["amount_minor"].sum()) == (541_909, 974_774_793)
    assert not rows["exact_copy"].any()
    broken = rows.filter(pl.col("broken_rules").list.len() > 0)
    assert broken.height == broken["broken_rules"].list.contains("customer_id|required").sum() == 135_080
    assert rows["customer_key"].drop_nulls().n_unique() == 4_372
    originals = broken.select("original_sealed", "source", "row_number").iter_rows()
    opened = (
        platform.door.seal.open(sealed, place_of("orders", LAST, source, number, "original"))
        for sealed, source, number in originals
    )
    invoices_seen = {*rows["order_id"].drop_nulls(), *(json.loads(row)["InvoiceNo"] for row in opened)}
    assert len(invoices_seen) == 25_900


def test_every_row_of_cdnow_is_told(tmp_path: Path) -> None:
    _, received = all_at_once("cdnow", "cdnow_sample.txt", tmp_path / "home", date(1998, 6, 30))
    rows = received.rows
    assert (rows.height, rows["customer_key"].n_unique()) == (6_919, 2_357)
    assert rows["broken_rules"].list.len().sum() == 0
    assert rows["ordered_hour"].null_count() == rows.height


GUESSED = {
    "orders_2026-03-03.csv": (
        b"InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n1,S,2,2026-03-03 10:00:00,2.5,7\n"
    ),
    "订单20260303.csv": (
        "订单号;会员编号;下单时间;商品编码;数量;实付金额;订单状态\nA1;U1;2026/03/03 10:20;S1;2;12,50;paid\n"
    ).encode("gbk"),
}


@pytest.mark.parametrize("name", GUESSED)
def test_a_guessed_mapping_can_be_checked_as_it_is(tmp_path: Path, command: Command, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(GUESSED[name])
    said = command("sources", "init", str(file), "--home", str(tmp_path))
    (tmp_path / "sources.yaml").write_text(said.out)
    assert "{day" in said.out
    checked = command("sources", "check", "--home", str(tmp_path))
    assert f"{name}: 1 rows received, 0 of them quarantined" in checked.out
    assert "amount_minor" in checked.out


def test_names_in_square_brackets_are_printed_as_they_are(tmp_path: Path, command: Command) -> None:
    columns = "{order_id: id, line_number: {place_in: id}, status_at: at, ordered_at: at, customer_id: who}"
    (tmp_path / "sources.yaml").write_text(
        f"tables: {{orders: [{{kind: files, path: 'o_{{day}}[[]eur].csv', columns: {columns}}}]}}"
    )
    (tmp_path / "o_2026-03-03[eur].csv").write_text(
        "id,at,who,status,quantity,amount_minor,currency,price [eur],unit [/piece]\n"
        "1,2026-03-03,C1,paid,1,100,EUR,1.00,2\n"
    )
    said = command("sources", "check", "--home", str(tmp_path))
    assert "o_2026-03-03[eur].csv: 1 rows received" in said.out
    assert "kept sealed: price [eur], unit [/piece]" in said.out


def test_a_path_without_any_file_is_an_error_of_a_check_and_of_a_run(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "sources.yaml").write_text("tables: {orders: [{kind: files, path: 'o_{day}.csv'}]}")
    reason = f"orders: there is no file at {tmp_path}/o_{{day}}.csv that this user may see; correct `path`"
    said = command("sources", "check", "--home", str(tmp_path))
    assert said.code == 1
    assert reason in said.out
    said = command("run", "--home", str(tmp_path))
    assert (said.code, said.err) == (1, f"error: {reason}\n")


def test_a_source_that_cannot_be_read_is_said_and_the_others_are_checked(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "sources.yaml").write_text("tables: {orders: [{kind: files, path: 'o_{day}.csv'}]}")
    (tmp_path / "o_2026-03-03.csv").write_text("a,b\n1,2\n")
    (tmp_path / "deliveries/texts").mkdir(parents=True)
    (tmp_path / "deliveries/texts/2026-03-03.csv").write_text("text_id,customer_id,kind,created_at,body\n")
    said = command("sources", "check", "--home", str(tmp_path))
    assert said.code == 1
    assert "orders: cannot be read" in said.out
    assert "deliveries" not in said.err
    assert "texts/2026-03-03.csv: 0 rows received" in said.out
    assert "no row came in on this day; look at another one: --day" in said.out


def test_a_home_in_which_nobody_can_be_a_customer_says_so(tmp_path: Path, command: Command) -> None:
    rows = {
        "texts": "text_id,customer_id,kind,created_at,body\nt1,C1,review,2026-03-03,fine\n",
        "events": "event_id,event_at,event_name,channel,customer_id\ne1,2026-03-03 10:00:00,login,web,C1\n",
        "customers": "customer_id,updated_at\nC1,2026-03-03\n",
    }
    says = [
        "profiles: of nobody, for want of customers, events, orders: one of them tells who is a customer",
        "profiles: of those who ordered or did something",
        "profiles: of those whom customers names, no others",
    ]
    for (table, content), expected in zip(rows.items(), says, strict=True):
        (tmp_path / f"deliveries/{table}").mkdir(parents=True)
        (tmp_path / f"deliveries/{table}/2026-03-03.csv").write_text(content)
        assert expected in command("sources", "check", "--home", str(tmp_path)).out
