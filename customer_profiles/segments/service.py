"""The segmentation in service: fitted, stored, loaded, and applied to a day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import TrainingRows
from customer_profiles.projection.matrix import TooLittleError
from customer_profiles.segments.segmentation import Segmentation
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.segments.traits import SEGMENTATION_TRAITS
from customer_profiles.settings import SegmentSettings
from customer_profiles.warehouse import Session
from customer_profiles.warehouse.artefacts import (
    ArtefactError,
    Fitted,
    serve,
    serving,
    source_hash,
    version_of,
)

MODEL = "segmentation"


def fit_segmentation(
    models: Path, training: TrainingRows, settings: SegmentSettings
) -> Fitted[Segmentation] | str:
    """Fit on the training rows, store as a version and put it into service; or say why not."""
    told = {**settings.model_dump(), "traits": SEGMENTATION_TRAITS}
    version = version_of(training.data, told, source_hash(Path(__file__).parent))
    segmentation = Segmentation(settings.fewest, settings.most, settings.smallest_share, settings.seed)
    try:
        segmentation.fit(training.rows, SEGMENTATION_TRAITS)
    except TooLittleError as error:
        return f"No segments yet: {error}."
    fitted = Fitted(segmentation, version, training.days.known_through)
    serve(models, MODEL, fitted)
    return fitted


def load_segmentation(models: Path) -> Fitted[Segmentation] | None:
    """The segmentation in service, or ``None`` while nothing was fitted."""
    return serving(models, MODEL, Segmentation.load)


def usable_segmentation(models: Path) -> tuple[Fitted[Segmentation] | None, str]:
    """The segmentation in service, and a sentence if it cannot be used.

    A damaged one must not stop the fit that replaces it.
    """
    try:
        return load_segmentation(models), ""
    except ArtefactError as error:
        return None, str(error)


def segment_day(session: Session, fitted: Fitted[Segmentation], day: date) -> int:
    """Put each customer of the day into a segment and store it. Returns the number of rows.

    The segment of the day before is told by the same segmentation: a new fit moves nobody.
    """

    def of(day: date) -> pl.DataFrame:
        return fitted.model.predict(
            session.frame(CUSTOMER_FEATURES, day, day, "customer_key", *fitted.model.columns_)
        )

    before = of(day - timedelta(days=1)).select("customer_key", previous_segment="segment")
    rows = (
        of(day)
        .join(before, on="customer_key", how="left")
        .with_columns(pl.lit(day).alias("as_of"), pl.lit(fitted.version).alias("model_version"))
    )
    return session.write(SEGMENTS, {"as_of": day}, rows)
