"""The shop from one day to the next: what happens, and on which day each row of it is delivered."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from customer_profiles.contracts import PURPOSES
from customer_profiles.simulation import campaigns as marketing
from customer_profiles.simulation import relations
from customer_profiles.simulation.behaviour import NO_DRIFT, Drift, Lives, Visits, begin, live_one_day
from customer_profiles.simulation.catalogue import Catalogue, change_prices, price_list, stock
from customer_profiles.simulation.dirt import PLANT, UNTOUCHED
from customer_profiles.simulation.friends import FriendGraph, befriend
from customer_profiles.simulation.sales import Sales, sell
from customer_profiles.simulation.second_ids import SecondIds, plan_second_ids, second_id_links
from customer_profiles.simulation.shoppers import DAY_SECONDS, Population, settle
from customer_profiles.simulation.visits import events_of, favourite_goods, sign_ups, strangers
from customer_profiles.simulation.voices import product_quality, reviews, service_talks

LATE_SHARE, REDELIVERED_SHARE, UNKNOWN_SHARE = 0.01, 0.001, 0.001
VISIBLE_DRIFT = Drift(night=0.25, mini_program=0.35, price_level=1.3)
TIERS_CHANGE_PER_DAY = 0.002


@dataclass
class Shop:
    """All that the simulation remembers from one day to the next.

    ``post`` and ``sentiment`` hold rows, and the truth of texts, by the number of the day from 0 on
    which they are delivered.
    """

    people: Population
    lives: Lives
    friends: FriendGraph
    catalogue: Catalogue
    quality: np.ndarray
    campaigns: tuple[marketing.Campaign, ...]
    first_day: int  # days since 1970
    days: int
    drift_day: int | None
    dirty: bool
    tiers: np.ndarray
    linked: np.ndarray  # whose cookie is known
    granted: np.ndarray  # consents, customers by purposes
    second_ids: SecondIds
    uplift: list[pl.DataFrame] = field(default_factory=list)
    post: dict[tuple[int, str], list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    sentiment: dict[int, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))

    def put(self, day: int, table: str, rows: pl.DataFrame, plant: str | None = None) -> None:
        """Post rows for a day's delivery; later than the last day they never arrive."""
        if day < self.days and not rows.is_empty():
            if PLANT not in rows.columns:
                rows = rows.with_columns(pl.lit(plant, dtype=pl.String).alias(PLANT))
            self.post[day, table].append(rows)

    def take(self, day: int, table: str) -> pl.DataFrame | None:
        """Hand over the rows posted for a day's delivery; None if there are none."""
        posted = self.post.pop((day, table), None)
        return pl.concat(posted, how="diagonal") if posted else None

    def put_when(self, table: str, rows: pl.DataFrame, moment: str, no_sooner: int) -> None:
        """Post each row for the day of its ``moment``, or ``no_sooner`` if that is later."""
        number = (pl.col(moment) // DAY_SECONDS - self.first_day).clip(lower_bound=no_sooner)
        dated = rows.with_columns(number.alias("number")).filter(pl.col("number") < self.days)
        for (day,), part in dated.group_by("number", maintain_order=True):
            self.put(int(str(day)), table, part.drop("number"))


def open_shop(
    customers: int, days: int, first_day: int, drift_day: int | None, dirty: bool, rng: np.random.Generator
) -> Shop:
    """Draw the shop as it stands before its first day, and post what is known by then."""
    people = settle(customers, first_day, days, rng)
    catalogue = stock(rng)
    shop = Shop(
        people=people,
        lives=begin(people, rng),
        friends=befriend(people, rng),
        catalogue=catalogue,
        quality=product_quality(catalogue, rng),
        campaigns=marketing.plan_campaigns(days),
        first_day=first_day,
        days=days,
        drift_day=drift_day,
        dirty=dirty,
        tiers=_first_tiers(people, rng),
        linked=np.zeros(customers, dtype=bool),
        granted=relations.draw_consents(customers, rng),
        second_ids=plan_second_ids(people, days, rng.spawn(1)[0]),
    )
    _post_the_past(shop, rng)
    return shop


def _first_tiers(people: Population, rng: np.random.Generator) -> np.ndarray:
    """Who has bought more in years past tends to hold a higher tier."""
    bought = np.log(people.habits.interest_rate) + rng.normal(0, 0.8, people.size)
    return np.asarray(np.digitize(bought, np.quantile(bought, [0.55, 0.83, 0.96])))


def _post_the_past(shop: Shop, rng: np.random.Generator) -> None:
    people, opening = shop.people, shop.first_day * DAY_SECONDS
    known = np.flatnonzero(people.registered_at < opening)
    _post_customers(shop, 0, known, np.maximum(people.registered_at[known], opening - 3 * DAY_SECONDS))
    shop.put(0, "consents", relations.first_consents(people, known, shop.granted))
    products = np.arange(shop.catalogue.prices.size)
    shop.put(
        0,
        "products",
        price_list(shop.catalogue, products, np.full(products.size, opening - 30 * DAY_SECONDS)),
        UNTOUCHED,
    )
    shop.put(0, "identity_links", relations.first_links(people, opening))
    shop.put_when(
        "social_edges", relations.friend_ties(people, shop.friends, shop.first_day, rng), "created_at", 0
    )


def _post_customers(shop: Shop, number: int, who: np.ndarray, updated_at: np.ndarray) -> None:
    people = shop.people
    rows = relations.customer_rows(people, who, updated_at, shop.tiers)
    plant = np.where(
        people.underage[who], "underage", np.where(people.just_of_age[who], "aged_exactly_18", "")
    )
    plants = pl.Series(PLANT, plant, dtype=pl.String)
    shop.put(number, "customers", rows.with_columns(plants.set(plants == "", None)))


def live(shop: Shop, number: int, rng: np.random.Generator) -> np.ndarray:
    """Live through a day and post its rows; returns each customer's chance of an order today."""
    day = shop.first_day + number
    drift = VISIBLE_DRIFT if shop.drift_day is not None and number >= shop.drift_day else NO_DRIFT
    visits, order_probability = live_one_day(shop.people, shop.lives, shop.friends, day, drift, rng)
    focus = favourite_goods(shop.people, shop.catalogue, visits.customer, visits.category, rng)
    name = str(np.datetime64(day, "D"))
    sales = sell(shop.people, shop.catalogue, visits, focus, drift.price_level, name, rng)
    events = pl.concat(
        [
            events_of(shop.people, shop.catalogue, visits, focus, name, rng),
            strangers(visits, shop.catalogue, name, rng),
        ]
    )
    _post_events(shop, number, events, rng)
    _post_orders(shop, number, sales, rng)
    _post_texts(shop, number, events, sales, rng)
    _post_relations(shop, number, visits, rng)
    _post_campaigns(shop, number, rng)
    return order_probability


def _post_events(shop: Shop, number: int, events: pl.DataFrame, rng: np.random.Generator) -> None:
    events = events.drop("visitor")
    chance = rng.random(events.height)
    late = pl.Series(chance < LATE_SHARE)
    delay = pl.Series(rng.integers(1, 4, events.height))
    again = pl.Series((chance > 1 - REDELIVERED_SHARE) & shop.dirty)
    plant = pl.select(pl.when(again).then(pl.lit(UNTOUCHED)).alias(PLANT)).to_series()
    events = _with_unknown(events.with_columns(plant), shop, rng)
    shop.put(number, "events", events.filter(~late))
    for days in (1, 2, 3):
        shop.put(number + days, "events", events.filter(late & (delay == days)))
        copies = events.filter(again & (delay == days))
        shop.put(number + days, "events", copies.drop(PLANT), "redelivered_event")


def _with_unknown(rows: pl.DataFrame, shop: Shop, rng: np.random.Generator) -> pl.DataFrame:
    """Let a few rows name a customer or a product that nobody has heard of."""
    chance = pl.Series(rng.random(rows.height))
    if not shop.dirty:
        return rows
    free = pl.col(PLANT).is_null()
    ghost = free & pl.col("customer_id").is_not_null() & (chance < UNKNOWN_SHARE)
    thing = free & pl.col("product_id").is_not_null() & (chance > 1 - UNKNOWN_SHARE)
    return rows.with_columns(
        pl.when(ghost).then(pl.lit("C9999999")).otherwise("customer_id").alias("customer_id"),
        pl.when(thing).then(pl.lit("P99999")).otherwise("product_id").alias("product_id"),
        pl.when(ghost)
        .then(pl.lit("unknown_customer"))
        .when(thing)
        .then(pl.lit("unknown_product"))
        .otherwise(PLANT)
        .alias(PLANT),
    )


def _post_orders(shop: Shop, number: int, sales: Sales, rng: np.random.Generator) -> None:
    versions = sales.versions
    chance = rng.random(versions.height)
    again = pl.Series((chance > 1 - 5 * REDELIVERED_SHARE) & shop.dirty)
    plant = pl.select(pl.when(again).then(pl.lit(UNTOUCHED)).alias(PLANT)).to_series()
    late = pl.Series((chance < LATE_SHARE).astype(np.int64)) * DAY_SECONDS
    rows = versions.with_columns(plant, (versions["status_at"] + late).alias("heard_at"))
    copies = rows.filter(again).with_columns(
        pl.col("heard_at") + DAY_SECONDS, pl.lit("redelivered_version").alias(PLANT)
    )
    for part in (rows, copies):
        shop.put_when("orders", part, "heard_at", number)


def _post_texts(
    shop: Shop, number: int, events: pl.DataFrame, sales: Sales, rng: np.random.Generator
) -> None:
    day_end = (shop.first_day + number + 1) * DAY_SECONDS
    written = (
        reviews(shop.people, shop.quality, sales, rng),
        service_talks(shop.people, events, day_end, rng),
    )
    for texts, sentiment in written:
        shop.put_when("texts", texts, "created_at", number)
        shop.sentiment[number].append(sentiment)


def _post_relations(shop: Shop, number: int, visits: Visits, rng: np.random.Generator) -> None:
    people, day = shop.people, shop.first_day + number
    start, end = day * DAY_SECONDS, (day + 1) * DAY_SECONDS
    newcomers = sign_ups(people, start, end)
    _post_customers(shop, number, newcomers, people.registered_at[newcomers])
    shop.put(number, "consents", relations.first_consents(people, newcomers, shop.granted))
    known = np.flatnonzero((people.registered_at < start) & ~people.underage)
    promoted = known[rng.random(known.size) < TIERS_CHANGE_PER_DAY]
    shop.tiers[promoted] = np.minimum(shop.tiers[promoted] + 1, len(relations.TIERS) - 1)
    promoted = promoted[~people.just_of_age[promoted]]
    _post_customers(shop, number, promoted, start + rng.integers(0, DAY_SECONDS, promoted.size))
    shop.put(number, "consents", relations.changed_consents(people, shop.granted, known, day, rng))
    shop.put(number, "social_edges", relations.daily_ties(people, shop.friends, visits, day, rng))
    shop.put(number, "social_edges", relations.referrals(people, shop.friends, newcomers, rng))
    shop.put(number, "partner_attributes", relations.partner_rows(people, known, day, rng))
    shop.put(number, "identity_links", relations.cookie_links(people, visits, shop.linked, rng))
    proven = second_id_links(people, shop.second_ids, number, shop.first_day)
    shop.put(number, "identity_links", proven)
    changed = change_prices(shop.catalogue, rng)
    tomorrow = np.full(changed.size, end)
    shop.put(number, "products", price_list(shop.catalogue, changed, tomorrow))


def _post_campaigns(shop: Shop, number: int, rng: np.random.Generator) -> None:
    day = shop.first_day + number
    known = np.flatnonzero((shop.people.registered_at < day * DAY_SECONDS) & ~shop.people.underage)
    for campaign in shop.campaigns:
        if campaign.day == number:
            willing = known[shop.granted[known, PURPOSES.index(campaign.purpose)]]
            mailing = marketing.send(campaign, shop.people, shop.lives, willing, day, rng)
            shop.put(number, "campaign_contacts", mailing.contacts)
            shop.put_when("campaign_contacts", mailing.answers, "heard_at", number + 1)
            shop.uplift.append(mailing.truth)
