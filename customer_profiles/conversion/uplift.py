"""What a contact changes: uplift of randomised campaigns, by customers' scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.contact import NORMAL_95
from customer_profiles.conversion.evaluation import quantiles, resamples
from customer_profiles.conversion.leaks import CHANCE_DEVIATIONS
from customer_profiles.conversion.metrics import divided, percent, ranked

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


def uplift(trial: Trial, score: np.ndarray, *, rounds: int = 200) -> dict[str, Any]:
    """Measure, with 95 % intervals, what contacting changed, by ``score`` (rows,).

    Returns campaign, treated, control, ``effect`` (the rate of the contacted less that of the control
    arm), ``uplift_10`` and ``uplift_30`` (the same among that share of the highest), ``qini``, each with
    ``_low`` and ``_high``, and ``says``. Rows weigh the inverse of their chance (Horvitz and Thompson
    1952). The Qini coefficient is the area between the Qini curve (Radcliffe 2007) and the straight
    line, as a share of the best possible one's: ``qini_auc_score`` of scikit-uplift, with ties broken by
    the key's hash.
    """
    order = ranked(score, trial.customer_key)
    label, treated, weight = trial.label[order], trial.treated[order], 1 / trial.chance[order]
    figures = _difference(label, treated, weight, "effect")
    for share in SHARES:
        highest = slice(round(share * len(order)))
        name = f"uplift_{percent(share)}"
        figures |= _difference(label[highest], treated[highest], weight[highest], name)
    curves = _Curves(label, treated, weight)
    parts = [curves.qini(weights[:, order]) for weights in resamples(trial.customer_key, rounds, seed=0)]
    low, high = quantiles(np.concatenate(parts))
    qini = float(curves.qini(np.ones((1, len(order))))[0])
    return {
        "campaign": trial.campaign,
        "treated": int(trial.treated.sum()),
        "control": int((~trial.treated).sum()),
        **figures,
        "qini": qini,
        "qini_low": low,
        "qini_high": high,
        "says": _verdict(low, high),
    }


def uplift_table(trials: Sequence[Trial | Refusal], model: Model) -> list[dict[str, Any]]:
    """A row per trial: what ``uplift`` measures by the model's scores, or the reason alone."""
    return [_told(each, model) if isinstance(each, Trial) else asdict(each) for each in trials]


def _told(trial: Trial, model: Model) -> dict[str, Any]:
    score = model.predict(trial.features)
    unlike = unlike_chance(trial, score)
    return asdict(Refusal(trial.campaign, unlike)) if unlike else uplift(trial, score)


def unlike_chance(trial: Trial, score: np.ndarray) -> str | None:
    """Say how the arms differ from what the told chances give beyond 99.9 %, or ``None``.

    Weighed by the inverse of their chance, both arms are all customers: as many, and with as high a
    ``score`` (rows,) by profiles from before the contacts. A rule that is called random is told by that.
    """
    side = np.where(trial.treated, 1, -1) / trial.chance
    if _deviations(side) > CHANCE_DEVIATIONS:
        arms = f"{int(trial.treated.sum())} contacted, {int((~trial.treated).sum())} in control"
        return f"refused: {arms} are not what their assignment probabilities give"
    order = ranked(score, trial.customer_key)
    place = np.empty(len(order))
    place[order] = np.arange(len(order)) - (len(order) - 1) / 2
    if _deviations(side * place) > CHANCE_DEVIATIONS:
        return (
            "refused: called randomised, but by their profiles from before it the contacted were likelier or "
            "less likely to do it than the control arm, beyond chance"
        )
    return None


def _deviations(terms: np.ndarray) -> float:
    """By how many standard deviations a sum of independent terms of mean 0 is off."""
    return float(abs(terms.sum()) / np.sqrt((terms**2).sum()))


class _Curves:
    """Rows by descending score, ready to be measured under any weights (resamples, rows)."""

    def __init__(self, label: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> None:
        self.label = label == 1
        self.treated, self.control = weight * treated, weight * ~treated
        self.caught = self.label & treated
        self.lost = self.label & ~treated

    def qini(self, weights: np.ndarray) -> np.ndarray:
        rows = np.cumsum(weights, axis=1)
        contacted, left = (np.cumsum(weights * arm, axis=1) for arm in (self.treated, self.control))
        bought, anyway = (
            np.cumsum(weights * arm * self.label, axis=1) for arm in (self.treated, self.control)
        )
        ratio = np.divide(contacted, left, out=np.zeros_like(left), where=left > 0)
        curve = bought - anyway * ratio
        chance = rows[:, -1] * curve[:, -1] / 2
        area = (weights * (curve + np.column_stack([np.zeros(len(curve)), curve[:, :-1]])) / 2).sum(axis=1)
        return divided(area - chance, self._best_area(weights, bought[:, -1], curve[:, -1]) - chance)

    def _best_area(self, weights: np.ndarray, bought: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Area under the curve of who knows: contacted buyers first, buyers of the control arm last."""
        caught, lost = weights @ self.caught, weights @ self.lost
        others = weights.sum(axis=1) - caught - lost
        return np.asarray(caught * bought / 2 + others * bought + lost * (bought + end) / 2)


def _difference(label: np.ndarray, treated: np.ndarray, weight: np.ndarray, name: str) -> dict[str, float]:
    """The arms' rates apart, with the interval; NaN if an arm has no rows.

    Each arm gets one more who did it and one more who did not (Agresti and Caffo 2000, Am. Statist. 54),
    of its mean weight: a bootstrap of the few in a small control arm is too narrow, and of none of whom
    did it says for certain that nobody will.
    """
    rates, guarded, variances = [], [], []
    for arm in (treated, ~treated):
        did, weights = label[arm] == 1, weight[arm]
        if not len(weights):
            return dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
        one = (weights**2).sum() / weights.sum()
        rate = (weights[did].sum() + one) / (weights.sum() + 2 * one)
        squares = (weights**2 * (did - rate) ** 2).sum() + one**2 * (rate**2 + (1 - rate) ** 2)
        rates.append(weights[did].sum() / weights.sum())
        guarded.append(rate)
        variances.append(squares / (weights.sum() + 2 * one) ** 2)
    middle, spread = guarded[0] - guarded[1], NORMAL_95 * np.sqrt(sum(variances))
    return {
        name: float(rates[0] - rates[1]),
        f"{name}_low": float(max(middle - spread, -1)),
        f"{name}_high": float(min(middle + spread, 1)),
    }


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "the highest gain most from a contact, beyond noise"
    return "the highest gain least from a contact, beyond noise" if high < 0 else "insufficient evidence"
