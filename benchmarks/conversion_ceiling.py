"""How well anybody could tell who will buy at the simulated retailer, from what the platform sees.

    python benchmarks/conversion_ceiling.py --home FOLDER [--json FILE]

FOLDER is the home of a finished demo, with its ``truth/``. The planted probability knows each customer's
mood and interest, which nothing delivered tells. The filter knows how the retailer was simulated, but of
a customer only type and history: day by day it holds the chance of every mood and interest, given the
visits, orders and what was done in them, the friends who bought and the campaigns (the forward recursion of
a hidden Markov model; Rabiner 1989). ``habits told`` also knows the customer's true rates; ``habits
inferred`` weighs them by how well they explain the history, and is the best forecast that there is from
such data: no feature and no model can beat it on average.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from scipy.special import xlogy

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.conversion import ConversionModel
from customer_profiles.conversion.leaks import roc_auc
from customer_profiles.conversion.snapshots import CATEGORIES, NUMERIC, Gathered, gather
from customer_profiles.orchestration.platform import Platform
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.settings import LabelSettings, load_settings
from customer_profiles.simulation import behaviour
from customer_profiles.simulation.campaigns import EFFECT_DAYS
from customer_profiles.simulation.shopper_types import TYPES
from customer_profiles.simulation.shoppers import DAY_SECONDS, Habits
from customer_profiles.simulation.truth import EPOCH, conversion_probability
from customer_profiles.warehouse import Session

MOODS = np.linspace(-2, 2, 41)
DRAWS = np.polynomial.hermite_e.hermegauss(7), np.polynomial.hermite_e.hermegauss(3)
"""Nodes and weights of a standard normal: for keenness, and for restlessness and ease."""
SEEN = ("search", "product_view", "favourite", "add_to_cart", "remove_from_cart")


@dataclass(frozen=True)
class History:
    """What is seen of the customers from the first day to the profile's: arrays (days, customers).

    ``pull`` is what friends' orders add to the mood, ``counts`` holds the events of ``SEEN`` by name.
    """

    here: np.ndarray
    visits: np.ndarray
    orders: np.ndarray
    checkouts: np.ndarray
    counts: dict[str, np.ndarray]
    pull: np.ndarray
    boost: np.ndarray
    boost_days_left: np.ndarray
    first_day: int

    def of(self, who: np.ndarray) -> History:
        """The history of some customers."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        chosen: dict[str, Any] = {
            name: part[:, who] for name, part in parts.items() if isinstance(part, np.ndarray)
        }
        return replace(self, **chosen, counts={name: part[:, who] for name, part in self.counts.items()})


def history(session: Session, truth: Path, customers: pl.DataFrame, last: int) -> History:
    """Read the history of ``customers`` (customer_id, customer_key, ...) up to the day ``last``."""
    first = (pl.read_parquet(truth / "parameters.parquet")["start"][0] - EPOCH).days
    size, days = customers.height, last - first + 1
    place = dict(zip(customers["customer_key"], range(size), strict=True))

    def marked(rows: pl.DataFrame) -> np.ndarray:
        table = np.zeros((days, size), dtype=np.int16)
        who = rows["customer_key"].replace_strict(place, default=-1, return_dtype=pl.Int64).to_numpy()
        day = rows["day"].to_numpy() - first
        known = (who >= 0) & (day >= 0) & (day < days)
        np.add.at(table, (day[known], who[known]), 1)
        return table

    events = session.collect(
        session.read(CLEANED["events"]).select(
            "event_id", "event_name", "customer_key", day=nw.col("event_day")
        )
    ).unique("event_id")
    sold = session.collect(
        session.read(CLEANED["orders"])
        .filter(nw.col("status") != "returned")
        .select("customer_key", day=nw.col("ordered_day"))
    )
    by_name = {
        name: marked(events.filter(pl.col("event_name") == name)) for name in (*SEEN, "checkout_start")
    }
    orders = marked(sold) > 0
    boost, left = _boosts(truth, customers, days)
    return History(
        here=customers["registered_at"].to_numpy() // DAY_SECONDS - first <= np.arange(days)[:, None],
        visits=(marked(events) > 0) | orders,
        orders=orders,
        checkouts=by_name.pop("checkout_start") > 0,
        counts=by_name,
        pull=_pull(truth, customers, orders),
        boost=boost,
        boost_days_left=left,
        first_day=first,
    )


