"""Tiny cleaned tables, written as rows, on either engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import cleaned_columns
from customer_profiles.features.as_of import AsOf, Frame
from customer_profiles.features.catalogue import COMPUTED_BY

D = date(2026, 3, 31)
EPOCH = date(1970, 1, 1)
DEFAULTS: dict[Any, Any] = {pl.String: "x", pl.Boolean: False, pl.Binary: b"x"}
COLUMNS = {table: cleaned_columns(table) for table in CONTRACTS}
UNTOLD = {"status": "paid", "currency": "CNY", "channel": "web", "arm": "treatment", "quantity": 1}


def _completed(table: str, record: dict[str, Any], number: int) -> dict[str, Any]:
    """A stored row from the columns that a test names; days are dates, moments default to noon."""
    days = {name: day for name, day in record.items() if name.endswith("_day") and isinstance(day, date)}
    arrival = days.pop("delivery_day", None) or max(days.values(), default=D)
    row: dict[str, Any] = {"delivery_day": arrival, "source": "f", "row_number": number, "repairs": []}
    for name, day in days.items():
        stem = name.removesuffix("_day")
        row |= {
            name: (day - EPOCH).days,
            f"{stem}_at": datetime.combine(day, time(12), UTC),
            f"{stem}_hour": 12,
            f"{stem}_weekday": day.isoweekday(),
        }
    row |= {name: value for name, value in record.items() if name not in days and name != "delivery_day"}
    for column in COLUMNS[table]:
        if not column.nullable and row.get(column.name) is None:
            row[column.name] = UNTOLD.get(column.name, DEFAULTS.get(column.dtype, number))
            if column.name.endswith("_at"):
                row[column.name] = datetime.combine(D, time(12), UTC)
    return {column.name: row.get(column.name) for column in COLUMNS[table]}


@pytest.fixture(scope="session")
def cleaned() -> Callable[..., dict[str, pl.DataFrame]]:
    """``cleaned(orders=[{...}])``: the cleaned tables, of which each customer id is a customer of its own.

    Those not named are empty.
    """

    def build(**tables: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
        frames = {
            table: pl.DataFrame(
                [_completed(table, record, number) for number, record in enumerate(tables.get(table, []), 1)],
                schema={column.name: column.dtype for column in COLUMNS[table]},
            )
            for table in CONTRACTS
        }
        return frames | {"customers": frames["customers"].with_columns(member_key="customer_key")}

    return build


@pytest.fixture(scope="session")
def evening() -> Callable[..., AsOf]:
    """``evening("orders")``: D, with these tables (all if none is named) delivered daily for 400 days."""

    def build(*tables: str, day: date = D, missing: tuple[date, ...] = (), daily: int = 400) -> AsOf:
        days = frozenset(D - timedelta(days=ago) for ago in range(-5, daily)) - set(missing)
        return AsOf(day, dict.fromkeys(tables or CONTRACTS, days))

    return build


@pytest.fixture
def on_polars() -> Callable[[dict[str, pl.DataFrame]], dict[str, Frame]]:
    return lambda tables: {name: nw.from_native(frame.lazy()) for name, frame in tables.items()}


@pytest.fixture
def on_duckdb() -> Iterator[Callable[[dict[str, pl.DataFrame]], dict[str, Frame]]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; set threads = 2")

        def build(tables: dict[str, pl.DataFrame]) -> dict[str, Frame]:
            for name, frame in tables.items():
                connection.register("arriving", frame)
                connection.execute(f"create or replace table {name} as from arriving")
            return {name: nw.from_native(connection.table(name)) for name in tables}

        yield build


@pytest.fixture
def profiles(on_polars: Any) -> Callable[..., dict[str, dict[str, Any]]]:
    """``profiles("social", tables, as_of)``: the rows by customer, on Polars (DuckDB's are equal)."""

    def compute(family: str, tables: dict[str, pl.DataFrame], as_of: AsOf, **more: Any) -> dict[str, Any]:
        rows = COMPUTED_BY[family](on_polars(tables), as_of, **more).collect("polars").to_native()
        assert rows["customer_key"].n_unique() == rows.height
        return {row["customer_key"]: row for row in rows.to_dicts()}

    return compute
