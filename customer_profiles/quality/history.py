"""Counts of a column over the days, and which of those days another day is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from customer_profiles.quality.counts import SHARES

WEEK, HOURS = 7, 24


@dataclass(frozen=True, eq=False)
class History:
    """The counts of one column of one table: a row a delivered day, a column a bin.

    ``version`` is that of the model whose outputs were counted, or empty. ``days`` are ascending day numbers.
    ``bins`` are the rounded numbers or the names of categories, both ascending.
    Counts of a part of the rows have two bins, the part and the rest; those of kind ``rows`` have one.
    """

    table: str
    column: str
    version: str
    kind: str
    days: np.ndarray
    bins: np.ndarray
    counts: np.ndarray

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows counted on each day."""
        return np.asarray(self.counts.sum(axis=1))

    @cached_property
    def levels(self) -> Levels:
        """The logarithm of each day's level, of numbers."""
        return levels(self.counts, self.bins)

    @cached_property
    def hours(self) -> np.ndarray:
        """The rows of each day by hour, of a column of hours."""
        return np.column_stack([self.counts[:, self.bins == hour].sum(axis=1) for hour in range(HOURS)])


class Levels(NamedTuple):
    """Of each day: mean and variance of ln |x| over the numbers that are not 0, and how many they are.

    ``log_size`` is the logarithm of the mean of |x| itself, and ``relative_variance`` the variance of |x| in
    squares of that mean.
    """

    mean: np.ndarray
    variance: np.ndarray
    rows: np.ndarray
    log_size: np.ndarray
    relative_variance: np.ndarray


def levels(counts: np.ndarray, bins: np.ndarray) -> Levels:
    """Return the logarithms of the days' geometric means.

    A change of unit or price by a factor moves it by the factor's logarithm, whatever the shape.
    """
    some = bins != 0
    sizes, kept = np.abs(bins[some].astype(np.float64)), counts[:, some]
    rows = kept.sum(axis=1)
    mean, variance = _mean_and_variance(kept, rows, np.log(sizes))
    size, sizes_variance = _mean_and_variance(kept, rows, sizes)
    size = np.where(rows > 0, size, 1.0)
    return Levels(mean, variance, rows, np.log(size), sizes_variance / size**2)


def _mean_and_variance(
    counts: np.ndarray, rows: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    divisor = np.maximum(rows, 1)
    mean = counts @ values / divisor
    return mean, np.maximum(counts @ values**2 / divisor - mean**2, 0.0)


def histories(counts: pl.DataFrame, day: str) -> Iterator[History]:
    """The histories in a table of counts, in the order in which they stand there."""
    of = ["table_name", "model_version"]
    for (table, version), part in counts.group_by(of, maintain_order=True):
        of_rows = part.filter(pl.col("kind") == "rows").sort(day)
        days = of_rows[day].to_physical().to_numpy()
        for (column, kind), cells in part.group_by("column_name", "kind", maintain_order=True):
            if kind in SHARES:
                told = cells.sort(day).join(of_rows.select(day, whole="rows"), on=day)
                counted = told[day].to_physical().to_numpy()
                bins = np.array([SHARES[str(kind)], "all others"])
                matrix = told.select("rows", pl.col("whole") - pl.col("rows")).to_numpy()
            else:
                counted = days
                bins, matrix = _matrix(cells, str(kind), day, days)
            yield History(str(table), str(column), str(version), str(kind), counted, bins, matrix)


def _matrix(cells: pl.DataFrame, kind: str, day: str, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values: Any = cells[kind].to_numpy() if kind in ("number", "category") else np.zeros(cells.height)
    bins, places = np.unique(values.astype(str) if kind == "category" else values, return_inverse=True)
    matrix = np.zeros((len(days), len(bins)), dtype=np.int64)
    matrix[np.searchsorted(days, cells[day].to_physical().to_numpy()), places] = cells["rows"].to_numpy()
    return bins, matrix


def trailing(history: History, today: int, most: int) -> np.ndarray:
    """Places of the newest ``most`` days before ``today`` with rows."""
    return np.flatnonzero(history.rows[:today] > 0)[-most:]


def between(history: History, today: int, oldest: int, newest: int) -> np.ndarray:
    """Places of the days with rows that lie from ``oldest`` down to ``newest`` days before ``today``."""
    ago = history.days[today] - history.days
    return np.flatnonzero((ago <= oldest) & (ago >= newest) & (history.rows > 0))
