"""Volumes, missing shares and levels: one number a day, held against the same weekdays.

A day is expected to be as its weekday was, raised or lowered as all recent days are. Medians tell both, so
a holiday among them moves nothing. The spread around the expectation is that of the days before, and a
change must exceed half of the effect that warns by more than that spread explains: where days are few or
noisy, nothing is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_profiles.quality.history import WEEK, History, between
from customer_profiles.quality.statistics import median, median_and_spread
from customer_profiles.quality.thresholds import thresholds
from customer_profiles.settings import DriftSettings

FEWEST_WEEKDAYS = 3
OFTEN_EMPTY = 0.2
FEWEST_VALUES, FEWEST_LEVEL_ROWS = 32, 30
"""A level is told of magnitudes alone: hours, months and stars have a shape, which says more."""
EFFECTIVE = 3
"""Days of one week resemble one another: seven tell about as much as three that do not."""
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


@dataclass(frozen=True)
class Expected:
    """What a day's value should be, and how far such days lie from it (a robust standard deviation)."""

    value: float
    spread: float
    days: int

    def p_value(self, value: float, margin: float, floor: float) -> float:
        """The chance that a day lies as far off, if ``margin`` of it is nothing to speak of.

        By Student's t, since few days tell the spread badly; it is never below ``floor``.
        """
        from scipy.special import stdtr

        beyond = max(abs(value - self.value) - margin, 0.0)
        return float(2 * stdtr(max(self.days - 1, 1), -beyond / max(self.spread, floor, 1e-12)))


def expected(values: np.ndarray, days: np.ndarray, today: int) -> Expected:
    """Expect of the day number ``today`` what the earlier ``days`` with ``values`` suggest.

    The median of the same weekdays, plus the median of what all days lie above theirs (a two-way fit by
    medians, after Tukey 1977). With fewer than ``FEWEST_WEEKDAYS`` of the weekday: the median of all.
    """
    by_weekday = [values[days % WEEK == weekday] for weekday in range(WEEK)]
    told = [weekday for weekday in range(WEEK) if len(by_weekday[weekday]) >= FEWEST_WEEKDAYS]
    if today % WEEK not in told:
        return Expected(*median_and_spread(values), len(values))
    centres = {weekday: median(by_weekday[weekday]) for weekday in told}
    residuals = np.concatenate([by_weekday[weekday] - centre for weekday, centre in centres.items()])
    level, spread = median_and_spread(residuals)
    spread *= (len(residuals) / (len(residuals) - len(told))) ** 0.5
    return Expected(centres[today % WEEK] + level, spread, len(residuals) - len(told) + 1)


def volume_test(history: History, today: int, settings: DriftSettings) -> Test | None:
    """Hold a day's rows against those expected: ``fall`` is the absent share, ``rise`` what is too much.

    Of eight weeks, on the logarithm; the spread is at least that of a Poisson count. ``None`` for a table
    that often is delivered empty, on all days or on this weekday: it comes and goes.
    """
    delivered = np.arange(max(today - 2 * settings.trailing_days, 0), today)
    alike = delivered[(history.days[today] - history.days[delivered]) % WEEK == 0]
    for days in (delivered, alike):
        if len(days) >= FEWEST_WEEKDAYS and np.mean(history.rows[days] == 0) > OFTEN_EMPTY:
            return None
    places = delivered[history.rows[delivered] > 0]
    usual = expected(np.log(history.rows[places]), history.days[places], int(history.days[today]))
    now, rows = float(history.rows[today]), float(np.exp(usual.value))
    name = "fall" if now < rows else "rise"
    warn, _ = thresholds(settings, history.table, history.column, name)
    margin = -np.log(max(1 - warn / 2, 1e-9)) if name == "fall" else np.log(1 + warn / 2)
    floor = float(np.sqrt(1 / max(now, 1) + 1 / rows))
    p_value = usual.p_value(float(np.log(max(now, 0.5))), float(margin), floor)
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
    nearer = float(np.clip(share + np.sign(now - share) * warn / 2, 0, 1))
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
    p_value = usual.p_value(now, float(np.log1p(warn / 2)), floor)
    effect = float(np.expm1(abs(now - usual.value)))
    means = float(np.exp(now)), float(np.exp(usual.value))
    return Test("level", effect, p_value, *means, float(level.rows[today]), reference_rows)


def slow_test(history: History, today: int, settings: DriftSettings) -> Test | None:
    """Hold the last week against the four weeks that ended two weeks ago: what creeps is seen here.

    Rows or levels of numbers, on the logarithm. It counts as slow only if the week before had part of it;
    a volume creeps only down. ``None`` if there are too few days, or nothing creeps.
    """
    numbers = history.kind == "number"
    rows = history.levels.rows if numbers else history.rows
    enough = rows >= (FEWEST_LEVEL_ROWS if numbers else 1)
    last, previous, older = (
        places[enough[places]]
        for places in (
            between(history, today, WEEK - 1, 0),
            between(history, today, 2 * WEEK - 1, WEEK),
            between(history, today, 6 * WEEK - 1, 2 * WEEK),
        )
    )
    if min(len(last), len(previous)) < DAYS_OF_A_WEEK or len(older) < 2 * WEEK:
        return None
    if rows[last].sum() < settings.fewest_rows:
        return None
    if numbers and not _is_magnitude(history, older):
        return None
    values = history.levels.mean if numbers else np.log(np.maximum(rows, 1))
    beyond = _beyond_weekday(values, history.days, older)
    away = float(np.mean(beyond[last]))
    part = float(np.mean(beyond[previous])) / away if away else 0.0
    if not GRADUAL[0] <= part <= GRADUAL[1] or (away > 0 and not numbers):
        return None
    _, spread = median_and_spread(beyond[older])
    spread *= (len(older) / (len(older) - WEEK)) ** 0.5
    weeks = Expected(0.0, spread * (1 / EFFECTIVE + WEEK / EFFECTIVE / len(older)) ** 0.5, len(older) - WEEK)
    warn, _ = thresholds(settings, history.table, history.column, "slow")
    sampling = (
        float(np.sqrt(np.mean(history.levels.variance[last]) / rows[last].sum()))
        if numbers
        else float(np.sqrt(1 / rows[last].sum()))
    )
    p_value = weeks.p_value(away, float(np.log1p(warn / 2)), sampling)
    now = float(np.mean(values[last]))
    means = float(np.exp(now)), float(np.exp(now - away))
    return Test(
        "slow", float(np.expm1(abs(away))), p_value, *means, float(rows[last].sum()), float(rows[older].sum())
    )


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
