"""How far two sets of counts over the same bins lie apart: pure functions of NumPy vectors.

Every distance takes the reference's counts first. Bins of numbers are in ascending order.
"""

from __future__ import annotations

from statistics import median as of_list

import numpy as np
from numpy.typing import ArrayLike

BISQUARE = 4.685
SIGMA_OF_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


def psi(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the population stability index.

    PSI = sum of (p - q) ln(p / q), with p and q the bins' shares now and in the reference: the
    symmetric Kullback-Leibler divergence (Kullback and Leibler 1951; as PSI in Siddiqi, Credit Risk
    Scorecards, 2006). Half a row is added to every bin, so that an empty one stays finite.
    """
    q, p = _shares(reference, 0.5), _shares(current, 0.5)
    return float(np.sum((p - q) * np.log(p / q)))


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the Jensen-Shannon distance, 0 (equal) to 1 (nothing in common).

    The square root of the mean Kullback-Leibler divergence, in bits, of both from their middle (Lin
    1991; a metric by Endres and Schindelin 2003).
    """
    q, p = _shares(reference), _shares(current)
    middle = (p + q) / 2
    divergence = sum(np.sum(side[side > 0] * np.log2(side[side > 0] / middle[side > 0])) for side in (p, q))
    return float(np.sqrt(max(divergence / 2, 0.0)))


def kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the largest gap between the two cumulative shares (Kolmogorov 1933, Smirnov 1939).

    Exact at the bins' upper ends: the finer the bins, the closer to the statistic of the single values.
    """
    return float(np.abs(np.cumsum(_shares(current) - _shares(reference))).max(initial=0.0))


def earth_mover(reference: ArrayLike, current: ArrayLike, values: np.ndarray) -> float:
    """Return the earth mover's distance in units of the values.

    W1 = integral of |F - G| (Vallender 1973), here over the bins' ascending ``values``.
    """
    return float(np.sum(np.abs(np.cumsum(_shares(current) - _shares(reference)))[:-1] * np.diff(values)))


def wasserstein(reference: ArrayLike, current: ArrayLike, values: np.ndarray) -> float:
    """Return the earth mover's distance in standard deviations of the reference.

    0 if the reference has but one value and the current counts the same one; infinite if it then has
    another.
    """
    q = _shares(reference)
    moved = earth_mover(reference, current, values)
    mean = float(q @ values)
    deviation = float(np.sqrt(q @ (values - mean) ** 2))
    if deviation > 0:
        return moved / deviation
    return float("inf") if moved > 0 else 0.0


def chi_square(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two-sample chi-square statistic and its degrees of freedom, row by row.

    X2 = sum of (sqrt(m/n) a - sqrt(n/m) b)^2 / (a + b), with n and m the totals of a and b (Pearson
    1911; as in Press and others, Numerical Recipes, 14.3). Bins that are empty on both sides do not count.
    """
    a, b = (np.atleast_2d(side).astype(np.float64) for side in (first, second))
    n, m = (np.maximum(side.sum(axis=1, keepdims=True), 1) for side in (a, b))
    both = a + b
    terms = (np.sqrt(m / n) * a - np.sqrt(n / m) * b) ** 2 / np.maximum(both, 1)
    return terms.sum(axis=1), np.maximum((both > 0).sum(axis=1) - 1, 1)


def cramers_v(reference: ArrayLike, current: ArrayLike) -> float:
    """Return Cramér's V of "reference or now" against the bins: 0 (no relation) to 1 (Cramér 1946)."""
    was, now = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    statistic, _ = chi_square(now, was)
    rows = was.sum() + now.sum()
    return float(np.sqrt(statistic[0] / rows)) if rows else 0.0


def largest_change(reference: ArrayLike, current: ArrayLike) -> tuple[float, int]:
    """Return the largest change of a bin's share, 0 to 1, and the bin's place."""
    change = np.abs(_shares(current) - _shares(reference))
    place = int(change.argmax()) if change.size else 0
    return float(change.max(initial=0.0)), place


def quantile_bins(reference: np.ndarray, bins: int) -> np.ndarray:
    """Return for each fine bin the place of the coarse bin that it belongs to, ascending from 0.

    At most ``bins`` coarse bins of about equal shares of the reference; a fine bin that many rows
    share stays whole, so there may be fewer.
    """
    total = max(float(reference.sum()), 1.0)
    middle = (np.cumsum(reference) - reference / 2) / total
    place = np.minimum((middle * bins).astype(np.int64), bins - 1)
    return np.asarray(np.cumsum(np.diff(place, prepend=place[:1]) > 0))


def cube_root(statistic: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return (X2 / df)^(1/3), which is about normal with a standard deviation of sqrt(2 / (9 df)).

    Wilson and Hilferty 1931.
    """
    return np.asarray(np.cbrt(statistic / freedom))


def robust_z(history: np.ndarray, value: float, floor: float) -> float:
    """Return how many robust standard deviations ``value`` lies above the median of ``history``.

    The spread is the median absolute deviation (Hampel 1974), which a few odd days do not widen, and
    never below ``floor``, the spread that sampling alone gives.
    """
    middle = median(history)
    spread = SIGMA_OF_MAD * median(np.abs(history - middle))
    return (value - middle) / max(spread, floor, 1e-12)


def median_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Return the median and a robust standard deviation about it, which few days tell well."""
    middle = median(values)
    return middle, biweight_scale(values - middle) * (len(values) / max(len(values) - 1, 1)) ** 0.5


def bisquare(deviations: np.ndarray) -> np.ndarray:
    """Return Tukey's weights of deviations in standard deviations: 1 at none, 0 from ``BISQUARE`` on.

    (1 - (u / c)^2)^2 (Beaton and Tukey 1974); with c = 4.685 a mean is 95 % as good as the best for normals.
    """
    return np.asarray(np.maximum(1 - (deviations / BISQUARE) ** 2, 0) ** 2)


def biweight_scale(residuals: np.ndarray) -> float:
    """Return a robust standard deviation about 0 that is nearly as exact as the usual one.

    The root of the biweight midvariance with c = 9 (Mosteller and Tukey, Data Analysis and Regression, 1977).
    """
    near = median(np.abs(residuals))
    if near == 0:
        return 0.0
    u2 = np.minimum((residuals / (9 * near)) ** 2, 1)
    squares = np.sum(residuals**2 * (1 - u2) ** 4)
    return float(np.sqrt(len(residuals) * squares) / abs(np.sum((1 - u2) * (1 - 5 * u2))))


def median(values: np.ndarray) -> float:
    """Return the median of a few values; NumPy's takes ten times as long over thirty of them."""
    return float(of_list(values.tolist()))


def benjamini_hochberg(p_values: np.ndarray, fewest: int = 1) -> np.ndarray:
    """Return q-values: the false discovery rate at which each test would be told.

    Benjamini and Hochberg 1995. As if there were at least ``fewest`` tests.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not p.size:
        return p
    order = np.argsort(p)
    raised = p[order] * max(p.size, fewest) / np.arange(1, p.size + 1)
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(raised[::-1])[::-1].clip(max=1)
    return q


def _shares(counts: ArrayLike, added: float = 0.0) -> np.ndarray:
    rows = np.asarray(counts, dtype=np.float64) + added
    return rows / max(float(rows.sum()), 1e-300)
