"""Gradient-boosted trees as plain arrays, so that they are stored without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from customer_profiles.conversion.columns import require, with_numbers, words
from customer_profiles.conversion.frames import InputsError
from customer_profiles.projection.matrix import columns_that_vary, numeric_matrix

ARRAYS = "trees.npz"


@dataclass(frozen=True)
class TreeInputs:
    """The columns that trees read: ``numeric`` ones, and categories with their ``levels`` in training.

    A category is the place of its name in the alphabet: on folds of training rows that did better on
    three tables than categorical splits (``benchmarks/conversion.py``). Columns that do not vary are left
    out.
    """

    numeric: list[str]
    levels: dict[str, list[str]]

    @classmethod
    def of(cls, frame: pl.DataFrame, numeric: Sequence[str], categories: Sequence[str]) -> Self:
        """Learn which columns tell rows apart, and the levels of the categories: what is seen twice.

        Raises ``InputsError`` if there is no such column.
        """
        require(frame, [*categories, *numeric])
        matrix = numeric_matrix(with_numbers(frame, numeric), numeric)
        kept = [name for name, varies in zip(numeric, columns_that_vary(matrix), strict=True) if varies]
        levels = {name: _seen_twice(frame[name]) for name in categories}
        levels = {name: seen for name, seen in levels.items() if seen}
        if not kept and not levels:
            raise InputsError(f"none of the {len(numeric) + len(categories)} columns tells rows apart")
        return cls(kept, levels)

    def matrix(self, frame: pl.DataFrame) -> np.ndarray:
        """Return (rows, columns) floats: what is missing, and a category never seen, is NaN."""
        require(frame, [*self.levels, *self.numeric])
        codes = [_codes(frame[name], levels) for name, levels in self.levels.items()]
        return np.column_stack([*codes, numeric_matrix(with_numbers(frame, self.numeric), self.numeric)])


def _seen_twice(column: pl.Series) -> list[str]:
    text = words(column).drop_nulls()
    return text.filter(text.is_duplicated()).unique().sort().to_list()


def _codes(column: pl.Series, levels: list[str]) -> np.ndarray:
    place = {level: float(number) for number, level in enumerate(levels)}
    return (
        words(column)
        .replace_strict(place, default=None, return_dtype=pl.Float64)
        .fill_null(np.nan)
        .to_numpy()
    )


@cache
def grown_in_steps() -> Any:
    """scikit-learn's boosted trees, for ``warm_start`` on the same rows: no step repeats earlier ones' work.

    Columns are cut into bins once (of 300 columns, that was half of the time), and a row's logit is that of
    the step before with the new trees added. What is overridden is private; ``test_upstream`` holds it
    against scikit-learn's own.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    class GrownInSteps(HistGradientBoostingClassifier):  # type: ignore[misc]
        _bin_mapper: Any
        learnt_: tuple[int, np.ndarray]
        staged_: tuple[int, np.ndarray]

        def _bin_data(self, *rows: Any, **how: Any) -> Any:
            if not hasattr(self, "cut_"):
                self.cut_ = super()._bin_data(*rows, **how), self._bin_mapper
            binned, self._bin_mapper = self.cut_
            return binned

        def _raw_predict(self, rows: Any, n_threads: int | None = None) -> Any:
            if not getattr(self, "_in_fit", False):
                return super()._raw_predict(rows, n_threads)
            grown, logit = getattr(self, "learnt_", (0, self._start(rows)))
            self._predict_iterations(rows, self._predictors[grown:], logit, True, n_threads)
            self.learnt_ = len(self._predictors), logit
            return logit.copy(order="K")

        def newest_stages(self, rows: np.ndarray) -> np.ndarray:
            """The logit (trees, rows) of the same ``rows`` after each tree since the last call."""
            grown, logit = getattr(self, "staged_", (0, self._start(rows)))
            stages = []
            for tree in self._predictors[grown:]:
                self._predict_iterations(rows, [tree], logit, False, 1)
                stages.append(logit[:, 0].copy())
            self.staged_ = len(self._predictors), logit
            return np.array(stages)

        def _start(self, rows: np.ndarray) -> Any:
            return np.repeat(self._baseline_prediction, len(rows), axis=0)

    return GrownInSteps


