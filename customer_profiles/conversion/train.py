"""One training from examples to a decision: baselines, network, canaries, evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import polars as pl

from customer_profiles.conversion.baselines import BASELINES, BoostedTrees, Model, RfmRule, rfm_applies
from customer_profiles.conversion.evaluation import Evaluation, evaluate
from customer_profiles.conversion.examples import CUSTOMER, Examples, Split
from customer_profiles.conversion.inputs import InputsError
from customer_profiles.conversion.leaks import (
    model_is_not_too_good,
    no_feature_is_too_good,
    shuffled_labels_are_not_learnt,
    train_and_test_are_apart,
)
from customer_profiles.conversion.metrics import Economics
from customer_profiles.conversion.network import ConversionModel
from customer_profiles.conversion.promotion import (
    CANDIDATE,
    CHAMPION,
    SUBSTITUTES,
    decide,
    not_finite_on_odd_rows,
    odd_rows,
)
from customer_profiles.conversion.shapes import DETAILED
from customer_profiles.conversion.training import Training
from customer_profiles.projection.projection import Projection
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import ConversionSettings, LabelSettings

CANARY_ROUNDS = 30


def train(
    parts: Split,
    *,
    numeric: Sequence[str],
    categories: Sequence[str],
    conversion: ConversionSettings,
    label: LabelSettings,
    projection: Projection | None = None,
    champion: Model | None = None,
    epochs: int = 80,
    report: Callable[[str], None] = lambda _: None,
) -> Training:
    """Train the network and its baselines on ``parts.train``, and judge all on ``parts.test``.

    ``numeric`` and ``categories`` name the inputs; those that are NULL in every training row are
    left out. ``projection`` must have been fitted on training rows only; ``None`` fits one.
    ``champion`` is judged on the same rows, if its inputs are still there; ``epochs`` is the most
    that the network trains. See ``insufficiency`` for whether to train at all.
    """
    numeric, categories = _known(parts.train.features, numeric), _known(parts.train.features, categories)
    network = ConversionModel(
        conversion.seed,
        numeric=numeric,
        categories=categories,
        projection=projection,
        shape=DETAILED,
        epochs=epochs,
        report=report,
    )
    untrained = {CANDIDATE: cast(Model, network)} | _baselines(parts, numeric, categories, conversion.seed)
    models, seconds = _fitted(untrained, parts.train, report)
    started = time.monotonic()
    predictions = _predictions(parts, models)
    if champion is not None:
        predictions = _with_champion(predictions, parts, champion, report)
    columns = {name: predictions[name].to_numpy() for name in predictions.columns[2:]}
    evaluation = evaluate(
        parts.test.label,
        parts.test.customer_key,
        columns,
        rounds=conversion.bootstrap_rounds,
        seed=conversion.seed,
        economics=Economics(conversion.margin_minor, conversion.contact_cost_minor),
    )
    seconds["evaluation"] = time.monotonic() - started
    started = time.monotonic()
    findings = _canaries(parts, (numeric, categories), conversion.seed, label, evaluation)
    seconds["canaries"] = time.monotonic() - started
    not_finite = not_finite_on_odd_rows(
        {name: model for name, model in models.items() if name in (CANDIDATE, *SUBSTITUTES)},
        odd_rows(parts.train.features, numeric, categories),
    )
    leaks = [finding.says for finding in findings.values() if not finding.passed]
    decision = decide(evaluation, not_finite=not_finite, leaks=leaks)
    report(decision.says)
    return Training(
        models=models,
        numeric=tuple(numeric),
        categories=tuple(categories),
        parts=parts,
        predictions=predictions,
        evaluation=evaluation,
        findings=findings,
        not_finite=tuple(not_finite),
        decision=decision,
        seconds=seconds,
    )


def _fitted(
    untrained: Mapping[str, Model], rows: Examples, report: Callable[[str], None]
) -> tuple[dict[str, Model], dict[str, float]]:
    """Fit each model on the same rows; tell how many seconds each took."""
    models, seconds = {}, {}
    for name, model in untrained.items():
        started = time.monotonic()
        models[name] = model.fit(rows.features, rows.label, rows.customer_key, rows.as_of)
        seconds[name] = time.monotonic() - started
        report(f"{name} trained in {seconds[name]:.1f} s")
    return models, seconds


def _baselines(
    parts: Split, numeric: Sequence[str], categories: Sequence[str], seed: int
) -> dict[str, Model]:
    return {
        name: untrained(numeric, categories, seed)
        for name, untrained in BASELINES.items()
        if name != RfmRule.kind or rfm_applies(parts.train.features)
    }


def _predictions(parts: Split, models: Mapping[str, Model]) -> pl.DataFrame:
    scores = {name: model.predict(parts.test.features) for name, model in models.items()}
    return pl.DataFrame({CUSTOMER: parts.test.customer_key, "label": parts.test.label, **scores})


def _with_champion(
    predictions: pl.DataFrame, parts: Split, champion: Model, report: Callable[[str], None]
) -> pl.DataFrame:
    """Add the champion's column; one whose inputs are gone cannot serve, and so is no rival."""
    try:
        return predictions.with_columns(pl.Series(CHAMPION, champion.predict(parts.test.features)))
    except InputsError as error:
        report(f"the champion cannot be judged: {error}")
        return predictions


def _canaries(
    parts: Split,
    kinds: tuple[Sequence[str], Sequence[str]],
    seed: int,
    label: LabelSettings,
    evaluation: Evaluation,
) -> dict[str, Finding]:
    return {
        "train_and_test_are_apart": train_and_test_are_apart(parts, label),
        "shuffled_labels_are_not_learnt": shuffled_labels_are_not_learnt(
            parts, lambda: BoostedTrees(*kinds, seed, CANARY_ROUNDS), seed
        ),
        "no_feature_is_too_good": no_feature_is_too_good(parts.train, *kinds),
        "model_is_not_too_good": model_is_not_too_good(evaluation.value(CANDIDATE, "roc_auc")),
    }


def _known(frame: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if frame[name].null_count() < frame.height]
