"""Daily partitions by arrival day, and assets that work through them day by day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, timedelta
from queue import SimpleQueue
from typing import Any

import dagster as dg

from customer_profiles.collection.reading import DeliveryError
from customer_profiles.orchestration.platform import Platform
from customer_profiles.warehouse import Session, WarehouseError

DAILY = dg.DailyPartitionsDefinition(start_date="2026-01-01", timezone="Asia/Shanghai")
"""Stands in the assets until ``build`` puts the settings' first day and zone in its place."""
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
REBUILD_TAG = "customer_profiles/rebuild"
FATE = "fate of the delivery"
"""Metadata of a day's raw rows: whether its own delivery was loaded, absent or refused."""
WHY_REFUSED = "refused"
"""Metadata of a day on which files could not be read, its own or late ones: why."""
RUN_AGAIN = "days to run again"
"""Metadata of a day that changed after later days were run: these days, with commas between."""
GONE = "gone from changed files"
"""Metadata of a day on which changed files were read: what they lost of the rows as loaded."""
ALL_DAYS_IN_ONE_RUN = dg.BackfillPolicy.single_run()
NO_DAY = "no day was chosen: start it anew with partitions, from Materialize"
PASSED_OVER = "not computed: a long run computes training snapshots and its newest days; run this day alone"

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext
DayMetadata = Mapping[str, Any]


def days_of(context: Context) -> list[date]:
    """The days of a run, ascending: its partitions, or those of the range that it is a part of.

    Raises ``Failure`` if it has none: Dagster starts a run of partitioned assets without a day, too.
    """
    if not (days := days_named(context)):
        raise dg.Failure(NO_DAY, allow_retries=False)
    return days


def days_named(context: Context) -> list[date]:
    """As ``days_of``; nothing if the run has no days."""
    op = context.op_execution_context
    if op.has_partition_key or op.has_partition_key_range:
        return sorted(date.fromisoformat(key) for key in op.partition_keys)
    first, last = op.run.tags.get(RANGE_START), op.run.tags.get(RANGE_END)
    if first is None or last is None:
        return []
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def is_rebuild(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was asked to rewrite days that were loaded before."""
    return context.run.tags.get(REBUILD_TAG) == "true"


def store_days(
    context: dg.AssetExecutionContext,
    platform: Platform,
    store: Callable[[date], DayMetadata],
    days: list[date] | None = None,
    *,
    at_once: int = 1,
) -> None:
    """Store day by day and report each day's metadata. ``days`` are those of the run by default.

    ``at_once``: how many days may be stored side by side, each in a thread of its own.

    Dagster marks every day of the run as materialized: those that are not among ``days`` say that
    nothing was computed for them.

    A bad day never stops the others: the good days are stored and recorded, then the step fails and
    names the bad ones.
    """
    of_run = days_of(context)
    every = of_run if days is None else days
    name = "/".join(context.asset_key.path)
    good: dict[date, DayMetadata] = {}
    bad: dict[date, str] = {}

    def attempt(day: date) -> None:
        try:
            good[day] = store(day)
        except (DeliveryError, WarehouseError) as error:
            bad[day] = str(error)

    platform.progress(name, 0, len(every))
    with ThreadPoolExecutor(at_once) as threads:
        apply = threads.map if at_once > 1 else map
        for days_now in (every[:1], every[1:]):  # the first one alone: it may have to create tables
            for _ in apply(attempt, days_now):
                platform.progress(name, len(good) + len(bad), len(every))
    if bad:
        for day, metadata in sorted(good.items()):
            context.log_event(
                dg.AssetMaterialization(context.asset_key, partition=str(day), metadata=metadata)
            )
        reasons = "\n".join(reason for _, reason in sorted(bad.items()))
        raise dg.Failure(f"{name}: {len(bad)} of {len(every)} days failed\n{reasons}", allow_retries=False)
    passed_over = {day: {"says": PASSED_OVER} for day in of_run if day not in good}
    for day, metadata in sorted((good | passed_over).items()):
        context.add_asset_metadata(metadata, partition_key=str(day))


def store_as_of_days(
    context: dg.AssetExecutionContext,
    platform: Platform,
    store: Callable[[Session, date], DayMetadata],
    days: list[date],
) -> None:
    """As ``store_days``, several days side by side, each in a session of its own: none needs another.

    Building a day's query keeps one thread of Python busy while the engine waits; so one day is built while
    another is computed. A large warehouse fills the engine's threads, and its memory, with one day.
    """
    with ExitStack() as opened:
        at_once = min(platform.days_at_once, len(days)) or 1
        sessions = SimpleQueue[Session]()
        for _ in range(at_once):
            sessions.put(opened.enter_context(platform.warehouse()))

        def in_a_session(day: date) -> DayMetadata:
            session = sessions.get()
            try:
                return store(session, day)
            finally:
                sessions.put(session)

        store_days(context, platform, in_a_session, days, at_once=at_once)
