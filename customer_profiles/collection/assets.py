"""Assets of collection: ``raw/<table>`` for the ten delivered tables."""

from datetime import date
from itertools import repeat
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.collection.loading import category_words, ledger, load_day
from customer_profiles.collection.sources.finding import lies_there
from customer_profiles.collection.tables import RAW
from customer_profiles.contracts import CONTRACTS
from customer_profiles.orchestration.metadata import about_table, row_count
from customer_profiles.orchestration.partitions import (
    ALL_DAYS_IN_ONE_RUN,
    DAILY,
    days_of,
    is_rebuild,
    store_days,
)
from customer_profiles.orchestration.platform import Platform


def raw_asset(table: str) -> dg.AssetsDefinition:
    """``raw/<table>``: each day's delivery, parsed and sealed at the door."""

    @dg.asset(
        key=["raw", table],
        group_name="raw",
        description=(
            f"{CONTRACTS[table].about()} As delivered, parsed to the "
            f"contract's types at the door; nothing is dropped; personal data is sealed or in the vault."
        ),
        kinds={"duckdb", "polars"},
        partitions_def=DAILY,
        backfill_policy=ALL_DAYS_IN_ONE_RUN,
        metadata=about_table(RAW[table]),
        pool="warehouse",
    )
    def raw(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        days, door = days_of(context), platform.door
        with platform.warehouse() as warehouse, platform.vault() as vault:
            searched = table == "events" and lies_there(door.home, table)
            searches = category_words(warehouse, door, days) if searched else repeat(None)
            loaded_before = ledger(warehouse, table, days[0], days[-1])

            def load(day: date) -> dict[str, Any]:
                loaded = load_day(
                    warehouse,
                    vault,
                    door,
                    table,
                    day,
                    known=loaded_before.filter(pl.col("delivery_day") == day),
                    categories=next(searches),
                    rebuild=is_rebuild(context),
                )
                if loaded.fate == "changed":
                    context.log.warning(f"{table} of {day}: {loaded.says}")
                return {**row_count(loaded.rows), "delivery": loaded.says}

            store_days(context, platform, load)

    return raw


ASSETS = [raw_asset(table) for table in CONTRACTS]
