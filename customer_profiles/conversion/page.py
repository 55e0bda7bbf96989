"""The page of a training: all that was found, as values that are stored beside the model."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self

import numpy as np
import polars as pl

from customer_profiles.contracts.columns import MINOR_DIGITS
from customer_profiles.conversion.contact import contact_sentence, contact_table, in_days
from customer_profiles.conversion.examples import Examples
from customer_profiles.conversion.groups import by_group, groups_of
from customer_profiles.conversion.importance import importance
from customer_profiles.conversion.labels import DEFINITIONS, label_window, terms
from customer_profiles.conversion.metrics import ranked
from customer_profiles.conversion.network import ConversionModel
from customer_profiles.conversion.promotion import CHAMPION, JUDGED
from customer_profiles.conversion.shapes import BRANCHED, DETAILED, LINEAR, SMOOTH, STEPPED
from customer_profiles.conversion.training import Training
from customer_profiles.conversion.uplift import Refusal, Trial, uplift_table
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import ConversionSettings, LabelSettings

Rows = list[dict[str, Any]]
PARTS = {
    DETAILED: "a Keras network's",
    SMOOTH: "a smoother Keras network's",
    LINEAR: "a linear Keras network's",
    STEPPED: "boosted trees'",
    BRANCHED: "larger boosted trees'",
}
"""What a marketer reads of a shape."""


@dataclass(frozen=True)
class Page:
    """What a training found about the model that it stored.

    ``label`` and ``model`` are the names of what is predicted and of the model's kind. ``faults`` are
    leaks and answers that are no numbers: with one of them the model can never serve. ``tables`` holds
    rows by name: examples, metrics, differences, deciles, lists, groups, inputs, uplift, changes,
    canaries, seconds; their columns are those of ``Evaluation``, ``by_group``, ``importance`` and ``uplift``.
    ``terms`` are the settings by which the label was told (``labels.terms``). Money is told in
    ``money_unit``, of 10 to the power of ``minor_digits`` minor units.
    """

    label: str
    model: str
    trained_through: date
    trained_at: str
    predicts: str
    decision: str
    contact: str
    sufficiency: str
    faults: tuple[str, ...]
    tables: dict[str, Rows]
    terms: dict[str, Any] = field(default_factory=dict)
    money_unit: str = "currency units"
    minor_digits: int = 2

    def other_terms(self, label: LabelSettings) -> str:
        """What the label means by today's settings and did not in the training; nothing if that is the same.

        Pages of earlier versions of the platform do not tell.
        """
        return ", ".join(
            f"label.{key} is {now} and was {self.terms[key]}"
            for key, now in terms(self.label, label).items()
            if key in self.terms and self.terms[key] != now
        )

    def metrics(self) -> dict[str, float]:
        """The model's metrics that have a value."""
        rows = self.tables["metrics"]
        own = [row for row in rows if row["model"] == self.model]
        return {row["metric"]: row["value"] for row in own if row["value"] is not None}

    def to_json(self) -> str:
        """Write the page."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for others."""
        told = json.loads(text)
        trained_through = date.fromisoformat(told.pop("trained_through"))
        faults = tuple(told.pop("faults"))
        return cls(**told, trained_through=trained_through, faults=faults)


@dataclass(frozen=True)
class Circumstances:
    """What a page tells beside the training itself.

    ``customers`` is how many the label is about today, ``segment`` the segment (rows,) of each test
    customer or ``None``, ``currencies`` those in which customers bought, ``before`` the champion's version
    and page, ``trials`` the campaigns from which uplift can be told, or why it cannot.
    """

    label: str
    trained_through: date
    customers: int
    sufficiency: str
    segment: pl.Series | None = None
    currencies: Sequence[str] = ()
    before: tuple[str, Page] | None = None
    trials: Sequence[Trial | Refusal] = ()


def page_of(
    training: Training, told: Circumstances, label: LabelSettings, conversion: ConversionSettings
) -> Page:
    """Put the page of a training together."""
    tables = _tables(training, told, conversion)
    they = DEFINITIONS[told.label].they
    unit, digits = money(told.currencies)
    return Page(
        label=told.label,
        model=training.chosen,
        trained_through=told.trained_through,
        trained_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        predicts=_predicts(told.label, label) + _made_of(training) + _worth(told.label, conversion, digits),
        decision=training.decision.says,
        contact=contact_sentence(
            tables["lists"], conversion.list_share, told.customers, they, label.horizon_days
        ),
        sufficiency=told.sufficiency,
        faults=training.faults,
        tables={name: [_plain(row) for row in rows] for name, rows in tables.items()},
        terms=terms(told.label, label),
        money_unit=unit,
        minor_digits=digits,
    )


def money(currencies: Sequence[str]) -> tuple[str, int]:
    """The unit in which money is told, and its digits: the minor one if several have different ones."""
    digits = {MINOR_DIGITS.get(currency, 2) for currency in currencies} or {2}
    if len(digits) > 1:
        return "minor units", 0
    return currencies[0] if len(currencies) == 1 else "currency units", digits.pop()


