"""Drift: how far the values of a day lie from those that a model was trained on.

The measure is the population stability index over bins of the reference. Its usual thresholds (0.10,
0.25) say nothing at small samples, where chance alone exceeds them: a column drifts only above both
the threshold and the level that chance explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.quality.finding import Finding
from customer_profiles.settings import DriftSettings

BINS = 10
RARE_SHARE = 0.01
FEWEST_ROWS = 100
CONFIDENCE = 0.99
MOST_NAMED = 5
NULL, RARE, UNSEEN = "(null)", "(rare)", "(unseen)"


@dataclass(frozen=True)
class Bins:
    """Reference and current rows counted over the same bins."""

    names: list[str]
    reference: np.ndarray
    current: np.ndarray
    unseen: list[str]


@dataclass(frozen=True)
class ColumnDrift:
    """One column's drift; ``verdict`` is stable, chance, warn, error or too few rows."""

    column: str
    verdict: str
    psi: float
    chance: float
    bins: int
    reference_null_share: float
    current_null_share: float
    moved_most: str
    unseen: str


def psi(reference: np.ndarray, current: np.ndarray) -> float:
    """Return the population stability index of two vectors of counts over the same bins.

    PSI = sum of (p - q) ln(p / q), with p and q the bins' shares now and in the reference: the
    symmetric Kullback-Leibler divergence (Kullback and Leibler 1951; as PSI in Siddiqi, Credit Risk
    Scorecards, 2006). Half a row is added to every bin, so that an empty one stays finite.
    """
    q, p = (
        (np.asarray(counts, dtype=np.float64) + 0.5) / (np.sum(counts) + 0.5 * len(counts))
        for counts in (reference, current)
    )
    return float(np.sum((p - q) * np.log(p / q)))


def chance_psi(bins: int, reference_rows: int, current_rows: int, confidence: float = CONFIDENCE) -> float:
    """Return the PSI that chance alone stays below with ``confidence``, where nothing drifts.

    Without drift PSI / (1/n + 1/m) is about chi-square with bins - 1 degrees of freedom, hence its
    expectation (bins - 1)(1/n + 1/m) (Yurdakul, Statistical Properties of Population Stability Index,
    Western Michigan University, 2018).
    """
    from scipy.stats import chi2

    if bins < 2:
        return 0.0
    return float(chi2.ppf(confidence, bins - 1)) * (1 / reference_rows + 1 / current_rows)


