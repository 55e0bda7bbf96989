"""Claims about a trained model and its scores, held against data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl

from customer_profiles.conversion.artefacts import Champion
from customer_profiles.conversion.evaluation import Evaluation, quantiles, resamples
from customer_profiles.conversion.metrics import Economics, Measures
from customer_profiles.conversion.promotion import CANDIDATE, CHAMPION, JUDGED, beats
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import LabelName

ROUNDS = 200


def no_baseline_is_as_good(evaluation: Evaluation) -> Finding:
    """Hold that the network beats every baseline beyond noise.

    A baseline that beats it is an error; a difference that could be chance is a warning.
    """
    names = evaluation.metrics["model"].unique(maintain_order=True).to_list()
    baselines = [name for name in names if name not in (CANDIDATE, CHAMPION)]
    better = [name for name in baselines if beats(evaluation, name, CANDIDATE)]
    unproven = [name for name in baselines if name not in better and not beats(evaluation, CANDIDATE, name)]
    says = f"the network beats {', '.join(baselines)} beyond noise"
    if better or unproven:
        found = {"the network is beaten by": better, "insufficient evidence that the network beats": unproven}
        says = "; ".join(f"{how} {', '.join(who)}" for how, who in found.items() if who)
    compared = evaluation.differences.filter(
        pl.col("model") == CANDIDATE, pl.col("baseline").is_in(baselines), pl.col("metric").is_in(JUDGED)
    )
    return Finding(
        passed=not better and not unproven,
        value=round(evaluation.value(CANDIDATE, "roc_auc"), 4),
        threshold={name: round(evaluation.value(name, "roc_auc"), 4) for name in baselines},
        says=says,
        severity="error" if better else "warn",
        details=compared.to_dicts(),
    )


def eligible_customers_are_scored(eligible: pl.Series, scores: pl.DataFrame) -> Finding:
    """Hold that exactly the ``eligible`` customers have a score, each a probability."""
    missing = eligible.is_in(scores["customer_key"].implode()).not_().sum()
    uninvited = scores["customer_key"].is_in(eligible.implode()).not_().sum()
    outside = scores["conversion_probability"].is_between(0, 1).not_().sum()
    wrong = {"without a score": missing, "scored though not eligible": uninvited, "not in [0, 1]": outside}
    broken = {what: int(rows) for what, rows in wrong.items() if rows}
    says = "; ".join(f"{rows:,} {what}" for what, rows in broken.items())
    return Finding(
        passed=not broken,
        value=sum(broken.values()),
        threshold=0,
        says=says or f"all {eligible.len():,} eligible customers have a probability",
    )


def champion_is_trusted(champion: Champion, newest: date, trust_days: int, other_terms: str = "") -> Finding:
    """Hold that no more than ``trust_days`` lie between the champion's training and the newest profiles.

    Nor may the label have changed its meaning since: ``other_terms`` says how it did.
    """
    age = (newest - champion.trained_through).days
    return Finding(
        passed=age <= trust_days and not other_terms,
        value=age,
        threshold=trust_days,
        says=(
            f"{champion.kind} {champion.version} learnt from deliveries up to {champion.trained_through},"
            f" {age} days before the newest profiles"
            + ("" if age <= trust_days else f"; {trust_days} are trusted: train again")
            + (
                f"; it predicts something else than is asked now: {other_terms}: train again"
                if other_terms
                else ""
            )
        ),
        severity="warn",
    )


def published_lift_holds(
    label: np.ndarray,
    scores: pl.DataFrame,
    tested: float,
    *,
    lift_loss: float,
    smallest_positives: int,
) -> Finding:
    """Hold that published scores bring the lift that their model had in its test.

    ``label`` (rows,) tells what became of the customers of ``scores`` (one day's, with
    ``customer_key``, ``conversion_probability``, ``as_of`` and ``model_version``); ``tested`` is the
    model's lift@10 % on its test. Fewer than ``smallest_positives`` of them are too few to tell.
    """
    day, version = scores["as_of"][0], scores["model_version"][0]
    if label.sum() < smallest_positives:
        says = f"too few to tell: {int(label.sum())} of those scored on {day} did it"
        return Finding(True, int(label.sum()), smallest_positives, says, severity="warn")
    keys = scores["customer_key"].to_numpy()
    measures = Measures(label, scores["conversion_probability"].to_numpy(), keys, Economics())
    lift = float(measures.of(np.ones((1, len(label))))["lift_10"][0])
    low, high = quantiles(np.concatenate([measures.of(w)["lift_10"] for w in resamples(keys, ROUNDS, 0)]))
    smallest = (1 - lift_loss) * tested
    chance = " (it could be chance)" if lift < smallest <= high else ""
    return Finding(
        passed=lift >= smallest,
        value=round(lift, 2),
        threshold=round(smallest, 2),
        says=(
            f"the scores of {day} by {version} had lift@10 % {lift:.2f} ({low:.2f} to {high:.2f}) once their"
            f" labels matured; in its test it was {tested:.2f}{chance}"
        ),
        severity="warn",
    )


def together(findings: Mapping[LabelName, Finding]) -> Finding:
    """One finding for several labels: the worst, with what is said of each."""
    if len(findings) == 1:
        return next(iter(findings.values()))
    worst = min(findings.values(), key=lambda found: (found.passed, found.severity != "error"))
    says = "; ".join(f"{label}: {found.says}" for label, found in findings.items())
    details = [{"label": label, **row} for label, found in findings.items() for row in found.details]
    values = {label: found.value for label, found in findings.items()}
    return Finding(worst.passed, values, worst.threshold, says, worst.severity, details)
