"""Which model may serve: a candidate earns it on customers that no model has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import BoostedTrees, Logistic, Model, RfmRule
from customer_profiles.conversion.evaluation import Evaluation
from customer_profiles.conversion.network import ConversionModel

CANDIDATE = ConversionModel.kind
CHAMPION = "champion"
SUBSTITUTES = (Logistic.kind, BoostedTrees.kind, RfmRule.kind)
"""Baselines that can serve in the candidate's place. The base rate ranks nobody, and the seed recipe
is not stored, so neither does."""
JUDGED = ("roc_auc", "average_precision", "log_loss")
EXPECTED_OVER_ACTUAL = (0.9, 1.1)
LARGEST_ECE = 0.02


@dataclass(frozen=True)
class Decision:
    """``serve`` names the model that becomes champion, ``None`` if all stays as it is."""

    serve: str | None
    reasons: tuple[str, ...]

    @property
    def says(self) -> str:
        """The decision in one paragraph."""
        verdict = f"{self.serve} becomes champion" if self.serve else "nothing is promoted"
        return f"{verdict}: {'; '.join(self.reasons)}"


def decide(evaluation: Evaluation, not_finite: Sequence[str] = (), leaks: Sequence[str] = ()) -> Decision:
    """Choose what serves from now on, by paired intervals on the newest matured test.

    One model beats another if it is better beyond noise in ROC-AUC, average precision or log loss,
    and worse beyond noise in none. The candidate serves unless it is uncalibrated, not finite, or
    beaten by the champion or a baseline; fresher data win ties. A baseline that beats it serves in
    its place, if it is itself free of these objections; without a champion so does the best baseline
    that is. A leak stops everything.
    """
    if leaks:
        return Decision(None, tuple(leaks))
    names = evaluation.metrics["model"].unique(maintain_order=True).to_list()
    flaws = {name: miscalibration(evaluation, name) for name in names}
    for name in not_finite:
        flaws[name] = [*flaws[name], "is not finite on odd inputs"]
    objections = [f"is beaten by {other}" for other in _superior(evaluation, CANDIDATE, names)]
    objections += flaws[CANDIDATE]
    if not objections:
        return Decision(CANDIDATE, ("no model beats it beyond noise, and its probabilities are calibrated",))
    reasons = tuple(f"{CANDIDATE} {objection}" for objection in objections)
    others = [name for name in names if name != CANDIDATE]
    substitutes = [
        name
        for name in SUBSTITUTES
        if name in names
        and not flaws[name]
        and not _superior(evaluation, name, others)
        and (CHAMPION not in names or beats(evaluation, name, CANDIDATE))
    ]
    if not substitutes:
        return Decision(None, (*reasons, "no stored baseline may serve in its place"))
    best = min(substitutes, key=lambda name: evaluation.value(name, "log_loss"))
    return Decision(best, (*reasons, f"{best} is the best that is known"))


def beats(evaluation: Evaluation, one: str, other: str) -> bool:
    """Better beyond noise in one of the judged metrics, and worse in none."""
    verdicts = evaluation.verdicts(one, other, JUDGED)
    return "better" in verdicts and "worse" not in verdicts


def _superior(evaluation: Evaluation, name: str, others: Sequence[str]) -> list[str]:
    """Those of ``others`` that beat ``name``."""
    return [other for other in others if other != name and beats(evaluation, other, name)]


def miscalibration(evaluation: Evaluation, name: str) -> list[str]:
    """In which ways a model's probabilities do not add up, beyond what chance explains."""
    low, high = evaluation.interval(name, "expected_over_actual")
    smallest, largest = EXPECTED_OVER_ACTUAL
    found = []
    if low > largest or high < smallest:
        found.append(
            f"expects {evaluation.value(name, 'expected_over_actual'):.2f} times the actual conversions"
            f" ({low:.2f} to {high:.2f}; {smallest} to {largest} is allowed)"
        )
    ece, by_chance = evaluation.value(name, "ece"), evaluation.value(name, "ece_by_chance")
    if ece > max(LARGEST_ECE, by_chance):
        found.append(f"has a calibration error of {ece:.3f} (over {LARGEST_ECE} and over chance)")
    return found


def odd_rows(frame: pl.DataFrame, numeric: Sequence[str], categories: Sequence[str]) -> pl.DataFrame:
    """Rows that no training set holds: nothing known, infinite, enormous, categories never seen."""
    numbers = pl.Series([None, float("inf"), 1e300, -1e300], dtype=pl.Float64)
    texts = pl.Series([None, "", "\N{SNOWMAN} never seen", "x" * 10_000], dtype=pl.String)
    odd = [numbers.alias(name) for name in numeric] + [texts.alias(name) for name in categories]
    return frame.clear(len(numbers)).with_columns(odd)


def not_finite_on_odd_rows(models: Mapping[str, Model], rows: pl.DataFrame) -> list[str]:
    """Names of the models that give one of ``rows`` anything but a probability."""
    answers = {name: model.predict(rows) for name, model in models.items()}
    return [name for name, p in answers.items() if not (np.isfinite(p) & (p >= 0) & (p <= 1)).all()]
