"""What of a day has drifted, read from the home."""

from __future__ import annotations

from datetime import date
from typing import Any

from customer_profiles.cleaning.tables import DRIFT as DELIVERIES
from customer_profiles.orchestration.platform import Platform
from customer_profiles.profiles.tables import DRIFT as PROFILES
from customer_profiles.quality.drift_table import worst_first
from customer_profiles.settings import Mendable
from customer_profiles.warehouse import Session

NAMED = ("table_name", "column_name")


class NoDriftError(Mendable, LookupError):
    """Nothing was measured on a day. The message says which days there are."""


def measured_columns(warehouse: Session) -> frozenset[str]:
    """What drift was ever measured of, as ``drift.columns`` names it: table.column. Makes no table."""
    there = [table for table in (DELIVERIES, PROFILES) if warehouse.stored_columns(table)]
    rows = [warehouse.collect(warehouse.read(table).select(*NAMED).unique()) for table in there]
    return frozenset(f"{table}.{column}" for part in rows for table, column in part.iter_rows())


def drift_of(platform: Platform, day: date | None) -> tuple[date, list[dict[str, Any]]]:
    """The rows of both tables of drift of a day, worst first; by default of the newest day.

    Raises ``NoDriftError`` if nothing was measured on it.
    """
    with platform.warehouse() as warehouse:
        days = {table.name: warehouse.days(table) for table in (DELIVERIES, PROFILES)}
        every = sorted({each for known in days.values() for each in known})
        chosen = day or (every[-1] if every else None)
        if chosen is None or chosen not in every:
            if not every:
                raise NoDriftError("no drift was measured yet: customer-profiles run")
            raise NoDriftError(
                f"no drift was measured on {chosen}: measured were {every[0]} to {every[-1]}; if {chosen} was"
                f" delivered: customer-profiles run --from {chosen} --to {chosen}"
            )
        rows = [
            row
            for table in (DELIVERIES, PROFILES)
            for row in warehouse.frame(table, chosen, chosen).drop(table.day).to_dicts()
        ]
    return chosen, sorted(rows, key=worst_first)
