"""Groups of customers, lists to contact, and which inputs matter."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from customer_profiles.conversion.baselines import BaseRate
from customer_profiles.conversion.contact import contact_sentence, contact_table
from customer_profiles.conversion.evaluation import evaluate
from customer_profiles.conversion.examples import Examples
from customer_profiles.conversion.findings import champion_is_trusted, published_lift_holds
from customer_profiles.conversion.groups import by_group, groups_of
from customer_profiles.conversion.importance import importance, inputs_of
from customer_profiles.conversion.sections import figure
from customer_profiles.settings import ConversionSettings

ROWS = 4_000
DRAW = np.random.default_rng(0)
LOGIT = DRAW.normal(size=ROWS) - 1.5
PROBABILITY = 1 / (1 + np.exp(-LOGIT))
LABEL = (DRAW.random(ROWS) < PROBABILITY).astype(float)
KEYS = np.array([f"c{n}" for n in range(ROWS)])


def groups(names, probability=PROBABILITY):
    table = by_group(LABEL, KEYS, probability, {"town": pl.Series(names)}, share=0.1, rounds=100)
    return {row["group"]: row for row in table.to_dicts()}


def test_groups_add_up_to_everybody():
    found = groups(np.where(np.arange(ROWS) % 3, "a", "b"))
    assert sum(row["customers"] for row in found.values()) == ROWS
    assert sum(row["positives"] for row in found.values()) == LABEL.sum()
    listed = sum(row["selected"] * row["customers"] for row in found.values())
    assert listed == pytest.approx(ROWS / 10)


def test_a_group_is_measured_on_its_own_rows():
    inside = np.arange(ROWS) % 3 == 0
    row = groups(np.where(inside, "a", "b"))["a"]
    assert row["roc_auc"] == pytest.approx(roc_auc_score(LABEL[inside], PROBABILITY[inside]))
    assert row["expected_over_actual"] == pytest.approx(PROBABILITY[inside].sum() / LABEL[inside].sum())
    assert row["roc_auc_low"] < row["roc_auc"] < row["roc_auc_high"]
    assert row["says"] == ""


def test_a_group_of_whom_too_much_is_promised_is_named():
    inside = np.arange(ROWS) % 3 == 0
    found = groups(
        np.where(inside, "a", "b"), np.where(inside, np.minimum(2 * PROBABILITY, 0.99), PROBABILITY)
    )
    assert "more is promised" in found["a"]["says"]
    assert found["b"]["says"] == ""


def test_a_small_group_is_said_to_be_too_small_and_not_measured():
    row = groups(np.where(np.arange(ROWS) < 30, "few", "many"))["few"]
    assert row["says"].startswith("too small to judge")
    assert row["roc_auc"] is None
    assert row["customers"] == 30


FEATURES = pl.DataFrame(
    {
        "tenure_days": [10, 90, None],
        "consent_marketing_email": [None, False, None],
        "consent_marketing_sms": [True, None, None],
        "consent_marketing_push": [None, False, None],
        "gender": ["female", None, "male"],
        "age_band": ["18-24", "25-34", None],
    }
)


def test_customers_are_grouped_by_segment_tenure_consent_gender_and_age():
    found = groups_of(FEATURES, pl.Series(["hunters", None, "gatherers"]), fairness=True)
    assert {name: series.to_list() for name, series in found.items()} == {
        "segment": ["hunters", "not told", "gatherers"],
        "tenure": ["new (under 90 days)", "old", "not told"],
        "marketing consent": ["granted", "refused", "not told"],
        "gender": ["female", "not told", "male"],
        "age": ["18-24", "25-34", "not told"],
    }


def test_gender_and_age_can_be_switched_off():
    assert set(groups_of(FEATURES, None, fairness=False)) == {"tenure", "marketing consent"}


def lists(customers):
    found = evaluate(LABEL, KEYS, {"m": PROBABILITY}, rounds=200).lists
    return contact_table(found, ROWS, customers, ConversionSettings())


def test_a_list_is_scaled_to_the_customers_of_today():
    rows = {row["share"]: row for row in lists(40_000)}
    tested = LABEL[np.argsort(-PROBABILITY)][: ROWS // 10].sum()
    assert rows[0.1]["customers"] == 4_000
    assert rows[0.1]["buyers"] == pytest.approx(10 * tested)
    assert rows[1.0]["recall"] == pytest.approx(1)
    assert rows[0.1]["profit_minor"] == pytest.approx(2_000 * 10 * tested - 100 * 4_000)


def test_a_small_list_leaves_more_to_chance():
    width = {
        customers: (row["buyers_high"] - row["buyers_low"]) / row["buyers"]
        for customers in (400, 40_000)
        for row in lists(customers)
        if row["share"] == 0.1
    }
    assert width[400] > 1.5 * width[40_000]


def test_no_list_loses_more_than_its_contacts_cost_or_gains_more_than_all_of_them_bring():
    for row in lists(100):
        bounds = -100 * row["customers"], (2_000 - 100) * row["customers"]
        assert bounds[0] <= row["profit_minor_low"] <= row["profit_minor_high"] <= bounds[1]


def test_the_range_of_a_list_covers_what_new_customers_do():
    row = next(row for row in lists(ROWS) if row["share"] == 0.1)
    covered = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        probability = 1 / (1 + np.exp(-(draw.normal(size=ROWS) - 1.5)))
        highest = np.sort(probability)[-ROWS // 10 :]
        covered += row["buyers_low"] <= (draw.random(len(highest)) < highest).sum() <= row["buyers_high"]
    assert covered >= 180


def test_a_marketer_reads_a_sentence():
    rows = [
        {"customers": 1_800, "buyers": 240.2, "buyers_low": 204.6, "buyers_high": 275.4},
        {"customers": 3_600, "buyers": 400.0, "buyers_low": 350.0, "buyers_high": 450.0},
    ]
    told = "Contact the 1,800 highest of 18,000 customers: expect 240 buyers (205 to 275) in 30 days."
    assert contact_sentence(rows, 0.1, 18_000, "buyers", 30) == told
    assert "2,700 highest of 18,000 customers: expect 320" in contact_sentence(
        rows, 0.15, 18_000, "buyers", 30
    )


def test_no_more_are_expected_than_are_contacted():
    sizes = (
        {"customers": size, **dict.fromkeys(("buyers", "buyers_low", "buyers_high"), size)}
        for size in (92, 231)
    )
    told = contact_sentence([*sizes], 0.035, 4_612, "customers who leave", 10)
    assert told.startswith(
        "Contact the 161 highest of 4,612 customers: expect 161 customers who leave (161 to 161)"
    )


@pytest.mark.parametrize("did", [0, 8])
def test_a_list_on_which_all_or_none_of_a_few_tested_did_it_promises_no_certainty(did):
    tested = {"share": 0.01, "cutoff": 0.9, "buyers": did, "low": did, "high": did, "expected_buyers": did}
    tested |= {f"recall{end}": 0.1 for end in ("", "_low", "_high")}
    row = contact_table(pl.DataFrame([tested]), 800, 4_600, ConversionSettings())[0]
    assert (row["buyers_low"], row["buyers_high"]) == pytest.approx(
        (0, 10.9) if did == 0 else (35.1, 46), abs=0.1
    )


def test_a_resample_that_reaches_the_next_customer_makes_all_of_three_no_more_certain():
    """Resamples of so few take in one below the list: the range was 87 to 100 of 100."""
    tested = {"share": 0.05, "cutoff": 0.9, "buyers": 3.0, "low": 2.8, "high": 3.0, "expected_buyers": 2.6}
    tested |= {f"recall{end}": 0.1 for end in ("", "_low", "_high")}
    row = contact_table(pl.DataFrame([tested]), 60, 60, ConversionSettings())[0]
    assert row["precision_low"] < 0.5


class ByLogit(BaseRate):
    """A model that reads one column."""

    def predict(self, frame):
        return 1 / (1 + np.exp(-frame["logit_30"].to_numpy()))


def test_an_input_that_is_read_matters_and_others_do_not():
    frame = pl.DataFrame({"logit_30": LOGIT, "logit_90": LOGIT, "noise": DRAW.normal(size=ROWS)})
    days = np.full(ROWS, date(2026, 1, 8), "datetime64[D]")
    rows = Examples(frame, LABEL.astype(int), KEYS, days, np.ones(ROWS, bool))
    found = {row["input"]: row for row in importance(ByLogit(), rows, frame.columns).to_dicts()}
    assert found["logit"]["columns"] == 2
    assert found["logit"]["low"] > 0.1
    assert found["logit"]["loss"] == pytest.approx(roc_auc_score(LABEL, PROBABILITY) - 0.5, abs=0.05)
    assert found["noise"]["loss"] == found["noise"]["low"] == found["noise"]["high"] == 0


def test_intervals_of_importance_are_by_customers_not_by_rows():
    once, twice = np.arange(800), np.repeat(np.arange(800), 2)
    width = {}
    for name, places in (("once", once), ("twice", twice)):
        frame = pl.DataFrame({"logit_30": LOGIT[places]})
        days = np.full(len(places), date(2026, 1, 8), "datetime64[D]")
        held = np.ones(len(places), bool)
        rows = Examples(frame, LABEL.astype(int)[places], KEYS[places], days, held)
        found = importance(ByLogit(), rows, frame.columns).row(0, named=True)
        width[name] = found["high"] - found["low"]
    assert width["twice"] == pytest.approx(width["once"], rel=0.15)


def test_windows_of_a_trait_are_one_input():
    assert dict(inputs_of(["orders_30", "orders_lifetime", "city", "orders_365"])) == {
        "orders": ["orders_30", "orders_lifetime", "orders_365"],
        "city": ["city"],
    }


def scores(probability):
    frame = pl.DataFrame({"customer_key": KEYS, "conversion_probability": probability})
    return frame.with_columns(as_of=pl.lit(date(2026, 3, 1)), model_version=pl.lit("v1"))


def test_published_scores_that_hold_pass_and_those_that_lost_their_lift_warn():
    tested = evaluate(LABEL, KEYS, {"m": PROBABILITY}, rounds=10).value("m", "lift_10")
    held = published_lift_holds(LABEL, scores(PROBABILITY), tested, lift_loss=0.3, smallest_positives=50)
    assert held.passed
    shuffled = np.random.default_rng(1).permutation(PROBABILITY)
    lost = published_lift_holds(LABEL, scores(shuffled), tested, lift_loss=0.3, smallest_positives=50)
    assert (lost.passed, lost.severity) == (False, "warn")
    assert "the scores of 2026-03-01 by v1" in lost.says


def test_too_few_matured_positives_do_not_warn():
    found = published_lift_holds(
        LABEL[:50], scores(PROBABILITY).head(50), 9.0, lift_loss=0.3, smallest_positives=50
    )
    assert found.passed
    assert "too few to tell" in found.says


def test_a_champion_past_its_trust_period_warns(trained_home):
    from customer_profiles.conversion.artefacts import champion

    serving = champion(trained_home[0].settings.models, "purchase")
    assert champion_is_trusted(serving, date(2026, 4, 29), 90).passed
    old = champion_is_trusted(serving, date(2026, 4, 30), 90)
    assert (old.passed, old.severity, old.value) == (False, "warn", 91)
    assert "train again" in old.says


def test_figures_read_well():
    assert figure((0.7841, 0.753, 0.8129)) == "0.784 (0.753-0.813)"
    assert figure((0.001, -0.002, 0.004)) == "0.001 (-0.002 to 0.004)"
    assert figure((1234.5, 1000, 1500), 0) == "1,234 (1,000-1,500)"
    assert figure((None, None, None)) == ""
