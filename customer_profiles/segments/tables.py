"""The warehouse table of segments."""

from __future__ import annotations

import polars as pl

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.features.tables import AS_OF, CUSTOMER
from customer_profiles.projection.tables import VERSION
from customer_profiles.warehouse import Table

SEGMENTS = Table(
    "profiles.segments",
    (
        AS_OF,
        CUSTOMER,
        StoredColumn("segment", pl.String, False, "name of the nearest segment"),
        StoredColumn(
            "segment_confidence", pl.Float64, False, "1 in a centre, 0 half-way between two", None, 0, 1
        ),
        StoredColumn(
            "previous_segment",
            pl.String,
            True,
            "the same segmentation's of the day before. NULL: no profile then",
        ),
        VERSION,
    ),
    order=("customer_key",),
    partition=("as_of",),
)
