"""Volumes, missing shares and levels: one number a day, held against the same weekdays.

What a day should be is told by the days before it (``quality/expected.py``), and so is how far such days
lie from that: where they are few or noisy, nothing is told. Of shares and levels, which follow no growth, a
quarter of the effect that warns is nothing to speak of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_profiles.quality.expected import FEWEST_WEEKDAYS, expected, expected_if_growing
from customer_profiles.quality.history import HOURS, WEEK, History
from customer_profiles.quality.thresholds import thresholds
from customer_profiles.settings import DriftSettings

NOTHING = 1 / 4
"""The part of the effect that warns which is nothing to speak of, even where it is certain."""
OFTEN_EMPTY = 0.2
FEWEST_VALUES, FEWEST_LEVEL_ROWS = 32, 30
HOUR = "_hour"
"""How names of columns of hours end."""


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


def volume_test(history: History, today: int, delivered: np.ndarray) -> Test | None:
    """Hold a day's rows against those expected: ``fall`` is the absent share, ``rise`` what is too much.

    By weekday and growth of the days at the places ``delivered``, on the logarithm; the spread is at least
    that of a Poisson count. ``None`` for a table that often is delivered empty, on all days or on this
    weekday: it comes and goes.
    """
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


def share_test(history: History, today: int, places: np.ndarray, settings: DriftSettings) -> Test:
    """Hold a part of a day's rows, such as NULLs, against that expected; the effect is the difference.

    On the arcsine of the root, on which a share's sampling spread is the same everywhere (Anscombe 1948).
    That fewer rows repeat others, or hold one key, is no effect.
    """
    part, rows = history.counts[:, 0], history.rows
    angles = _angle((part[places] + 0.375) / (rows[places] + 0.75))
    usual = expected(angles, history.days[places], int(history.days[today]))
    share, now = float(np.sin(usual.value) ** 2), float(part[today] / rows[today])
    warn, _ = thresholds(settings, history.table, history.column, history.kind)
    nearer = float(np.clip(share + np.sign(now - share) * warn * NOTHING, 0, 1))
    margin = abs(float(_angle(nearer)) - usual.value)
    p_value = usual.p_value(float(_angle(now)), margin, float(0.5 / np.sqrt(rows[today])))
    effect = abs(now - share) if history.kind == "missing" else max(now - share, 0.0)
    return Test(history.kind, effect, p_value, now, share, float(rows[today]), float(rows[places].sum()))


def level_test(history: History, today: int, places: np.ndarray, settings: DriftSettings) -> Test | None:
    """Hold a day's geometric mean against that expected; the effect is the relative change, either way."""
    level = history.levels
    return _of_sizes("level", level.mean, level.variance, history, today, places, settings)


def mean_test(history: History, today: int, places: np.ndarray, settings: DriftSettings) -> Test | None:
    """Hold a day's mean size against that expected; the effect is the relative change, either way.

    A few numbers in another unit move no shape and no geometric mean, but what the numbers sum up to.
    """
    level = history.levels
    return _of_sizes("mean", level.log_size, level.relative_variance, history, today, places, settings)


def _of_sizes(
    statistic: str,
    logs: np.ndarray,
    variances: np.ndarray,
    history: History,
    today: int,
    places: np.ndarray,
    settings: DriftSettings,
) -> Test | None:
    """Hold a day's logarithm, of which one row has such a variance, against that expected."""
    rows = history.levels.rows
    places = places[rows[places] >= FEWEST_LEVEL_ROWS]
    if rows[today] < FEWEST_LEVEL_ROWS or not places.size or not is_magnitude(history, places):
        return None
    usual = expected(logs[places], history.days[places], int(history.days[today]))
    reference_rows = float(rows[places].sum())
    variance = float(np.mean(variances[places]))
    floor = float(np.sqrt(variance / rows[today] + variance / reference_rows))
    now = float(logs[today])
    warn, _ = thresholds(settings, history.table, history.column, statistic)
    p_value = usual.p_value(now, float(np.log1p(warn * NOTHING)), floor)
    effect = abs(float(np.expm1(now - usual.value)))
    means = float(np.exp(now)), float(np.exp(usual.value))
    return Test(statistic, effect, p_value, *means, float(rows[today]), reference_rows)


def clock_test(history: History, today: int, places: np.ndarray, settings: DriftSettings) -> Test | None:
    """Hold a day's hours against those expected, moved round the clock; the effect is by how many hours.

    Days of one shape are likelier as they are than moved. By how much, for each row, is a number a day (a
    likelihood ratio, as of a circular cross-correlation), and today's must stand out among them: a wrong
    zone moves all hours by a few, which changes no share by much. ``None`` for what are no hours, and for
    hours that look best as they are.
    """
    if not history.column.endswith(HOUR):
        return None
    rows, reference = history.rows, history.hours[places].sum(axis=0) + 0.5
    shares = reference / reference.sum()
    likelihood = np.log(shares)
    moved = np.column_stack([history.hours @ np.roll(likelihood, by) for by in range(HOURS)])
    by = int(moved[today].argmax())
    if by == 0:
        return None
    gained = (moved[:, 1:].max(axis=1) - moved[:, 0]) / np.maximum(rows, 1)
    usual = expected(gained[places], history.days[places], int(history.days[today]))
    of_a_row = np.roll(likelihood, by) - likelihood
    floor = float(np.sqrt(shares @ (of_a_row - shares @ of_a_row) ** 2 / rows[today]))
    p_value = usual.p_value(float(gained[today]), 0.0, floor)
    hours = float(min(by, HOURS - by))
    return Test("clock", hours, p_value, hours, 0.0, float(rows[today]), float(rows[places].sum()))


def _angle(share: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.arcsin(np.sqrt(share)))


def is_magnitude(history: History, places: np.ndarray) -> bool:
    """Whether a column's numbers are of many sizes: hours, months and stars have a shape, which says more."""
    return bool(np.count_nonzero(history.counts[places].any(axis=0)) >= FEWEST_VALUES)
