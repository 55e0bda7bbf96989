"""The contract of events."""

from __future__ import annotations

from typing import ClassVar

import dataframely as dy
import polars as pl

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    choice,
    free_text,
    moment,
    text,
    whole,
)

EVENT_NAMES = (
    "page_view",
    "product_view",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "checkout_start",
    "favourite",
    "share",
    "login",
    "service_contact",
    "social_post",
    "social_like",
    "other",
)
CHANNELS = ("web", "app", "mini_program", "store", "call_centre", "email", "social")


class Events(Delivered):
    """What people did on web, app, mini program, in stores and on the phone.

    An event counts once, in its first arrival.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("event_at",)

    event_id = text("the event", key=True)
    event_at = moment("when it happened", required=True)
    event_name = choice("what happened", EVENT_NAMES, required=True, fallback="other")
    channel = choice("where it happened", CHANNELS, required=True)
    customer_id = text("the customer, where known", pii=Pii.IDENTIFIER)
    anonymous_id = text("cookie or device, where the customer is not known", pii=Pii.IDENTIFIER)
    session_id = text("the visit")
    device = text("kind of device")
    product_id = text("the product that it concerns")
    category = text("the category that it concerns; for a search, found from its words if absent")
    search_query = free_text("the words searched for")
    dwell_ms = whole("time spent", "milliseconds", minimum=0)
    quantity = whole("pieces put into or taken from the cart", "pieces", minimum=1)

    @dy.rule()
    def somebody_did_it(cls) -> pl.Expr:
        """A customer or an anonymous id is named."""
        return pl.col("customer_id").is_not_null() | pl.col("anonymous_id").is_not_null()
