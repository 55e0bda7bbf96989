"""Which contacts reached the customer, and what came of them.

The control arm of a campaign was deliberately not contacted: its rows are no contacts.
"""

from __future__ import annotations

import narwhals as nw
import polars as pl

from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by, newest
from customer_profiles.features.eligibility import decisions
from customer_profiles.features.expressions import first_case
from customer_profiles.features.population import population
from customer_profiles.features.traits import Trait, beside, count, derived, each_window, observed, total

SOURCE = "campaign_contacts"
CONTACT = ("campaign_id", "customer_key", "contacted_at")
CONTROL = "control"
ARM = nw.col("arm").str.to_lowercase()
"""An arm is any text: one that says "Control" is the control arm."""
PURPOSE_OF_CHANNEL = {
    "email": "marketing_email",
    "sms": "marketing_sms",
    "push": "marketing_push",
    "app": "marketing_push",
}
"""The consent that a contact needs, by its channel (lower case)."""

COUNTS = each_window(
    (90,),
    count("contacts", "contacts by campaigns", "contacts", nw.lit(1), source=SOURCE),
    count("opens", "contacts opened by the day", "contacts", nw.col("opened"), source=SOURCE),
    count("clicks", "contacts clicked by the day", "contacts", nw.col("clicked"), source=SOURCE),
)
STATE = (
    Trait(
        "days_since_last_contact",
        "days since the newest contact in all that was delivered by the day",
        "days",
        nw.col("days_since_last_contact"),
        (SOURCE,),
        undefined="never contacted",
        model_input=False,  # it tells the campaign calendar's day, the same for all, not a habit
    ),
    Trait(
        "unsubscribed",
        "newest consent to the channel of the last e-mail, SMS or push is denied, withdrawn or expired",
        "true or false",
        nw.when(~nw.col("purpose").is_null()).then(
            ~nw.coalesce(
                *(
                    nw.when(nw.col("purpose") == purpose).then(nw.col(f"consent_{purpose}"))
                    for purpose in dict.fromkeys(PURPOSE_OF_CHANNEL.values())
                ),
                nw.lit(True),
            )
        ),
        (SOURCE, "consents"),
        undefined="never contacted so",
        kind="flag",
        dtype=pl.Boolean,
    ),
)
TRAITS = (*COUNTS, *STATE)


def campaigns(tables: Tables, as_of: AsOf) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population."""
    rows = beside(
        population(tables, as_of),
        _contacts(tables["campaign_contacts"], as_of),
        decisions(tables["consents"], as_of),
    )
    return observed(derived(rows, STATE), TRAITS, as_of)


def _contacts(contacts: Frame, as_of: AsOf) -> Frame:
    """Counts, the newest contact's age and the purpose of the newest contact that needs a consent."""
    made = newest(known_by(contacts, as_of, "contacted_day"), CONTACT)
    channel = nw.col("channel").str.to_lowercase()
    purpose = first_case((channel == name, purpose) for name, purpose in PURPOSE_OF_CHANNEL.items())
    return (
        made.filter(ARM != CONTROL)
        .with_columns(
            opened=(nw.col("opened_day") <= as_of.number).fill_null(False),
            clicked=(nw.col("clicked_day") <= as_of.number).fill_null(False),
            purpose=purpose,
        )
        .with_columns(needs_consent=(~nw.col("purpose").is_null()).cast(nw.Int64()))
        .group_by("customer_key")
        .agg(
            *(total(trait.value).alias(trait.name) for trait in COUNTS),
            days_since_last_contact=nw.col("days_ago").min(),
            purpose=nw.col("purpose").last(order_by=["needs_consent", "contacted_at", "campaign_id"]),
        )
    )
