"""What else is delivered about customers: consents, social ties, partners' attributes, identity links."""

from __future__ import annotations

import numpy as np
import polars as pl

from customer_profiles.contracts import PURPOSES
from customer_profiles.simulation.behaviour import Visits
from customer_profiles.simulation.friends import FriendGraph
from customer_profiles.simulation.shoppers import DAY_SECONDS, Population
from customer_profiles.simulation.visits import SHARED_COOKIE, WEB, cookies

GRANTED_SHARE = {
    "profiling": 0.96,
    "marketing_email": 0.80,
    "marketing_sms": 0.70,
    "marketing_push": 0.75,
    "ads_sharing": 0.45,
    "automated_decision": 0.95,
    "llm_processing": 0.60,
}
CONSENTS_CHANGED_PER_DAY = 0.003
CHANGED_PURPOSES = (0.05, 0.35, 0.2, 0.15, 0.1, 0.1, 0.05)
PARTNER_SHARE_PER_DAY = 0.003
PARTNER_VALUES = {
    "household_size": ("1", "2", "3", "4", "5+"),
    "home_owner": ("yes", "no"),
    "car_owner": ("yes", "no"),
    "lifestyle": ("family", "urban", "outdoor", "homebody"),
}
TIERS = ("bronze", "silver", "gold", "platinum")
SHARED_COOKIE_CUSTOMERS = 25


def customer_rows(
    people: Population, who: np.ndarray, updated_at: np.ndarray, tiers: np.ndarray
) -> pl.DataFrame:
    """Rows of ``customers`` for some customer numbers."""
    return people.identity[who].with_columns(
        updated_at=pl.Series(updated_at, dtype=pl.Int64),
        registered_at=pl.Series(people.registered_at[who], dtype=pl.Int64),
        loyalty_tier=pl.Series(TIERS).gather(tiers[who]),
        is_test=pl.Series(people.works_here[who]),
    )


def draw_consents(customers: int, rng: np.random.Generator) -> np.ndarray:
    """Who grants what at sign-up: true or false, customers by purposes."""
    return np.asarray(rng.random((customers, len(PURPOSES))) < [GRANTED_SHARE[name] for name in PURPOSES])


def first_consents(people: Population, who: np.ndarray, granted: np.ndarray) -> pl.DataFrame:
    """Each customer's decision on every purpose, made when they registered."""
    customer = np.repeat(who, len(PURPOSES))
    purpose = np.tile(np.arange(len(PURPOSES)), who.size)
    decision = granted[customer, purpose]
    ends = pl.Series(decision & (purpose == PURPOSES.index("ads_sharing")))
    effective = pl.Series(people.registered_at[customer])
    return pl.DataFrame(
        {
            "customer_id": people.identity["customer_id"].gather(customer),
            "purpose": pl.Series(PURPOSES).gather(purpose),
            "effective_at": effective,
            "status": pl.Series(["denied", "granted"]).gather(decision.astype(np.int64)),
            "expires_at": (effective + 1500 * DAY_SECONDS).set(~ends, None),
        }
    )


