"""Customers parted into named segments by their habits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from customer_profiles.projection.matrix import TooLittleError, filled, numeric_matrix
from customer_profiles.segments.naming import segment_names

NUMBERS, NAMES = "segmentation.npz", "segmentation.json"
ARRAYS = ("logged_", "mean_", "scale_", "centres_", "sizes_")
PROFILE = {
    "segment": pl.String,
    "trait": pl.String,
    "mean": pl.Float64,
    "overall_mean": pl.Float64,
    "z": pl.Float64,
}
FARTHEST = 4.0
"""Standard deviations beyond which a trait pulls no farther: one odd customer is not a segment."""
LARGEST_TRAINING, LARGEST_SILHOUETTE = 50_000, 4_000
FEWEST_CUSTOMERS = 50
STARTS = 5
NEARLY_BEST = 0.95
"""Share of the best silhouette that is good enough: of two about equal numbers of segments the smaller
is the easier to act upon."""


class Segmentation:
    """KMeans on standardised traits, with the number of segments chosen by silhouette.

    Parameters
    ----------
    fewest, most
        Between how many segments to choose.
    smallest_share
        A number of segments of which one would hold a smaller share of the customers is passed over.
    seed
        Of samples and of KMeans' starting points.

    Attributes
    ----------
    columns_, dropped_
        The n traits in use; those left out because they are always NULL or always the same.
    logged_
        (n,) Whether log(1 + x) of a trait is taken: counts, days and money, which are heavy-tailed,
        told by their being never negative and above 1 somewhere.
    mean_, scale_
        (n,) Mean and standard deviation of the (logged) trait. The mean stands in for NULL: what is
        unknown draws a customer towards no segment.
    centres_
        (k, n) Centres in standardised traits, the largest segment first.
    k_, names_, sizes_
        Number of segments, their names, and how many training customers each holds.
    silhouette_by_k_, smallest_share_by_k_
        What each number of segments would have given.
    profile_
        Tidy frame: segment, trait, mean (of the customers in whom the trait is known, in its own
        unit), overall_mean, z (the centre's standardised difference from the average customer).

    Notes
    -----
    The silhouette (Rousseeuw 1987) is taken on a sample; of all numbers of segments that come near the
    best the smallest is chosen. KMeans runs in one thread: sums of several repeat only by chance.
    Where no number of segments has the smallest share the fewest are taken, and the check on the
    smallest share says so.
    """

    columns_: list[str]
    dropped_: list[str]
    logged_: np.ndarray
    mean_: np.ndarray
    scale_: np.ndarray
    centres_: np.ndarray
    sizes_: np.ndarray
    k_: int
    names_: list[str]
    silhouette_by_k_: dict[int, float]
    smallest_share_by_k_: dict[int, float]
    profile_: pl.DataFrame

    def __init__(
        self, fewest: int = 4, most: int = 8, smallest_share: float = 0.03, seed: int = 20260101
    ) -> None:
        self.fewest = fewest
        self.most = most
        self.smallest_share = smallest_share
        self.seed = seed

    def fit(self, frame: pl.DataFrame, columns: Sequence[str]) -> Segmentation:
        """Find the segments of the customers of ``frame``, one row each, by numeric ``columns``.

        Raises ``ValueError`` for parameters that cannot be and for absent or textual columns,
        ``TooLittleError`` for fewer than ``FEWEST_CUSTOMERS`` customers or if no column varies.
        """
        self._refuse_what_cannot_be(frame)
        rows = frame.sort("customer_key") if "customer_key" in frame.columns else frame
        if rows.height > LARGEST_TRAINING:
            rows = rows.sample(LARGEST_TRAINING, seed=self.seed)
        raw = numeric_matrix(rows, columns)
        self._learn_scale(raw, columns)
        points = self.standardise(rows)
        centres_by_k = self._try_each_k(points)
        self.k_ = self._best_k()
        places = nearest(points, centres_by_k[self.k_])[0]
        order = np.argsort(-np.bincount(places, minlength=self.k_), kind="stable")
        self.centres_ = centres_by_k[self.k_][order]
        places = nearest(points, self.centres_)[0]
        self.sizes_ = np.bincount(places, minlength=self.k_)
        self.names_ = segment_names(
            [dict(zip(self.columns_, centre.tolist(), strict=True)) for centre in self.centres_]
        )
        self.profile_ = self._profile(numeric_matrix(rows, self.columns_), places)
        return self

    def standardise(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the (rows, n) standardised traits: logged, NULL filled, scaled, outliers pulled in."""
        matrix = _logged(numeric_matrix(frame, self.columns_), self.logged_)
        points: np.ndarray = (filled(matrix, self.mean_) - self.mean_) / self.scale_
        return points.clip(-FARTHEST, FARTHEST)

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``customer_key``, ``segment`` (name) and ``segment_confidence`` of each row.

        Confidence is 1 - d1 / d2 with the distances to the nearest and the second nearest centre: 1 in
        a centre, 0 half-way between two (the simplified silhouette of Hruschka et al. 2004).
        """
        places, confidence = nearest(self.standardise(frame), self.centres_)
        return pl.DataFrame(
            {
                "customer_key": frame["customer_key"],
                "segment": pl.Series(self.names_, dtype=pl.String).gather(places),
                "segment_confidence": pl.Series(confidence, dtype=pl.Float64),
            }
        )

    def save(self, folder: Path) -> None:
        """Write the fitted segmentation into ``folder``: one file of numbers, one of names."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / NUMBERS, **{name: getattr(self, name) for name in ARRAYS})
        told = {
            "parameters": [self.fewest, self.most, self.smallest_share, self.seed],
            "columns": self.columns_,
            "dropped": self.dropped_,
            "names": self.names_,
            "silhouette_by_k": self.silhouette_by_k_,
            "smallest_share_by_k": self.smallest_share_by_k_,
            "profile": self.profile_.to_dict(as_series=False),
        }
        (folder / NAMES).write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Segmentation:
        """Read what ``save`` wrote. Raises ``FileNotFoundError`` if it is not there."""
        told = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        loaded = cls(*told["parameters"])
        loaded.columns_, loaded.dropped_, loaded.names_ = told["columns"], told["dropped"], told["names"]
        loaded.silhouette_by_k_ = {int(k): value for k, value in told["silhouette_by_k"].items()}
        loaded.smallest_share_by_k_ = {int(k): value for k, value in told["smallest_share_by_k"].items()}
        loaded.profile_ = pl.DataFrame(told["profile"], schema=PROFILE)
        with np.load(folder / NUMBERS, allow_pickle=False) as numbers:
            for name in ARRAYS:
                setattr(loaded, name, numbers[name])
        loaded.k_ = len(loaded.centres_)
        return loaded

    def _refuse_what_cannot_be(self, frame: pl.DataFrame) -> None:
        if not 2 <= self.fewest <= self.most:
            raise ValueError(f"segments from {self.fewest!r} to {self.most!r}: 2 <= fewest <= most must hold")
        if not 0 < self.smallest_share <= 1 / self.fewest:
            raise ValueError(
                f"smallest_share must lie above 0 and not above 1 / {self.fewest}, "
                f"got {self.smallest_share!r}"
            )
        if frame.height < FEWEST_CUSTOMERS:
            raise TooLittleError(f"segments need at least {FEWEST_CUSTOMERS} customers, got {frame.height}")

    def _learn_scale(self, raw: np.ndarray, columns: Sequence[str]) -> None:
        unknown = np.isnan(raw)
        smallest = np.where(unknown, np.inf, raw).min(axis=0)
        largest = np.where(unknown, -np.inf, raw).max(axis=0)
        varies = smallest < largest
        if not varies.any():
            raise TooLittleError(f"none of the {len(columns)} traits varies: {', '.join(columns)}")
        self.columns_ = [name for name, keep in zip(columns, varies, strict=True) if keep]
        self.dropped_ = [name for name, keep in zip(columns, varies, strict=True) if not keep]
        self.logged_ = (smallest >= 0)[varies] & (largest > 1)[varies]
        matrix = _logged(raw[:, varies], self.logged_)
        self.mean_ = np.nanmean(matrix, axis=0)
        deviation = filled(matrix, self.mean_).std(axis=0)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)

    def _try_each_k(self, points: np.ndarray) -> dict[int, np.ndarray]:
        """Fit every number of segments; note silhouette and smallest share, return the centres."""
        from sklearn.cluster import KMeans
        from sklearn.metrics import silhouette_score
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        sample = min(LARGEST_SILHOUETTE, len(points))
        centres: dict[int, np.ndarray] = {}
        self.silhouette_by_k_, self.smallest_share_by_k_ = {}, {}
        for k in range(self.fewest, self.most + 1):
            with threadpool_limits(1):
                fitted = KMeans(n_clusters=k, n_init=STARTS, random_state=self.seed).fit(points)
            centres[k] = fitted.cluster_centers_
            share = np.bincount(fitted.labels_, minlength=k).min() / len(points)
            score = silhouette_score(points, fitted.labels_, sample_size=sample, random_state=self.seed)
            self.silhouette_by_k_[k], self.smallest_share_by_k_[k] = float(score), float(share)
        return centres

    def _best_k(self) -> int:
        shares = self.smallest_share_by_k_
        scores = {k: self.silhouette_by_k_[k] for k, share in shares.items() if share >= self.smallest_share}
        if not scores:
            return self.fewest
        best = max(scores.values())
        return min(k for k, score in scores.items() if score >= best - (1 - NEARLY_BEST) * abs(best))

    def _profile(self, raw: np.ndarray, places: np.ndarray) -> pl.DataFrame:
        overall = np.nanmean(raw, axis=0)
        rows = [
            (name, trait, mean, everyone, z)
            for place, name in enumerate(self.names_)
            for trait, mean, everyone, z in zip(
                self.columns_,
                _mean_of_the_known(raw[places == place]),
                overall.tolist(),
                self.centres_[place].tolist(),
                strict=True,
            )
        ]
        return pl.DataFrame(rows, schema=PROFILE, orient="row")


def nearest(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each point's nearest centre, and 1 - d1 / d2 of the two nearest."""
    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares, 0))
    first, second = np.partition(distances, 1, axis=1)[:, :2].T
    confidence = 1 - np.divide(first, second, out=np.ones_like(first), where=second > 0)
    return distances.argmin(axis=1), confidence


def _logged(matrix: np.ndarray, logged: np.ndarray) -> np.ndarray:
    return np.where(logged, np.log1p(np.maximum(matrix, 0)), matrix)


def _mean_of_the_known(raw: np.ndarray) -> list[float | None]:
    known = (~np.isnan(raw)).sum(axis=0)
    total = np.nansum(raw, axis=0)
    return [float(value) / int(rows) if rows else None for value, rows in zip(total, known, strict=True)]
