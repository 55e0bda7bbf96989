"""Checks of the projection: the variance is reached, and components are finite."""

from collections.abc import Mapping
from datetime import date

from customer_profiles.orchestration.checks import day_check, model_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.projection.findings import components_are_finite, variance_is_reached
from customer_profiles.projection.service import load_projection
from customer_profiles.projection.tables import components_table
from customer_profiles.quality.finding import Finding


def _variance(platform: Platform) -> Finding | None:
    fitted = load_projection(platform.settings.models)
    return variance_is_reached(fitted.model) if fitted else None


def _finite(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    fitted = load_projection(platform.settings.models)
    if fitted is None:
        return {}
    table = components_table(fitted.model.names)
    with platform.warehouse() as warehouse:
        stored = [day for day in warehouse.days(table) if day in days]
        return {day: components_are_finite(warehouse.frame(table, day, day)) for day in stored}


CHECKS = [
    model_check(
        ["models", "projection"],
        "variance_is_reached",
        "the components keep the share of variance that was asked for",
        _variance,
    ),
    day_check(
        ["features", "principal_components"],
        "components_are_finite",
        "every component of every customer is a finite number",
        _finite,
        blocking=True,
    ),
]
