"""The network's layers, and how they are trained: member k never sees fold k."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from customer_profiles.conversion import backend
from customer_profiles.conversion.calibration import logit_of
from customer_profiles.conversion.shapes import log_loss

AT_ONCE = 16_384
"""Rows that a prediction computes at once."""
MOST_STEPS = 400
"""About how many batches a pass over the rows is cut into, at most."""
RANGES: dict[str, tuple[type, float, float]] = {
    "seed": (int, 0, 2**31 - 1),
    "members": (int, 2, np.inf),
    "hidden": (int, 1, np.inf),
    "epochs": (int, 1, np.inf),
    "patience": (int, 1, np.inf),
    "bends": (int, 0, np.inf),
    "dropout": (float, 0, 0.99),
    "sparsity": (float, 0, np.inf),
    "weight_decay": (float, 0, np.inf),
    "learning_rate": (float, 0, np.inf),
}
"""Least and most of a model's parameters; a row needs a member that learns from it, and one that does not."""
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Inputs (rows, inputs), label (rows,) 0 or 1, and fold (rows,) of some rows."""


@dataclass(frozen=True)
class Recipe:
    """How the members are built and trained; see ``ConversionModel`` for the fields."""

    seed: int
    members: int
    hidden: tuple[int, ...]
    dropout: float
    sparsity: float
    learning_rate: float
    weight_decay: float
    epochs: int
    patience: int


def require_sound(parameters: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` naming the first of a model's ``parameters`` that is not in its range."""
    for name, (kind, least, most) in RANGES.items():
        values = parameters[name]
        for value in values if isinstance(values, tuple) else (values,):
            allowed = int | np.integer if kind is int else int | float | np.number
            if not isinstance(value, allowed) or not least <= value <= most:
                number = "a whole number" if kind is int else "a number"
                upto = f" to {most:.10g}" if most < np.inf else " on"
                raise ValueError(f"{name} is {values!r}: {number} from {least:g}{upto} is needed")


@dataclass
class Course:
    """How a training went: its best pass so far, and that pass' weights and predictions."""

    losses: list[float] = field(default_factory=list)
    best: int = 0
    weights: list[np.ndarray] = field(default_factory=list)
    logit: np.ndarray = field(default_factory=lambda: np.empty(0))

    def note(self, target: np.ndarray, logit: np.ndarray) -> bool:
        """Add a pass with these out-of-fold logits (rows,); tell whether it is the best so far."""
        self.losses.append(log_loss(target, logit))
        better = not self.best or self.losses[-1] < self.losses[self.best - 1]
        if better:
            self.best, self.logit = len(self.losses), logit
        return better


def build(width: int, base_rate: float, recipe: Recipe) -> Any:
    """Return the untrained network: (rows, ``width``) inputs to (rows, members, 1) logits.

    Each member is a small deep network (Lakshminarayanan et al. 2017) beside a wide linear part (Cheng
    et al. 2016) that starts at zero, so that training begins at the base rate. Kernels are normal with
    variance 2 / fan-in (He et al. 2015): Keras' own scaling reads a member axis as part of a convolution.
    An L1 penalty on the first layer lets it ignore inputs that tell nothing, as trees do by themselves.
    Without hidden layers a member is the wide part alone, a logistic regression.
    """
    keras = backend.keras()
    each, seed = recipe.members, recipe.seed

    def kernel(layer: int, fan_in: int) -> Any:
        return keras.initializers.RandomNormal(stddev=(2 / fan_in) ** 0.5, seed=seed + layer)

    inputs = keras.Input((width,))
    start = keras.initializers.Constant(float(logit_of(np.array(base_rate))))
    wide = keras.layers.EinsumDense(
        "bi,imo->bmo",
        (each, 1),
        bias_axes="mo",
        kernel_initializer="zeros",
        bias_initializer=start,
    )(inputs)
    if not recipe.hidden:
        return keras.Model(inputs, wide)
    hidden, fan_in, equation = inputs, width, "bi,imh->bmh"
    for layer, units in enumerate(recipe.hidden, start=1):
        hidden = keras.layers.EinsumDense(
            equation,
            (each, units),
            "relu",
            bias_axes="mh",
            kernel_initializer=kernel(layer, fan_in),
            kernel_regularizer=keras.regularizers.L1(recipe.sparsity) if layer == 1 else None,
        )(hidden)
        hidden = keras.layers.Dropout(recipe.dropout, seed=seed + 10 + layer)(hidden)
        fan_in, equation = units, "bmi,mih->bmh"
    last = kernel(len(recipe.hidden) + 1, fan_in)
    deep = keras.layers.EinsumDense("bmi,mio->bmo", (each, 1), kernel_initializer=last)(hidden)
    return keras.Model(inputs, keras.layers.Add()([deep, wide]))


