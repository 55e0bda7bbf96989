"""The projection in service: fitted, stored and loaded."""

from __future__ import annotations

from pathlib import Path

from customer_profiles.features.catalogue import TRAITS
from customer_profiles.features.training import TrainingRows
from customer_profiles.projection.matrix import TooLittleError
from customer_profiles.projection.projection import Projection
from customer_profiles.warehouse.artefacts import Fitted, serve, serving, source_hash, version_of

MODEL = "projection"
COLUMNS = [trait.name for trait in TRAITS.values() if trait.model_input and trait.kind != "category"]
"""Traits that can enter the projection: numbers and flags."""


def fit_projection(models: Path, training: TrainingRows, variance: float) -> Fitted[Projection] | str:
    """Fit on the training rows, store as a version and put it into service; or say why not."""
    settings = {"variance": variance, "columns": COLUMNS}
    version = version_of(training.data, settings, source_hash(Path(__file__).parent))
    try:
        projection = Projection(variance).fit(training.rows, COLUMNS)
    except TooLittleError as error:
        return f"No projection yet: {error}."
    fitted = Fitted(projection, version, training.days.known_through)
    serve(models, MODEL, fitted)
    return fitted


def load_projection(models: Path) -> Fitted[Projection] | None:
    """The projection in service, or ``None`` while nothing was fitted."""
    return serving(models, MODEL, Projection.load)
