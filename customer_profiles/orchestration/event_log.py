"""Dagster's SQLite event log, with its database engines kept.

Dagster 1.13 makes a new SQLAlchemy engine for every event and so compiles every statement again:
about 10 ms an event, a minute and a half for a range of 90 days. The files are the same, so the
webserver reads them as ever. ``_connect`` is not documented: ``test_upstream.py`` pins it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import SingletonThreadPool

BUSY_SECONDS = 60


class KeptEnginesEventLog(SqliteEventLogStorage):
    """``SqliteEventLogStorage`` with one engine per database file."""

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
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = _engine(self.conn_string_for_shard(shard))
            with self._engines[shard].connect() as connection, connection.begin():
                yield connection


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
