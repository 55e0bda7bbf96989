"""Daily partitions by arrival day, and assets that work through them day by day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg

from customer_profiles.collection.reading import DeliveryError
from customer_profiles.orchestration.platform import Platform
from customer_profiles.warehouse import WarehouseError

DAILY = dg.DailyPartitionsDefinition(start_date="2026-01-01", timezone="Asia/Shanghai")
"""Stands in the assets until ``build`` puts the settings' first day and zone in its place."""
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
REBUILD_TAG = "customer_profiles/rebuild"
RUN_AGAIN = "days to run again"
"""Metadata of a day that changed after later days were run: these days, with commas between."""
ALL_DAYS_IN_ONE_RUN = dg.BackfillPolicy.single_run()
PASSED_OVER = "not computed: a long run computes training snapshots and its newest days; run this day alone"

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext
DayMetadata = Mapping[str, Any]


def days_of(context: Context) -> list[date]:
    """The days of a run, ascending: its partitions, or those of the range that it is a part of."""
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
) -> None:
    """Store day by day and report each day's metadata. ``days`` are those of the run by default.

    Dagster marks every day of the run as materialized: those that are not among ``days`` say that
    nothing was computed for them.

    A bad day never stops the others: the good days are stored and recorded, then the step fails and
    names the bad ones.
    """
    every = days_of(context) if days is None else days
    name = "/".join(context.asset_key.path)
    good: dict[date, DayMetadata] = {}
    bad: dict[date, str] = {}
    for done, day in enumerate(every):
        platform.progress(name, done, len(every))
        try:
            good[day] = store(day)
        except (DeliveryError, WarehouseError) as error:
            bad[day] = str(error)
    platform.progress(name, len(every), len(every))
    if bad:
        for day, metadata in good.items():
            context.log_event(
                dg.AssetMaterialization(context.asset_key, partition=str(day), metadata=metadata)
            )
        reasons = "\n".join(bad.values())
        raise dg.Failure(f"{name}: {len(bad)} of {len(every)} days failed\n{reasons}", allow_retries=False)
    passed_over = {day: {"says": PASSED_OVER} for day in days_of(context) if day not in good}
    for day, metadata in (good | passed_over).items():
        context.add_asset_metadata(metadata, partition_key=str(day))
