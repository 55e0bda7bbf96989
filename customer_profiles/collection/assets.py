"""Assets of collection: ``raw/<table>`` for the delivered tables, and the ledger of deliveries."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.collection.daily import TableDay, before_run, load_days_from
from customer_profiles.collection.ledger import record_days
from customer_profiles.collection.loading import VERSION_DIGITS
from customer_profiles.collection.tables import DELIVERIES, RAW
from customer_profiles.contracts import CONTRACTS
from customer_profiles.orchestration.metadata import about_table, row_count
from customer_profiles.orchestration.metadata import table as table_of
from customer_profiles.orchestration.partitions import (
    ALL_DAYS_IN_ONE_RUN,
    DAILY,
    FATE,
    GONE,
    RUN_AGAIN,
    WHY_REFUSED,
    days_of,
    is_rebuild,
    store_days,
)
from customer_profiles.orchestration.platform import Platform

KNOWN_AT_THE_DOOR = {"events": ("products",)}
"""Tables that the door looks into for another: names of products tell the category of a search."""


def raw_asset(table: str) -> dg.AssetsDefinition:
    """``raw/<table>``: each day's delivery, parsed and sealed at the door."""

    @dg.asset(
        key=["raw", table],
        deps=[dg.AssetKey(["raw", other]) for other in KNOWN_AT_THE_DOOR.get(table, ())],
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
        days, loaded = days_of(context), dict[date, TableDay]()
        with platform.warehouse() as warehouse, platform.vault() as vault:
            before = before_run(warehouse, table, days, rebuild=is_rebuild(context))

            def load(day: date) -> dict[str, Any]:
                if day not in loaded:
                    loaded.update(load_days_from(warehouse, vault, platform.door, before, day))
                told = loaded[day]
                for reason in (*told.refused, *told.warnings, *told.gone):
                    context.log.warning(reason)
                notes = {
                    FATE: told.fate,
                    "delivery": told.says,
                    WHY_REFUSED: "; ".join(told.refused),
                    RUN_AGAIN: ", ".join(map(str, told.run_again)),
                    GONE: "; ".join(told.gone),
                }
                return {**row_count(told.rows), **{name: note for name, note in notes.items() if note}}

            try:
                store_days(context, platform, load)
            finally:
                record_days(warehouse, table, loaded)

    return raw


@dg.asset(
    key=["raw", "deliveries"],
    deps=[dg.AssetKey(["raw", table]) for table in CONTRACTS],
    group_name="raw",
    description="The ledger: each file that was loaded, its hash and rows, and the day of their arrival.",
    kinds={"duckdb"},
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    metadata=about_table(DELIVERIES),
    pool="warehouse",
)
def deliveries(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Show what the tables wrote into the ledger."""
    days = days_of(context)
    with platform.warehouse() as warehouse:
        entries = warehouse.frame(DELIVERIES, days[0], days[-1])
    of_days = entries.partition_by("delivery_day", as_dict=True)

    def show(day: date) -> dict[str, Any]:
        files = of_days.get((day,), entries.clear())
        shown = files.select(
            "source",
            "rows",
            "known_rows",
            "gone_rows",
            "bytes",
            "file_day",
            pl.col("written_at", "loaded_at").dt.strftime("%Y-%m-%d %H:%M UTC"),
            pl.col("sha256").str.head(VERSION_DIGITS),
        )
        return {**row_count(files.height), "files": table_of(shown)}

    store_days(context, platform, show)


ASSETS = [*(raw_asset(table) for table in CONTRACTS), deliveries]
