"""A part whose rows come in: on its own day, or on a later one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from customer_profiles.collection.reading import Part


@dataclass(frozen=True)
class Arrival:
    """A part, the day on which its rows come in, and the file and day that it belongs to.

    ``known`` are ledger entries: rows that came in with one of them are passed over.
    """

    part: Part
    day: date
    file: str
    file_day: date
    known: pl.DataFrame = field(default_factory=pl.DataFrame)
