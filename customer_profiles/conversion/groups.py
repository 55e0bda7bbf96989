"""How a model treats groups of customers: whom it selects, whom it misses, how far its promises hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from customer_profiles.conversion.evaluation import quantiles, resamples
from customer_profiles.conversion.metrics import Draws, Economics, Measures, divided, ranked
from customer_profiles.conversion.promotion import EXPECTED_OVER_ACTUAL

SMALLEST = 20
"""A group with fewer rows of either class is too small to judge."""
NEW_DAYS = 90
MARKETING = [f"consent_marketing_{way}" for way in ("email", "sms", "push")]
UNKNOWN = "not told"

GROUPINGS: dict[str, pl.Expr] = {
    "tenure": pl.when(pl.col("tenure_days") < NEW_DAYS)
    .then(pl.lit(f"new (under {NEW_DAYS} days)"))
    .when(pl.col("tenure_days") >= NEW_DAYS)
    .then(pl.lit("old")),
    "marketing consent": pl.when(pl.any_horizontal(MARKETING))
    .then(pl.lit("granted"))
    .when(~pl.all_horizontal(pl.col(name).is_null() for name in MARKETING))
    .then(pl.lit("refused")),
}
FAIRNESS: dict[str, pl.Expr] = {"gender": pl.col("gender"), "age": pl.col("age_band")}
"""Groupings that law may forbid to look at: a setting switches them off."""


def groups_of(features: pl.DataFrame, segment: pl.Series | None, *, fairness: bool) -> dict[str, pl.Series]:
    """The groups (rows,) of each customer, by grouping; one whose columns are not there is left out."""
    wanted = GROUPINGS | (FAIRNESS if fairness else {})
    there = {
        name: expression
        for name, expression in wanted.items()
        if set(expression.meta.root_names()) <= set(features.columns)
    }
    named = features.select(
        expression.cast(pl.String).fill_null(UNKNOWN).alias(name) for name, expression in there.items()
    )
    parted = {} if segment is None else {"segment": segment.cast(pl.String).fill_null(UNKNOWN)}
    return parted | named.to_dict()


def by_group(
    label: np.ndarray,
    customer_key: np.ndarray,
    probability: np.ndarray,
    groups: Mapping[str, pl.Series],
    *,
    share: float,
    rounds: int = 200,
    seed: int = 0,
) -> pl.DataFrame:
    """Measure a model in each group, with 95 % intervals by customer bootstrap.

    ``label``, ``customer_key`` and ``probability`` are (rows,), ``groups`` maps groupings to (rows,)
    names. On the list stand the highest ``share`` of all rows, whichever group they belong to.
    Returns a row per group: grouping, group, customers, positives, rate; ``selected`` is the part of the
    group on the list, ``recall`` the part of its positives there, ``expected_over_actual`` and ``roc_auc``
    hold within the group, each with ``_low`` and ``_high``; ``says`` tells what to note, such as a
    group that is too small, of which nothing is measured.
    """
    listed = np.zeros(len(label))
    listed[ranked(probability, customer_key)[: round(share * len(label))]] = 1
    masks = {
        (grouping, str(name)): (names == name).to_numpy()
        for grouping, names in groups.items()
        for name in names.unique().sort()
    }
    measured = {
        group: _Group(label[rows], probability[rows], customer_key[rows], listed[rows])
        for group, rows in masks.items()
        if min(label[rows].sum(), (1 - label[rows]).sum()) >= SMALLEST
    }
    draws: dict[tuple[str, str], list[Draws]] = {group: [] for group in measured}
    for weights in resamples(customer_key, rounds, seed):
        for group, each in measured.items():
            draws[group].append(each.of(weights[:, masks[group]]))
    return pl.DataFrame(
        [
            {
                "grouping": group[0],
                "group": group[1],
                "customers": int(rows.sum()),
                "positives": int(label[rows].sum()),
                "rate": float(label[rows].mean()),
                **_told(measured.get(group), draws.get(group, [])),
            }
            for group, rows in masks.items()
        ],
        infer_schema_length=None,
    )


class _Group:
    """One group's rows, ready to be measured under any weights."""

    def __init__(
        self, label: np.ndarray, probability: np.ndarray, customer_key: np.ndarray, listed: np.ndarray
    ) -> None:
        self.measures = Measures(label, probability, customer_key, Economics())
        self.sums = np.column_stack([np.ones(len(label)), label, listed, listed * label, probability])

    def of(self, weights: np.ndarray) -> Draws:
        rows, positives, listed, reached, expected = (weights @ self.sums).T
        return {
            "selected": divided(listed, rows),
            "recall": divided(reached, positives),
            "expected_over_actual": divided(expected, positives),
            "roc_auc": self.measures.of(weights)["roc_auc"],
        }


METRICS = ("selected", "recall", "expected_over_actual", "roc_auc")


def _told(group: _Group | None, draws: list[Draws]) -> dict[str, float | str | None]:
    columns = [f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")]
    if group is None:
        return dict.fromkeys(columns) | {"says": f"too small to judge (under {SMALLEST} of either outcome)"}
    once = group.of(np.ones((1, len(group.sums))))
    cells: dict[str, float | str | None] = {}
    for metric in METRICS:
        low, high = quantiles(np.concatenate([part[metric] for part in draws]))
        cells |= {metric: float(once[metric][0]), f"{metric}_low": low, f"{metric}_high": high}
    return cells | {"says": _calibration(cells)}


def _calibration(cells: Mapping[str, float | str | None]) -> str:
    """Whether the group's promises are off by more than chance explains."""
    smallest, largest = EXPECTED_OVER_ACTUAL
    low, high = cells["expected_over_actual_low"], cells["expected_over_actual_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    if low > largest:
        return "more is promised than comes, beyond noise"
    return "less is promised than comes, beyond noise" if high < smallest else ""
