"""What a warehouse table is: its name, columns, partition and row order."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from customer_profiles.contracts.stored import PolarsType, StoredColumn


@dataclass(frozen=True)
class Table:
    """A table ``layer.name``, replaced partition by partition.

    ``partition`` names the columns whose values tell which rows are replaced together; the first is
    a day. ``order`` is the order in which rows are stored. With ``row_hash`` every row also stores a
    hash of its values, so that a rebuilt day can be compared with the day as it was.
    """

    name: str
    columns: tuple[StoredColumn, ...]
    order: tuple[str, ...]
    partition: tuple[str, ...] = ("delivery_day",)
    row_hash: bool = False

    @property
    def day(self) -> str:
        """Name of the column that holds the day."""
        return self.partition[0]

    @property
    def schema(self) -> pl.Schema:
        """Names and Polars types of the columns."""
        return pl.Schema({column.name: column.dtype for column in self.columns})


SQL_TYPES: dict[PolarsType, str] = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.UInt64: "UBIGINT",
    pl.Float64: "DOUBLE",
    pl.Date: "DATE",
    pl.Datetime("us", "UTC"): "TIMESTAMP WITH TIME ZONE",
    pl.Binary: "BLOB",
    pl.List(pl.String): "VARCHAR[]",
}
"""DuckDB's name of every type that a stored column can have."""
