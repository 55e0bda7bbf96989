"""Assets of the projection: the fitted scaler and PCA, and everybody's principal components."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.features.assets import as_of_days
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import training_rows
from customer_profiles.orchestration.metadata import about_table, column_schema, picture, row_count
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform
from customer_profiles.projection import plots
from customer_profiles.projection.projection import principal_components as components_of
from customer_profiles.projection.service import fit_projection, load_projection
from customer_profiles.projection.tables import components_table


@dg.asset(
    key=["models", "projection"],
    deps=[dg.AssetKey(["features", "customer_features"])],
    group_name="models",
    description=(
        "StandardScaler and PCA of the profile's numbers, fitted on the training snapshots' customers; as "
        "many components as keep the asked share of the variance, with signs fixed."
    ),
    kinds={"scikitlearn"},
    pool="warehouse",
)
def projection(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Fit the projection, or say why there is none yet."""
    settings = platform.settings
    with platform.warehouse() as warehouse:
        training = training_rows(warehouse, settings.label)
    if isinstance(training, str):
        context.add_output_metadata({"says": training})
        return
    fitted = fit_projection(settings.models, training, settings.projection.variance)
    if isinstance(fitted, str):
        context.add_output_metadata({"says": fitted})
        return
    learnt = fitted.model
    context.add_output_metadata(
        {
            "version": fitted.version,
            "customers": training.rows.height,
            "snapshots": ", ".join(training.data),
            "components": len(learnt.components_),
            "explained_variance": picture(plots.explained_variance_plot(learnt)),
            "loadings": dg.MetadataValue.md("\n".join(f"- {line}" for line in learnt.loadings_in_words())),
            "left_out": ", ".join(learnt.dropped_) or "none",
        }
    )


@dg.asset(
    key=["features", "principal_components"],
    deps=[dg.AssetKey(["features", "customer_features"]), projection],
    description="Scores of every customer along the projection's axes, from its training day on.",
    kinds={"duckdb", "numpy"},
    metadata=about_table(components_table(["component_1", "component_2"])),
    group_name="features",
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def principal_components(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Project each day's customers."""
    fitted = load_projection(platform.settings.models)
    table = components_table(fitted.model.names if fitted else [])
    with platform.warehouse() as warehouse:

        def project(day: date) -> dict[str, Any]:
            absent = fitted.absent_on(day) if fitted else "no projection was fitted yet"
            if fitted is None or absent:
                return {**row_count(0), "says": absent}
            rows = warehouse.frame(CUSTOMER_FEATURES, day, day)
            components = components_of(fitted.model, rows).with_columns(
                pl.lit(day).alias("as_of"), pl.lit(fitted.version).alias("model_version")
            )
            written = warehouse.write(table, {"as_of": day}, components)
            return {**row_count(written), **column_schema(table.columns)}

        store_days(context, platform, project, as_of_days(context, platform, warehouse))


ASSETS = [projection, principal_components]
