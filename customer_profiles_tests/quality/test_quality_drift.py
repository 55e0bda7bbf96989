"""PSI is zero without drift, large with it, and silent where chance explains it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from customer_profiles.quality.drift import (
    category_bins,
    chance_psi,
    counts,
    drift_findings,
    number_bins,
    psi,
    quantile_edges,
)
from customer_profiles.settings import DriftSettings

SETTINGS = DriftSettings()


def spend(rows: int, mean: float = 0.0, seed: int = 1) -> pl.DataFrame:
    return pl.DataFrame({"spend": np.random.default_rng(seed).normal(mean, 1, rows)})


def verdict(reference: pl.DataFrame, current: pl.DataFrame) -> str:
    (row,) = drift_findings(reference, current, reference.columns, SETTINGS).details
    return row["verdict"]


def test_equal_counts_have_no_psi_and_the_formula_is_the_published_one():
    assert psi(np.array([10, 20, 0]), np.array([10, 20, 0])) == 0
    big = 10**9
    expected = (0.6 - 0.5) * np.log(0.6 / 0.5) + (0.4 - 0.5) * np.log(0.4 / 0.5)
    assert psi(np.array([big, big]), np.array([12 * big, 8 * big])) == pytest.approx(expected, rel=1e-6)


def test_psi_is_symmetric_and_finite_with_empty_bins():
    a, b = np.array([100, 0, 50]), np.array([0, 80, 20])
    assert psi(a, b) == pytest.approx(psi(b, a))
    assert 1 < psi(a, b) < np.inf


def test_bins_hold_equal_shares_of_the_reference_and_null_is_a_bin_of_its_own():
    values = np.append(np.arange(1, 101, dtype=float), [np.nan, np.nan])
    assert counts(values, quantile_edges(values)).tolist() == [10] * 10 + [2]
    assert counts(np.array([-5.0, 10.0, 10.5, 999.0]), quantile_edges(values)).tolist() == (
        [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    )


@pytest.mark.parametrize("common", [0.0, 50.0, 1_000.0])
def test_a_value_that_most_rows_share_gets_a_bin_of_its_own(common):
    values = pl.Series("x", [common] * 950 + [float(number) for number in range(1, 51)])
    binned = number_bins(values, values)
    assert 950 <= binned.reference.max() <= 980
    assert binned.reference.sum() == 1_000
    assert len(binned.names) == len(binned.reference) >= 3


def test_chance_level_is_a_chi_square_and_holds_in_simulation():
    assert chance_psi(10, 1_000, 500, 0.95) == pytest.approx(16.919 * (1 / 1_000 + 1 / 500), rel=1e-4)
    random = np.random.default_rng(5)
    draws = [psi(*(random.multinomial(n, [0.1] * 10) for n in (1_000, 500))) for _ in range(2_000)]
    assert np.mean(np.array(draws) > chance_psi(10, 1_000, 500, 0.95)) == pytest.approx(0.05, abs=0.02)
    assert np.mean(draws) == pytest.approx(9 * (1 / 1_000 + 1 / 500), rel=0.05)


def test_a_planted_shift_is_an_error_a_small_one_a_warning_none_is_stable():
    reference = spend(5_000)
    assert verdict(reference, spend(5_000, 0.0, seed=2)) == "stable"
    assert verdict(reference, spend(5_000, 0.38, seed=2)) == "warn"
    assert verdict(reference, spend(5_000, 1.0, seed=2)) == "error"


def test_small_samples_do_not_cry_wolf():
    alarms = [verdict(spend(150), spend(120, seed=seed)) for seed in range(2, 102)]
    assert sum(alarm in ("warn", "error") for alarm in alarms) <= 3
    assert "chance" in alarms
    assert verdict(spend(150), spend(120, 2.0, seed=2)) == "error"


def test_too_few_rows_to_tell_is_said():
    finding = drift_findings(spend(5_000), spend(20, 5.0), ["spend"], SETTINGS)
    assert finding.passed
    assert finding.details[0]["verdict"] == "too few rows"
    assert "too few rows" in finding.says


def test_missing_values_that_were_not_there_before_are_drift():
    current = spend(2_000, seed=2).with_columns(
        pl.when(pl.int_range(pl.len()) % 3 > 0).then("spend").alias("spend")
    )
    finding = drift_findings(spend(2_000), current, ["spend"], SETTINGS)
    assert finding.severity == "error"
    assert not finding.passed
    assert finding.details[0]["moved_most"] == "(null): 0.0% to 33.4%"


def test_rare_categories_are_pooled_and_new_ones_are_named():
    reference = pl.Series(
        "city", ["Shanghai"] * 500 + ["Beijing"] * 495 + ["Dali", "Lhasa", None, None, None]
    )
    current = pl.Series("city", ["Shanghai"] * 400 + ["Dali"] * 5 + ["Harbin"] * 595)
    binned = category_bins(reference, current)

    assert binned.names == ["Beijing", "Shanghai", "(rare)", "(unseen)", "(null)"]
    assert binned.reference.tolist() == [495, 500, 2, 0, 3]
    assert binned.current.tolist() == [0, 400, 5, 595, 0]
    finding = drift_findings(reference.to_frame(), current.to_frame(), ["city"], SETTINGS)
    assert finding.details[0]["unseen"] == "Harbin"
    assert finding.details[0]["verdict"] == "error"


def test_worst_columns_are_named_first_and_booleans_and_integers_count_too():
    random = np.random.default_rng(1)
    was, now = (
        pl.DataFrame(
            {
                "steady": random.integers(0, 1_000, 3_000),
                "flag": random.random(3_000) < share,
                "score": random.integers(1, highest + 1, 3_000),
                "never": pl.Series([None] * 3_000, dtype=pl.Float64),
            }
        )
        for share, highest in ((0.2, 5), (0.9, 4))
    )
    finding = drift_findings(was, now, was.columns, SETTINGS)

    assert [row["column"] for row in finding.details] == ["flag", "score", "steady", "never"]
    assert [row["verdict"] for row in finding.details] == ["error", "error", "stable", "stable"]
    assert finding.value == finding.details[0]["psi"]
    assert finding.says.startswith("2 of 4 columns have drifted (3,000 rows against 3,000): flag ")


def test_absent_columns_are_named():
    with pytest.raises(ValueError, match="absent: visits"):
        drift_findings(spend(10), spend(10), ["spend", "visits"], SETTINGS)
