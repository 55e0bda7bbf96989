"""Slow drift: what creeps by a percent a day is small against yesterday, and much after two weeks.

Sudden changes of shares and missing cells are told from a month, so that those which creep are found among
them; levels and volumes need a ramp. A volume creeps only down: every holiday announces itself by a rise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_profiles.quality.expected import Expected, fit_growing
from customer_profiles.quality.history import WEEK, History, between
from customer_profiles.quality.thresholds import thresholds
from customer_profiles.quality.volumes import FEWEST_LEVEL_ROWS, NOTHING, Test, is_magnitude
from customer_profiles.settings import DriftSettings

SPAN = 2 * WEEK
"""Days over which a ramp rises from nothing to its height today."""
GRADUAL, DAYS_OF_A_WEEK = (0.2, 0.9), 5
"""A change is slow if the week before the last had this much of it; each week needs so many days."""


@dataclass(frozen=True)
class Ramp:
    """What crept in over the last two weeks: its height today, on the logarithm, and how far to trust that.

    ``usual`` is today's logarithm without it. ``last`` and ``older`` are the places of the last week's days
    and of those before the ramp.
    """

    height: float
    error: Expected
    usual: float
    last: np.ndarray
    older: np.ndarray

    def test(self, margin: float, sampling: float, rows: np.ndarray) -> Test:
        """The ramp as a test; its effect is the relative change, either way."""
        now, usual = float(np.exp(self.usual + self.height)), float(np.exp(self.usual))
        p_value = self.error.p_value(self.height, margin, sampling)
        of_rows = float(rows[self.last].sum()), float(rows[self.older].sum())
        return Test("slow", abs(now / usual - 1), p_value, now, usual, *of_rows)


def slow_fall_test(history: History, today: int, settings: DriftSettings) -> Test | None:
    """Hold a table's rows against a ramp. ``None`` if there are too few days, or nothing creeps down."""
    if not history.rows[today]:
        return None
    ramp = _ramp(history, today, np.log(np.maximum(history.rows, 1)), history.rows, 1)
    if ramp is None or ramp.height >= 0 or history.rows[ramp.last].sum() < settings.fewest_rows:
        return None
    return ramp.test(0.0, float(history.rows[ramp.last].sum()) ** -0.5, history.rows)


def slow_level_test(history: History, today: int, settings: DriftSettings, *, panel: bool) -> Test | None:
    """Hold the levels of a column of numbers against a ramp, either way.

    Days of a ``panel`` hold the same customers: all of them tell no more than one. ``None`` if there are too
    few days, or nothing creeps.
    """
    level = history.levels
    ramp = _ramp(history, today, level.mean, level.rows, FEWEST_LEVEL_ROWS)
    if ramp is None or level.rows[ramp.last].sum() < settings.fewest_rows:
        return None
    if not is_magnitude(history, ramp.older):
        return None
    told = float(level.rows[ramp.last].mean() / 2 if panel else level.rows[ramp.last].sum())
    sampling = (float(np.mean(level.variance[ramp.last])) / told) ** 0.5
    warn, _ = thresholds(settings, history.table, history.column, "slow")
    return ramp.test(float(np.log1p(warn * NOTHING)), sampling, level.rows)


def _ramp(
    history: History, today: int, values: np.ndarray, rows: np.ndarray, fewest_rows: int
) -> Ramp | None:
    """Fit a ramp of the last two weeks to logarithms, beside their weekdays and growth of eight weeks.

    It is slow only if the week before the last had part of it.
    """
    places = between(history, today, 4 * SPAN - 1, 0)
    places = places[rows[places] >= fewest_rows]
    ago = history.days[today] - history.days[places]
    weeks = [np.count_nonzero((ago >= first) & (ago < first + WEEK)) for first in (0, WEEK)]
    if min(weeks) < DAYS_OF_A_WEEK or np.count_nonzero(ago >= SPAN) < SPAN:
        return None
    day = int(history.days[today])
    fit = fit_growing(values[places], history.days[places], day, np.maximum(1 - ago / SPAN, 0))
    if fit is None or not _is_gradual(fit.beyond, day - fit.days):
        return None
    before = fit.residuals[day - fit.days >= SPAN]
    error = fit.spread * (fit.ramp_variance * _days_per_independent_day(before)) ** 0.5
    told = Expected(0.0, error, fit.freedom + 1)
    return Ramp(fit.ramp, told, fit.value, places[ago < WEEK], places[ago >= SPAN])


def _is_gradual(beyond: np.ndarray, ago: np.ndarray) -> bool:
    """Whether the week before the last lies part of the way off."""
    last, previous = beyond[ago < WEEK], beyond[(ago >= WEEK) & (ago < SPAN)]
    part = float(np.mean(previous) / np.mean(last)) if last.any() else 0.0
    return GRADUAL[0] <= part <= GRADUAL[1]


def _days_per_independent_day(values: np.ndarray) -> float:
    """How many days that follow one another tell as much as one that is independent of the others.

    (1 + r) / (1 - r), with r the correlation of neighbours (Bayley and Hammersley 1946).
    """
    if len(values) < 2 or not np.ptp(values):
        return 1.0
    r = float(np.clip(np.corrcoef(values[:-1], values[1:])[0, 1], 0, 0.8))
    return (1 + r) / (1 - r)
