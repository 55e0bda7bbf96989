"""The shapes that a network can have, and the rows on which they are compared."""

from __future__ import annotations

from typing import Any

import numpy as np

DETAILED, SMOOTH, LINEAR = "detailed", "smooth", "linear"
SHAPES: dict[str, dict[str, Any]] = {
    DETAILED: {},
    SMOOTH: {"bends": 0},
    LINEAR: {"bends": 0, "hidden": ()},
}
"""What a shape sets instead of the model's parameters. The smooth one has no ramps, which wins where there
is little to learn; the linear one is a logistic regression with scikit-learn's penalty, on normal scores
and categories alone, which wins where days to come are unlike those that were learnt."""
NEWEST_SHARE = 0.2
FEWEST = 50
"""Rows of either class that the earlier and the newest snapshots must hold to compare shapes on them."""


def newest(as_of: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """Which rows (rows,) are of the newest snapshots, those that hold at least ``NEWEST_SHARE`` of them.

    ``None`` if these or the earlier ones are too few to tell shapes apart. ``target`` (rows,) is 0 or 1.
    """
    days, counts = np.unique(as_of, return_counts=True)
    from_here_on = np.cumsum(counts[::-1])[::-1]
    later = as_of >= days[from_here_on >= NEWEST_SHARE * len(as_of)][-1]
    held = np.bincount(2 * later + target.astype(np.int64), minlength=4)
    return np.asarray(later) if held.min() >= FEWEST else None
