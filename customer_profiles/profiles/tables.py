"""The serving table."""

from __future__ import annotations

from dataclasses import replace

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.tables import AS_OF, CUSTOMER_FEATURES
from customer_profiles.quality.counts import counts_table
from customer_profiles.quality.drift_table import drift_table
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.warehouse import Table

NOT_SHARED = {"as_of", "customer_key"}


def _outputs(table: Table, names: dict[str, str], unknown: str) -> tuple[StoredColumn, ...]:
    """A model's outputs under the profile's names: ``unknown`` says of whom there are none."""
    named = (replace(column, name=names.get(column.name, column.name)) for column in table.columns)
    return tuple(
        replace(column, nullable=True, description=_or_null(column.description, unknown))
        for column in named
        if column.name not in NOT_SHARED
    )


def _or_null(description: str, unknown: str) -> str:
    return f"{description}{'; ' if '. NULL: ' in description else '. NULL: '}{unknown}"


SCORE_NAMES = {"label": "conversion_label", "model_version": "conversion_model_version"}
SEGMENT_NAMES = {"model_version": "segmentation_version"}
NOT_SCORED = (
    "not scored, as ineligible_reason says, or the label is not about the customer, or no model serves"
)
SCORE_COLUMNS = _outputs(SCORES, SCORE_NAMES, NOT_SCORED)
SEGMENT_COLUMNS = _outputs(SEGMENTS, SEGMENT_NAMES, "no segments yet")

CUSTOMER_PROFILES = Table(
    "profiles.customer_profiles",
    (*CUSTOMER_FEATURES.columns, *SCORE_COLUMNS, *SEGMENT_COLUMNS),
    order=("customer_key",),
    partition=("as_of",),
)

COUNTS = counts_table("profiles.day_counts", AS_OF, "table_name", "model_version")
"""What is kept of each day's profiles, scores and segments to compare later days with."""
DRIFT = drift_table("profiles.drift", AS_OF)
"""How far each day's profiles lie from those of the days before and those that the model learned from."""
