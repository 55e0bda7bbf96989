"""The projection in service: fitted, stored and loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from customer_profiles.features.catalogue import TRAITS
from customer_profiles.projection.projection import Projection
from customer_profiles.warehouse.artefacts import (
    in_service,
    put_into_service,
    require_whole,
    source_hash,
    store_version,
    version_of,
)

MODEL = "projection"
COLUMNS = [trait.name for trait in TRAITS.values() if trait.model_input and trait.kind != "category"]
"""Traits that can enter the projection: numbers and flags."""


@dataclass(frozen=True)
class ProjectionInService:
    """A fitted projection, its version, and the first as-of day for which it may be used."""

    projection: Projection
    version: str
    available_from: date


def fit_projection(
    models: Path, rows: pl.DataFrame, data: dict[str, str], variance: float, known_through: date
) -> ProjectionInService:
    """Fit on the training rows, store as a version and put it into service."""
    settings = {"variance": variance, "columns": COLUMNS}
    version = version_of(data, settings, source_hash(Path(__file__).parent))
    projection = Projection(variance).fit(rows, COLUMNS)
    place = store_version(models / MODEL / version, projection.save)
    put_into_service(place, {"available_from": str(known_through)})
    return ProjectionInService(projection, version, known_through)


def load_projection(models: Path) -> ProjectionInService | None:
    """The projection in service, or ``None`` while nothing was fitted."""
    found = in_service(models, MODEL)
    if found is None:
        return None
    require_whole(found.folder)
    available_from = date.fromisoformat(found.notes["available_from"])
    return ProjectionInService(Projection.load(found.folder), found.version, available_from)
