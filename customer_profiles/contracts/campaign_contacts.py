"""The contract of campaign_contacts."""

from __future__ import annotations

from typing import ClassVar

import dataframely as dy
import polars as pl

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    decimal,
    flag,
    moment,
    money,
    text,
)


class CampaignContacts(Delivered):
    """Whom a campaign reached, or deliberately did not (the control arm).

    Newest row of a contact counts: opens and clicks come later than the contact.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("contacted_at", "opened_at", "clicked_at")
    VERSIONED: ClassVar[bool] = True

    campaign_id = text("the campaign", key=True)
    customer_id = text("the customer", key=True, pii=Pii.IDENTIFIER)
    contacted_at = moment("when the contact was made, or would have been", key=True)
    arm = text("treatment, control, or a named variant", required=True)
    randomised = flag("whether chance assigned the arm", required=True)
    channel = text("channel of the contact", required=True)
    assignment_probability = decimal("chance of this arm", "0 to 1", minimum=0, maximum=1)
    opened_at = moment("when it was opened")
    clicked_at = moment("when it was clicked")
    cost_minor = money("cost of the contact", minimum=0)

    @dy.rule()
    def assignment_probability_absent(cls) -> pl.Expr:
        """Without the chance of its arm, a randomised contact says nothing about effects."""
        return ~pl.col("randomised").fill_null(False) | pl.col("assignment_probability").is_not_null()