def changed_consents(
    people: Population, granted: np.ndarray, known: np.ndarray, day: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Decisions that some of the ``known`` customers turn round today; ``granted`` follows in place."""
    who = known[rng.random(known.size) < CONSENTS_CHANGED_PER_DAY]
    purpose = rng.choice(len(PURPOSES), who.size, p=CHANGED_PURPOSES)
    granted[who, purpose] = ~granted[who, purpose]
    return pl.DataFrame(
        {
            "customer_id": people.identity["customer_id"].gather(who),
            "purpose": pl.Series(PURPOSES).gather(purpose),
            "effective_at": day * DAY_SECONDS + rng.integers(0, DAY_SECONDS, who.size),
            "status": pl.Series(["withdrawn", "granted"]).gather(granted[who, purpose].astype(np.int64)),
            "expires_at": pl.Series([None] * who.size, dtype=pl.Int64),
        }
    )


def friend_ties(
    people: Population, friends: FriendGraph, first_day: int, rng: np.random.Generator
) -> pl.DataFrame:
    """The friend graph as rows of ``social_edges``, with ``known_at``: the later registration."""
    both = np.maximum(people.registered_at[friends.source], people.registered_at[friends.target])
    opening = first_day * DAY_SECONDS
    long_ago = opening - rng.integers(1, 300 * DAY_SECONDS, both.size)
    created = np.where(both < opening, np.maximum(long_ago, both), both + rng.integers(0, 3600, both.size))
    return _ties(people, friends.source, friends.target, created, "friend", rng)


def daily_ties(
    people: Population, friends: FriendGraph, visits: Visits, day: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Shares, gifts and follows among friends who are active today."""
    social = np.zeros(people.size)
    social[visits.customer] = people.of_type("social")[visits.customer]
    active = social[friends.source] * (people.registered_at[friends.target] < day * DAY_SECONDS)
    at = np.flatnonzero(rng.random(friends.source.size) < 0.06 * active)
    kinds = ("share", "share", "gift", "follow")
    moment = day * DAY_SECONDS + rng.integers(8 * 3600, DAY_SECONDS, at.size)
    kind = rng.integers(0, len(kinds), at.size)
    return pl.concat(
        _ties(
            people, friends.source[at[kind == k]], friends.target[at[kind == k]], moment[kind == k], name, rng
        )
        for k, name in enumerate(kinds)
    )


def referrals(
    people: Population, friends: FriendGraph, newcomers: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    """Half of the newcomers who have a friend here were referred by one."""
    is_new = np.zeros(people.size, dtype=bool)
    is_new[newcomers] = True
    older = people.registered_at[friends.source] < people.registered_at[friends.target]
    at = np.flatnonzero(is_new[friends.target] & older)
    _, first = np.unique(friends.target[at], return_index=True)
    at = at[first][rng.random(first.size) < 0.5]
    target = friends.target[at]
    return _ties(people, friends.source[at], target, people.registered_at[target], "referral", rng)


def _ties(
    people: Population,
    source: np.ndarray,
    target: np.ndarray,
    at: np.ndarray,
    kind: str,
    rng: np.random.Generator,
) -> pl.DataFrame:
    names = people.identity["customer_id"]
    return pl.DataFrame(
        {
            "source_customer_id": names.gather(source),
            "target_customer_id": names.gather(target),
            "created_at": pl.Series(at, dtype=pl.Int64),
            "weight": pl.Series(rng.integers(1, 100, source.size) / 100, dtype=pl.Float64),
        }
    ).with_columns(kind=pl.lit(kind), ended_at=pl.lit(None, dtype=pl.Int64))


def partner_rows(people: Population, known: np.ndarray, day: int, rng: np.random.Generator) -> pl.DataFrame:
    """Attributes that partners observed yesterday and tell us today."""
    who = known[rng.random(known.size) < PARTNER_SHARE_PER_DAY]
    names = tuple(PARTNER_VALUES)
    attribute = rng.integers(0, len(names), who.size)
    chance = rng.random(who.size)
    values = [PARTNER_VALUES[names[place]] for place in range(len(names))]
    flat = pl.Series([value for pool in values for value in pool])
    sizes = np.array([len(pool) for pool in values])
    starts = np.cumsum(sizes) - sizes
    observed = (day - 1) * DAY_SECONDS + rng.integers(0, DAY_SECONDS, who.size)
    return pl.DataFrame(
        {
            "partner": pl.Series(["citycard", "homepanel"]).gather(rng.integers(0, 2, who.size)),
            "identifier": people.identity["customer_id"].gather(who),
            "attribute": pl.Series(names).gather(attribute),
            "observed_at": observed,
            "value": flat.gather(starts[attribute] + (chance * sizes[attribute]).astype(np.int64)),
            "consent_reference": pl.select(
                pl.format("CR-{}-{}", pl.lit(day), pl.Series(np.arange(who.size)))
            ).to_series()
            if who.size
            else pl.Series([], dtype=pl.String),
            "expires_at": observed + 365 * DAY_SECONDS,
        }
    )


def cookie_links(
    people: Population, visits: Visits, linked: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    """Cookies that a login ties to a customer; ``linked`` remembers in place who has been tied."""
    at = visits.customer[(visits.channel == WEB) & (rng.random(visits.customer.size) < 0.2)]
    when = visits.started_at[np.isin(visits.customer, at)]
    fresh = ~linked[at]
    linked[at] = True
    return link_rows(people, "cookie", cookies(at[fresh]), at[fresh], when[fresh], "login")


def first_links(people: Population, opening: int) -> pl.DataFrame:
    """Links known from the start: one cookie that too many share, and second ids that people declared."""
    known = np.flatnonzero((people.registered_at < opening) & ~people.underage)
    sharing = known[:SHARED_COOKIE_CUSTOMERS] if known.size >= SHARED_COOKIE_CUSTOMERS else known[:0]
    shared = pl.Series([SHARED_COOKIE] * sharing.size, dtype=pl.String)
    double = np.flatnonzero(people.other_self >= 0)
    double = double[people.registered_at[double] < opening]
    other = people.identity["customer_id"].gather(people.other_self[double])
    yesterday = opening - DAY_SECONDS // 2
    return pl.concat(
        [
            link_rows(people, "cookie", shared, sharing, np.full(sharing.size, yesterday), "login"),
            link_rows(people, "customer", other, double, np.full(double.size, yesterday), "declared"),
        ]
    )


def link_rows(
    people: Population, kind: str, identifier: pl.Series, who: np.ndarray, at: np.ndarray, method: str
) -> pl.DataFrame:
    """Rows of ``identity_links``."""
    return pl.DataFrame(
        {
            "identifier": identifier.cast(pl.String),
            "customer_id": people.identity["customer_id"].gather(who),
            "linked_at": pl.Series(at, dtype=pl.Int64),
        }
    ).with_columns(kind=pl.lit(kind), method=pl.lit(method), unlinked_at=pl.lit(None, dtype=pl.Int64))