def quantile_edges(reference: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the inner edges that part the known ``reference`` values into at most ``bins`` equal shares.

    Values that many rows share fall into one bin, so there may be fewer.
    """
    known = np.sort(reference[~np.isnan(reference)])
    if not known.size:
        return np.empty(0)
    last_of_each = (np.arange(1, bins) * known.size - 1) // bins  # in integers: 0.3 * 100 is above 30
    inner = np.unique(known[last_of_each])
    edges = inner[inner < known[-1]]
    return np.asarray(edges if edges.size else known[known < known[-1]][-1:])


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count ``values`` over (-inf, e1], (e1, e2], ..., (ek, inf), and NaN, as NULL, in a last bin."""
    unknown = np.isnan(values)
    places = np.searchsorted(edges, values[~unknown], side="left")
    return np.append(np.bincount(places, minlength=len(edges) + 1), unknown.sum())


def category_bins(reference: pl.Series, current: pl.Series, rare_share: float = RARE_SHARE) -> Bins:
    """Count categories: rare ones of the reference together, new ones together and named, and NULL."""
    seen = dict(reference.drop_nulls().value_counts().iter_rows())
    frequent = sorted(name for name, rows in seen.items() if rows >= rare_share * len(reference))
    now = dict(current.drop_nulls().value_counts().iter_rows())
    unseen = sorted(name for name in now if name not in seen)

    def counted(rows: dict[Any, int], nulls: int) -> np.ndarray:
        rare = sum(count for name, count in rows.items() if name in seen and name not in frequent)
        new = sum(count for name, count in rows.items() if name not in seen)
        return np.array([*(rows.get(name, 0) for name in frequent), rare, new, nulls])

    return Bins(
        [*map(str, frequent), RARE, UNSEEN, NULL],
        counted(seen, reference.null_count()),
        counted(now, current.null_count()),
        [str(name) for name in unseen],
    )


def number_bins(reference: pl.Series, current: pl.Series) -> Bins:
    """Count numbers over quantile bins of the reference; few distinct ones as categories; NULL apart."""
    if reference.drop_nulls().n_unique() <= BINS:
        return category_bins(reference, current)
    was, now = (values.cast(pl.Float64).to_numpy() for values in (reference, current))
    edges = quantile_edges(was)
    sides = [f"{edge:g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(sides)]
    names = [f"up to {sides[0]}", *between, f"over {sides[-1]}", NULL]
    return Bins(names, counts(was, edges), counts(now, edges), [])


def column_drift(
    reference: pl.Series, current: pl.Series, settings: DriftSettings, confidence: float = CONFIDENCE
) -> ColumnDrift:
    """Measure how far ``current`` lies from ``reference``, two columns of one name and type."""
    binned = _binned(reference, current)
    index, chance, occupied = 0.0, 0.0, int(((binned.reference + binned.current) > 0).sum())
    enough = min(len(reference), len(current)) >= FEWEST_ROWS
    if enough:
        kept = (binned.reference + binned.current) > 0
        index = psi(binned.reference[kept], binned.current[kept])
        chance = chance_psi(occupied, len(reference), len(current), confidence)
    return ColumnDrift(
        column=reference.name,
        verdict=_verdict(index, chance, settings) if enough else "too few rows",
        psi=round(index, 4),
        chance=round(chance, 4),
        bins=occupied,
        reference_null_share=_null_share(reference),
        current_null_share=_null_share(current),
        moved_most=_moved_most(binned) if index > 0 else "",
        unseen=", ".join(binned.unseen[:MOST_NAMED]),
    )


def drift_findings(
    reference: pl.DataFrame, current: pl.DataFrame, columns: Sequence[str], settings: DriftSettings
) -> Finding:
    """Hold that no column of ``current`` has drifted from ``reference``; name the worst that have.

    Numbers, booleans and text. With many columns some exceed any level by chance, so the confidence
    of each is raised until that of all together is ``CONFIDENCE`` (Bonferroni). Raises ``ValueError``
    that names columns which one of the frames lacks.
    """
    absent = [name for name in columns if name not in reference.columns or name not in current.columns]
    if absent:
        raise ValueError(f"drift cannot be measured, columns are absent: {', '.join(absent)}")
    confidence = 1 - (1 - CONFIDENCE) / max(len(columns), 1)
    measured = [column_drift(reference[name], current[name], settings, confidence) for name in columns]
    measured.sort(key=lambda drift: (-drift.psi, drift.column))
    verdicts = {drift.verdict for drift in measured}
    return Finding(
        passed=not verdicts & {"warn", "error"},
        value=measured[0].psi if measured else 0.0,
        threshold={"warn": settings.warn, "error": settings.error},
        says=_in_a_sentence(measured, reference.height, current.height),
        severity="error" if "error" in verdicts else "warn",
        details=[asdict(drift) for drift in measured],
    )


def _binned(reference: pl.Series, current: pl.Series) -> Bins:
    if reference.dtype.is_numeric() and current.dtype.is_numeric():
        was, now = (values.cast(pl.Float64).fill_nan(None) for values in (reference, current))
        return number_bins(was, now)
    return category_bins(reference.cast(pl.String), current.cast(pl.String))


def _verdict(index: float, chance: float, settings: DriftSettings) -> str:
    if index < settings.warn:
        return "stable"
    if index <= chance:
        return "chance"
    return "error" if index >= settings.error else "warn"


def _null_share(values: pl.Series) -> float:
    return round(values.null_count() / max(len(values), 1), 4)


def _moved_most(binned: Bins) -> str:
    was = binned.reference / max(binned.reference.sum(), 1)
    now = binned.current / max(binned.current.sum(), 1)
    place = int(np.abs(now - was).argmax())
    return f"{binned.names[place]}: {was[place]:.1%} to {now[place]:.1%}"


def _in_a_sentence(measured: Sequence[ColumnDrift], reference_rows: int, current_rows: int) -> str:
    sizes = f"{current_rows:,} rows against {reference_rows:,}"
    if any(drift.verdict == "too few rows" for drift in measured):
        return f"too few rows to tell: {sizes}; at least {FEWEST_ROWS} are needed on both sides"
    drifted = [drift for drift in measured if drift.verdict in ("warn", "error")]
    if not drifted:
        return f"none of {len(measured)} columns has drifted ({sizes})"
    worst = "; ".join(
        f"{drift.column} {drift.psi:.2f} ({drift.moved_most})" for drift in drifted[:MOST_NAMED]
    )
    more = f" and {len(drifted) - MOST_NAMED} more" if len(drifted) > MOST_NAMED else ""
    return f"{len(drifted)} of {len(measured)} columns have drifted ({sizes}): {worst}{more}"
