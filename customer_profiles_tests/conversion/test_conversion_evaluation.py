"""Metrics equal to scikit-learn's, intervals that cover, verdicts that need evidence."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from customer_profiles.conversion.evaluation import evaluate, resamples, verdict
from customer_profiles.conversion.metrics import Economics, deciles, ranked


def world(rows=3_000, seed=0, noise=0.0):
    draw = np.random.default_rng(seed)
    logit = draw.normal(size=rows) - 2
    probability = 1 / (1 + np.exp(-logit))
    label = (draw.random(rows) < probability).astype(float)
    blurred = 1 / (1 + np.exp(-(logit + noise * draw.normal(size=rows))))
    return label, np.array([f"c{n}" for n in range(rows)]), probability, blurred


@pytest.mark.parametrize("digits", [2, 12], ids=["with ties", "without ties"])
def test_metrics_are_those_of_scikit_learn(digits):
    label, keys, probability, _ = world()
    probability = probability.round(digits)
    found = evaluate(label, keys, {"m": probability}, rounds=50)
    assert found.value("m", "roc_auc") == pytest.approx(roc_auc_score(label, probability))
    assert found.value("m", "average_precision") == pytest.approx(average_precision_score(label, probability))
    assert found.value("m", "log_loss") == pytest.approx(log_loss(label, probability))
    assert found.value("m", "brier") == pytest.approx(brier_score_loss(label, probability))


def test_a_resample_is_measured_as_if_its_rows_were_repeated():
    label, keys, probability, _ = world(300)
    weights = next(resamples(keys, 1, seed=4))[0].astype(int)
    again = np.repeat(np.arange(300), weights)
    one = evaluate(label, keys, {"m": probability}, rounds=1, seed=4)
    low, high = one.interval("m", "roc_auc")
    assert low == high == pytest.approx(roc_auc_score(label[again], probability[again]))
    assert one.interval("m", "average_precision")[0] == pytest.approx(
        average_precision_score(label[again], probability[again])
    )


def test_a_customers_rows_are_drawn_together():
    keys = np.repeat(["a", "b", "c", "d"], 3)
    for weights in resamples(keys, 20, seed=0):
        assert (weights.reshape(20, 4, 3).std(axis=2) == 0).all()
        assert (weights.sum(axis=1) == 12).all()


def test_lift_and_recall_count_the_highest():
    label = np.r_[np.ones(10), np.zeros(90)]
    keys = np.array([f"c{n}" for n in range(100)])
    found = evaluate(label, keys, {"m": np.linspace(0.9, 0.1, 100)}, rounds=50)
    assert found.value("m", "lift_10") == pytest.approx(10)
    assert found.value("m", "recall_5") == pytest.approx(0.5)
    assert found.deciles.filter(pl.col("model") == "m")["actual"].to_list() == [10, *[0] * 9]


def test_ties_are_broken_by_the_key_and_not_by_the_order_of_rows():
    keys = np.array([f"c{n}" for n in range(50)])
    order = ranked(np.full(50, 0.3), keys)
    shuffled = np.random.default_rng(0).permutation(50)
    assert keys[order].tolist() == keys[shuffled][ranked(np.full(50, 0.3), keys[shuffled])].tolist()
    assert np.bincount(deciles(order)).tolist() == [0, *[5] * 10]


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    label, keys, probability, _ = world(200_000, seed=99)
    truth = evaluate(label, keys, {"m": probability}, rounds=1)
    covered = {"roc_auc": 0, "log_loss": 0, "lift_10": 0, "calibration_slope": 0, "expected_over_actual": 0}
    for seed in range(60):
        label, keys, probability, _ = world(1_000, seed=seed)
        found = evaluate(label, keys, {"m": probability}, rounds=200, seed=seed)
        for metric in covered:
            low, high = found.interval("m", metric)
            covered[metric] += low <= truth.value("m", metric) <= high
    assert min(covered.values()) >= 50, covered


def test_a_difference_counts_only_beyond_its_paired_interval():
    label, keys, probability, blurred = world(noise=1.5)
    found = evaluate(label, keys, {"sharp": probability, "same": probability * 0.999, "blurred": blurred})
    assert found.verdicts("sharp", "blurred", ["roc_auc", "log_loss"]) == ["better", "better"]
    assert found.verdicts("blurred", "sharp", ["roc_auc", "log_loss"]) == ["worse", "worse"]
    assert found.verdicts("sharp", "same", ["roc_auc"]) == ["insufficient evidence"]
    assert verdict("log_loss", -0.2, -0.1) == "better"


def test_pairing_sees_differences_that_single_intervals_hide():
    label, keys, probability, blurred = world(noise=0.5)
    found = evaluate(label, keys, {"sharp": probability, "blurred": blurred})
    assert found.interval("sharp", "roc_auc")[0] < found.interval("blurred", "roc_auc")[1]
    assert found.verdicts("sharp", "blurred", ["roc_auc"]) == ["better"]


def test_a_calibrated_model_is_within_chance_and_an_exaggerating_one_is_not():
    label, keys, probability, _ = world()
    found = evaluate(label, keys, {"true": probability, "twice": np.minimum(2 * probability, 1)}, rounds=100)
    assert found.value("true", "ece") < found.value("true", "ece_by_chance")
    assert found.value("twice", "ece") > found.value("twice", "ece_by_chance")
    assert found.interval("true", "ece")[0] == 0 < found.interval("twice", "ece")[0]
    assert found.value("twice", "expected_over_actual") == pytest.approx(2, abs=0.3)
    assert found.value("true", "calibration_slope") == pytest.approx(1, abs=0.15)


def test_the_row_at_the_edge_of_a_small_list_counts_in_part():
    """Else two customers would be contacted of whom two and a half buy."""
    label, keys = np.r_[np.ones(10), np.zeros(240)], np.array([f"c{n}" for n in range(250)])
    probability = np.linspace(0.9, 0.1, 250)
    found = evaluate(label, keys, {"m": probability}, rounds=50, economics=Economics(1_000, 100))
    row = found.lists.filter(pl.col("share") == 0.01).row(0, named=True)
    assert row["buyers"] == pytest.approx(2.5)
    assert row["expected_buyers"] == pytest.approx(probability[:2].sum() + probability[2] / 2)
    assert row["profit_minor"] == pytest.approx(2.5 * (1_000 - 100))


def test_a_list_pays_what_its_buyers_bring_less_what_its_contacts_cost():
    label = np.r_[np.ones(10), np.zeros(90)]
    keys = np.array([f"c{n}" for n in range(100)])
    found = evaluate(
        label, keys, {"m": np.linspace(0.9, 0.1, 100)}, rounds=50, economics=Economics(1_000, 50)
    )
    row = found.lists.filter(pl.col("share") == 0.2).row(0, named=True)
    assert row["buyers"] == pytest.approx(10)
    assert row["profit_minor"] == pytest.approx(10 * 1_000 - 20 * 50)


def test_accuracy_stands_beside_the_majoritys():
    label, keys, probability, _ = world()
    found = evaluate(label, keys, {"m": probability}, rounds=50)
    assert found.value("m", "majority_accuracy") == pytest.approx(1 - label.mean())
    assert found.value("m", "accuracy") == pytest.approx(((probability >= 0.5) == label).mean())


def test_one_class_and_wild_predictions_are_refused():
    label, keys, probability, _ = world(100)
    with pytest.raises(ValueError, match="both classes"):
        evaluate(np.zeros(100), keys, {"m": probability})
    with pytest.raises(ValueError, match="not finite: wild"):
        evaluate(label, keys, {"wild": np.full(100, np.nan)})


def test_rows_that_do_not_fit_together_are_named():
    label, keys, probability, _ = world(50)
    for told, why in (
        ((label[:9], keys, {"m": probability}), "9 rows need as many values of customer_key"),
        ((label, keys, {"m": probability[:9]}), r"50 rows, but m has predictions of shape \(9,\)"),
        ((label, keys, {"m": 2 * probability + 0.5}), "not between 0 and 1: m"),
        ((label, keys, probability), "predictions are ndarray: give each a name"),
        ((pd.Series(label), keys, {"m": pd.Series(probability)[::-1]}), "m has the label's rows in another"),
        ((np.where(label, "yes", "no"), keys, {"m": probability}), "50 of 50 are not, such as 'no'"),
    ):
        with pytest.raises(ValueError, match=why):
            evaluate(*told)


def test_without_keys_every_row_is_a_customer_of_its_own():
    label, _, probability, _ = world(300)
    alone = evaluate(label == 1, None, {"m": probability.tolist()}, rounds=20)
    assert alone.metrics.equals(evaluate(label, np.arange(300), {"m": probability}, rounds=20).metrics)


@pytest.mark.parametrize(("margin", "cost"), [(0, 1), (-5, 1), (np.nan, 1), (10, -1), (np.inf, 1)])
def test_economics_that_cannot_be_are_refused(margin: float, cost: float) -> None:
    with pytest.raises(ValueError, match="margin_minor must lie above 0"):
        Economics(margin, cost)
