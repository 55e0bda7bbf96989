"""The conversion model: networks of several shapes and boosted trees, blended on customers unseen by them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self
from zipfile import BadZipFile

import numpy as np
import polars as pl

from customer_profiles.conversion.batches import (
    Batch,
    Part,
    binary,
    folds,
    require_enough,
    require_same_order,
    sampled,
    snapshots,
)
from customer_profiles.conversion.calibration import Calibration, fit_calibration
from customer_profiles.conversion.columns import (
    column_kinds,
    measures_among,
    require_measures,
    require_spelling,
    unread,
)
from customer_profiles.conversion.days import days_among, with_days
from customer_profiles.conversion.doubts import doubts_of_columns, doubts_of_model
from customer_profiles.conversion.frames import InputsError, as_frame
from customer_profiles.conversion.inputs import DESCRIPTION, Inputs
from customer_profiles.conversion.learnt import BoostedShape, Learnt, Network, learn_network, learn_trees
from customer_profiles.conversion.members import AT_ONCE, Recipe, require_sound
from customer_profiles.conversion.shapes import (
    DETAILED,
    LINEAR,
    NETWORKS,
    ONE_OF_EACH,
    SHAPES,
    SMOOTH,
    TREES,
    alike,
    blend,
)
from customer_profiles.conversion.trees import TreeInputs
from customer_profiles.projection.projection import Projection
from customer_profiles.settings import Mendable
from customer_profiles.warehouse.artefacts import damaged_files, write_checksums

SAMPLE = 100_000
"""Rows on which inputs are fitted and passes are judged, and up to which a table is held as a matrix."""
PART = 50_000
"""Rows of a larger table that are turned into inputs at once."""
PARAMETERS = (
    *("shapes", "seed", "epochs", "patience", "members", "hidden", "dropout", "sparsity"),
    *("learning_rate", "weight_decay", "bends"),
)


class ModelFileError(Mendable, ValueError):
    """A stored model cannot be read. The message names its folder."""


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
    shapes
        Some of ``detailed``, ``smooth``, ``linear``, ``stepped``, ``branched`` (see ``shapes``), which are
        blended where there are at most ``SAMPLE`` rows; of more rows only the first is learnt. ``None``
        takes all, weighed for the least log loss out of fold. With several snapshots (``as_of``) shapes
        count alike, and ``None`` takes ``ONE_OF_EACH`` kind: days to come are not those learnt from.
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
    weights_
        How much each shape counts; they add up to 1.
    shapes_
        Each of these as it was learnt: a ``Network`` (``inputs`` and the Keras ``network``) or a
        ``BoostedShape``.
    calibration_
        The correction of the blended logit.
    out_of_fold_
        (rows,) Calibrated probability of each training row from the members that never saw its
        customer; of a sample of them where there are more than ``SAMPLE``. Not stored.
    history_
        Of each shape, the out-of-fold log loss after each pass (or tree); ``epochs_`` is the best one.
    base_rate_, rows_
        Share of positives and number of training rows.
    measures_
        What each numeric column measures: a number, a time, a duration (see ``columns.MEASURES``).
    days_
        Columns of text that hold days, each with its strftime format.

    Notes
    -----
    The parameters' defaults were chosen on folds of training rows: ``benchmarks/conversion.py --tune``.
    A GPU is used where TensorFlow sees one.
    """

    kind: ClassVar[str] = "conversion_network"
    weights_: dict[str, float]
    shapes_: dict[str, Network | BoostedShape]
    calibration_: Calibration
    out_of_fold_: np.ndarray
    history_: dict[str, list[float]]
    epochs_: dict[str, int]
    base_rate_: float
    rows_: int
    measures_: dict[str, str]
    days_: dict[str, str]

    def __init__(
        self,
        seed: int = 0,
        *,
        numeric: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        projection: Projection | None = None,
        shapes: Sequence[str] | None = None,
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
        if shapes is not None and (not shapes or not set(shapes) <= set(SHAPES)):
            raise ValueError(f"shapes are {shapes!r}; choose some of {', '.join(SHAPES)}")
        self.seed = seed
        self.numeric = numeric
        self.categories = categories
        self.projection = projection
        self.shapes = shapes if shapes is None else tuple(shapes)
        self.epochs = epochs
        self.patience = patience
        self.members = members
        self.hidden = tuple(hidden) if isinstance(hidden, list | tuple) else (hidden,)
        self.dropout = dropout
        self.sparsity = sparsity
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.bends = bends
        self.report = report
        require_sound(vars(self))
        self.seed = int(seed)

    def fit(self, table: Any, label: Any, customer_key: Any = None, as_of: Any = None) -> Self:
        """Learn from ``table``, one row per example, and ``label`` (rows,) of 0 and 1.

        ``table`` is a pandas, Polars or Arrow table. ``customer_key`` (rows,) keeps rows of one customer
        in one fold; without it every row is a customer of its own. ``as_of`` (rows,) tells each row's
        snapshot, as a number, a time or ISO 8601: with several, shapes count alike, and calibration looks
        at the newest one alone. Raises ``TooFewExamples``, ``InputsError`` if no column tells rows apart,
        or ``ValueError`` for a label that is not 0 and 1.
        """
        require_same_order(table, {"label": label, "customer_key": customer_key, "as_of": as_of})
        frame = self._with_days(as_frame(table))
        target = binary(label, frame.height)
        fold = folds(customer_key, frame.height, self.members, self.seed)
        snapshot = np.zeros(len(target)) if as_of is None else snapshots(as_of, frame.height)
        rows = Part(frame, target, fold, snapshot == max(snapshot, default=0))
        if len(target) <= SAMPLE:
            self._count([len(target)], target.sum(), rows)
            return self._fit_whole(rows, snapshot)
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
                frame = with_days(as_frame(batch.table), self.days_)
                if not frame.height:  # of a reader that filters
                    continue
                fold = generator.integers(self.members, size=frame.height)
                if batch.customer_key is not None:
                    fold = pl.Series(batch.customer_key).hash(self.seed).to_numpy() % self.members
                everyone = np.ones(frame.height, bool)
                yield Part(frame, binary(batch.label, frame.height), fold.astype(np.int64), everyone)

        self.days_ = {}
        sample, sizes, positives = sampled(parts(), SAMPLE, self.seed)
        sample = replace(sample, frame=self._with_days(sample.frame))
        return self._fit_parts(parts, sample, sizes, positives)

    def _with_days(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows to learn from, with text that holds days as times; not where columns are named."""
        self.days_ = days_among(frame) if self._unnamed else {}
        return with_days(frame, self.days_)

    @property
    def _unnamed(self) -> bool:
        """Whether columns are chosen by their types."""
        return self.numeric is None and self.categories is None

    def _tell(self, doubts: Iterator[str]) -> None:
        """Report doubts of columns that nobody named."""
        if self._unnamed and self.report is not None:
            for says in doubts:
                self.report(says)

    def _fit_parts(
        self, read: Callable[[], Iterable[Part]], sample: Part, sizes: list[int], positives: float
    ) -> Self:
        """Learn one shape from parts that are read anew in each pass."""
        self._count(sizes, positives, sample)
        shape = (self.shapes or SHAPES)[0]
        return self._keep({shape: self._learn(shape, sample, read, sizes)}, {shape: 1.0}, sample)

    def _count(self, sizes: list[int], positives: float, sample: Part) -> None:
        self.rows_, self.base_rate_ = sum(sizes), float(positives / max(sum(sizes), 1))
        require_enough(self.rows_, int(positives), sample.fold, self.members)
        odd = unread(sample.frame) if self._unnamed else []
        if len(odd) == len(sample.frame.columns):
            raise InputsError(f"there is no column to learn from; not read: {', '.join(odd) or 'none'}")
        self._tell(doubts_of_columns(sample))

    def _fit_whole(self, rows: Part, as_of: np.ndarray) -> Self:
        """Learn the shapes from ``rows`` and blend them."""
        several = len(np.unique(as_of)) > 1
        learnt = self._learn_all(rows, self.shapes or (ONE_OF_EACH if several else SHAPES))
        if several:
            weights = alike(learnt)
        else:
            weights = blend({shape: each.course.logit for shape, each in learnt.items()}, rows.target)
        if self.report is not None and len(learnt) > 1:
            told = ", ".join(f"{shape} {weight:.0%}" for shape, weight in weights.items())
            self.report(f"blended: {told}")
        return self._keep(learnt, weights, rows)

    def _learn_all(self, rows: Part, shapes: Sequence[str]) -> dict[str, Learnt]:
        """Each of ``shapes``; not the smooth one where the detailed one has no ramps: they are the same.

        Trees grow in threads beside the networks, which do not fill two cores; BLAS has one thread then,
        in all of the process: with two, sums differ in their last digits.
        """
        import scipy.linalg  # noqa: F401  (has a BLAS of its own, which a limit finds once it is loaded)
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        learnt: dict[str, Learnt] = {}
        threads = 1 if set(shapes) & set(TREES) else None
        with threadpool_limits(threads, user_api="blas"), ThreadPoolExecutor(1) as pool:
            beside = {shape: pool.submit(self._learn, shape, rows) for shape in shapes if shape in TREES}
            for shape in shapes:
                if shape in beside:
                    learnt[shape] = beside[shape].result()
                elif not (shape == SMOOTH and DETAILED in learnt and not _has_ramps(learnt[DETAILED])):
                    learnt[shape] = self._learn(shape, rows)
        return learnt

    def _learn(
        self,
        shape: str,
        sample: Part,
        read: Callable[[], Iterable[Part]] | None = None,
        sizes: list[int] | None = None,
    ) -> Learnt:
        """Learn one shape; see ``learn_network``. Trees learn from ``sample`` alone."""
        kinds = column_kinds(sample.frame, self.numeric, self.categories)
        if shape in TREES:
            columns = TreeInputs.of(sample.frame, *kinds)
            return learn_trees(columns, TREES[shape], sample, self.members, self.seed)
        own = vars(self) | NETWORKS[shape]
        variance, projection = (0.95, self.projection) if shape != LINEAR else (None, None)
        inputs = Inputs(variance, projection, bends=own["bends"], **own.get("levels", {})).fit(
            sample.frame, *kinds
        )
        recipe = Recipe(**{name: own[name] for name in Recipe.__dataclass_fields__})
        return learn_network(inputs, recipe, sample, read, sizes, self.report)

    def _keep(self, learnt: Mapping[str, Learnt], weights: dict[str, float], sample: Part) -> Self:
        self.weights_ = weights
        numeric, _ = column_kinds(sample.frame, self.numeric, self.categories)
        self.measures_ = measures_among(sample.frame, numeric)
        self.shapes_ = {shape: learnt[shape].model for shape in weights}
        self.history_ = {shape: learnt[shape].course.losses for shape in weights}
        self.epochs_ = {shape: learnt[shape].course.best for shape in weights}
        logit = _mean({shape: learnt[shape].course.logit for shape in weights}, weights)
        self.calibration_ = fit_calibration(logit, sample.target, sample.newest, sample.fold)
        self.out_of_fold_ = self.calibration_.apply(logit)
        self._tell(doubts_of_model(self, self.out_of_fold_, sample))
        return self

    def predict(self, table: Any) -> np.ndarray:
        """Return the (rows,) calibrated probability of each row, strictly between 0 and 1.

        A category never seen counts as a rare one; an unknown number as the median. Raises
        ``InputsError`` naming columns that are gone, that hold text where there were numbers, that measure
        something else than in training (a number, a time, a duration), or are written in another way.
        """
        self._require_fitted()
        frame = with_days(as_frame(table), self.days_)
        require_measures(frame, self.measures_)
        require_spelling(frame, self._levels())

        def answer(start: int) -> np.ndarray:
            rows = frame[start : start + AT_ONCE]
            return _mean({shape: each.logit(rows) for shape, each in self.shapes_.items()}, self.weights_)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = list(pool.map(answer, range(0, max(frame.height, 1), AT_ONCE)))
        return self.calibration_.apply(np.concatenate(parts))

    def _levels(self) -> dict[str, set[str]]:
        """Of each column the categories that any shape knows."""
        every = [(name, each) for shape in self.shapes_.values() for name, each in shape.levels.items()]
        known: dict[str, set[str]] = {name: set() for name, _ in every}
        for name, levels in every:
            known[name].update(levels)
        return known

    def predict_proba(self, table: Any) -> np.ndarray:
        """Return the (rows, 2) probabilities of 0 and of 1, as scikit-learn's classifiers do."""
        probability = self.predict(table)
        return np.column_stack([1 - probability, probability])

    def save(self, folder: Path) -> None:
        """Write the model into ``folder``: the network, arrays and JSON; nothing is pickled."""
        self._require_fitted()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for shape, model in self.shapes_.items():
            model.save(folder / shape)
        description = {
            "kind": self.kind,
            "weights": self.weights_,
            "parameters": {name: getattr(self, name) for name in PARAMETERS},
            "calibration": [self.calibration_.slope, self.calibration_.shift],
            "base_rate": self.base_rate_,
            "rows": self.rows_,
            "epochs": self.epochs_,
            "history": self.history_,
            "measures": self.measures_,
            "days": self.days_,
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")
        write_checksums(folder, [folder / DESCRIPTION, *(folder / shape for shape in self.shapes_)])

    def _require_fitted(self) -> None:
        if not hasattr(self, "weights_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("this ConversionModel has not learnt yet: call fit or fit_batches first")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote, in Keras' safe mode.

        Raises ``ModelFileError`` for a folder that is damaged, not whole or of another version.
        """
        folder = Path(folder)
        try:
            if damaged := damaged_files(folder):
                raise ValueError(", ".join(damaged))
            description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            parameters = description["parameters"]
            model = cls(**(parameters | {"hidden": tuple(parameters["hidden"])}))
            model.weights_ = description["weights"]
            model.shapes_ = {
                shape: (BoostedShape if shape in TREES else Network).load(folder / shape)
                for shape in model.weights_
            }
            model.calibration_ = Calibration(*description["calibration"])
            model.base_rate_, model.rows_ = description["base_rate"], description["rows"]
            model.epochs_, model.history_ = description["epochs"], description["history"]
            model.measures_ = description.get("measures", {})  # not told by earlier versions of the platform
            model.days_ = description.get("days", {})
        except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"the model in {folder} is damaged, not whole or of another version"
                f" ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}); train again"
            ) from error
        return model


def _has_ramps(learnt: Learnt) -> bool:
    return isinstance(learnt.model, Network) and any(len(bends) for bends in learnt.model.inputs.bends_)


def _mean(logits: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """The (rows,) weighted mean of the shapes' logits."""
    return np.asarray(sum(weight * logits[shape] for shape, weight in weights.items()))
