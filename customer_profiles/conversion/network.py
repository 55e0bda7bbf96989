"""The conversion model: five small networks in one, each validated on customers it never saw."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from customer_profiles.conversion import backend
from customer_profiles.conversion.calibration import Calibration, fit_calibration, logit_of, sigmoid
from customer_profiles.conversion.inputs import Inputs, column_kinds
from customer_profiles.projection.projection import Projection

NETWORK, DESCRIPTION = "network.keras", "model.json"
FEWEST = 10
"""Fewest rows of either class, and fewest customers, that five folds can learn from."""
AT_ONCE = 16_384
"""Rows that a prediction computes at once."""


class TooFewExamples(ValueError):  # noqa: N818
    """There is not enough to learn from. The message says what there is."""


class ConversionModel:
    """Probability that a customer converts.

    Parameters
    ----------
    seed
        Of folds, weights, dropout and order of rows: same seed, data and machine, same weights.
    numeric, categories
        Columns to read; ``None`` takes them from the table's types.
    projection
        A fitted projection whose components are inputs; ``None`` fits one on the training rows.
    epochs, patience
        Most passes over the rows, and how many without a better out-of-fold log loss end training.
    members, hidden, dropout
        Networks in the ensemble, their layers' widths, and the share of units dropped.
    learning_rate, weight_decay, batch
        Of AdamW; the batch grows with the number of rows (see ``batch_size``).
    report
        Is told of every epoch: its out-of-fold log loss and the time left.

    Attributes
    ----------
    inputs_, network_, calibration_
        Fitted preprocessing, Keras network (logits, (rows, members, 1)) and correction.
    out_of_fold_
        (rows,) Calibrated probability of each training row from the member that never saw its
        customer. Not stored.
    history_
        Out-of-fold log loss after each epoch; ``epochs_`` is the best one.
    base_rate_, rows_
        Share of positives and number of training rows.

    Notes
    -----
    Deep ensembles (Lakshminarayanan et al. 2017) beside a wide linear part (Cheng et al. 2016) that
    starts at zero, so that training begins at the base rate. Kernels are normal with variance
    2 / fan-in (He et al. 2015): Keras' own scaling reads a member axis as part of a convolution.
    """

    kind: ClassVar[str] = "conversion_network"
    inputs_: Inputs
    network_: Any
    calibration_: Calibration
    out_of_fold_: np.ndarray
    history_: list[float]
    epochs_: int
    base_rate_: float
    rows_: int

    def __init__(
        self,
        seed: int = 0,
        *,
        numeric: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        projection: Projection | None = None,
        epochs: int = 80,
        patience: int = 8,
        members: int = 5,
        hidden: tuple[int, int] = (64, 32),
        dropout: float = 0.2,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        batch: int = 256,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.seed = seed
        self.numeric = numeric
        self.categories = categories
        self.projection = projection
        self.epochs = epochs
        self.patience = patience
        self.members = members
        self.hidden = hidden
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch = batch
        self.report = report

    def fit(self, frame: pl.DataFrame, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn from ``frame``, one row per example, and ``label`` (rows,) of 0 and 1.

        ``customer_key`` (rows,) keeps rows of one customer in one fold; without it every row is a
        customer of its own. ``as_of`` (rows,) lets calibration look at the newest snapshot alone.
        Raises ``TooFewExamples``, or ``ValueError`` for a label that is not 0 and 1.
        """
        target = binary(label, frame.height)
        fold = folds(customer_key, frame.height, self.members, self.seed)
        _enough(target, fold, self.members)
        kinds = column_kinds(frame)
        self.inputs_ = Inputs(projection=self.projection).fit(
            frame,
            kinds[0] if self.numeric is None else self.numeric,
            kinds[1] if self.categories is None else self.categories,
        )
        self.base_rate_, self.rows_ = float(target.mean()), len(target)
        matrix = self.inputs_.transform(frame)
        logit = self._train(matrix, target, fold)
        newest = np.ones(len(target), bool) if as_of is None else np.asarray(as_of) == np.max(as_of)
        self.calibration_ = fit_calibration(logit, target, newest, fold)
        self.out_of_fold_ = self.calibration_.apply(logit)
        return self

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the (rows,) calibrated probability of each row, strictly between 0 and 1."""
        logits = self._logits(self.inputs_.transform(frame))
        return self.calibration_.apply(logit_of(sigmoid(logits).mean(axis=1)))

    def _train(self, matrix: np.ndarray, target: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Fit the network, put its best weights back, and return the out-of-fold logits (rows,)."""
        self.network_ = self._build(matrix.shape[1])
        labels = np.repeat(target[:, None, None], self.members, axis=1).astype(np.float32)
        weights = (fold[:, None] != np.arange(self.members)).astype(np.float32)
        own = np.arange(len(target)), fold
        shuffle = np.random.default_rng(self.seed)
        size = batch_size(len(target), self.batch)
        self.history_, best, kept = [], np.inf, (self.network_.get_weights(), np.empty(0))
        started = time.monotonic()
        for epoch in range(1, self.epochs + 1):
            order = shuffle.permutation(len(target))
            self.network_.fit(
                matrix[order],
                labels[order],
                sample_weight=weights[order],
                batch_size=size,
                epochs=1,
                shuffle=False,
                verbose=0,
            )
            logit = self._logits(matrix)[own]
            loss = log_loss(target, logit)
            self.history_.append(loss)
            if loss < best:
                best, self.epochs_, kept = loss, epoch, (self.network_.get_weights(), logit)
            self._tell(epoch, loss, time.monotonic() - started)
            if epoch - self.epochs_ >= self.patience:
                break
        self.network_.set_weights(kept[0])
        return kept[1]

    def _tell(self, epoch: int, loss: float, seconds: float) -> None:
        if self.report is not None:
            left = seconds / epoch * (self.epochs - epoch)
            self.report(f"epoch {epoch}: out-of-fold log loss {loss:.4f}, at most {left:.0f} s left")

    def _build(self, width: int) -> Any:
        keras = backend.keras()

        def kernel(layer: int, fan_in: int) -> Any:
            return keras.initializers.RandomNormal(stddev=(2 / fan_in) ** 0.5, seed=self.seed + layer)

        first, second = self.hidden
        each = self.members
        inputs = keras.Input((width,))
        hidden = keras.layers.EinsumDense(
            "bi,imh->bmh", (each, first), "relu", bias_axes="mh", kernel_initializer=kernel(1, width)
        )(inputs)
        hidden = keras.layers.Dropout(self.dropout, seed=self.seed + 11)(hidden)
        hidden = keras.layers.EinsumDense(
            "bmi,mih->bmh", (each, second), "relu", bias_axes="mh", kernel_initializer=kernel(2, first)
        )(hidden)
        hidden = keras.layers.Dropout(self.dropout, seed=self.seed + 12)(hidden)
        deep = keras.layers.EinsumDense(
            "bmi,mio->bmo",
            (each, 1),
            bias_axes="mo",
            kernel_initializer=kernel(3, second),
            bias_initializer=keras.initializers.Constant(float(logit_of(np.array(self.base_rate_)))),
        )(hidden)
        wide = keras.layers.EinsumDense("bi,imo->bmo", (each, 1), kernel_initializer="zeros")(inputs)
        network = keras.Model(inputs, keras.layers.Add()([deep, wide]))
        network.compile(
            optimizer=keras.optimizers.AdamW(self.learning_rate, weight_decay=self.weight_decay),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            steps_per_execution=8,
        )
        return network

    def _logits(self, matrix: np.ndarray) -> np.ndarray:
        parts = [
            np.asarray(self.network_(matrix[start : start + AT_ONCE], training=False))[:, :, 0]
            for start in range(0, len(matrix), AT_ONCE)
        ]
        return np.concatenate([np.empty((0, self.members)), *parts]).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder``: the network, arrays and JSON; nothing is pickled."""
        self.inputs_.save(folder)
        self.network_.save(folder / NETWORK)
        parameters = ("seed", "epochs", "patience", "members", "hidden", "dropout", "learning_rate")
        description = {
            "kind": self.kind,
            "parameters": {name: getattr(self, name) for name in (*parameters, "weight_decay", "batch")},
            "calibration": [self.calibration_.slope, self.calibration_.shift],
            "base_rate": self.base_rate_,
            "rows": self.rows_,
            "epochs": self.epochs_,
            "history": self.history_,
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote, in Keras' safe mode."""
        keras = backend.keras()

        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        model = cls(**(description["parameters"] | {"hidden": tuple(description["parameters"]["hidden"])}))
        model.inputs_ = Inputs.load(folder)
        model.network_ = keras.saving.load_model(folder / NETWORK, compile=False, safe_mode=True)
        model.calibration_ = Calibration(*description["calibration"])
        model.base_rate_, model.rows_ = description["base_rate"], description["rows"]
        model.epochs_, model.history_ = description["epochs"], description["history"]
        return model


