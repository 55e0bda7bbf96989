"""From traits to the numbers that a network reads, fitted on training rows alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from customer_profiles.projection.matrix import filled, numeric_matrix
from customer_profiles.projection.projection import Projection

ARRAYS, NAMES, COMPONENTS = "inputs.npz", "inputs.json", "projection"
MISSING, OTHER = "(missing)", "(other)"
INFORMATIVE_SHARE = 0.01
"""A missing-value indicator is kept if it is set, and unset, for at least this share of the rows."""


class InputsError(ValueError):
    """The table does not hold what the model was fitted on."""


class Inputs:
    """Numeric traits as normal scores, their principal components, and categories one-hot.

    Parameters
    ----------
    variance
        Share of variance that the principal components keep, if no projection is given; ``None``
        leaves components out.
    projection
        A fitted projection to use; ``None`` fits one on the rows given to ``fit``.
    knots
        Points of each column's empirical quantile function that are kept.
    smallest_count
        A category seen less often counts as ``(other)``. Missing is a category.
    most_levels
        So many of a column's commonest categories get an input of their own.

    Attributes
    ----------
    numeric_, categories_
        Columns in use; those without any information on the training rows are dropped.
    values_, scores_
        Per numeric column, ascending values and the normal score at each.
    median_, missing_
        (n,) Median of each numeric column; whether it has a missing-value indicator.
    levels_
        Categories of each categorical column that have an input.
    projection_, projection_scale_
        The components, all divided by the square root of the first eigenvalue: not whitened.
    names_
        Names of the inputs.

    Notes
    -----
    The rank-based inverse normal transform (van der Waerden 1952): the score of a value is the normal
    quantile of its mean rank, then standardised; between knots it is linear, and beyond them constant.
    """

    numeric_: list[str]
    categories_: list[str]
    values_: list[np.ndarray]
    scores_: list[np.ndarray]
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
        smallest_count: int = 20,
        most_levels: int = 100,
    ) -> None:
        self.variance = variance
        self.projection = projection
        self.knots = knots
        self.smallest_count = smallest_count
        self.most_levels = most_levels

    def fit(self, frame: pl.DataFrame, numeric: Sequence[str], categories: Sequence[str]) -> Inputs:
        """Learn knots, medians, categories and components from the rows of ``frame``.

        Raises ``ValueError`` naming absent columns, or if no column tells rows apart.
        """
        require(frame, [*numeric, *categories])
        matrix = numeric_matrix(frame, numeric)
        varies = _varies(matrix)
        self.numeric_ = [name for name, keep in zip(numeric, varies, strict=True) if keep]
        matrix = matrix[:, varies]
        self.median_ = np.nanmedian(matrix, axis=0) if self.numeric_ else np.empty(0)
        self.missing_ = _informative(np.isnan(matrix))
        curves = [_normal_scores(column[~np.isnan(column)], self.knots) for column in matrix.T]
        self.values_, self.scores_ = [c[0] for c in curves], [c[1] for c in curves]
        self.levels_ = {name: self._levels(frame[name]) for name in categories}
        self.levels_ = {name: levels for name, levels in self.levels_.items() if len(levels) > 1}
        self.categories_ = list(self.levels_)
        if not self.names_without_components:
            raise ValueError(f"none of the {len(numeric) + len(categories)} columns tells rows apart")
        self._fit_components(frame)
        return self

    def _fit_components(self, frame: pl.DataFrame) -> None:
        self.projection_, self.projection_scale_ = self.projection, 1.0
        if self.projection_ is None and self.variance is not None and len(self.numeric_) > 1:
            self.projection_ = Projection(self.variance).fit(frame, self.numeric_)
        if self.projection_ is not None:
            self.projection_scale_ = float(np.sqrt(self.projection_.explained_variance_[0]))

    def _levels(self, column: pl.Series) -> list[str]:
        counts = _text(column).value_counts().sort(["count", column.name], descending=[True, False])
        often = counts.filter(pl.col("count") >= self.smallest_count).head(self.most_levels)
        levels = often[column.name].to_list()
        rest = counts.height - len(levels)
        return [*levels, OTHER] if rest else levels

    def transform(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the (rows, inputs) float32 matrix; always finite.

        An unknown number counts as the median (and sets its indicator), an unseen category as
        ``(other)``. Raises ``InputsError`` naming columns that the table lacks.
        """
        require(frame, [*self.numeric_, *self.categories_])
        matrix = numeric_matrix(frame, self.numeric_)
        unknown = np.isnan(matrix)
        matrix = filled(matrix, self.median_)
        columns = zip(matrix.T, self.values_, self.scores_, strict=True)
        blocks = [np.interp(column, values, scores)[:, None] for column, values, scores in columns]
        blocks.append(unknown[:, self.missing_])
        if self.projection_ is not None:
            blocks.append(self.projection_.transform(frame) / self.projection_scale_)
        blocks += [_one_hot(_text(frame[name]), levels) for name, levels in self.levels_.items()]
        return np.hstack([block.astype(np.float32) for block in blocks])

    @property
    def names_without_components(self) -> list[str]:
        """Names of the inputs that show one trait each."""
        missing = [f"{n} is missing" for n, kept in zip(self.numeric_, self.missing_, strict=True) if kept]
        one_hot = [f"{name} = {level}" for name, levels in self.levels_.items() for level in levels]
        return [*self.numeric_, *missing, *one_hot]

    @property
    def names_(self) -> list[str]:
        """Names of the inputs, in the order of the matrix's columns."""
        components = self.projection_.names if self.projection_ is not None else []
        singles = self.names_without_components
        first = len(self.numeric_) + int(self.missing_.sum())
        return [*singles[:first], *components, *singles[first:]]

    def save(self, folder: Path) -> None:
        """Write the fitted state into ``folder`` as arrays and JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        lengths = np.array([len(values) for values in self.values_], dtype=np.int64)
        np.savez(
            folder / ARRAYS,
            lengths=lengths,
            values=np.concatenate([np.empty(0), *self.values_]),
            scores=np.concatenate([np.empty(0), *self.scores_]),
            median=self.median_,
            missing=self.missing_,
            projection_scale=np.array(self.projection_scale_),
        )
        names = {"numeric": self.numeric_, "levels": self.levels_, "components": self.projection_ is not None}
        names |= {
            name: getattr(self, name) for name in ("variance", "knots", "smallest_count", "most_levels")
        }
        (folder / NAMES).write_text(json.dumps(names, ensure_ascii=False, indent=1), encoding="utf-8")
        if self.projection_ is not None:
            self.projection_.save(folder / COMPONENTS)

    @classmethod
    def load(cls, folder: Path) -> Inputs:
        """Read what ``save`` wrote."""
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        inputs = cls(names["variance"], None, names["knots"], names["smallest_count"], names["most_levels"])
        inputs.numeric_, inputs.levels_ = names["numeric"], names["levels"]
        inputs.categories_ = list(inputs.levels_)
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            ends = np.cumsum(arrays["lengths"])[:-1]
            inputs.values_ = np.split(arrays["values"], ends) if inputs.numeric_ else []
            inputs.scores_ = np.split(arrays["scores"], ends) if inputs.numeric_ else []
            inputs.median_, inputs.missing_ = arrays["median"], arrays["missing"]
            inputs.projection_scale_ = float(arrays["projection_scale"])
        inputs.projection_ = Projection.load(folder / COMPONENTS) if names["components"] else None
        return inputs


def column_kinds(frame: pl.DataFrame) -> tuple[list[str], list[str]]:
    """The numeric (and boolean) columns of a table, and its categories; other types are left out."""
    numeric = [n for n, dtype in frame.schema.items() if dtype.is_numeric() or dtype == pl.Boolean]
    categories = [n for n, dtype in frame.schema.items() if dtype in (pl.String, pl.Categorical, pl.Enum)]
    return numeric, categories


def require(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Raise ``InputsError`` naming the ``columns`` that the table lacks."""
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise InputsError(
            f"the table lacks {len(absent)} of the model's {len(columns)} columns: {', '.join(absent)};"
            " deliver them, or train again without them"
        )


