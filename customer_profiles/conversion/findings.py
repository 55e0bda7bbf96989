"""Claims about a trained model and its scores, held against data."""

from __future__ import annotations

import polars as pl

from customer_profiles.conversion.evaluation import Evaluation
from customer_profiles.conversion.promotion import CANDIDATE, CHAMPION, JUDGED, beats
from customer_profiles.quality.finding import Finding


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
        found = {"beaten by": better, "insufficient evidence against": unproven}
        says = "the network is " + "; ".join(f"{how} {', '.join(who)}" for how, who in found.items() if who)
        says = says.replace("is insufficient", "has insufficient")
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
