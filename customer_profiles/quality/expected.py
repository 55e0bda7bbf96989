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
"""A weekday is held to its median as by so much of a day: it has that where all its days are outliers."""


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


def expected_if_growing(values: np.ndarray, days: np.ndarray, today: int) -> Expected:
    """Expect of ``today`` what its weekday and the growth of the earlier ``days`` suggest.

    ``values`` are logarithms: a level for each weekday and a line over the days, fitted with Tukey's bisquare
    weights (Beaton and Tukey 1974) from the weekdays' medians on, so that a holiday among the days moves
    nothing. The line is held near level as by ``USUAL_GROWTH``: days that scatter tell little growth. The
    spread is that of a single day about such a prediction. Weekdays seen too rarely have medians alone.
    """
    weekdays = days % WEEK
    told = np.flatnonzero(np.bincount(weekdays, minlength=WEEK) >= FEWEST_WEEKDAYS)
    if today % WEEK not in told:
        return Expected(*median_and_spread(values), len(values))
    known = np.isin(weekdays, told)
    values, ahead, weekdays = values[known], (days[known] - today) / FOUR_WEEKS, weekdays[known]
    centres = np.array([median(values[weekdays == weekday]) for weekday in told])
    off_centre = values - centres[np.searchsorted(told, weekdays)]
    line = ahead[:, None] if len(values) >= FEWEST_FOR_GROWTH else np.empty((len(values), 0))
    design = np.column_stack([weekdays[:, None] == told, line])
    wanted = np.append(told == today % WEEK, np.zeros(line.shape[1]))
    residuals = off_centre
    for _ in range(ROUNDS):
        scale = max(SIGMA_OF_MAD * median(np.abs(residuals)), 1e-6)
        weighted = design * bisquare(residuals / scale)[:, None]
        held = np.append(np.full(len(told), BARELY), np.full(line.shape[1], (scale / USUAL_GROWTH) ** 2))
        inverse = np.linalg.inv(weighted.T @ design + np.diag(held))
        fitted = inverse @ (weighted.T @ off_centre)
        residuals = off_centre - design @ fitted
    freedom = len(values) - len(wanted)
    spread = biweight_scale(residuals) * (len(values) / freedom * (1 + wanted @ inverse @ wanted)) ** 0.5
    return Expected(float(wanted @ fitted + centres[told == today % WEEK][0]), float(spread), freedom + 1)
