"""Checks of features: the contract and the expectations hold, and the future changes nothing."""

from collections.abc import Mapping
from datetime import date

from customer_profiles.collection.loading import delivered
from customer_profiles.features.as_of import AsOf
from customer_profiles.features.catalogue import TRAITS
from customer_profiles.features.compute import rows_with_a_planted_future
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.checks import contract_check, day_check, suite_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.suites import features_suite

YOUNGEST = 0
"""The door keeps the minimum age, by the full birth date; a suite that is fixed at import cannot."""


def the_future_changes_nothing(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    """Plant facts after the newest computed day and compare its rows with those that are stored."""
    with platform.warehouse() as warehouse:
        stored_days = [day for day in warehouse.days(CUSTOMER_FEATURES) if day in days]
        if not stored_days:
            return {}
        day = stored_days[-1]
        as_of = AsOf(day, delivered(warehouse))
        planted = rows_with_a_planted_future(warehouse, as_of, platform.settings.label)
        stored = warehouse.frame(CUSTOMER_FEATURES, day, day)
    same = planted.select(stored.columns).hash_rows().to_list() == stored.hash_rows().to_list()
    changed = [name for name in stored.columns if not planted[name].equals(stored[name])] if not same else []
    says = f"facts after {day} change no profile of {stored.height:,}"
    if not same:
        says = f"facts after {day} change its profiles: {', '.join(changed) or 'other customers'}"
    return {day: Finding(same, len(changed), 0, says, details=[{"trait": name} for name in changed])}


CHECKS = [
    contract_check(CUSTOMER_FEATURES, ("customer_key",)),
    suite_check(
        CUSTOMER_FEATURES,
        features_suite([(trait.name, trait.unit) for trait in TRAITS.values()], minimum_age=YOUNGEST),
    ),
    day_check(
        ["features", "customer_features"],
        "the_future_changes_nothing",
        "facts planted after the newest day, never written, leave its profiles as they are",
        the_future_changes_nothing,
        blocking=True,
    ),
]
