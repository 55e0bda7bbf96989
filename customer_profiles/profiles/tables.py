"""The serving table."""

from __future__ import annotations

from dataclasses import replace

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.warehouse import Table

NOT_SHARED = {"as_of", "customer_key", "model_version"}


def _outputs(table: Table, version: str) -> tuple[StoredColumn, ...]:
    """A model's outputs: unknown for customers whom it does not score, with the version that made them."""
    named = (replace(c, name=version) if c.name == "model_version" else c for c in table.columns)
    return tuple(replace(column, nullable=True) for column in named if column.name not in NOT_SHARED)


SCORE_COLUMNS = _outputs(SCORES, "conversion_model_version")
SEGMENT_COLUMNS = _outputs(SEGMENTS, "segmentation_version")

CUSTOMER_PROFILES = Table(
    "profiles.customer_profiles",
    (*CUSTOMER_FEATURES.columns, *SCORE_COLUMNS, *SEGMENT_COLUMNS),
    order=("customer_key",),
    partition=("as_of",),
)
