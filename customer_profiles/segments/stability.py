"""Whether the same segments come out again when other customers happen to be there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from customer_profiles.segments.segmentation import Segmentation, nearest

LARGEST_SAMPLE = 5_000
STARTS = 3


@dataclass(frozen=True)
class Stability:
    """Adjusted Rand indices of the segmentation with re-fitted ones, a round each."""

    rounds: list[float]

    @property
    def mean(self) -> float:
        """Their mean: 1 for equal segments, about 0 for chance."""
        return float(np.mean(self.rounds))


def bootstrap_stability(segmentation: Segmentation, frame: pl.DataFrame, rounds: int = 20) -> Stability:
    """Fit KMeans again on bootstrap samples of ``frame``; compare how all its customers are parted.

    The index is Hubert and Arabie's (1985) adjusted Rand index; the bootstrap is that of Fang and Wang,
    Selection of the number of clusters via the bootstrap method (2012). Above ``LARGEST_SAMPLE`` rows
    a sample of that size stands for all. Raises ``ValueError`` for less than one round.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if rounds < 1:
        raise ValueError(f"stability needs at least one round, got {rounds!r}")
    points = segmentation.standardise(frame)
    random = np.random.default_rng(segmentation.seed)
    if len(points) > LARGEST_SAMPLE:
        points = points[random.choice(len(points), LARGEST_SAMPLE, replace=False)]
    parted = nearest(points, segmentation.centres_)[0]
    indices = []
    for _ in range(rounds):
        drawn = points[random.integers(0, len(points), len(points))]
        seed = int(random.integers(2**31))
        with threadpool_limits(1):
            again = KMeans(n_clusters=segmentation.k_, n_init=STARTS, random_state=seed).fit(drawn)
        indices.append(float(adjusted_rand_score(parted, nearest(points, again.cluster_centers_)[0])))
    return Stability(indices)
