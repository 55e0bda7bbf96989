"""Measuring drift day by day from stored counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from customer_profiles.contracts.stored import EPOCH, day_number
from customer_profiles.quality.counts import NO_COLUMN
from customer_profiles.quality.drift import drift_of_day
from customer_profiles.quality.drift_plot import Panel, drift_plot, shapes_of
from customer_profiles.quality.drift_table import rows_of, worst_first
from customer_profiles.quality.history import History, histories
from customer_profiles.quality.references import World, compared_with
from customer_profiles.settings import DriftSettings
from customer_profiles.warehouse import Session, Table

COURSE = timedelta(days=60)
DRAWN, LOOKED_AT = 3, 12
"""How many columns are drawn, and among how many of the worst rows they are looked for."""


def measure_days(
    session: Session, counts: Table, drift: Table, days: Sequence[date], world: World, settings: DriftSettings
) -> Iterator[tuple[date, pl.DataFrame]]:
    """Yield each of the ascending ``days`` with its rows of the table of drift."""
    columns = list(histories(read_counts(session, counts, days, world, settings), counts.day))
    for day in days:
        yield day, rows_of(drift_of_day(columns, day_number(day), world, settings), day, drift)


def read_counts(
    session: Session,
    counts: Table,
    days: Sequence[date],
    world: World,
    settings: DriftSettings,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The counts of the days, of the eight weeks before them, and of those that the model learned from.

    Of all columns, or of some, which then come with the rows of their tables.
    """
    first = days[0] - timedelta(days=2 * settings.trailing_days + 7)
    frozen = {EPOCH + timedelta(days=int(day)) for known in world.frozen.values() for day in known}
    spans = [(day, day) for day in sorted(frozen) if day < first or day > days[-1]] + [(first, days[-1])]
    rows = [session.read(counts, *span) for span in spans]
    if columns is not None:
        rows = [part.filter(nw.col("column_name").is_in([NO_COLUMN, *columns])) for part in rows]
    return pl.concat(session.collect(part) for part in rows)


def drift_rows(
    session: Session, drift: Table, tables: Sequence[str], first: date, last: date
) -> pl.DataFrame:
    """The rows of a table of drift about ``tables`` and a range of days."""
    rows = session.read(drift, first, last).filter(nw.col("table_name").is_in(tables))
    return session.collect(rows.sort(drift.day, *drift.order))


def plot_of_day(
    session: Session, counts: Table, rows: pl.DataFrame, day: date, world: World, settings: DriftSettings
) -> bytes | None:
    """A picture of the day's worst columns, or ``None`` if nothing was measured of it.

    ``rows`` are those of a table of drift, of the day and of the days before it.
    """
    told = sorted(rows.filter(pl.col(counts.day) == day).iter_rows(named=True), key=worst_first)
    measured = [row for row in told if row["value"] is not None][:LOOKED_AT]
    if not measured:
        return None
    columns = [row["column_name"] for row in measured]
    counted = histories(read_counts(session, counts, [day], world, settings, columns), counts.day)
    known = {(h.table, h.column, h.kind): h for h in counted if day_number(day) in h.days}
    worst = {_history_of(row): row for row in reversed(measured) if _history_of(row) in known}
    drawn = list(worst.values())[::-1][:DRAWN]
    panels = [
        _panel(row, known, rows.filter(pl.col(counts.day) <= day), day, world, settings) for row in drawn
    ]
    return drift_plot(panels) if panels else None


def _history_of(row: dict[str, Any]) -> tuple[str, str, str]:
    """Table, column and kind of the counts behind a row of a table of drift."""
    kind = {"volume": "rows", "lateness": "number"}.get(row["family"], row["family"])
    return row["table_name"], row["column_name"], kind


def _panel(
    row: dict[str, Any],
    known: dict[tuple[str, str, str], History],
    rows: pl.DataFrame,
    day: date,
    world: World,
    settings: DriftSettings,
) -> Panel:
    history = known[_history_of(row)]
    today = int(np.searchsorted(history.days, day_number(day)))
    places = compared_with(history, today, row["reference"], world, settings)
    same = ["table_name", "column_name", "family", "reference", "statistic"]
    course = rows.filter(*(pl.col(name) == row[name] for name in same), pl.col("value").is_not_null())
    ago = ((day - past).days for past in course[:, 0])
    title = f"{row['column_name']}: {row['statistic']}, {row['reference']}"
    shapes = shapes_of(history, today, places)
    return Panel(title, *shapes, list(zip(ago, course["value"], strict=True)), row["warn"])
