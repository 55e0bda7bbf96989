"""Assets of segments: the fitted segmentation, and everybody's segment."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.features.assets import as_of_days
from customer_profiles.features.training import training_rows
from customer_profiles.orchestration.metadata import about_table, picture, row_count, table
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform
from customer_profiles.projection.plots import component_scatter
from customer_profiles.projection.service import load_projection
from customer_profiles.projection.tables import components_table
from customer_profiles.segments import plots
from customer_profiles.segments.differences import migration, what_sets_apart
from customer_profiles.segments.segmentation import Segmentation
from customer_profiles.segments.service import (
    fit_segmentation,
    load_segmentation,
    segment_day,
    usable_segmentation,
)
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.warehouse import Session
from customer_profiles.warehouse.artefacts import Fitted


@dg.asset(
    key=["models", "segmentation"],
    deps=[dg.AssetKey(["features", "customer_features"])],
    group_name="models",
    description=(
        "KMeans on standardised habits of the training snapshots' customers, with plain names made by rule "
        "from what sets each segment apart. A new fit tells who moved since the last one."
    ),
    kinds={"scikitlearn"},
    pool="warehouse",
)
def segmentation(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Fit the segments on the newest training snapshot, or say why there are none yet."""
    settings = platform.settings
    with platform.warehouse() as warehouse:
        training = training_rows(warehouse, settings.label, newest=True)
    if isinstance(training, str):
        context.add_output_metadata({"says": training})
        return
    before, unusable = usable_segmentation(settings.models)
    fitted = fit_segmentation(settings.models, training, settings.segments)
    if isinstance(fitted, str):
        context.add_output_metadata({"says": fitted})
        return
    parted = fitted.model
    context.add_output_metadata(
        {
            "version": fitted.version,
            "customers": training.rows.height,
            "snapshot": ", ".join(training.data),
            "segments": table(what_sets_apart(parted)),
            "sizes": picture(plots.segment_sizes_plot(parted)),
            "differences": picture(plots.segment_heat_map(parted)),
            **({"migration": unusable} if unusable else _migration(before, fitted, training.rows)),
        }
    )


def _migration(
    before: Fitted[Segmentation] | None, fitted: Fitted[Segmentation], customers: pl.DataFrame
) -> dict[str, Any]:
    """Who is in another segment since the last fit, unless it is the same or of traits that are gone."""
    if before is None or before.version == fitted.version:
        return {}
    if gone := set(before.model.columns_) - set(customers.columns):
        return {"migration": f"the last segments rest on traits that are gone: {', '.join(sorted(gone))}"}
    return {"migration": table(migration(before.model, fitted.model, customers))}


@dg.asset(
    key=["profiles", "segments"],
    deps=[
        dg.AssetKey(["features", "customer_features"]),
        dg.AssetKey(["features", "principal_components"]),
        segmentation,
    ],
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
    fitted = load_segmentation(platform.settings.models)
    with platform.warehouse() as warehouse:
        days = as_of_days(context, platform, warehouse)

        def assign(day: date) -> dict[str, Any]:
            absent = fitted.absent_on(day) if fitted else "no segments were fitted yet"
            if fitted is None or absent:
                return {**row_count(0), "says": absent}
            rows = segment_day(warehouse, fitted, day)
            return {**row_count(rows), **(_scatter(platform, warehouse, day) if day == days[-1] else {})}

        store_days(context, platform, assign, days)


def _scatter(platform: Platform, warehouse: Session, day: date) -> dict[str, Any]:
    """The day's customers along the first two principal components, coloured by segment."""
    projection = load_projection(platform.settings.models)
    if projection is None or projection.absent_on(day):
        return {}
    components = warehouse.frame(components_table(projection.model.names), day, day)
    return {"components": picture(component_scatter(components, warehouse.frame(SEGMENTS, day, day)))}


ASSETS = [segmentation, segments]
