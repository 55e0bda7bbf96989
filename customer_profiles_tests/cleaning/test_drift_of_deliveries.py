"""Deliveries are counted inside the engine, day by day, and a rebuilt range counts the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from customer_profiles.cleaning.drift import count_deliveries, store_counts, world_of
from customer_profiles.cleaning.tables import COUNTS, DRIFT
from customer_profiles.quality.counts import Watched, count
from customer_profiles.quality.history import histories
from customer_profiles.quality.measuring import drift_rows, measure_days, plot_of_day
from customer_profiles.settings import load_settings
from customer_profiles.warehouse import Warehouse
from customer_profiles.warehouse.artefacts import ArtefactError

DAY, NOON = date(2026, 3, 3), "2026-03-03 12:00:00"
NEXT = DAY + timedelta(days=1)


@pytest.fixture
def orders(sound) -> Callable[..., list[dict[str, object]]]:
    return lambda amounts, **cells: [
        sound("orders", **{"order_id": f"O{number}", "amount_minor": str(amount)} | cells)
        for number, amount in enumerate(amounts)
    ]


def cell(counts: pl.DataFrame, column: str, kind: str, day=DAY) -> dict[object, int]:
    rows = counts.filter(delivery_day=day, table_name="orders", column_name=column, kind=kind)
    return {row["category"] if kind == "category" else row["number"]: row["rows"] for row in rows.to_dicts()}


def test_rows_nulls_categories_numbers_and_lateness_are_counted(shop, orders):
    shop.take("orders", [*orders([100, 100, 9_900]), *orders([7], order_id="late", status="shipped")])
    shop.take("orders", orders([50], order_id="next", channel="app"), day=NEXT)
    counts = count_deliveries(shop.warehouse, DAY, NEXT)

    assert cell(counts, "(rows)", "rows") == {None: 4}
    assert cell(counts, "channel", "missing") == {None: 4}
    assert cell(counts, "channel", "missing", NEXT) == {None: 0}
    assert cell(counts, "status", "category") == {"paid": 3, "shipped": 1}
    assert cell(counts, "amount_minor", "number") == {7.0: 1, 100.0: 2, 9856.0: 1}
    assert cell(counts, "(days late)", "number", NEXT) == {1.0: 1}
    assert not counts.filter(
        pl.col("column_name").str.ends_with("_id") & (pl.col("kind") != "missing")
    ).height


def test_a_bin_lies_within_one_percent_of_its_numbers_and_keeps_the_sign(shop, orders):
    amounts = [1, 3, 127, 999, 12_345, 7_654_321]
    returned = orders(amounts, status="returned", quantity="-1")
    for row in returned:
        row["amount_minor"] = f"-{row['amount_minor']}"
    shop.take("orders", returned)
    bins = sorted(cell(count_deliveries(shop.warehouse, DAY, DAY), "amount_minor", "number"), reverse=True)
    assert bins[:3] == [-1, -3, -127]
    assert bins == pytest.approx([-amount for amount in amounts], rel=0.008)


def test_columns_are_counted_alike_whether_few_or_many(tmp_path):
    random = np.random.default_rng(2)
    names = [f"number {place}" for place in range(20)]
    values = np.where(random.random((500, 20)) < 0.1, np.nan, random.lognormal(3, 2, (500, 20)).round(1))
    rows = pl.DataFrame(values, schema=names).with_columns(day=pl.lit(DAY)).fill_nan(None)
    with Warehouse(tmp_path / "w.duckdb").session() as session:
        counted = [
            count(session, session.rows_of(rows), "day", Watched(numbers=chosen), table_name="t")
            for chosen in (tuple(names), tuple(names[:3]))
        ]
    of_three, order = pl.col("column_name").is_in(names[:3]), ["column_name", "number"]
    many, few = (frame.filter(of_three).sort(order) for frame in counted)
    assert few.equals(many)
    assert few["rows"].sum() == rows.select(pl.sum_horizontal(pl.col(names[:3]).count())).item()


def test_a_day_without_rows_counts_none_delivered_or_not_from_the_first_delivery_on(shop, orders):
    shop.take("orders", orders([100]))
    shop.take(
        "orders",
        "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency\n",
        day=NEXT,
    )
    store_counts(shop.warehouse, DAY - timedelta(days=1), NEXT + timedelta(days=1))
    stored = shop.warehouse.frame(COUNTS)
    assert [day.rows.tolist() for day in histories(stored, "delivery_day") if day.kind == "rows"] == [
        [1, 0, 0]
    ]


def test_counting_a_range_again_gives_the_same_counts(shop, orders):
    for day in (DAY, NEXT):
        shop.take("orders", orders([100, 200], ordered_at=NOON), day=day)
    store_counts(shop.warehouse, DAY, DAY)
    store_counts(shop.warehouse, NEXT, NEXT)
    day_by_day = shop.warehouse.frame(COUNTS)
    store_counts(shop.warehouse, DAY, NEXT)
    assert shop.warehouse.frame(COUNTS).equals(day_by_day)


def test_the_worst_columns_of_a_calm_day_are_drawn_too(shop, orders, tmp_path):
    settings, days = load_settings(tmp_path), [DAY + timedelta(days=ago) for ago in range(21)]
    for day in days:
        times = dict.fromkeys(("ordered_at", "status_at"), f"{day} 12:00:00")
        shop.deliver("orders", orders(range(100, 220), **times), day=day)
    shop.run("orders", *days)
    store_counts(shop.warehouse, days[0], days[-1])
    world = world_of(settings)
    for day, measured in measure_days(shop.warehouse, COUNTS, DRIFT, days, world, settings.drift):
        shop.warehouse.write(DRIFT, {"delivery_day": day}, measured)
    rows = drift_rows(shop.warehouse, DRIFT, ["orders"], days[0], days[-1])
    newest = rows.filter(delivery_day=days[-1]).drop_nulls("value")
    assert newest.height
    assert (newest["value"] < newest["warn"]).all()
    drawn = plot_of_day(shop.warehouse, COUNTS, rows, days[-1], world, settings.drift)
    assert drawn is not None
    assert drawn.startswith(b"\x89PNG")
    nothing = plot_of_day(shop.warehouse, COUNTS, rows.clear(), days[-1], world, settings.drift)
    assert nothing is None


def test_a_model_in_service_of_no_day_is_named(tmp_path):
    pointer = tmp_path / "models" / "conversion" / "purchase" / "champion.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text('{"version": "a", "trained_through": "soon"}')
    with pytest.raises(ArtefactError, match=r"champion\.json cannot be read"):
        world_of(load_settings(tmp_path))
