"""Checks of collection: what is expected every day has come, and what came could be read."""

from collections.abc import Mapping
from datetime import date

from customer_profiles.collection.ledger import delivered, refusals
from customer_profiles.contracts import CONTRACTS
from customer_profiles.orchestration.checks import day_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.freshness import expected_were_delivered

EVERY_DELIVERY_WAS_READ = "every_delivery_was_read"


def _delivered_days(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    with platform.warehouse() as warehouse:
        there = delivered(warehouse, days[-1])
    expected = list(platform.settings.freshness.delivered_by)
    return {day: expected_were_delivered(day, expected, there) for day in days}


def _refused_deliveries(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    """Per day, the files that were refused: zero rows of them came in."""
    with platform.warehouse() as warehouse:
        refused = refusals(warehouse, days[0], days[-1])
    reasons = {day: refused.filter(delivery_day=day)["reason"].to_list() for day in days}
    return {
        day: Finding(
            passed=not found,
            value=len(found),
            threshold=0,
            says="; ".join(found) or "every file that lay there was read",
            details=[{"refused": reason} for reason in found],
        )
        for day, found in reasons.items()
    }


CHECKS = [
    day_check(
        ["raw", "orders"],
        "expected_tables_were_delivered",
        "every table that is expected daily (freshness.delivered_by) has a delivery of the day",
        _delivered_days,
        after=[["raw", table] for table in CONTRACTS if table != "orders"],
    ),
    day_check(
        ["raw", "deliveries"],
        EVERY_DELIVERY_WAS_READ,
        "no file was refused; else the run fails at its end, with the other files and days stored",
        _refused_deliveries,
        blocking=True,
    ),
]