def _varies(matrix: np.ndarray) -> np.ndarray:
    unknown = np.isnan(matrix)
    smallest = np.where(unknown, np.inf, matrix).min(axis=0)
    largest = np.where(unknown, -np.inf, matrix).max(axis=0)
    return np.asarray(smallest < largest)


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


def _normal_scores(known: np.ndarray, knots: int) -> tuple[np.ndarray, np.ndarray]:
    """Knots of the map from a column's values to standardised normal scores."""
    from scipy.special import ndtri

    values, counts = np.unique(known, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    if len(values) > knots:
        chosen = np.unique(np.searchsorted(middle, np.linspace(middle[0], middle[-1], knots)))
        values, middle = values[chosen], middle[chosen]
        counts = np.diff(np.concatenate([[0.0], (middle[:-1] + middle[1:]) / 2, [1.0]]))
    scores = ndtri(middle)
    mean = np.average(scores, weights=counts)
    deviation = np.sqrt(np.average((scores - mean) ** 2, weights=counts))
    return values, (scores - mean) / deviation


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).fill_null(MISSING)


def _one_hot(column: pl.Series, levels: list[str]) -> np.ndarray:
    place = {level: number for number, level in enumerate(levels)}
    code = column.replace_strict(place, default=place.get(OTHER, -1), return_dtype=pl.Int32).to_numpy()
    return np.asarray(code[:, None] == np.arange(len(levels)))
