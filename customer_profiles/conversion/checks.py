"""Checks of conversion scores: complete, in bounds, and told from a world that the model knows."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from customer_profiles.conversion.artefacts import champion, load
from customer_profiles.conversion.findings import eligible_customers_are_scored
from customer_profiles.conversion.snapshots import CATEGORIES, NUMERIC
from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import training_rows
from customer_profiles.orchestration.checks import contract_check, day_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.drift import drift_findings
from customer_profiles.quality.finding import Finding

SCORE = "conversion_probability"


def _scored(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    findings = {}
    with platform.warehouse() as warehouse:
        for day in [day for day in warehouse.days(SCORES) if day in days]:
            rows = warehouse.frame(CUSTOMER_FEATURES, day, day, "customer_key", "eligible_for_scoring")
            eligible = rows.filter(pl.col("eligible_for_scoring"))["customer_key"]
            findings[day] = eligible_customers_are_scored(eligible, warehouse.frame(SCORES, day, day))
    return findings


def _drift(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    """Inputs and scores of the newest scored day against those of the newest training snapshot."""
    settings, serving = platform.settings, champion(platform.settings.models)
    with platform.warehouse() as warehouse:
        scored = [day for day in warehouse.days(SCORES) if day in days]
        training = training_rows(warehouse, settings.label, newest=True)
        if serving is None or not scored or isinstance(training, str):
            return {}
        day = scored[-1]
        current = warehouse.frame(CUSTOMER_FEATURES, day, day).join(
            warehouse.frame(SCORES, day, day, "customer_key", SCORE), on="customer_key"
        )
    reference = training.rows
    reference = reference.with_columns(pl.Series(SCORE, load(serving.folder).predict(reference)))
    inputs = [name for name in (*NUMERIC, *CATEGORIES) if reference[name].null_count() < reference.height]
    return {day: drift_findings(reference, current, [*inputs, SCORE], settings.drift)}


CHECKS = [
    contract_check(SCORES, ("customer_key",)),
    day_check(
        ["profiles", "conversion_scores"],
        "eligible_customers_are_scored",
        "every eligible customer, and nobody else, has a probability",
        _scored,
        blocking=True,
    ),
    day_check(
        ["profiles", "conversion_scores"],
        "model_still_knows_its_world",
        "PSI of the model's inputs and scores against its newest training snapshot",
        _drift,
    ),
]
