"""An open warehouse: partitions of tables are read lazily and replaced in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import polars as pl

from customer_profiles.warehouse.errors import WarehouseError, named
from customer_profiles.warehouse.statements import (
    HASH,
    insert,
    quoted,
    repeated_rows,
    value_counts,
)
from customer_profiles.warehouse.tables import SQL_TYPES, Table

Rows = pl.DataFrame | nw.LazyFrame[Any]


class Session:
    """An open warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, file: Path) -> None:
        self._connection = connection
        self._file = file
        self._ensured: set[str] = set()

    # reading

    def read(self, table: Table, first: date | None = None, last: date | None = None) -> nw.LazyFrame[Any]:
        """The rows of a range of days, lazily; both ends belong to it and can be open."""
        self.ensure(table)
        bounds = [(">=", first), ("<=", last)]
        where = [f"{table.day} {sign} date '{day}'" for sign, day in bounds if day is not None]
        condition = f" where {' and '.join(where)}" if where else ""
        names = ", ".join(quoted(column.name) for column in table.columns)
        return nw.from_native(self._connection.sql(f"select {names} from {table.name}{condition}"))

    def lend(self, name: str, rows: pl.DataFrame) -> nw.LazyFrame[Any]:
        """A frame copied into the engine, to join others with as often as need be. Gone with the session.

        A later one of the same name takes its place. What is read once ``rows_of`` leaves where it is.
        """
        with self._incoming(_Handed(rows)):
            self._connection.execute(f"create or replace temp table {quoted(name)} as from incoming")
        return nw.from_native(self._connection.table(name))

    def frame(
        self, table: Table, first: date | None = None, last: date | None = None, *columns: str
    ) -> pl.DataFrame:
        """The rows of a range of days as a Polars frame in the stored order; all columns by default."""
        rows = self.read(table, first, last).sort(*table.partition, *table.order)
        return self.collect(rows.select(*columns) if columns else rows)

    def batches(self, table: Table, day: date, rows: int) -> Iterator[pl.DataFrame]:
        """A day's rows as they lie there, so many at once: memory stays flat whatever their number.

        Nothing else can be asked of the warehouse until the last one was taken.
        """
        self.ensure(table)
        names = ", ".join(quoted(column.name) for column in table.columns)
        query = f"select {names} from {table.name} where {table.day} = ?"
        with named(table.name, day):
            for batch in self._connection.sql(query, params=[day]).to_arrow_reader(rows):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame

    def collect(self, rows: nw.LazyFrame[Any]) -> pl.DataFrame:
        """Run a lazy query and fetch its result."""
        with named("a query", None):
            frame: pl.DataFrame = rows.to_native().pl()
            return frame

    def rows_of(self, frame: pl.DataFrame) -> nw.LazyFrame[Any]:
        """A frame's rows, which the engine reads where they lie: each time that they are asked for."""
        rows: nw.LazyFrame[Any] = nw.from_native(self._connection.from_arrow(frame.to_arrow()))
        return rows

    def value_counts(self, rows: nw.LazyFrame[Any], day: str) -> nw.LazyFrame[Any]:
        """How often each value of each column but ``day`` occurs on each day, lazily; NULLs do not count.

        The columns are of one type. Returns ``day``, ``column_name``, ``value`` and ``rows``.
        """
        columns = [name for name in rows.collect_schema().names() if name != day]
        counted: nw.LazyFrame[Any] = nw.from_native(
            rows.to_native().query("wide", value_counts(day, columns))
        )
        return counted

    def repeated_rows(self, rows: nw.LazyFrame[Any], day: str, one_of: str) -> nw.LazyFrame[Any]:
        """About how many rows of each day are equal to another one, the first of each not counted.

        Equal in all columns but ``day`` and ``one_of``, by a hash of 64 bits. Where ``one_of`` is n, one of n
        hashes is looked at, with all its rows, and stands for the others.
        """
        said = [name for name in rows.collect_schema().names() if name not in (day, one_of)]
        counted: nw.LazyFrame[Any] = nw.from_native(
            rows.to_native().query("wide", repeated_rows(day, one_of, said))
        )
        return counted

    def days(self, table: Table) -> list[date]:
        """The days of which the table holds rows, ascending."""
        return list(self.row_counts(table))

    def row_counts(self, table: Table) -> dict[date, int]:
        """Rows per day, days ascending."""
        self.ensure(table)
        rows = self._connection.execute(
            f"select {table.day}, count(*) from {table.name} group by 1 order by 1"
        ).fetchall()
        return {day: int(count) for day, count in rows}

    def day_hash(self, table: Table, day: date) -> str:
        """A hash of a day's rows, from their stored row hashes: equal only if all rows are."""
        self.ensure(table)
        found = self._connection.execute(
            f"select count(*), bit_xor({HASH}), sum({HASH}) from {table.name} where {table.day} = ?", [day]
        ).fetchall()  # a result that is not read to its end keeps the connection busy
        return hashlib.sha256(repr(found).encode()).hexdigest()[:16]

    def stored_columns(self, table: Table) -> dict[str, str]:
        """Names and DuckDB types of the columns that the table really has; empty if it is not there."""
        try:
            stored = self._connection.table(table.name)  # ten times as fast as DuckDB's list of all columns
        except duckdb.CatalogException:
            return {}
        return dict(zip(stored.columns, map(str, stored.types), strict=True))

    # writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._connection.execute("begin")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            self._ensured.clear()
            raise
        try:
            with named(str(self._file), None):
                self._connection.execute("commit")
        except WarehouseError:
            self._ensured.clear()  # tables that it made are not there
            raise

    def replace(self, table: Table, partition: Mapping[str, Any], rows: Rows) -> int:
        """Replace one partition, within the transaction that is open. Returns the number of rows.

        ``partition`` gives the value of every partition column; ``rows`` must have exactly the
        table's columns, in any order. They must not be read lazily from the partition that they
        replace: its rows are gone by then. Raises ``WarehouseError`` naming table and day.
        """
        day = partition[table.day]
        if set(partition) != set(table.partition):
            raise WarehouseError(f"{table.name}: a partition is {table.partition}, not {tuple(partition)}")
        self.delete(table, partition)
        return self._insert(table, day, rows)

    def append(self, table: Table, rows: pl.DataFrame) -> int:
        """Add rows that are in the stated order, within the transaction that is open. Returns their number.

        For parts of a partition that is filled piece by piece: what must not be there twice is deleted
        before, in the same transaction.
        """
        return self._insert(table, None, rows, sort=False)

    def _insert(self, table: Table, day: date | None, rows: Rows, *, sort: bool = True) -> int:
        with named(table.name, day):
            self.ensure(table)
            with self._incoming(_rows_of(table, rows)):
                counted = self._connection.execute(insert(table, sort=sort)).fetchall()
        return int(counted[0][0])

    @contextmanager
    def _incoming(self, rows: Any) -> Iterator[None]:
        """Rows under the name ``incoming``."""
        self._connection.register("incoming", rows)
        try:
            yield
            self._connection.unregister("incoming")  # not after an error, which this one's would hide
        finally:
            if isinstance(rows, _Handed):
                rows.let_go()

    def write(self, table: Table, partition: Mapping[str, Any], rows: Rows) -> int:
        """Replace one partition in a transaction of its own. Returns the number of rows."""
        with self.transaction():
            return self.replace(table, partition, rows)

    def write_days(self, table: Table, first: date, last: date, rows: Rows) -> None:
        """Replace all rows of a range of days in a transaction of its own; each day in the stated order."""
        self.ensure(table)
        with self.transaction():
            with named(table.name, first):
                self._connection.execute(
                    f"delete from {table.name} where {table.day} between ? and ?", [first, last]
                )
            self._insert(table, first, rows)

    def delete(self, table: Table, partition: Mapping[str, Any]) -> None:
        """Remove the rows with these values: of a partition, or of a part of one."""
        self.ensure(table)
        where = " and ".join(f"{quoted(name)} = ?" for name in partition)
        with named(table.name, partition.get(table.day)):
            self._connection.execute(f"delete from {table.name} where {where}", list(partition.values()))

    def ensure(self, table: Table) -> None:
        """Create the table, or add the columns that its definition gained since.

        Raises ``WarehouseError``, as often as it is asked, if a stored column has another type now.
        """
        if table.name in self._ensured:
            return
        stored = self.stored_columns(table)
        wanted = {column.name: SQL_TYPES[column.dtype] for column in table.columns}
        if table.row_hash:
            wanted[HASH] = "UBIGINT"
        if stored:
            self._add_columns(table, stored, wanted)
        else:
            columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in wanted.items())
            self._connection.execute(f"create schema if not exists {table.name.split('.')[0]}")
            self._connection.execute(f"create table if not exists {table.name} ({columns})")
        self._ensured.add(table.name)

    def _add_columns(self, table: Table, stored: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        for name, kind in wanted.items():
            if name not in stored:
                self._connection.execute(f"alter table {table.name} add column {quoted(name)} {kind}")
            elif stored[name] != kind:
                raise WarehouseError(
                    f"{table.name}.{name} is stored as {stored[name]} but is {kind} now; "
                    f"drop the table and run its days again with --rebuild"
                )


class _Handed:
    """A frame for one statement. DuckDB 2.0 keeps what was registered until the transaction ends, and a
    transaction of many pieces would keep them all: this keeps a name, and lets go of the rows."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows: pl.DataFrame | None = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows in Arrow's C stream interface."""
        assert self._rows is not None, "it was let go"
        return self._rows.__arrow_c_stream__(requested_schema)

    def let_go(self) -> None:
        """Keep the rows no longer."""
        self._rows = None


def _rows_of(table: Table, rows: Rows) -> Any:
    """What DuckDB inserts from. A lazy query's columns are left to the insert itself to judge: asking
    for them binds the whole query a second time."""
    if isinstance(rows, nw.LazyFrame):
        return rows.to_native()
    wanted = [column.name for column in table.columns]
    missing, unknown = sorted(set(wanted) - set(rows.columns)), sorted(set(rows.columns) - set(wanted))
    if missing or unknown:
        raise WarehouseError(f"{table.name}: columns missing {missing}, columns unknown {unknown}")
    untyped = [pl.col(name).cast(table.schema[name]) for name in wanted if rows.schema[name] == pl.Null]
    return _Handed(rows.select(wanted).with_columns(untyped))
