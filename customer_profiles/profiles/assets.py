"""Asset of profiles: the wide serving table, and its publication."""

from datetime import date
from typing import Any

import dagster as dg

from customer_profiles.features.assets import as_of_days
from customer_profiles.orchestration.metadata import about_table, row_count
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform
from customer_profiles.profiles.assemble import assemble_day, merged_ids
from customer_profiles.profiles.publication import publish
from customer_profiles.profiles.tables import CUSTOMER_PROFILES


@dg.asset(
    key=["profiles", "customer_profiles"],
    deps=[
        dg.AssetKey(["features", "customer_features"]),
        dg.AssetKey(["profiles", "conversion_scores"]),
        dg.AssetKey(["profiles", "segments"]),
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
    with platform.warehouse() as warehouse:

        def assemble(day: date) -> dict[str, Any]:
            metadata = row_count(assemble_day(warehouse, day, platform.settings.label.train[0]))
            if day == max(warehouse.days(CUSTOMER_PROFILES), default=None):
                tables = {
                    "customer_profiles": warehouse.frame(CUSTOMER_PROFILES, day, day),
                    "merged_ids": merged_ids(warehouse, day),
                }
                published = publish(platform.settings.published, day, tables)
                metadata["published"] = f"{platform.settings.published / published['folder']}"
            return metadata

        store_days(context, platform, assemble, as_of_days(context, platform, warehouse))


ASSETS = [customer_profiles]
