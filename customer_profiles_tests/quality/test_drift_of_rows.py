"""Rows are counted and held against the days before: what a sender breaks is named, a busy day is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from customer_profiles.contracts.stored import ROW, StoredColumn, day_number
from customer_profiles.quality import counts
from customer_profiles.quality.counts import count, watched_rows
from customer_profiles.quality.drift import drift_of_day
from customer_profiles.quality.history import histories
from customer_profiles.quality.references import World
from customer_profiles.settings import DriftSettings
from customer_profiles.warehouse import Session, Warehouse

START, DAYS = date(2026, 1, 5), 42
TODAY = START + timedelta(days=DAYS - 1)
COLUMNS = (
    *ROW,
    StoredColumn("order_id", pl.String, False, ""),
    StoredColumn("customer_key", pl.String, False, ""),
    StoredColumn("product_id", pl.String, True, ""),
    StoredColumn("ordered_at", pl.Datetime("us", "UTC"), False, ""),
    StoredColumn("ordered_hour", pl.Int32, True, ""),
    StoredColumn("amount_minor", pl.Int64, False, ""),
)
KEY = ("order_id", "line_number")
HOURS = np.array([1, 1, 1, 1, 1, 2, 4, 8, 9, 10, 10, 12, 14, 12, 10, 9, 10, 12, 16, 20, 22, 14, 6, 3])


def rows_of(number: int, rows: int = 1000) -> pl.DataFrame:
    """A day of a shop: no two rows say the same, and no customer has much of it."""
    random = np.random.default_rng(number)
    day = START + timedelta(days=number)
    moments = [datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=s) for s in range(rows)]
    return pl.DataFrame(
        {
            "delivery_day": [day] * rows,
            "row_number": range(rows),
            "order_id": [f"{number}-{row}" for row in range(rows)],
            "customer_key": [f"c{key}" for key in random.integers(0, 3000, rows)],
            "product_id": [f"p{key}" for key in random.integers(0, 200, rows)],
            "ordered_at": moments,
            "ordered_hour": random.choice(24, rows, p=HOURS / HOURS.sum()).astype(np.int32),
            "amount_minor": np.floor(random.lognormal(8, 1, rows)).astype(np.int64) + 1,
        }
    )


def some(rows: pl.DataFrame, part: float, column: str, value: pl.Expr) -> pl.DataFrame:
    chosen = pl.Series(np.random.default_rng(0).random(rows.height) < part)
    return rows.with_columns(pl.when(chosen).then(value).otherwise(column).alias(column))


def again(rows: pl.DataFrame, part: float) -> pl.DataFrame:
    """The rows, and a part of them once more under other ids."""
    copies = rows.sample(fraction=part, seed=0).with_columns(pl.col("order_id") + "-again")
    return pl.concat([rows, copies])


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Warehouse(tmp_path / "warehouse.duckdb").session() as opened:
        yield opened


def counted(session: Session, *days: pl.DataFrame) -> pl.DataFrame:
    rows = session.rows_of(pl.concat(days))
    return count(session, rows, "delivery_day", watched_rows(COLUMNS, KEY), table_name="orders")


def alarms(stored: pl.DataFrame) -> dict[tuple[str, str], str]:
    """Column and statistic of what drifted today."""
    columns = histories(stored, "delivery_day")
    return {
        (drift.column_name, drift.statistic): drift.verdict
        for drift in drift_of_day(columns, day_number(TODAY), World(), DriftSettings())
        if drift.verdict in ("warn", "error")
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.with_columns((pl.col("ordered_hour") + 1) % 24), ("ordered_hour", "clock")),
        (
            lambda rows: some(rows, 0.01, "amount_minor", pl.col("amount_minor") * 1000),
            ("amount_minor", "mean"),
        ),
        (lambda rows: some(rows, 0.1, "amount_minor", pl.lit(0)), ("amount_minor", "psi")),
        (lambda rows: again(rows, 0.5), ("(rows)", "repeated")),
        (lambda rows: some(rows, 0.2, "customer_key", pl.lit("unknown")), ("customer_key", "concentrated")),
        (lambda rows: rows.with_columns(product_id=pl.lit("1E+12")), ("product_id", "concentrated")),
    ],
    ids=["clock an hour off", "some in another unit", "some 0", "delivered again", "one customer", "one id"],
)
def test_what_a_sender_breaks_is_told_alone_and_on_its_day(
    session: Session, change: Callable[[pl.DataFrame], pl.DataFrame], told: tuple[str, str]
) -> None:
    stored = counted(session, *(rows_of(number) for number in range(DAYS - 1)), change(rows_of(DAYS - 1)))
    assert set(alarms(stored)) == {told}


def test_lines_that_stand_twice_in_their_orders_are_told_though_their_numbers_go_on(session: Session) -> None:
    lined = [rows_of(number).with_columns(line_number=pl.lit(1, pl.Int64)) for number in range(DAYS)]
    lined[-1] = pl.concat([lined[-1], lined[-1].with_columns(pl.col("line_number") + 1)])
    columns = (*COLUMNS, StoredColumn("line_number", pl.Int64, False, ""))
    rows = session.rows_of(pl.concat(lined))
    stored = count(session, rows, "delivery_day", watched_rows(columns, KEY), table_name="orders")
    assert ("(rows)", "repeated") in alarms(stored)


def test_of_a_large_day_a_part_tells_of_repeats_and_keys(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "LARGE_DAY", 500)
    usual, today = [rows_of(number) for number in range(DAYS - 1)], again(rows_of(DAYS - 1), 0.5)
    assert set(alarms(counted(session, *usual, today))) == {("(rows)", "repeated")}
    of_one = some(rows_of(DAYS - 1), 0.2, "customer_key", pl.lit("unknown"))
    assert set(alarms(counted(session, *usual, of_one))) == {("customer_key", "concentrated")}


def test_a_small_day_of_a_long_list_of_categories_is_no_drift(session: Session) -> None:
    columns = (*COLUMNS, StoredColumn("category", pl.String, True, ""))
    random, sizes = np.random.default_rng(1), [*[260] * (DAYS - 1), 190]
    days = [
        rows_of(number, rows).with_columns(
            category=pl.Series([f"k{one}" for one in random.integers(0, 1000, rows)])
        )
        for number, rows in enumerate(sizes)
    ]
    rows = session.rows_of(pl.concat(days))
    stored = count(session, rows, "delivery_day", watched_rows(columns, KEY), table_name="orders")
    assert "category" not in {name for name, _ in alarms(stored)}


def test_a_busy_day_of_rows_of_its_own_is_no_drift(session: Session) -> None:
    stored = counted(session, *(rows_of(number) for number in range(DAYS - 1)), rows_of(DAYS - 1, rows=2000))
    assert not alarms(stored)


def test_fewer_repeated_rows_are_no_drift(session: Session) -> None:
    stored = counted(
        session, *(again(rows_of(number), 0.5) for number in range(DAYS - 1)), rows_of(DAYS - 1, rows=1500)
    )
    assert not alarms(stored)


def test_days_on_which_repeats_were_not_counted_are_not_taken_for_days_without(session: Session) -> None:
    stored = counted(session, *(again(rows_of(number), 0.5) for number in range(DAYS)))
    assert not alarms(stored)
    older = (pl.col("kind") == "repeated") & (pl.col("delivery_day") < TODAY)
    assert not alarms(stored.filter(~older))


def test_an_id_beside_the_key_is_of_what_rows_share_required_or_not() -> None:
    for nullable in (True, False):
        columns = (*COLUMNS, StoredColumn("shop_id", pl.String, nullable, ""))
        watched = watched_rows(columns, KEY)
        assert watched.keys == ("customer_key", "product_id", "shop_id")
        assert {"shop_id", "order_id"} & set(watched.content) == {"shop_id"}