def _pull(truth: Path, customers: pl.DataFrame, orders: np.ndarray) -> np.ndarray:
    place = dict(zip(customers["customer_id"], range(customers.height), strict=True))
    friends = pl.read_parquet(truth / "friends.parquet")
    hears, heard = (
        friends[name].replace_strict(place, return_dtype=pl.Int64).to_numpy()
        for name in ("customer_id", "friend_id")
    )
    usual = behaviour.USUAL_BUYER_SHARE * np.bincount(hears, minlength=customers.height)
    pull = np.tile(-usual, (len(orders), 1))
    for day in range(1, len(orders)):
        bought = np.bincount(hears[orders[day - 1][heard]], minlength=customers.height)
        pull[day] += bought.clip(max=3)
    return behaviour.FRIEND_PULL * pull


def _boosts(truth: Path, customers: pl.DataFrame, days: int) -> tuple[np.ndarray, np.ndarray]:
    """The campaigns' factor at each day's end, and for how many days more: from the next day on it works."""
    boost, left = np.ones((days, customers.height)), np.zeros((days, customers.height), dtype=np.int64)
    reached = pl.read_parquet(truth / "campaign_uplift.parquet").filter(pl.col("treated"))
    plans = pl.read_parquet(truth / "campaigns.parquet")
    told = reached.join(customers.select("customer_id", "shopper_type", "place"), on="customer_id").join(
        plans, on=["campaign_id", "shopper_type"]
    )
    for (day,), rows in told.sort("day").group_by("day", maintain_order=True):
        who = rows["place"].to_numpy()
        for after in range(min(EFFECT_DAYS, days - day)):
            boost[day + after, who], left[day + after, who] = rows["boost"].to_numpy(), EFFECT_DAYS - after
    return boost, left


