"""Campaigns out of the warehouse as trials: who was contacted by chance, and who did it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import narwhals as nw
import numpy as np
import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.ledger import delivered
from customer_profiles.contracts.stored import EPOCH, day_number
from customer_profiles.conversion.examples import CUSTOMER, ELIGIBLE
from customer_profiles.conversion.labels import DEFINITIONS, label_window, labelled
from customer_profiles.conversion.uplift import Refusal, Trial, judged
from customer_profiles.features.as_of import Frame, newest
from customer_profiles.features.campaigns import ARM, CONTACT, CONTROL
from customer_profiles.features.compute import under_profile_keys
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import TrainingDays, label_is_told, who_never_trains
from customer_profiles.settings import LabelSettings
from customer_profiles.warehouse import Session

CONTACTS = "campaign_contacts"
MOST = 5
"""The newest campaigns are looked at, so many of them."""
OLDEST_DAYS = 14


def read_trials(
    session: Session, name: str, days: TrainingDays, label: LabelSettings
) -> list[Trial | Refusal]:
    """The newest campaigns as trials of a label, or why one is none; of each its largest day.

    The label is told as from the evening before the contacts (of one that is turned, who did it all the
    same: that is what a contact is for), profiles are the newest stored ones of that
    evening or of ``OLDEST_DAYS`` before it, and customers those who never train. Only what was delivered
    by the training's last day counts. Of several arms each is a trial against the control arm.
    """
    if DEFINITIONS[name].asked is not None:
        return [Refusal("all", f"refused: {name} is unknown of a control arm, which was not contacted")]
    waves = _waves(session, days.known_through)
    if not waves:
        return [Refusal("none", "refused: no campaign was delivered, so nothing was randomised")]
    held_out = who_never_trains(session, days, label.holdout_share)
    known = [_trials(session, name, days.known_through, label, held_out, *wave) for wave in waves]
    return [trial for trials in known for trial in trials]


def _waves(session: Session, last: date) -> list[tuple[str, date]]:
    """Campaigns and the day on which each made most contacts, the newest first."""
    counts = session.collect(
        session.read(CLEANED[CONTACTS])
        .filter(nw.col("delivery_day") <= nw.lit(last))
        .group_by("campaign_id", "contacted_day")
        .agg(rows=nw.len())
    )
    largest = counts.sort("campaign_id", "rows", "contacted_day").unique("campaign_id", keep="last")
    latest = largest.sort("contacted_day", "campaign_id", descending=True).head(MOST)
    return [
        (campaign, EPOCH + timedelta(days=day))
        for campaign, day in latest.select("campaign_id", "contacted_day").iter_rows()
    ]


def _trials(
    session: Session,
    name: str,
    last: date,
    label: LabelSettings,
    held_out: Callable[[pl.Series], pl.Series],
    campaign: str,
    day: date,
) -> list[Trial | Refusal]:
    """A campaign's contacts of a day, of those delivered by ``last``, as trials of customers held out."""
    eve, sources = day - timedelta(days=1), DEFINITIONS[name].sources
    stored = [as_of for as_of in session.days(CUSTOMER_FEATURES) if 0 <= (eve - as_of).days <= OLDEST_DAYS]
    if not stored:
        says = (
            f"refused: no profiles are stored of {eve}, the day before, or the {OLDEST_DAYS} days before it"
        )
        return [Refusal(campaign, says)]
    as_of = stored[-1]
    if not label_is_told(eve, delivered(session), label, sources):
        says = f"not settled: its label is told by deliveries up to {label_window(eve, label).matures}"
        return [Refusal(campaign, says)]
    cleaned = {table: session.read(CLEANED[table]) for table in (*sources, CONTACTS)}
    tables = under_profile_keys(session, cleaned, as_of)
    arms = _arms(session, tables[CONTACTS], campaign, day, last)
    if not arms["randomised"].all():
        return [Refusal(campaign, "refused: who was contacted was not drawn at random")]
    named = arms["arm"].unique().sort().to_list()
    if named and CONTROL not in named:
        says = f"refused: no arm is called {CONTROL}, which was not contacted; there are {', '.join(named)}"
        return [Refusal(campaign, says)]
    profiles, positives = labelled(
        session.frame(CUSTOMER_FEATURES, as_of, as_of).drop("as_of"),
        name,
        tables,
        eve,
        label,
        session.collect,
    )
    known = profiles.filter(pl.col(ELIGIBLE)).join(arms, on=CUSTOMER, how="inner").sort(CUSTOMER)
    known = known.filter(held_out(known[CUSTOMER]))
    did = known[CUSTOMER].is_in(list(positives))
    known = known.with_columns(did=~did if DEFINITIONS[name].turned else did)
    treatments = [arm for arm in named if arm != CONTROL]
    if len(treatments) < 2:
        return [judged(_trial(campaign, known))]
    return [
        judged(_trial(f"{campaign}: {arm}", known.filter(pl.col("arm").is_in([arm, CONTROL]))))
        for arm in treatments
    ]


def _trial(campaign: str, known: pl.DataFrame) -> Trial:
    """A trial of customers with their ``arm``, its ``chance``, and whether they ``did`` it."""
    return Trial(
        campaign=campaign,
        features=known.drop("arm", "randomised", "chance", "did"),
        customer_key=known[CUSTOMER].to_numpy(),
        label=known["did"].cast(pl.Int8).to_numpy(),
        treated=(known["arm"] != CONTROL).to_numpy(),
        chance=known["chance"].fill_null(np.nan).to_numpy(),
    )


def _arms(session: Session, contacts: Frame, campaign: str, day: date, last: date) -> pl.DataFrame:
    """One row per customer: arm, randomised, chance. Who stands in two arms is in none.

    Of several contacts of a customer the first one tells: it is the draw, the others follow from it.
    """
    made = contacts.filter(
        nw.col("delivery_day") <= nw.lit(last),
        nw.col("campaign_id") == campaign,
        nw.col("contacted_day") == day_number(day),
    )
    found = session.collect(
        newest(made, CONTACT).select(
            CUSTOMER, "contacted_at", ARM, "randomised", chance=nw.col("assignment_probability")
        )
    )
    one_arm = found.filter(pl.col("arm").n_unique().over(CUSTOMER) == 1, pl.col(CUSTOMER).is_not_null())
    first = one_arm.sort(CUSTOMER, "contacted_at").unique(CUSTOMER, keep="first", maintain_order=True)
    return first.drop("contacted_at")
