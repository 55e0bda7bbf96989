"""A picture of the columns that drifted most: what they were, what they are, and the course of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_profiles.quality.coarse import binned
from customer_profiles.quality.counts import SHARES
from customer_profiles.quality.history import History
from customer_profiles.quality.pictures import png

INCHES, DOTS_PER_INCH = (11, 5), 80
LONGEST_NAME = 18
PAST, NOW, LIMIT = "#b8c4cc", "#1f5f8b", "#c0392b"


@dataclass(frozen=True)
class Panel:
    """One column: shares of its bins in the reference and now, and what the statistic was, day by day.

    ``course`` maps days before, counted back from 0, to the statistic; ``warn`` is its threshold.
    """

    title: str
    bins: Sequence[str]
    reference: np.ndarray
    current: np.ndarray
    course: Sequence[tuple[int, float]]
    warn: float


def shapes_of(history: History, today: int, places: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of the bins with the reference's shares and today's; of a volume the rows of each day."""
    if history.kind == "rows":
        days = np.arange(max(today - 28, 0), today + 1)
        ago = [f"{history.days[today] - history.days[day]} days ago" for day in days[:-1]]
        rows = history.rows[days].astype(np.float64)
        return [*ago, "now"], rows, np.where(days == today, rows, np.nan)
    if history.kind in SHARES:
        was, now = history.counts[places].sum(axis=0), history.counts[today]
        names = [str(name) for name in history.bins]
    else:
        bins = binned(history, today, places)
        was, now, names = bins.reference, bins.today, bins.names
    return list(names), was / max(was.sum(), 1), now / max(now.sum(), 1)


def drift_plot(panels: Sequence[Panel]) -> bytes:
    """Draw up to three columns as PNG: above reference and now, below the course of the statistic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH)
    grid = figure.subplots(2, len(panels), squeeze=False)
    for (above, below), one in zip(grid.T, panels, strict=True):
        edges = np.arange(len(one.bins) + 1)
        above.stairs(one.reference, edges, fill=True, color=PAST, label="reference")
        above.stairs(one.current, edges, color=NOW, linewidth=2, label="now")
        above.set_title(one.title, fontsize=9)
        named = np.unique(np.linspace(0, len(one.bins) - 1, 4).astype(int))
        above.set_xticks(named + 0.5, [one.bins[place][:LONGEST_NAME] for place in named], fontsize=7)
        above.set_yticks([])
        ago, values = zip(*one.course, strict=True) if one.course else ((), ())
        below.plot([-days for days in ago], values, color=NOW, marker=".", linewidth=1)
        below.axhline(one.warn, color=LIMIT, linestyle="--", linewidth=1, label="limit")
        below.set_ylim(bottom=0)
        below.set_xlim(-max((7, *ago)) - 0.5, 0.5)  # of one day alone it would be hundredths of a day
        below.set_xlabel("days before", fontsize=8)
        below.tick_params(labelsize=7)
    for row in grid:
        row[0].legend(frameon=False, fontsize=7)
    figure.subplots_adjust(left=0.05, right=0.98, top=0.92, bottom=0.1, wspace=0.2, hspace=0.35)
    return png(figure)
