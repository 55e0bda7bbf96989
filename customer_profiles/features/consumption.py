"""What the customer buys: how recently, how often, for how much, and of what.

Money and counts follow ``purchases``. A customer who ordered in several currencies has no money
traits: amounts of different currencies do not add up. Nor has one of whose orders no money is told.
"""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import polars as pl

from customer_profiles.contracts.columns import NO_CURRENCY
from customer_profiles.features.as_of import AsOf, Frame, Tables
from customer_profiles.features.expressions import first_case, one_of, ratio
from customer_profiles.features.population import population
from customer_profiles.features.purchases import order_lines
from customer_profiles.features.traits import (
    Trait,
    beside,
    category,
    count,
    derived,
    each_window,
    observed,
    share,
    total,
)

SOURCE = "orders"
WINDOWS = (30, 90, 365, None)
LIFETIME = "in all that was delivered by the day"
NO_PURCHASE = "no purchase yet"
MIXED = "orders in several currencies or without money"

RFM_GROUPS = (
    ("champions", range(4, 6), range(4, 6)),
    ("loyal", range(3, 6), range(3, 6)),
    ("new", range(4, 6), range(1, 2)),
    ("promising", range(4, 6), range(2, 3)),
    ("needs_attention", range(3, 4), range(1, 3)),
    ("at_risk", range(1, 3), range(3, 6)),
    ("hibernating", range(1, 3), range(1, 3)),
)
"""Group, recency scores, frequency scores; the first that fits counts."""


def _groups_in_words() -> str:
    told = (f"{name} R {r[0]}-{r[-1]} F {f[0]}-{f[-1]}" for name, r, f in RFM_GROUPS)
    return f"{', '.join(told)}; the first that fits"


def _number(name: str, definition: str, unit: str, value: nw.Expr, undefined: str = NO_PURCHASE) -> Trait:
    return Trait(name, definition, unit, value, (SOURCE,), undefined=undefined, dtype=pl.Float64)


def _score(name: str, definition: str) -> Trait:
    buyers = nw.max_horizontal(nw.col(f"{name}_buyers"), nw.lit(1))
    fifth = nw.col(f"{name}_place").cast(nw.Int64()) * 5 // buyers + 1
    return Trait(
        f"{name}_score",
        f"{definition}: fifth among that day's buyers, 5 the best; ties broken by customer_key",
        "1 to 5",
        nw.when(nw.col("buyer")).then(fifth),
        (SOURCE,),
        undefined=NO_PURCHASE,
    )


