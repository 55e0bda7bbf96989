"""Assets of segments: the fitted segmentation, and everybody's segment."""

from datetime import date
from typing import Any

import dagster as dg

from customer_profiles.collection.loading import delivered
from customer_profiles.features.assets import as_of_days
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import data_versions, training_customers, training_days
from customer_profiles.orchestration.metadata import about_table, picture, row_count, table
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform
from customer_profiles.segments import plots
from customer_profiles.segments.differences import what_sets_apart
from customer_profiles.segments.segmentation import FEWEST_CUSTOMERS
from customer_profiles.segments.service import fit_segmentation, load_segmentation, segment_day
from customer_profiles.segments.tables import SEGMENTS


@dg.asset(
    key=["models", "segmentation"],
    deps=[dg.AssetKey(["features", "customer_features"])],
    group_name="models",
    description=(
        "KMeans on standardised habits of the training snapshots' customers, with plain names made by rule "
        "from what sets each segment apart."
    ),
    kinds={"scikitlearn"},
    pool="warehouse",
)
def segmentation(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Fit the segments on the newest training snapshot, or say why there are none yet."""
    settings = platform.settings
    with platform.warehouse() as warehouse:
        days = training_days(warehouse.days(CUSTOMER_FEATURES), delivered(warehouse), settings.label)
        if isinstance(days, str):
            context.add_output_metadata({"says": days})
            return
        newest = days.train[-1:]
        rows = training_customers(warehouse, newest, settings.label.holdout_share)
        data = data_versions(warehouse, newest)
    if rows.height < FEWEST_CUSTOMERS:
        context.add_output_metadata(
            {"says": f"No segments: {rows.height} customers, {FEWEST_CUSTOMERS} needed."}
        )
        return
    fitted = fit_segmentation(settings.models, rows, data, settings.segments, days.known_through)
    context.add_output_metadata(
        {
            "version": fitted.version,
            "customers": rows.height,
            "snapshot": str(newest[0]),
            "segments": table(what_sets_apart(fitted.segmentation)),
            "sizes": picture(plots.segment_sizes_plot(fitted.segmentation)),
            "differences": picture(plots.segment_heat_map(fitted.segmentation)),
        }
    )


@dg.asset(
    key=["profiles", "segments"],
    deps=[dg.AssetKey(["features", "customer_features"]), segmentation],
    group_name="profiles",
    description="The segment of every customer, how sure it is, and the one of the day before.",
    kinds={"duckdb"},
    metadata=about_table(SEGMENTS),
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def segments(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Put each day's customers into segments."""
    serving = load_segmentation(platform.settings.models)
    with platform.warehouse() as warehouse:

        def assign(day: date) -> dict[str, Any]:
            if serving is None or day < serving.available_from:
                reason = f"fitted on {serving.available_from}" if serving else "not fitted yet"
                return {**row_count(0), "says": f"absent before the segmentation's training day: {reason}"}
            return row_count(segment_day(warehouse, serving, day))

        store_days(context, platform, assign, as_of_days(context, platform, warehouse))


ASSETS = [segmentation, segments]
