"""The contract of partner_attributes."""

from __future__ import annotations

from typing import ClassVar

import dataframely as dy
import polars as pl

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    moment,
    text,
)


class PartnerAttributes(Delivered):
    """What partners tell us about customers who agreed to it.

    Newest observation by ``observed_at`` counts.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("observed_at",)
    VERSIONED: ClassVar[bool] = True

    partner = text("who tells us", key=True)
    identifier = text(
        "customer id, or hash of e-mail or phone as agreed", key=True, pii=Pii.IDENTIFIER, hashed=True
    )
    attribute = text("what is told", key=True)
    observed_at = moment("when the partner observed it", key=True)
    value = text("the value", required=True)
    consent_reference = text("where the customer's consent is kept")
    expires_at = moment("until when we may use it")

    @dy.rule()
    def consent_reference_absent(cls) -> pl.Expr:
        """No attribute without the customer's consent."""
        return pl.col("consent_reference").is_not_null()
