"""Assets of conversion: the trained model with its evaluation, and everybody's scores."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from customer_profiles.conversion import plots
from customer_profiles.conversion.artefacts import champion, load, usable_champion, version_of
from customer_profiles.conversion.findings import no_baseline_is_as_good
from customer_profiles.conversion.model_card import SHOWN, contact_sentence, metric_rows
from customer_profiles.conversion.snapshots import CATEGORIES, NUMERIC, gather, score_day, store_evaluation
from customer_profiles.conversion.tables import EVALUATIONS, SCORES
from customer_profiles.conversion.train import publish, train
from customer_profiles.conversion.training import Training
from customer_profiles.features.assets import as_of_days
from customer_profiles.orchestration.checks import result_of
from customer_profiles.orchestration.metadata import about_table, picture, row_count, rows_as_table
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform
from customer_profiles.projection.service import load_projection

MODEL = dg.AssetKey(["models", "conversion"])
CANARIES = {
    "train_and_test_are_apart": "train and test share no customer and no label window",
    "shuffled_labels_are_not_learnt": "with shuffled labels the AUC is 0.5 within chance",
    "no_feature_is_too_good": "no single input tells the label almost alone",
    "model_is_not_too_good": "no AUC that only a leak could give",
}

BASELINES = "no_baseline_is_as_good"


@dg.asset(
    key=MODEL,
    deps=[
        dg.AssetKey(["features", "customer_features"]),
        dg.AssetKey(["models", "projection"]),
        dg.AssetKey(["cleaned", "orders"]),
    ],
    group_name="models",
    description=(
        "A Keras network on principal components and the other traits, trained on matured snapshots and "
        "judged on later days and unseen customers, beside its baselines. It serves only if it earns it."
    ),
    kinds={"keras", "scikitlearn"},
    metadata=about_table(EVALUATIONS),
    check_specs=[
        dg.AssetCheckSpec(name, asset=MODEL, description=claim, blocking=True)
        for name, claim in CANARIES.items()
    ]
    + [
        dg.AssetCheckSpec(BASELINES, asset=MODEL, description="the network beats every baseline beyond noise")
    ],
    pool="warehouse",
)
def conversion(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Train, judge and perhaps promote; or say why nothing is trained yet."""
    settings = platform.settings
    with platform.warehouse() as warehouse:
        gathered = gather(warehouse, settings)
    projection = load_projection(settings.models)
    if isinstance(gathered, str) or projection is None:
        yield from _nothing_is_trained(str(gathered) if projection else "No projection is in service yet.")
        return
    serving, unusable = usable_champion(settings.models)
    if unusable:
        context.log.warning(f"the champion is not judged: {unusable}")
    training = train(
        gathered.examples,
        numeric=NUMERIC,
        categories=CATEGORIES,
        conversion=settings.conversion,
        label=settings.label,
        projection=projection.model,
        champion=serving,
        report=context.log.info,
    )
    version = version_of(gathered.data, {**settings.label.model_dump(), **settings.conversion.model_dump()})
    through = gathered.days.known_through
    promoted = publish(training, settings.models, version, through, settings.label)
    with platform.warehouse() as warehouse:
        store_evaluation(warehouse, training.evaluation.metrics, version, through)
    serves = promoted.version if promoted else "as before"
    yield dg.MaterializeResult(metadata={"version": version, "serves": serves, **_evaluated(training)})
    for name, finding in training.findings.items():
        yield result_of(finding, check_name=name)
    yield result_of(no_baseline_is_as_good(training.evaluation), check_name=BASELINES)


def _nothing_is_trained(reason: str) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    yield dg.MaterializeResult(metadata={"says": reason})
    for name in (*CANARIES, BASELINES):
        yield dg.AssetCheckResult(check_name=name, passed=True, metadata={"says": reason})


def _evaluated(training: Training) -> dict[str, Any]:
    evaluation, model = training.evaluation, training.chosen
    figures = [dict(zip(("model", *SHOWN), row, strict=True)) for row in metric_rows(evaluation.metrics)]
    seconds = [{"part": part, "seconds": round(taken, 1)} for part, taken in training.seconds.items()]
    return {
        "decision": training.decision.says,
        "examples": f"{len(training.parts.train):,} to learn from, {len(training.parts.test):,} to judge on",
        "metrics": rows_as_table(figures),
        "contact": contact_sentence(evaluation.lists, model),
        "deciles": picture(plots.decile_chart(evaluation, model)),
        "calibration": picture(plots.reliability_chart(evaluation, model)),
        "gain": picture(plots.gain_chart(evaluation, model)),
        "seconds": rows_as_table(seconds),
    }


@dg.asset(
    key=["profiles", "conversion_scores"],
    deps=[dg.AssetKey(["features", "customer_features"]), MODEL],
    group_name="profiles",
    description=(
        "Calibrated chance of an order in the label window, decile and expected value of every eligible "
        "customer, by the champion, from its training day on. Without a champion nobody is scored."
    ),
    kinds={"duckdb", "keras"},
    metadata=about_table(SCORES),
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def conversion_scores(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Score each day's customers."""
    serving = champion(platform.settings.models)
    model = load(serving.folder) if serving else None
    with platform.warehouse() as warehouse:

        def score(day: date) -> dict[str, Any]:
            if serving is None or model is None:
                return {
                    **row_count(0),
                    "says": "nobody is scored: there is no champion, see models/conversion",
                }
            if day < serving.trained_through:
                says = f"absent: the champion was trained on {serving.trained_through}"
                return {**row_count(0), "says": says}
            return row_count(score_day(warehouse, model, serving.version, day))

        store_days(context, platform, score, as_of_days(context, platform, warehouse))


ASSETS = [conversion, conversion_scores]
