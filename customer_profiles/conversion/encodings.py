"""A column of numbers as a network reads it best: as normal scores, and as ramps between bends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEWEST = 12
"""With fewer bends a column's ramps tell little beyond its normal score, and cost as much."""


def normal_scores(known: np.ndarray, knots: int) -> tuple[np.ndarray, np.ndarray]:
    """At most ``knots`` ascending values of a column (rows,), and the standardised normal score of each.

    The rank-based inverse normal transform (van der Waerden 1952): the score of a value is the normal
    quantile of its mean rank, then standardised; between knots it is linear, and beyond them constant.
    """
    from scipy.special import ndtri

    values, counts = np.unique(known, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    if len(values) > knots:
        chosen = np.unique(np.searchsorted(middle, np.linspace(middle[0], middle[-1], knots)))
        values, middle = values[chosen], middle[chosen]
        counts = np.diff(np.concatenate([[0.0], (middle[:-1] + middle[1:]) / 2, [1.0]]))
    scores = ndtri(middle)
    mean = np.average(scores, weights=counts)
    deviation = np.sqrt(np.average((scores - mean) ** 2, weights=counts))
    return values, (scores - mean) / deviation


def bends(known: np.ndarray, most: int) -> np.ndarray:
    """At most about ``most`` ascending values at which a function of the column (rows,) may bend.

    Every distinct value, if they are few enough; else half of them at equal shares of the rows and half
    at equal shares of the distinct values, so that a stretch with few rows but many values is seen too.
    A column of two values gives none, nor does one of many with a ``most`` below ``FEWEST``: its normal
    score says all.
    """
    values = np.unique(known)
    if len(values) <= 2:
        return np.empty(0)
    if len(values) <= most:
        return values
    if most < FEWEST:
        return np.empty(0)
    shares = np.linspace(0, 1, most // 2 + 1)
    return np.unique(np.concatenate([np.quantile(known, shares), np.quantile(values, shares)]))


def dealt(wanted: Sequence[int], room: int) -> list[int]:
    """How much of ``room`` each gets: what it wants if that is little, else an even share of what is left.

    Nobody gets anything where even shares would be below ``FEWEST``.
    """
    if room < FEWEST * len(wanted):
        return [0] * len(wanted)
    given, left = [0] * len(wanted), room
    waiting = sorted(range(len(wanted)), key=lambda place: wanted[place])
    for others, place in zip(range(len(wanted), 0, -1), waiting, strict=True):
        given[place] = min(wanted[place], left // others)
        left -= given[place]
    return given


def ramps(column: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The (rows, bends - 1) piecewise-linear encoding (Gorishniy et al. 2022): one column a stretch.

    0 before a stretch, 1 after it, linear inside. A function that is linear between the bends is a
    weighted sum of these columns.
    """
    stretches = np.arange(len(at), dtype=np.float64)
    place = (
        np.interp(column, at, stretches).astype(np.float32) if len(at) else np.zeros(len(column), np.float32)
    )
    behind = place[:, None] - stretches[:-1].astype(np.float32)
    return np.asarray(np.clip(behind, 0, 1, out=behind))
