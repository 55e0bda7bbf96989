"""The contract of social_edges."""

from __future__ import annotations

from typing import ClassVar

import dataframely as dy
import polars as pl

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    choice,
    decimal,
    moment,
    text,
)


class SocialEdges(Delivered):
    """Who knows, follows or refers whom.

    Newest row of an edge counts: the one that tells when it ended, if it did.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("created_at", "ended_at")
    VERSIONED: ClassVar[bool] = True

    source_customer_id = text("from whom the tie goes", key=True, pii=Pii.IDENTIFIER)
    target_customer_id = text("to whom the tie goes", key=True, pii=Pii.IDENTIFIER)
    kind = choice("kind of tie", ("friend", "follow", "referral", "share", "gift"), key=True)
    created_at = moment("since when", key=True)
    ended_at = moment("until when")
    weight = decimal("strength of the tie", "source's own", minimum=0)

    @dy.rule()
    def tie_to_oneself(cls) -> pl.Expr:
        """A tie joins two people."""
        return (pl.col("source_customer_id") != pl.col("target_customer_id")).fill_null(True)
