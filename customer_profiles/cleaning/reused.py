"""Orders that have the number of an earlier one: till receipts that begin anew each day."""

from __future__ import annotations

from datetime import date

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.warehouse import Session


def reused_orders(session: Session, first: date, last: date) -> pl.DataFrame:
    """Per delivery day: orders, and how many have the id of another customer's order of another day.

    Of those that were delivered before it. A new status of an order keeps its customer, or its day.
    """
    ids = session.read(CLEANED["orders"], first, last).select("order_id").unique()
    told = session.read(CLEANED["orders"], None, last).join(ids, on="order_id", how="semi")
    orders = told.group_by("order_id", "delivery_day").agg(
        nw.col("customer_key").min(), nw.col("ordered_day").min()
    )

    def differs(name: str) -> nw.Expr:
        return nw.col(name) != nw.col(name).shift(1).over("order_id", order_by="delivery_day")

    reused = (differs("customer_key") & differs("ordered_day")).fill_null(False)
    return session.collect(
        orders.with_columns(reused=reused.cast(nw.Int64))
        .filter(nw.col("delivery_day") >= first)
        .group_by("delivery_day")
        .agg(nw.len().cast(nw.Int64).alias("orders"), nw.col("reused").sum().cast(nw.Int64))
        .sort("delivery_day")
    )