def solve(network: Any, recipe: Recipe, judged: Arrays) -> Course:
    """Fit a network without hidden layers: each member is the logistic regression of its rows.

    scikit-learn's, with its default penalty: the best weights are found, not approached.
    """
    from sklearn.linear_model import LogisticRegression

    matrix, target, fold = judged
    kernel, bias = network.get_weights()
    for member in range(recipe.members):
        learns = fold != member
        if len(np.unique(target[learns])) == 2:
            fitted = LogisticRegression(max_iter=500).fit(matrix[learns], target[learns])
            kernel[:, member, 0], bias[member, 0] = fitted.coef_[0], fitted.intercept_[0]
    network.set_weights([kernel, bias])
    logit = logits(network, matrix)[np.arange(len(target)), fold]
    return Course([log_loss(target, logit)], 1, network.get_weights(), logit)


def train(
    network: Any,
    recipe: Recipe,
    read: Callable[[], Iterable[Arrays]],
    sizes: list[int],
    judged: Arrays,
    report: Callable[[str], None] | None,
) -> Course:
    """Fit the network, put the weights of its best pass back, and say how it went.

    ``read`` starts a new pass over the rows, in parts of ``sizes`` rows. After each pass the weights,
    averaged over about the last hundred batches (Polyak and Juditsky 1992), are judged by their
    out-of-fold log loss on the rows ``judged``.
    """
    keras = backend.keras()
    size = batch_size(sum(sizes))
    steps = sum(-(-part // size) for part in sizes)
    network.compile(
        optimizer=keras.optimizers.AdamW(
            recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            use_ema=True,
            ema_momentum=1 - 1 / min(max(steps, 10), 100),
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        steps_per_execution=8,
    )
    matrix, target, fold = judged
    course, started = Course(), time.monotonic()
    epochs = passes(sum(sizes), recipe.epochs)

    def judge(epoch: int, _: Any) -> None:
        logit = logits(network, matrix)[np.arange(len(target)), fold]
        if course.note(target, logit):
            course.weights = network.get_weights()
        if report is not None:
            left = (time.monotonic() - started) / (epoch + 1) * (epochs - epoch - 1)
            loss = course.losses[-1]
            report(f"epoch {epoch + 1}: out-of-fold log loss {loss:.4f}, at most {left:.0f} s left")
        network.stop_training = epoch + 1 - course.best >= recipe.patience

    averaged = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    network.fit(
        batches(read, recipe, size),
        steps_per_epoch=steps,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[averaged, keras.callbacks.LambdaCallback(on_epoch_end=judge)],
    )
    network.set_weights(course.weights)
    return course


def batches(read: Callable[[], Iterable[Arrays]], recipe: Recipe, size: int) -> Iterator[Arrays]:
    """Yield inputs, a label per member and a weight per member without end, each part in random order."""
    shuffle = np.random.default_rng(recipe.seed)
    members = np.arange(recipe.members)
    while True:
        for matrix, target, fold in read():
            order = shuffle.permutation(len(target))
            for rows in np.array_split(order, -(-len(order) // size)):
                label = np.repeat(target[rows, None, None], recipe.members, axis=1)
                weight = fold[rows, None] != members
                yield matrix[rows], label.astype(np.float32), weight.astype(np.float32)


def logits(network: Any, matrix: np.ndarray) -> np.ndarray:
    """The (rows, members) logits of a matrix of inputs."""
    parts = [
        np.asarray(network(matrix[start : start + AT_ONCE], training=False))[:, :, 0]
        for start in range(0, len(matrix), AT_ONCE)
    ]
    return np.concatenate([np.empty((0, network.output_shape[1])), *parts]).astype(np.float64)


def batch_size(rows: int) -> int:
    """A power of two: about a hundred batches a pass, none below 32 rows; from 256 rows on, more batches."""
    few, many = np.ceil(np.log2(max(rows, 1) / 128)), np.ceil(np.log2(max(rows, 1) / MOST_STEPS))
    return int(2 ** max(5, min(8, few), many))


def passes(rows: int, most: int) -> int:
    """At most so many passes: about five million rows are seen in all, and every row at least three times."""
    return int(min(most, max(3, 5_000_000 // rows)))
