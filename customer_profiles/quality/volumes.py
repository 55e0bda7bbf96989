"""Volumes, missing shares and levels: one number a day, held against the same weekdays.

What a day should be is told by the days before it (``quality/expected.py``), and so is how far such days
lie from that: where they are few or noisy, nothing is told. Of shares and levels, which follow no growth, a
quarter of the effect that warns is nothing to speak of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_profiles.quality.expected import FEWEST_WEEKDAYS, Expected, expected, expected_if_growing
from customer_profiles.quality.history import WEEK, History, between
from customer_profiles.quality.statistics import median, median_and_spread
from customer_profiles.quality.thresholds import thresholds
from customer_profiles.settings import DriftSettings

NOTHING = 1 / 4
"""The part of the effect that warns which is nothing to speak of, even where it is certain."""
OFTEN_EMPTY = 0.2
FEWEST_VALUES, FEWEST_LEVEL_ROWS = 32, 30
"""A level is told of magnitudes alone: hours, months and stars have a shape, which says more."""
WEEKS_TOLD = 1.34
"""Standard deviations of a week's mean by which a ramp over two weeks, seen from four, is uncertain."""
GRADUAL, DAYS_OF_A_WEEK = (0.2, 0.9), 5
"""A change is slow if the week before the last had this much of it; each week needs so many days."""


@dataclass(frozen=True)
class Test:
    """An effect, the chance of one as large if there is none worth a look, and what was compared."""

    __test__ = False  # pytest collects what is called Test

    statistic: str
    value: float
    p_value: float
    now: float
    usual: float
    rows: float
    reference_rows: float


def volume_test(history: History, today: int, settings: DriftSettings) -> Test | None:
    """Hold a day's rows against those expected: ``fall`` is the absent share, ``rise`` what is too much.

    By weekday and growth of eight weeks, on the logarithm; the spread is at least that of a Poisson count.
    ``None`` for a table that often is delivered empty, on all days or on this weekday: it comes and goes.
    """
    delivered = np.arange(max(today - 2 * settings.trailing_days, 0), today)
    alike = delivered[(history.days[today] - history.days[delivered]) % WEEK == 0]
    for days in (delivered, alike):
        if len(days) >= FEWEST_WEEKDAYS and np.mean(history.rows[days] == 0) > OFTEN_EMPTY:
            return None
    places = delivered[history.rows[delivered] > 0]
    usual = expected_if_growing(np.log(history.rows[places]), history.days[places], int(history.days[today]))
    now, rows = float(history.rows[today]), float(np.exp(usual.value))
    name = "fall" if now < rows else "rise"
    floor = float(np.sqrt(1 / max(now, 1) + 1 / rows))
    p_value = usual.p_value(float(np.log(max(now, 0.5))), 0.0, floor)
    return Test(name, abs(now / rows - 1), p_value, now, rows, now, rows)


def missing_test(history: History, today: int, places: np.ndarray, settings: DriftSettings) -> Test:
    """Hold a day's share of NULLs against that expected; the effect is the difference.

    On the arcsine of the root, on which a share's sampling spread is the same everywhere (Anscombe 1948).
    """
    null, rows = history.counts[:, 0], history.rows
    angles = _angle((null[places] + 0.375) / (rows[places] + 0.75))
    usual = expected(angles, history.days[places], int(history.days[today]))
    share, now = float(np.sin(usual.value) ** 2), float(null[today] / rows[today])
    warn, _ = thresholds(settings, history.table, history.column, "missing")
    nearer = float(np.clip(share + np.sign(now - share) * warn * NOTHING, 0, 1))
    margin = abs(float(_angle(nearer)) - usual.value)
    p_value = usual.p_value(float(_angle(now)), margin, float(0.5 / np.sqrt(rows[today])))
    return Test(
        "missing", abs(now - share), p_value, now, share, float(rows[today]), float(rows[places].sum())
    )


