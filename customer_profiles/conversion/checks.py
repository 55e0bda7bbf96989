"""Checks of conversion scores: complete, from a trusted model, and as good as its test promised."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from customer_profiles.conversion.artefacts import Champion, champion, load_page
from customer_profiles.conversion.findings import (
    champion_is_trusted,
    eligible_customers_are_scored,
    together,
)
from customer_profiles.conversion.labels import about
from customer_profiles.conversion.realised import realised_lift
from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.checks import contract_check, day_check, model_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import LabelSettings
from customer_profiles.warehouse.artefacts import ArtefactError

KEY = ["profiles", "conversion_scores"]


def _scored(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    findings = {}
    with platform.warehouse() as warehouse:
        for day in [day for day in warehouse.days(SCORES) if day in days]:
            eligible = warehouse.frame(CUSTOMER_FEATURES, day, day).filter(pl.col("eligible_for_scoring"))
            scores = warehouse.frame(SCORES, day, day)
            findings[day] = together(
                {
                    label: eligible_customers_are_scored(about(eligible, label)["customer_key"], rows)
                    for (label,), rows in scores.group_by("label", maintain_order=True)
                }
            )
    return findings


def _trusted(platform: Platform) -> Finding | None:
    settings = platform.settings
    serving = {label: champion(settings.models, label) for label in settings.label.train}
    with platform.warehouse() as warehouse:
        newest = max(warehouse.days(CUSTOMER_FEATURES), default=None)
    findings = {
        label: champion_is_trusted(
            each, newest, settings.conversion.trust_days, _other_terms(each, settings.label)
        )
        for label, each in serving.items()
        if each and newest
    }
    return together(findings) if findings else None


def _other_terms(serving: Champion, label: LabelSettings) -> str:
    try:
        return load_page(serving.folder).other_terms(label)
    except ArtefactError:  # scoring, which reads all of the folder, says so
        return ""


def _realised(platform: Platform) -> Finding | None:
    settings = platform.settings
    with platform.warehouse() as warehouse:
        found = {label: realised_lift(warehouse, settings, label) for label in settings.label.train}
    findings = {label: finding for label, finding in found.items() if finding}
    return together(findings) if findings else None


CHECKS = [
    contract_check(SCORES, ("label", "customer_key")),
    day_check(
        KEY,
        "eligible_customers_are_scored",
        "every eligible customer, and nobody else, has a probability",
        _scored,
        blocking=True,
    ),
    model_check(KEY, "champion_is_trusted", "the champion's training lies within its trust period", _trusted),
    model_check(
        KEY,
        "published_lift_holds",
        "the lift of published scores, once their labels mature, is near that of the model's test",
        _realised,
    ),
]
