"""The contract of consents."""

from __future__ import annotations

from typing import ClassVar

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    choice,
    moment,
    text,
)

PURPOSES = (
    "profiling",
    "marketing_email",
    "marketing_sms",
    "marketing_push",
    "ads_sharing",
    "automated_decision",
    "llm_processing",
)


class Consents(Delivered):
    """What customers allowed us to do: one row per customer, purpose and decision.

    Newest decision by ``effective_at`` counts.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ()
    VERSIONED: ClassVar[bool] = True

    customer_id = text("the customer", key=True, pii=Pii.IDENTIFIER)
    purpose = choice("what the data may be used for", PURPOSES, key=True)
    effective_at = moment("from when the decision holds; can lie in the future", key=True)
    status = choice("the decision", ("granted", "denied", "withdrawn"), required=True)
    expires_at = moment("when a grant ends")