def level_test(history: History, today: int, places: np.ndarray, settings: DriftSettings) -> Test | None:
    """Hold a day's geometric mean against that expected; the effect is the relative change, either way."""
    level = history.levels
    places = places[level.rows[places] >= FEWEST_LEVEL_ROWS]
    if level.rows[today] < FEWEST_LEVEL_ROWS or not places.size or not _is_magnitude(history, places):
        return None
    usual = expected(level.mean[places], history.days[places], int(history.days[today]))
    reference_rows = float(level.rows[places].sum())
    variance = float(np.mean(level.variance[places]))
    floor = float(np.sqrt(variance / level.rows[today] + variance / reference_rows))
    now = float(level.mean[today])
    warn, _ = thresholds(settings, history.table, history.column, "level")
    p_value = usual.p_value(now, float(np.log1p(warn * NOTHING)), floor)
    effect = float(np.expm1(abs(now - usual.value)))
    means = float(np.exp(now)), float(np.exp(usual.value))
    return Test("level", effect, p_value, *means, float(level.rows[today]), reference_rows)


def slow_test(history: History, today: int, settings: DriftSettings, *, panel: bool = False) -> Test | None:
    """Fit a ramp to the last two weeks, which starts where the four weeks before them lie.

    Rows or levels of numbers, on the logarithm; the effect is the ramp's height today. It is slow only if the
    week before the last had part of it, and a volume creeps only down. Days of a ``panel`` hold the same
    customers: all of them tell no more than one. ``None`` if there are too few days, or nothing creeps.
    """
    numbers = history.kind == "number"
    rows = history.levels.rows if numbers else history.rows
    enough = rows >= (FEWEST_LEVEL_ROWS if numbers else 1)
    recent, older = (
        places[enough[places]]
        for places in (
            between(history, today, 2 * WEEK - 1, 0),
            between(history, today, 6 * WEEK - 1, 2 * WEEK),
        )
    )
    ago = history.days[today] - history.days[recent]
    last, previous = recent[ago < WEEK], recent[ago >= WEEK]
    if min(len(last), len(previous)) < DAYS_OF_A_WEEK or len(older) < 2 * WEEK:
        return None
    if rows[last].sum() < settings.fewest_rows or (numbers and not _is_magnitude(history, older)):
        return None
    values = history.levels.mean if numbers else np.log(np.maximum(rows, 1))
    beyond = _beyond_weekday(values, history.days, older)
    ramp = 1 - ago / (2 * WEEK)
    away = float(ramp @ beyond[recent] / (ramp @ ramp))
    part = float(np.mean(beyond[previous]) / np.mean(beyond[last])) if beyond[last].any() else 0.0
    if not GRADUAL[0] <= part <= GRADUAL[1] or (away > 0 and not numbers):
        return None
    _, spread = median_and_spread(beyond[older])
    variance = 1 / (ramp @ ramp) + (ramp.sum() / (ramp @ ramp)) ** 2 / len(older)
    days_apart = spread * (variance * _days_per_independent_day(beyond[older])) ** 0.5
    error = max(days_apart, _spread_of_weeks(beyond[older], history.days[older]) * WEEKS_TOLD)
    told = float(rows[last].mean() / 2 if panel else rows[last].sum())
    sampling = ((float(np.mean(history.levels.variance[last])) if numbers else 1.0) / told) ** 0.5
    warn, _ = thresholds(settings, history.table, history.column, "slow")
    p_value = Expected(0.0, error, len(older)).p_value(away, float(np.log1p(warn * NOTHING)), sampling)
    now = float(np.mean(values[last]))
    means = float(np.exp(now)), float(np.exp(now - np.mean(beyond[last])))
    rows_of = float(rows[last].sum()), float(rows[older].sum())
    return Test("slow", float(np.expm1(abs(away))), p_value, *means, *rows_of)


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


def _angle(share: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.arcsin(np.sqrt(share)))


def _is_magnitude(history: History, places: np.ndarray) -> bool:
    return bool(np.count_nonzero(history.counts[places].any(axis=0)) >= FEWEST_VALUES)
