"""The contract of orders."""

from __future__ import annotations

from typing import ClassVar

import dataframely as dy
import polars as pl

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    choice,
    currency_code,
    moment,
    money,
    text,
    whole,
)

STATUSES = ("placed", "paid", "shipped", "completed", "cancelled", "refunded", "returned")


class Orders(Delivered):
    """What customers bought: one row per order line and status.

    Newest status by ``status_at`` counts for a line.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("ordered_at", "status_at")
    VERSIONED: ClassVar[bool] = True

    order_id = text("the order", key=True)
    line_number = whole("place of the line in its order, from 1", "", key=True, minimum=0)
    status_at = moment("when the line reached its status", key=True)
    customer_id = text("the customer", required=True, pii=Pii.IDENTIFIER)
    ordered_at = moment("when the order was placed", required=True)
    status = choice("what became of the line", STATUSES, required=True)
    quantity = whole("pieces; negative for returned lines", "pieces", required=True)
    amount_minor = money("line total paid; negative for returned lines", required=True)
    currency = currency_code("ISO 4217 code of three letters; XXX: no money is told", required=True)
    product_id = text("the product")
    category = text("its category when sold")
    channel = text("channel of the order")
    discount_minor = money("discount on the line", minimum=0)
    refunded_minor = money("refunded so far on the line", minimum=0)
    coupon_id = text("coupon used")
    payment_method = text("how it was paid")

    @dy.rule()
    def quantity_is_zero(cls) -> pl.Expr:
        """A line is about at least one piece."""
        return (pl.col("quantity") != 0).fill_null(True)

    @dy.rule()
    def negative_but_not_returned(cls) -> pl.Expr:
        """Negative pieces or money belong to returned lines alone."""
        negative = (pl.col("quantity") < 0) | (pl.col("amount_minor") < 0)
        return (~negative | (pl.col("status") == "returned")).fill_null(True)
