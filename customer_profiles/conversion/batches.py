"""Training rows as they are read: a whole table, or batches of one that does not fit into memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from narwhals.dependencies import is_pandas_dataframe, is_pandas_series

from customer_profiles.conversion.frames import InputsError
from customer_profiles.settings import Mendable

FEWEST = 10
"""Fewest rows of either class, and fewest customers, that five folds can learn from."""

YEAR_FIRST = re.compile(r"(19|20)\d\d([-/.]?(0[1-9]|1[0-2])([-/.]?(0[1-9]|[12]\d|3[01]))?)?([T ].*)?")
"""Text that sorts by time: ISO 8601, or years, months and days of two digits in this order."""


class TooFewExamples(Mendable, ValueError):  # noqa: N818
    """There is not enough to learn from. The message says what there is."""


@dataclass(frozen=True)
class Batch:
    """Part of a table that is too large to hold: rows, their label, and whose they are, if known."""

    table: Any
    label: Any
    customer_key: Any = None


@dataclass(frozen=True)
class Part:
    """Rows of the training table as they are read: features, label, fold, and whether of the newest day."""

    frame: pl.DataFrame
    target: np.ndarray
    fold: np.ndarray
    newest: np.ndarray

    def at(self, rows: np.ndarray) -> Part:
        """The rows with these numbers."""
        return Part(self.frame[rows], self.target[rows], self.fold[rows], self.newest[rows])


def folds(customer_key: Any, rows: int, members: int, seed: int) -> np.ndarray:
    """Return the fold (rows,) of each row: customers shuffled by ``seed``, all rows of one together."""
    if customer_key is None:
        codes = np.arange(rows)
    else:
        codes = np.unique(aligned("customer_key", customer_key, rows), return_inverse=True)[1]
    dealt = np.random.default_rng(seed).permutation(codes.max(initial=-1) + 1) % members
    return np.asarray(dealt[codes])


def aligned(name: str, values: Any, rows: int) -> np.ndarray:
    """Return ``values`` as (rows,); raises ``ValueError`` if they are not that many, or some are missing."""
    import pandas as pd

    array = np.asarray(values)
    if array.shape != (rows,):
        raise ValueError(f"{rows} rows need as many values of {name}, got an array of shape {array.shape}")
    missing = int(pd.isna(array).sum())
    if missing:
        raise ValueError(f"{name} is missing in {missing} of {rows} rows: fill it, or leave these rows out")
    return array


def require_same_order(table: Any, of_rows: Mapping[str, Any], what: str = "table") -> None:
    """Raise ``ValueError`` for a pandas column whose index holds the rows of ``table`` in another order.

    Rows are taken by their place, as scikit-learn does: each would get another row's label. ``of_rows`` are
    columns by name, ``what`` is the table's.
    """
    if not (is_pandas_dataframe(table) or is_pandas_series(table)):
        return
    for name, values in of_rows.items():
        if not (is_pandas_series(values) or is_pandas_dataframe(values)):
            continue
        mine, others = table.index, values.index
        if len(mine) == len(others) and not mine.equals(others) and set(mine) == set(others):
            raise ValueError(
                f"{name} has the {what}'s rows in another order: give {name}.loc[{what}.index],"
                " or reset both indexes if their places are right"
            )


def snapshots(as_of: Any, rows: int) -> np.ndarray:
    """Return the place (rows,) of each row's snapshot among all of them, 0 the oldest.

    Raises ``ValueError`` for what does not sort by time: types that are not alike, and text that does
    not begin with the year.
    """
    values = aligned("as_of", as_of, rows)
    try:
        different, place = np.unique(values, return_inverse=True)
    except TypeError as error:
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise ValueError(f"as_of has values that cannot be put in order: {kinds}; give one type") from error
    unordered = [
        each for each in different.tolist() if isinstance(each, str) and not YEAR_FIRST.fullmatch(each)
    ]
    if unordered:
        raise ValueError(
            f"as_of is text that does not sort by time, such as {unordered[0]!r};"
            " give dates, numbers or ISO 8601 (2026-03-31)"
        )
    return np.asarray(place)


def binary(label: Any, rows: int) -> np.ndarray:
    """Return ``label`` as (rows,) floats; raises ``ValueError`` unless it is that many 0 and 1."""
    values = np.asarray(label)
    if values.shape == (rows, 1):
        values = values[:, 0]
    values = aligned("the label", values, rows)
    try:
        target = values.astype(np.float64)
    except (TypeError, ValueError):
        target = np.full(rows, np.nan)
    wrong = ~np.isin(target, (0, 1))
    if wrong.any():
        shown = ", ".join(sorted({repr(value) for value in values[wrong][:5].tolist()}))
        raise ValueError(
            f"a label is 0 or 1 in every row, but {wrong.sum()} of {rows} are not, such as {shown};"
            " say which value counts as 1: label == value"
        )
    return target


def sampled(parts: Iterable[Part], most: int, seed: int) -> tuple[Part, list[int], float]:
    """Draw at most ``most`` rows evenly from all; also return the parts' sizes and the positives.

    Each row draws a number; the rows with the smallest numbers stay.
    """
    generator = np.random.default_rng(seed)
    kept: Part | None = None
    drawn, sizes, positives = np.empty(0), [], 0.0
    for part in parts:
        sizes.append(len(part.target))
        positives += part.target.sum()
        drawn = np.concatenate([drawn, generator.random(len(part.target))])
        kept = part if kept is None else _together(kept, part)
        if len(drawn) > most:
            smallest = np.sort(np.argpartition(drawn, most)[:most])
            kept, drawn = kept.at(smallest), drawn[smallest]
    if kept is None:
        raise TooFewExamples("there is no batch to learn from")
    return kept, sizes, positives


def _together(one: Part, other: Part) -> Part:
    differ = set(one.frame.columns) ^ set(other.frame.columns)
    if differ:
        raise InputsError(f"not every batch has the columns {', '.join(sorted(differ))}")
    return Part(
        pl.concat([one.frame, other.frame.select(one.frame.columns)], how="vertical_relaxed"),
        np.concatenate([one.target, other.target]),
        np.concatenate([one.fold, other.fold]),
        np.concatenate([one.newest, other.newest]),
    )


def require_enough(rows: int, positives: int, fold: np.ndarray, members: int) -> None:
    """Raise ``TooFewExamples`` unless every fold can learn from both classes."""
    if min(positives, rows - positives) < FEWEST or len(np.unique(fold)) < members:
        raise TooFewExamples(
            f"{rows} rows with {positives} positives are too few to train on:"
            f" at least {FEWEST} rows of each class and {members} customers are needed"
        )
