"""Assets of features: a table per family, the wide row, and its summary."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.collection.ledger import delivered
from customer_profiles.contracts import CONTRACTS
from customer_profiles.features import plots
from customer_profiles.features.as_of import AsOf
from customer_profiles.features.catalogue import FAMILY_TRAITS
from customer_profiles.features.compute import (
    compute_customer_features,
    compute_family,
    compute_identities,
    compute_summary,
)
from customer_profiles.features.population import TOLD_BY
from customer_profiles.features.snapshots import days_to_compute
from customer_profiles.features.tables import CUSTOMER_FEATURES, FAMILIES, IDENTITIES, SUMMARY
from customer_profiles.orchestration.metadata import about_table, picture, row_count
from customer_profiles.orchestration.partitions import (
    ALL_DAYS_IN_ONE_RUN,
    DAILY,
    days_of,
    store_as_of_days,
    store_days,
)
from customer_profiles.orchestration.platform import Platform
from customer_profiles.warehouse import Session


def as_of_days(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, platform: Platform, warehouse: Session
) -> list[date]:
    """The days of a run whose profiles are computed."""
    return computed_days(days_of(context), platform, warehouse)


def computed_days(days: list[date], platform: Platform, warehouse: Session) -> list[date]:
    """The days whose profiles a run over ``days`` computes: all of a short run, few of a long history."""
    settings, known = platform.settings, delivered(warehouse)
    first = min((min(each) for each in known.values() if each), default=days[0])
    return days_to_compute(days, first, settings.label, settings.features.recent_days)


@dg.asset(
    key=["features", "identities"],
    deps=[dg.AssetKey(["cleaned", table]) for table in ("identity_links", "customers", "orders")],
    description=(
        "Who is whom on an as-of day: each identity link that holds, the key under which its customer's "
        "profile stands, and from when to when its identifier's anonymous events are that customer's."
    ),
    kinds={"duckdb", "polars"},
    metadata=about_table(IDENTITIES),
    group_name="features",
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def identities(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Links in force, and what they come to."""
    with platform.warehouse() as warehouse:

        def find(day: date) -> dict[str, Any]:
            as_of = AsOf(day, delivered(warehouse, day))
            found = compute_identities(warehouse, as_of, platform.settings.identity)
            merged = found.filter(pl.col("member_key") != pl.col("customer_key"))
            return {**row_count(found.height), "merged_customer_ids": merged["member_key"].n_unique()}

        store_days(context, platform, find, as_of_days(context, platform, warehouse))


def family_asset(family: str) -> dg.AssetsDefinition:
    """``features/<family>``: one row per customer and as-of day."""
    traits = FAMILY_TRAITS[family]
    sources = sorted({table for trait in traits for table in (*trait.sources, *trait.beside)} | TOLD_BY)

    @dg.asset(
        key=["features", family],
        deps=[
            dg.AssetKey(["features", "identities"]),
            *(dg.AssetKey(["cleaned", table]) for table in CONTRACTS if table in sources),
        ],
        description=f"{len(traits)} traits of the {family} family, one row per customer and as-of day.",
        kinds={"duckdb", "narwhals"},
        metadata=about_table(FAMILIES[family]),
        group_name="features",
        partitions_def=DAILY,
        backfill_policy=ALL_DAYS_IN_ONE_RUN,
        pool="warehouse",
    )
    def features(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        def compute(warehouse: Session, day: date) -> dict[str, Any]:
            as_of = AsOf(day, delivered(warehouse, day))
            rows = compute_family(warehouse, family, as_of, platform.settings)
            unknown = [trait.name for trait in traits if not trait.observable(as_of)]
            return {**row_count(rows), "unobservable_traits": ", ".join(unknown) or "none"}

        with platform.warehouse() as warehouse:
            days = as_of_days(context, platform, warehouse)
        store_as_of_days(context, platform, compute, days)

    return features


@dg.asset(
    key=["features", "customer_features"],
    deps=[dg.AssetKey(["features", family]) for family in FAMILY_TRAITS],
    description="The families side by side: one wide row per customer and as-of day, with its hash.",
    kinds={"duckdb", "narwhals"},
    metadata=about_table(CUSTOMER_FEATURES),
    group_name="features",
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def customer_features(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Wide rows."""
    with platform.warehouse() as warehouse:
        days = as_of_days(context, platform, warehouse)
    store_as_of_days(
        context, platform, lambda session, day: row_count(compute_customer_features(session, day)), days
    )


@dg.asset(
    key=["features", "summary"],
    deps=[customer_features],
    description="What the traits look like: description, missing shares, correlations. Newest day of a run.",
    kinds={"polars"},
    metadata=about_table(SUMMARY),
    group_name="features",
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def summary(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Describe the newest day."""
    with platform.warehouse() as warehouse:

        def describe(day: date) -> dict[str, Any]:
            frame = compute_summary(warehouse, day)
            if frame.is_empty():
                return {**row_count(0), "says": "no customer is known by this day"}
            return {
                **row_count(frame.height),
                "correlations": picture(plots.correlation_heat_map(frame)),
                "missing": picture(plots.missing_shares(frame)),
            }

        store_days(context, platform, describe, days_of(context)[-1:])


ASSETS = [identities, *(family_asset(family) for family in FAMILY_TRAITS), customer_features, summary]
