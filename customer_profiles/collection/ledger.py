"""What was loaded when: the ledger of deliveries, and the days that were run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Protocol

import narwhals as nw
import polars as pl

from customer_profiles.collection.tables import DAYS, DELIVERIES, RAW
from customer_profiles.warehouse import Session

DeliveredDays = Mapping[str, frozenset[date]]
"""Per table the days whose delivery was loaded."""
LOADED, ABSENT, REFUSED = "loaded", "absent", "refused"


def ledger(
    warehouse: Session, table: str, first: date | None = None, last: date | None = None
) -> pl.DataFrame:
    """A table's entries whose rows came in on a range of days, and entries of files of these days."""
    rows = warehouse.read(DELIVERIES).filter(nw.col("table_name") == table)
    entries = warehouse.collect(rows).with_columns(
        pl.col("file").fill_null(pl.col("source")), pl.col("file_day").fill_null(pl.col("delivery_day"))
    )
    within = [
        pl.col(name).is_between(first or date.min, last or date.max) for name in ("delivery_day", "file_day")
    ]
    return entries.filter(pl.any_horizontal(within)).sort("delivery_day", "source")


def delivered(warehouse: Session, last: date | None = None) -> DeliveredDays:
    """Per table the days whose delivery was loaded by ``last``: on its day, or later."""
    entries = warehouse.collect(
        warehouse.read(DELIVERIES, None, last).select("table_name", "delivery_day", "file_day").unique()
    ).with_columns(pl.coalesce("file_day", "delivery_day"))
    days = {table: frozenset[date]() for table in RAW}
    for (table,), part in entries.group_by("table_name"):
        days[str(table)] = frozenset(part["file_day"])
    return days


def days_run(warehouse: Session) -> list[date]:
    """The days on which any table was looked for, ascending."""
    days = warehouse.collect(warehouse.read(DAYS).select("delivery_day").unique())
    return days["delivery_day"].sort().to_list()


def delivery_fates(warehouse: Session, table: str) -> dict[date, str]:
    """What became of a table's own delivery on each day on which it was looked for."""
    rows = warehouse.read(DAYS).filter(nw.col("table_name") == table).select("delivery_day", "fate")
    return dict(warehouse.collect(rows).iter_rows())


def refusals(warehouse: Session, first: date, last: date) -> pl.DataFrame:
    """Why files could not be read when these days were last run: delivery_day, table_name, reason."""
    rows = warehouse.collect(warehouse.read(DAYS, first, last))
    return (
        rows.select("delivery_day", "table_name", pl.col("refusals").alias("reason"))
        .explode("reason")
        .drop_nulls()
        .sort("delivery_day", "table_name", "reason")
    )


class Ran(Protocol):
    """What became of a table's deliveries on one day."""

    @property
    def fate(self) -> str:
        """Of its own delivery: loaded, absent or refused."""

    @property
    def refused(self) -> tuple[str, ...]:
        """Why files could not be read."""


def record_days(warehouse: Session, table: str, days: Mapping[date, Ran]) -> None:
    """Note that a table's deliveries of these days were looked for, and what became of them."""
    rows = [
        {"delivery_day": day, "table_name": table, "fate": ran.fate, "refusals": list(ran.refused)}
        for day, ran in days.items()
    ]
    with warehouse.transaction():
        for day in days:
            warehouse.delete(DAYS, {"delivery_day": day, "table_name": table})
        warehouse.append(DAYS, pl.DataFrame(rows, schema=DAYS.schema))
