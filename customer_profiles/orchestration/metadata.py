"""Values of ours as metadata that the Dagster UI shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.warehouse import Table

LARGEST_TABLE = 200


def column_schema(columns: Sequence[StoredColumn]) -> dict[str, dg.TableSchema]:
    """Definition metadata: the table's columns, as the UI's Columns tab shows them."""
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns
        ]
    )
    return {"dagster/column_schema": schema}


def about_table(table: Table) -> dict[str, Any]:
    """Definition metadata of an asset that fills a warehouse table."""
    return {**column_schema(table.columns), "dagster/table_name": table.name}


def row_count(rows: int) -> dict[str, Any]:
    """Materialization metadata: rows stored."""
    return {"dagster/row_count": rows}


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """A plot, inside the metadata itself."""
    encoded = base64.b64encode(png).decode()
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{encoded})")


def table(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """A small frame as a Markdown table; cut at ``LARGEST_TABLE`` rows."""
    return rows_as_table(frame.head(LARGEST_TABLE).to_dicts())


def rows_as_table(rows: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; the columns are those of the first row."""
    if not rows:
        return dg.MetadataValue.md("(no rows)")
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(row.get(name)) for name in names) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")
