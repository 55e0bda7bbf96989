"""Assets of cleaning: ``cleaned/<table>`` and ``quarantine/rows``."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.cleaning.clean import clean_days, days_to_run_again, quarantine_days
from customer_profiles.cleaning.drift import store_counts, world_of
from customer_profiles.cleaning.quarantine import examples_by_rule
from customer_profiles.cleaning.tables import CLEANED, COUNTS, DRIFT, QUARANTINE
from customer_profiles.collection.tables import RAW
from customer_profiles.contracts import CONTRACTS
from customer_profiles.orchestration.metadata import about_table, row_count, rows_as_table
from customer_profiles.orchestration.partitions import (
    ALL_DAYS_IN_ONE_RUN,
    DAILY,
    RUN_AGAIN,
    days_of,
    store_days,
)
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.measuring import measure_days


def cleaned_asset(delivered: str) -> dg.AssetsDefinition:
    """``cleaned/<table>``: the valid rows of each day's delivery."""

    @dg.asset(
        key=["cleaned", delivered],
        deps=[dg.AssetKey(["raw", delivered])],
        group_name="cleaned",
        description=(
            f"{CONTRACTS[delivered].about()} The rows that keep every rule of the contract, accepted or "
            f"repaired, without duplicates."
        ),
        kinds={"duckdb"},
        partitions_def=DAILY,
        backfill_policy=ALL_DAYS_IN_ONE_RUN,
        metadata=about_table(CLEANED[delivered]),
        pool="warehouse",
    )
    def cleaned(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        days = days_of(context)
        with platform.warehouse() as warehouse:
            held = {*warehouse.days(RAW[delivered]), *warehouse.days(CLEANED[delivered])}
            # an empty day that was empty before needs no query: years of history have thousands
            stored_rows = dict.fromkeys((day for day in days if day not in held), 0)

            def clean(day: date) -> dict[str, Any]:
                if day not in stored_rows:
                    waiting = [each for each in days if each >= day and each in held]
                    stored_rows.update(clean_days(warehouse, delivered, waiting))
                stored = row_count(stored_rows[day])
                again = days_to_run_again(warehouse, delivered, days[0], day) if day == days[-1] else []
                if not again:
                    return stored
                says = ", ".join(map(str, again))
                context.log.warning(
                    f"{delivered}: rows delivered by {day} stand on later days too; to count each once, "
                    f"run these days again: {says}"
                )
                return {**stored, RUN_AGAIN: says}

            store_days(context, platform, clean)

    return cleaned


@dg.asset(
    key=["quarantine", "rows"],
    deps=[dg.AssetKey(["raw", table]) for table in CONTRACTS],
    group_name="quarantine",
    description="Rows that break a rule, sealed whole, with every rule that they break. All tables.",
    kinds={"duckdb"},
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    metadata=about_table(QUARANTINE),
    pool="warehouse",
)
def quarantine_rows(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Quarantined rows of all tables."""
    days = days_of(context)
    with platform.warehouse() as warehouse:
        rows = quarantine_days(warehouse, days[0], days[-1])
        examples = examples_by_rule(warehouse, days[0], days[-1], platform.door.seal)

        def told(day: date) -> dict[str, Any]:
            return {**row_count(rows.get(day, 0)), "rules": rows_as_table(examples.get(day, []))}

        store_days(context, platform, told)


@dg.asset(
    key=["cleaned", "drift"],
    deps=[dg.AssetKey(["cleaned", table]) for table in CONTRACTS],
    group_name="cleaned",
    description=(
        "How far each day's deliveries lie from the days before and from those that the model learned from: "
        "volume, lateness, missing shares, categories and numbers. Told from counts kept of every day."
    ),
    kinds={"duckdb", "numpy"},
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    metadata=about_table(DRIFT),
    pool="warehouse",
)
def drift(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Count the days, then measure each."""
    days, settings = days_of(context), platform.settings
    with platform.warehouse() as warehouse:
        store_counts(warehouse, days[0], days[-1])
        world = world_of(settings)
        measured = dict(measure_days(warehouse, COUNTS, DRIFT, days, world, settings.drift))
        warehouse.write_days(DRIFT, days[0], days[-1], pl.concat(measured.values()))
        store_days(context, platform, lambda day: row_count(measured[day].height))


ASSETS = [*(cleaned_asset(table) for table in CONTRACTS), quarantine_rows, drift]
