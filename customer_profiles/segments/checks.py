"""Checks of segments: large enough, apart from one another, and stable."""

from collections.abc import Mapping
from datetime import date

from customer_profiles.features.training import training_rows
from customer_profiles.orchestration.checks import day_check, model_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.finding import Finding
from customer_profiles.segments.findings import (
    segments_are_apart,
    segments_are_stable,
    smallest_segment_is_large_enough,
)
from customer_profiles.segments.service import load_segmentation
from customer_profiles.segments.stability import bootstrap_stability
from customer_profiles.segments.tables import SEGMENTS


def _large_enough(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    fitted = load_segmentation(platform.settings.models)
    if fitted is None:
        return {}
    with platform.warehouse() as warehouse:
        stored = [day for day in warehouse.days(SEGMENTS) if day in days]
        return {
            day: smallest_segment_is_large_enough(fitted.model, warehouse.frame(SEGMENTS, day, day))
            for day in stored
        }


def _apart(platform: Platform) -> Finding | None:
    fitted = load_segmentation(platform.settings.models)
    return segments_are_apart(fitted.model) if fitted else None


def _stable(platform: Platform) -> Finding | None:
    fitted = load_segmentation(platform.settings.models)
    with platform.warehouse() as warehouse:
        training = training_rows(warehouse, platform.settings.label, newest=True)
    if fitted is None or isinstance(training, str):
        return None
    return segments_are_stable(bootstrap_stability(fitted.model, training.rows))


CHECKS = [
    model_check(
        ["models", "segmentation"],
        "segments_are_apart",
        "the silhouette shows some structure",
        _apart,
    ),
    model_check(
        ["models", "segmentation"],
        "segments_are_stable",
        "segments of bootstrap samples part the customers alike (adjusted Rand index)",
        _stable,
    ),
    day_check(
        ["profiles", "segments"],
        "smallest_segment_is_large_enough",
        "no segment holds less than the share that was asked for",
        _large_enough,
    ),
]
