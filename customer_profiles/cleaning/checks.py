"""Checks of cleaning: fates add up, the contract holds, expectations are met, orphans are few."""

from collections.abc import Mapping
from datetime import date

import dagster as dg

from customer_profiles.cleaning.clean import row_fates
from customer_profiles.cleaning.drift import world_of
from customer_profiles.cleaning.fates import displaced
from customer_profiles.cleaning.orphans import orphan_counts
from customer_profiles.cleaning.quarantine import held_by_table
from customer_profiles.cleaning.reused import reused_orders
from customer_profiles.cleaning.tables import CLEANED, COUNTS, DRIFT
from customer_profiles.collection.tables import RAW
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import delivered_columns, key_columns
from customer_profiles.orchestration.checks import contract_check, day_check, drift_check, suite_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.claims import Suite
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.reconciliation import (
    ids_are_new,
    keys_tell_apart,
    orphans_are_few,
    quarantined_are_few,
    rows_add_up,
)
from customer_profiles.quality.references import World
from customer_profiles.quality.suites import table_suite
from customer_profiles.settings import Settings
from customer_profiles.warehouse import Session

NAMES_CUSTOMERS = [
    each for each in CONTRACTS if "customer_id" in delivered_columns(each) and each != "customers"
]
NAMES_PRODUCTS = [
    each for each in CONTRACTS if "product_id" in delivered_columns(each) and each != "products"
]
MADE_KEYS = ("orders", "events")
"""Tables whose key is often made by the mapping: places of lines, hashes of columns."""
ORPHANS = {
    "customers": "orphans are kept; a customer who was never delivered has no profile",
    "products": "orphans are kept",
}
"""What becomes of rows that name somebody, or something, unknown."""


def rows_reconcile(table: str) -> dg.AssetChecksDefinition:
    """Nothing is lost and nothing is invented."""

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        with platform.warehouse() as warehouse:
            fates = row_fates(warehouse, table, days[0], days[-1])
        return {
            row["delivery_day"]: rows_add_up({table: {k: v for k, v in row.items() if k != "delivery_day"}})
            for row in fates.iter_rows(named=True)
            if row["delivery_day"] in days
        }

    return day_check(
        ["cleaned", table],
        "rows_reconcile",
        "accepted + repaired + quarantined + duplicate = received",
        find,
        blocking=True,
        after=[["quarantine", "rows"]],
    )


def keys_tell_rows_apart(table: str) -> dg.AssetChecksDefinition:
    """Few rows are lost to another one of their key: a key made of too little swallows lines of an order."""

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        key = key_columns(table)
        with platform.warehouse() as warehouse:
            counts = warehouse.collect(displaced(warehouse.read(RAW[table], days[0], days[-1]), key))
        return {
            day: keys_tell_apart(rows, lost, key) for day, rows, lost in counts.iter_rows() if day in days
        }

    return day_check(
        ["cleaned", table],
        "keys_tell_rows_apart",
        "few rows of a delivery have the key of another one, without being a copy of it",
        find,
    )


def order_ids_are_new() -> dg.AssetChecksDefinition:
    """Few orders take the place of another customer's: receipts are often numbered from 1 each day."""

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        with platform.warehouse() as warehouse:
            counts = reused_orders(warehouse, days[0], days[-1])
        return {day: ids_are_new(orders, reused) for day, orders, reused in counts.iter_rows() if day in days}

    return day_check(
        ["cleaned", "orders"],
        "order_ids_are_new",
        "few orders have the id of another customer's order of an earlier day, whose place they take",
        find,
    )


def few_rows_are_quarantined() -> dg.AssetChecksDefinition:
    """Few rows wait for somebody to mend what keeps them out: one new word of a status can be a fifth."""

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        with platform.warehouse() as warehouse:
            held = held_by_table(warehouse, days[0], days[-1])
        tables = held.select("table", "received", "quarantined", "rule")
        return {
            day: quarantined_are_few(tables.filter(held["delivery_day"] == day).to_dicts()) for day in days
        }

    return day_check(
        ["quarantine", "rows"],
        "few_rows_are_quarantined",
        "few rows of each table are kept out by a rule of its contract (those released are not counted)",
        find,
    )


def expectations_are_met(table: str) -> dg.AssetChecksDefinition:
    """A Great Expectations suite, derived from the contract.

    A day without rows is worth a look where a delivery is due daily; any other table may be silent.
    """

    def suite(settings: Settings) -> Suite:
        return table_suite(table, fewest_rows=int(table in settings.freshness.delivered_by))

    return suite_check(CLEANED[table], suite)


def references_are_known(table: str, other: str, column: str) -> dg.AssetChecksDefinition:
    """Few rows name a customer or product that nobody told us of by the day."""

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        limits = platform.settings.collection
        with platform.warehouse() as warehouse:
            counts = orphan_counts(warehouse, table, other, column, days[0], days[-1])
        return {
            day: orphans_are_few(
                rows,
                orphans,
                warn_share=limits.orphan_warn_share,
                error_share=limits.orphan_error_share,
                of=other.removesuffix("s"),
            )
            for day, rows, orphans in counts.iter_rows()
            if day in days
        }

    return day_check(
        ["cleaned", table],
        f"{other}_are_known",
        f"few rows name a {other.removesuffix('s')} that nobody delivered by the day ({ORPHANS[other]})",
        find,
        after=[["cleaned", other]],
    )


def _world(platform: Platform, _: Session) -> World:
    return world_of(platform.settings)


def arrives_as_usual(table: str) -> dg.AssetChecksDefinition:
    """Volume, lateness, missing shares, categories and numbers of a delivery."""
    return drift_check(
        ["cleaned", table],
        "arrives_as_usual",
        "volume, lateness, missing shares, categories and numbers are those of the days before",
        COUNTS,
        DRIFT,
        _world,
        [table],
    )


CHECKS = [
    *(rows_reconcile(table) for table in CONTRACTS),
    *(keys_tell_rows_apart(table) for table in MADE_KEYS),
    order_ids_are_new(),
    few_rows_are_quarantined(),
    *(contract_check(CLEANED[table], key_columns(table)) for table in CONTRACTS),
    *(expectations_are_met(table) for table in CONTRACTS),
    *(references_are_known(table, "customers", "customer_key") for table in NAMES_CUSTOMERS),
    *(references_are_known(table, "products", "product_id") for table in NAMES_PRODUCTS),
    *(arrives_as_usual(table) for table in CONTRACTS),
]
