"""A day's parcel of a table: duplicates and dirt are planted, the file written, the truth told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from customer_profiles.simulation.delivery_files import Damage, write_delivery
from customer_profiles.simulation.dirt import PLANT, UNTOUCHED, Soiler, truth_of_dirt

EXACT_COPY_SHARE, KEY_COPY_SHARE = 0.0005, 0.0003
CLOCKS = {"events": "event_at", "texts": "created_at"}


def deliver(
    folder: Path,
    table: str,
    day: date,
    rows: pl.DataFrame | None,
    soiler: Soiler | None,
    rng: np.random.Generator,
) -> tuple[int, pl.DataFrame]:
    """Write the delivery of a table and a day; returns its number of rows and the truth of its dirt.

    ``rows`` of None is a day without news: a file without rows. Without a ``soiler`` nothing is planted.
    """
    if rows is None:
        rows = pl.DataFrame(schema={PLANT: pl.String})
    if soiler is None:
        source = write_delivery(folder, table, day, rows, Damage())
        return rows.height, truth_of_dirt(table, day, source, [], rows[PLANT])
    rows = _with_copies(table, rows, rng)
    damage, stained = soiler.soil(table, rows, day, rng)
    source = write_delivery(folder, table, day, rows, damage)
    return rows.height, truth_of_dirt(table, day, source, stained, rows[PLANT])


def _with_copies(table: str, rows: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Append exact copies of some rows and, for tables without versions, newer rows with an old key."""
    free = rng.permutation(np.flatnonzero(rows[PLANT].is_null().to_numpy()))
    exact = min(int(rng.poisson(rows.height * EXACT_COPY_SHARE)), free.size // 4)
    keyed = min(int(rng.poisson(rows.height * KEY_COPY_SHARE)), free.size // 4) if table in CLOCKS else 0
    copied, renewed = np.sort(free[:exact]), np.sort(free[exact : exact + keyed])
    plant = rows[PLANT].scatter(copied, UNTOUCHED).scatter(renewed, "key_duplicate")
    parts = [
        rows.with_columns(plant),
        rows[copied].with_columns(pl.lit("exact_duplicate").alias(PLANT)),
    ]
    if keyed:
        newer = pl.col(CLOCKS[table]) + 1
        parts.append(rows[renewed].with_columns(newer, pl.lit(UNTOUCHED).alias(PLANT)))
    return pl.concat(parts)
