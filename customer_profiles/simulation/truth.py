"""The planted truth beside the deliveries: written for judges, never read by the platform.

``truth/`` holds Parquet files: ``parameters``, ``shopper_types``, ``customers``, ``same_person``,
``second_ids``, ``cookies``, ``friends``, ``campaigns``, ``campaign_uplift`` and ``dirt``, and one file a
day in ``days/`` (the state of every customer at the day's end, in the order of ``customers``) and in
``texts/`` (sentiment and topic).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.contracts import CHANNELS
from customer_profiles.simulation.behaviour import Lives, chance_of_buying
from customer_profiles.simulation.campaigns import Campaign
from customer_profiles.simulation.friends import FriendGraph
from customer_profiles.simulation.second_ids import SecondIds, truth_of_second_ids
from customer_profiles.simulation.shopper_types import TYPES
from customer_profiles.simulation.shoppers import DAY_SECONDS, DAYPARTS, Habits, Population
from customer_profiles.simulation.visits import cookies
from customer_profiles.simulation.words import CATEGORIES

EPOCH = date(1970, 1, 1)


class TruthError(LookupError):
    """The truth does not hold what was asked for. The message names the folder and the day."""


def write_truth_of_start(
    folder: Path,
    people: Population,
    friends: FriendGraph,
    campaigns: Sequence[Campaign],
    parameters: dict[str, Any],
) -> None:
    """Write all that is fixed before the first day."""
    (folder / "days").mkdir(parents=True, exist_ok=True)
    (folder / "texts").mkdir(exist_ok=True)
    names = people.identity["customer_id"]
    pl.DataFrame([parameters]).write_parquet(folder / "parameters.parquet")
    pl.DataFrame(
        [{k: v for k, v in asdict(kind).items() if not isinstance(v, dict | tuple)} for kind in TYPES]
    ).write_parquet(folder / "shopper_types.parquet")
    _customers(people).write_parquet(folder / "customers.parquet")
    first = np.flatnonzero(people.other_self >= 0)
    pl.DataFrame(
        {"customer_id": names.gather(first), "other_customer_id": names.gather(people.other_self[first])}
    ).write_parquet(folder / "same_person.parquet")
    pl.DataFrame(
        {"customer_id": names.gather(friends.source), "friend_id": names.gather(friends.target)}
    ).write_parquet(folder / "friends.parquet")
    pl.DataFrame(
        [
            {
                "campaign_id": c.name,
                "day": c.day,
                "treated_share": c.treated_share,
                "shopper_type": kind,
                "boost": boost,
            }
            for c in campaigns
            for kind, boost in c.boosts.items()
        ]
    ).write_parquet(folder / "campaigns.parquet")


def write_truth_of_identities(
    folder: Path, people: Population, second_ids: SecondIds, first_day: int, days: int
) -> None:
    """Write whose each cookie is, and which second ids a login proves when."""
    names = people.identity["customer_id"]
    owners = pl.DataFrame({"customer_id": names, "cookie": cookies(np.arange(people.size))})
    owners.write_parquet(folder / "cookies.parquet")
    truth_of_second_ids(people, second_ids, first_day, days).write_parquet(folder / "second_ids.parquet")


def _shares(prefix: str, cumulative: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    shares = np.diff(cumulative, axis=1, prepend=0.0).astype(np.float32)
    return {f"{prefix}_{name}": shares[:, place] for place, name in enumerate(names)}


def _customers(people: Population) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": people.identity["customer_id"],
            "shopper_type": pl.Series([kind.name for kind in TYPES]).gather(people.shopper_type),
            "registered_at": people.registered_at,
            "preferred_daypart": pl.Series(DAYPARTS).gather(
                np.diff(people.dayparts, axis=1, prepend=0).argmax(axis=1)
            ),
            "top_category": pl.Series(CATEGORIES).gather(
                np.diff(people.tastes, axis=1, prepend=0).argmax(axis=1)
            ),
            "is_underage": people.underage,
            "is_exactly_18_at_sign_up": people.just_of_age,
            "is_test": people.works_here,
            **{field.name: getattr(people.habits, field.name) for field in fields(Habits)},
            **_shares("taste", people.tastes, CATEGORIES),
            **_shares("channel", people.channels, CHANNELS),
            **_shares("daypart", people.dayparts, DAYPARTS),
        }
    )


def write_truth_of_day(folder: Path, day: date, lives: Lives, order_probability: np.ndarray) -> None:
    """Write every customer's state at the end of a day, and the chance of an order that day had."""
    pl.DataFrame(
        {
            "order_probability": order_probability.astype(np.float32),
            "mood": lives.mood,
            "interested": lives.interested,
            "boost": lives.boost,
            "boost_days_left": lives.boost_days_left,
        }
    ).write_parquet(folder / "days" / f"{day.isoformat()}.parquet")


def conversion_probability(truth_dir: Path, as_of: date, gap_days: int, horizon_days: int) -> pl.DataFrame:
    """True chance of a valid order in ``[t0 + gap, t0 + gap + horizon)``, ``t0`` the day after ``as_of``.

    It rests on the hidden state at the end of ``as_of`` alone, so that no forecast can do better on
    average. Returns customer_id, probability for everyone registered by then. Raises ``TruthError``.
    """
    file = truth_dir / "days" / f"{as_of.isoformat()}.parquet"
    if not file.is_file():
        raise TruthError(f"no truth for {as_of} in {truth_dir}; choose a simulated day")
    customers = pl.read_parquet(truth_dir / "customers.parquet")
    state = pl.read_parquet(file)
    habits = Habits(*(customers[field.name].to_numpy() for field in fields(Habits)))
    next_day = (as_of - EPOCH).days + 1
    probability = chance_of_buying(
        habits,
        mood=state["mood"].to_numpy(),
        interested=state["interested"].to_numpy(),
        boost=state["boost"].to_numpy(),
        boost_days_left=state["boost_days_left"].to_numpy(),
        first_day=next_day,
        gap_days=gap_days,
        horizon_days=horizon_days,
    )
    known = customers["registered_at"] < next_day * DAY_SECONDS
    return pl.DataFrame({"customer_id": customers["customer_id"], "probability": probability}).filter(known)


def order_probabilities(truth_dir: Path, first: date, last: date) -> pl.DataFrame:
    """Chance of an order on each day of a range: customer_id and a column a day, named by the day."""
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    columns = [
        pl.read_parquet(truth_dir / "days" / f"{day.isoformat()}.parquet")["order_probability"].alias(
            day.isoformat()
        )
        for day in days
    ]
    return pl.read_parquet(truth_dir / "customers.parquet", columns=["customer_id"]).with_columns(columns)


def write_truth_of_texts(folder: Path, day: date, sentiment: Sequence[pl.DataFrame]) -> None:
    """Write sentiment (-1, 0, 1) and topic of the texts that a day gives rise to."""
    pl.concat(sentiment).write_parquet(folder / "texts" / f"{day.isoformat()}.parquet")


def write_truth_of_end(folder: Path, dirt: pl.DataFrame, uplift: Sequence[pl.DataFrame]) -> None:
    """Write what is known when all days are over: dirty rows and the campaigns' true uplift."""
    dirt.write_parquet(folder / "dirt.parquet")
    if uplift:
        pl.concat(uplift).write_parquet(folder / "campaign_uplift.parquet")
