"""Dagster's SQLite event log, with its database engines kept and its batches stored at once.

A range of days has an event for every asset and day, planned and done: years have a hundred thousand.
Dagster 1.13 makes a new SQLAlchemy engine for each and so compiles every statement again, which takes
about 10 ms; with engines kept it is 2 to 3 ms, in batches half a millisecond. The files are the same, so the
webserver reads them as ever. What this leans on is not documented: ``test_upstream.py`` pins it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import DagsterEventType, DagsterInstance, EventLogEntry
from dagster._core.definitions.partitions.subset import DefaultPartitionsSubset, PartitionsSubset
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage
from dagster_shared.record import replace
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import SingletonThreadPool

BUSY_SECONDS = 60
INDEX = "index"
"""The file in which Dagster keeps the asset events of all runs, beside one file a run."""


class KeptEnginesEventLog(SqliteEventLogStorage):
    """``SqliteEventLogStorage`` with one engine per database file and one transaction per batch."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    def dispose(self) -> None:
        """Close the kept connections."""
        for engine in self._engines.values():
            engine.dispose()
        super().dispose()

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:
        """Dagster's own builds the base class."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard):
                pass
        with self._db_lock, self._begin(shard) as connection:
            yield connection

    @contextmanager
    def _begin(self, shard: str) -> Iterator[Connection]:
        if shard not in self._engines:
            self._engines[shard] = _engine(self.conn_string_for_shard(shard))
        with self._engines[shard].connect() as connection, connection.begin():
            yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """What ``store_event`` does with each, in one transaction of each file.

        Dagster hands over events of one run, all about assets, in batches of ``DAGSTER_EVENT_BATCH_SIZE``,
        which the command line sets. The last one of an asset is the one that its entry keeps.
        """
        run_id, events = events[0].run_id, _planned_for_one_day(events)
        rows = [self._event_to_row(each) for each in events]
        for shard in (run_id, INDEX):
            with self._connect(shard):
                pass  # both files are there now
        with self._db_lock, self._begin(run_id) as run, self._begin(INDEX) as index:
            insert = SqlEventLogStorageTable.insert()
            run.execute(insert, rows)
            numbered = insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
            ids = list(index.execute(numbered, rows).scalars())
            self._store_asset_event_tags(index, events, ids)
            newest = {_entry(each): (each, event_id) for each, event_id in zip(events, ids, strict=True)}
            for each, event_id in newest.values():
                self._store_asset_event(index, each, event_id)
        for each, event_id in zip(events, ids, strict=True):
            if _planned_check(each):
                self.store_asset_check_event(each, event_id)


def _planned_check(entry: EventLogEntry) -> Any:
    """What a planned check's event says; ``None`` of any other."""
    told = entry.get_dagster_event()
    planned = told.event_type == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    return told.event_specific_data if planned else None


def _planned_for_one_day(events: Sequence[EventLogEntry]) -> list[EventLogEntry]:
    """The events, each check planned for the first day of their run alone.

    Ours have no partitions, and Dagster plans such a check for every day of a run, with a copy of the event
    each. One plan is as good: Dagster shows the newest of plan and results, so it stands if the check fails
    to run.
    """
    days = next((told.partitions_subset for told in map(_planned_check, events) if told), None)
    if days is None:
        return list(events)
    first = DefaultPartitionsSubset({min(days.get_partition_keys())})
    return [_with_days(each, first) if _planned_check(each) else each for each in events]


def _with_days(entry: EventLogEntry, days: PartitionsSubset) -> EventLogEntry:
    planned = replace(_planned_check(entry), partitions_subset=days)
    return entry._replace(dagster_event=entry.get_dagster_event()._replace(event_specific_data=planned))


def _entry(entry: EventLogEntry) -> tuple[Any, Any]:
    """Events of which an asset's entry keeps the last alone."""
    return entry.get_dagster_event().asset_key, entry.dagster_event_type


def _engine(url: str) -> Engine:
    """One connection a thread. In write-ahead mode, which Dagster sets, ``synchronous = normal`` can lose
    the last events in a power cut but never harms the file (SQLite's own advice for that mode)."""
    engine = create_engine(url, poolclass=SingletonThreadPool, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def set_synchronous(connection: Any, _: Any) -> None:
        connection.execute("pragma synchronous = normal")

    return engine


def open_with_kept_engines(folder: Path) -> DagsterInstance:
    """The instance of ``folder`` as its ``dagster.yaml`` says, but for the event log's engines."""
    own = {
        "module": KeptEnginesEventLog.__module__,
        "class": KeptEnginesEventLog.__name__,
        "config": {"base_dir": str(folder / "history" / "runs")},
    }
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides={"event_log_storage": own}))
