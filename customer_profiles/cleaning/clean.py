"""Cleaning a delivery, collecting the day's quarantine, and telling the fate of every row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.fates import (
    duplicates,
    first_arrivals,
    quarantined,
    standing,
    without_twin,
)
from customer_profiles.cleaning.tables import CLEANED, QUARANTINE
from customer_profiles.collection.tables import DELIVERIES, RAW
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import key_columns
from customer_profiles.warehouse import Session

MOST_ROWS_AT_ONCE = 500_000
"""Deliveries are cleaned together up to so many rows: a query costs more than a small day."""


def clean_days(session: Session, table: str, days: Sequence[date]) -> dict[date, int]:
    """Write the valid rows of the first of the ascending ``days``, and of as many after it as go together.

    Where a key counts once, the days before them must have been cleaned. Returns the rows of each day that
    was cleaned.
    """
    held = session.row_counts(RAW[table])
    rows_so_far = list(accumulate(held.get(day, 0) for day in days))
    together = days[: max(1, bisect_right(rows_so_far, MOST_ROWS_AT_ONCE))]
    first, last = together[0], together[-1]
    key, columns = key_columns(table), [column.name for column in CLEANED[table].columns]
    rows = standing(session.read(RAW[table], first, last), key)
    if not CONTRACTS[table].VERSIONED:
        arrived = session.read(CLEANED[table], None, first - timedelta(days=1)).select(*key)
        rows = first_arrivals(rows, key, arrived, days=len(together))
    session.write_days(CLEANED[table], first, last, rows.select(columns))
    stored = session.row_counts(CLEANED[table])
    return {day: stored.get(day, 0) for day in together}


def days_to_run_again(session: Session, table: str, first: date, last: date) -> list[date]:
    """Days after ``last`` that count a key twice or not at all, since ``first`` to ``last`` were cleaned.

    A day that is loaded after later ones takes a key's first arrival from a later day, whose copy stands
    until that day is cleaned again; a day that was rewritten without a key leaves later copies of it without
    one that stands. Versions all stay, so tables that have them need no other day.
    """
    stored = session.days(RAW[table])
    if CONTRACTS[table].VERSIONED or not stored or stored[-1] <= last:
        return []
    key = key_columns(table)
    arrived = session.read(CLEANED[table], first, last).select(*key)
    later = session.read(CLEANED[table], last + timedelta(days=1), None).select("delivery_day", *key)
    twice = later.join(arrived, on=list(key), how="semi").select("delivery_day")
    nowhere = without_twin(
        session.read(RAW[table], last + timedelta(days=1), None), session.read(CLEANED[table]), key
    )
    days = nw.concat([twice, nowhere.select("delivery_day")]).unique()
    return sorted(session.collect(days)["delivery_day"])


def quarantine_days(session: Session, first: date, last: date) -> dict[date, int]:
    """Write the broken rows of all tables that were delivered in a range of days.

    Returns the rows of each day that has any. The engine moves them: a history can have millions.
    """
    columns = [column.name for column in QUARANTINE.columns]
    broken = [
        quarantined(session.read(RAW[table], first, last))
        .with_columns(nw.lit(table).alias("table_name"))
        .select(columns)
        for table in CONTRACTS
    ]
    session.write_days(QUARANTINE, first, last, nw.concat(broken))
    return session.row_counts(QUARANTINE)


def row_fates(session: Session, table: str, first: date, last: date) -> pl.DataFrame:
    """Per day: rows received, as the files held them, and rows of each fate, as the tables hold them.

    ``filtered`` are rows that a rule of ``sources.yaml`` left out before: they are not received.

    Each count is taken where its rows lie, none as a remainder of the others, so that a lost row shows.
    """
    raw, cleaned = session.read(RAW[table], first, last), session.read(CLEANED[table], first, last)
    key, versioned = key_columns(table), CONTRACTS[table].VERSIONED
    known = cleaned if versioned else session.read(CLEANED[table], None, last)
    mended = nw.col("repairs").list.len() > 0
    received = session.read(DELIVERIES, first, last).filter(nw.col("table_name") == table)
    held = session.read(QUARANTINE, first, last).filter(nw.col("table_name") == table)
    counted = {
        "received": received.group_by("delivery_day").agg(nw.col("rows").sum().cast(nw.Int64).alias("rows")),
        "filtered": _left_out(session.read(DELIVERIES, None, last).filter(nw.col("table_name") == table)),
        "accepted": _per_day(cleaned.filter(~mended)),
        "repaired": _per_day(cleaned.filter(mended)),
        "quarantined": _per_day(held),
        "duplicate": _per_day(duplicates(raw, known, key, versioned=versioned)),
    }
    days = pl.DataFrame({"delivery_day": pl.date_range(first, last, eager=True)})
    for name, rows in counted.items():
        counts = session.collect(rows).rename({"rows": name})
        days = days.join(counts, on="delivery_day", how="left", maintain_order="left")
    return days.with_columns(pl.exclude("delivery_day").fill_null(0).cast(pl.Int64))


def _left_out(entries: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Rows that rules left out, per day: of a file that has grown, those that came with its later state."""
    states = entries.with_columns(
        nw.coalesce("file", "source").alias("file"), nw.coalesce("file_day", "delivery_day").alias("file_day")
    )
    before = nw.col("filtered").shift(1).over("file", "file_day", order_by=("delivery_day", "written_at"))
    more = nw.max_horizontal(nw.col("filtered") - nw.coalesce(before, nw.lit(0)), nw.lit(0))
    counted = nw.when(nw.col("known_rows") > 0).then(more).otherwise("filtered")
    of_states = states.with_columns(counted.alias("rows"))
    return of_states.group_by("delivery_day").agg(nw.col("rows").sum().cast(nw.Int64))


def _per_day(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return rows.group_by("delivery_day").agg(nw.len().cast(nw.Int64).alias("rows"))
