"""The conversion model: five small networks in one, each validated on customers it never saw."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
import polars as pl

from customer_profiles.conversion import backend, members
from customer_profiles.conversion.batches import (
    Batch,
    Part,
    binary,
    folds,
    require_enough,
    sampled,
)
from customer_profiles.conversion.calibration import (
    Calibration,
    fit_calibration,
    logit_of,
    loss_after_shift,
    sigmoid,
)
from customer_profiles.conversion.columns import as_frame, column_kinds
from customer_profiles.conversion.inputs import Inputs
from customer_profiles.conversion.members import AT_ONCE, Arrays, Course, Recipe, log_loss
from customer_profiles.conversion.shapes import DETAILED, LINEAR, SHAPES, newest
from customer_profiles.projection.projection import Projection
from customer_profiles.settings import Mendable

NETWORK, DESCRIPTION = "network.keras", "model.json"
SAMPLE = 100_000
"""Rows on which inputs are fitted and passes are judged, and up to which a table is held as a matrix."""
PART = 50_000
"""Rows of a larger table that are turned into inputs at once."""
PARAMETERS = (
    *("shape", "seed", "epochs", "patience", "members", "hidden", "dropout", "sparsity"),
    *("learning_rate", "weight_decay", "bends"),
)


class ModelFileError(Mendable, ValueError):
    """A stored model cannot be read. The message names its folder."""


class _Learnt(NamedTuple):
    """One fit: what turns rows into inputs, the network, and how its training went."""

    inputs: Inputs
    network: Any
    course: Course


class ConversionModel:
    """Probability that a customer converts, learnt from any table with a label of 0 and 1.

    Parameters
    ----------
    seed
        Of folds, weights, dropout and order of rows: same seed, data and machine, same weights.
    numeric, categories
        Columns to read; ``None`` takes all, by their types (see ``columns.column_kinds``).
    projection
        A fitted projection whose components are inputs; ``None`` fits one on the training rows.
    shape
        ``detailed``, ``smooth`` or ``linear`` (see ``shapes``); ``None`` tries them all where there are
        at most ``SAMPLE`` rows, and is detailed on more. Without ``as_of`` the one with the least log loss
        out of fold stays. With several snapshots each learns from the earlier ones and is judged on the
        newest, as it will be used; the best then learns from all. The linear one looks at no more than
        ``SAMPLE`` rows.
    epochs, patience
        Most passes over the rows (fewer from a hundred thousand rows on, see ``members.passes``), and
        how many without a better out-of-fold log loss end training.
    members, hidden, dropout
        Networks in the ensemble, their layers' widths, and the share of units dropped.
    sparsity
        Of the L1 penalty on the first layer.
    learning_rate, weight_decay
        Of AdamW.
    bends
        Most values at which a function of one number may bend (see ``Inputs``).
    report
        Is told of every pass: its out-of-fold log loss and the time left.

    Attributes
    ----------
    shape_
        The shape in use.
    inputs_, network_, calibration_
        Fitted preprocessing, Keras network (logits, (rows, members, 1)) and correction.
    out_of_fold_
        (rows,) Calibrated probability of each training row from the member that never saw its
        customer; of a sample of them where there are more than ``SAMPLE``. Not stored.
    history_
        Out-of-fold log loss after each pass; ``epochs_`` is the best one.
    base_rate_, rows_
        Share of positives and number of training rows.

    Notes
    -----
    The parameters' defaults were chosen on folds of training rows: ``benchmarks/conversion.py --tune``.
    A GPU is used where TensorFlow sees one.
    """

    kind: ClassVar[str] = "conversion_network"
    shape_: str
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
        shape: str | None = None,
        epochs: int = 80,
        patience: int = 4,
        members: int = 5,
        hidden: tuple[int, ...] = (64, 32),
        dropout: float = 0.2,
        sparsity: float = 6e-6,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        bends: int = 400,
        report: Callable[[str], None] | None = None,
    ) -> None:
        if shape is not None and shape not in SHAPES:
            raise ValueError(f"shape is {shape!r}; choose {', '.join(SHAPES)} or None")
        self.seed = seed
        self.numeric = numeric
        self.categories = categories
        self.projection = projection
        self.shape = shape
        self.epochs = epochs
        self.patience = patience
        self.members = members
        self.hidden = hidden
        self.dropout = dropout
        self.sparsity = sparsity
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.bends = bends
        self.report = report

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn from ``table``, one row per example, and ``label`` (rows,) of 0 and 1.

        ``table`` is a pandas, Polars or Arrow table. ``customer_key`` (rows,) keeps rows of one customer
        in one fold; without it every row is a customer of its own. ``as_of`` (rows,) tells each row's
        snapshot: the shape is chosen forward in time, and calibration looks at the newest one alone.
        Raises ``TooFewExamples``, ``InputsError`` if no column tells rows apart, or ``ValueError`` for a
        label that is not 0 and 1.
        """
        frame = as_frame(table)
        target = binary(label, frame.height)
        fold = folds(customer_key, frame.height, self.members, self.seed)
        snapshot = np.zeros(len(target)) if as_of is None else np.asarray(as_of)
        rows = Part(frame, target, fold, snapshot == snapshot.max())
        if len(target) <= SAMPLE:
            self._count([len(target)], target.sum(), rows)
            return self._keep(*self._chosen(rows, snapshot), rows)
        order = np.random.default_rng(self.seed).permutation(len(target))
        cuts = [order[start : start + PART] for start in range(0, len(order), PART)]
        return self._fit_parts(
            lambda: (rows.at(cut) for cut in cuts),
            rows.at(order[:SAMPLE]),
            [len(cut) for cut in cuts],
            target.sum(),
        )

    def fit_batches(self, read: Callable[[], Iterable[Batch]]) -> Self:
        """Learn from a table that does not fit into memory.

        ``read`` starts at the first row each time it is called and yields the same batches in the same
        order: once to count and to draw a sample, then once per pass. Rows are shuffled inside a batch
        only, so a batch should not be all of one day. At most one batch, its inputs and ``SAMPLE`` rows
        are held.
        """

        def parts() -> Iterator[Part]:
            generator = np.random.default_rng(self.seed)
            for batch in read():
                frame = as_frame(batch.table)
                fold = generator.integers(self.members, size=frame.height)
                if batch.customer_key is not None:
                    fold = pl.Series(batch.customer_key).hash(self.seed).to_numpy() % self.members
                everyone = np.ones(frame.height, bool)
                yield Part(frame, binary(batch.label, frame.height), fold.astype(np.int64), everyone)

        sample, sizes, positives = sampled(parts(), SAMPLE, self.seed)
        return self._fit_parts(parts, sample, sizes, positives)

    def _fit_parts(
        self, read: Callable[[], Iterable[Part]], sample: Part, sizes: list[int], positives: float
    ) -> Self:
        """Learn from parts that are read anew in each pass."""
        self._count(sizes, positives, sample)
        shape = self.shape or DETAILED
        return self._keep(shape, self._learn(shape, sample, read, sizes), sample)

    def _count(self, sizes: list[int], positives: float, sample: Part) -> None:
        self.rows_, self.base_rate_ = sum(sizes), float(positives / max(sum(sizes), 1))
        require_enough(self.rows_, int(positives), sample.fold, self.members)

    def _chosen(self, rows: Part, as_of: np.ndarray) -> tuple[str, _Learnt]:
        """The shape to use, and what it learnt from all rows."""
        if self.shape is not None:
            return self.shape, self._learn(self.shape, rows)
        learnt: dict[str, _Learnt] = {}
        later = newest(as_of, rows.target)
        if later is not None:
            losses = self._losses_ahead(rows.at(np.flatnonzero(~later)), rows.at(np.flatnonzero(later)))
        else:
            learnt = {shape: self._learn(shape, rows) for shape in SHAPES}
            losses = {shape: log_loss(rows.target, each.course.logit) for shape, each in learnt.items()}
        shape = min(losses, key=losses.__getitem__)
        if self.report is not None:
            told = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
            self.report(f"{shape} is chosen by log loss: {told}")
        return shape, learnt.get(shape) or self._learn(shape, rows)

    def _losses_ahead(self, earlier: Part, later: Part) -> dict[str, float]:
        """The log loss of each shape on ``later`` rows, learnt from ``earlier`` ones.

        It is that after a shift: base rates drift, and calibration follows them.
        """
        learnt = {shape: self._learn(shape, earlier) for shape in SHAPES}
        return {
            shape: loss_after_shift(_answer(each.network, each.inputs.transform(later.frame)), later.target)
            for shape, each in learnt.items()
        }

    def _learn(
        self,
        shape: str,
        sample: Part,
        read: Callable[[], Iterable[Part]] | None = None,
        sizes: list[int] | None = None,
    ) -> _Learnt:
        """Fit a shape's inputs on ``sample``, and its network on what ``read`` gives (else the sample)."""
        own = vars(self) | SHAPES[shape]
        kinds = column_kinds(sample.frame, self.numeric, self.categories)
        variance, projection = (0.95, self.projection) if shape != LINEAR else (None, None)
        inputs = Inputs(variance, projection, bends=own["bends"]).fit(sample.frame, *kinds)

        def arrays(part: Part) -> Arrays:
            return inputs.transform(part.frame), part.target, part.fold

        sizes, judged = sizes or [len(sample.target)], arrays(sample)
        recipe = Recipe(**{name: own[name] for name in Recipe.__dataclass_fields__})
        network = members.build(judged[0].shape[1], float(sample.target.mean()), recipe)
        if shape == LINEAR:
            return _Learnt(inputs, network, members.solve(network, recipe, judged))
        passes = (lambda: [judged]) if read is None else (lambda: map(arrays, read()))
        return _Learnt(inputs, network, members.train(network, recipe, passes, sizes, judged, self.report))

    def _keep(self, shape: str, learnt: _Learnt, sample: Part) -> Self:
        self.shape_, (self.inputs_, self.network_, course) = shape, learnt
        self.history_, self.epochs_ = course.losses, course.best
        self.calibration_ = fit_calibration(course.logit, sample.target, sample.newest, sample.fold)
        self.out_of_fold_ = self.calibration_.apply(course.logit)
        return self

    def predict(self, table: Any) -> np.ndarray:
        """Return the (rows,) calibrated probability of each row, strictly between 0 and 1.

        A category never seen counts as a rare one; an unknown number as the median. Raises
        ``InputsError`` naming columns that are gone, or hold text where there were numbers.
        """
        frame = as_frame(table)

        def answer(start: int) -> np.ndarray:
            return _answer(self.network_, self.inputs_.transform(frame[start : start + AT_ONCE]))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = list(pool.map(answer, range(0, max(frame.height, 1), AT_ONCE)))
        return self.calibration_.apply(np.concatenate(parts))

    def predict_proba(self, table: Any) -> np.ndarray:
        """Return the (rows, 2) probabilities of 0 and of 1, as scikit-learn's classifiers do."""
        probability = self.predict(table)
        return np.column_stack([1 - probability, probability])

    def save(self, folder: Path) -> None:
        """Write the model into ``folder``: the network, arrays and JSON; nothing is pickled."""
        folder = Path(folder)
        self.inputs_.save(folder)
        self.network_.save(folder / NETWORK)
        description = {
            "kind": self.kind,
            "shape": self.shape_,
            "parameters": {name: getattr(self, name) for name in PARAMETERS},
            "calibration": [self.calibration_.slope, self.calibration_.shift],
            "base_rate": self.base_rate_,
            "rows": self.rows_,
            "epochs": self.epochs_,
            "history": self.history_,
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote, in Keras' safe mode.

        Raises ``ModelFileError`` for a folder that is damaged, not whole or of another version.
        """
        folder = Path(folder)
        keras = backend.keras()
        try:
            description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            parameters = description["parameters"]
            model = cls(**(parameters | {"hidden": tuple(parameters["hidden"])}))
            model.shape_, model.inputs_ = description.get("shape", DETAILED), Inputs.load(folder)
            model.network_ = keras.saving.load_model(folder / NETWORK, compile=False, safe_mode=True)
            model.calibration_ = Calibration(*description["calibration"])
            model.base_rate_, model.rows_ = description["base_rate"], description["rows"]
            model.epochs_, model.history_ = description["epochs"], description["history"]
        except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"the model in {folder} is damaged, not whole or of another version"
                f" ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}); train again"
            ) from error
        return model


def _answer(network: Any, matrix: np.ndarray) -> np.ndarray:
    """The (rows,) logit of the members' mean probability."""
    return logit_of(sigmoid(members.logits(network, matrix)).mean(axis=1))
