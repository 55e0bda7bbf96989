"""What the network is held against: from the base rate to gradient-boosted trees.

Every model here has the network's shape: ``fit(table, label, customer_key, as_of)`` and
``predict(table)``; all but the seed recipe also ``save(folder)`` and ``load(folder)``, without pickle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import polars as pl

from customer_profiles.conversion import backend
from customer_profiles.conversion.batches import binary
from customer_profiles.conversion.calibration import sigmoid
from customer_profiles.conversion.columns import column_kinds, require, with_numbers
from customer_profiles.conversion.frames import as_frame
from customer_profiles.conversion.inputs import DESCRIPTION, Inputs
from customer_profiles.conversion.trees import TreeInputs, Trees
from customer_profiles.projection.matrix import filled, numeric_matrix

COEFFICIENTS = "coefficients.npz"
RFM_COLUMNS = {
    "recency": ("days_since_last_order",),
    "frequency": ("orders_365", "orders_lifetime", "orders_90", "orders_30"),
    "monetary": ("spend_minor_365", "spend_minor_lifetime", "spend_minor_90", "spend_minor_30"),
}
"""Columns that can play each part; the first that is known for at least one row does."""
FEWEST_COMPLETE_ROWS, EPOCHS = 100, 10


class Model(Protocol):
    """What can be trained and asked for probabilities."""

    kind: ClassVar[str]

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn from one row per example."""

    def predict(self, table: Any) -> np.ndarray:
        """Return the (rows,) probabilities."""


class BaseRate:
    """Everybody is given the share of positives in training."""

    kind: ClassVar[str] = "base_rate"
    rate_: float

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn the share of positives."""
        self.rate_ = float(binary(label, as_frame(table).height).mean())
        return self

    def predict(self, table: Any) -> np.ndarray:
        """Return the same (rows,) probability for each row."""
        return np.full(as_frame(table).height, self.rate_)

    def save(self, folder: Path) -> None:
        """Write the rate as JSON."""
        _describe(folder, self.kind, rate=self.rate_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        model = cls()
        model.rate_ = _description(folder)["rate"]
        return model


class RfmRule:
    """The sum of quintile scores for recency, frequency and monetary value, 3 to 15.

    The probability is the training rate of customers with that sum, drawn towards the base rate by
    as much as 50 customers weigh. An unknown value scores 1. Hughes (1994) is the rule's source.
    """

    kind: ClassVar[str] = "rfm_rule"
    PRIOR: ClassVar[float] = 50.0
    columns_: list[str]
    edges_: np.ndarray
    rates_: np.ndarray

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn quintiles and rates. Raises ``ValueError`` if a part has no known column."""
        frame = as_frame(table)
        target = binary(label, frame.height)
        self.columns_ = [_first_known(frame, part) for part in RFM_COLUMNS]
        matrix = numeric_matrix(frame, self.columns_)
        self.edges_ = np.nanquantile(matrix, [0.2, 0.4, 0.6, 0.8], axis=0)
        total = self._total(matrix)
        rows, positives = np.bincount(total, minlength=16), np.bincount(total, weights=target, minlength=16)
        self.rates_ = (positives + self.PRIOR * target.mean()) / (rows + self.PRIOR)
        return self

    def predict(self, table: Any) -> np.ndarray:
        """Return the (rows,) training rate of each row's score."""
        frame = as_frame(table)
        require(frame, self.columns_)
        return np.asarray(self.rates_[self._total(numeric_matrix(frame, self.columns_))])

    def _total(self, matrix: np.ndarray) -> np.ndarray:
        scores = 1 + (matrix[:, :, None] > self.edges_.T[None]).sum(axis=2)
        scores[:, 0] = 6 - scores[:, 0]
        return np.asarray(np.where(np.isnan(matrix), 1, scores).sum(axis=1))

    def save(self, folder: Path) -> None:
        """Write columns, quintiles and rates as JSON."""
        edges, rates = self.edges_.tolist(), self.rates_.tolist()
        _describe(folder, self.kind, columns=self.columns_, edges=edges, rates=rates)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        model, stored = cls(), _description(folder)
        model.columns_ = stored["columns"]
        model.edges_, model.rates_ = np.array(stored["edges"]), np.array(stored["rates"])
        return model


