"""Drift: how far a day lies from the days before it and from those that the model learned from.

A day is arithmetic on stored counts (``quality/counts.py``). An alarm needs both:

- an effect worth a look: a statistic above its threshold;
- evidence that chance does not explain it. A test's p-value is the larger of what sampling alone gives at
  these sizes and what the column's own days give: a column whose days always differ must differ more.
  Over all tests of a day the false discovery rate is held (Benjamini and Hochberg 1995).

Against the trailing days a shape must lie far from all of them *and* from those of the same weekday: a
Saturday differs from the week, and a broken Saturday differs from the Saturdays too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from customer_profiles.quality import statistics
from customer_profiles.quality.coarse import Binned, binned
from customer_profiles.quality.counts import SHARES
from customer_profiles.quality.creeping import slow_fall_test, slow_level_test
from customer_profiles.quality.history import WEEK, History, trailing
from customer_profiles.quality.references import (
    EARLIER,
    FROZEN,
    NEWEST,
    NONE,
    TRAILING,
    YOUNG_DAYS,
    World,
    frozen_days,
    grows,
    has_outgrown,
    newest_days,
    only_aged,
    recent_days,
)
from customer_profiles.quality.thresholds import thresholds
from customer_profiles.quality.volumes import Test, clock_test, level_test, mean_test, share_test, volume_test
from customer_profiles.settings import DriftSettings

Verdict = Literal["error", "warn", "chance", "stable", "too few rows", "too few days"]
FEWEST_DAYS = 7
LATENESS = "(days late)"
FEWEST_TESTS, SERIOUS = 100, 0.1
"""One watched table warns as rarely as many do. An error needs so much less chance than a warning."""
URGENCY: dict[str, int] = {"error": 3, "warn": 2, "chance": 1}


@dataclass(frozen=True)
class Drift:
    """How far one column of one table lies from one reference on a day.

    ``statistic`` is the one furthest above its threshold, with its ``value``, thresholds, p-value and
    q-value. The distances are those of the shape, where there is one. ``moved`` says in words what moved
    most, ``unseen`` names categories that the reference does not hold.
    """

    table_name: str
    column_name: str
    family: str
    reference: str
    verdict: Verdict
    statistic: str = ""
    value: float | None = None
    warn: float | None = None
    error: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    rows: int = 0
    reference_rows: int = 0
    psi: float | None = None
    jensen_shannon: float | None = None
    kolmogorov_smirnov: float | None = None
    wasserstein: float | None = None
    cramers_v: float | None = None
    moved: str = ""
    unseen: str = ""


Measured = tuple[Drift, list[Test]]


def drift_of_day(columns: Iterable[History], day: int, world: World, settings: DriftSettings) -> list[Drift]:
    """Measure every column that was counted on the day number ``day``, against each reference."""
    columns, measured = list(columns), list[Measured]()
    serious = world.frozen_is_error and not has_outgrown(columns, day, world)
    for history in columns:
        place = int(np.searchsorted(history.days, day))
        if place < len(history.days) and history.days[place] == day:
            measured += _measured(history, place, world, settings)
    p_values = np.array([test.p_value for _, tests in measured for test in tests])
    q_values = iter(statistics.benjamini_hochberg(p_values, FEWEST_TESTS))
    return [
        _judged(drift, [(test, float(next(q_values))) for test in tests], settings, serious=serious)
        for drift, tests in measured
    ]


def _measured(history: History, today: int, world: World, settings: DriftSettings) -> list[Measured]:
    """The comparisons of one column, each with its tests."""
    if history.kind == "rows":
        return _measured_volume(history, today, world, settings)
    if history.rows[today] == 0:
        return []
    frozen = frozen_days(history, world)
    if history.version and today in frozen:
        return []  # what the model says of a day that it learned from was counted to compare with
    before = trailing(history, today, settings.trailing_days)
    if history.version:
        before = np.setdiff1d(before, frozen)  # outputs counted on days of training are no days of service
    elif history.kind == "missing":
        before = before[history.counts[before, 1] > 0]  # where all is NULL, nothing was to be observed
    if grows(history, today, before, frozen, world):
        young = history.days[today] - world.first_day < YOUNG_DAYS
        newest = NONE if young else newest_days(history, today, before)
        drift, tests = _against_days(history, today, newest, NEWEST, 1, settings)
        aged = (history.table, history.column) in world.ageing and only_aged(history, today, newest)
        return [(drift, [] if aged else tests)]
    recent = recent_days(history, today, before, world, settings)
    measured = [_against_days(history, today, recent, TRAILING, FEWEST_DAYS, settings)]
    learned_from = frozen.size and today <= frozen[-1]
    if frozen.size and history.kind not in SHARES and not learned_from:
        measured.append(_against_model(history, today, frozen, before, settings))
    numbers = history.kind == "number"
    slow = slow_level_test(history, today, settings, panel=world.panel) if numbers else None
    return [*measured, *([_crept(history, slow)] if slow else [])]


def _measured_volume(history: History, today: int, world: World, settings: DriftSettings) -> list[Measured]:
    """A table's rows, against the same weekdays of eight weeks and against the weeks before the last two."""
    drift = _blank(history, today, TRAILING, 0)
    before = trailing(history, today, settings.trailing_days)
    if len(recent_days(history, today, before, world, settings)) < FEWEST_DAYS:
        return [(replace(drift, verdict="too few days"), [])]
    eight_weeks = np.arange(max(today - 2 * settings.trailing_days, 0), today)
    sudden = volume_test(history, today, recent_days(history, today, eight_weeks, world, settings))
    slow = slow_fall_test(history, today, settings)
    if sudden is None:
        return [(replace(drift, moved="a table that comes and goes"), [])]
    moved = f"{sudden.now:,.0f} rows, {sudden.usual:,.0f} are usual"
    told = replace(drift, reference_rows=round(sudden.reference_rows), moved=moved)
    return [(told, [sudden]), *([_crept(history, slow)] if slow else [])]


