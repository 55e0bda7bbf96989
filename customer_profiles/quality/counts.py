"""A day's shape in counts: what of 100 million rows is kept so that days can be compared later.

Counted inside the warehouse's engine; a few hundred counts a column and day are all that travels. The
bins never change, so that counts of any two days can be laid side by side:

- rows: one count;
- missing: how many cells of a column are NULL;
- numbers: bins that part every power of two into ``GRAIN`` equal pieces, so that a bin is at most 1.6 %
  wide and whole numbers below ``2 * GRAIN`` keep a bin each (the log-linear bins of HdrHistogram, Tene 2012);
- categories: values that hold at least ``RARE_SHARE`` of the day's rows, all others together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import polars as pl

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.warehouse import Session, Table

Kind = Literal["rows", "missing", "number", "category"]
GRAIN = 64
RARE_SHARE = 0.005
RARE = "(rare)"
NO_COLUMN = "(rows)"
IDENTIFIES = ("_id", "_key", "_sealed", "identifier", "consent_reference")
"""Ends of the names of columns whose values tell rows apart and have no shape; only NULLs are counted."""
UNSHAPED = ("_day", "_weekday", "_number")
WORDS = ("name", "value")
"""Columns of free words."""


@dataclass(frozen=True)
class Watched:
    """The columns of a table whose shape is counted."""

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def counts_columns(day: StoredColumn) -> tuple[StoredColumn, ...]:
    """Columns of a table of counts; ``day`` is its first."""
    return (
        day,
        StoredColumn("table_name", pl.String, False, "what was counted"),
        StoredColumn(
            "model_version", pl.String, False, "that of the model whose outputs were counted, or empty"
        ),
        StoredColumn("column_name", pl.String, False, f"its column, or {NO_COLUMN}"),
        StoredColumn("kind", pl.String, False, "rows, missing, number or category"),
        StoredColumn("low", pl.Float64, True, "lower end of a number's bin"),
        StoredColumn(
            "category", pl.String, True, f"a category; {RARE}: all below {RARE_SHARE:.1%} of the day"
        ),
        StoredColumn("rows", pl.Int64, False, "rows counted"),
    )


def counts_table(name: str, day: StoredColumn, *beside: str) -> Table:
    """A warehouse table of counts, replaced day by day and by the columns ``beside``."""
    order = ("table_name", "model_version", "column_name", "kind", "low", "category")
    return Table(name, counts_columns(day), order, (day.name, *beside))


def watched(columns: Iterable[StoredColumn]) -> Watched:
    """Choose the columns of a stored table whose numbers, categories and NULLs are worth counting."""
    known = [column for column in columns if column.name not in ("delivery_day", "source", "repairs")]
    shaped = [
        column
        for column in known
        if not column.name.endswith(IDENTIFIES + UNSHAPED) and column.name not in WORDS
    ]
    return Watched(
        numbers=tuple(c.name for c in shaped if c.dtype in (pl.Int32, pl.Int64, pl.Float64)),
        categories=tuple(c.name for c in shaped if c.dtype in (pl.String, pl.Boolean)),
        missing=tuple(c.name for c in known if c.nullable and not c.name.endswith("_day")),
    )


def count(
    session: Session,
    rows: nw.LazyFrame[Any],
    day: str,
    columns: Watched,
    *,
    table_name: str,
    model_version: str = "",
) -> pl.DataFrame:
    """Count the rows of each day: in all, NULLs by column, and by bin. The columns of a table of counts."""
    counted = [_long(session.collect(_totals(rows, day, columns.missing)), day)]
    if columns.numbers:
        cells = rows.select(day, *(nw.col(name).cast(nw.Float64) for name in columns.numbers))
        counted.append(_kind(session.collect(number_counts(session.unpivot(cells, day), day)), "number"))
    if columns.categories:
        cells = rows.select(day, *(nw.col(name).cast(nw.String) for name in columns.categories))
        counted.append(_kind(session.collect(category_counts(session.unpivot(cells, day), day)), "category"))
    return labelled(pl.concat(counted, how="diagonal"), table_name, model_version)


def labelled(counted: pl.DataFrame, table_name: str, model_version: str = "") -> pl.DataFrame:
    """Counts under the name of what was counted, with every column of a table of counts."""
    absent = {"low": pl.Float64, "category": pl.String}
    return counted.with_columns(
        pl.lit(table_name).alias("table_name"),
        pl.lit(model_version).alias("model_version"),
        *(pl.lit(None, dtype).alias(name) for name, dtype in absent.items() if name not in counted.columns),
    )


def number_counts(cells: nw.LazyFrame[Any], day: str) -> nw.LazyFrame[Any]:
    """How many numbers lie in each bin, told by its lower end; NaN and infinity lie in none.

    ``cells`` holds ``day``, ``column_name`` and ``value``.
    """
    value = nw.col("value").cast(nw.Float64)
    known = cells.filter(value.is_finite()).select(day, "column_name", size=value.abs(), sign=_sign(value))
    size = nw.col("size")
    keeps_its_own = (size < 2 * GRAIN) & (size == size.floor())  # most counts are such: no logarithm for them
    exponent = nw.when(~keeps_its_own).then(size).log(base=2.0).floor()
    return (
        known.with_columns(width=nw.lit(2.0) ** exponent / GRAIN)
        .select(
            day,
            "column_name",
            low=nw.col("sign")
            * nw.when(keeps_its_own).then(size).otherwise((size / nw.col("width")).floor() * nw.col("width")),
        )
        .group_by(day, "column_name", "low")
        .agg(nw.len().cast(nw.Int64).alias("rows"))
    )


def category_counts(cells: nw.LazyFrame[Any], day: str) -> nw.LazyFrame[Any]:
    """How often each category occurs; those that hold less than ``RARE_SHARE`` of a day put together.

    ``cells`` holds ``day``, ``column_name`` and ``value``.
    """
    of_column = [day, "column_name"]
    counted = cells.group_by(*of_column, "value").agg(nw.len().cast(nw.Int64).alias("rows"))
    sizes = counted.group_by(of_column).agg(nw.col("rows").sum().cast(nw.Int64).alias("all"))
    frequent = nw.col("rows").cast(nw.Float64) >= RARE_SHARE * nw.col("all").cast(nw.Float64)
    named = counted.join(sizes, on=of_column).select(
        *of_column, "rows", nw.when(frequent).then(nw.col("value")).otherwise(nw.lit(RARE)).alias("category")
    )
    return named.group_by(*of_column, "category").agg(nw.col("rows").sum().cast(nw.Int64).alias("rows"))


def _totals(rows: nw.LazyFrame[Any], day: str, columns: Sequence[str]) -> nw.LazyFrame[Any]:
    """Per day: the number of rows, and of NULLs in each of ``columns``."""
    return rows.group_by(day).agg(
        nw.len().cast(nw.Int64).alias(NO_COLUMN),
        *(nw.col(name).is_null().cast(nw.Int64).sum().cast(nw.Int64).alias(name) for name in columns),
    )


def _long(counted: pl.DataFrame, day: str) -> pl.DataFrame:
    """Turn the row a day of ``_totals`` into a row a day and column."""
    kind = pl.when(pl.col("column_name") == NO_COLUMN).then(pl.lit("rows")).otherwise(pl.lit("missing"))
    return counted.unpivot(index=day, variable_name="column_name", value_name="rows").with_columns(
        kind.alias("kind")
    )


def _kind(counted: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    return counted.with_columns(pl.lit(kind).alias("kind"))


def _sign(value: nw.Expr) -> nw.Expr:
    return nw.when(value > 0).then(nw.lit(1.0)).when(value < 0).then(nw.lit(-1.0)).otherwise(nw.lit(0.0))
