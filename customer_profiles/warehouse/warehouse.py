"""DuckDB as the warehouse.

One process writes to the file, and while it does nobody else may read it (DuckDB's own rule), so a
session is opened late and closed soon. A partition is replaced by ``delete`` and ``insert by name``
in one transaction: whoever is killed at any moment leaves the old partition or the new one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from customer_profiles.warehouse.errors import HeldError, WarehouseError, held, unreadable
from customer_profiles.warehouse.session import Session

FILE_FORMAT = "v1.5.0"
"""Oldest DuckDB that can open the file, so that analysts' clients may be a little behind."""
CHECKPOINT_SIZE = "256MB"
"""Size of the write-ahead log at which it is folded into the file. A session folds it when it closes."""
HELD = "Could not set lock on file"
"""What DuckDB says of a file that another process holds; of a damaged one it names the "block"."""
FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0


class Warehouse:
    """A warehouse file. ``session()`` opens it."""

    def __init__(
        self, file: Path, *, memory_limit: str = "2GB", threads: int = 2, lock_wait_seconds: float = 60
    ) -> None:
        self.file = file
        self.memory_limit = memory_limit
        self.threads = threads
        self.lock_wait_seconds = lock_wait_seconds

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A connection, held only inside the ``with``. Waits for another process that holds the file."""
        connection = self._connect()
        try:
            yield Session(connection, self.file)
        finally:
            connection.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": self.memory_limit,
            "threads": self.threads,
            "storage_compatibility_version": FILE_FORMAT,
            "temp_directory": str(self.file.with_suffix(".spill")),
            "preserve_insertion_order": True,
            "wal_autocheckpoint": CHECKPOINT_SIZE,
        }
        deadline, wait = time.monotonic() + self.lock_wait_seconds, FIRST_WAIT
        while True:
            try:
                connection = duckdb.connect(str(self.file), config=config)
            except duckdb.Error as error:
                if HELD not in str(error):
                    raise WarehouseError(unreadable(self.file, error)) from error
                if time.monotonic() >= deadline:
                    raise HeldError(held(self.file, error, self.lock_wait_seconds)) from error
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                connection.execute("set timezone = 'UTC'")
                connection.execute("set enable_progress_bar = false")  # it would draw over the run's own
                return connection
