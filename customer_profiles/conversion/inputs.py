"""From traits to the numbers that a network reads, fitted on training rows alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.conversion.columns import (
    require,
    texts,
    with_numbers,
)
from customer_profiles.conversion.encodings import bends, dealt, normal_scores, ramps
from customer_profiles.conversion.frames import InputsError
from customer_profiles.projection.matrix import columns_that_vary, filled, numeric_matrix
from customer_profiles.projection.projection import Projection

DESCRIPTION = "model.json"
"""Says what kind of model a folder holds."""
ARRAYS, NAMES, COMPONENTS = "inputs.npz", "inputs.json", "projection"
RAGGED = ("values", "scores", "bends", "level")
PARAMETERS = ("variance", "knots", "bends", "smallest_count", "most_levels")
OTHER = "(other)"
MOST_RAMPS = 560
"""Inputs that all columns' piecewise-linear encodings may take together."""
INFORMATIVE_SHARE = 0.01
"""A missing-value indicator is kept if it is set, and unset, for at least this share of the rows."""


class Inputs:
    """Numbers as normal scores and ramps, their principal components, and categories one-hot.

    Parameters
    ----------
    variance
        Share of variance that the principal components keep, if no projection is given; ``None``
        leaves components out.
    projection
        A fitted projection to use; ``None`` fits one on the rows given to ``fit``.
    knots
        Points of each column's empirical quantile function that are kept.
    bends
        Most values at which a function of one column may bend (see ``encodings.ramps``). All columns
        share ``MOST_RAMPS`` inputs, those with few values leave theirs to the others: from about fifty
        columns on there are no ramps. 0 leaves them out.
    smallest_count
        A category seen less often counts as ``(other)``. Missing is a category.
    most_levels
        So many of a column's commonest categories get an input of their own.
    rare_count
        Stands for ``smallest_count`` in a column of which most rows would count as ``(other)``: ids, names.

    Attributes
    ----------
    numeric_, categories_
        Columns in use; those without any information on the training rows are dropped.
    values_, scores_
        Per numeric column, ascending values and the normal score at each.
    bends_, level_
        Per numeric column, where its function may bend, and the mean of each ramp, which is taken off.
    median_, missing_
        (n,) Median of each numeric column; whether it has a missing-value indicator.
    levels_
        Categories of each categorical column that have an input.
    projection_, projection_scale_
        The components, all divided by the square root of the first eigenvalue: not whitened.
    names_
        Names of the inputs.
    """

    numeric_: list[str]
    categories_: list[str]
    values_: list[np.ndarray]
    scores_: list[np.ndarray]
    bends_: list[np.ndarray]
    level_: list[np.ndarray]
    median_: np.ndarray
    missing_: np.ndarray
    levels_: dict[str, list[str]]
    projection_: Projection | None
    projection_scale_: float

    def __init__(
        self,
        variance: float | None = 0.95,
        projection: Projection | None = None,
        knots: int = 500,
        bends: int = 0,
        smallest_count: int = 20,
        most_levels: int = 100,
        rare_count: int = 20,
    ) -> None:
        self.variance = variance
        self.projection = projection
        self.knots = knots
        self.bends = bends
        self.smallest_count = smallest_count
        self.most_levels = most_levels
        self.rare_count = rare_count

    def fit(self, frame: pl.DataFrame, numeric: Sequence[str], categories: Sequence[str]) -> Inputs:
        """Learn knots, medians, categories and components from the rows of ``frame``.

        Raises ``InputsError`` naming absent columns, or if no column tells rows apart.
        """
        require(frame, [*numeric, *categories])
        frame = with_numbers(frame, numeric)
        matrix = numeric_matrix(frame, numeric)
        varies = columns_that_vary(matrix)
        self.numeric_ = [name for name, keep in zip(numeric, varies, strict=True) if keep]
        matrix = matrix[:, varies]
        self.median_ = np.nanmedian(matrix, axis=0) if self.numeric_ else np.empty(0)
        self.missing_ = _informative(np.isnan(matrix))
        self._fit_curves([column[~np.isnan(column)] for column in matrix.T])
        self.levels_ = {name: self._levels(frame[name]) for name in categories}
        self.levels_ = {name: levels for name, levels in self.levels_.items() if len(levels) > 1}
        self.categories_ = list(self.levels_)
        if not self.numeric_ and not self.categories_:
            raise InputsError(f"none of the {len(numeric) + len(categories)} columns tells rows apart")
        self._fit_components(frame)
        return self

    def _fit_curves(self, known: list[np.ndarray]) -> None:
        curves = [normal_scores(column, self.knots) for column in known]
        self.values_, self.scores_ = [c[0] for c in curves], [c[1] for c in curves]
        wanted = [min(len(np.unique(column)), self.bends) for column in known]
        shares = dealt(wanted, MOST_RAMPS)
        self.bends_ = [bends(column, most) for column, most in zip(known, shares, strict=True)]
        self.level_ = [
            ramps(column, at).mean(axis=0, dtype=np.float64)
            for column, at in zip(known, self.bends_, strict=True)
        ]

    def _fit_components(self, frame: pl.DataFrame) -> None:
        self.projection_, self.projection_scale_ = self.projection, 1.0
        if self.projection_ is None and self.variance is not None and len(self.numeric_) > 1:
            self.projection_ = Projection(self.variance).fit(frame, self.numeric_)
        if self.projection_ is not None:
            self.projection_scale_ = float(np.sqrt(self.projection_.explained_variance_[0]))

    def _levels(self, column: pl.Series) -> list[str]:
        counts = texts(column).value_counts().sort(["count", column.name], descending=[True, False])
        often = counts.filter(pl.col("count") >= self.smallest_count)
        if often["count"].sum() < len(column) / 2:
            often = counts.filter(pl.col("count") >= self.rare_count)
        levels = often[column.name].head(self.most_levels).to_list()
        rest = counts.height - len(levels)
        return [*levels, OTHER] if rest else levels

    def transform(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the (rows, inputs) float32 matrix; always finite.

        An unknown number counts as the median (and sets its indicator), an unseen category as
        ``(other)``. Raises ``InputsError`` naming columns that the table lacks.
        """
        components = self.projection_.columns_ if self.projection_ is not None else []
        numbers = list(dict.fromkeys([*self.numeric_, *components]))
        require(frame, [*numbers, *self.categories_])
        frame = with_numbers(frame, numbers)
        matrix = numeric_matrix(frame, self.numeric_)
        unknown = np.isnan(matrix)
        columns = np.ascontiguousarray(filled(matrix, self.median_).T)
        curves = zip(columns, self.values_, self.scores_, strict=True)
        blocks = [np.interp(column, values, scores)[:, None] for column, values, scores in curves]
        blocks.append(unknown[:, self.missing_])
        if self.projection_ is not None:
            blocks.append(self.projection_.transform(frame) / self.projection_scale_)
        blocks += [_one_hot(texts(frame[name]), levels) for name, levels in self.levels_.items()]
        stretches = zip(columns, self.bends_, self.level_, strict=True)
        blocks += [ramps(column, at) - level.astype(np.float32) for column, at, level in stretches]
        return np.hstack([block.astype(np.float32, copy=False) for block in blocks])

    @property
    def names_(self) -> list[str]:
        """Names of the inputs, in the order of the matrix's columns."""
        missing = [f"{n} is missing" for n, kept in zip(self.numeric_, self.missing_, strict=True) if kept]
        components = self.projection_.names if self.projection_ is not None else []
        one_hot = [f"{name} = {level}" for name, levels in self.levels_.items() for level in levels]
        stretches = zip(self.numeric_, self.bends_, strict=True)
        passed = [f"{name} above {bend:g}" for name, at in stretches for bend in at[:-1]]
        return [*self.numeric_, *missing, *components, *one_hot, *passed]

    def save(self, folder: Path) -> None:
        """Write the fitted state into ``folder`` as arrays and JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {"median": self.median_, "missing": self.missing_}
        for name in RAGGED:
            parts: list[np.ndarray] = getattr(self, f"{name}_")
            arrays[name] = np.concatenate([np.empty(0), *parts])
            arrays[f"{name}_lengths"] = np.array([len(part) for part in parts], dtype=np.int64)
        np.savez(folder / ARRAYS, projection_scale=np.array(self.projection_scale_), **arrays)
        names = {"numeric": self.numeric_, "levels": self.levels_, "components": self.projection_ is not None}
        names |= {name: getattr(self, name) for name in PARAMETERS}
        (folder / NAMES).write_text(json.dumps(names, ensure_ascii=False, indent=1), encoding="utf-8")
        if self.projection_ is not None:
            self.projection_.save(folder / COMPONENTS)

    @classmethod
    def load(cls, folder: Path) -> Inputs:
        """Read what ``save`` wrote."""
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        inputs = cls(**{name: names[name] for name in PARAMETERS})
        inputs.numeric_, inputs.levels_ = names["numeric"], names["levels"]
        inputs.categories_ = list(inputs.levels_)
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            for name in RAGGED:
                setattr(inputs, f"{name}_", _parted(arrays[name], arrays[f"{name}_lengths"]))
            inputs.median_, inputs.missing_ = arrays["median"], arrays["missing"]
            inputs.projection_scale_ = float(arrays["projection_scale"])
        inputs.projection_ = Projection.load(folder / COMPONENTS) if names["components"] else None
        return inputs


def _informative(unknown: np.ndarray) -> np.ndarray:
    """Which indicators are neither almost constant nor a copy of an earlier column's."""
    share = unknown.mean(axis=0)
    kept = (share >= INFORMATIVE_SHARE) & (share <= 1 - INFORMATIVE_SHARE)
    seen: set[bytes] = set()
    for place in np.flatnonzero(kept):
        pattern = np.packbits(unknown[:, place]).tobytes()
        kept[place] = pattern not in seen
        seen.add(pattern)
    return np.asarray(kept)


def _one_hot(column: pl.Series, levels: list[str]) -> np.ndarray:
    place = {level: number for number, level in enumerate(levels)}
    code = column.replace_strict(place, default=place.get(OTHER, -1), return_dtype=pl.Int32).to_numpy()
    return np.asarray(code[:, None] == np.arange(len(levels)))


def _parted(joined: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """One array per length, out of all of them joined."""
    return np.split(joined, np.cumsum(lengths))[:-1]
