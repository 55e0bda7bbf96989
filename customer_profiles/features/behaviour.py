"""What the customer does on web, app, mini program, in stores and on the phone."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw

from customer_profiles.contracts import CHANNELS
from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by
from customer_profiles.features.expressions import one_of, ratio
from customer_profiles.features.population import population
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
    totals,
)

SOURCE = "events"
WINDOWS = (7, 30, 90)
HABIT = 30
"""Days over which shares, rates and the trend look back."""


def _named(name: str, definition: str, event_name: str) -> Trait:
    return count(name, definition, "events", nw.col("event_name") == event_name, source=SOURCE)


EVENTS = each_window(
    WINDOWS,
    _named("page_views", "pages seen", "page_view"),
    _named("product_views", "products looked at", "product_view"),
    _named("searches", "searches", "search"),
    _named("cart_adds", "additions to the cart", "add_to_cart"),
    _named("checkout_starts", "checkouts begun", "checkout_start"),
)
SESSIONS = each_window(
    WINDOWS,
    count(
        "sessions",
        "visits; events without a session id are one visit a day",
        "sessions",
        nw.lit(1),
        source=SOURCE,
    ),
)
DAYS = each_window(WINDOWS, count("active_days", "days with an event", "days", nw.lit(1), source=SOURCE))
PRODUCTS = each_window(
    WINDOWS,
    count("distinct_products_viewed", "different products looked at", "products", nw.lit(1), source=SOURCE),
)
CHANNEL_SHARES = tuple(
    share(
        f"channel_share_{channel}",
        f"share of the customer's events on {channel}, last {HABIT} days",
        ratio(nw.col(f"events_{channel}"), nw.col("events")),
        source=SOURCE,
        window=HABIT,
        undefined="no event in the window",
    )
    for channel in CHANNELS
)
LAST = {
    "visit": ("event", nw.lit(True)),
    "cart": ("addition to the cart", nw.col("event_name") == "add_to_cart"),
    "search": ("search", nw.col("event_name") == "search"),
}
"""What one may have done last: the event in words, and which events it is."""
SINCE = tuple(
    Trait(
        f"days_since_last_{what}",
        f"days since the newest {event} in all that was delivered by the day",
        "days",
        nw.col(f"days_since_last_{what}"),
        (SOURCE,),
        undefined=f"no {event} yet",
    )
    for what, (event, _) in LAST.items()
)
HABITS = (
    share(
        "cart_abandonment_rate",
        f"share of the sessions with a cart addition in which no checkout began, last {HABIT} days",
        ratio(nw.col("carts_abandoned"), nw.col("carts")),
        source=SOURCE,
        window=HABIT,
        undefined="nothing put into a cart in the window",
    ),
    *SINCE,
    *CHANNEL_SHARES,
    replace(
        share(
            "views_trend",
            f"(page and product views in the newer half - in the older half) / both, last {HABIT} days",
            ratio(
                nw.col("views_newer") - nw.col("views_older"), nw.col("views_newer") + nw.col("views_older")
            ),
            source=SOURCE,
            window=HABIT,
            undefined="no view in the window",
        ),
        unit="-1 to 1",
    ),
    category(
        "top_searched_category",
        f"category searched most, first by name among equals, last {HABIT} days",
        nw.col("top_searched_category"),
        source=SOURCE,
        window=HABIT,
        undefined="no search with a category in the window",
    ),
)
TRAITS = (*SESSIONS, *DAYS, *EVENTS, *PRODUCTS, *HABITS)


def behaviour(tables: Tables, as_of: AsOf) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population."""
    named = tables["events"].filter(~nw.col("customer_key").is_null())
    events = known_by(named, as_of, "event_day", last=max(WINDOWS))
    rows = beside(
        population(tables, as_of),
        _last(known_by(named, as_of, "event_day")),
        _events(events),
        _sessions(events),
        totals(_newest_each(events, "event_day"), DAYS),
        totals(_newest_each(events.filter(nw.col("event_name") == "product_view"), "product_id"), PRODUCTS),
        _searched(events),
    )
    return observed(derived(rows, HABITS), TRAITS, as_of)


def _last(events: Frame) -> Frame:
    """How many days ago each customer did last what ``LAST`` names."""
    return events.group_by("customer_key").agg(
        *(
            nw.when(is_it).then(nw.col("days_ago")).min().alias(f"days_since_last_{what}")
            for what, (_, is_it) in LAST.items()
        )
    )


def _events(events: Frame) -> Frame:
    """Counts of events by name, by channel and by half of the habit window."""
    recent, newer = nw.col("days_ago") < HABIT, nw.col("days_ago") < HABIT // 2
    view = one_of(nw.col("event_name"), ("page_view", "product_view"))
    return events.group_by("customer_key").agg(
        *(total(trait.value).alias(trait.name) for trait in EVENTS),
        *(total(recent & (nw.col("channel") == name)).alias(f"events_{name}") for name in CHANNELS),
        events=total(recent),
        views_newer=total(view & newer),
        views_older=total(view & recent & ~newer),
    )


def _sessions(events: Frame) -> Frame:
    """Sessions per window, and carts per session."""
    unnamed = nw.when(nw.col("session_id").is_null()).then(nw.col("event_day"))
    recent = nw.col("days_ago") < HABIT
    sessions = (
        events.with_columns(unnamed_visit=unnamed)
        .group_by("customer_key", "session_id", "unnamed_visit")
        .agg(
            nw.col("days_ago").min(),
            cart=(recent & (nw.col("event_name") == "add_to_cart")).max(),
            checkout=(recent & (nw.col("event_name") == "checkout_start")).max(),
        )
    )
    return sessions.group_by("customer_key").agg(
        *(total(trait.value).alias(trait.name) for trait in SESSIONS),
        carts=total(nw.col("cart")),
        carts_abandoned=total(nw.col("cart") & ~nw.col("checkout")),
    )


def _newest_each(events: Frame, value: str) -> Frame:
    """One row per customer and value, as old as its newest event: its count is a distinct count."""
    named = events.filter(~nw.col(value).is_null())
    return named.group_by("customer_key", value).agg(nw.col("days_ago").min())


def _searched(events: Frame) -> Frame:
    found = (nw.col("event_name") == "search") & ~nw.col("category").is_null() & (nw.col("days_ago") < HABIT)
    counts = events.filter(found).group_by("customer_key", "category").agg(fewer=-nw.len().cast(nw.Int64()))
    return counts.group_by("customer_key").agg(
        top_searched_category=nw.col("category").first(order_by=["fewer", "category"])
    )
