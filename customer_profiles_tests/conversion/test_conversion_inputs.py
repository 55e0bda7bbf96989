"""Inputs: what a network reads of a table."""

import numpy as np
import polars as pl
import pytest

from customer_profiles.conversion.inputs import Inputs, InputsError

NUMERIC, CATEGORIES = ["spend", "visits", "returning"], ["city"]


def table(rows=400, seed=0):
    draw = np.random.default_rng(seed)
    spend = np.exp(draw.normal(size=rows) * 2)
    return pl.DataFrame(
        {
            "spend": pl.Series(spend).set(pl.Series(draw.random(rows) < 0.2), None),
            "visits": draw.poisson(2, rows),
            "returning": draw.random(rows) < 0.3,
            "city": pl.Series(["北京", "上海", None, "深圳"] * (rows // 4)),
        }
    )


def column(inputs, frame, name):
    return inputs.transform(frame)[:, inputs.names_.index(name)]


def test_numbers_become_standardised_normal_scores_whatever_their_tails():
    frame = table()
    spend = column(Inputs().fit(frame, NUMERIC, CATEGORIES), frame, "spend")
    known = spend[frame["spend"].is_not_null().to_numpy()]
    assert known.mean() == pytest.approx(0, abs=0.02)
    assert known.std() == pytest.approx(1, abs=0.02)
    assert np.abs(known).max() < 4


def test_a_larger_value_never_scores_lower_and_nothing_leaves_the_range():
    inputs = Inputs().fit(table(), NUMERIC, CATEGORIES)
    values = [-1e9, 0.1, 1.0, 10.0, 1e9, float("inf")]
    frame = table().head(6).with_columns(spend=pl.Series(values))
    scores = column(inputs, frame, "spend")
    assert (np.diff(scores[:5]) >= 0).all()
    assert np.isfinite(inputs.transform(frame)).all()


def test_unknown_counts_as_the_median_and_is_marked():
    frame = table()
    inputs = Inputs().fit(frame, NUMERIC, CATEGORIES)
    unknown = frame["spend"].is_null().to_numpy()
    assert column(inputs, frame, "spend is missing").astype(bool).tolist() == unknown.tolist()
    assert column(inputs, frame, "spend")[unknown] == pytest.approx(0, abs=0.02)
    assert "visits is missing" not in inputs.names_


def test_two_columns_that_are_missing_together_share_one_mark():
    frame = table().with_columns(income=pl.col("spend") * 2)
    names = Inputs().fit(frame, [*NUMERIC, "income"], CATEGORIES).names_
    assert "spend is missing" in names
    assert "income is missing" not in names


def test_missing_is_a_category_and_the_rare_and_the_unseen_are_other():
    frame = table().with_columns(
        city=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("拉萨")).otherwise("city")
    )
    inputs = Inputs().fit(frame, NUMERIC, CATEGORIES)
    assert inputs.levels_["city"] == ["(missing)", "上海", "深圳", "北京", "(other)"]
    unseen = frame.head(1).with_columns(city=pl.lit("Atlantis"))
    assert column(inputs, unseen, "city = (other)") == [1]


def test_components_are_scaled_by_the_first_alone():
    frame = table()
    inputs = Inputs().fit(frame, NUMERIC, CATEGORIES)
    first = column(inputs, frame, "component_1")
    last = column(inputs, frame, "component_3")
    assert first.std() == pytest.approx(1, abs=0.01)
    assert last.std() < first.std()


def test_columns_that_tell_nothing_are_left_out():
    frame = table().with_columns(empty=pl.lit(None, pl.Float64), constant=pl.lit(3), one=pl.lit("x"))
    inputs = Inputs().fit(frame, [*NUMERIC, "empty", "constant"], [*CATEGORIES, "one"])
    assert inputs.numeric_ == NUMERIC
    assert inputs.categories_ == CATEGORIES


def test_a_column_that_disappeared_is_named():
    inputs = Inputs().fit(table(), NUMERIC, CATEGORIES)
    with pytest.raises(InputsError, match="visits, city"):
        inputs.transform(table().drop("visits", "city"))


def test_reloaded_inputs_give_the_same_numbers(tmp_path):
    inputs = Inputs().fit(table(), NUMERIC, CATEGORIES)
    inputs.save(tmp_path)
    other = table(seed=9)
    assert (Inputs.load(tmp_path).transform(other) == inputs.transform(other)).all()
