"""The conversion label: who bought in the days after a profile closed, and kept it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import narwhals as nw

from customer_profiles.settings import LabelSettings

LINE = ("order_id", "line_number")
STANDING = ("paid", "shipped", "completed")
GIVEN_BACK = "returned"
PARTLY_GIVEN_BACK = "refunded"
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class LabelWindow:
    """The days in which orders count for a profile as of ``as_of``; all ends belong to it."""

    as_of: date
    first: date
    last: date
    matures: date


def label_window(as_of: date, label: LabelSettings) -> LabelWindow:
    """The window of a profile: it closes at t0 = ``as_of`` + 1 day, orders count from t0 + gap on."""
    first = as_of + timedelta(days=1 + label.gap_days)
    last = first + timedelta(days=label.horizon_days - 1)
    return LabelWindow(as_of, first, last, last + timedelta(days=label.maturity_days))


def is_mature(as_of: date, last_day: date, label: LabelSettings) -> bool:
    """Tell whether deliveries up to ``last_day`` settle the label of a profile as of ``as_of``."""
    return label_window(as_of, label).matures <= last_day


def spacing_days(label: LabelSettings) -> int:
    """Fewest days between two snapshots, so that no order counts for both."""
    return label.gap_days + label.horizon_days


def converted(orders: nw.LazyFrame[Any], as_of: date, label: LabelSettings) -> nw.LazyFrame[Any]:
    """Customers with at least one order of the label window that stood at maturity.

    ``orders`` is ``cleaned/orders`` with every version of every line. Only what was delivered by
    maturity counts, each line in its newest status. A line stands if it was paid, shipped or
    completed and less than its whole amount was refunded. An order stands if one of its lines does
    and the returned lines that name it take back less than what its standing lines brought; a
    return under an order id of its own names nothing, and so undoes nothing.

    Returns one row per customer: ``customer_key``. Runs inside the frame's own engine. Whether the
    label is mature is the caller's question: see ``is_mature``.
    """
    window = label_window(as_of, label)
    known = orders.filter(nw.col("delivery_day") <= nw.lit(window.matures)).select(
        *LINE,
        "status_at",
        "delivery_day",
        "source",
        "row_number",
        "customer_key",
        "ordered_day",
        "status",
        nw.col("amount_minor").cast(nw.Int64),
        nw.col("refunded_minor").cast(nw.Int64),
    )
    newest = known.unique(
        subset=list(LINE), keep="last", order_by=["status_at", "delivery_day", "source", "row_number"]
    )
    standing = (
        newest.filter(_stands())
        .filter(nw.col("ordered_day") >= _day_number(window.first))
        .filter(nw.col("ordered_day") <= _day_number(window.last))
        .group_by("order_id", "customer_key")
        .agg(brought=(nw.col("amount_minor") - nw.col("refunded_minor").fill_null(0)).sum().cast(nw.Int64))
    )
    taken_back = (
        _only_returned(known, newest)
        .group_by("order_id")
        .agg(taken_back=nw.col("amount_minor").abs().sum().cast(nw.Int64))
    )
    return (
        standing.join(taken_back, on="order_id", how="left")
        .filter(nw.col("taken_back").is_null() | (nw.col("taken_back") < nw.col("brought")))
        .select("customer_key")
        .unique()
    )


def _stands() -> nw.Expr:
    """Paid or later, and not fully refunded. A refund of unknown amount counts as a full one."""
    refunded_in_part = nw.col("refunded_minor") < nw.col("amount_minor")
    paid = nw.col("status").is_in(STANDING) & (nw.col("refunded_minor").is_null() | refunded_in_part)
    free = nw.col("status").is_in(STANDING) & (nw.col("refunded_minor") == 0)
    partly = (nw.col("status") == PARTLY_GIVEN_BACK) & (nw.col("refunded_minor") > 0) & refunded_in_part
    return paid | free | partly


def _only_returned(known: nw.LazyFrame[Any], newest: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Lines that only tell of a return; a sold line whose newest status is returned is not one."""
    sold = known.filter(nw.col("status") != GIVEN_BACK).select(*LINE).unique()
    return newest.filter(nw.col("status") == GIVEN_BACK).join(sold, on=list(LINE), how="anti")


def _day_number(day: date) -> int:
    return (day - EPOCH).days
