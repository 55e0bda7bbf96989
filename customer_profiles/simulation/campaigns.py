"""Two campaigns with a randomised control group, and what they do to each type of shopper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from customer_profiles.simulation.behaviour import Lives, chance_of_buying
from customer_profiles.simulation.shoppers import DAY_SECONDS, Population

EFFECT_DAYS = 14


@dataclass(frozen=True)
class Campaign:
    """``boosts`` multiply interest and buying of the treated for 14 days, by type of shopper."""

    name: str
    day: int  # days after the simulation's first
    channel: str
    purpose: str
    treated_share: float
    reach: float
    boosts: dict[str, float]


@dataclass(frozen=True)
class Mailing:
    """A campaign's day: ``contacts`` to deliver today, ``answers`` later, and the ``truth``."""

    contacts: pl.DataFrame
    answers: pl.DataFrame
    truth: pl.DataFrame


def plan_campaigns(days: int) -> tuple[Campaign, Campaign]:
    """A campaign after a third and one after six tenths of the days."""
    spring = {
        "night_gamer": 1.2,
        "bargain_hunter": 1.9,
        "weekend_parent": 1.5,
        "premium_loyal": 0.35,
        "store_regular": 1.0,
        "social_trendsetter": 1.6,
    }
    members = {
        "night_gamer": 1.6,
        "bargain_hunter": 1.1,
        "weekend_parent": 1.3,
        "premium_loyal": 0.45,
        "store_regular": 1.3,
        "social_trendsetter": 1.9,
    }
    return (
        Campaign("spring_sale", days // 3, "email", "marketing_email", 0.5, 0.85, spring),
        Campaign("members_week", days * 6 // 10, "app", "marketing_push", 0.6, 0.8, members),
    )


def send(
    campaign: Campaign,
    people: Population,
    lives: Lives,
    willing: np.ndarray,
    day: int,
    rng: np.random.Generator,
) -> Mailing:
    """Draw whom of the ``willing`` the campaign reaches and who is left out by chance.

    Boosts are set in ``lives``.
    Contacts are made in the evening, after the day's orders: their effect starts on the next day.
    """
    who = willing[rng.random(willing.size) < campaign.reach]
    treated = rng.random(who.size) < campaign.treated_share
    boost = np.array(list(campaign.boosts.values()))[people.shopper_type[who]]
    at = day * DAY_SECONDS + rng.integers(20 * 3600, 22 * 3600, who.size)
    truth = _truth(campaign, people, lives, who, treated, boost, day)
    lives.boost[who[treated]] = boost[treated]
    lives.boost_days_left[who[treated]] = EFFECT_DAYS
    contacts = pl.DataFrame(
        {
            "campaign_id": pl.Series([campaign.name]).gather(np.zeros(who.size, dtype=np.int64)),
            "customer_id": people.identity["customer_id"].gather(who),
            "contacted_at": at,
            "arm": pl.Series(["control", "treatment"]).gather(treated.astype(np.int64)),
            "assignment_probability": np.where(treated, campaign.treated_share, 1 - campaign.treated_share),
            "cost_minor": np.where(treated, 12, 0),
        }
    ).with_columns(
        randomised=pl.lit(True),
        channel=pl.lit(campaign.channel),
        opened_at=pl.lit(None, dtype=pl.Int64),
        clicked_at=pl.lit(None, dtype=pl.Int64),
    )
    return Mailing(contacts, _answers(contacts, rng), truth)


def _answers(contacts: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The same contacts again, once they were opened, with ``heard_at``: when we learn of it."""
    opens = pl.Series(rng.random(contacts.height) < 0.35) & (contacts["arm"] == "treatment")
    opened = contacts["contacted_at"] + pl.Series(rng.integers(60, 2 * DAY_SECONDS, contacts.height))
    clicked = opened + pl.Series(rng.integers(5, 300, contacts.height))
    clicks = pl.Series(rng.random(contacts.height) < 0.3)
    return contacts.with_columns(
        opened_at=opened,
        heard_at=opened + 300,
        clicked_at=pl.select(pl.when(clicks).then(clicked)).to_series(),
    ).filter(opens)


def _truth(
    campaign: Campaign,
    people: Population,
    lives: Lives,
    who: np.ndarray,
    treated: np.ndarray,
    boost: np.ndarray,
    day: int,
) -> pl.DataFrame:
    """Each contacted customer's chance of buying within 14 days, contacted or not."""
    chances = []
    for factor in (boost, np.ones(who.size)):
        boosts, left = lives.boost.copy(), lives.boost_days_left.copy()
        boosts[who], left[who] = factor, EFFECT_DAYS
        all_chances = chance_of_buying(
            people.habits, lives.mood, lives.interested, boosts, left, day + 1, 0, EFFECT_DAYS
        )
        chances.append(all_chances[who])
    return pl.DataFrame(
        {
            "campaign_id": pl.Series([campaign.name]).gather(np.zeros(who.size, dtype=np.int64)),
            "customer_id": people.identity["customer_id"].gather(who),
            "treated": treated,
            "probability_if_treated": chances[0],
            "probability_if_not": chances[1],
            "uplift": chances[0] - chances[1],
        }
    )