def folds(customer_key: Any, rows: int, members: int, seed: int) -> np.ndarray:
    """Return the fold (rows,) of each row: customers shuffled by ``seed``, all rows of one together."""
    if customer_key is None:
        codes = np.arange(rows)
    else:
        codes = np.unique(np.asarray(customer_key), return_inverse=True)[1]
    dealt = np.random.default_rng(seed).permutation(codes.max(initial=0) + 1) % members
    return np.asarray(dealt[codes])


def batch_size(rows: int, smallest: int) -> int:
    """A batch that grows with the rows, in powers of two: at most about 400 steps an epoch."""
    return int(smallest * 2 ** max(0, np.ceil(np.log2(rows / (400 * smallest)))))


def log_loss(target: np.ndarray, logit: np.ndarray) -> float:
    """Mean negative log likelihood of ``target`` (rows,) 0 or 1 under ``logit`` (rows,)."""
    return float(np.mean(np.logaddexp(0, logit) - target * logit))


def binary(label: Any, rows: int) -> np.ndarray:
    """Return ``label`` as (rows,) floats; raises ``ValueError`` unless it is that many 0 and 1."""
    target = np.asarray(label).astype(np.float64)
    if target.shape != (rows,):
        raise ValueError(f"{rows} rows need as many labels, got an array of shape {target.shape}")
    if not np.isin(target, (0, 1)).all():
        raise ValueError(f"a label is 0 or 1, got {np.unique(target)[:5].tolist()}")
    return target


def _enough(target: np.ndarray, fold: np.ndarray, members: int) -> None:
    positives = int(target.sum())
    few = min(positives, len(target) - positives)
    if few < FEWEST or len(np.unique(fold)) < members:
        raise TooFewExamples(
            f"{len(target)} rows with {positives} positives are too few to train on:"
            f" at least {FEWEST} rows of each class and {members} customers are needed"
        )
