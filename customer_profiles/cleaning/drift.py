"""What arrived on a day, in counts, and how far it lies from what usually arrives."""

from __future__ import annotations

from datetime import date, timedelta

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.tables import CLEANED, COUNTS
from customer_profiles.collection.ledger import delivered
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import clock, day_number, key_columns, stem
from customer_profiles.quality.counts import NO_COLUMN, count, labelled, watched_rows
from customer_profiles.quality.drift import LATENESS
from customer_profiles.quality.references import World
from customer_profiles.settings import Settings
from customer_profiles.warehouse import Session
from customer_profiles.warehouse.artefacts import in_service

DAY = "delivery_day"


def count_deliveries(session: Session, first: date, last: date) -> pl.DataFrame:
    """The counts of the cleaned tables, of every day since a table's first delivery.

    A day without rows counts 0, delivered or not: a daily table that stops is a fall, one that comes now and
    then is known to.
    """
    known = delivered(session, last)
    counted = []
    for table, stored in CLEANED.items():
        rows = session.read(stored, first, last)
        counted.append(
            count(session, rows, DAY, watched_rows(stored.columns, key_columns(table)), table_name=table)
        )
        counted += [_lateness(session, table, first, last)] if clock(CONTRACTS[table]) else []
        begun = max(first, min(known[table], default=last + timedelta(days=1)))
        days = pl.DataFrame({DAY: pl.date_range(begun, last, eager=True)})
        empty = days.join(counted[-1], on=DAY, how="anti").with_columns(
            pl.lit(NO_COLUMN).alias("column_name"),
            pl.lit("rows").alias("kind"),
            pl.lit(0, pl.Int64).alias("rows"),
        )
        counted.append(labelled(empty, table))
    return pl.concat(counted, how="diagonal").select(column.name for column in COUNTS.columns)


def _lateness(session: Session, table: str, first: date, last: date) -> pl.DataFrame:
    """How many days after they happened the rows reached us, as bins of a number."""
    happened = f"{stem(str(clock(CONTRACTS[table])))}_day"
    counted = session.collect(
        session.read(CLEANED[table], first, last)
        .group_by(DAY, happened)
        .agg(nw.len().cast(nw.Int64).alias("rows"))
    )
    late = (pl.col(DAY).to_physical() - pl.col(happened)).cast(pl.Float64)
    bins = counted.group_by(DAY, late.alias("number")).agg(pl.col("rows").sum())
    return labelled(
        bins.with_columns(pl.lit(LATENESS).alias("column_name"), pl.lit("number").alias("kind")), table
    )


def store_counts(session: Session, first: date, last: date) -> None:
    """Count the deliveries of a range of days, both ends belong to it, and store the counts."""
    session.write_days(COUNTS, first, last, count_deliveries(session, first, last))


def world_of(settings: Settings) -> World:
    """The deliveries that the conversion model in service saw last: as many days as a day is held against."""
    serving = in_service(settings.models, f"conversion/{settings.label.train[0]}")
    if serving is None:
        return World()
    last = day_number(serving.day("trained_through"))
    return World({table: range(last - settings.drift.trailing_days + 1, last + 1) for table in CLEANED})
