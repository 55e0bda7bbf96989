"""Whom the customer knows, and what they bought."""

from __future__ import annotations

import narwhals as nw
import polars as pl

from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by, newest
from customer_profiles.features.expressions import one_of, ratio
from customer_profiles.features.population import population
from customer_profiles.features.purchases import order_lines
from customer_profiles.features.traits import (
    Trait,
    beside,
    count,
    derived,
    each_window,
    observed,
    total,
)

SOURCE = "social_edges"
TIES = ("friend", "follow")
EDGE = ("source_customer_key", "target_customer_key", "kind", "created_at")
FEWEST_FRIENDS = 5
"""With fewer, a share of buyers would tell of single people."""
WINDOW = 90

PEOPLE = (
    count(
        "degree",
        "people tied by friendship or following, in either direction, on the day",
        "people",
        nw.max_horizontal(nw.col("tie_to"), nw.col("tie_from")),
        source=SOURCE,
    ),
    count(
        "reciprocal_degree",
        "people with such a tie in both directions, on the day",
        "people",
        nw.min_horizontal(nw.col("tie_to"), nw.col("tie_from")),
        source=SOURCE,
    ),
    count(
        "referrals_made",
        "people referred, in all that was delivered by the day",
        "people",
        nw.col("referral"),
        source=SOURCE,
    ),
)
SHARES = each_window(
    (WINDOW,), count("shares", "things shared with somebody", "shares", nw.col("share"), source=SOURCE)
)
BUYERS = (
    Trait(
        f"friends_buyer_share_{WINDOW}",
        f"share of the people counted in degree with a purchase in the last {WINDOW} days",
        "share",
        nw.when(nw.col("degree") >= FEWEST_FRIENDS).then(ratio(nw.col("buying_friends"), nw.col("degree"))),
        ("orders",),
        beside=(SOURCE,),
        window=WINDOW,
        undefined=f"fewer than {FEWEST_FRIENDS} people, or {SOURCE} never delivered",
        dtype=pl.Float64,
    ),
)
TRAITS = (*PEOPLE, *BUYERS, *SHARES)


def social(tables: Tables, as_of: AsOf) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population."""
    if not as_of.has(SOURCE):  # nobody is anybody's friend: what all others bought need not be read
        unknown = (nw.lit(None, dtype=nw.Float64()).alias(trait.name) for trait in BUYERS)
        return observed(population(tables, as_of).with_columns(unknown), TRAITS, as_of)
    edges = newest(known_by(tables["social_edges"], as_of, "created_day"), EDGE)
    buyers = _buyers(tables["orders"], as_of)
    pairs = _pairs(edges, as_of).join(buyers, on="other_key", how="left")
    tied = (nw.col("tie_to") + nw.col("tie_from")) > 0
    sums = pairs.group_by("customer_key").agg(
        *(total(trait.value).alias(trait.name) for trait in PEOPLE),
        *(total(nw.col(trait.name)).alias(trait.name) for trait in SHARES),
        buying_friends=total(tied & nw.col("buys").fill_null(False)),
    )
    return observed(derived(beside(population(tables, as_of), sums), BUYERS), TRAITS, as_of)


def _pairs(edges: Frame, as_of: AsOf) -> Frame:
    """One row per customer and other person: the ties to and from them, 0 or 1, and what went to them."""
    kind, holds = nw.col("kind"), nw.col("ended_day").is_null() | (nw.col("ended_day") > as_of.number)
    edges = edges.with_columns(
        tie_to=(one_of(kind, TIES) & holds).cast(nw.Int64()),
        tie_from=nw.lit(0, dtype=nw.Int64()),
        referral=(kind == "referral").cast(nw.Int64()),
        share=(kind == "share").cast(nw.Int64()),
    )
    numbers = ("days_ago", "tie_to", "tie_from", "referral", "share")
    outgoing = edges.select(
        nw.col("source_customer_key").alias("customer_key"),
        nw.col("target_customer_key").alias("other_key"),
        *numbers,
    )
    nought = nw.col("tie_from")
    incoming = edges.select(
        nw.col("target_customer_key").alias("customer_key"),
        nw.col("source_customer_key").alias("other_key"),
        "days_ago",
        nought.alias("tie_to"),
        nw.col("tie_to").alias("tie_from"),
        nought.alias("referral"),
        nought.alias("share"),
    )
    return (
        nw.concat([outgoing, incoming])
        .group_by("customer_key", "other_key")
        .agg(
            *(nw.col(name).max() for name in ("tie_to", "tie_from", "referral")),
            *(total(trait.value).alias(trait.name) for trait in SHARES),
        )
    )


def _buyers(orders: Frame, as_of: AsOf) -> Frame:
    """Customers with a purchase in the window, as somebody's ``other_key``, each with ``buys`` true."""
    bought = order_lines(orders, as_of).filter(nw.col("is_purchase"), nw.col("days_ago") < WINDOW)
    return (
        bought.group_by("customer_key")
        .agg(buys=nw.col("is_purchase").max())
        .rename({"customer_key": "other_key"})
    )
