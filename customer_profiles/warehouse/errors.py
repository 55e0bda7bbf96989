"""What can go wrong with the warehouse, and what to do about it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb

from customer_profiles.settings import Mendable


class WarehouseError(Mendable, RuntimeError):
    """The warehouse cannot be opened, read or written. The message says what to do."""


class HeldError(WarehouseError):
    """Another process holds the file, and waiting did not help."""


@contextmanager
def named(table: str, day: date | None) -> Iterator[None]:
    """Turn an engine's error into one that names table and day and says what to do."""
    place = table if day is None else f"{table} of {day}"
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise WarehouseError(
            f"{place}: DuckDB ran out of memory or of disk to spill to; raise warehouse.memory_limit or free "
            f"disk space, then run again (what was stored before stays): {_first_line(error)}"
        ) from error
    except (duckdb.IOException, OSError) as error:
        full = "No space left" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
        advice = "the disk is full: free space and run again" if full else "check the disk and run again"
        raise WarehouseError(
            f"{place} could not be read or written; {advice} (what was stored before stays): "
            f"{_first_line(error)}"
        ) from error
    except duckdb.Error as error:
        raise WarehouseError(f"{place}: {_first_line(error)}") from error


def held(file: Path, error: duckdb.Error, waited: float) -> str:
    """Says who holds the file, and that waiting did not help."""
    holder = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
    who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
    in_vain = f"; waited {waited:g} s" if waited else ""
    return (
        f"{file} is held by {who}{in_vain}. Let its run end, or close the program that has "
        f"the file open, then run again. Analysts read published/*.parquet instead of the warehouse."
    )


def unreadable(file: Path, error: duckdb.Error) -> str:
    """Says why a file cannot be opened that nobody holds."""
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        return (
            f"{file} cannot be opened: it may not be written. Give this user the right to write "
            f"{file.parent} and what lies in it, or name another home, then run again."
        )
    return (
        f"{file} cannot be opened: {_first_line(error)}. If the file is damaged, move it away "
        f"(mv {file} {file}.damaged) and run again: it is rebuilt from the deliveries."
    )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
