"""Assets of conversion: the trained model with its evaluation, and everybody's scores."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from customer_profiles.conversion import plots
from customer_profiles.conversion.findings import no_baseline_is_as_good, together
from customer_profiles.conversion.labels import DEFINITIONS
from customer_profiles.conversion.model_card import in_markdown
from customer_profiles.conversion.sections import sections
from customer_profiles.conversion.service import Serving, Trained, serving_models, train_label
from customer_profiles.conversion.snapshots import score_day
from customer_profiles.conversion.tables import EVALUATIONS, SCORES
from customer_profiles.conversion.training import Training
from customer_profiles.conversion.trials import CONTACTS
from customer_profiles.features.assets import as_of_days
from customer_profiles.orchestration.checks import result_of
from customer_profiles.orchestration.metadata import about_table, picture, row_count, rows_as_table
from customer_profiles.orchestration.partitions import ALL_DAYS_IN_ONE_RUN, DAILY, store_days
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.finding import Finding

MODEL = dg.AssetKey(["models", "conversion"])
LABELLED_BY = sorted({CONTACTS, *(table for each in DEFINITIONS.values() for table in each.sources)})
"""Cleaned tables that tell of labels and of trials."""
CANARIES = {
    "train_and_test_are_apart": "train and test share no customer and no label window",
    "shuffled_labels_are_not_learnt": "with shuffled labels the AUC is 0.5 within chance",
    "no_feature_is_too_good": "no single input tells the label almost alone",
    "no_value_gives_the_label_away": "no value of an input is of those alone who convert; else have a look",
    "model_is_not_too_good": "no AUC that only a leak could give",
}

AGAINST_BASELINES = "no_baseline_is_as_good"


@dg.asset(
    key=MODEL,
    deps=[
        dg.AssetKey(["features", "customer_features"]),
        dg.AssetKey(["models", "projection"]),
        dg.AssetKey(["models", "segmentation"]),
        *(dg.AssetKey(["cleaned", table]) for table in LABELLED_BY),
    ],
    group_name="models",
    description=(
        "A Keras network on principal components and the other traits, blended with boosted trees, trained "
        "on matured snapshots and judged on later days and unseen customers, beside its baselines. It serves "
        "only if it earns it. "
        "One model for each label in label.train."
    ),
    kinds={"keras", "scikitlearn"},
    metadata=about_table(EVALUATIONS),
    check_specs=[
        dg.AssetCheckSpec(name, asset=MODEL, description=claim, blocking=True)
        for name, claim in CANARIES.items()
    ]
    + [
        dg.AssetCheckSpec(
            AGAINST_BASELINES, asset=MODEL, description="the network beats every baseline beyond noise"
        )
    ],
    pool="warehouse",
)
def conversion(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Train, judge and perhaps promote a model for each label; or say why nothing is trained yet."""
    settings = platform.settings
    outcomes = {
        name: train_label(platform.warehouse, settings, name, context.log.info)
        for name in settings.label.train
    }
    pages = {name: _told(outcome) for name, outcome in outcomes.items()}
    if len(pages) == 1:
        metadata = next(iter(pages.values()))
    else:
        metadata = {f"{name}: {key}": value for name, page in pages.items() for key, value in page.items()}
    yield dg.MaterializeResult(metadata=metadata)
    trained = {name: each for name, each in outcomes.items() if isinstance(each, Trained)}
    untrained = "; ".join(outcome for outcome in outcomes.values() if isinstance(outcome, str))
    for check in (*CANARIES, AGAINST_BASELINES):
        if not trained:
            yield dg.AssetCheckResult(check_name=check, passed=True, metadata={"says": untrained})
        else:
            found = {name: _finding(each.training, check) for name, each in trained.items()}
            yield result_of(together(found), check_name=check)


def _finding(training: Training, check: str) -> Finding:
    if check == AGAINST_BASELINES:
        return no_baseline_is_as_good(training.evaluation)
    return training.findings[check]


def _told(outcome: Trained | str) -> dict[str, Any]:
    """The page of a training as metadata; its figures are cut so that each heading has one entry."""
    if isinstance(outcome, str):
        return {"says": outcome}
    page, evaluation = outcome.page, outcome.training.evaluation
    suited = plots.charts_of(page.label, page.money_unit, page.minor_digits)
    charts = {name: picture(chart(evaluation, page.model)) for name, chart in suited.items()}
    words = {section.title: dg.MetadataValue.md(in_markdown(section)) for section in sections(page)}
    return {
        "headline": page.contact,
        "decision": page.decision,
        "version": outcome.version,
        "serves": outcome.promoted.version if outcome.promoted else "as before",
        **({"notes": "; ".join(outcome.notes)} if outcome.notes else {}),
        **words,
        **charts,
        "Seconds": rows_as_table(page.tables["seconds"]),
    }


@dg.asset(
    key=["profiles", "conversion_scores"],
    deps=[dg.AssetKey(["features", "customer_features"]), MODEL],
    group_name="profiles",
    description=(
        "Calibrated chance that the label comes true, decile and expected value of every eligible customer, "
        "by the label's champion, from its training day on. Without a champion nobody is scored."
    ),
    kinds={"duckdb", "keras"},
    metadata=about_table(SCORES),
    partitions_def=DAILY,
    backfill_policy=ALL_DAYS_IN_ONE_RUN,
    pool="warehouse",
)
def conversion_scores(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Score each day's customers."""
    serving, labels = serving_models(platform.settings), platform.settings.label.train
    with platform.warehouse() as warehouse:

        def score(day: date) -> dict[str, Any]:
            ready = {
                label: (each.model, each.champion.version)
                for label, each in serving.items()
                if day >= each.champion.trained_through
            }
            absent = {label: _absent(serving.get(label)) for label in labels if label not in ready}
            says = "; ".join(f"{label}: {reason}" for label, reason in absent.items())
            rows = score_day(warehouse, ready, day) if ready else 0
            return {**row_count(rows), **({"says": says} if says else {})}

        store_days(context, platform, score, as_of_days(context, platform, warehouse))


def _absent(serving: Serving | None) -> str:
    if serving is None:
        return "nobody is scored: there is no champion, see models/conversion"
    return f"absent: the champion was trained on {serving.champion.trained_through}"


ASSETS = [conversion, conversion_scores]
