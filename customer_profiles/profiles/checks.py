"""Checks of the serving table: the contract holds, and nobody is missing."""

from collections.abc import Mapping
from datetime import date

import dagster as dg

from customer_profiles.features.assets import computed_days
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.checks import contract_check, day_check, drift_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.profiles.drift import (
    COMPONENTS,
    LABELS,
    OF_OTHER_LABELS,
    PARTED,
    POPULATION,
    SCORED,
    TRAITS_OF,
    models_in_service,
    world_of,
)
from customer_profiles.profiles.tables import COUNTS, CUSTOMER_PROFILES, DRIFT
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.references import World
from customer_profiles.warehouse import Session


def complete(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    """Of the days that the run computes, and of others that have profiles.

    A day of an earlier run that was held back has features and no profiles, as it should.
    """
    with platform.warehouse() as warehouse:
        known, served = warehouse.row_counts(CUSTOMER_FEATURES), warehouse.row_counts(CUSTOMER_PROFILES)
        expected = {*computed_days(days, platform, warehouse), *served}
    return {
        day: Finding(
            passed=served.get(day, 0) == customers,
            value=served.get(day, 0),
            threshold=customers,
            says=f"{served.get(day, 0):,} profiles of {customers:,} customers",
        )
        for day, customers in known.items()
        if day in days and day in expected
    }


def _world(platform: Platform, warehouse: Session) -> World:
    return world_of(warehouse, models_in_service(warehouse, platform.settings), platform.settings.label)


def steady(
    asset: list[str], name: str, description: str, tables: list[str], *, blocking: bool = False
) -> dg.AssetChecksDefinition:
    """Nothing of ``tables``, as ``profiles/drift`` names them, has drifted."""
    return drift_check(asset, name, description, COUNTS, DRIFT, _world, tables, blocking=blocking)


CHECKS = [
    steady(
        ["profiles", "drift"],
        "model_still_knows_its_world",
        "the customers and the model's inputs are like those that it learned from and those of the days "
        "before; an error holds the new day back, and the profiles and scores published before stay",
        [POPULATION, TRAITS_OF],
        blocking=True,
    ),
    steady(
        ["profiles", "drift"],
        "base_rate_is_steady",
        "the share of customers who bought in the label window that matured today",
        [LABELS],
    ),
    steady(
        ["profiles", "conversion_scores"],
        "scores_keep_their_distribution",
        "today's scores beside those of the days before and of the day on which the model was judged",
        [SCORED, *OF_OTHER_LABELS.values()],
    ),
    steady(
        ["features", "principal_components"],
        "components_still_describe_the_customers",
        "the distance of customers from what their principal components tell of them",
        [COMPONENTS],
    ),
    steady(
        ["profiles", "segments"],
        "segment_shares_are_steady",
        "shares of the segments, customers who moved between them, and how sure their place is",
        [PARTED],
    ),
    contract_check(CUSTOMER_PROFILES, ("customer_key",)),
    day_check(
        ["profiles", "customer_profiles"],
        "every_customer_has_a_profile",
        "as many profiles as customers with features",
        complete,
        blocking=True,
    ),
]
