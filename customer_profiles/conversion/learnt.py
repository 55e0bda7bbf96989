"""A shape as it was learnt: what gives rows their logits, and how that is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl

from customer_profiles.conversion import backend, members
from customer_profiles.conversion.batches import Part
from customer_profiles.conversion.calibration import logit_of, sigmoid
from customer_profiles.conversion.inputs import Inputs
from customer_profiles.conversion.members import Arrays, Course, Recipe
from customer_profiles.conversion.trees import TreeInputs, Trees, grown_in_steps

NETWORK, COLUMNS = "network.keras", "columns.json"
MOST_TREES, MORE_TREES = 400, 25
"""Trees of a member, and how many are added at a time until none of them is of use."""
SIDE_BY_SIDE = 2
"""Members whose trees grow at once: each holds a copy of its rows."""


@dataclass(frozen=True)
class Network:
    """A Keras network (logits, (rows, members, 1)) and what turns a table into its inputs."""

    inputs: Inputs
    network: Any

    @property
    def levels(self) -> dict[str, list[str]]:
        """The categories that count, by column."""
        return self.inputs.levels_

    def logit(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the logit (rows,) of the members' mean probability."""
        return logit_of(sigmoid(members.logits(self.network, self.inputs.transform(frame))).mean(axis=1))

    def save(self, folder: Path) -> None:
        """Write network, arrays and JSON into ``folder``."""
        self.inputs.save(folder)
        self.network.save(folder / NETWORK)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote, in Keras' safe mode."""
        network = backend.keras().saving.load_model(folder / NETWORK, compile=False, safe_mode=True)
        return cls(Inputs.load(folder), network)


@dataclass(frozen=True)
class BoostedShape:
    """Boosted trees and what turns a table into their matrix."""

    inputs: TreeInputs
    trees: Trees

    @property
    def levels(self) -> dict[str, list[str]]:
        """The categories that count, by column."""
        return self.inputs.levels

    def logit(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the members' mean logit (rows,)."""
        return self.trees.logit(self.inputs.matrix(frame))

    def save(self, folder: Path) -> None:
        """Write arrays and JSON into ``folder``."""
        self.trees.save(folder)
        text = json.dumps(asdict(self.inputs), ensure_ascii=False, indent=1)
        (folder / COLUMNS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        columns = json.loads((folder / COLUMNS).read_text(encoding="utf-8"))
        return cls(TreeInputs(**columns), Trees.load(folder))


class Learnt(NamedTuple):
    """One fit, and how its training went: its best pass and each row's out-of-fold logit."""

    model: Network | BoostedShape
    course: Course


def learn_network(
    inputs: Inputs,
    recipe: Recipe,
    sample: Part,
    read: Callable[[], Iterable[Part]] | None,
    sizes: list[int] | None,
    report: Callable[[str], None] | None,
) -> Learnt:
    """Train a network on what ``read`` gives in parts of ``sizes`` rows, else on ``sample``.

    ``inputs`` are fitted. Passes are judged on ``sample``. Without hidden layers the weights are solved for.
    """

    def arrays(part: Part) -> Arrays:
        return inputs.transform(part.frame), part.target, part.fold

    judged = arrays(sample)
    network = members.build(judged[0].shape[1], float(sample.target.mean()), recipe)
    if not recipe.hidden:
        return Learnt(Network(inputs, network), members.solve(network, recipe, judged))
    passes = (lambda: [judged]) if read is None else (lambda: map(arrays, read()))
    sizes = sizes or [len(sample.target)]
    return Learnt(Network(inputs, network), members.train(network, recipe, passes, sizes, judged, report))


def learn_trees(inputs: TreeInputs, growth: Mapping[str, Any], part: Part, count: int, seed: int) -> Learnt:
    """Train ``count`` members, member k without fold k, with as many trees as do best out of fold.

    ``growth`` are arguments of scikit-learn's ``HistGradientBoostingClassifier``. A member that would see
    one class only, or has no rows to be judged on, stays out.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    matrix, target, fold = inputs.matrix(part.frame), part.target, part.fold
    members_of = {
        member: grown_in_steps()(
            **growth,
            early_stopping=False,
            warm_start=True,
            random_state=seed + member,
        )
        for member in range(count)
        if (fold == member).any() and len(np.unique(target[fold != member])) == 2
    }
    course = Course()

    def grow(member: int) -> np.ndarray:
        trees, held = members_of[member], fold == member
        trees.set_params(max_iter=len(course.losses) + MORE_TREES).fit(matrix[~held], target[~held])
        return np.asarray(trees.newest_stages(matrix[held]))

    # OpenMP's own threads would wait by spinning; its limit holds in the thread that sets it
    one_thread = partial(threadpool_limits, 1, user_api="openmp")
    with ThreadPoolExecutor(SIDE_BY_SIDE, initializer=one_thread) as pool:
        while (grown := len(course.losses)) < MOST_TREES and grown - course.best < MORE_TREES:
            logits = np.tile(logit_of(target.mean()), (MORE_TREES, len(target)))
            for member, stages in zip(members_of, pool.map(grow, members_of), strict=True):
                logits[:, fold == member] = stages
            for logit in logits:
                course.note(target, logit)
    model = BoostedShape(inputs, Trees.mean([Trees.of(each, course.best) for each in members_of.values()]))
    return Learnt(model, course)