ORDERS = each_window(
    WINDOWS,
    count("orders", "orders with a purchase", "orders", nw.col("orders"), source=SOURCE),
)
SPEND = tuple(
    replace(trait, nothing=None, undefined=MIXED)
    for trait in each_window(
        WINDOWS,
        count(
            "spend_minor",
            "money spent, less refunds and returns (can be negative)",
            "minor units",
            nw.col("net_minor"),
            source=SOURCE,
        ),
    )
)
MEASURES = (
    _number(
        "average_order_minor",
        f"net spend per order with a purchase, {LIFETIME}",
        "minor units",
        ratio(nw.col("spend_minor_lifetime"), nw.col("orders_lifetime")),
        undefined=f"{NO_PURCHASE}, or {MIXED}",
    ),
    _number(
        "items_per_order",
        f"pieces per order with a purchase, {LIFETIME}",
        "pieces",
        ratio(nw.col("pieces"), nw.col("orders_lifetime")),
    ),
    replace(
        _number(
            "days_since_last_order",
            "days since the newest order with a purchase",
            "days",
            nw.col("newest_days_ago"),
        ),
        dtype=pl.Int64,
    ),
    _number(
        "mean_days_between_orders",
        "(last - first day with a purchase) / (number of such days - 1)",
        "days",
        nw.col("mean_gap"),
        undefined="purchases on fewer than two days",
    ),
    _number(
        "overdue_ratio",
        "days_since_last_order / mean_days_between_orders: above 1 the customer is late",
        "ratio",
        nw.col("newest_days_ago") / nw.col("mean_gap"),
        undefined="purchases on fewer than two days",
    ),
    share(
        "discount_share",
        f"discount / (discount + price paid) of purchased lines with a known discount, {LIFETIME}",
        ratio(nw.col("discount_minor"), nw.col("discount_minor") + nw.col("discounted_minor")),
        source=SOURCE,
        undefined=f"{NO_PURCHASE} with a known discount, or {MIXED}",
    ),
    share(
        "refund_rate",
        f"money given back / money sold for, {LIFETIME}; above 1 only if older goods came back",
        ratio(nw.col("given_back_minor"), nw.col("sold_minor")),
        source=SOURCE,
        undefined=f"nothing sold yet, or {MIXED}",
    ),
    Trait(
        "distinct_categories",
        f"different categories bought, {LIFETIME}",
        "categories",
        nw.when(nw.col("orders_lifetime") > 0).then(nw.col("categories")).otherwise(0),
        (SOURCE,),
        undefined="the categories of all purchases are unknown",
    ),
    category(
        "top_category",
        f"category with most purchased lines, first by name among equals, {LIFETIME}",
        nw.col("top_category"),
        source=SOURCE,
        undefined="no purchase with a known category",
    ),
    share(
        "top_category_share",
        f"share of purchased lines with a known category that are of top_category, {LIFETIME}",
        ratio(nw.col("top_lines"), nw.col("category_lines")),
        source=SOURCE,
        undefined="no purchase with a known category",
    ),
    _number(
        "category_entropy",
        f"Shannon entropy of the categories of purchased lines, {LIFETIME}; six decimals",
        "nats",
        nw.col("category_entropy"),
        undefined="no purchase with a known category",
    ),
    replace(
        category(
            "currency",
            "currency of all the customer's orders",
            nw.when(~nw.col("mixed")).then(nw.col("currency")),
            source=SOURCE,
            undefined=f"no order, or {MIXED}",
        ),
        model_input=False,
    ),
    Trait(
        "frequency_rank",
        "dense rank by orders_lifetime among that day's buyers: 1 is the most, equals share a rank",
        "rank",
        nw.when(nw.col("buyer")).then(nw.col("orders_lifetime")).rank("dense", descending=True),
        (SOURCE,),
        undefined=NO_PURCHASE,
        model_input=False,
    ),
)
SCORES = (
    _score("recency", "days_since_last_order"),
    _score("frequency", "orders_lifetime"),
    replace(
        _score("monetary", "spend_minor_lifetime"),
        value=nw.when(~nw.col("mixed")).then(_score("monetary", "").value),
        undefined=f"{NO_PURCHASE}, or {MIXED}",
    ),
)
GROUP = category(
    "rfm_group",
    "name of the recency (R) and frequency (F) scores: " + _groups_in_words(),
    first_case(
        (
            one_of(nw.col("recency_score"), recency) & one_of(nw.col("frequency_score"), frequency),
            name,
        )
        for name, recency, frequency in RFM_GROUPS
    ),
    source=SOURCE,
    undefined=NO_PURCHASE,
)
TRAITS = (*ORDERS, *SPEND, *MEASURES, *SCORES, GROUP)


