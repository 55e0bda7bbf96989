"""The segmentation in service: fitted, stored, loaded, and applied to a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.segments.segmentation import Segmentation
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.segments.traits import SEGMENTATION_TRAITS
from customer_profiles.settings import SegmentSettings
from customer_profiles.warehouse import Session
from customer_profiles.warehouse.artefacts import (
    in_service,
    put_into_service,
    require_whole,
    source_hash,
    store_version,
    version_of,
)

MODEL = "segmentation"


@dataclass(frozen=True)
class SegmentationInService:
    """A fitted segmentation, its version, and the first as-of day for which it may be used."""

    segmentation: Segmentation
    version: str
    available_from: date


def fit_segmentation(
    models: Path, rows: pl.DataFrame, data: dict[str, str], settings: SegmentSettings, known_through: date
) -> SegmentationInService:
    """Fit on the training rows, store as a version and put it into service."""
    told = {**settings.model_dump(), "traits": SEGMENTATION_TRAITS}
    version = version_of(data, told, source_hash(Path(__file__).parent))
    fitted = Segmentation(settings.fewest, settings.most, settings.smallest_share, settings.seed)
    fitted.fit(rows, SEGMENTATION_TRAITS)
    place = store_version(models / MODEL / version, fitted.save)
    put_into_service(place, {"available_from": str(known_through)})
    return SegmentationInService(fitted, version, known_through)


def load_segmentation(models: Path) -> SegmentationInService | None:
    """The segmentation in service, or ``None`` while nothing was fitted."""
    found = in_service(models, MODEL)
    if found is None:
        return None
    require_whole(found.folder)
    available_from = date.fromisoformat(found.notes["available_from"])
    return SegmentationInService(Segmentation.load(found.folder), found.version, available_from)


def segment_day(session: Session, serving: SegmentationInService, day: date) -> int:
    """Put each customer of the day into a segment and store it. Returns the number of rows."""
    rows = serving.segmentation.predict(session.frame(CUSTOMER_FEATURES, day, day))
    before = [earlier for earlier in session.days(SEGMENTS) if earlier < day]
    previous = pl.DataFrame(schema={"customer_key": pl.String, "previous_segment": pl.String})
    if before and before[-1] >= day - timedelta(days=1):
        stored = session.frame(SEGMENTS, before[-1], before[-1], "customer_key", "segment")
        previous = stored.rename({"segment": "previous_segment"})
    rows = rows.join(previous, on="customer_key", how="left").with_columns(
        pl.lit(day).alias("as_of"), pl.lit(serving.version).alias("model_version")
    )
    return session.write(SEGMENTS, {"as_of": day}, rows)
