"""What a model is worth on customers it never saw, with 95 % intervals by customer bootstrap.

All models are measured under the same resamples, so that differences between two are paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

import numpy as np
import polars as pl

from customer_profiles.conversion.batches import aligned, binary, require_same_order
from customer_profiles.conversion.metrics import BINS, LIST_SIZES, SHARES, Draws, Economics, Measures, percent

LOW, HIGH = 0.025, 0.975
AT_ONCE = 2_000_000
"""Weights held in memory at once: resamples x rows."""

Verdict = Literal["better", "worse", "insufficient evidence"]
AT_SHARES = tuple(f"{metric}_{percent(share)}" for metric in ("lift", "recall") for share in SHARES)
REPORTED = (
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    *AT_SHARES,
    "expected_over_actual",
    "ece",
    "ece_by_chance",
    "calibration_slope",
    "accuracy",
    "majority_accuracy",
    "precision_at_cutoff",
    "recall_at_cutoff",
)
LOWER_IS_BETTER = ("log_loss", "brier")
COMPARED = ("roc_auc", "average_precision", *LOWER_IS_BETTER, *AT_SHARES)
"""Metrics in which models are held against each other."""


@dataclass(frozen=True)
class Evaluation:
    """The tables of one evaluation, each tidy.

    metrics
        model, metric, value, low, high.
    differences
        Each model minus each other one: model, baseline, metric, difference, low, high, verdict.
    deciles
        model, decile (1 = highest), customers, expected, actual, rate, low, high.
    lists
        What a list of the highest brings: model, share, customers, cutoff, expected_buyers, buyers,
        low, high, recall, recall_low, recall_high, expected_profit_minor, profit_minor, profit_low,
        profit_high.
    """

    metrics: pl.DataFrame
    differences: pl.DataFrame
    deciles: pl.DataFrame
    lists: pl.DataFrame

    def value(self, model: str, metric: str) -> float:
        """One metric of one model."""
        return float(self._row(model, metric)["value"])

    def interval(self, model: str, metric: str) -> tuple[float, float]:
        """Its 95 % interval."""
        row = self._row(model, metric)
        return float(row["low"]), float(row["high"])

    def verdicts(self, model: str, baseline: str, metrics: Sequence[str]) -> list[Verdict]:
        """How ``model`` does beside ``baseline`` in each of ``metrics``."""
        pair = (pl.col("model") == model) & (pl.col("baseline") == baseline)
        rows = self.differences.filter(pair & pl.col("metric").is_in(metrics))
        return rows["verdict"].to_list()

    def _row(self, model: str, metric: str) -> dict[str, Any]:
        chosen = (pl.col("model") == model) & (pl.col("metric") == metric)
        return self.metrics.row(by_predicate=chosen, named=True)


@dataclass(frozen=True)
class _Measured:
    """One model: its metrics on the rows as they are (``values``), and on each resample (``draws``)."""

    measures: Measures
    values: dict[str, float]
    draws: Draws

    def bounds(self, metric: str) -> tuple[float, float]:
        """The 95 % interval of a metric."""
        drawn = self.draws[metric]
        if metric != "ece":
            return quantiles(drawn)
        low, high = quantiles(np.maximum(drawn - drawn.mean() + self.values["ece"], 0))
        return (low if self.values["ece"] > self.values["ece_by_chance"] else 0.0), high


def evaluate(
    label: Any,
    customer_key: Any,
    predictions: Mapping[str, Any],
    *,
    rounds: int = 500,
    seed: int = 0,
    economics: Economics | None = None,
) -> Evaluation:
    """Measure every model on the same rows, and hold each against each other.

    ``label`` (rows,) is 0 or 1, ``customer_key`` (rows,) the unit that is resampled (``None``: every row
    is a customer of its own), ``predictions`` maps names to (rows,) probabilities. The interval of the
    ECE is shifted by the bootstrap's own bias: resampling adds noise, and noise only ever adds to an
    absolute error; it begins at 0 where chances that are exactly right have such an ECE by chance. Raises
    ``ValueError`` for one class only, rows that do not fit together, or naming models that give anything
    but probabilities.
    """
    if not isinstance(predictions, Mapping):
        raise ValueError(f"predictions are {type(predictions).__name__}: give each a name, {{'model': ...}}")
    require_same_order(label, {"customer_key": customer_key, **predictions}, "label")
    target = binary(label, len(label))
    keys = np.arange(len(target)) if customer_key is None else customer_key
    keys = aligned("customer_key", keys, len(target))
    if len(np.unique(target)) != 2:
        raise ValueError(f"{len(target)} rows with {int(target.sum())} positives: both classes are needed")
    given = {name: np.asarray(probability, dtype=np.float64) for name, probability in predictions.items()}
    for name, probability in given.items():
        if probability.shape != target.shape:
            raise ValueError(f"{len(target)} rows, but {name} has predictions of shape {probability.shape}")
    unclear = [name for name, probability in given.items() if not np.isfinite(probability).all()]
    if unclear:
        raise ValueError(f"predictions are not finite: {', '.join(unclear)}")
    outside = [name for name, probability in given.items() if ((probability < 0) | (probability > 1)).any()]
    if outside:
        raise ValueError(f"predictions are not between 0 and 1: {', '.join(outside)}")
    if not given:
        raise ValueError("there are no predictions to measure")
    economics = economics or Economics()
    measures = {name: Measures(target, probability, keys, economics) for name, probability in given.items()}
    models = _measure(measures, keys, rounds, seed)
    return Evaluation(
        metrics=_metrics(models),
        differences=_differences(models),
        deciles=_deciles(models),
        lists=_lists(models, economics),
    )


def resamples(customer_key: np.ndarray, rounds: int, seed: int) -> Iterator[np.ndarray]:
    """Yield parts of a (rounds, rows) matrix: how often each row's customer was drawn."""
    codes = np.unique(customer_key, return_inverse=True)[1]
    customers, generator = int(codes.max()) + 1, np.random.default_rng(seed)
    most = max(1, AT_ONCE // len(codes))
    for done in range(0, rounds, most):
        size = min(most, rounds - done)
        drawn = generator.integers(customers, size=(size, customers)) + np.arange(size)[:, None] * customers
        counts = np.bincount(drawn.ravel(), minlength=size * customers).reshape(size, customers)
        yield counts[:, codes].astype(np.float64)


def _measure(
    measures: Mapping[str, Measures], customer_key: np.ndarray, rounds: int, seed: int
) -> dict[str, _Measured]:
    parts: dict[str, list[Draws]] = {name: [] for name in measures}
    for weights in resamples(customer_key, rounds, seed):
        for name, measure in measures.items():
            parts[name].append(measure.of(weights))
    models = {}
    for name, measure in measures.items():
        once = measure.of(np.ones((1, len(measure.target))))
        values = {metric: float(drawn[0]) for metric, drawn in once.items()}
        draws = {metric: np.concatenate([part[metric] for part in parts[name]]) for metric in once}
        chance = measure.ece_by_chance(rounds, seed)
        values["ece_by_chance"], draws["ece_by_chance"] = chance, np.empty(0)
        models[name] = _Measured(measure, values, draws)
    return models


def _metrics(models: Mapping[str, _Measured]) -> pl.DataFrame:
    rows = [
        (name, metric, model.values[metric], *model.bounds(metric))
        for name, model in models.items()
        for metric in REPORTED
    ]
    return pl.DataFrame(rows, schema=["model", "metric", "value", "low", "high"], orient="row")


def _differences(models: Mapping[str, _Measured]) -> pl.DataFrame:
    rows = []
    for (name, model), (other_name, other) in permutations(models.items(), 2):
        for metric in COMPARED:
            low, high = quantiles(model.draws[metric] - other.draws[metric])
            difference = model.values[metric] - other.values[metric]
            rows.append((name, other_name, metric, difference, low, high, verdict(metric, low, high)))
    texts = dict.fromkeys(("model", "baseline", "metric"), pl.String)
    numbers = dict.fromkeys(("difference", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema=texts | numbers | {"verdict": pl.String}, orient="row")


def verdict(metric: str, low: float, high: float) -> Verdict:
    """Read the interval of a difference: it must leave out zero to count."""
    if metric in LOWER_IS_BETTER:
        low, high = -high, -low
    return "better" if low > 0 else "worse" if high < 0 else "insufficient evidence"


def _deciles(models: Mapping[str, _Measured]) -> pl.DataFrame:
    rows = []
    for name, model in models.items():
        measures = model.measures
        for decile in range(1, BINS + 1):
            inside = measures.decile == decile
            low, high = model.bounds(f"rate_{decile}")
            rows.append(
                {
                    "model": name,
                    "decile": decile,
                    "customers": int(inside.sum()),
                    "expected": float(measures.probability[inside].sum()),
                    "actual": int(measures.target[inside].sum()),
                    "rate": model.values[f"rate_{decile}"],
                    "low": low,
                    "high": high,
                }
            )
    return pl.DataFrame(rows)


def _lists(models: Mapping[str, _Measured], economics: Economics) -> pl.DataFrame:
    rows = []
    for name, model in models.items():
        highest = model.measures.probability[model.measures.order]
        expected = np.concatenate([[0.0], highest.cumsum()])
        for share in LIST_SIZES:
            # the row at the edge counts in part, as among the buyers
            size, at = share * len(highest), percent(share)
            customers = round(size)
            buyers = {
                "expected": float(np.interp(size, np.arange(len(expected)), expected)),
                "actual": model.values[f"buyers_{at}"],
            }
            buyers["low"], buyers["high"] = model.bounds(f"buyers_{at}")
            profit = {
                kind: economics.margin_minor * count - economics.cost_minor * size
                for kind, count in buyers.items()
            }
            recall_low, recall_high = model.bounds(f"recall_{at}")
            rows.append(
                {
                    "model": name,
                    "share": share,
                    "customers": customers,
                    "cutoff": float(highest[max(customers, 1) - 1]),
                    "expected_buyers": buyers["expected"],
                    "buyers": buyers["actual"],
                    "low": buyers["low"],
                    "high": buyers["high"],
                    "recall": model.values[f"recall_{at}"],
                    "recall_low": recall_low,
                    "recall_high": recall_high,
                    "expected_profit_minor": profit["expected"],
                    "profit_minor": profit["actual"],
                    "profit_low": profit["low"],
                    "profit_high": profit["high"],
                }
            )
    return pl.DataFrame(rows)


def quantiles(drawn: np.ndarray) -> tuple[float, float]:
    """The 95 % interval; resamples in which the metric has no value are left out."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [LOW, HIGH])
    return float(low), float(high)
