"""Gradient-boosted trees as plain arrays, so that they are stored without pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TREES = "trees.npz"


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
    depth: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, fitted: Any) -> Trees:
        """Take the trees out of a fitted binary ``HistGradientBoostingClassifier``.

        scikit-learn keeps them in private attributes (``_predictors``, ``_baseline_prediction``);
        ``test_conversion_baselines`` holds this copy's predictions against its own. All columns must be
        numbers to it.
        """
        predictors = [predictor for (predictor,) in fitted._predictors]
        nodes = np.concatenate([predictor.nodes for predictor in predictors])
        sizes = [len(predictor.nodes) for predictor in predictors]
        first = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
        leaf, here = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        return cls(
            roots=np.unique(first),
            left=np.where(leaf, here, nodes["left"] + first),
            right=np.where(leaf, here, nodes["right"] + first),
            feature=np.where(leaf, 0, nodes["feature_idx"]),
            threshold=nodes["num_threshold"].copy(),
            missing_left=nodes["missing_go_to_left"].astype(bool),
            value=nodes["value"].copy(),
            depth=np.maximum.reduceat(nodes["depth"], np.unique(first)),
            start=np.asarray(fitted._baseline_prediction, dtype=np.float64).ravel(),
        )

    def logit(self, matrix: np.ndarray) -> np.ndarray:
        """Return the sum (rows,) of the leaves that each row of ``matrix`` (rows, columns) reaches."""
        total = np.full(len(matrix), self.start[0])
        rows = np.arange(len(matrix))
        for root, depth in zip(self.roots, self.depth, strict=True):
            place = np.full(len(matrix), root)
            for _ in range(depth):
                reads = matrix[rows, self.feature[place]]
                left = np.where(np.isnan(reads), self.missing_left[place], reads <= self.threshold[place])
                place = np.where(left, self.left[place], self.right[place])
            total += self.value[place]
        return total

    def save(self, folder: Path) -> None:
        """Write the arrays into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / TREES, **self.__dict__)

    @classmethod
    def load(cls, folder: Path) -> Trees:
        """Read what ``save`` wrote."""
        with np.load(folder / TREES, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})