def _against_days(
    history: History,
    today: int,
    places: np.ndarray,
    reference: str,
    fewest_days: int,
    settings: DriftSettings,
) -> Measured:
    rows = int(history.rows[places].sum())
    drift = _blank(history, today, reference, rows)
    if len(places) < fewest_days:
        return replace(drift, verdict="too few days"), []
    if min(drift.rows, rows) < settings.fewest_rows:
        return replace(drift, verdict="too few rows"), []
    if history.kind in SHARES:
        test = share_test(history, today, places, settings)
        return replace(drift, moved=f"{history.bins[0]}: {test.usual:.1%} to {test.now:.1%}"), [test]
    bins = binned(history, today, places)
    tests = _shape_tests(history, today, places, bins, settings)
    if history.kind == "number":
        of_numbers = [test(history, today, places, settings) for test in (level_test, mean_test, clock_test)]
        tests += [test for test in of_numbers if test]
    return _with_distances(drift, history, today, places, bins), tests


def _against_model(
    history: History, today: int, frozen: np.ndarray, before: np.ndarray, settings: DriftSettings
) -> Measured:
    """Against the frozen days taken together. Their own spread says nothing: that of the days before does."""
    rows = int(history.rows[frozen].sum())
    drift = _blank(history, today, FROZEN, rows)
    if min(drift.rows, rows) < settings.fewest_rows:
        return replace(drift, verdict="too few rows"), []
    bins = binned(history, today, frozen)
    statistic, freedom = statistics.chi_square(bins.today, bins.reference)
    dispersion = _dispersion(binned(history, today, before).days) if len(before) >= FEWEST_DAYS else 1.0
    test = Test(
        "psi",
        statistics.psi(bins.reference, bins.today),
        _chi_square_tail(statistic[0] / dispersion, freedom[0]),
        *(0.0, 0.0, drift.rows, rows),
    )
    return _with_distances(drift, history, today, frozen, bins), [test]


def _crept(history: History, slow: Test) -> Measured:
    moved = f"{_number(slow.usual)} to {_number(slow.now)} over two weeks"
    drift = Drift(
        history.table,
        history.column,
        _family(history),
        EARLIER,
        "stable",
        rows=round(slow.rows),
        reference_rows=round(slow.reference_rows),
        moved=moved,
    )
    return drift, [slow]


def _shape_tests(
    history: History, today: int, places: np.ndarray, bins: Binned, settings: DriftSettings
) -> list[Test]:
    """The shape against all reference days and against those alike; the milder of the two counts."""
    weekdays = history.days[places] % WEEK
    alike = weekdays == history.days[today] % WEEK
    references = [bins.reference]
    p_value = _p_value(bins.days, bins.reference - bins.days, bins.today, bins.reference)
    same = bins.days[alike].sum(axis=0)
    if alike.sum() > 1 and same.sum() >= settings.fewest_rows:
        of_weekday = np.array([bins.days[weekdays == weekday].sum(axis=0) for weekday in range(WEEK)])
        p_value = max(p_value, _p_value(bins.days, of_weekday[weekdays] - bins.days, bins.today, same))
        references.append(same)
    effects = {"psi": min(statistics.psi(reference, bins.today) for reference in references)}
    if history.kind == "category":
        effects["share"] = min(
            statistics.largest_change(reference, bins.today)[0] for reference in references
        )
    rows, reference_rows = float(bins.today.sum()), float(bins.reference.sum())
    return [Test(name, value, p_value, 0.0, 0.0, rows, reference_rows) for name, value in effects.items()]


