"""Writes a day's delivery of a table in the format in which this retailer sends it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import delivered_columns

FORMATS = {
    "customers": "csv",
    "consents": "csv",
    "products": "csv",
    "events": "parquet",
    "orders": "csv",
    "texts": "ndjson",
    "social_edges": "csv.gz",
    "campaign_contacts": "csv",
    "partner_attributes": "ndjson",
    "identity_links": "csv",
}
ZONED, BUSINESS_TIME = "%Y-%m-%dT%H:%M:%S+08:00", "%Y-%m-%d %H:%M:%S"
MOMENTS = dict.fromkeys(
    ("consents", "texts", "campaign_contacts", "partner_attributes", "identity_links"), ZONED
)
UTC_OFFSET_SECONDS = 8 * 3600


@dataclass(frozen=True)
class Edit:
    """A cell to be written otherwise than simulated; ``row`` counts from 0."""

    row: int
    column: str
    cell: Any


@dataclass
class Damage:
    """What is to be done to a delivery on its way into the file."""

    edits: list[Edit] = field(default_factory=list)
    ragged: dict[int, int] = field(default_factory=dict)  # row from 0 -> cells added (or dropped, if < 0)


def source_name(table: str, day: date, empty: bool) -> str:
    """File of a delivery, relative to the deliveries folder.

    NDJSON cannot tell an empty delivery from a lost one, so that an empty one is sent as a CSV header.
    """
    ending = "csv" if empty and FORMATS[table] == "ndjson" else FORMATS[table]
    return f"{table}/{day.isoformat()}.{ending}"


def write_delivery(folder: Path, table: str, day: date, rows: pl.DataFrame, damage: Damage) -> str:
    """Write one delivery; moments in ``rows`` are local seconds since 1970. Returns its source name."""
    source = source_name(table, day, rows.is_empty())
    path = folder / source
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = _in_contract_order(table, rows)
    if source.endswith(".parquet"):
        _edited(frame, damage.edits).write_parquet(path)
    elif source.endswith(".ndjson"):
        path.write_bytes(_ndjson(frame, damage.edits))
    else:
        content = _csv(frame, damage)
        path.write_bytes(gzip.compress(content, 6, mtime=0) if source.endswith(".gz") else content)
    return source


def _in_contract_order(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    columns = CONTRACTS[table].columns()
    typed = FORMATS[table] == "parquet"
    expressions = []
    for name in delivered_columns(table):
        kind = (columns[name].metadata or {})["kind"]
        if name not in rows.columns:
            dtype = columns[name].dtype if kind in ("whole", "decimal", "flag") else pl.String
            expressions.append(pl.lit(None, dtype=dtype).alias(name))
        elif kind == "moment" and typed:
            utc = pl.from_epoch(pl.col(name) - UTC_OFFSET_SECONDS, time_unit="s")
            expressions.append(utc.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias(name))
        elif kind == "moment":
            local = pl.from_epoch(name, time_unit="s")
            expressions.append(local.dt.strftime(MOMENTS.get(table, BUSINESS_TIME)).alias(name))
        else:
            expressions.append(pl.col(name))
    return rows.with_columns(expressions).select(delivered_columns(table))


def _edited(frame: pl.DataFrame, edits: Sequence[Edit]) -> pl.DataFrame:
    for column in dict.fromkeys(edit.column for edit in edits):
        mine = [edit for edit in edits if edit.column == column]
        cells = pl.Series([edit.cell for edit in mine], dtype=frame.schema[column])
        frame = frame.with_columns(frame[column].scatter([edit.row for edit in mine], cells))
    return frame


def _csv(frame: pl.DataFrame, damage: Damage) -> bytes:
    text = _edited(frame.select(pl.all().cast(pl.String)), damage.edits).write_csv()
    if damage.ragged:
        lines = text.split("\n")
        for row, cells in damage.ragged.items():
            lines[row + 1] = _ragged(lines[row + 1], cells)
        text = "\n".join(lines)
    return text.encode()


def _ragged(line: str, cells: int) -> str:
    return line + ",x" * cells if cells > 0 else ",".join(line.split(",")[:cells])


def _ndjson(frame: pl.DataFrame, edits: Sequence[Edit]) -> bytes:
    lines = frame.write_ndjson().split("\n")
    for edit in edits:
        row = json.loads(lines[edit.row])
        row[edit.column] = edit.cell
        lines[edit.row] = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return "\n".join(lines).encode()
