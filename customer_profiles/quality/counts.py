"""A day's shape in counts: what of 100 million rows is kept so that days can be compared later.

Counted inside the warehouse's engine; a few hundred counts a column and day are all that travels. The
bins never change, so that counts of any two days can be laid side by side:

- rows: one count;
- missing: how many cells of a column are NULL; concentrated: how many rows hold its most frequent key;
  repeated: how many rows say again, under another id, what an earlier one says;
- numbers: rounded to ``DIGITS`` binary digits, so that a bin is at most 1.6 % wide and whole numbers up to
  128 keep a bin each (log-linear bins as in HdrHistogram, Tene 2012);
- categories: values that hold at least ``RARE_SHARE`` of the day's rows, all others together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import narwhals as nw
import polars as pl

from customer_profiles.contracts.stored import ROW, StoredColumn
from customer_profiles.warehouse import Session, Table

Kind = Literal["rows", "missing", "concentrated", "repeated", "number", "category"]
SHARES: dict[str, str] = {"missing": "NULL", "concentrated": "on one key", "repeated": "repeated"}
"""Kinds that count a part of the rows, and what that part is."""
DIGITS = 7
SPLITTER = 2.0 ** (53 - DIGITS) + 1
RARE_SHARE = 0.005
RARE = "(rare)"
LARGE_DAY = 200_000
NO_COLUMN = "(rows)"
IDENTIFIES = ("_id", "_key", "_sealed", "identifier", "consent_reference")
"""Ends of the names of columns whose values tell rows apart and have no shape; only NULLs are counted."""
UNSHAPED = ("_day", "_weekday", "_number")
SAYS_NOTHING_NEW = ("_sealed", "_day", "_weekday", "_hour")
"""Ends of the names of columns that are sealed differently each time, or that another column tells."""
WORDS = ("name", "value")
"""Columns of free words."""


@dataclass(frozen=True)
class Watched:
    """The columns of a table whose shape is counted.

    Rows that are equal in all columns of ``content`` say the same; ``keys`` are held by many. Both are looked
    for in a part of a large day.
    """

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


def counts_columns(day: StoredColumn) -> tuple[StoredColumn, ...]:
    """Columns of a table of counts; ``day`` is its first."""
    return (
        day,
        StoredColumn("table_name", pl.String, False, "what was counted"),
        StoredColumn(
            "model_version", pl.String, False, "that of the model whose outputs were counted, or empty"
        ),
        StoredColumn("column_name", pl.String, False, f"its column, or {NO_COLUMN}"),
        StoredColumn("kind", pl.String, False, "rows, missing, concentrated, repeated, number or category"),
        StoredColumn("number", pl.Float64, True, f"a number, rounded to {DIGITS} binary digits"),
        StoredColumn(
            "category", pl.String, True, f"a category; {RARE}: all below {RARE_SHARE:.1%} of the day"
        ),
        StoredColumn("rows", pl.Int64, False, "rows counted"),
    )


def counts_table(name: str, day: StoredColumn, *beside: str) -> Table:
    """A warehouse table of counts, replaced day by day and by the columns ``beside``."""
    order = ("table_name", "model_version", "column_name", "kind", "number", "category")
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


def watched_rows(columns: Sequence[StoredColumn], key: Sequence[str]) -> Watched:
    """The same of a table of delivered rows, which each tell something of their own.

    Ids in its ``key``, and numbers of lines, tell its rows apart; other ids are of what rows share.
    """
    own = {name for name in key if name.endswith("_id") or name == "line_number"}
    content = [
        column.name
        for column in columns[len(ROW) :]
        if not (column.name in own or column.name.endswith(SAYS_NOTHING_NEW) or column.name == "repairs")
    ]
    keys = [
        column.name
        for column in columns
        if column.dtype == pl.String and column.name.endswith(("_id", "_key")) and column.name not in own
    ]
    return replace(watched(columns), keys=tuple(keys), content=tuple(content))


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
    counted = [_totals(session, rows, day, columns.missing)]
    if columns.content:
        counted += _of_a_sample(session, rows, day, columns, counted[0])
    if columns.numbers:
        numbers = rows.select(day, *(rounded(nw.col(name)).alias(name) for name in columns.numbers))
        finite = session.value_counts(numbers, day).filter(nw.col("value").is_finite())
        counted.append(_kind(session.collect(finite).rename({"value": "number"}), "number"))
    if columns.categories:
        texts = rows.select(day, *(nw.col(name).cast(nw.String) for name in columns.categories))
        frequent = frequent_categories(session.value_counts(texts, day), day)
        counted.append(_kind(session.collect(frequent), "category"))
    return labelled(pl.concat(counted, how="diagonal"), table_name, model_version)


def labelled(counted: pl.DataFrame, table_name: str, model_version: str = "") -> pl.DataFrame:
    """Counts under the name of what was counted, with every column of a table of counts."""
    absent = {"number": pl.Float64, "category": pl.String}
    return counted.with_columns(
        pl.lit(table_name).alias("table_name"),
        pl.lit(model_version).alias("model_version"),
        *(pl.lit(None, dtype).alias(name) for name, dtype in absent.items() if name not in counted.columns),
    )


def rounded(number: nw.Expr) -> nw.Expr:
    """A number rounded to ``DIGITS`` binary digits: the bin in which it lies, named by its middle.

    By Veltkamp's splitting (Dekker 1971), three operations where the bin's exponent would take a logarithm.
    What exceeds 1e294 comes out as no finite number.
    """
    value = number.cast(nw.Float64)
    return value * SPLITTER - (value * SPLITTER - value)


def frequent_categories(counted: nw.LazyFrame[Any], day: str) -> nw.LazyFrame[Any]:
    """Categories with their rows; those that hold less than ``RARE_SHARE`` of a day put together.

    ``counted`` holds ``day``, ``column_name``, ``value`` and ``rows``.
    """
    rows, all_rows = (nw.col(name).cast(nw.Float64) for name in ("rows", "all_rows"))
    named = counted.with_columns(all_rows=nw.col("rows").sum().over(day, "column_name")).with_columns(
        category=nw.when(rows >= RARE_SHARE * all_rows).then(nw.col("value")).otherwise(nw.lit(RARE))
    )
    return named.group_by(day, "column_name", "category").agg(
        nw.col("rows").sum().cast(nw.Int64).alias("rows")
    )


def _of_a_sample(
    session: Session, rows: nw.LazyFrame[Any], day: str, columns: Watched, totals: pl.DataFrame
) -> list[pl.DataFrame]:
    """Rows that repeat others, and those that hold the most frequent of each of the keys.

    Of a day above ``LARGE_DAY`` rows every n-th row is looked at, and every n-th of what rows say with all
    rows that say it: memory stays flat.
    """
    of_days = totals.filter(pl.col("kind") == "rows").select(day, one_of=1 + pl.col("rows") // LARGE_DAY)
    parted = rows.join(session.lend("one_of", of_days), on=day)
    repeated = session.repeated_rows(parted.select(day, "one_of", *columns.content), day, "one_of")
    counted = [_kind(session.collect(repeated).with_columns(column_name=pl.lit(NO_COLUMN)), "repeated")]
    if columns.keys:
        part = parted.filter(nw.col("row_number") % nw.col("one_of") == 0).select(day, *columns.keys)
        largest = session.value_counts(part, day).group_by(day, "column_name").agg(nw.col("rows").max())
        whole = session.collect(largest).join(of_days, on=day).with_columns(pl.col("rows") * pl.col("one_of"))
        counted.append(_kind(whole.drop("one_of"), "concentrated"))
    return counted


def _totals(session: Session, rows: nw.LazyFrame[Any], day: str, columns: Sequence[str]) -> pl.DataFrame:
    """A row per day for the number of rows, and one for the NULLs in each of ``columns``."""
    known = [nw.col(name).count().cast(nw.Int64).alias(name) for name in columns]
    totals = session.collect(rows.group_by(day).agg(nw.len().cast(nw.Int64).alias(NO_COLUMN), *known))
    nulls = totals.with_columns((pl.col(NO_COLUMN) - pl.col(name)).alias(name) for name in columns)
    kind = pl.when(pl.col("column_name") == NO_COLUMN).then(pl.lit("rows")).otherwise(pl.lit("missing"))
    return nulls.unpivot(index=day, variable_name="column_name", value_name="rows").with_columns(
        kind.alias("kind")
    )


def _kind(counted: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    return counted.with_columns(pl.lit(kind).alias("kind"))
