"""Whether what is stored is what the contract says: counted over every row, in the warehouse's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.quality.finding import Finding


def breaches(
    rows: nw.LazyFrame[Any], columns: Sequence[StoredColumn], key: Sequence[str], day: str
) -> nw.LazyFrame[Any]:
    """One row per value of ``day``: how many rows break each promise, as ``column|promise``.

    Promises are: never NULL, one of the known values, within the bounds, a finite number, and the key once
    a day.
    """
    promises = {
        f"{column.name}|{promise}": broken
        for column in columns
        for promise, broken in _promises(column)
        if column.name != day
    }
    counted = rows.group_by(day).agg(
        nw.len().cast(nw.Int64).alias("rows"),
        *(
            broken.fill_null(False).cast(nw.Int64).sum().cast(nw.Int64).alias(name)
            for name, broken in promises.items()
        ),
    )
    keys = rows.group_by(day, *key).agg(nw.len().alias("copies"))
    again = keys.group_by(day).agg(
        (nw.col("copies").cast(nw.Int64) - 1).sum().cast(nw.Int64).alias("key|unique")
    )
    return counted.join(again, on=day, how="left")


def contract_finding(counted: Mapping[str, Any], wrong_columns: Sequence[str]) -> Finding:
    """Hold that a day's stored rows keep every promise. ``counted`` is one row of ``breaches``."""
    rows = int(counted["rows"])
    broken = {name: count for name, count in counted.items() if "|" in name and count}
    named = [*wrong_columns, *(f"{name} ({count:,} rows)" for name, count in broken.items())]
    says = f"{rows:,} rows keep the contract" if not named else f"the contract is broken: {', '.join(named)}"
    return Finding(
        passed=not named,
        value=sum(broken.values()) + len(wrong_columns),
        threshold=0,
        says=says,
        details=[{"promise": name, "rows": count} for name, count in broken.items()],
    )


def wrong_columns(stored: Mapping[str, str], promised: Mapping[str, str]) -> list[str]:
    """Columns that are absent or of another type than promised. Both map names to engine types."""
    return [
        f"{name} is {stored.get(name, 'absent')}, not {kind}"
        for name, kind in promised.items()
        if stored.get(name) != kind
    ]


def _promises(column: StoredColumn) -> list[tuple[str, nw.Expr]]:
    cell = nw.col(column.name)
    promises = []
    if not column.nullable:
        promises.append(("never_null", cell.is_null()))
    if column.values:
        promises.append(("known_value", ~cell.is_in(list(column.values))))
    if column.minimum is not None:
        promises.append(("minimum", cell < column.minimum))
    if column.maximum is not None:
        promises.append(("maximum", cell > column.maximum))
    if column.dtype == pl.Float64:
        promises.append(("finite", ~cell.is_finite()))
    return promises