def consumption(tables: Tables, as_of: AsOf) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population."""
    lines = order_lines(tables["orders"], as_of)
    rows = beside(population(tables, as_of), _money(lines), _categories(lines))
    rows = derived(_completed(rows), MEASURES)
    rows = derived(derived(_placed(rows), SCORES), (GROUP,))
    return observed(rows, TRAITS, as_of)


def _money(lines: Frame) -> Frame:
    """Lines to orders, orders to days, days to customers."""
    bought, discounted = nw.col("is_purchase"), ~nw.col("discount_minor").is_null()
    sums = ("pieces", "net_minor", "sold_minor", "given_back_minor", "discount_minor", "discounted_minor")
    orders = (
        lines.with_columns(discounted_minor=nw.when(discounted).then(nw.col("sold_minor")))
        .group_by("customer_key", "order_id", "days_ago")
        .agg(
            *(total(nw.col(name)).alias(name) for name in sums),
            orders=bought.max(),
            currency=nw.col("currency").min(),
            last_currency=nw.col("currency").max(),
        )
    )
    days = orders.group_by("customer_key", "days_ago").agg(
        *(total(nw.col(name)).alias(name) for name in (*sums, "orders")),
        nw.col("currency").min(),
        nw.col("last_currency").max(),
    )
    bought_that_day = nw.when(nw.col("orders") > 0)
    return days.group_by("customer_key").agg(
        *(total(trait.value).alias(trait.name) for trait in (*ORDERS, *SPEND)),
        *(total(nw.col(name)).alias(name) for name in sums if name != "net_minor"),
        nw.col("currency").min(),
        nw.col("last_currency").max(),
        newest_days_ago=bought_that_day.then(nw.col("days_ago")).min(),
        oldest_days_ago=bought_that_day.then(nw.col("days_ago")).max(),
        days_with_orders=total(nw.col("orders") > 0),
    )


def _categories(lines: Frame) -> Frame:
    """The spread of a customer's purchased lines over categories.

    Entropy H = ln N - (sum of n ln n) / N for n of N lines in each category (Shannon 1948). The sum
    runs over whole millionths, so that it repeats exactly.
    """
    named = lines.filter(nw.col("is_purchase"), ~nw.col("category").is_null())
    counts = named.group_by("customer_key", "category").agg(lines=nw.len().cast(nw.Int64()))
    number = nw.col("lines").cast(nw.Float64())
    spread = (
        counts.with_columns(fewer=-nw.col("lines"), weighted=(number * number.log() * 1e6).round(0))
        .group_by("customer_key")
        .agg(
            top_category=nw.col("category").first(order_by=["fewer", "category"]),
            top_lines=nw.col("lines").max(),
            categories=nw.len().cast(nw.Int64()),
            category_lines=total(nw.col("lines")),
            weighted=total(nw.col("weighted")),
        )
    )
    every = nw.col("category_lines").cast(nw.Float64())
    entropy = (every.log() - nw.col("weighted") / 1e6 / every).round(6)
    return spread.with_columns(
        category_entropy=nw.when(nw.col("categories") > 1).then(entropy).otherwise(0.0)
    )


def _completed(rows: Frame) -> Frame:
    """Rows of the whole population: no orders are 0 orders, and mixed currencies or none are no money."""
    money = (*(trait.name for trait in SPEND), "sold_minor", "discount_minor")
    differ, none = nw.col("currency") != nw.col("last_currency"), nw.col("currency") == NO_CURRENCY
    rows = rows.with_columns(
        mixed=(differ | none).fill_null(False),
        mean_gap=ratio(nw.col("oldest_days_ago") - nw.col("newest_days_ago"), nw.col("days_with_orders") - 1),
        orders_lifetime=nw.col("orders_lifetime").fill_null(0),
    )
    return rows.with_columns(
        nw.when(~nw.col("mixed")).then(nw.col(name).fill_null(0)).alias(name) for name in money
    ).with_columns(buyer=nw.col("orders_lifetime") > 0)


def _placed(rows: Frame) -> Frame:
    """Each buyer's place, from 0, from the worst to the best; others stand behind all buyers.

    Whose money is unknown has no place by it: they would else be those who spent least.
    """
    buyer = nw.col("buyer")
    rows = rows.with_columns(
        recency=-nw.col("newest_days_ago").fill_null(0),
        frequency=nw.col("orders_lifetime"),
        monetary=nw.col("spend_minor_lifetime").fill_null(0),
    )
    for measure, placed in (("recency", buyer), ("frequency", buyer), ("monetary", buyer & ~nw.col("mixed"))):
        rows = rows.with_columns(total(placed).alias(f"{measure}_buyers"), other=~placed)
        rows = rows.with_row_index(f"{measure}_place", order_by=["other", measure, "customer_key"])
    return rows