def _p_value(days: np.ndarray, others: np.ndarray, today: np.ndarray, reference: np.ndarray) -> float:
    """The chance that today comes from the same shape: the larger of what two nulls say.

    Sampling alone (chi-square of homogeneity), and the days themselves: each day against the ``others``
    of its kind has such a statistic, and today's must stand out among theirs (robust z of its cube root).
    """
    from scipy.special import stdtr

    statistic, freedom = statistics.chi_square(today, reference)
    comparable = others.sum(axis=1) > 0
    usual = statistics.cube_root(*statistics.chi_square(days[comparable], others[comparable]))
    sampling = _chi_square_tail(statistic[0], freedom[0])
    if len(usual) < FEWEST_DAYS - 1:
        return sampling
    now = float(statistics.cube_root(statistic, freedom)[0])
    z = statistics.robust_z(usual, now, float(np.sqrt(2 / (9 * freedom[0]))))
    return max(sampling, float(stdtr(len(usual) - 1, -z)))


def _dispersion(days: np.ndarray) -> float:
    """How many times more than sampling alone the days differ; at least 1.

    The median over the days of X2 / df, over its median under sampling alone: the dispersion of
    quasi-likelihood (McCullagh and Nelder, Generalized Linear Models, 1989, 4.5).
    """
    statistic, freedom = statistics.chi_square(days, days.sum(axis=0) - days)
    under_sampling = (1 - 2 / (9 * freedom)) ** 3  # Wilson and Hilferty 1931
    return max(statistics.median(statistic / freedom / under_sampling), 1.0)


def _chi_square_tail(statistic: float, freedom: float) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(freedom, statistic))


def _judged(
    drift: Drift, tests: list[tuple[Test, float]], settings: DriftSettings, *, serious: bool
) -> Drift:
    """The verdict of the worst of a comparison's tests.

    ``serious``: a difference from the model's days can be an error.
    """
    found: list[dict[str, Any]] = []
    for test, q_value in tests:
        warn, error = thresholds(settings, drift.table_name, drift.column_name, test.statistic)
        if drift.reference == FROZEN and not serious:
            error = float("inf")
        verdict: Verdict = "stable"
        if test.value >= warn:
            verdict = "chance" if q_value > settings.false_discoveries else "warn"
        if verdict == "warn" and test.value >= error and q_value <= SERIOUS * settings.false_discoveries:
            verdict = "error"
        told = {"verdict": verdict, "statistic": test.statistic, "value": test.value, "warn": warn}
        chances = {"error": error, "p_value": test.p_value, "q_value": q_value}
        found.append({**told, **chances, "moved": _moved(drift, test)})
    if not found:
        return drift
    return replace(drift, **max(found, key=lambda f: (URGENCY.get(f["verdict"], 0), f["value"] / f["warn"])))


def _moved(drift: Drift, test: Test) -> str:
    """What moved, in words: of a level or a mean what it was and is."""
    name = {"level": "geometric mean", "mean": "mean"}.get(test.statistic)
    return f"{name} {_number(test.usual)} to {_number(test.now)}" if name else drift.moved


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _blank(history: History, today: int, reference: str, reference_rows: int) -> Drift:
    rows = int(history.rows[today])
    names = history.table, history.column, _family(history)
    return Drift(*names, reference, "stable", rows=rows, reference_rows=reference_rows)


def _with_distances(drift: Drift, history: History, today: int, places: np.ndarray, bins: Binned) -> Drift:
    """The drift with every distance of its shape."""
    was, now = bins.reference, bins.today
    change, place = statistics.largest_change(was, now)
    shares = was / max(was.sum(), 1), now / max(now.sum(), 1)
    numbers = history.kind == "number"
    fine = history.counts[places].sum(axis=0), history.counts[today]
    return replace(
        drift,
        psi=statistics.psi(was, now),
        jensen_shannon=statistics.jensen_shannon(was, now),
        kolmogorov_smirnov=statistics.kolmogorov_smirnov(*fine) if numbers else None,
        wasserstein=statistics.wasserstein(*fine, history.bins) if numbers else None,
        cramers_v=statistics.cramers_v(was, now),
        moved=f"{bins.names[place]}: {shares[0][place]:.1%} to {shares[1][place]:.1%}" if change else "",
        unseen=", ".join(bins.unseen),
    )


def _family(history: History) -> str:
    if history.column == LATENESS:
        return "lateness"
    return {"rows": "volume"}.get(history.kind, history.kind)
