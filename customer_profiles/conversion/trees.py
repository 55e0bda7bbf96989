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
    ``threshold``; for a categorical node, where the bit of its code is set in the node's row of
    ``bitsets`` (n, 8) uint32; where the value is missing, if ``missing_left``.
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    categorical: np.ndarray
    bitset: np.ndarray
    bitsets: np.ndarray
    value: np.ndarray
    depth: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, fitted: Any) -> Trees:
        """Take the trees out of a fitted binary ``HistGradientBoostingClassifier``.

        scikit-learn keeps them in private attributes (``_predictors``, ``_baseline_prediction``);
        ``test_conversion_baselines`` holds this copy's predictions against its own. Categorical
        columns must come first and hold the codes 0, 1, 2...: it orders and encodes them so.
        """
        predictors = [predictor for (predictor,) in fitted._predictors]
        nodes = np.concatenate([predictor.nodes for predictor in predictors])
        sizes = [len(predictor.nodes) for predictor in predictors]
        bits = [len(predictor.raw_left_cat_bitsets) for predictor in predictors]
        first = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
        first_bits = np.repeat(np.cumsum([0, *bits[:-1]]), sizes)
        leaf, here = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        return cls(
            roots=np.unique(first),
            left=np.where(leaf, here, nodes["left"] + first),
            right=np.where(leaf, here, nodes["right"] + first),
            feature=np.where(leaf, 0, nodes["feature_idx"]),
            threshold=nodes["num_threshold"].copy(),
            missing_left=nodes["missing_go_to_left"].astype(bool),
            categorical=nodes["is_categorical"].astype(bool) & ~leaf,
            bitset=nodes["bitset_idx"] + first_bits,
            bitsets=np.concatenate([p.raw_left_cat_bitsets for p in predictors]).reshape(-1, 8),
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
                place = np.where(self._goes_left(place, reads), self.left[place], self.right[place])
            total += self.value[place]
        return total

    def _goes_left(self, place: np.ndarray, reads: np.ndarray) -> np.ndarray:
        unknown = np.isnan(reads)
        goes = np.where(unknown, self.missing_left[place], reads <= self.threshold[place])
        by_code = np.flatnonzero(self.categorical[place] & ~unknown)
        if len(by_code):
            code, at = reads[by_code].astype(np.int64), place[by_code]
            word = self.bitsets[self.bitset[at], code // 32]
            goes[by_code] = (word >> (code % 32).astype(np.uint32)) & 1
        return np.asarray(goes, dtype=bool)

    def save(self, folder: Path) -> None:
        """Write the arrays into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / TREES, **self.__dict__)

    @classmethod
    def load(cls, folder: Path) -> Trees:
        """Read what ``save`` wrote."""
        with np.load(folder / TREES, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})
