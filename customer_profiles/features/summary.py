"""A day's profiles in numbers: each trait described, and how traits hang together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Row = tuple[str, str, str | None, float | None]

KEYS = ("as_of", "customer_key")
MOST_NAMES = 30
"""A category's names beyond the commonest of them are taken together for Cramér's V."""

SCHEMA = {"trait": pl.String, "statistic": pl.String, "other_trait": pl.String, "value": pl.Float64}


def summarise(frame: pl.DataFrame) -> pl.DataFrame:
    """``trait``, ``statistic``, ``other_trait``, ``value``: a tidy table of one day's wide rows.

    - every trait: ``count`` (of values that are not NULL), ``missing_share``;
    - numbers: ``mean``, ``std``, ``min``, ``p25``, ``median``, ``p75``, ``max``;
    - flags: ``true_share``; categories: ``distinct``, ``top_share`` (of the commonest name);
    - pairs of numbers: ``pearson`` and ``spearman``, over the customers who have both. Spearman's
      ranks are taken among all who have the one trait. A trait that does not vary has neither;
    - pairs of categories: ``cramers_v``, corrected for bias (Bergsma 2013, "A bias-correction for
      Cramér's V and Tschuprow's T", J. Korean Stat. Soc. 42).

    Each pair stands once, in the frame's order. ``value`` is NULL where there is nothing to measure.
    """
    names = [name for name in frame.columns if name not in KEYS]
    numbers = [name for name in names if frame.schema[name].is_numeric()]
    categories = [name for name in names if frame.schema[name] == pl.String]
    rows: list[Row] = [
        (name, statistic, None, value) for name in names for statistic, value in _described(frame[name])
    ]
    rows += _correlations(frame, numbers) + _associations(frame, categories)
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return table.with_columns(pl.col("value").fill_nan(None))


def _described(column: pl.Series) -> list[tuple[str, float | None]]:
    told = column.drop_nulls()
    missing = 1 - told.len() / column.len() if column.len() else None
    described: list[tuple[str, float | None]] = [("count", told.len()), ("missing_share", missing)]
    if column.dtype == pl.String:
        top = told.value_counts()["count"].max()
        share = int(top) / told.len() if isinstance(top, int) else None
        return [*described, ("distinct", told.n_unique()), ("top_share", share)]
    values = told.cast(pl.Float64)
    if column.dtype == pl.Boolean:
        return [*described, ("true_share", _number(values.mean()))]
    quartiles = {"p25": 0.25, "median": 0.5, "p75": 0.75}
    return [
        *described,
        ("mean", _number(values.mean())),
        ("std", _number(values.std())),
        ("min", _number(values.min())),
        *((name, values.quantile(share, "linear")) for name, share in quartiles.items()),
        ("max", _number(values.max())),
    ]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _correlations(frame: pl.DataFrame, numbers: Sequence[str]) -> list[Row]:
    """Pearson's r of values and of ranks, of every pair of numbers."""
    values = frame.select(pl.col(name).cast(pl.Float64) for name in numbers)
    ranks = values.select(pl.all().rank())
    measured = {"pearson": pairwise_correlation(values), "spearman": pairwise_correlation(ranks)}
    return [
        (numbers[i], statistic, numbers[j], float(matrix[i, j]))
        for statistic, matrix in measured.items()
        for i, j in combinations(range(len(numbers)), 2)
    ]


def pairwise_correlation(frame: pl.DataFrame) -> Floats:
    """Pearson's r of every pair of columns, each over the rows that hold both.

    Returns a square matrix, NaN where fewer than three rows hold both or one does not vary in them.
    """
    if not frame.width:
        return np.empty((0, 0))
    values = frame.to_numpy().astype(np.float64)
    present = np.isfinite(values)
    held = present.astype(np.float64)
    standard = np.where(present, values - _mean(values, present), 0.0)
    spread = np.sqrt(_mean(standard**2, present))
    standard = np.divide(standard, spread, out=np.zeros_like(standard), where=spread > 0)
    both = held.T @ held
    sums = standard.T @ held
    squares = (standard**2).T @ held
    covariance = both * (standard.T @ standard) - sums * sums.T
    variance = both * squares - sums**2
    least = 1e-9 * np.maximum(both, 1) ** 2
    varies = (both >= 3) & (np.minimum(variance, variance.T) > least)
    scale = np.sqrt(np.where(varies, variance * variance.T, np.nan))
    return np.asarray(np.clip(covariance / scale, -1, 1))


def _mean(values: Floats, present: NDArray[np.bool_]) -> Floats:
    counts = np.maximum(present.sum(axis=0), 1)
    return np.asarray(np.where(present, values, 0.0).sum(axis=0) / counts)


def _associations(frame: pl.DataFrame, categories: Sequence[str]) -> list[Row]:
    codes = {name: _codes(frame[name]) for name in categories}
    return [
        (one, "cramers_v", two, cramers_v(codes[one], codes[two])) for one, two in combinations(categories, 2)
    ]


def _codes(column: pl.Series) -> NDArray[np.int64]:
    """Names as numbers from 0, the commonest first; rarer ones share the last number; NULL is -1."""
    counts = column.drop_nulls().value_counts().sort(["count", column.name], descending=[True, False])
    place = {name: min(number, MOST_NAMES - 1) for number, name in enumerate(counts[column.name])}
    return column.replace_strict(place, default=-1, return_dtype=pl.Int64).to_numpy()


def cramers_v(one: NDArray[np.int64], two: NDArray[np.int64]) -> float | None:
    """Bergsma's bias-corrected Cramér's V of two coded categories; codes below 0 are missing.

    phi² = max(0, chi²/n - (k-1)(r-1)/(n-1)), k' = k - (k-1)²/(n-1), r' likewise, and
    V = sqrt(phi² / min(k'-1, r'-1)). None where one of them does not vary.
    """
    both = (one >= 0) & (two >= 0)
    if not both.any():
        return None
    table = np.zeros((int(one.max()) + 1, int(two.max()) + 1))
    np.add.at(table, (one[both], two[both]), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, (k, r) = table.sum(), table.shape
    if min(k, r) < 2 or n < 3:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    chi_square = ((table - expected) ** 2 / expected).sum()
    phi_square = max(0.0, chi_square / n - (k - 1) * (r - 1) / (n - 1))
    fewest = min(k - (k - 1) ** 2 / (n - 1), r - (r - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(phi_square / fewest))) if fewest > 0 else None
