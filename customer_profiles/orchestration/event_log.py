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
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

BUSY_SECONDS = 60


class KeptEnginesEventLog(SqliteEventLogStorage):
    """``SqliteEventLogStorage`` with one engine per database file."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

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
                url = self.conn_string_for_shard(shard)
                self._engines[shard] = create_engine(
                    url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}
                )
            with self._engines[shard].connect() as connection, connection.begin():
                yield connection


def open_with_kept_engines(folder: Path) -> DagsterInstance:
    """The instance of ``folder`` as its ``dagster.yaml`` says, but for the event log's engines."""
    own = {
        "module": KeptEnginesEventLog.__module__,
        "class": KeptEnginesEventLog.__name__,
        "config": {"base_dir": str(folder / "history" / "runs")},
    }
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides={"event_log_storage": own}))
