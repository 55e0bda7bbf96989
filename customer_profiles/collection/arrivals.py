"""A part whose rows come in on a later day than its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from customer_profiles.collection.reading import Part


@dataclass(frozen=True)
class Arrival:
    """A part, the file and day that it belongs to, and what is known of it.

    ``known`` are ledger entries: rows that came in with one of them are passed over.
    """

    part: Part
    file: str
    file_day: date
    known: pl.DataFrame = field(default_factory=pl.DataFrame)
