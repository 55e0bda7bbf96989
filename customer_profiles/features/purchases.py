"""What counts as a purchase, and what it brought: the one definition that all rooms share.

The newest status of an order line by D decides:

==========================  ======================  =================================
newest status               purchase                money
==========================  ======================  =================================
placed, cancelled           no                      none
paid, shipped, completed    yes, unless all of it   its amount, less what was given
                            was given back          back
refunded                    if only in part         its amount, less ``refunded_minor``
                                                    (all of it where that is NULL)
returned                    see below               negative
==========================  ======================  =================================

A return under its line's own number takes from that line, at most what the line brought, and undoes
the purchase if all money or all pieces came back; a later status of the line undoes the return, of
which a later refund tells the money alone. A return in another currency than the line's leaves money
that nobody can tell, and its pieces count. A return with a number of its own, whose order nobody names,
is a line that is no purchase and brings negative money on its own day.
"""

from __future__ import annotations

import narwhals as nw

from customer_profiles.contracts.columns import NO_CURRENCY
from customer_profiles.features.as_of import AsOf, Frame, known_by, newest
from customer_profiles.features.expressions import one_of

PAID = ("paid", "shipped", "completed")
LINE = ("order_id", "line_number")


def order_lines(orders: Frame, as_of: AsOf) -> Frame:
    """One row per order line known by D.

    Columns: ``order_id``, ``line_number``, ``customer_key``, ``ordered_day``, ``days_ago``,
    ``category``, ``currency``, ``is_purchase``, ``pieces`` (bought, less returned), ``sold_minor``
    (before anything was given back), ``given_back_minor``, ``net_minor`` = sold - given back,
    ``discount_minor`` (of purchases; NULL if never told), ``only_returned`` (no sale is told of) and
    ``returned_pieces``.
    """
    known = known_by(orders, as_of, "ordered_day", "status_day")
    versions = newest(
        known.with_columns(is_return=nw.col("status") == "returned"), (*LINE, "is_return"), "status_at"
    )
    return _priced(_side_by_side(versions))


def _side_by_side(versions: Frame) -> Frame:
    """A line's newest sale and newest return, at most one row each, in one row: what both tell, as sold."""
    sale, back = ~nw.col("is_return"), nw.col("is_return")
    bought = ("status", "amount_minor", "quantity", "refunded_minor", "discount_minor")
    both = ("customer_key", "ordered_day", "days_ago", "category", "currency")
    lines = versions.group_by(*LINE).agg(
        *(nw.when(sale).then(nw.col(name)).max().alias(name) for name in (*bought, *both)),
        *(nw.when(back).then(nw.col(name)).max().alias(f"{name}_back") for name in both),
        nw.when(sale).then(nw.col("status_at")).max().alias("sold_at"),
        nw.when(back).then(nw.col("status_at")).max().alias("returned_at"),
        nw.when(back).then(nw.col("amount_minor").abs()).max().alias("returned_minor"),
        nw.when(back).then(nw.col("quantity").abs()).max().alias("returned_pieces"),
    )
    undone = (nw.col("returned_at") < nw.col("sold_at")).fill_null(False)
    is_refund = (nw.col("status") == "refunded").fill_null(False)
    foreign = (nw.col("currency") != nw.col("currency_back")).fill_null(False) & ~undone
    lines = lines.with_columns(nw.coalesce(name, f"{name}_back").alias(name) for name in both)
    return lines.with_columns(
        currency=nw.when(foreign).then(nw.lit(NO_CURRENCY)).otherwise(nw.col("currency")),
        returned_minor=nw.when(~undone & ~foreign).then(nw.col("returned_minor")).fill_null(0),
        returned_pieces=nw.when(~undone | is_refund).then(nw.col("returned_pieces")).fill_null(0),
    )


def _priced(lines: Frame) -> Frame:
    """What each line sold for, what was given back, and whether a purchase remains."""
    paid = one_of(nw.col("status"), PAID).fill_null(False)
    refunded = (nw.col("status") == "refunded").fill_null(False)
    alone = nw.col("status").is_null()
    sold, given_back = nw.col("sold_minor"), nw.col("given_back_minor")
    kept = nw.col("returned_pieces") < nw.col("quantity")
    refund = nw.when(refunded).then(nw.col("refunded_minor").fill_null(nw.col("amount_minor")))
    money = refund.otherwise(nw.col("refunded_minor").fill_null(0)) + nw.col("returned_minor")
    return (
        lines.with_columns(sold_minor=nw.when(paid | refunded).then(nw.col("amount_minor")).otherwise(0))
        .with_columns(
            given_back_minor=nw.when(alone)
            .then(nw.col("returned_minor"))
            .otherwise(nw.min_horizontal(sold, money))
        )
        .with_columns(
            is_purchase=kept & ((given_back < sold) | (paid & (sold == 0))),
            net_minor=(sold - given_back),
            only_returned=alone,
        )
        .with_columns(
            pieces=nw.when(nw.col("is_purchase"))
            .then(nw.max_horizontal(nw.col("quantity") - nw.col("returned_pieces"), nw.lit(0)))
            .otherwise(0),
            discount_minor=nw.when(nw.col("is_purchase")).then(nw.col("discount_minor")),
        )
        .select(
            *LINE,
            "customer_key",
            "ordered_day",
            "days_ago",
            "category",
            "currency",
            "is_purchase",
            "pieces",
            "sold_minor",
            "given_back_minor",
            "net_minor",
            "discount_minor",
            "only_returned",
            "returned_pieces",
        )
    )
