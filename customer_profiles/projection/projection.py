"""Standard scaling and principal components of customer features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from customer_profiles.projection.matrix import TooLittleError, columns_that_vary, filled, numeric_matrix

NUMBERS, NAMES = "projection.npz", "projection.json"
ARRAYS = ("mean_", "scale_", "components_", "explained_variance_", "explained_variance_ratio_")
FARTHEST = 1e6
"""Standard deviations beyond which a value tells nothing more."""


class Projection:
    """Features, standardised and turned onto the axes along which customers differ most.

    Parameters
    ----------
    variance
        Share of the standardised features' variance that the kept components explain together,
        above 0 and below 1: the fewest components that exceed it are kept.

    Attributes
    ----------
    columns_
        The n columns in use, in the order in which they were named.
    dropped_
        Columns without any information: always NULL, or always the same value.
    mean_, scale_
        (n,) Mean and standard deviation of each column; the mean stands in for NULL.
    components_
        (k, n) Unit axes, by falling variance. The sign of each is fixed: its largest absolute
        loading is positive.
    explained_variance_, explained_variance_ratio_
        (k,) Variance along each axis, and its share of the whole.

    Notes
    -----
    Fitting is scikit-learn's ``StandardScaler`` and ``PCA`` (Tipping and Bishop 1999 give the
    probabilistic reading). Applying is two lines of NumPy, so that a scored batch needs no library
    and gives the same numbers years later. No whitening: distances keep their meaning.
    """

    columns_: list[str]
    dropped_: list[str]
    mean_: np.ndarray
    scale_: np.ndarray
    components_: np.ndarray
    explained_variance_: np.ndarray
    explained_variance_ratio_: np.ndarray

    def __init__(self, variance: float = 0.9) -> None:
        self.variance = variance

    def fit(self, frame: pl.DataFrame, columns: Sequence[str]) -> Projection:
        """Learn means, scales and axes from the ``columns`` of ``frame``, one row per customer.

        Columns are numeric or boolean. Raises ``ValueError`` for a variance outside (0, 1) and
        for absent or textual columns, ``TooLittleError`` for fewer than two rows or if no column varies.
        """
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        if not 0 < self.variance < 1:
            raise ValueError(f"variance must lie above 0 and below 1, got {self.variance!r}")
        if frame.height < 2:
            raise TooLittleError(
                f"a projection needs at least two customers to learn from, got {frame.height}"
            )
        matrix = numeric_matrix(frame, columns)
        varies = columns_that_vary(matrix)
        if not varies.any():
            raise TooLittleError(f"none of the {len(columns)} columns varies: {', '.join(columns)}")
        self.columns_ = [name for name, keep in zip(columns, varies, strict=True) if keep]
        self.dropped_ = [name for name, keep in zip(columns, varies, strict=True) if not keep]
        matrix = matrix[:, varies]
        matrix = filled(matrix, np.nanmean(matrix, axis=0))
        scaler = StandardScaler().fit(matrix)
        self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        pca = PCA(n_components=self.variance).fit((matrix - self.mean_) / self.scale_)
        self.components_ = _sign_fixed(pca.components_)
        self.explained_variance_ = pca.explained_variance_
        self.explained_variance_ratio_ = pca.explained_variance_ratio_
        return self

    def transform(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the (rows, k) components of each row; always finite.

        NULL, NaN and infinity count as the training mean; a value more than ``FARTHEST`` standard
        deviations away counts as that far. Raises ``ValueError`` that names absent columns.
        """
        matrix = numeric_matrix(frame, self.columns_)
        from_mean = filled(matrix, self.mean_) - self.mean_
        farthest = FARTHEST * self.scale_
        return np.asarray(from_mean.clip(-farthest, farthest) / self.scale_ @ self.components_.T)

    def reconstruction_error(self, frame: pl.DataFrame) -> np.ndarray:
        """Return how far each row lies from what its components tell of it, in standard deviations.

        The root of the mean squared residual over the columns (Jackson and Mudholkar 1979 use its square);
        large for customers such as the projection has never seen. Reads ``frame`` as ``transform`` does.
        """
        components = self.transform(frame)
        farthest = FARTHEST * self.scale_
        from_mean = filled(numeric_matrix(frame, self.columns_), self.mean_) - self.mean_
        residual = from_mean.clip(-farthest, farthest) / self.scale_ - components @ self.components_
        return np.asarray(np.sqrt(np.mean(residual**2, axis=1)))

    @property
    def names(self) -> list[str]:
        """``component_1`` to ``component_k``."""
        return [f"component_{number}" for number in range(1, len(self.components_) + 1)]

    def loadings_in_words(self, longest: int = 5) -> list[str]:
        """Say what each component is made of, by its ``longest`` strongest loadings.

        As in ``PC1 (23 %): high orders_30, spend_minor_30; low days_since_last_order``.
        """
        return [
            f"PC{number} ({share:.0%}): {_in_words(axis, self.columns_, longest)}".replace("%)", " %)")
            for number, (axis, share) in enumerate(
                zip(self.components_, self.explained_variance_ratio_, strict=True), start=1
            )
        ]

    def save(self, folder: Path) -> None:
        """Write the fitted projection into ``folder``: one file of numbers, one of names."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / NUMBERS, **{name: getattr(self, name) for name in ARRAYS})
        names = {"variance": self.variance, "columns": self.columns_, "dropped": self.dropped_}
        (folder / NAMES).write_text(json.dumps(names, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Projection:
        """Read what ``save`` wrote. Raises ``FileNotFoundError`` if it is not there."""
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        projection = cls(names["variance"])
        projection.columns_, projection.dropped_ = names["columns"], names["dropped"]
        with np.load(folder / NUMBERS, allow_pickle=False) as numbers:
            for name in ARRAYS:
                setattr(projection, name, numbers[name])
        return projection


def principal_components(projection: Projection, frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``customer_key`` and ``component_1`` to ``component_k`` of each row of ``frame``."""
    components = pl.DataFrame(projection.transform(frame), schema=dict.fromkeys(projection.names, pl.Float64))
    return pl.concat([frame.select("customer_key"), components], how="horizontal")


def _sign_fixed(axes: np.ndarray) -> np.ndarray:
    """Turn each axis so that its largest absolute loading is positive.

    scikit-learn has changed its own rule between versions (1.5); profiles must not follow.
    """
    largest = np.abs(axes).argmax(axis=1)
    return np.asarray(axes * np.sign(axes[np.arange(len(axes)), largest])[:, None])


def _in_words(axis: np.ndarray, columns: Sequence[str], longest: int) -> str:
    strongest = np.argsort(-np.abs(axis), kind="stable")[:longest]
    sides = {
        "high": [columns[place] for place in strongest if axis[place] > 0],
        "low": [columns[place] for place in strongest if axis[place] < 0],
    }
    return "; ".join(f"{side} {', '.join(names)}" for side, names in sides.items() if names)
