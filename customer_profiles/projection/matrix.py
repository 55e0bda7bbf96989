"""Columns of a frame as one matrix of floats: what every fitted model of the flow is fed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

LARGEST = 1e150
"""From here on a number's square, and with it a variance, would be infinite."""


class TooLittleError(ValueError):
    """Rows of which nothing can be learnt: too few, or all alike."""


def numeric_matrix(frame: pl.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return numeric and boolean ``columns`` as a (rows, columns) float64 matrix.

    NULL, NaN, infinities and numbers of ``LARGEST`` or more come back as NaN: unknown. Raises
    ``ValueError`` that names the columns that are absent or hold neither numbers nor booleans.
    """
    schema = frame.schema  # made anew at each access
    absent = [name for name in columns if name not in schema]
    if absent:
        raise ValueError(f"the frame lacks {len(absent)} of {len(columns)} columns: {', '.join(absent)}")
    wrong = [f"{name} ({schema[name]})" for name in columns if not _counts(schema[name])]
    if wrong:
        raise ValueError(f"columns are neither numbers nor booleans: {', '.join(wrong)}")
    matrix = frame.select(pl.col(name).cast(pl.Float64) for name in columns).to_numpy()
    matrix = matrix.reshape(frame.height, len(columns))
    return np.where(np.abs(matrix) < LARGEST, matrix, np.nan)


def filled(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return ``matrix`` with each NaN replaced by its column's entry in ``values``."""
    return np.where(np.isnan(matrix), values, matrix)


def columns_that_vary(matrix: np.ndarray) -> np.ndarray:
    """Which columns (columns,) of ``matrix`` hold two different known numbers."""
    unknown = np.isnan(matrix)
    smallest = np.where(unknown, np.inf, matrix).min(axis=0)
    largest = np.where(unknown, -np.inf, matrix).max(axis=0)
    return np.asarray(smallest < largest)


def _counts(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)
