"""Distances are zero without drift and the published formulas with it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from customer_profiles.quality import statistics

BIG = 10**9
DISTANCES = {
    "psi": statistics.psi,
    "jensen_shannon": statistics.jensen_shannon,
    "kolmogorov_smirnov": statistics.kolmogorov_smirnov,
    "wasserstein": lambda was, now: statistics.wasserstein(was, now, np.arange(len(was), dtype=float)),
    "cramers_v": statistics.cramers_v,
}


@pytest.mark.parametrize("name", DISTANCES)
def test_equal_shares_are_no_distance_apart_whatever_the_sizes(name):
    assert DISTANCES[name]([10 * BIG, 20 * BIG, 5 * BIG], [10, 20, 5]) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("name", DISTANCES)
def test_empty_bins_leave_a_distance_finite(name):
    assert 0 < DISTANCES[name]([100, 0, 50], [0, 80, 20]) < np.inf


def test_the_formulas_are_the_published_ones():
    was, now = np.array([5, 5]) * BIG, np.array([6, 4]) * BIG
    assert statistics.psi(was, now) == pytest.approx(
        0.1 * np.log(0.6 / 0.5) - 0.1 * np.log(0.4 / 0.5), rel=1e-6
    )
    assert statistics.kolmogorov_smirnov(was, now) == pytest.approx(0.1)
    assert statistics.jensen_shannon([7, 0], [0, 3]) == pytest.approx(1.0)


def test_fine_bins_give_what_scipy_tells_of_the_single_values():
    random = np.random.default_rng(3)
    was, now = random.integers(1, 60, 900), random.integers(1, 80, 700)
    values = np.arange(1, 80, dtype=float)
    a, b = (np.bincount(side, minlength=80)[1:] for side in (was, now))
    assert statistics.kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(was, now).statistic)
    scaled = stats.wasserstein_distance(was, now) / np.std(was)
    assert statistics.wasserstein(a, b, values) == pytest.approx(scaled)
    expected = stats.chi2_contingency(np.array([a, b])[:, (a + b) > 0], correction=False)
    statistic, freedom = statistics.chi_square(a, b)
    assert (statistic[0], freedom[0]) == pytest.approx((expected.statistic, expected.dof))
    assert statistics.cramers_v(a, b) == pytest.approx(
        stats.contingency.association(np.array([a, b])[:, (a + b) > 0], method="cramer")
    )


def test_q_values_are_those_of_benjamini_and_hochberg():
    p_values = np.array([0.01, 0.6, 0.02, 0.03, 0.5])
    assert statistics.benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values))
    assert statistics.benjamini_hochberg(np.array([])).size == 0


def test_quantile_bins_hold_equal_shares_and_leave_a_common_value_whole():
    even = np.bincount(statistics.quantile_bins(np.ones(100), 10))
    assert even.tolist() == [10] * 10
    common = statistics.quantile_bins(np.array([1, 1, 900, 1, 1, 96]), 10)
    assert (common == common[2]).sum() <= 3
    assert common.tolist() == sorted(common.tolist())


def test_one_odd_day_does_not_widen_the_spread():
    calm = np.array([10.0, 11, 9, 10, 12, 8, 10])
    with_a_peak = np.append(calm, 500.0)
    assert statistics.robust_z(with_a_peak, 30, 0.1) > 5
    assert statistics.robust_z(calm, 10, 0.1) == 0
    assert statistics.robust_z(np.full(9, 5.0), 6, 0.5) == pytest.approx(2)