@dataclass(frozen=True)
class Trees:
    """All trees' nodes one after another.

    ``roots`` (trees,) are the places of the first nodes; ``left`` and ``right`` are places too. A leaf
    leads to itself and holds its ``value``. A row goes left where its ``feature`` is at most
    ``threshold``; where the value is missing, if ``missing_left``.
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, fitted: Any, first: int | None = None) -> Self:
        """Take the trees, or the ``first`` ones, out of a fitted binary ``HistGradientBoostingClassifier``.

        scikit-learn keeps them in private attributes (``_predictors``, ``_baseline_prediction``);
        ``test_conversion_baselines`` holds this copy's predictions against its own. All columns must be
        numbers to it.
        """
        predictors = [predictor for (predictor,) in fitted._predictors[:first]]
        nodes = np.concatenate([predictor.nodes for predictor in predictors])
        sizes = [len(predictor.nodes) for predictor in predictors]
        root = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
        leaf, here = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        return cls(
            roots=np.unique(root),
            left=np.where(leaf, here, nodes["left"] + root),
            right=np.where(leaf, here, nodes["right"] + root),
            feature=np.where(leaf, 0, nodes["feature_idx"]),
            threshold=nodes["num_threshold"].copy(),
            missing_left=nodes["missing_go_to_left"].astype(bool),
            value=nodes["value"].copy(),
            start=np.asarray(fitted._baseline_prediction, dtype=np.float64).ravel(),
        )

    @classmethod
    def mean(cls, several: Sequence[Self]) -> Self:
        """The trees whose logit is the mean of that of ``several``."""
        starts = np.cumsum([0, *(len(each.left) for each in several[:-1])])

        def moved(name: str) -> np.ndarray:
            return np.concatenate([getattr(e, name) + s for e, s in zip(several, starts, strict=True)])

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(each, name) for each in several])

        return cls(
            roots=moved("roots"),
            left=moved("left"),
            right=moved("right"),
            value=joined("value") / len(several),
            start=np.mean([each.start for each in several], axis=0),
            **{name: joined(name) for name in ("feature", "threshold", "missing_left")},
        )

    def logit(self, matrix: np.ndarray) -> np.ndarray:
        """Return the sum (rows,) of the leaves that each row of ``matrix`` (rows, columns) reaches.

        Not node after node, but split after split over all rows (QuickScorer; Lucchese et al. 2015): who
        goes right loses the leaves to the left, and the leftmost one that is still there is reached.
        """
        total = np.full(len(matrix), self.start[0])
        columns, unknown = matrix.T.copy(), np.isnan(matrix).T.copy()
        for splits, leaves in self._left_to_right:
            bits = np.min_scalar_type((1 << len(leaves)) - 1).type
            there = np.full(len(matrix), (1 << len(leaves)) - 1, bits)
            for place, lost in splits:
                feature = self.feature[place]
                right = columns[feature] > self.threshold[place]
                if not self.missing_left[place]:
                    right |= unknown[feature]
                there &= ~(right.astype(bits) * bits(lost))
            before = (there & (~there + bits(1))) - bits(1)
            total += self.value[leaves][np.bitwise_count(before)]
        return total

    @cached_property
    def _left_to_right(self) -> list[tuple[list[tuple[int, int]], list[int]]]:
        """Each tree's splits and leaves; a split with the bits of the leaves that who goes right loses."""
        return [self._tree(root) for root in self.roots]

    def _tree(self, root: int) -> tuple[list[tuple[int, int]], list[int]]:
        splits: list[tuple[int, int]] = []
        leaves: list[int] = []

        def visit(place: int) -> None:
            if self.left[place] == place:
                leaves.append(place)
                return
            first = len(leaves)
            visit(self.left[place])
            splits.append((place, (1 << len(leaves)) - (1 << first)))
            visit(self.right[place])

        visit(root)
        return splits, leaves

    def save(self, folder: Path) -> None:
        """Write the arrays into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / ARRAYS, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})
