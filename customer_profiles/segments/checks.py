"""Checks of segments: large enough, apart from one another, and stable."""

from collections.abc import Mapping
from datetime import date

from customer_profiles.collection.loading import delivered
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import training_customers, training_days
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
            day: smallest_segment_is_large_enough(fitted.segmentation, warehouse.frame(SEGMENTS, day, day))
            for day in stored
        }


def _apart(platform: Platform) -> Finding | None:
    fitted = load_segmentation(platform.settings.models)
    return segments_are_apart(fitted.segmentation) if fitted else None


def _stable(platform: Platform) -> Finding | None:
    fitted, label = load_segmentation(platform.settings.models), platform.settings.label
    with platform.warehouse() as warehouse:
        days = training_days(warehouse.days(CUSTOMER_FEATURES), delivered(warehouse), label)
        if fitted is None or isinstance(days, str):
            return None
        rows = training_customers(warehouse, days.train[-1:], label.holdout_share)
    return segments_are_stable(bootstrap_stability(fitted.segmentation, rows))


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
