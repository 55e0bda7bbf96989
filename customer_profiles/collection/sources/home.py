"""A home as its sources see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from customer_profiles.collection.sources.schema import Source


@dataclass(frozen=True)
class Home:
    """Where sources lie and how they are read.

    ``tables`` are the sources that ``sources.yaml`` names, ``variables`` those of the environment, in which
    the URLs of databases stand. ``timezone`` is business time.
    """

    folder: Path
    timezone: str
    first_day: date
    longest_line: int
    tables: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    histories: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False, compare=False)
    laid: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False, compare=False)
    """Files for all days as they were read, and where their rows lie on the disk: see ``histories.py``."""
    tallies: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False, compare=False)
    """How many of their rows cannot be read: see ``door.py``."""
    silent: dict[str, tuple[float, str]] = field(default_factory=dict, repr=False, compare=False)
    """Databases that do not answer: see ``databases.py``."""

    def put_away(self) -> None:
        """Give back the disk on which rows of files for all days lie. Which days they hold stays known."""
        self.laid.clear()

    @property
    def deliveries(self) -> Path:
        """Where the deliveries of tables without a source lie: ``<table>/<YYYY-MM-DD>.<format>``."""
        return self.folder / "deliveries"
