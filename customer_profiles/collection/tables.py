"""The warehouse tables that the door fills, and the vault's."""

from __future__ import annotations

import polars as pl

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import ROW, StoredColumn, raw_columns
from customer_profiles.warehouse import Table

PLACE = ("source", "row_number")

RAW = {table: Table(f"raw.{table}", raw_columns(table), order=PLACE) for table in CONTRACTS}

FILE_COLUMNS = (
    StoredColumn("source", pl.String, False, "name of the rows' origin: a file, or a later state of it"),
    StoredColumn("bytes", pl.Int64, False, "size of the file"),
    StoredColumn("sha256", pl.String, False, "hash of the file, or of its rows of the day, as it lay there"),
    StoredColumn("rows", pl.Int64, False, "rows that came in with it, without the filtered"),
    StoredColumn("filtered", pl.Int64, True, "rows that a rule of sources.yaml leaves out"),
    StoredColumn("filtered_by", pl.List(pl.String), True, "rule: rows that it leaves out"),
    StoredColumn("known_time_imputed", pl.Boolean, True, "the day was told from the rows' own times"),
)
DELIVERIES = Table(
    "raw.deliveries",
    (
        ROW[0],
        StoredColumn("table_name", pl.String, False, "delivered table"),
        *FILE_COLUMNS,
        StoredColumn("file", pl.String, True, "file or query of which it is a state"),
        StoredColumn("file_day", pl.Date, True, "day for which the file was delivered"),
        StoredColumn("written_at", pl.Datetime("us", "UTC"), True, "when the file was last written to"),
        StoredColumn("known_rows", pl.Int64, True, "rows of it that had been received before"),
        StoredColumn("gone_rows", pl.Int64, True, "sound rows of the file as it was before that it lacks"),
        StoredColumn("loaded_at", pl.Datetime("us", "UTC"), True, "when its rows were stored here"),
    ),
    order=("source",),
    partition=("delivery_day", "table_name"),
)
"""The ledger of deliveries: one row for every state of a file that was loaded.

A file that was changed after it was loaded, or that arrived after its day was run, stands under the day
on which its rows came in: ``delivery_day`` lies after ``file_day``.
"""

DAYS = Table(
    "raw.delivery_days",
    (
        ROW[0],
        StoredColumn("table_name", pl.String, False, "delivered table"),
        StoredColumn("fate", pl.String, False, "what became of the day's own delivery"),
        StoredColumn("refusals", pl.List(pl.String), False, "why files could not be read"),
    ),
    order=(),
    partition=("delivery_day", "table_name"),
)
"""The days that were run, with the fate of each table's delivery: loaded, absent or refused."""

RELEASES = Table(
    "quarantine.releases",
    (
        ROW[0],
        StoredColumn("table_name", pl.String, False, "delivered table"),
        *ROW[1:],
        StoredColumn("release", pl.String, False, "which call of `quarantine release` asked for it"),
        StoredColumn("released_at", pl.Datetime("us", "UTC"), False, "when"),
    ),
    order=PLACE,
    partition=("delivery_day", "table_name"),
)
"""Quarantined rows that are let in again: place of each, as ``quarantine.rows`` has it.

The ledger tells on which day they came in: under the source ``<source>@released-<release>``.
"""

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
