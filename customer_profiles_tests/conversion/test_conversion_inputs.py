"""Inputs: what a network reads of a table."""

import numpy as np
import polars as pl
import pytest

from customer_profiles.conversion.encodings import bends
from customer_profiles.conversion.frames import InputsError
from customer_profiles.conversion.inputs import MOST_RAMPS, OTHER, Inputs

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


def test_ramps_bend_at_every_value_and_add_up_to_any_function_of_it():
    frame = pl.DataFrame({"visits": [0, 1, 2, 5] * 50})
    inputs = Inputs(bends=12).fit(frame, ["visits"], [])
    assert inputs.names_ == ["visits", "visits above 0", "visits above 1", "visits above 2"]
    steps = inputs.transform(frame)[:, 1:]
    wanted = np.array([3.0, -1.0, 4.0, 1.0] * 50)
    design = np.column_stack([steps, np.ones(len(steps))])
    fitted = design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    assert fitted == pytest.approx(wanted, abs=1e-4)


def test_bends_also_see_a_stretch_with_few_rows_and_many_values():
    crowd, few = np.zeros(10_000), np.arange(1, 201)
    at = bends(np.concatenate([crowd, few]), 40)
    assert len(at) <= 42
    assert (at > 0).sum() >= 15


def test_many_columns_share_the_ramps_and_very_many_have_none():
    draw = np.random.default_rng(0)
    frame = pl.DataFrame(draw.normal(size=(300, 80)), schema=[f"n{n}" for n in range(80)])
    inputs = Inputs(variance=None, bends=400)
    assert 200 < len(inputs.fit(frame, frame.columns[:20], []).names_) < 20 + MOST_RAMPS
    assert inputs.fit(frame, frame.columns, []).names_ == frame.columns


def test_a_column_of_few_values_leaves_its_room_to_one_of_many():
    draw = np.random.default_rng(0)
    few = {f"few{n}": draw.integers(4, size=900) for n in range(5)}
    frame = pl.DataFrame(few | {"many": np.arange(900) % 300})
    inputs = Inputs(variance=None, bends=400).fit(frame, frame.columns, [])
    assert [len(at) for at in inputs.bends_] == [4] * 5 + [300]


def test_five_thousand_categories_keep_a_hundred():
    names = [f"product_{n % 5_000}" for n in range(20_000)] + [f"often_{n % 150}" for n in range(7_500)]
    levels = Inputs().fit(pl.DataFrame({"product": names}), [], ["product"]).levels_["product"]
    assert len(levels) == 101
    assert levels[-1] == "(other)"


def test_dates_and_extreme_values_give_finite_inputs():
    frame = table().with_columns(
        since=pl.date(2020, 1, 1) + pl.duration(days=pl.int_range(pl.len())),
        huge=pl.when(pl.int_range(pl.len()) % 3 == 0).then(1e100).otherwise(-1e100),
        boundless=pl.when(pl.int_range(pl.len()) % 3 == 0).then(1e300).otherwise(float("-inf")),
    )
    inputs = Inputs(bends=96).fit(frame, [*NUMERIC, "since", "huge", "boundless"], CATEGORIES)
    assert inputs.numeric_ == [*NUMERIC, "since", "huge"]
    assert np.isfinite(inputs.transform(frame.with_columns(spend=pl.lit(float("inf"))))).all()


def test_a_number_that_comes_as_words_is_refused():
    inputs = Inputs().fit(table(), NUMERIC, CATEGORIES)
    assert np.isfinite(inputs.transform(table().with_columns(pl.col("visits").cast(pl.String)))).all()
    with pytest.raises(InputsError, match=r"visits \(such as 'many'\)"):
        inputs.transform(table().with_columns(visits=pl.lit("many")))


def test_a_table_without_information_is_refused():
    with pytest.raises(InputsError, match="none of the 2 columns tells rows apart"):
        Inputs().fit(pl.DataFrame({"same": [1] * 9, "word": ["x"] * 9}), ["same"], ["word"])


def test_of_a_column_of_rare_names_those_seen_a_few_times_get_inputs():
    shops = [f"shop {number:02}" for number in range(30) for _ in range(6)] + ["once", "twice"] * 2
    cities = ["北京"] * 150 + ["拉萨"] * 6 + ["上海"] * 28
    frame = pl.DataFrame({"shop": shops, "city": cities})
    levels = Inputs(rare_count=5).fit(frame, [], frame.columns).levels_
    assert len(levels["shop"]) == 31
    assert levels["city"] == ["北京", "上海", OTHER]
    assert "shop" not in Inputs().fit(frame, [], frame.columns).levels_
