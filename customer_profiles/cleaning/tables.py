"""The warehouse tables of cleaning."""

from __future__ import annotations

import polars as pl

from customer_profiles.collection.tables import PLACE
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import ROW, StoredColumn, cleaned_columns
from customer_profiles.quality.counts import counts_table
from customer_profiles.quality.drift_table import drift_table
from customer_profiles.warehouse import Table

CLEANED = {table: Table(f"cleaned.{table}", cleaned_columns(table), order=PLACE) for table in CONTRACTS}

QUARANTINE = Table(
    "quarantine.rows",
    (
        ROW[0],
        StoredColumn("table_name", pl.String, False, "delivered table"),
        *ROW[1:],
        StoredColumn("broken_rules", pl.List(pl.String), False, "every rule that the row broke: column|rule"),
        StoredColumn("original_sealed", pl.Binary, False, "the row as delivered, sealed whole"),
    ),
    order=("table_name", *PLACE),
)

REVEALED = Table(
    "quarantine.revealed",
    (
        StoredColumn("revealed_on", pl.Date, False, "day on which somebody looked"),
        StoredColumn("revealed_at", pl.Datetime("us", "UTC"), False, "when"),
        StoredColumn("revealed_by", pl.String, False, "account of the machine"),
        StoredColumn("table_name", pl.String, False, "delivered table"),
        *ROW,
    ),
    order=("revealed_at", "table_name", *PLACE),
    partition=("revealed_on",),
)
"""Who saw originals of quarantined rows in clear."""
COUNTS = counts_table("cleaned.day_counts", ROW[0])
"""What is kept of each day's cleaned tables to compare later days with."""
DRIFT = drift_table("cleaned.drift", ROW[0])
"""How far each day's deliveries lie from what usually arrives."""
