"""Which inputs matter: what a model loses when they are dealt anew among the customers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.examples import Examples

WINDOW = re.compile(r"_(\d+|lifetime)$")
INPUTS_AT_ONCE = 10
NORMAL_95 = 1.96


def importance(
    model: Model,
    rows: Examples,
    columns: Sequence[str],
    *,
    largest: int = 1_000,
    deals: int = 2,
    seed: int = 0,
) -> pl.DataFrame:
    """How much ROC-AUC each input brings, most first, with 95 % intervals.

    The windows of one trait (``orders_30``, ``orders_90``) are dealt together: one stands in for
    another, and none would seem to matter alone. Looks at ``largest`` rows drawn by ``seed``, one a
    customer; every input is dealt ``deals`` times and the answers' losses are averaged. Returns input,
    columns, loss, low, high.

    Sources: permutation importance, Breiman (2001), "Random Forests", section 10; the interval of a
    paired difference of areas, DeLong et al. (1988). It is of the rows drawn, and leaves out how the
    model would have been fitted without the input.
    """
    generator = np.random.default_rng(seed)
    if len(rows) > largest:
        rows = rows.where(np.isin(np.arange(len(rows)), generator.permutation(len(rows))[:largest]))
    hit = rows.label == 1
    whole = placements(hit, model.predict(rows.features))
    inputs, found = list(inputs_of(columns).items()), []
    for start in range(0, len(inputs), INPUTS_AT_ONCE):
        some = inputs[start : start + INPUTS_AT_ONCE]
        dealt = [_dealt(rows.features, names, generator) for _, names in some for _ in range(deals)]
        answers = model.predict(pl.concat(dealt)).reshape(len(some), deals, len(rows))
        for (name, names), each in zip(some, answers, strict=True):
            lost = whole - np.mean([placements(hit, answer) for answer in each], axis=0)
            error = NORMAL_95 * np.sqrt(lost[hit].var() / hit.sum() + lost[~hit].var() / (~hit).sum())
            loss = float(lost[hit].mean())
            found.append((name, len(names), loss, loss - float(error), loss + float(error)))
    table = pl.DataFrame(found, schema=["input", "columns", "loss", "low", "high"], orient="row")
    return table.sort("loss", "input", descending=[True, False])


def placements(hit: np.ndarray, score: np.ndarray) -> np.ndarray:
    """For each row (rows,) the share of the other class that it is ordered rightly against, ties half.

    The mean over either class is the ROC-AUC.
    """
    from scipy.stats import rankdata

    among_all, own = rankdata(score), np.empty(len(score))
    for members in (hit, ~hit):
        own[members] = rankdata(score[members])
    others = np.where(hit, (~hit).sum(), hit.sum())
    below = (among_all - own) / others
    return np.asarray(np.where(hit, below, 1 - below))


def inputs_of(columns: Sequence[str]) -> Mapping[str, list[str]]:
    """Columns by the trait of which they are windows."""
    together: dict[str, list[str]] = {}
    for column in columns:
        together.setdefault(WINDOW.sub("", column), []).append(column)
    return together


def _dealt(frame: pl.DataFrame, columns: Sequence[str], generator: np.random.Generator) -> pl.DataFrame:
    order = generator.permutation(frame.height)
    return frame.with_columns(frame[column].gather(order) for column in columns)
