"""How interest awakes, spreads and turns into orders: the process behind every visit and order.

A customer's day, in this order:

1. mood: ``m <- 0.95 m + noise + 0.25 (friends who bought yesterday - as many as usual)``, a slow
   process around 0 with standard deviation near 0.5;
2. an interest awakes with chance ``1 - exp(-interest_rate * exp(m) * boost)``; ``boost`` is the effect
   of a campaign, 1 for most;
3. a visit, likelier with interest and, for some types, at weekends;
4. an order, if the visit has interest with chance ``buy_chance * boost``, rarely otherwise;
5. an interest ends: mostly after an order, else with chance 0.08.

The process is Markov, so that the true chance of buying within days to come follows from the state at
the end of a day alone: ``chance_of_buying`` steps it forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_profiles.contracts import CHANNELS
from customer_profiles.simulation.friends import FriendGraph
from customer_profiles.simulation.shoppers import DAY_SECONDS, DAYPART_HOURS, NIGHT, Habits, Population, draw

MOOD_STAYS = 0.95
MOOD_NOISE = 0.15
FRIEND_PULL = 0.25
USUAL_BUYER_SHARE = 0.019
INTEREST_ENDS = 0.08
INTEREST_ENDS_AFTER_ORDER = 0.85
IMPULSE = 0.012
LIKELIEST_ORDER = 0.95
LONGEST_VISIT = 2400


@dataclass(frozen=True)
class Drift:
    """A change in the market: shares of visits moved into the night and the mini program, price level."""

    night: float
    mini_program: float
    price_level: float


NO_DRIFT = Drift(night=0.0, mini_program=0.0, price_level=1.0)


@dataclass
class Lives:
    """The state of every customer at the end of a day."""

    mood: np.ndarray
    interested: np.ndarray
    interest_category: np.ndarray
    boost: np.ndarray
    boost_days_left: np.ndarray
    bought: np.ndarray


@dataclass(frozen=True)
class Visits:
    """The visits of a day, an array each: at most one a customer."""

    customer: np.ndarray
    started_at: np.ndarray  # local seconds since 1970
    channel: np.ndarray
    category: np.ndarray
    interested: np.ndarray
    orders: np.ndarray


def begin(people: Population, rng: np.random.Generator) -> Lives:
    """The state before the first day, from the mood's long-run distribution."""
    size = people.size
    spread = MOOD_NOISE / np.sqrt(1 - MOOD_STAYS**2)
    return Lives(
        mood=rng.normal(0, spread, size).astype(np.float32),
        interested=rng.random(size) < people.habits.interest_rate / (people.habits.interest_rate + 0.2),
        interest_category=draw(people.tastes, rng),
        boost=np.ones(size, dtype=np.float32),
        boost_days_left=np.zeros(size, dtype=np.int16),
        bought=np.zeros(size, dtype=bool),
    )


def awakening_chance(habits: Habits, mood: np.ndarray, boost: np.ndarray) -> np.ndarray:
    """Chance that an interest awakes today."""
    return np.asarray(-np.expm1(-habits.interest_rate * np.exp(mood) * boost))


def visit_chance(habits: Habits, day: int) -> tuple[np.ndarray, np.ndarray]:
    """Chances of a visit today, without and with interest; ``day`` is days since 1970."""
    weekend = (day + 3) % 7 >= 5
    calm = habits.visit_rate * (habits.weekend_factor if weekend else 1.0)
    return calm.clip(0, 0.9), (0.35 + 1.5 * calm).clip(0, 0.95)


