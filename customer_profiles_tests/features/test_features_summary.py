"""A day's profiles in numbers and pictures."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from customer_profiles.features import plots
from customer_profiles.features.summary import summarise


def _frame(rows=400):
    rng = np.random.default_rng(7)
    base = rng.normal(size=rows)
    return pl.DataFrame(
        {
            "as_of": [date(2026, 3, 31)] * rows,
            "customer_key": [str(n) for n in range(rows)],
            "orders_30": rng.poisson(3, rows),
            "spend_minor_30": pl.Series(base * 100 + 5e9).set(pl.Series(rng.random(rows) < 0.3), None),
            "recency": pl.Series(np.exp(base) + rng.normal(size=rows)).set(
                pl.Series(rng.random(rows) < 0.2), None
            ),
            "constant": [1] * rows,
            "unknown": pl.Series([None] * rows, dtype=pl.Float64),
            "is_test": [True, None, False, False] * (rows // 4),
            "gender": ["female", "male", None, "female"] * (rows // 4),
            "city": rng.choice(["x", "y", "z"], rows),
            "twin": ["F", "M", None, "F"] * (rows // 4),
        }
    )


@pytest.fixture(scope="module")
def summary():
    return summarise(_frame())


def _values(summary, statistic):
    chosen = summary.filter(pl.col("statistic") == statistic)
    return {(row["trait"], row["other_trait"]): row["value"] for row in chosen.to_dicts()}


def test_traits_are_described(summary):
    described = {
        row["statistic"]: row["value"]
        for row in summary.filter(pl.col("trait") == "orders_30", pl.col("other_trait").is_null()).to_dicts()
    }
    orders = _frame()["orders_30"]
    assert described["count"] == 400
    assert described["missing_share"] == 0
    assert described["mean"] == pytest.approx(orders.mean())
    assert described["median"] == orders.median()
    assert (described["min"], described["max"]) == (orders.min(), orders.max())
    assert _values(summary, "missing_share")["unknown", None] == 1
    assert _values(summary, "mean")["unknown", None] is None
    assert _values(summary, "top_share")["gender", None] == pytest.approx(2 / 3)
    assert _values(summary, "true_share")["is_test", None] == pytest.approx(1 / 3)


def test_correlations_are_over_customers_who_have_both(summary):
    both = _frame().drop_nulls(["spend_minor_30", "recency"])
    expected = stats.pearsonr(both["spend_minor_30"], both["recency"]).statistic
    assert _values(summary, "pearson")["spend_minor_30", "recency"] == pytest.approx(expected, abs=1e-6)
    ranked = stats.spearmanr(both["spend_minor_30"], both["recency"]).statistic
    assert _values(summary, "spearman")["spend_minor_30", "recency"] == pytest.approx(ranked, abs=0.02)


def test_what_does_not_vary_has_no_correlation(summary):
    assert _values(summary, "pearson")["orders_30", "constant"] is None
    assert _values(summary, "spearman")["orders_30", "unknown"] is None


def test_cramers_v_is_one_for_twins_and_none_by_chance(summary):
    values = _values(summary, "cramers_v")
    assert values["gender", "twin"] == pytest.approx(1)
    assert values["gender", "city"] < 0.1


def test_nobody_at_all_can_be_summarised():
    empty = summarise(_frame().clear())
    assert _values(empty, "count")["orders_30", None] == 0
    assert plots.correlation_heat_map(empty).startswith(b"\x89PNG")
    assert plots.missing_shares(empty).startswith(b"\x89PNG")


def test_pictures_are_png(summary):
    assert plots.correlation_heat_map(summary).startswith(b"\x89PNG")
    assert plots.missing_shares(summary).startswith(b"\x89PNG")
