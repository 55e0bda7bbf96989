"""Checks of collection: what is expected every day has come."""

from collections.abc import Mapping
from datetime import date

from customer_profiles.collection.loading import delivered
from customer_profiles.contracts import CONTRACTS
from customer_profiles.orchestration.checks import day_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.freshness import expected_were_delivered


def _delivered_days(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    with platform.warehouse() as warehouse:
        there = delivered(warehouse, days[-1])
    expected = list(platform.settings.freshness.delivered_by)
    return {day: expected_were_delivered(day, expected, there) for day in days}


CHECKS = [
    day_check(
        ["raw", "orders"],
        "expected_tables_were_delivered",
        "every table that is expected daily (freshness.delivered_by) has a delivery of the day",
        _delivered_days,
        after=[["raw", table] for table in CONTRACTS if table != "orders"],
    )
]
