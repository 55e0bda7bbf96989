"""The metrics of one model's predictions under any weighting of the rows.

A bootstrap resample is a weight per row (how often its customer was drawn). Every metric is then
either a ratio of sums, computed for all resamples as one matrix product, or a running sum over the
rows in rank order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from customer_profiles.conversion.calibration import logit_of, sigmoid

SHARES = (0.01, 0.05, 0.10, 0.20, 0.30)
LIST_SIZES = (0.01, 0.02, 0.05, *(percent / 100 for percent in range(10, 101, 10)))
"""Shares of the customers whom a list may hold."""
BINS = 10
NEWTON_STEPS = 25
Draws = dict[str, np.ndarray]


@dataclass(frozen=True)
class Economics:
    """What a contact costs and a conversion brings, in minor units; they set the cut-off.

    Raises ``ValueError`` unless a conversion brings something, and a contact costs nothing or something.
    """

    margin_minor: float = 2_000
    cost_minor: float = 100

    def __post_init__(self) -> None:
        if not (0 < self.margin_minor < np.inf and 0 <= self.cost_minor < np.inf):
            raise ValueError(
                f"margin_minor must lie above 0, cost_minor not below: got {self.margin_minor!r} and "
                f"{self.cost_minor!r}"
            )

    @property
    def cutoff(self) -> float:
        """The probability from which a contact pays."""
        return self.cost_minor / self.margin_minor


def percent(share: float) -> str:
    """``0.1`` -> ``10``: how metrics at a share are named, as in ``lift_10``."""
    return str(round(100 * share))


def hash_order(customer_key: np.ndarray) -> np.ndarray:
    """Return (rows,) numbers in [0, 1) from the keys alone: what breaks ties."""
    digests = [hashlib.blake2b(str(key).encode(), digest_size=8).digest() for key in customer_key]
    return np.frombuffer(b"".join(digests), dtype=np.uint64) / 2.0**64


def ranked(probability: np.ndarray, customer_key: np.ndarray) -> np.ndarray:
    """Return the places (rows,) of the rows, highest probability first, ties by the key's hash."""
    return np.lexsort((hash_order(customer_key), -np.asarray(probability)))


def deciles(order: np.ndarray) -> np.ndarray:
    """Return the decile 1 (highest) to 10 of each row, given their ``order`` (rows,) by rank."""
    decile = np.empty(len(order), dtype=np.int64)
    decile[order] = 1 + np.arange(len(order)) * BINS // max(len(order), 1)
    return decile


class Ranking:
    """How well a score orders the rows: ROC-AUC and average precision under any weighting.

    ``target`` (rows,) is 0 or 1. No choice among ties is needed: one counts half in ROC-AUC and as one
    step in average precision. ``order`` (rows,) puts the highest ``score`` first.
    """

    def __init__(self, target: np.ndarray, score: np.ndarray, order: np.ndarray) -> None:
        self.order = order
        self.hits = np.flatnonzero(target[order])
        new = np.r_[True, np.diff(score[order]) != 0]
        tie = np.cumsum(new) - 1
        starts = np.flatnonzero(new)
        ends = np.r_[starts[1:], len(tie)] - 1
        tie_of_hit = tie[self.hits]
        self.start, self.end = starts[tie_of_hit], ends[tie_of_hit]
        self.first = np.searchsorted(tie_of_hit, tie_of_hit, side="left")
        self.last = np.searchsorted(tie_of_hit, tie_of_hit, side="right") - 1

    def of(self, weights: np.ndarray) -> Draws:
        """Return both metrics (resamples,) under ``weights`` (resamples, rows)."""
        ordered = weights[:, self.order]
        hit = ordered[:, self.hits]
        rows, hits = np.cumsum(ordered, axis=1), np.cumsum(hit, axis=1)
        rows_before, hits_before = _before(rows, self.start), _before(hits, self.first)
        rows_through, hits_through = rows[:, self.end], hits[:, self.last]
        negatives_above = (rows_before - hits_before + rows_through - hits_through) / 2
        positives, negatives = hits[:, -1], rows[:, -1] - hits[:, -1]
        precision = hits_through / np.maximum(rows_through, 1)
        return {
            "roc_auc": 1 - divided((hit * negatives_above).sum(axis=1), positives * negatives),
            "average_precision": divided((hit * precision).sum(axis=1), positives),
        }