def forward(seen: History, habits: Habits, pages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log likelihood (customers,) of a history, and the chances (customers, 2, moods) at its end.

    The middle axis is without and with interest. See ``simulation.behaviour`` for the steps of a day.
    """
    spread = behaviour.MOOD_NOISE / np.sqrt(1 - behaviour.MOOD_STAYS**2)
    mood = _normal(MOODS / spread)
    keen = (habits.interest_rate / (habits.interest_rate + 0.2))[:, None]
    state = np.stack([(1 - keen) * mood, keen * mood], axis=1)
    stays = _normal((MOODS - behaviour.MOOD_STAYS * MOODS[:, None]) / behaviour.MOOD_NOISE)
    total = np.zeros(len(state))
    for day in range(len(seen.visits)):
        state = _moved(state @ stays, seen.pull[day])
        boost = seen.boost[day - 1] if day else np.ones(len(state))
        wakes = -np.expm1(-(habits.interest_rate * boost)[:, None] * np.exp(MOODS))
        woken = state[:, 0] * wakes * seen.here[day][:, None]
        state = np.stack([state[:, 0] - woken, state[:, 1] + woken], axis=1)
        state = state * _likelihood(seen, habits, pages, boost, day)[:, :, None]
        sums = state.sum(axis=(1, 2))
        total, state = total + np.log(sums), state / sums[:, None, None]
        ends = np.where(seen.orders[day], behaviour.INTEREST_ENDS_AFTER_ORDER, behaviour.INTEREST_ENDS)
        ended = state[:, 1] * ends[:, None]
        state = np.stack([state[:, 0] + ended, state[:, 1] - ended], axis=1)
    return total, state


def _normal(deviations: np.ndarray) -> np.ndarray:
    density = np.exp(-(deviations**2) / 2)
    normal: np.ndarray = density / density.sum(axis=-1, keepdims=True)
    return normal


def _moved(state: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """Shift each customer's moods by their pull, between grid points in proportion."""
    steps = pull / (MOODS[1] - MOODS[0])
    whole = np.floor(steps).astype(int)
    result: np.ndarray = np.zeros_like(state)
    for shift, part in ((whole, 1 - (steps - whole)), (whole + 1, steps - whole)):
        source = np.arange(len(MOODS)) - shift[:, None]
        inside = (source >= 0) & (source < len(MOODS))
        taken = np.take_along_axis(state, source.clip(0, len(MOODS) - 1)[:, None].repeat(2, axis=1), axis=2)
        result += taken * (inside * part[:, None])[:, None]
    result /= result.sum(axis=(1, 2), keepdims=True)
    return result


def _likelihood(seen: History, habits: Habits, pages: np.ndarray, boost: np.ndarray, day: int) -> np.ndarray:
    """How likely (customers, 2) the day is without and with interest. See ``simulation.visits._counts``."""
    comes, buys = seen.visits[day], seen.orders[day]
    chances = zip(
        behaviour.visit_chance(habits, seen.first_day + day),
        behaviour.order_chance(habits, boost),
        strict=True,
    )
    columns = []
    for keen, (visit, order) in enumerate(chances):
        means = {"search": 0.25 + 0.7 * keen, "product_view": 0.35 * pages + 1.6 * keen}
        means |= {"favourite": 0.05 + 0.25 * keen, "add_to_cart": 0.05 + 0.9 * keen}
        means |= {"remove_from_cart": 0.02 + 0.05 * keen}
        log = np.zeros(len(comes))
        for name, mean in means.items():
            count = seen.counts[name][day] - (buys if name == "add_to_cart" else 0)
            log += xlogy(count.clip(0), mean) - mean
        starts = 0.02 + 0.12 * keen
        log += np.where(buys, 0, np.log(np.where(seen.checkouts[day], starts, 1 - starts)))
        within = visit * np.where(buys, order, 1 - order) * np.exp(log)
        columns.append(np.where(seen.here[day], np.where(comes, within, 1 - visit), 1.0))
    return np.stack(columns, axis=1)


def chance(state: np.ndarray, seen: History, habits: Habits, label: LabelSettings) -> np.ndarray:
    """The chance (customers,) of the label, over every mood and interest of ``state``."""
    everyone, next_day = np.ones(len(state)), seen.first_day + len(seen.visits)
    total = np.zeros(len(state))
    for interested in (False, True):
        for place, mood in enumerate(MOODS):
            total += state[:, int(interested), place] * behaviour.chance_of_buying(
                habits,
                mood * everyone,
                everyone * interested == 1,
                np.where(seen.boost_days_left[-1] > 0, seen.boost[-1], 1),
                seen.boost_days_left[-1],
                next_day,
                label.gap_days,
                label.horizon_days,
            )
    return total


def possible_habits(types: np.ndarray) -> Iterator[tuple[float, Habits]]:
    """Habits of customers of these types, and how common they are. See ``simulation.shoppers._habits``."""

    def of(name: str) -> np.ndarray:
        told: np.ndarray = np.array([getattr(kind, name) for kind in TYPES])[types]
        return told

    many, few = (list(zip(nodes, weights / weights.sum(), strict=True)) for nodes, weights in DRAWS)
    for keen, common in many:
        for restless, also in few:
            for ease, too in few:
                yield (
                    common * also * too,
                    Habits(
                        visit_rate=(of("visit") * np.exp(0.45 * keen + 0.2 * restless - 0.05)).clip(
                            0.01, 0.6
                        ),
                        interest_rate=(of("interest") * np.exp(1.2 * keen - 0.55)).clip(0.001, 0.4),
                        buy_chance=(of("buy") * np.exp(0.25 * ease - 0.35)).clip(0.02, 0.8),
                        valid_share=1 - of("undone"),
                        weekend_factor=of("weekend"),
                    ),
                )


def inferred(seen: History, types: np.ndarray, pages: np.ndarray, label: LabelSettings) -> np.ndarray:
    """The chance (customers,) of the label, habits weighed by how well they explain the history."""
    logs, chances = [], []
    for common, habits in possible_habits(types):
        log, state = forward(seen, habits, pages)
        logs.append(np.log(common) + log)
        chances.append(chance(state, seen, habits, label))
    weights = np.exp(np.array(logs) - np.max(logs, axis=0))
    mean: np.ndarray = (weights * np.array(chances)).sum(axis=0) / weights.sum(axis=0)
    return mean


def learnt(gathered: Gathered) -> np.ndarray:
    """What the conversion model, of the shapes that the platform learns, says of the test's customers."""
    train, test = gathered.parts
    known = [n for n in (*NUMERIC, *CATEGORIES) if train.features[n].null_count() < len(train)]
    model = ConversionModel(0, shapes=("detailed", "stepped")).fit(
        train.features.select(known), train.label, train.customer_key, train.as_of
    )
    return model.predict(test.features)


def compare(home: Path) -> list[dict[str, Any]]:
    """Rows of forecast, roc_auc on the test's labels, and the AUC to expect under the planted probability."""
    settings, truth = load_settings(home), home / "truth"
    platform = Platform(settings, os.environ)
    customers = pl.read_parquet(truth / "customers.parquet").with_row_index("place")
    keys = Pseudonyms(platform.secrets.pseudonym).keys(customers["customer_id"])
    customers = customers.with_columns(customer_key=keys)
    label = settings.label
    with platform.warehouse() as session:
        gathered = gather(session, settings, "purchase")
        if isinstance(gathered, str):
            raise SystemExit(gathered)
        seen = history(session, truth, customers, (gathered.days.test - EPOCH).days)
    planted = conversion_probability(truth, gathered.days.test, label.gap_days, label.horizon_days)
    test = pl.DataFrame({"customer_key": gathered.parts.test.customer_key}).with_row_index("row")
    test = test.join(customers, on="customer_key").join(planted, on="customer_id").sort("row")
    seen = seen.of(test["place"].to_numpy())
    types = test["shopper_type"].replace_strict(
        {kind.name: place for place, kind in enumerate(TYPES)}, return_dtype=pl.Int64
    )
    pages = np.array([kind.pages for kind in TYPES])[types.to_numpy()]
    habits = Habits(*(test[field.name].to_numpy() for field in fields(Habits)))
    true, target = test["probability"].to_numpy(), gathered.parts.test.label[test["row"].to_numpy()]
    forecasts = {
        "planted truth": true,
        "filter, habits told": chance(forward(seen, habits, pages)[1], seen, habits, label),
        "filter, habits inferred": inferred(seen, types.to_numpy(), pages, label),
        "conversion_network": learnt(gathered)[test["row"].to_numpy()],
    }
    return [
        {"forecast": name, "roc_auc": roc_auc(target, forecast), "expected_auc": expected_auc(true, forecast)}
        for name, forecast in forecasts.items()
    ]


def expected_auc(true: np.ndarray, score: np.ndarray) -> float:
    """AUC of ``score`` where each label is 1 with the chance ``true``: less noisy than that of one draw."""
    chances = true[np.argsort(score)]
    below = np.cumsum(1 - chances) - (1 - chances)
    return float((chances * below).sum() / (chances.sum() * (1 - chances).sum()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument(
        "--home", type=Path, required=True, help="home of a finished demo, with its truth/"
    )
    arguments.add_argument("--json", type=Path, help="also write the rows here")
    chosen = arguments.parse_args()
    rows = compare(chosen.home)
    print(f"{'forecast':<26}{'roc_auc':>10}{'expected':>10}")
    for row in rows:
        print(f"{row['forecast']:<26}{row['roc_auc']:>10.4f}{row['expected_auc']:>10.4f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