def _tables(training: Training, told: Circumstances, conversion: ConversionSettings) -> dict[str, Rows]:
    """The page's tables, as rows."""
    name, test, evaluation = training.chosen, training.parts.test, training.evaluation
    own = pl.col("model") == name
    lists = contact_table(evaluation.lists.filter(own), len(test), told.customers, conversion)
    groups = by_group(
        test.label,
        test.customer_key,
        training.predictions[name].to_numpy(),
        groups_of(test.features, told.segment, fairness=conversion.fairness),
        share=conversion.list_share,
        seed=conversion.seed,
    )
    inputs = importance(
        training.models[name],
        test,
        [*training.numeric, *training.categories],
        rounds=conversion.bootstrap_rounds,
        seed=conversion.seed,
    )
    return {
        "examples": [_counted(part, rows) for part, rows in training.parts._asdict().items()],
        "metrics": evaluation.metrics.to_dicts(),
        "differences": evaluation.differences.filter(own).to_dicts(),
        "deciles": evaluation.deciles.filter(own).to_dicts(),
        "lists": lists,
        "groups": groups.to_dicts(),
        "inputs": inputs.to_dicts(),
        "uplift": uplift_table(told.trials, training.models[name]),
        "changes": _changes(training, told, conversion.list_share),
        "canaries": [_judged(canary, finding) for canary, finding in training.findings.items()],
        "seconds": [{"part": part, "seconds": round(taken, 1)} for part, taken in training.seconds.items()],
    }


def _counted(part: str, rows: Examples) -> dict[str, Any]:
    return {
        "set": part,
        "snapshots": ", ".join(str(day) for day in np.unique(rows.as_of)),
        "rows": len(rows),
        "positives": rows.positives,
        "rate": rows.positives / len(rows),
    }


def _judged(canary: str, finding: Finding) -> dict[str, Any]:
    return {
        "canary": canary,
        "passed": finding.passed,
        "severity": finding.severity,
        "says": finding.says,
    }


def _predicts(name: str, label: LabelSettings) -> str:
    window, definition = label_window(date(2026, 1, 31), label), DEFINITIONS[name]
    says = definition.says.replace("label.category", repr(label.category))
    begins = f"{in_days(label.gap_days)} after" if label.gap_days else "as"
    return (
        f"The chance that a customer {says}, in {in_days(label.horizon_days)} that"
        f" begin{'s' if label.horizon_days == 1 else ''} {begins} the profile closes."
        f" {definition.stands.format(in_days(label.maturity_days))} For"
        f" example, a profile as of 2026-01-31 looks at {window.first} to {window.last} and"
        f" is settled on {window.matures}."
    )


def _made_of(training: Training) -> str:
    """How much of a network's answer comes from which part of it."""
    model = training.models[training.chosen]
    if not isinstance(model, ConversionModel):
        return ""
    shares = " and ".join(f"{weight:.0%} {PARTS[shape]}" for shape, weight in model.weights_.items())
    return f" The answer is {shares}."


def _worth(name: str, conversion: ConversionSettings, digits: int) -> str:
    """What profit counts."""
    if not DEFINITIONS[name].pays:
        return ""
    margin, cost = (minor / 10**digits for minor in (conversion.margin_minor, conversion.contact_cost_minor))
    return (
        f" Profit counts {margin:,.{digits}f} for each who does it and takes {cost:,.{digits}f} off for each"
        " contact (set your own: conversion.margin_minor and conversion.contact_cost_minor): one pays from a"
        f" chance of {cost / margin:.1%} on, the cut-off."
    )


def _changes(training: Training, told: Circumstances, share: float) -> Rows:
    """What is different from the champion, judged on the same rows; nothing if there was none."""
    if told.before is None or CHAMPION not in training.predictions.columns:
        return []
    version, page = told.before
    name, evaluation, learnt = training.chosen, training.evaluation, page.tables["examples"][0]
    train = training.parts.train
    rows = [
        ("version", version, "this training", ""),
        ("kind", page.model, name, ""),
        ("learnt from", learnt["snapshots"], ", ".join(str(day) for day in np.unique(train.as_of)), ""),
        ("rows learnt from", f"{learnt['rows']:,}", f"{len(train):,}", ""),
    ]
    pair = (pl.col("model") == name) & (pl.col("baseline") == CHAMPION) & pl.col("metric").is_in(JUDGED)
    for row in evaluation.differences.filter(pair).iter_rows(named=True):
        values = (evaluation.value(model, row["metric"]) for model in (CHAMPION, name))
        difference = f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f}): {row['verdict']}"
        rows.append((row["metric"], *(f"{value:.4f}" for value in values), difference))
    size = round(share * len(training.parts.test))
    then, now = (
        set(ranked(training.predictions[model].to_numpy(), training.parts.test.customer_key)[:size])
        for model in (CHAMPION, name)
    )
    rows.append(("on the list", f"{size:,}", f"{size:,}", f"{len(then & now):,} in common"))
    return [dict(zip(("what", "champion", "this model", "difference"), row, strict=True)) for row in rows]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row in which what is no number is ``None``."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
