from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from customer_profiles.contracts.stored import delivered_columns
from customer_profiles.simulation import SimulationError, SimulationSummary, simulate
from customer_profiles.simulation.delivery_files import FORMATS

ReadRows = Callable[[Path], list[dict[str, Any]]]
ReadLines = Callable[[Path], list[str]]
SMALL = {"customers": 200, "days": 6}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def events_of(folder: Path) -> pl.DataFrame:
    files = sorted((folder / "deliveries" / "events").iterdir())
    return pl.concat(
        pl.read_parquet(file).with_columns(arrived=pl.lit(date.fromisoformat(file.stem))) for file in files
    )


def test_equal_arguments_give_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(tmp_path / name, **SMALL)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_another_seed_gives_another_retailer(tmp_path: Path) -> None:
    simulate(tmp_path / "seven", **SMALL)
    simulate(tmp_path / "eight", **SMALL, seed=8)
    orders = "deliveries/orders/2026-01-03.csv"
    assert (tmp_path / "seven" / orders).read_bytes() != (tmp_path / "eight" / orders).read_bytes()


def test_deliveries_are_never_overwritten_nor_mixed(tmp_path: Path) -> None:
    theirs = tmp_path / "deliveries" / "orders" / "2026-01-01.csv"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("order_id\n")
    with pytest.raises(SimulationError, match=r"already holds files .*2026-01-01\.csv"):
        simulate(tmp_path, **SMALL)
    assert list(files_of(tmp_path)) == ["deliveries/orders/2026-01-01.csv"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"customers": 3}, "customers is 3"),
        ({"days": 0}, "days is 0"),
        ({"drift_day": 6}, "drift_day is 6"),
        ({"start": date(1850, 1, 1)}, "start is 1850"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    tmp_path: Path, wrong: dict[str, object], says: str
) -> None:
    with pytest.raises(SimulationError, match=says):
        simulate(tmp_path, **{**SMALL, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [{"customers": 20, "days": 1}, {"customers": 25, "days": 3}])
def test_the_smallest_retailers_deliver_every_table_every_day(tmp_path: Path, size: dict[str, int]) -> None:
    summary = simulate(tmp_path, **size)
    for table in FORMATS:
        assert len(list((tmp_path / "deliveries" / table).iterdir())) == size["days"], table
    assert summary.files == 10 * size["days"]


def test_every_file_has_the_columns_of_its_contract_also_without_rows(
    retailer: SimulationSummary, read_lines: ReadLines
) -> None:
    for table in FORMATS:
        files = sorted((retailer.folder / "deliveries" / table).iterdir())
        assert [file.name.split(".")[0] for file in files] == [
            (retailer.first_day + timedelta(days=place)).isoformat() for place in range(60)
        ]
        for file in files[::7]:
            if file.suffix == ".parquet":
                assert pl.read_parquet(file).columns == list(delivered_columns(table))
            elif file.suffix != ".ndjson":
                assert read_lines(file)[0].split(",") == list(delivered_columns(table))


def test_the_summary_counts_the_rows_that_lie_in_the_files(
    retailer: SimulationSummary, read_rows: ReadRows
) -> None:
    for table in ("customers", "texts", "campaign_contacts", "social_edges", "events"):
        files = (retailer.folder / "deliveries" / table).iterdir()
        assert sum(len(read_rows(file)) for file in files) == retailer.rows[table], table


def test_without_dirt_every_row_is_sound(tmp_path: Path) -> None:
    summary = simulate(tmp_path, **SMALL, dirty=False)
    assert sum(summary.dirty_rows.values()) == 0
    events = events_of(tmp_path)
    assert events["event_id"].is_unique().all()
    assert events.null_count()["event_name"][0] == 0


def test_some_events_arrive_one_to_three_days_late(retailer: SimulationSummary) -> None:
    events = events_of(retailer.folder).drop_nulls(["event_at", "event_id"])
    happened = pl.col("event_at").dt.convert_time_zone("Asia/Shanghai").dt.date()
    first = events.unique("event_id", keep="first", maintain_order=True)
    days = first.select((pl.col("arrived") - happened).dt.total_days().alias("late"))["late"]
    assert 0.005 < (days > 0).mean() < 0.02  # type: ignore[operator]
    assert days.filter(days > 0).unique().sort().to_list() == [1, 2, 3]


def test_statuses_of_a_line_follow_one_another_and_arrive_as_they_are_reached(orders: pl.DataFrame) -> None:
    paths = (
        orders.unique(["order_id", "line_number", "status"], keep="first", maintain_order=True)
        .group_by("order_id", "line_number", maintain_order=True)
        .agg("status")["status"]
        .list.join(">")
        .value_counts(sort=True)
    )
    seen = dict(paths.iter_rows())
    for path in (
        "placed>paid>shipped>completed",
        "placed>cancelled",
        "placed>paid>shipped>completed>returned",
    ):
        assert seen[path] > 20
    assert not [path for path in seen if ">placed" in path or "cancelled>" in path]


def test_returned_lines_alone_are_negative(orders: pl.DataFrame) -> None:
    negative = orders.filter(pl.col("amount_minor") < 0)
    assert negative.filter(pl.col("status") == "returned").height > 100
    assert negative.filter(pl.col("status") != "returned").height < 20  # planted as dirt


def test_unknown_customers_and_products_stay_below_one_percent(
    retailer: SimulationSummary, read_rows: ReadRows
) -> None:
    events = events_of(retailer.folder)
    files = (retailer.folder / "deliveries" / "products").iterdir()
    products = pl.Series([row["product_id"] for file in files for row in read_rows(file)])
    named = events["product_id"].drop_nulls().str.strip_chars()
    assert 0 < 1 - named.is_in(products.implode()).mean() < 0.01  # type: ignore[operator]
    assert 0 < (events["customer_id"] == "C9999999").mean() < 0.01  # type: ignore[operator]


def test_a_visible_drift_sets_in_on_its_day(tmp_path: Path) -> None:
    simulate(tmp_path, customers=1_500, days=12, drift_day=6)
    events = events_of(tmp_path)
    after = pl.col("arrived") >= date(2026, 1, 7)
    local = pl.col("event_at").dt.convert_time_zone("Asia/Shanghai").dt.hour()
    share: Callable[[pl.Expr], tuple[float, float]] = lambda what: (  # noqa: E731
        events.filter(~after).select(what.mean()).item(),
        events.filter(after).select(what.mean()).item(),
    )
    before, now = share(pl.col("channel") == "mini_program")
    assert now > before + 0.15
    before, now = share(local < 6)
    assert now > before + 0.1
