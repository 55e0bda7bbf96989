"""Each leak, planted and caught."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from customer_profiles.conversion.baselines import BoostedTrees
from customer_profiles.conversion.examples import Examples, Split, twins
from customer_profiles.conversion.leaks import (
    leaks_in,
    model_is_not_too_good,
    no_feature_is_too_good,
    no_number_is_the_mean_label,
    no_value_gives_the_label_away,
    shuffled_labels_are_not_learnt,
    train_and_test_are_apart,
)
from customer_profiles.settings import LabelSettings

LABEL = LabelSettings(gap_days=1, horizon_days=14, maturity_days=7)
EARLY, LATE = date(2026, 1, 8), date(2026, 1, 23)


def rows(prefix, day, count=600, seed=0):
    draw = np.random.default_rng(seed)
    spend = draw.normal(size=count)
    label = (draw.random(count) < 1 / (1 + np.exp(1 - spend))).astype(int)
    features = pl.DataFrame(
        {"spend": spend, "visits": draw.normal(size=count), "city": draw.choice(["a", "b"], count)}
    )
    keys = np.array([f"{prefix}{n}" for n in range(count)])
    return Examples(features, label, keys, np.full(count, day, "datetime64[D]"), np.zeros(count, bool))


def clean():
    return Split(rows("train", EARLY), rows("test", LATE, seed=1))


def trees():
    return BoostedTrees(["spend", "visits"], ["city"], rounds=30)


def test_clean_sets_pass_every_canary():
    parts = clean()
    assert shuffled_labels_are_not_learnt(parts, trees, seed=0).passed
    assert no_feature_is_too_good(parts.train, ["spend", "visits"], ["city"]).passed
    assert no_value_gives_the_label_away(parts.train, ["spend", "visits"], ["city"]).passed
    assert model_is_not_too_good(0.8, list).passed
    assert train_and_test_are_apart(parts, LABEL).passed


def test_test_rows_within_train_are_caught_by_shuffled_labels():
    test = rows("test", LATE, seed=1)
    finding = shuffled_labels_are_not_learnt(Split(test, test), trees, seed=0)
    assert not finding.passed
    assert finding.value > 0.6


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_knows_the_label_is_named(sign):
    train = rows("train", EARLY)
    told = train.features.with_columns(refund_day=pl.Series(sign * train.label + np.linspace(0, 0.5, 600)))
    planted = Examples(told, train.label, train.customer_key, train.as_of, train.held_out)
    finding = no_feature_is_too_good(planted, ["spend", "refund_day"], ["city"])
    assert not finding.passed
    assert "refund_day" in finding.says
    assert "spend" not in finding.says


def test_a_number_that_is_only_known_for_buyers_is_named():
    train = rows("train", EARLY)
    known = pl.Series(np.random.default_rng(0).normal(size=600)).set(pl.Series(train.label == 0), None)
    planted = Examples(
        train.features.with_columns(rating=known),
        train.label,
        train.customer_key,
        train.as_of,
        train.held_out,
    )
    assert "rating" in no_feature_is_too_good(planted, ["spend", "rating"], []).says


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_infinite_number_is_unknown_as_it_is_to_the_models():
    train = clean().train
    buyers = pl.Series(train.label == 1)
    for endless in (float("inf"), -1e308):
        spend = pl.select(pl.when(buyers).then(endless).otherwise(1.0)).to_series()
        told = replace(train, features=train.features.with_columns(spend=spend))
        assert "spend (AUC 1.000)" in no_feature_is_too_good(told, ["spend", "visits"], []).says


def test_a_category_that_knows_the_label_is_named_and_one_that_is_merely_large_is_not():
    train = rows("train", EARLY)
    told = train.features.with_columns(
        outcome=pl.Series(np.where(train.label == 1, "bought", "left")),
        postcode=pl.int_range(pl.len()).cast(pl.String),
    )
    planted = Examples(told, train.label, train.customer_key, train.as_of, train.held_out)
    assert "outcome" in no_feature_is_too_good(planted, [], ["outcome", "postcode"]).says
    assert no_feature_is_too_good(planted, [], ["postcode"]).passed


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("flag", "with flag 1.0"),
        ("known", "with flag known"),
        ("missing", r"with flag (missing)"),
        ("category", "with flag refunded"),
    ],
)
def test_what_is_there_of_some_buyers_alone_is_named_but_stops_nothing(kind, told):
    train = rows("train", EARLY, count=2_000)
    draw = np.random.default_rng(0)
    buyers = (train.label == 1) & (draw.random(2_000) < 0.6)
    flag = {
        "flag": pl.Series(buyers.astype(float)),
        "known": pl.Series(draw.normal(size=2_000)).set(pl.Series(~buyers), None),
        "missing": pl.Series(draw.normal(size=2_000)).set(pl.Series(buyers), None),
        "category": pl.Series(np.where(buyers, "refunded", draw.choice(["open", "closed"], 2_000))),
    }[kind]
    planted = Examples(
        train.features.with_columns(flag=flag), train.label, train.customer_key, train.as_of, train.held_out
    )
    numeric, categories = (
        (["spend"], ["city", "flag"]) if kind == "category" else (["spend", "flag"], ["city"])
    )
    assert no_feature_is_too_good(planted, numeric, categories).passed
    finding = no_value_gives_the_label_away(planted, numeric, categories)
    assert f"of {buyers.sum():,} rows {told}, {buyers.sum():,} convert: if the conversion" in finding.says
    assert (finding.passed, finding.severity, finding.value) == (False, "warn", 1)
    assert leaks_in({"flag": finding}) == ()
    dealt = Examples(
        train.features.with_columns(flag=flag.shuffle(seed=0)),
        train.label,
        train.customer_key,
        train.as_of,
        train.held_out,
    )
    assert no_value_gives_the_label_away(dealt, numeric, categories).passed


@pytest.mark.parametrize(
    ("tell", "says"),
    [
        (lambda few, draw: np.where(few, draw.uniform(5, 9, 2_000), 0), r"rows with refund from 5\S* on"),
        (lambda few, draw: np.where(few, -draw.integers(1, 30, 2_000), 1), "rows with refund up to -1,"),
        (lambda few, draw: np.argsort(np.argsort(~few + draw.random(2_000) / 2)), "rows with refund up to"),
    ],
    ids=["an amount that is 0 of all others", "days before others'", "ids in the order of conversion"],
)
def test_an_end_of_a_numbers_range_that_holds_buyers_alone_is_named(tell, says):
    train = rows("train", EARLY, count=2_000)
    draw = np.random.default_rng(0)
    few = (train.label == 1) & (draw.random(2_000) < 0.3)
    told = train.features.with_columns(refund=pl.Series(tell(few, draw)).cast(pl.Float64))
    planted = Examples(told, train.label, train.customer_key, train.as_of, train.held_out)
    finding = no_value_gives_the_label_away(planted, ["spend", "refund"], ["city"])
    assert re.search(rf"of 1[78]\d {says}.* 1[78]\d convert: if the conversion itself", finding.says)
    assert (finding.passed, finding.severity, finding.value) == (False, "warn", 1)


@pytest.mark.parametrize("size", [10, 40, 500])
def test_a_mean_of_the_label_over_the_very_rows_is_named_and_one_over_other_rows_is_not(size):
    """It holds each row's own label; at 40 rows a group its AUC alone is .6."""
    draw = np.random.default_rng(0)
    group, label, before = draw.integers(0, 20_000 // size, 20_000), *(draw.random((2, 20_000)) < 0.12)
    mean, honest = (
        (np.bincount(group, t) / np.maximum(np.bincount(group), 1))[group] for t in (label, before)
    )
    features = pl.DataFrame({"mean": mean.round(4), "honest": honest, "rate": np.full(20_000, 0.12)})
    train = Examples(features, label.astype(int), *[np.arange(20_000)] * 3)
    assert no_feature_is_too_good(train, ["mean", "honest"], []).passed
    finding = no_number_is_the_mean_label(train, ["mean", "honest", "rate"])
    assert finding.says.startswith("the mean label of the very rows that have it: mean; take it over other")
    assert (finding.passed, finding.severity) == (False, "warn")


@pytest.mark.parametrize("unit", [1, 100])
@pytest.mark.parametrize("size", [100, 500])
def test_a_mean_of_the_label_that_leaves_out_the_row_itself_is_named(size, unit):
    draw = np.random.default_rng(0)
    group, label = draw.integers(0, 20_000 // size, 20_000), (draw.random(20_000) < 0.12).astype(int)
    others = np.bincount(group, label)[group] - label, np.bincount(group)[group] - 1
    features = pl.DataFrame({"mean": (unit * others[0] / others[1]).round(6), "group": group})
    train = Examples(features, label, *[np.arange(20_000)] * 3)
    assert no_feature_is_too_good(train, ["mean", "group"], []).passed
    finding = no_number_is_the_mean_label(train, ["mean", "group"])
    assert finding.says.startswith("the mean label of the very rows that have it: mean; take it over other")


@pytest.mark.parametrize("size", [4, 15])
@pytest.mark.parametrize(("prior", "weight", "own"), [(0.12, 20, 1), (0.3, 5, 1), (0.0, 0, 0), (0.12, 10, 0)])
def test_a_mean_of_few_rows_is_named_beside_its_category_and_one_over_other_rows_is_not(
    size: int, prior: float, weight: float, own: int
):
    """``own``: the row itself counts; else it is left out."""
    draw = np.random.default_rng(0)
    city, label, before = draw.integers(0, 6_000 // size, 6_000), *(draw.random((2, 6_000)) < 0.12)
    city[:6_000:size] = np.arange(6_000 // size)  # none is of one row alone
    rows = np.bincount(city)[city]

    def mean(of: np.ndarray, own: int) -> np.ndarray:
        hits = np.bincount(city, of)[city]
        return (hits - (1 - own) * of + prior * weight) / np.maximum(rows - (1 - own) + weight, 1)

    features = pl.DataFrame(
        {
            "mean": mean(label, own).round(6),
            "honest": mean(before, 1),
            "of_its_size": 1 / rows,
            "noise": draw.random(6_000),
            "city": city.astype(str),
            "other": draw.integers(0, 300, 6_000).astype(str),
        }
    )
    train = Examples(features, label.astype(int), *[np.arange(6_000)] * 3)
    numeric, categories = ["mean", "honest", "of_its_size", "noise"], ["other", "city"]
    finding = no_number_is_the_mean_label(train, numeric, categories)
    assert finding.says.startswith("the mean label of the very rows that have it: mean; take it over other")


def test_pairs_of_one_who_converts_and_one_who_does_not_have_no_mean_label():
    draw = np.random.default_rng(0)
    features = pl.DataFrame(
        {"distance": np.repeat(draw.random(300), 4), "pair": np.repeat(np.arange(300), 4)}
    )
    features = features.with_columns(pl.col("pair").cast(pl.String))
    train = Examples(features, np.tile([0, 1, 0, 1], 300), *[np.arange(1_200)] * 3)
    assert no_number_is_the_mean_label(train, ["distance"], ["pair"]).passed


def test_what_is_one_customers_in_all_snapshots_is_no_mean_label():
    """Whoever buys buys again, so that a number which nobody else has tells his other rows."""
    draw = np.random.default_rng(0)
    income = np.repeat(draw.normal(40_000, 9_000, 300), 6)
    label = (draw.random(1_800) < np.repeat(np.where(draw.random(300) < 0.3, 0.93, 0.03), 6)).astype(int)
    customers = np.repeat(np.arange(300), 6)
    train = Examples(pl.DataFrame({"income": income}), label, customers, *[np.arange(1_800)] * 2)
    assert no_number_is_the_mean_label(train, ["income"]).passed


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_number_that_buyers_alone_have_is_named_however_it_is_missing(missing):
    train = rows("train", EARLY, count=2_000)
    draw = np.random.default_rng(0)
    few = (train.label == 1) & (draw.random(2_000) < 0.3)
    refund = [amount if has else missing for has, amount in zip(few, draw.uniform(5, 9, 2_000), strict=True)]
    told = train.features.with_columns(refund=pl.Series(refund, dtype=pl.Float64))
    planted = Examples(told, train.label, train.customer_key, train.as_of, train.held_out)
    assert "rows with refund known" in no_value_gives_the_label_away(planted, ["refund"], []).says


def test_a_number_that_foretells_well_has_no_cliff():
    draw = np.random.default_rng(0)
    spend = draw.normal(size=4_000)
    label = (draw.random(4_000) < 1 / (1 + np.exp(1 - 4 * spend))).astype(int)
    train = rows("train", EARLY, count=4_000)
    strong = Examples(pl.DataFrame({"spend": spend}), label, train.customer_key, train.as_of, train.held_out)
    assert label[spend > 2].mean() > 0.99
    assert no_value_gives_the_label_away(strong, ["spend"], []).passed


@pytest.mark.parametrize(
    "tell",
    [
        lambda label, draw: np.where(label, draw.uniform(0.4, 0.45, 600), draw.choice([0.2, 0.7], 600)),
        lambda label, draw: draw.choice([-1, 1], 600) * (1 + 2 * label + draw.random(600)),
        lambda label, draw: np.where(label, draw.choice([np.nan, 0.5], 600), draw.random(600)),
    ],
    ids=["by its middle", "by its ends", "by its middle or as unknown"],
)
def test_a_number_that_tells_the_label_in_no_direction_is_named(tell):
    train = rows("train", EARLY)
    told = train.features.with_columns(delay=tell(train.label, np.random.default_rng(0)))
    planted = Examples(told, train.label, train.customer_key, train.as_of, train.held_out)
    finding = no_feature_is_too_good(planted, ["spend", "delay"], ["city"])
    assert "delay (AUC" in finding.says
    assert "spend" not in finding.says
    assert "leave it out" in finding.says


def test_a_number_that_tells_nothing_is_not_taken_for_one_that_does():
    train = rows("train", EARLY)
    found = no_feature_is_too_good(train, ["visits"], [])
    assert found.value < 0.6


def test_a_model_that_is_too_good_to_be_true_fails_and_tells_what_it_leans_on():
    finding = model_is_not_too_good(0.96, lambda: ["refund_day", "rating"])
    assert not finding.passed
    assert "leans most on refund_day, rating;" in finding.says


def test_a_shared_customer_is_caught():
    parts = Split(rows("same", EARLY), rows("same", LATE, seed=1))
    finding = train_and_test_are_apart(parts, LABEL)
    assert not finding.passed
    assert finding.value["shared_customers"] == 600


def test_a_few_customers_alike_are_chance_and_many_are_one_person_under_two_ids():
    parts = clean()
    assert train_and_test_are_apart(parts, LABEL, ["a"] * 30).passed
    finding = train_and_test_are_apart(parts, LABEL, ["a"] * 31)
    assert "31 of 600 test customers, such as a," in finding.says
    assert "deliver identity_links" in finding.says


def drawn(profiles: np.ndarray) -> Examples:
    """Customers of one day by the profiles that they have; every fifth never trains."""
    count = len(profiles)
    keys = np.array([f"c{n}" for n in range(count)])
    day = np.full(count, LATE, "datetime64[D]")
    return Examples(
        pl.DataFrame({"profile": profiles}), np.zeros(count), keys, day, np.arange(count) % 5 == 0
    )


def test_people_under_two_ids_are_told_from_people_who_are_alike_since_their_traits_are_few():
    draw = np.random.default_rng(0)
    persons = draw.permutation(np.repeat(np.arange(1500), 2))
    both_sides = sum(np.sum(np.flatnonzero(persons == person) % 5 == 0) == 1 for person in range(1500))
    assert len(twins(drawn(persons), ["profile"])) == both_sides
    for spread in (1.1, 1.5, 3.0):
        few_traits = drawn(np.minimum(draw.zipf(spread, 3000), 10**6))
        assert train_and_test_are_apart(clean(), LABEL, twins(few_traits, ["profile"])).passed
    assert len(twins(drawn(draw.integers(0, 3000, 3000)), ["profile"])) < 30
    assert not twins(drawn(draw.normal(size=3000)), ["profile"])


def test_a_training_window_that_reaches_the_tests_profile_is_caught():
    parts = Split(rows("train", date(2026, 1, 9)), rows("test", LATE))
    finding = train_and_test_are_apart(parts, LABEL)
    assert not finding.passed
    assert "2026-01-09" in finding.says
