"""The contract of products."""

from __future__ import annotations

from typing import ClassVar

from customer_profiles.contracts.columns import (
    Delivered,
    moment,
    money,
    text,
)


class Products(Delivered):
    """What is sold: one row per product and change.

    Newest version by ``valid_from`` counts; a price list may reach into the future.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ()
    VERSIONED: ClassVar[bool] = True

    product_id = text("the product", key=True)
    valid_from = moment("from when this version holds", key=True)
    name = text("name, as customers see it", required=True)
    category = text("category", required=True)
    brand = text("brand")
    list_price_minor = money("list price", minimum=0)
    cost_minor = money("cost of goods", minimum=0)
