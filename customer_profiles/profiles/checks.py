"""Checks of the serving table: the contract holds, and nobody is missing."""

from collections.abc import Mapping
from datetime import date

from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.checks import contract_check, day_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.profiles.tables import CUSTOMER_PROFILES
from customer_profiles.quality.finding import Finding


def _complete(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    with platform.warehouse() as warehouse:
        known, served = warehouse.row_counts(CUSTOMER_FEATURES), warehouse.row_counts(CUSTOMER_PROFILES)
    return {
        day: Finding(
            passed=served.get(day, 0) == customers,
            value=served.get(day, 0),
            threshold=customers,
            says=f"{served.get(day, 0):,} profiles of {customers:,} customers",
        )
        for day, customers in known.items()
        if day in days
    }


CHECKS = [
    contract_check(CUSTOMER_PROFILES, ("customer_key",)),
    day_check(
        ["profiles", "customer_profiles"],
        "every_customer_has_a_profile",
        "as many profiles as customers with features",
        _complete,
        blocking=True,
    ),
]