class Logistic:
    """Logistic regression on the network's inputs, without the components."""

    kind: ClassVar[str] = "logistic_regression"
    inputs_: Inputs
    coefficients_: np.ndarray
    intercept_: float

    def __init__(self, numeric: Sequence[str] | None = None, categories: Sequence[str] | None = None) -> None:
        self.numeric = numeric
        self.categories = categories

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn inputs and coefficients (scikit-learn's default penalty)."""
        from sklearn.linear_model import LogisticRegression

        frame = as_frame(table)
        self.inputs_ = Inputs(variance=None).fit(frame, *column_kinds(frame, self.numeric, self.categories))
        fitted = LogisticRegression(max_iter=500).fit(
            self.inputs_.transform(frame), binary(label, frame.height)
        )
        self.coefficients_, self.intercept_ = fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0])
        return self

    def predict(self, table: Any) -> np.ndarray:
        """Return the (rows,) probabilities."""
        logit = self.inputs_.transform(as_frame(table)) @ self.coefficients_ + self.intercept_
        return sigmoid(logit)

    def save(self, folder: Path) -> None:
        """Write inputs and coefficients."""
        self.inputs_.save(folder)
        np.savez(folder / COEFFICIENTS, coefficients=self.coefficients_)
        _describe(folder, self.kind, intercept=self.intercept_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        model = cls()
        model.inputs_ = Inputs.load(folder)
        model.intercept_ = _description(folder)["intercept"]
        with np.load(folder / COEFFICIENTS, allow_pickle=False) as arrays:
            model.coefficients_ = arrays["coefficients"]
        return model


class BoostedTrees:
    """scikit-learn's HistGradientBoosting with its defaults but half the learning rate.

    On folds of training rows of three tables the smaller steps did better (``benchmarks/conversion.py``).
    """

    kind: ClassVar[str] = "hist_gradient_boosting"
    inputs_: TreeInputs
    trees_: Trees

    def __init__(
        self,
        numeric: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        seed: int = 0,
        rounds: int = 100,
    ) -> None:
        self.numeric = numeric
        self.categories = categories
        self.seed = seed
        self.rounds = rounds

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn the trees, in one thread: OpenMP's threads wait by spinning, and where other processes
        share the cores that took 35 s for what one thread does in 2.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        frame = as_frame(table)
        self.inputs_ = TreeInputs.of(frame, *column_kinds(frame, self.numeric, self.categories))
        trees = HistGradientBoostingClassifier(
            learning_rate=0.05, random_state=self.seed, max_iter=self.rounds
        )
        with threadpool_limits(1):
            trees.fit(self.inputs_.matrix(frame), binary(label, frame.height))
        self.trees_ = Trees.of(trees)
        return self

    def predict(self, table: Any) -> np.ndarray:
        """Return the (rows,) probabilities."""
        return sigmoid(self.trees_.logit(self.inputs_.matrix(as_frame(table))))

    def save(self, folder: Path) -> None:
        """Write the trees as arrays, the categories as JSON."""
        self.trees_.save(folder)
        _describe(folder, self.kind, numeric=self.inputs_.numeric, levels=self.inputs_.levels)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        stored = _description(folder)
        model = cls(stored["numeric"], list(stored["levels"]))
        model.inputs_ = TreeInputs(stored["numeric"], stored["levels"])
        model.trees_ = Trees.load(folder)
        return model


class SeedRecipe:
    """The plain recipe of tutorials: the floor to beat, not a model to ship, so it is not stored.

    Rows with any missing value dropped, numbers standardised, PCA(2), Dense 64-32-1, Adam, 10 epochs,
    batch 32, the last fifth for validation (which decides nothing). A row with a missing value cannot
    be dropped when it is to be scored: its mean stands in. Where fewer than 100 complete rows of both
    classes are left, the recipe gives the base rate.
    """

    kind: ClassVar[str] = "seed_recipe"
    complete_rows_: int

    def __init__(self, numeric: Sequence[str] | None = None, seed: int = 0) -> None:
        self.numeric = numeric
        self.seed = seed

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn from the rows that are complete."""
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        frame = as_frame(table)
        numeric, _ = column_kinds(frame, self.numeric, ())
        target, matrix = binary(label, frame.height), numeric_matrix(with_numbers(frame, numeric), numeric)
        self.rate_ = float(target.mean())
        known = ~np.isnan(matrix).all(axis=0)
        self.columns_ = [name for name, keep in zip(numeric, known, strict=True) if keep]
        matrix = matrix[:, known]
        complete = ~np.isnan(matrix).any(axis=1)
        self.complete_rows_, self.network_ = int(complete.sum()), None
        if self.complete_rows_ >= FEWEST_COMPLETE_ROWS and len(np.unique(target[complete])) == 2:
            matrix, target = matrix[complete], target[complete]
            self.mean_ = matrix.mean(axis=0)
            self.reduce_ = make_pipeline(StandardScaler(), PCA(min(2, matrix.shape[1]))).fit(matrix)
            trained = len(target) * 4 // 5
            self.network_ = self._network(self.reduce_.transform(matrix)[:trained], target[:trained])
        return self

    def _network(self, components: np.ndarray, target: np.ndarray) -> Any:
        keras = backend.keras()

        glorot = keras.initializers.GlorotUniform
        network = keras.Sequential([keras.Input((components.shape[1],))])
        for number, (units, activation) in enumerate([(64, "relu"), (32, "relu"), (1, "sigmoid")]):
            kernel = glorot(seed=self.seed + number)
            network.add(keras.layers.Dense(units, activation, kernel_initializer=kernel))
        network.compile(optimizer="adam", loss="binary_crossentropy", steps_per_execution=64)
        shuffle = np.random.default_rng(self.seed)
        for _ in range(EPOCHS):
            order = shuffle.permutation(len(target))
            network.fit(components[order], target[order], batch_size=32, epochs=1, shuffle=False, verbose=0)
        return network

    def predict(self, table: Any) -> np.ndarray:
        """Return the (rows,) probabilities."""
        frame = as_frame(table)
        if self.network_ is None:
            return np.full(frame.height, self.rate_)
        matrix = filled(numeric_matrix(with_numbers(frame, self.columns_), self.columns_), self.mean_)
        components = self.reduce_.transform(matrix)
        return np.asarray(self.network_.predict(components, batch_size=8192, verbose=0))[:, 0].astype(
            np.float64
        )


BASELINES: dict[str, Callable[[Sequence[str], Sequence[str], int], Model]] = {
    BaseRate.kind: lambda numeric, categories, seed: BaseRate(),
    RfmRule.kind: lambda numeric, categories, seed: RfmRule(),
    Logistic.kind: lambda numeric, categories, seed: Logistic(numeric, categories),
    BoostedTrees.kind: BoostedTrees,
    SeedRecipe.kind: lambda numeric, categories, seed: SeedRecipe(numeric, seed),
}
"""Name -> the untrained model for these numeric columns, categories and seed."""


def rfm_applies(frame: pl.DataFrame) -> bool:
    """Tell whether the table knows recency, frequency and monetary value."""
    return all(any(_known(frame, name) for name in names) for names in RFM_COLUMNS.values())


def _first_known(frame: pl.DataFrame, part: str) -> str:
    for name in RFM_COLUMNS[part]:
        if _known(frame, name):
            return name
    raise ValueError(f"no column tells {part}: none of {', '.join(RFM_COLUMNS[part])} is known")


def _known(frame: pl.DataFrame, name: str) -> bool:
    return name in frame.columns and frame[name].null_count() < frame.height


def _describe(folder: Path, kind: str, **state: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"kind": kind, **state}, ensure_ascii=False, indent=1)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _description(folder: Path) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return stored
