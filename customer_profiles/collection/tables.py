"""The warehouse tables that the door fills, and the vault's."""

from __future__ import annotations

import polars as pl

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import ROW, StoredColumn, raw_columns
from customer_profiles.warehouse import Table

PLACE = ("source", "row_number")

RAW = {table: Table(f"raw.{table}", raw_columns(table), order=PLACE) for table in CONTRACTS}

FILE_COLUMNS = (
    StoredColumn("source", pl.String, False, "file, relative to the deliveries folder"),
    StoredColumn("bytes", pl.Int64, False, "size of the file"),
    StoredColumn("sha256", pl.String, False, "hash of the file, or of its rows of the day, as it lay there"),
    StoredColumn("rows", pl.Int64, False, "rows received: those that the file held, without the filtered"),
    StoredColumn("filtered", pl.Int64, True, "rows that a rule of sources.yaml leaves out"),
    StoredColumn("filtered_by", pl.List(pl.String), True, "rule: rows that it leaves out"),
    StoredColumn("known_time_imputed", pl.Boolean, True, "the day was told from the rows' own times"),
)
DELIVERIES = Table(
    "raw.deliveries",
    (ROW[0], StoredColumn("table_name", pl.String, False, "delivered table"), *FILE_COLUMNS),
    order=("source",),
    partition=("delivery_day", "table_name"),
)
"""The ledger of deliveries: one row a file that was loaded."""

PERSONAL = Table(
    "sealed.personal",
    (
        ROW[0],
        StoredColumn("table_name", pl.String, False, "delivered table"),
        StoredColumn("customer_key", pl.String, False, "whose data it is"),
        *ROW[1:],
        StoredColumn("attribute", pl.String, False, "delivered column"),
        StoredColumn("sealed", pl.Binary, False, "the value, sealed to its place"),
    ),
    order=(*PLACE, "attribute"),
    partition=("delivery_day", "table_name"),
)
"""Personal data, in the vault's own file."""
