"""What a day should be, by the days before it: a value, and how far such days lie from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_profiles.quality.history import WEEK
from customer_profiles.quality.statistics import (
    SIGMA_OF_MAD,
    bisquare,
    biweight_scale,
    median,
    median_and_spread,
)

FEWEST_WEEKDAYS = 3
OWN_WAY = 1.2
"""Spreads by which the median of a weekday must lie off that of all days to count: two standard errors."""
FEWEST_FOR_GROWTH, FOUR_WEEKS = 21, 28
USUAL_GROWTH = 0.1
"""Growth in four weeks, on the logarithm, of which about as much is expected beforehand."""
ROUNDS, BARELY = 5, 0.01
"""What is fitted is held near its start as by so much of a day: it stays there if all days are outliers."""


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

    The median of all; or that of the same weekdays, plus the median of what all days lie above theirs (a
    two-way fit by medians, after Tukey 1977), if the weekday shows a way of its own: the median of a few
    days is a rough one. It takes at least ``FEWEST_WEEKDAYS`` of the weekday.
    """
    middle, spread = median_and_spread(values)
    alike = values[days % WEEK == today % WEEK]
    if len(alike) < FEWEST_WEEKDAYS or abs(median(alike) - middle) <= OWN_WAY * spread:
        return Expected(middle, spread, len(values))
    by_weekday = [values[days % WEEK == weekday] for weekday in range(WEEK)]
    told = [weekday for weekday in range(WEEK) if len(by_weekday[weekday]) >= FEWEST_WEEKDAYS]
    centres = {weekday: median(by_weekday[weekday]) for weekday in told}
    residuals = np.concatenate([by_weekday[weekday] - centre for weekday, centre in centres.items()])
    level, spread = median_and_spread(residuals)
    spread *= (len(residuals) / (len(residuals) - len(told))) ** 0.5
    return Expected(centres[today % WEEK] + level, spread, len(residuals) - len(told) + 1)


@dataclass(frozen=True)
class Growing:
    """Logarithms fitted by a level for each weekday, a line over the days and, if asked for, a ramp.

    ``value`` is today's without the ramp, ``ramp`` the ramp's height today; ``value_variance`` and
    ``ramp_variance`` are theirs in squares of ``spread``, the standard deviation of a single day. ``days``
    and ``residuals`` are those of the days that were fitted, with the ramp left in ``beyond``.
    """

    value: float
    value_variance: float
    ramp: float
    ramp_variance: float
    days: np.ndarray
    residuals: np.ndarray
    beyond: np.ndarray
    spread: float
    freedom: int


def fit_growing(
    values: np.ndarray, days: np.ndarray, today: int, ramp: np.ndarray | None = None
) -> Growing | None:
    """Fit weekdays, growth and a ``ramp``, 0 to 1 on each of ``days``, to logarithms.

    With Tukey's bisquare weights (Beaton and Tukey 1974) from the weekdays' medians on, so that a holiday
    among the days moves nothing. The line is held near level as by ``USUAL_GROWTH``: days that scatter tell
    little growth. ``None`` where today's weekday was seen too rarely.
    """
    weekdays = days % WEEK
    told = np.flatnonzero(np.bincount(weekdays, minlength=WEEK) >= FEWEST_WEEKDAYS)
    if today % WEEK not in told:
        return None
    known = np.isin(weekdays, told)
    values, days, weekdays = values[known], days[known], weekdays[known]
    centres = np.array([median(values[weekdays == weekday]) for weekday in told])
    off_centre = values - centres[np.searchsorted(told, weekdays)]
    line = [(days - today) / FOUR_WEEKS] if len(values) >= FEWEST_FOR_GROWTH else []
    shapes = [*line, *([ramp[known]] if ramp is not None else [])]
    design = np.column_stack([weekdays[:, None] == told, *shapes])
    wanted = np.append(told == today % WEEK, np.zeros(len(shapes)))
    is_line = np.arange(len(wanted)) == (len(told) if line else -1)
    residuals = off_centre
    for _ in range(ROUNDS):
        scale = max(SIGMA_OF_MAD * median(np.abs(residuals)), 1e-6)
        held = BARELY + is_line * (scale / USUAL_GROWTH) ** 2
        weighted = design * bisquare(residuals / scale)[:, None]
        inverse = np.linalg.inv(weighted.T @ design + np.diag(held))
        fitted = inverse @ (weighted.T @ off_centre)
        residuals = off_centre - design @ fitted
    freedom = len(values) - len(wanted)
    return Growing(
        value=float(wanted @ fitted + centres[told == today % WEEK][0]),
        value_variance=float(wanted @ inverse @ wanted),
        ramp=float(fitted[-1]),
        ramp_variance=float(inverse[-1, -1]),
        days=days,
        residuals=residuals,
        beyond=residuals + design[:, -1] * fitted[-1],
        spread=biweight_scale(residuals) * (len(values) / freedom) ** 0.5,
        freedom=freedom,
    )


def expected_if_growing(values: np.ndarray, days: np.ndarray, today: int) -> Expected:
    """Expect of ``today`` what its weekday and the growth of the earlier ``days`` suggest.

    ``values`` are logarithms. A weekday that was seen too rarely has the median of all days.
    """
    fit = fit_growing(values, days, today)
    if fit is None:
        return Expected(*median_and_spread(values), len(values))
    return Expected(fit.value, fit.spread * (1 + fit.value_variance) ** 0.5, fit.freedom + 1)
