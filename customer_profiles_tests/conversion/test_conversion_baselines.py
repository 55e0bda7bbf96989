"""The baselines: the same shape, storable, and the copied trees true to their original."""

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from customer_profiles.conversion.artefacts import STORABLE
from customer_profiles.conversion.baselines import (
    BASELINES,
    BaseRate,
    BoostedTrees,
    RfmRule,
    SeedRecipe,
    rfm_applies,
)
from customer_profiles.conversion.leaks import roc_auc
from customer_profiles.conversion.promotion import SUBSTITUTES
from customer_profiles.conversion.sections import RIVALS
from customer_profiles.conversion.trees import Trees

NUMERIC = ["days_since_last_order", "orders_365", "spend_minor_365"]
CATEGORIES = ["city"]


def planted(rows=1_500, seed=0):
    draw = np.random.default_rng(seed)
    orders = draw.poisson(3, rows)
    frame = pl.DataFrame(
        {
            "days_since_last_order": pl.Series(draw.integers(0, 300, rows)).set(pl.Series(orders == 0), None),
            "orders_365": orders,
            "spend_minor_365": orders * draw.integers(500, 5_000, rows),
            "city": draw.choice(["北京", "上海", "深圳", None], rows),
        }
    )
    recent = frame["days_since_last_order"].fill_null(400).to_numpy()
    logit = 0.5 * orders - recent / 60 - 1 + (frame["city"] == "上海").fill_null(False).to_numpy()
    return frame, (draw.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)


@pytest.mark.parametrize("name", BASELINES)
def test_each_gives_probabilities_and_all_but_the_base_rate_rank(name):
    frame, label = planted()
    model = BASELINES[name](NUMERIC, CATEGORIES, 1).fit(frame, label)
    other, bought = planted(seed=5)
    probability = model.predict(other)
    assert probability.shape == (other.height,)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert name == BaseRate.kind or roc_auc(bought, probability) > 0.65


@pytest.mark.parametrize("name", [name for name in BASELINES if name in STORABLE])
def test_reloaded_each_predicts_the_same(name, tmp_path):
    frame, label = planted()
    model = BASELINES[name](NUMERIC, CATEGORIES, 1).fit(frame, label)
    model.save(tmp_path)
    other, _ = planted(seed=5)
    assert np.abs(STORABLE[name].load(tmp_path).predict(other) - model.predict(other)).max() <= 1e-12


def test_every_baseline_can_serve_but_those_of_which_it_is_said_why_not():
    assert set(BASELINES) - set(SUBSTITUTES) == {BaseRate.kind, SeedRecipe.kind}
    assert set(SUBSTITUTES) <= set(STORABLE)
    assert set(BASELINES) <= set(RIVALS)


def test_the_copied_trees_are_scikit_learns_own_with_missing_values():
    draw = np.random.default_rng(1)
    matrix = np.column_stack(
        [draw.integers(0, 40, 3_000), draw.integers(0, 3, 3_000), draw.normal(size=3_000)]
    )
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    label = np.nan_to_num(matrix[:, 0] % 3) + np.nan_to_num(matrix[:, 2]) + draw.normal(size=3_000) > 1.5
    with threadpool_limits(1):
        original = HistGradientBoostingClassifier(max_iter=20).fit(matrix, label)
        expected = original.decision_function(matrix)
    assert np.abs(Trees.of(original).logit(matrix) - expected).max() < 1e-9


def test_recent_frequent_and_generous_customers_score_highest_by_the_rfm_rule():
    frame, label = planted()
    rule = RfmRule().fit(frame, label)
    two = pl.DataFrame(
        {"days_since_last_order": [1, 299], "orders_365": [9, 1], "spend_minor_365": [30_000, 500]}
    )
    best, worst = rule.predict(two)
    assert best > 2 * worst


def test_the_rfm_rule_takes_the_first_column_that_is_known():
    frame, label = planted()
    frame = frame.rename({"orders_365": "orders_90"}).with_columns(orders_365=pl.lit(None, pl.Int64))
    assert RfmRule().fit(frame, label).columns_[1] == "orders_90"
    assert not rfm_applies(frame.drop("orders_90"))


def test_a_category_for_every_row_is_no_trouble():
    frame, label = planted()
    crowded = frame.with_columns(city=pl.int_range(pl.len()).cast(pl.String))
    probability = BoostedTrees(NUMERIC, CATEGORIES).fit(crowded, label).predict(frame)
    assert np.isfinite(probability).all()


def test_the_seed_recipe_gives_the_base_rate_if_hardly_a_row_is_complete():
    frame, label = planted()
    frame = frame.with_columns(spend_minor_365=pl.when(pl.int_range(pl.len()) < 50).then("spend_minor_365"))
    recipe = SeedRecipe(NUMERIC).fit(frame, label)
    assert recipe.complete_rows_ <= 50
    assert recipe.predict(frame) == pytest.approx(label.mean())
