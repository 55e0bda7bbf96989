"""The model card: what a reader must know before staking money on a score."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.conversion.examples import Examples
from customer_profiles.conversion.labels import label_window
from customer_profiles.conversion.training import Training
from customer_profiles.settings import LabelSettings

SHOWN = ("roc_auc", "average_precision", "log_loss", "lift_10", "recall_10", "expected_over_actual", "ece")
LIMITS = (
    "It says who will buy, not whom a contact will make buy: that takes a randomised control group.",
    "It was judged on one snapshot. Days unlike it (holidays, price changes) can turn out differently.",
    "A value outside the training range counts as the nearest one seen; an unknown one as the median.",
    "Returns under an order id of their own cannot be matched, and do not undo a conversion.",
)


def model_card(training: Training, version: str, trained_through: date, label: LabelSettings) -> str:
    """Write the card of a training as Markdown."""
    evaluation, name = training.evaluation, training.chosen
    differences = evaluation.differences.filter(pl.col("model") == name, pl.col("metric").is_in(SHOWN))
    sections = [
        f"# Conversion model {version}",
        f"Kind: {name}. Deliveries up to {trained_through}. {training.decision.says}.",
        "## What it predicts",
        _definition(label),
        "## Data",
        _table(("set", "snapshots", "rows", "positives", "rate"), _data(training)),
        f"{len(training.numeric)} numeric inputs, {len(training.categories)} categories.",
        "## On customers it never saw",
        _table(("model", *SHOWN), metric_rows(evaluation.metrics)),
        contact_sentence(evaluation.lists, name),
        "## Beside the other models",
        _table(("other", "metric", "difference", "95 % interval", "verdict"), _difference_rows(differences)),
        "## Canaries",
        "\n".join(f"- {'passed' if f.passed else 'FAILED'}: {f.says}" for f in training.findings.values()),
        "## Known limits",
        "\n".join(f"- {limit}" for limit in LIMITS),
    ]
    return "\n\n".join(sections) + "\n"


def metric_rows(metrics: pl.DataFrame) -> list[tuple[str, ...]]:
    """One row per model: its name and ``value (low to high)`` of each metric in ``SHOWN``."""
    cells = {
        (row["model"], row["metric"]): f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        for row in metrics.iter_rows(named=True)
    }
    models = metrics["model"].unique(maintain_order=True)
    return [(model, *(cells[model, metric] for metric in SHOWN)) for model in models]


def contact_sentence(lists: pl.DataFrame, model: str, share: float = 0.1) -> str:
    """``Contact the 1,800 highest: expect 240 buyers (205 to 275)``, measured on the test customers."""
    row = lists.row(by_predicate=(pl.col("model") == model) & (pl.col("share") == share), named=True)
    return (
        f"Of the test's customers, contact the {row['customers']:,} highest: expect"
        f" {row['buyers']:,.0f} buyers ({row['low']:,.0f} to {row['high']:,.0f});"
        f" the model itself expected {row['expected_buyers']:,.0f}."
    )


def _definition(label: LabelSettings) -> str:
    window = label_window(date(2026, 1, 31), label)
    return (
        "The probability of at least one order that is paid or later, and neither cancelled nor fully"
        f" refunded or returned within {label.maturity_days} days, in {label.horizon_days} days that"
        f" begin {label.gap_days} day(s) after the profile closes. A profile as of 2026-01-31 looks at"
        f" orders from {window.first} to {window.last} and is settled on {window.matures}."
    )


def _data(training: Training) -> list[tuple[Any, ...]]:
    return [(name, *_described(rows)) for name, rows in training.parts._asdict().items()]


def _described(rows: Examples) -> tuple[str, str, str, str]:
    days = ", ".join(str(day) for day in np.unique(rows.as_of))
    return days, f"{len(rows):,}", f"{rows.positives:,}", f"{rows.label.mean():.1%}"


def _difference_rows(differences: pl.DataFrame) -> list[tuple[str, ...]]:
    return [
        (
            row["baseline"],
            row["metric"],
            f"{row['difference']:+.4f}",
            f"{row['low']:+.4f} to {row['high']:+.4f}",
            row["verdict"],
        )
        for row in differences.iter_rows(named=True)
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
