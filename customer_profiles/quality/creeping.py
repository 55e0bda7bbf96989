"""Slow drift: what creeps by a percent a day is small against yesterday, and much after two weeks.

Sudden changes of shares and missing cells are told from a month, so that those which creep are found among
them; levels and volumes need a ramp. A volume creeps only down: every holiday announces itself by a rise.
"""

from __future__ import annotations

import numpy as np

from customer_profiles.quality.expected import Expected, fit_growing
from customer_profiles.quality.history import WEEK, History, between
from customer_profiles.quality.statistics import median, median_and_spread
from customer_profiles.quality.thresholds import thresholds
from customer_profiles.quality.volumes import FEWEST_LEVEL_ROWS, NOTHING, Test, is_magnitude
from customer_profiles.settings import DriftSettings

SPAN = 2 * WEEK
"""Days over which a ramp rises from nothing to its height today."""
WEEKS_TOLD = 1.34
"""Standard deviations of a week's mean by which a ramp over two weeks, seen from four, is uncertain."""
GRADUAL, DAYS_OF_A_WEEK = (0.2, 0.9), 5
"""A change is slow if the week before the last had this much of it; each week needs so many days."""


def slow_fall_test(history: History, today: int, settings: DriftSettings) -> Test | None:
    """Fit a ramp of the last two weeks to a table's rows, beside their weekdays and growth of eight weeks.

    On the logarithm; the effect is the ramp's height today. ``None`` if there are too few days, or if nothing
    creeps down.
    """
    places = between(history, today, 4 * SPAN - 1, 0)
    ago, rows = history.days[today] - history.days[places], history.rows[places]
    weeks = [np.count_nonzero((ago >= first) & (ago < first + WEEK)) for first in (0, WEEK)]
    if min(weeks) < DAYS_OF_A_WEEK or np.count_nonzero(ago >= SPAN) < 3 * WEEK:
        return None
    if rows[ago < WEEK].sum() < settings.fewest_rows or not history.rows[today]:
        return None
    day = int(history.days[today])
    fit = fit_growing(np.log(rows), history.days[places], day, np.maximum(1 - ago / SPAN, 0))
    if fit is None or fit.ramp >= 0 or not _is_gradual(fit.beyond, day - fit.days):
        return None
    older = fit.residuals[day - fit.days >= SPAN]
    error = fit.spread * (fit.ramp_variance * _days_per_independent_day(older)) ** 0.5
    last = ago < WEEK
    sampling = float(rows[last].sum()) ** -0.5
    p_value = Expected(0.0, error, fit.freedom + 1).p_value(fit.ramp, 0.0, sampling)
    now = float(np.exp(np.mean(np.log(rows[last]))))
    usual = now / float(np.exp(np.mean(fit.beyond[day - fit.days < WEEK])))
    of_rows = float(rows[last].sum()), float(rows[ago >= SPAN].sum())
    return Test("slow", float(np.expm1(-fit.ramp)), p_value, now, usual, *of_rows)


def slow_level_test(
    history: History, today: int, settings: DriftSettings, *, panel: bool = False
) -> Test | None:
    """Fit a ramp to the levels of the last two weeks, which starts where the four weeks before them lie.

    On the logarithm; the effect is the ramp's height today, either way. It is slow only if the week before
    the last had part of it. Days of a ``panel`` hold the same customers: all of them tell no more than one.
    ``None`` if there are too few days, or nothing creeps.
    """
    rows, values = history.levels.rows, history.levels.mean
    enough = rows >= FEWEST_LEVEL_ROWS
    recent, older = (
        places[enough[places]]
        for places in (
            between(history, today, SPAN - 1, 0),
            between(history, today, 3 * SPAN - 1, SPAN),
        )
    )
    ago = history.days[today] - history.days[recent]
    last, previous = recent[ago < WEEK], recent[ago >= WEEK]
    if min(len(last), len(previous)) < DAYS_OF_A_WEEK or len(older) < SPAN:
        return None
    if rows[last].sum() < settings.fewest_rows or not is_magnitude(history, older):
        return None
    beyond = _beyond_weekday(values, history.days, older)
    if not _is_gradual(beyond[recent], ago):
        return None
    ramp = 1 - ago / SPAN
    away = float(ramp @ beyond[recent] / (ramp @ ramp))
    _, spread = median_and_spread(beyond[older])
    variance = 1 / (ramp @ ramp) + (ramp.sum() / (ramp @ ramp)) ** 2 / len(older)
    days_apart = spread * (variance * _days_per_independent_day(beyond[older])) ** 0.5
    error = max(days_apart, _spread_of_weeks(beyond[older], history.days[older]) * WEEKS_TOLD)
    told = float(rows[last].mean() / 2 if panel else rows[last].sum())
    sampling = (float(np.mean(history.levels.variance[last])) / told) ** 0.5
    warn, _ = thresholds(settings, history.table, history.column, "slow")
    p_value = Expected(0.0, error, len(older)).p_value(away, float(np.log1p(warn * NOTHING)), sampling)
    now = float(np.mean(values[last]))
    means = float(np.exp(now)), float(np.exp(now - np.mean(beyond[last])))
    of_rows = float(rows[last].sum()), float(rows[older].sum())
    return Test("slow", float(np.expm1(abs(away))), p_value, *means, *of_rows)


def _is_gradual(beyond: np.ndarray, ago: np.ndarray) -> bool:
    """Whether the week before the last lies part of the way off."""
    last, previous = beyond[ago < WEEK], beyond[(ago >= WEEK) & (ago < SPAN)]
    part = float(np.mean(previous) / np.mean(last)) if last.any() else 0.0
    return GRADUAL[0] <= part <= GRADUAL[1]


def _spread_of_weeks(values: np.ndarray, days: np.ndarray) -> float:
    """The standard deviation of weekly means: what wanders, wanders from week to week."""
    weeks = (days - days[0]) // WEEK
    means = [float(np.mean(values[weeks == week])) for week in np.unique(weeks)]
    return float(np.std(means, ddof=1)) if len(means) > 1 else 0.0


def _days_per_independent_day(values: np.ndarray) -> float:
    """How many days that follow one another tell as much as one that is independent of the others.

    (1 + r) / (1 - r), with r the correlation of neighbours (Bayley and Hammersley 1946).
    """
    if not np.ptp(values):
        return 1.0
    r = float(np.clip(np.corrcoef(values[:-1], values[1:])[0, 1], 0, 0.8))
    return (1 + r) / (1 - r)


def _beyond_weekday(values: np.ndarray, days: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """What each value lies above the median of its weekday among the ``usual`` days, or of all of these."""
    weekdays = days % WEEK
    centres = [
        median(values[alike if len(alike) else usual])
        for alike in (usual[weekdays[usual] == weekday] for weekday in range(WEEK))
    ]
    return np.asarray(values - np.array(centres)[weekdays])
