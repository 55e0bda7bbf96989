"""Promotion: who may serve."""

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import BaseRate, Logistic
from customer_profiles.conversion.evaluation import evaluate
from customer_profiles.conversion.findings import no_baseline_is_as_good
from customer_profiles.conversion.promotion import decide, not_finite_on_odd_rows, odd_rows

KEYS = np.array([f"c{n}" for n in range(4_000)])
DRAW = np.random.default_rng(0)
LOGIT = DRAW.normal(size=4_000) * 1.2 - 2
LABEL = (DRAW.random(4_000) < 1 / (1 + np.exp(-LOGIT))).astype(float)
NOISE = DRAW.normal(size=4_000)


def model(blur=0.0, shift=0.0):
    """The planted probability, blurred (and drawn to the mean, to stay calibrated) and moved."""
    kept = 1.44 / (1.44 + blur**2)
    logit = -2 + kept * (LOGIT + 2 + blur * NOISE) + shift
    return 1 / (1 + np.exp(-logit))


def decision(**models):
    predictions = {"base_rate": np.full(4_000, LABEL.mean()), **models}
    return decide(evaluate(LABEL, KEYS, predictions, rounds=200))


def test_the_first_sound_candidate_serves():
    assert (
        decision(conversion_network=model(0.3), logistic_regression=model(0.4)).serve == "conversion_network"
    )


def test_fresher_data_win_a_tie_with_the_champion():
    assert decision(conversion_network=model(0.3), champion=model(0.3)).serve == "conversion_network"


def test_a_candidate_that_is_worse_than_the_champion_beyond_noise_does_not_serve():
    found = decision(conversion_network=model(1.5), champion=model())
    assert found.serve is None
    assert "beaten by champion" in found.says


def test_a_baseline_that_beats_the_network_serves_in_its_place():
    found = decision(conversion_network=model(1.5), logistic_regression=model(0.2), champion=model(0.3))
    assert found.serve == "logistic_regression"
    assert "beaten by logistic_regression" in found.says


def test_a_baseline_that_beats_the_network_but_not_the_champion_does_not():
    found = decision(conversion_network=model(2.5), logistic_regression=model(1.5), champion=model())
    assert found.serve is None


def test_a_model_that_cannot_be_stored_is_not_served_even_if_it_wins():
    found = decision(conversion_network=model(1.5), seed_recipe=model(), champion=model(1.5))
    assert found.serve is None
    assert "beaten by seed_recipe" in found.says


def test_an_uncalibrated_candidate_does_not_serve():
    found = decision(conversion_network=model(shift=0.5), champion=model(0.8))
    assert found.serve is None
    assert "times the actual conversions" in found.says


def test_a_leak_stops_everything():
    predictions = {"conversion_network": model(), "logistic_regression": model(0.1)}
    found = decide(evaluate(LABEL, KEYS, predictions, rounds=100), leaks=["refund_day knows the label"])
    assert found.serve is None
    assert "refund_day" in found.says


def test_a_model_that_is_not_finite_on_odd_rows_does_not_serve():
    predictions = {"conversion_network": model(), "logistic_regression": model(0.1)}
    found = decide(evaluate(LABEL, KEYS, predictions, rounds=100), not_finite=["conversion_network"])
    assert found.serve == "logistic_regression"
    assert "not finite" in found.says


def test_odd_rows_hold_the_unknown_the_infinite_and_the_never_seen():
    frame = pl.DataFrame({"spend": [1, 2], "city": ["a", "b"], "note": ["x", "y"]})
    rows = odd_rows(frame, ["spend"], ["city"])
    assert rows.columns == frame.columns
    assert rows["spend"].is_infinite().any()
    assert rows["city"].null_count() == 1

    class Wild(BaseRate):
        def predict(self, frame):
            return frame["spend"].to_numpy()

    assert not_finite_on_odd_rows({"wild": Wild(), "tame": logistic()}, logistic_odd_rows()) == ["wild"]


def table(rows=400):
    draw = np.random.default_rng(1)
    frame = pl.DataFrame({"spend": draw.normal(size=rows), "city": draw.choice(["a", "b"], rows)})
    return frame, (draw.random(rows) < 1 / (1 + np.exp(-frame["spend"].to_numpy()))).astype(int)


def logistic():
    return Logistic(["spend"], ["city"]).fit(*table())


def logistic_odd_rows():
    return odd_rows(table()[0], ["spend"], ["city"])


def test_whom_the_network_beats_and_of_whom_it_could_be_chance_is_told_apart():
    predictions = {"conversion_network": model(0.3), "logistic_regression": model(0.3), "rfm_rule": model()}
    found = no_baseline_is_as_good(evaluate(LABEL, KEYS, predictions, rounds=200))
    told = (
        "the network is beaten by rfm_rule; insufficient evidence that the network beats logistic_regression"
    )
    assert found.says == told