class Measures:
    """Predictions prepared for measuring: ``of(weights)`` gives every metric.

    Parameters
    ----------
    target, probability
        (rows,) 0 or 1, and the model's probability.
    customer_key
        (rows,) breaks ties of lists and deciles.
    economics
        Sets the cut-off of ``precision_at_cutoff`` and ``recall_at_cutoff``.
    """

    def __init__(
        self, target: np.ndarray, probability: np.ndarray, customer_key: np.ndarray, economics: Economics
    ) -> None:
        self.target = np.asarray(target, dtype=np.float64)
        self.probability = np.asarray(probability, dtype=np.float64)
        self.order = ranked(self.probability, customer_key)
        self.decile = deciles(self.order)
        self.ranking = Ranking(self.target, self.probability, self.order)
        self.slope = _calibration_line(self.target, logit_of(self.probability))
        sums = self._summands(economics)
        self.names, self.summands = list(sums), np.column_stack(list(sums.values()))

    def of(self, weights: np.ndarray) -> Draws:
        """Return each metric (resamples,) under ``weights`` (resamples, rows)."""
        sums = dict(zip(self.names, (weights @ self.summands).T, strict=True))
        return self.ranking.of(weights) | self._lists(weights) | self._ratios(sums)

    def _lists(self, weights: np.ndarray) -> Draws:
        """Buyers among the highest share of the rows; the row at the edge counts in part."""
        ordered = weights[:, self.order]
        hit = ordered[:, self.ranking.hits]
        before = np.cumsum(ordered, axis=1)[:, self.ranking.hits] - hit
        total, positives = weights.sum(axis=1), hit.sum(axis=1)
        result: Draws = {}
        for share in sorted({*SHARES, *LIST_SIZES}):
            buyers = np.clip(share * total[:, None] - before, 0, hit).sum(axis=1)
            recall, name = divided(buyers, positives), percent(share)
            result |= {f"buyers_{name}": buyers, f"recall_{name}": recall, f"lift_{name}": recall / share}
        return result

    def _summands(self, economics: Economics) -> Draws:
        """Columns (rows,) whose weighted sums the ratios are made of."""
        target, probability = self.target, self.probability
        logit = logit_of(probability)
        chosen = probability >= economics.cutoff
        mean = sigmoid(self.slope[0] * logit + self.slope[1])
        spread = mean * (1 - mean)
        in_decile = {str(d): self.decile == d for d in range(1, BINS + 1)}
        return {
            "rows": np.ones(len(target)),
            "positives": target,
            "expected": probability,
            "log_loss": np.logaddexp(0, logit) - target * logit,
            "brier": (probability - target) ** 2,
            "correct": (probability >= 0.5) == (target == 1),
            "chosen": chosen,
            "chosen_positives": chosen * target,
            "gradient_slope": (target - mean) * logit,
            "gradient_shift": target - mean,
            "curve_slope": spread * logit**2,
            "curve_both": spread * logit,
            "curve_shift": spread,
            **{f"rows_{d}": inside for d, inside in in_decile.items()},
            **{f"actual_{d}": inside * target for d, inside in in_decile.items()},
            **{f"expected_{d}": inside * probability for d, inside in in_decile.items()},
        }

    def _ratios(self, sums: Draws) -> Draws:
        rows, positives = sums["rows"], sums["positives"]
        gaps = [np.abs(sums[f"expected_{d}"] - sums[f"actual_{d}"]) for d in range(1, BINS + 1)]
        rates = {f"rate_{d}": divided(sums[f"actual_{d}"], sums[f"rows_{d}"]) for d in range(1, BINS + 1)}
        return {
            "log_loss": sums["log_loss"] / rows,
            "brier": sums["brier"] / rows,
            "accuracy": sums["correct"] / rows,
            "majority_accuracy": np.maximum(positives, rows - positives) / rows,
            "precision_at_cutoff": divided(sums["chosen_positives"], sums["chosen"]),
            "recall_at_cutoff": divided(sums["chosen_positives"], positives),
            "expected_over_actual": divided(sums["expected"], positives),
            "ece": np.sum(gaps, axis=0) / rows,
            "calibration_slope": self._slopes(sums),
            **rates,
        }

    def _slopes(self, sums: Draws) -> np.ndarray:
        """One Newton step from the slope of all rows: the bootstrap's usual one-step estimate.

        A logit that never varies has no slope: NaN.
        """
        curve = sums["curve_slope"] * sums["curve_shift"]
        determinant = curve - sums["curve_both"] ** 2
        step = sums["curve_shift"] * sums["gradient_slope"] - sums["curve_both"] * sums["gradient_shift"]
        step_length = divided(step, np.where(determinant < 1e-9 * curve, 0, determinant))
        return np.asarray(self.slope[0] + step_length)

    def ece_by_chance(self, rounds: int, seed: int) -> float:
        """The ECE that a perfectly calibrated model of these probabilities exceeds by chance alone.

        Labels are drawn from the probabilities ``rounds`` times; the 97.5 % quantile of the ECE
        is returned. Small samples make large errors: 200 rows a bin at a rate of 10 % give about 0.02.
        """
        generator = np.random.default_rng(seed)
        bins = (self.decile == np.arange(1, BINS + 1)[:, None]).astype(np.float64)
        drawn = [bins @ (generator.random(len(self.target)) < self.probability) for _ in range(rounds)]
        errors = np.abs(np.array(drawn) - bins @ self.probability).sum(axis=1) / len(self.target)
        return float(np.quantile(errors, 0.975))


def divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below``, NaN where nothing is divided."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0))


def _before(running: np.ndarray, start: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(start > 0, running[:, start - 1], 0))


def _calibration_line(target: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Slope and shift (2,) of the logistic regression of the label on the logit (Cox 1958).

    A ridge too small to show keeps a logit that never varies solvable.
    """
    columns, line = np.column_stack([logit, np.ones_like(logit)]), np.array([1.0, 0.0])
    for _ in range(NEWTON_STEPS):
        mean = sigmoid(columns @ line)
        gradient = columns.T @ (target - mean)
        curvature = (columns * (mean * (1 - mean))[:, None]).T @ columns + 1e-6 * np.eye(2)
        line = line + np.clip(np.linalg.solve(curvature, gradient), -1, 1)
    return np.asarray(line)
