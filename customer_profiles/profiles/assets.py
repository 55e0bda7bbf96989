"""Asset of profiles: the wide serving table, and its publication."""

from datetime import date
from typing import Any

import dagster as dg

from customer_profiles.features.assets import as_of_days
from customer_profiles.features.catalogue import catalogue
from customer_profiles.orchestration.metadata import about_table, row_count
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform
from customer_profiles.profiles.assemble import assemble_day, merged_ids
from customer_profiles.profiles.drift import models_in_service, store_counts, store_what_models_know, world_of
from customer_profiles.profiles.publication import publish
from customer_profiles.profiles.reach import reach_of_day
from customer_profiles.profiles.tables import COUNTS, CUSTOMER_PROFILES, DRIFT
from customer_profiles.quality.measuring import measure_days


@dg.asset(
    key=["profiles", "drift"],
    deps=[
        dg.AssetKey(["features", "customer_features"]),
        dg.AssetKey(["features", "principal_components"]),
        dg.AssetKey(["profiles", "conversion_scores"]),
        dg.AssetKey(["profiles", "segments"]),
    ],
    group_name="profiles",
    description=(
        "How far each day's profiles, scores and segments lie from those of the days before and from those "
        "that the models learned from. Told from counts kept of every day."
    ),
    kinds={"duckdb", "numpy"},
    metadata=about_table(DRIFT),
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def drift(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Count the days, then measure each."""
    settings = platform.settings
    with platform.warehouse() as warehouse:
        days = as_of_days(context, platform, warehouse)
        models = models_in_service(warehouse, settings)
        store_what_models_know(warehouse, models, settings.label)
        store_counts(warehouse, days, models, settings.label)
        world = world_of(warehouse, models, settings.label)
        measured = dict(measure_days(warehouse, COUNTS, DRIFT, days, world, settings.drift))
        store_days(
            context,
            platform,
            lambda day: row_count(warehouse.write(DRIFT, {DRIFT.day: day}, measured[day])),
            days,
        )


@dg.asset(
    key=["profiles", "customer_profiles"],
    deps=[
        dg.AssetKey(["features", "customer_features"]),
        dg.AssetKey(["profiles", "conversion_scores"]),
        dg.AssetKey(["profiles", "segments"]),
        drift,
    ],
    group_name="profiles",
    description="One row per customer and as-of day: traits, score and segment. The newest day is published.",
    kinds={"duckdb", "parquet"},
    metadata=about_table(CUSTOMER_PROFILES),
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def customer_profiles(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Assemble each day; publish the newest day of all that are stored."""
    settings = platform.settings
    with platform.warehouse() as warehouse:

        def assemble(day: date) -> dict[str, Any]:
            metadata = row_count(assemble_day(warehouse, day, settings.label.train[0]))
            if says := reach_of_day(warehouse, day, settings.conversion.list_share):
                metadata["list"] = says
            if day == max(warehouse.days(CUSTOMER_PROFILES), default=None):
                tables = {
                    "customer_profiles": warehouse.frame(CUSTOMER_PROFILES, day, day),
                    "merged_ids": merged_ids(warehouse, day),
                    "traits": catalogue(),
                }
                published = publish(settings.published, day, tables)
                metadata["published"] = f"{settings.published / published['folder']}"
            return metadata

        store_days(context, platform, assemble, as_of_days(context, platform, warehouse))


ASSETS = [drift, customer_profiles]
