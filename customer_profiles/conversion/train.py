"""One training from examples to a decision: baselines, network, canaries, evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import polars as pl

from customer_profiles.conversion.baselines import BASELINES, BoostedTrees, Model, RfmRule, rfm_applies
from customer_profiles.conversion.evaluation import Evaluation, evaluate
from customer_profiles.conversion.examples import CUSTOMER, Examples, Split
from customer_profiles.conversion.frames import InputsError
from customer_profiles.conversion.importance import importance
from customer_profiles.conversion.leaks import (
    leaks_in,
    model_is_not_too_good,
    no_feature_is_too_good,
    no_value_gives_the_label_away,
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
from customer_profiles.conversion.shapes import DETAILED, STEPPED
from customer_profiles.conversion.training import Training
from customer_profiles.projection.projection import Projection
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import ConversionSettings, LabelSettings

CANARY_ROUNDS = 30
LEANT_ON = 3
"""Inputs that are named where the model is too good to be true."""


def train(
    parts: Split,
    *,
    numeric: Sequence[str],
    categories: Sequence[str],
    conversion: ConversionSettings,
    label: LabelSettings,
    projection: Projection | None = None,
    champion: Model | None = None,
    twins: Sequence[str] = (),
    epochs: int = 80,
    report: Callable[[str], None] = lambda _: None,
) -> Training:
    """Train the network and its baselines on ``parts.train``, and judge all on ``parts.test``.

    ``numeric`` and ``categories`` name the inputs; those that are NULL in every training row are
    left out. ``projection`` must have been fitted on training rows only; ``None`` fits one.
    ``champion`` is judged on the same rows, if its inputs are still there; ``twins`` are test customers
    who may be customers of the training under another id; ``epochs`` is the most that the network
    trains. See ``insufficiency`` for whether to train at all.

    All rows are in memory, so models ``fit`` on them; ``fit_batches`` trains the same network in the same
    way on a table that is not. Of the network's shapes two are learnt: so many columns leave no ramps to
    smooth, and logistic regression stands among the baselines.
    """
    numeric, categories = _known(parts.train.features, numeric), _known(parts.train.features, categories)
    network = ConversionModel(
        conversion.seed,
        numeric=numeric,
        categories=categories,
        projection=projection,
        shapes=(DETAILED, STEPPED),
        epochs=epochs,
        report=report,
    )
    untrained = {CANDIDATE: cast(Model, network)} | _baselines(parts, numeric, categories, conversion.seed)
    seconds: dict[str, float] = {}
    models = _fitted(untrained, parts.train, seconds, report)
    with _timed(seconds, "evaluation"):
        predictions = _with_champion(_predictions(parts, models), parts, champion, report)
        evaluation = _evaluated(predictions, conversion)
    with _timed(seconds, "canaries"):
        findings = _canaries(parts, (numeric, categories), conversion.seed, label, evaluation, network, twins)
    not_finite = not_finite_on_odd_rows(
        {name: model for name, model in models.items() if name in (CANDIDATE, *SUBSTITUTES)},
        odd_rows(parts.train.features, numeric, categories),
    )
    decision = decide(evaluation, not_finite=not_finite, leaks=leaks_in(findings))
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


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Note in ``seconds`` how long a part took."""
    started = time.monotonic()
    yield
    seconds[part] = time.monotonic() - started


def _fitted(
    untrained: Mapping[str, Model],
    rows: Examples,
    seconds: dict[str, float],
    report: Callable[[str], None],
) -> dict[str, Model]:
    """Fit each model on the same rows."""
    models = {}
    for name, model in untrained.items():
        with _timed(seconds, name):
            models[name] = model.fit(rows.features, rows.label, rows.customer_key, rows.as_of)
        report(f"{name} trained in {seconds[name]:.1f} s")
    return models


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
    predictions: pl.DataFrame, parts: Split, champion: Model | None, report: Callable[[str], None]
) -> pl.DataFrame:
    """Add the champion's column, if there is one; one whose inputs are gone cannot serve: it is no rival."""
    if champion is None:
        return predictions
    try:
        return predictions.with_columns(pl.Series(CHAMPION, champion.predict(parts.test.features)))
    except InputsError as error:
        report(f"the champion cannot be judged: {error}")
        return predictions


def _evaluated(predictions: pl.DataFrame, conversion: ConversionSettings) -> Evaluation:
    return evaluate(
        predictions["label"].to_numpy(),
        predictions[CUSTOMER].to_numpy(),
        {name: predictions[name].to_numpy() for name in predictions.columns[2:]},
        rounds=conversion.bootstrap_rounds,
        seed=conversion.seed,
        economics=Economics(conversion.margin_minor, conversion.contact_cost_minor),
    )


def _canaries(
    parts: Split,
    kinds: tuple[Sequence[str], Sequence[str]],
    seed: int,
    label: LabelSettings,
    evaluation: Evaluation,
    network: Model,
    twins: Sequence[str],
) -> dict[str, Finding]:
    return {
        "train_and_test_are_apart": train_and_test_are_apart(parts, label, twins),
        "shuffled_labels_are_not_learnt": shuffled_labels_are_not_learnt(
            parts, lambda: BoostedTrees(*kinds, seed, CANARY_ROUNDS), seed
        ),
        "no_feature_is_too_good": no_feature_is_too_good(parts.train, *kinds),
        "no_value_gives_the_label_away": no_value_gives_the_label_away(parts.train, *kinds),
        "model_is_not_too_good": model_is_not_too_good(
            evaluation.value(CANDIDATE, "roc_auc"),
            lambda: _leant_on(network, parts.test, [*kinds[0], *kinds[1]], seed),
        ),
    }


def _leant_on(model: Model, rows: Examples, columns: Sequence[str], seed: int) -> list[str]:
    """The inputs that matter most to a model."""
    return importance(model, rows, columns, seed=seed)["input"][:LEANT_ON].to_list()


def _known(frame: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if frame[name].null_count() < frame.height]
