"""Rows that name a customer or product of whom nothing was delivered by their day."""

from __future__ import annotations

from datetime import date, timedelta

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.warehouse import Session


def orphan_counts(
    session: Session, table: str, other: str, column: str, first: date, last: date
) -> pl.DataFrame:
    """Per delivery day of ``table``: rows with a ``column``, and how many of them ``other`` does not know.

    A customer or product is known from the day on which it was first delivered. No days before the first
    delivery of ``other``: what has no source cannot be unknown.
    """
    delivered = session.days(CLEANED[other])
    since = max(first, delivered[0]) if delivered else last + timedelta(days=1)
    known = (
        session.read(CLEANED[other], None, last)
        .group_by(column)
        .agg(nw.col("delivery_day").min().alias("known_from"))
    )
    rows = session.read(CLEANED[table], since, last).filter(~nw.col(column).is_null())
    unknown = nw.col("known_from").is_null() | (nw.col("known_from") > nw.col("delivery_day"))
    return session.collect(
        rows.join(known, on=column, how="left")
        .group_by("delivery_day")
        .agg(
            nw.len().cast(nw.Int64).alias("rows"),
            unknown.cast(nw.Int64).sum().cast(nw.Int64).alias("orphans"),
        )
        .sort("delivery_day")
    )
