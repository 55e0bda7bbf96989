"""When the customer is active: parts of the day and the week, in business time."""

from __future__ import annotations

import narwhals as nw

from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by
from customer_profiles.features.expressions import first_case, ratio
from customer_profiles.features.population import population
from customer_profiles.features.traits import Trait, beside, category, derived, observed, share, total

SOURCE = "events"
FEWEST = 3
"""Fewer observations say nothing about habits."""
DAYPARTS = {
    "night": range(0, 6),
    "morning": range(6, 12),
    "afternoon": range(12, 18),
    "evening": range(18, 24),
}
SATURDAY = 6
LIFETIME = "in all events delivered by the day"

_timed, _seen = nw.col("timed_events"), nw.col("events")
_most = nw.max_horizontal(*(nw.col(f"{part}_events") for part in DAYPARTS))


def _part(part: str) -> Trait:
    hours = DAYPARTS[part]
    return share(
        f"{part}_share",
        f"share of events from {hours.start}:00 to {hours.stop}:00 local time, {LIFETIME}",
        nw.when(_timed >= FEWEST).then(ratio(nw.col(f"{part}_events"), _timed)),
        source=SOURCE,
        undefined=f"fewer than {FEWEST} events with an hour",
    )


TRAITS = (
    *(_part(part) for part in DAYPARTS),
    category(
        "preferred_daypart",
        f"part of the day with most events, the earlier among equals, {LIFETIME}",
        nw.when(_timed >= FEWEST).then(
            first_case((nw.col(f"{part}_events") == _most, part) for part in DAYPARTS)
        ),
        source=SOURCE,
        undefined=f"fewer than {FEWEST} events with an hour",
    ),
    share(
        "weekend_share",
        f"share of events on Saturday and Sunday, {LIFETIME}",
        nw.when(_seen >= FEWEST).then(ratio(nw.col("weekend_events"), _seen)),
        source=SOURCE,
        undefined=f"fewer than {FEWEST} events",
    ),
)


def times(tables: Tables, as_of: AsOf) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population."""
    events = known_by(tables["events"].filter(~nw.col("customer_key").is_null()), as_of, "event_day")
    hour = nw.col("event_hour")
    counts = events.group_by("customer_key").agg(
        *(
            total((hour >= hours.start) & (hour < hours.stop)).alias(f"{part}_events")
            for part, hours in DAYPARTS.items()
        ),
        timed_events=total(~hour.is_null()),
        weekend_events=total(nw.col("event_weekday") >= SATURDAY),
        events=nw.len().cast(nw.Int64()),
    )
    return observed(derived(beside(population(tables, as_of), counts), TRAITS), TRAITS, as_of)
