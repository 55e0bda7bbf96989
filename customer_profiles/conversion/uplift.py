"""What a contact changes: uplift of randomised campaigns, by customers' scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.evaluation import quantiles, resamples
from customer_profiles.conversion.metrics import Draws, divided, percent, ranked

SHARES = (0.1, 0.3)
SMALLEST_ARM, SMALLEST_POSITIVES = 50, 20
"""With fewer customers in an arm, or fewer positives in all, nothing can be told."""


@dataclass(frozen=True)
class Trial:
    """A campaign that drew at random whom to contact; the fields run in parallel.

    ``features`` are profiles as of a day before the contacts, ``label`` (rows,) 0 or 1 is what they did
    afterwards (1 is what a contact is for: of those who may leave, staying), ``treated`` (rows,) whether
    they were contacted, and ``chance`` (rows,) how likely they were to get into the arm they are in.
    """

    campaign: str
    features: pl.DataFrame
    customer_key: np.ndarray
    label: np.ndarray
    treated: np.ndarray
    chance: np.ndarray


@dataclass(frozen=True)
class Refusal:
    """A campaign of which no uplift can be told, and why."""

    campaign: str
    says: str


def judged(trial: Trial) -> Trial | Refusal:
    """The trial, or why it tells nothing: uplift is an effect only where chance alone chose the arms."""
    arms = np.bincount(trial.treated.astype(np.int64), minlength=2)
    if not ((trial.chance > 0) & (trial.chance < 1)).all():
        return Refusal(trial.campaign, "refused: the assignment probability is not told, or it is 0 or 1")
    if arms.min() < SMALLEST_ARM:
        return Refusal(
            trial.campaign,
            f"too few to tell: {arms[1]} contacted, {arms[0]} in control; {SMALLEST_ARM} of each are needed",
        )
    if trial.label.sum() < SMALLEST_POSITIVES:
        return Refusal(trial.campaign, f"too few to tell: {int(trial.label.sum())} of {len(trial.label)} did")
    return trial


def uplift(trial: Trial, score: np.ndarray, *, rounds: int = 200, seed: int = 0) -> dict[str, Any]:
    """Measure, with 95 % intervals by customer bootstrap, what contacting changed, by ``score`` (rows,).

    Returns campaign, treated, control, ``effect`` (the rate of the contacted less that of the control
    arm), ``uplift_10`` and ``uplift_30`` (the same among that share of the highest), ``qini``, each with
    ``_low`` and ``_high``, and ``says``. Rows weigh the inverse of their chance (Horvitz and Thompson
    1952). The Qini coefficient is the area between the Qini curve (Radcliffe 2007) and the straight
    line, as a share of the best possible one's: ``qini_auc_score`` of scikit-uplift, with ties broken by
    the key's hash.
    """
    order = ranked(score, trial.customer_key)
    curves = _Curves(trial.label[order], trial.treated[order], 1 / trial.chance[order])
    once = curves.of(np.ones((1, len(order))))
    parts = [curves.of(weights[:, order]) for weights in resamples(trial.customer_key, rounds, seed)]
    figures: dict[str, Any] = {}
    for name, value in once.items():
        low, high = quantiles(np.concatenate([part[name] for part in parts]))
        figures |= {name: float(value[0]), f"{name}_low": low, f"{name}_high": high}
    return {
        "campaign": trial.campaign,
        "treated": int(trial.treated.sum()),
        "control": int((~trial.treated).sum()),
        **figures,
        "says": _verdict(figures["qini_low"], figures["qini_high"]),
    }


def uplift_table(trials: Sequence[Trial | Refusal], model: Model) -> list[dict[str, Any]]:
    """A row per campaign: what ``uplift`` measures by the model's scores, or the reason alone."""
    return [
        uplift(each, model.predict(each.features)) if isinstance(each, Trial) else asdict(each)
        for each in trials
    ]


class _Curves:
    """Rows by descending score, ready to be measured under any weights (resamples, rows)."""

    def __init__(self, label: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> None:
        self.label = label == 1
        self.treated, self.control = weight * treated, weight * ~treated
        self.caught = self.label & treated
        self.lost = self.label & ~treated

    def of(self, weights: np.ndarray) -> Draws:
        rows = np.cumsum(weights, axis=1)
        contacted, left = (np.cumsum(weights * arm, axis=1) for arm in (self.treated, self.control))
        bought, anyway = (
            np.cumsum(weights * arm * self.label, axis=1) for arm in (self.treated, self.control)
        )
        result = {"effect": _difference(bought, contacted, anyway, left, np.full(len(weights), -1))}
        for share in SHARES:
            last = (rows <= share * rows[:, -1:]).sum(axis=1) - 1
            result[f"uplift_{percent(share)}"] = _difference(bought, contacted, anyway, left, last)
        ratio = np.divide(contacted, left, out=np.zeros_like(left), where=left > 0)
        curve = bought - anyway * ratio
        chance = rows[:, -1] * curve[:, -1] / 2
        area = (weights * (curve + np.column_stack([np.zeros(len(curve)), curve[:, :-1]])) / 2).sum(axis=1)
        result["qini"] = divided(
            area - chance, self._best_area(weights, bought[:, -1], curve[:, -1]) - chance
        )
        return result

    def _best_area(self, weights: np.ndarray, bought: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Area under the curve of who knows: contacted buyers first, buyers of the control arm last."""
        caught, lost = weights @ self.caught, weights @ self.lost
        others = weights.sum(axis=1) - caught - lost
        return np.asarray(caught * bought / 2 + others * bought + lost * (bought + end) / 2)


def _difference(
    bought: np.ndarray, contacted: np.ndarray, anyway: np.ndarray, left: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """The arms' rates apart among the first rows, up to ``last`` (resamples,) of them."""
    here = np.arange(len(last))
    rates = (
        divided(bought[here, last], contacted[here, last]),
        divided(anyway[here, last], left[here, last]),
    )
    return np.asarray(rates[0] - rates[1])


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "the highest gain most from a contact, beyond noise"
    return "the highest gain least from a contact, beyond noise" if high < 0 else "insufficient evidence"
