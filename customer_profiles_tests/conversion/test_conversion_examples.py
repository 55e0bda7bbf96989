"""Examples: who trains, who is judged, and when there are too few."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from customer_profiles.conversion.examples import ExamplesError, assemble, insufficiency, split, sufficiency
from customer_profiles.settings import LabelSettings

LABEL = LabelSettings(gap_days=1, horizon_days=14, maturity_days=7)
DAYS = (date(2026, 1, 8), date(2026, 1, 23), date(2026, 2, 7))


def held_out(keys):
    return keys.str.ends_with("0")


def snapshot(customers=20, **columns):
    keys = [f"c{number:02}" for number in range(customers)]
    return pl.DataFrame({"customer_key": keys[::-1], "orders_30": list(range(customers)), **columns})


def examples(days=DAYS, **columns):
    return assemble(
        {day: snapshot(**columns) for day in days}, {day: ["c03", "c10"] for day in days}, held_out
    )


def test_rows_stand_in_the_order_of_days_and_keys_with_their_labels():
    rows = examples()
    assert rows.customer_key[:3].tolist() == ["c00", "c01", "c02"]
    assert np.unique(rows.as_of).tolist() == list(DAYS)
    assert set(rows.customer_key[rows.label == 1]) == {"c03", "c10"}
    assert rows.positives == 6


def test_who_is_not_eligible_is_no_example():
    rows = examples(eligible_for_scoring=[number < 5 for number in range(20)])
    assert len(rows) == 15
    assert rows.positives == 0


def test_a_snapshot_without_label_is_refused():
    with pytest.raises(ValueError, match="2026-01-23"):
        assemble({DAYS[0]: snapshot(), DAYS[1]: snapshot()}, {DAYS[0]: []}, held_out)


def test_the_last_snapshots_held_out_customers_are_the_test_and_never_train():
    train, test = split(examples(), LABEL)
    assert np.unique(train.as_of).tolist() == list(DAYS[:2])
    assert np.unique(test.as_of).tolist() == [DAYS[2]]
    assert set(test.customer_key) == {"c00", "c10"}
    assert not set(train.customer_key) & set(test.customer_key)
    assert len(train) == 36


def test_snapshots_closer_than_gap_and_horizon_are_refused():
    with pytest.raises(ExamplesError, match="at least 15 days apart"):
        split(examples((date(2026, 1, 8), date(2026, 1, 22))), LABEL)


def test_one_snapshot_cannot_be_split():
    with pytest.raises(ExamplesError, match="later one to judge on"):
        split(examples(DAYS[:1]), LABEL)


def test_too_few_positives_are_told_in_a_sentence():
    rows = examples()
    parts = split(rows, LABEL)
    assert insufficiency(rows, parts, 1) is None
    sentence = insufficiency(rows, parts, 2)
    assert sentence is not None
    assert "of 2 rows in the test set 1 converted; at least 2 are needed" in sentence
    assert "500 would give 0.40" in sentence


def growing(positives):
    """Three snapshots of 5,000 customers, of whom so many convert; a tenth is held out."""
    frame = pl.DataFrame({"customer_key": [f"c{number:04}" for number in range(5_000)]})
    did = {day: frame["customer_key"].head(n).to_list() for day, n in zip(DAYS, positives, strict=True)}
    return assemble(dict.fromkeys(DAYS, frame), did, held_out)


def test_a_test_set_that_grows_says_when_to_train_again():
    rows = growing((320, 720, 1_120))
    says = sufficiency(rows, split(rows, LABEL))
    assert says == (
        "As a rule, 112 positives in the test snapshot give lift@10 % within 0.85; 500 would give 0.40;"
        " train again after about 21 weeks."
    )


def test_where_most_do_it_a_lift_is_told_closer_than_by_the_rule_of_low_rates():
    rows = growing((3_500, 3_500, 3_500))
    says = sufficiency(rows, split(rows, LABEL))
    assert says.startswith(
        "As a rule, 350 positives in the test snapshot give lift@10 % within 0.20; 500 would give 0.17;"
    )


def test_a_test_set_without_positives_promises_no_lift():
    rows = growing((320, 320, 0))
    says = insufficiency(rows, split(rows, LABEL), 50)
    assert says is not None
    assert "within" not in says
    assert "0 converted; at least 50 are needed. The test snapshot holds none: raise" in says


@pytest.mark.parametrize(
    ("converted", "advice"),
    [
        (5_000, "0 did not convert; at least 50 are needed. Most do in so long a time: shorten "
                "label.horizon_days."),
        (0, "No snapshot holds any: raise label.horizon_days, or train again when later days are delivered."),
    ],
)  # fmt: skip
def test_where_all_convert_or_nobody_another_horizon_is_advised(converted, advice):
    rows = growing((converted,) * 3)
    says = insufficiency(rows, split(rows, LABEL), 50)
    assert says is not None
    assert says.endswith(advice)


def test_a_test_set_that_does_not_grow_says_what_would_help():
    rows = growing((1_120, 1_120, 1_120))
    assert "raise label.holdout_share or raise label.horizon_days" in sufficiency(rows, split(rows, LABEL))


@pytest.mark.parametrize(
    ("left", "advice"),
    [
        (5_000, "0 stayed; at least 50 are needed. Most leave in so short a time: raise label.horizon_days."),
        (
            0,
            "holds any: shorten label.horizon_days, or train again when later days are delivered.",
        ),
        (100, "hardly grow with time: raise label.holdout_share or shorten label.horizon_days."),
    ],
)
def test_of_those_who_may_leave_the_other_horizon_is_advised(left, advice):
    """Fewer leave in a longer time: what brings more buyers brings fewer of them."""
    rows = growing((left,) * 3)
    says = insufficiency(rows, split(rows, LABEL), 50, turned=True)
    assert says is not None
    assert says.endswith(advice)
