"""One retailer, small and long enough for every claim, simulated once for all tests of the room."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from customer_profiles.simulation import SimulationSummary, simulate

START = date(2026, 1, 1)


@pytest.fixture(scope="session")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    return simulate(tmp_path_factory.mktemp("retailer"), customers=4_000, days=60, start=START)


@pytest.fixture(scope="session")
def orders(retailer: SimulationSummary) -> pl.DataFrame:
    """Readable order rows of all deliveries, newest status last."""
    files = sorted((retailer.folder / "deliveries" / "orders").iterdir())
    rows = pl.DataFrame([row for file in files for row in _read_rows(file)], infer_schema_length=None)
    return (
        rows.with_columns(pl.col("amount_minor").cast(pl.Int64, strict=False))
        .with_columns(pl.col("ordered_at", "status_at").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False))
        .drop_nulls(["amount_minor", "ordered_at", "status_at", "customer_id"])
        .filter(pl.col("ordered_at").dt.year() == 2026)
        .sort("status_at", maintain_order=True)
    )


def _buyers(orders: pl.DataFrame, first: date, last: date) -> pl.Series:
    """Customers with an order of these days that stands."""
    newest = orders.unique(["order_id", "line_number"], keep="last", maintain_order=True)
    standing = newest.filter(pl.col("status").is_in(["paid", "shipped", "completed"]))
    return standing.filter(pl.col("ordered_at").dt.date().is_between(first, last))["customer_id"].unique()


def _read_lines(file: Path) -> list[str]:
    """Lines of a text delivery, the header included."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return content.decode().rstrip("\n").split("\n")


def _read_rows(file: Path) -> list[dict[str, Any]]:
    """Rows of a delivery as written, cell by cell; a ragged line is the row ``{"ragged": line}``."""
    if file.suffix == ".parquet":
        return pl.read_parquet(file).to_dicts()
    lines = _read_lines(file)
    if file.suffix == ".ndjson":
        return [json.loads(line) for line in lines]
    header = lines[0].split(",")
    split = [line.split(",") for line in lines[1:]]
    return [
        {name: cell or None for name, cell in zip(header, cells, strict=True)}
        if len(cells) == len(header)
        else dict.fromkeys(header) | {"ragged": ",".join(cells)}
        for cells in split
    ]


@pytest.fixture(scope="session")
def buyers() -> Callable[[pl.DataFrame, date, date], pl.Series]:
    return _buyers


@pytest.fixture(scope="session")
def read_lines() -> Callable[[Path], list[str]]:
    return _read_lines


@pytest.fixture(scope="session")
def read_rows() -> Callable[[Path], list[dict[str, Any]]]:
    return _read_rows
