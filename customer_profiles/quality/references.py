"""Which days a day is held against: those before it, and those that the model learned from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from customer_profiles.quality import statistics
from customer_profiles.quality.counts import DIGITS
from customer_profiles.quality.history import History, trailing
from customer_profiles.settings import DriftSettings

TRAILING, FROZEN, EARLIER, NEWEST = "trailing", "frozen", "earlier", "newest"
GROWN = 1.1
"""A trait that counts all history grows with it: where the shop's history is this much longer than that
of the reference, only the newest days before are comparable."""
NEWEST_DAYS, NEWEST_WITHIN = 2, 7
OUTGROWN = 1.5
"""A home of so many times the customers from whom the model learned has other customers by nature: that they
differ from those of training is no error."""
YOUNG_DAYS = 14
"""In a shop of fewer days not even the newest are comparable: each day's history is much of all."""
NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class World:
    """What a day is held against beside its own history.

    ``frozen`` maps a table to the day numbers from which the model in service learned. ``growing`` names
    (table, column) pairs that count all history, whose length is told from ``first_day`` on; ``ageing``
    those of them to which each day adds one for everybody.
    ``frozen_is_error``: whether a difference from the frozen days can be more than a warning. ``panel``:
    whether each day holds the same customers again, computed now and then.
    """

    frozen: Mapping[str, Sequence[int]] = field(default_factory=dict)
    growing: frozenset[tuple[str, str]] = frozenset()
    ageing: frozenset[tuple[str, str]] = frozenset()
    first_day: int = 0
    frozen_is_error: bool = False
    panel: bool = False


def compared_with(
    history: History, today: int, reference: str, world: World, settings: DriftSettings
) -> np.ndarray:
    """Places of the days that stand for a reference."""
    before = trailing(history, today, settings.trailing_days)
    if reference == FROZEN:
        return frozen_days(history, world)
    if reference == NEWEST:
        return newest_days(history, today, before)
    return recent_days(history, today, before, world, settings)


def recent_days(
    history: History, today: int, before: np.ndarray, world: World, settings: DriftSettings
) -> np.ndarray:
    """Those days before today that tell what is usual; of a panel, those of the last eight weeks.

    A panel's older days were computed for the model's training alone, and may lie a year apart.
    """
    oldest = history.days[today] - 2 * settings.trailing_days
    return before[history.days[before] >= oldest] if world.panel else before


def newest_days(history: History, today: int, before: np.ndarray) -> np.ndarray:
    """The one or two days just before today."""
    recent = history.days[before] >= history.days[today] - NEWEST_WITHIN
    return np.asarray(before[recent][-NEWEST_DAYS:])


def only_aged(history: History, today: int, places: np.ndarray) -> bool:
    """Whether the days that have passed since those at ``places`` explain all that moved.

    Where all customers signed up on one day, each day holds a number that the days before do not. Numbers
    lie in bins, which widen the distance by a bin's width at most.
    """
    if history.kind != "number" or not places.size:
        return False
    was, now = history.counts[places].sum(axis=0), history.counts[today]
    passed = history.days[today] - np.average(history.days[places], weights=history.rows[places])
    width = float(now @ np.abs(history.bins)) / now.sum() / 2 ** (DIGITS - 1)
    return bool(statistics.earth_mover(was, now, history.bins) <= passed + width)


def frozen_days(history: History, world: World) -> np.ndarray:
    """Places of the days from which the model learned."""
    days = world.frozen.get(history.table)
    return np.flatnonzero(np.isin(history.days, days) & (history.rows > 0)) if days else NONE


def grows(history: History, today: int, before: np.ndarray, frozen: np.ndarray, world: World) -> bool:
    """Whether a trait that counts all history had markedly less of it on the reference's days."""
    if (history.table, history.column) not in world.growing or not before.size:
        return False
    oldest = float(np.mean(history.days[np.union1d(before, frozen)]))
    return bool(history.days[today] - world.first_day > GROWN * (oldest - world.first_day))


def has_outgrown(columns: Iterable[History], day: int, world: World) -> bool:
    """Whether a day holds so many times the rows of the days that the model learned from."""
    counted = [history for history in columns if history.kind == "rows" and day in history.days]
    learned = [(history, frozen_days(history, world)) for history in counted]
    return any(
        history.rows[history.days == day][0] > OUTGROWN * history.rows[places].mean()
        for history, places in learned
        if places.size
    )