def order_chance(habits: Habits, boost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chances that a visit ends in an order, without and with interest."""
    calm = np.minimum(IMPULSE * boost, LIKELIEST_ORDER)
    return calm, np.minimum(habits.buy_chance * boost, LIKELIEST_ORDER)


def live_one_day(
    people: Population,
    lives: Lives,
    friends: FriendGraph,
    day: int,
    drift: Drift,
    rng: np.random.Generator,
) -> tuple[Visits, np.ndarray]:
    """Step every registered customer through a day, in place.

    Returns the visits and the chance of an order today that each customer had when the day began,
    their interest known.
    """
    here = people.registered_at < (day + 1) * DAY_SECONDS
    _feel(people, lives, friends, here, rng)
    calm_visit, keen_visit = visit_chance(people.habits, day)
    calm_order, keen_order = order_chance(people.habits, lives.boost)
    visit = np.where(lives.interested, keen_visit, calm_visit) * here
    order = np.where(lives.interested, keen_order, calm_order)
    comes = rng.random(people.size) < visit
    orders = comes & (rng.random(people.size) < order)
    visits = _visits(people, lives, np.flatnonzero(comes), orders, day, drift, rng)
    _end_the_day(lives, orders, rng)
    return visits, visit * order


def _feel(
    people: Population, lives: Lives, friends: FriendGraph, here: np.ndarray, rng: np.random.Generator
) -> None:
    """Steps 1 and 2 of a day: mood, and interests that awake."""
    pull = friends.buyers_among_friends(lives.bought).clip(max=3) - USUAL_BUYER_SHARE * friends.degree
    noise = rng.normal(0, MOOD_NOISE, people.size)
    lives.mood = (MOOD_STAYS * lives.mood + noise + FRIEND_PULL * pull).astype(np.float32)
    wakes = rng.random(people.size) < awakening_chance(people.habits, lives.mood, lives.boost)
    wakes &= ~lives.interested & here
    lives.interest_category = np.where(wakes, draw(people.tastes, rng), lives.interest_category)
    lives.interested |= wakes


def _visits(
    people: Population,
    lives: Lives,
    who: np.ndarray,
    orders: np.ndarray,
    day: int,
    drift: Drift,
    rng: np.random.Generator,
) -> Visits:
    """When, where and about what the customers ``who`` come today."""
    at = day * DAY_SECONDS + visit_seconds(people.dayparts[who], drift.night, rng)
    minded = lives.interested[who] & (rng.random(who.size) < 0.75)
    return Visits(
        customer=who,
        started_at=np.maximum(at, people.registered_at[who]).clip(
            max=(day + 1) * DAY_SECONDS - LONGEST_VISIT
        ),
        channel=_channels(people.channels[who], drift.mini_program, rng),
        category=np.where(minded, lives.interest_category[who], draw(people.tastes[who], rng)),
        interested=lives.interested[who].copy(),
        orders=orders[who],
    )


def _end_the_day(lives: Lives, orders: np.ndarray, rng: np.random.Generator) -> None:
    ends = rng.random(orders.size) < np.where(orders, INTEREST_ENDS_AFTER_ORDER, INTEREST_ENDS)
    lives.interested = lives.interested & ~ends
    lives.boost_days_left = np.maximum(lives.boost_days_left - 1, 0).astype(np.int16)
    lives.boost = np.where(lives.boost_days_left > 0, lives.boost, 1.0).astype(np.float32)
    lives.bought = orders


def _channels(channels: np.ndarray, moved: float, rng: np.random.Generator) -> np.ndarray:
    """Channel of each visit; ``moved`` is the share that goes to the mini program instead."""
    chosen = draw(channels, rng)
    return np.where(rng.random(chosen.size) < moved, CHANNELS.index("mini_program"), chosen)


def visit_seconds(dayparts: np.ndarray, night_drift: float, rng: np.random.Generator) -> np.ndarray:
    """Second of the day of each visit; ``night_drift`` is the share moved into the night."""
    daypart = draw(dayparts, rng)
    daypart = np.where(rng.random(daypart.size) < night_drift, NIGHT, daypart)
    hours = np.cumsum(DAYPART_HOURS / DAYPART_HOURS.sum(axis=1, keepdims=True), axis=1)
    return draw(hours[daypart].astype(np.float32), rng) * 3600 + rng.integers(0, 3600, daypart.size)


def chance_of_buying(
    habits: Habits,
    mood: np.ndarray,
    interested: np.ndarray,
    boost: np.ndarray,
    boost_days_left: np.ndarray,
    first_day: int,
    gap_days: int,
    horizon_days: int,
) -> np.ndarray:
    """True chance of at least one valid order in ``horizon_days`` days, ``gap_days`` after the state.

    ``first_day`` is the day after the state, in days since 1970. The two-state chain (calm, interested;
    no valid order yet) is stepped forward day by day with the mood's expected factor,
    ``E exp(m_k) = exp(0.95^k m + var_k / 2)``; friends are taken to buy as usual.
    """
    calm, keen = np.where(interested, 0.0, 1.0), np.where(interested, 1.0, 0.0)
    variance = 0.0
    expected_mood = mood.astype(np.float64)
    for ahead in range(gap_days + horizon_days):
        expected_mood = MOOD_STAYS * expected_mood
        variance = MOOD_STAYS**2 * variance + MOOD_NOISE**2
        boosted = np.where(boost_days_left > ahead, boost, 1.0)
        wakes = calm * awakening_chance(habits, expected_mood + variance / 2, boosted)
        calm, keen = calm - wakes, keen + wakes
        visit, order = visit_chance(habits, first_day + ahead), order_chance(habits, boosted)
        calm_orders, keen_orders = calm * visit[0] * order[0], keen * visit[1] * order[1]
        counted = habits.valid_share if ahead >= gap_days else 0.0
        calm = calm - calm_orders * counted
        keen = keen - keen_orders * counted
        ends = (keen_orders * INTEREST_ENDS_AFTER_ORDER) * (1 - counted)
        ends = ends + (keen - keen_orders * (1 - counted)) * INTEREST_ENDS
        calm, keen = calm + ends, keen - ends
    return np.asarray(1 - calm - keen)
