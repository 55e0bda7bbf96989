"""Assets of cleaning: ``cleaned/<table>`` and ``quarantine/rows``."""

import dagster as dg

from customer_profiles.cleaning.clean import clean_day, quarantine_day
from customer_profiles.cleaning.tables import CLEANED, QUARANTINE
from customer_profiles.contracts import CONTRACTS
from customer_profiles.orchestration.metadata import about_table, row_count
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform


def cleaned_asset(table: str) -> dg.AssetsDefinition:
    """``cleaned/<table>``: the valid rows of each day's delivery."""

    @dg.asset(
        key=["cleaned", table],
        deps=[dg.AssetKey(["raw", table])],
        group_name="cleaned",
        description=(
            f"{CONTRACTS[table].about()} The rows that keep every rule of the contract, accepted or "
            f"repaired, without duplicates."
        ),
        kinds={"duckdb"},
        partitions_def=DAILY,
        backfill_policy=ALL_DAYS_IN_ONE_RUN,
        metadata=about_table(CLEANED[table]),
        pool="warehouse",
    )
    def cleaned(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        with platform.warehouse() as warehouse:
            store_days(context, platform, lambda day: row_count(clean_day(warehouse, table, day)))

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
    """Quarantined rows of the ten tables."""
    with platform.warehouse() as warehouse:
        store_days(context, platform, lambda day: row_count(quarantine_day(warehouse, day)))


ASSETS = [*(cleaned_asset(table) for table in CONTRACTS), quarantine_rows]
