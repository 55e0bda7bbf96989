"""From fine bins that never change to the few that one comparison needs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from customer_profiles.quality.counts import RARE
from customer_profiles.quality.history import History
from customer_profiles.quality.statistics import quantile_bins

BINS = 10
FREQUENT_SHARE = 0.02
"""Categories below this share of the reference are pooled. The counts name all above a quarter of it."""
UNSEEN, UNSEEN_SHARE, UNSEEN_ROWS = "(unseen)", 0.01, 10
"""A category is new from this share of the day and so many rows on: where a list is long, each day names a
few others, and of a small day two rows are a percent."""


@dataclass(frozen=True)
class Binned:
    """Counts over the same coarse bins: a row a reference day, and today."""

    names: list[str]
    days: np.ndarray
    today: np.ndarray
    unseen: tuple[str, ...] = ()

    @property
    def reference(self) -> np.ndarray:
        """The counts of all reference days together."""
        return np.asarray(self.days.sum(axis=0))


def binned(history: History, today: int, places: np.ndarray) -> Binned:
    """Count today and the days at ``places`` over bins made from those days."""
    of = _number_bins if history.kind == "number" else _category_bins
    return of(history, today, places)


def _number_bins(history: History, today: int, places: np.ndarray) -> Binned:
    """Quantile bins; numbers of few distinct values keep a bin each.

    0 is a bin of its own, since it often stands for "nothing", and so is what lies beyond all that the
    reference holds.
    """
    reference = history.counts[places].sum(axis=0)
    held = (reference > 0) | (history.counts[today] > 0)
    reference, ends = reference[held], history.bins[held]
    few = np.count_nonzero(reference) <= BINS
    place = np.arange(len(ends)) if few else quantile_bins(reference, BINS)
    known = ends[reference > 0]
    cuts = [ends >= known[0], ends >= 0, ends > 0, ends > known[-1]] if len(known) else []
    new = np.any(np.diff([place, *cuts], axis=1) != 0, axis=0)
    starts = np.append(0, np.flatnonzero(new) + 1)
    lows = [f"{end:g}" for end in ends[starts]]
    names = lows if few else [*(f"{low} to {high}" for low, high in pairwise(lows)), f"from {lows[-1]}"]
    days, now = (
        np.add.reduceat(np.atleast_2d(history.counts[chosen])[:, held], starts, axis=1)
        for chosen in (places, today)
    )
    return Binned(names, days, now[0])


def _category_bins(history: History, today: int, places: np.ndarray) -> Binned:
    """Frequent categories of the reference, its rare ones together, and those that it does not hold."""
    reference, now = history.counts[places].sum(axis=0), history.counts[today]
    frequent = (reference >= FREQUENT_SHARE * reference.sum()) & (history.bins != RARE)
    many = (now >= UNSEEN_SHARE * now.sum()) & (now >= UNSEEN_ROWS)
    new = (reference == 0) & many & (history.bins != RARE)
    groups = [*np.flatnonzero(frequent)[:, None], np.flatnonzero(~frequent & ~new), np.flatnonzero(new)]
    names = [*history.bins[frequent], RARE, UNSEEN]
    days = np.column_stack([history.counts[np.ix_(places, group)].sum(axis=1) for group in groups])
    current = np.array([now[group].sum() for group in groups])
    return Binned(
        [str(name) for name in names], days, current, tuple(str(name) for name in history.bins[new])
    )
