"""Suites of claims, derived from the contracts and from the catalogue of traits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from customer_profiles.contracts.columns import EARLIEST_YEAR, LATEST_YEAR
from customer_profiles.contracts.stored import (
    REPAIRS,
    ROW,
    StoredColumn,
    cleaned_columns,
    day_number,
    key_columns,
)
from customer_profiles.quality.claims import Claim, Suite

EARLIEST_DAY = day_number(date(EARLIEST_YEAR, 1, 1))
LATEST_DAY = day_number(date(LATEST_YEAR, 12, 31))

PLAUSIBLE_MEDIANS: dict[str, dict[str, tuple[float, float]]] = {
    "customers": {"birth_year": (1920, 2010)},
    "products": {"list_price_minor": (10, 100_000_000)},
    "events": {"dwell_ms": (50, 3_600_000)},
    "orders": {"amount_minor": (10, 10_000_000), "quantity": (1, 100)},
    "texts": {"body_length": (1, 5_000)},
    "campaign_contacts": {"cost_minor": (0, 100_000)},
}
"""Between which values half of a day's rows fall, wide enough for any retailer: a median outside
tells of a wrong unit (yuan for fen, seconds for milliseconds), which no single row betrays."""

Range = tuple[float | None, float | None]
COUNTED = (
    "categories",
    "contacts",
    "days",
    "events",
    "nats",
    "orders",
    "people",
    "pieces",
    "products",
    "rank",
    "ratio",
    "sessions",
    "shares",
)
NO_RANGE = ("JSON", "minor units", "name", "true or false")
UNIT_RANGES: dict[str, Range | None] = {
    **dict.fromkeys(NO_RANGE),
    **dict.fromkeys(COUNTED, (0, None)),
    "share": (0, 1),
    "-1 to 1": (-1, 1),
    "1 to 5": (1, 5),
    "years": (0, 120),
}
"""Unit of a trait -> smallest and largest value. Money can fall below zero: more returned than bought.

Of ages the door keeps the minimum, by the full birth date: profiles know its month alone."""
TRAIT_RANGES: dict[str, Range] = {"refund_rate": (0, None)}
"""Traits that leave their unit's range with good reason: goods bought long ago come back too."""


def table_suite(table: str, *, fewest_rows: int = 1) -> Suite:
    """Return the claims about the cleaned rows of ``table`` that arrived on a day or on several.

    Volume, required columns, value sets, ranges, the key (unique within a delivery day: a version may
    be delivered again on another) and medians. All derive from the table's contract.
    """
    columns = [column for column in cleaned_columns(table) if column not in (*ROW, REPAIRS)]
    medians = PLAUSIBLE_MEDIANS.get(table, {})
    about = {column.name: column.description for column in columns}
    return Suite(
        f"cleaned_{table}",
        (
            rows_arrived(fewest_rows),
            *(never_null(column.name, column.description) for column in columns if _promised(column)),
            *(_known_value(column) for column in columns if column.values),
            *(
                lies_between(column.name, *limits, column.description)
                for column in columns
                if (limits := _limits(column)) is not None
            ),
            unique(("delivery_day", *key_columns(table)), key_columns(table)),
            *(_plausible_median(name, *limits, about[name]) for name, limits in medians.items()),
        ),
    )


def features_suite(traits: Sequence[tuple[str, str]]) -> Suite:
    """Return the claims about profiles, one row per customer and ``as_of`` day.

    ``traits`` are pairs of a name and a unit of ``UNIT_RANGES``. NULL (not observable) breaks no claim but
    the key's.
    """
    ranges = {name: TRAIT_RANGES.get(name, UNIT_RANGES[unit]) for name, unit in traits}
    return Suite(
        "customer_features",
        (
            rows_arrived(1),
            never_null("customer_key", "pseudonym of the customer"),
            unique(("as_of", "customer_key"), ("customer_key",)),
            *(
                lies_between(name, *limits, f"{name}, {unit}")
                for name, unit in traits
                if (limits := ranges[name]) is not None
            ),
        ),
    )


def rows_arrived(fewest: int) -> Claim:
    """Claim that a day has rows: none is worth a look, no more than that."""
    return Claim(
        "rows_arrived",
        "ExpectTableRowCountToBeBetween",
        {"min_value": fewest, "max_value": None},
        _between(fewest, None),
        "number of rows",
        severity="warn",
    )


def never_null(column: str, says: str) -> Claim:
    """Claim that a column always holds a value."""
    return Claim(
        f"{column}_is_never_null",
        "ExpectColumnValuesToNotBeNull",
        {"column": column},
        0,
        says,
        examples=False,
    )


def lies_between(column: str, low: float | None, high: float | None, says: str) -> Claim:
    """Claim that the known values of a column lie between two limits, both included."""
    return Claim(
        f"{column}_is_in_range",
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low, "max_value": high},
        _between(low, high),
        says,
        examples=not _tells_of_a_person(column),
    )


def unique(columns: tuple[str, ...], named: tuple[str, ...]) -> Claim:
    """Claim that no two rows agree in all of ``columns``; the claim's name tells the ``named`` ones."""
    return Claim(
        f"{'_'.join(named)}_is_unique",
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": list(columns)},
        0,
        f"the key: {', '.join(columns)}",
        examples=False,
    )


def _known_value(column: StoredColumn) -> Claim:
    values = list(column.values or ())
    return Claim(
        f"{column.name}_is_a_known_value",
        "ExpectColumnValuesToBeInSet",
        {"column": column.name, "value_set": values},
        ", ".join(values),
        column.description,
    )


def _plausible_median(column: str, low: float, high: float, says: str) -> Claim:
    return Claim(
        f"median_{column}_is_plausible",
        "ExpectColumnQuantileValuesToBeBetween",
        {"column": column, "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[low, high]]}},
        _between(low, high),
        f"median of {says}",
        severity="warn",
    )


def _promised(column: StoredColumn) -> bool:
    """Tell whether a column must hold a value, and not just because the moment beside it does."""
    return not column.nullable and not column.name.endswith(("_day", "_weekday", "_length"))


def _limits(column: StoredColumn) -> Range | None:
    if column.minimum is not None or column.maximum is not None:
        return column.minimum, column.maximum
    if column.name.endswith("_day") and not column.nullable:
        return EARLIEST_DAY, LATEST_DAY
    if column.name.endswith("_year"):
        return EARLIEST_YEAR, LATEST_YEAR
    return None


def _between(low: Any, high: Any) -> str:
    sides = {(True, False): f"at most {high}", (False, True): f"at least {low}"}
    return sides.get((low is None, high is None), f"{low} to {high}")


def _tells_of_a_person(column: str) -> bool:
    return column.startswith(("birth_", "age_")) or column.endswith(("_key", "_sealed", "_length"))
