"""The network: what it learns, repeats, keeps apart, stores and refuses."""

import re
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from customer_profiles.conversion import Batch, ConversionModel, InputsError, ModelFileError, doubts, network
from customer_profiles.conversion.batches import TooFewExamples, folds, snapshots
from customer_profiles.conversion.calibration import fit_calibration, logit_of, sigmoid
from customer_profiles.conversion.leaks import roc_auc
from customer_profiles.conversion.learnt import learn_trees
from customer_profiles.conversion.members import batch_size, passes
from customer_profiles.conversion.shapes import ONE_OF_EACH, blend
from customer_profiles.warehouse.artefacts import write_checksums


def planted(rows=2_000, seed=0):
    """Buying depends on spend, on a city, and on an interaction that no linear model sees."""
    draw = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "spend": np.exp(draw.normal(size=rows)),
            "visits": draw.normal(size=rows),
            "age": pl.Series(draw.normal(size=rows)).set(pl.Series(draw.random(rows) < 0.1), None),
            "city": draw.choice(["北京", "上海", "深圳"], rows),
        }
    )
    logit = np.log(frame["spend"].to_numpy()) * frame["visits"].to_numpy() * 1.5 - 2
    logit += 1.5 * (frame["city"] == "上海").to_numpy()
    return frame, (draw.random(rows) < 1 / (1 + np.exp(-logit))).astype(int), logit


@pytest.fixture(scope="module")
def fitted():
    frame, label, _ = planted()
    return ConversionModel(seed=1, epochs=15, shapes=["detailed"]).fit(frame, label)


def test_it_finds_an_interaction_on_rows_it_never_saw(fitted):
    frame, label, logit = planted(seed=7)
    assert roc_auc(label, fitted.predict(frame)) > roc_auc(label, logit) - 0.05


def test_its_probabilities_add_up(fitted):
    frame, label, _ = planted(rows=4_000, seed=8)
    assert fitted.predict(frame).sum() / label.sum() == pytest.approx(1, abs=0.15)


def test_training_starts_at_the_base_rate():
    frame, label, _ = planted(200)
    model = ConversionModel(epochs=1, learning_rate=0.0, shapes=["detailed"]).fit(frame, label)
    assert model.predict(frame).mean() == pytest.approx(label.mean(), abs=0.1)


def test_same_seed_same_weights_and_another_seed_others():
    frame, label, _ = planted(400)
    one, two, other = (
        ConversionModel(seed=s, epochs=2, shapes=["detailed"])
        .fit(frame, label)
        .shapes_["detailed"]
        .network.get_weights()
        for s in (3, 3, 4)
    )
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_reloaded_it_predicts_the_same(fitted, tmp_path):
    frame, _, _ = planted(seed=9)
    fitted.save(tmp_path)
    assert np.abs(ConversionModel.load(tmp_path).predict(frame) - fitted.predict(frame)).max() <= 1e-6
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kinds == {".npz", ".json", ".keras"}


def test_pandas_polars_and_arrow_are_scored_alike(fitted):
    frame, _, _ = planted(200, seed=5)
    expected = fitted.predict(frame)
    table = frame.to_pandas().set_index(np.arange(200)[::-1])
    assert fitted.predict(table) == pytest.approx(expected, abs=1e-6)
    assert fitted.predict(frame.to_arrow()) == pytest.approx(expected, abs=1e-6)
    assert fitted.predict_proba(frame).sum(axis=1) == pytest.approx(1)
    assert fitted.predict(frame.head(0)).shape == (0,)


def test_odd_rows_are_scored_and_a_feature_that_is_gone_is_named(fitted):
    odd = pl.DataFrame(
        {
            "spend": [None, float("inf"), -1e300],
            "visits": [0.0] * 3,
            "age": [None] * 3,
            "city": ["", None, "X"],
        }
    )
    assert np.isfinite(fitted.predict(odd)).all()
    with pytest.raises(InputsError, match="lacks 2 of the model's 4 columns: visits, city"):
        fitted.predict(odd.drop("visits", "city"))


def test_a_time_that_became_a_number_or_a_duration_is_named_and_a_number_that_became_a_time(tmp_path):
    frame, label, _ = planted(400)
    since = pl.date(2026, 1, 1) + pl.duration(days=pl.int_range(pl.len()) % 90)
    day = since.dt.strftime("%d.%m.%Y")
    frame = frame.with_columns(since=since, day=day, empty=pl.lit(None, pl.Float64))
    ConversionModel(shapes=["linear"]).fit(frame, label).save(tmp_path)
    model = ConversionModel.load(tmp_path)
    for name, other in (
        ("since", pl.col("since").cast(pl.Int32)),
        ("since", pl.col("since") - pl.date(2026, 1, 1)),
        ("age", since),
        ("day", pl.lit(20_514)),
    ):
        with pytest.raises(InputsError, match=rf"something else than in training: {name} \("):
            model.predict(frame.with_columns(other.alias(name)))
    unknown = frame.with_columns(since=pl.lit(float("nan")), empty=since)
    assert np.isfinite(model.predict(unknown)).all()
    assert (model.predict(frame.with_columns(day=since)) == model.predict(frame)).all()
    assert (model.predict(frame.with_columns(day=pl.lit(None))) != model.predict(frame)).any()


def test_a_stored_model_that_is_cut_or_of_another_version_is_refused(fitted, tmp_path):
    fitted.save(tmp_path / "cut")
    network = tmp_path / "cut" / "detailed" / "network.keras"
    network.write_bytes(network.read_bytes()[:1_000])
    fitted.save(tmp_path / "older")
    description = tmp_path / "older" / "model.json"
    description.write_text(description.read_text().replace('"dropout"', '"spread"'))
    write_checksums(tmp_path / "older", [tmp_path / "older"])
    (tmp_path / "empty").mkdir()
    for name in ("cut", "older", "empty"):
        with pytest.raises(ModelFileError, match=f"{name} is damaged, not whole or of another version"):
            ConversionModel.load(tmp_path / name)


def test_a_stored_model_of_which_a_file_is_another_ones_is_refused(fitted, tmp_path):
    """It can be read, and would give other chances: of a save that was cut off over an older one, too."""
    fitted.save(tmp_path)
    description = tmp_path / "model.json"
    description.write_text(description.read_text().replace('"calibration": [\n  ', '"calibration": [\n  2'))
    with pytest.raises(ModelFileError, match=r"model\.json differs"):
        ConversionModel.load(tmp_path)
    fitted.save(tmp_path)
    (tmp_path / "notes.txt").write_text("a file beside it is no part of it")
    ConversionModel.load(tmp_path)


def test_a_table_in_batches_is_learnt_like_a_whole_one(fitted, monkeypatch):
    """The sample holds a quarter of the rows: inputs and stopping rest on it, weights on all."""
    monkeypatch.setattr(network, "SAMPLE", 1_000)
    frame, label, _ = planted(4_000)
    keys = np.arange(4_000) // 2
    cuts = [slice(start, start + 700) for start in range(0, 4_000, 700)] + [slice(0, 0)]
    read = lambda: (Batch(frame[cut], label[cut], keys[cut]) for cut in cuts)  # noqa: E731
    model = ConversionModel(seed=1, epochs=8).fit_batches(read)
    assert (model.rows_, len(model.out_of_fold_)) == (4_000, 1_000)
    other, bought, _ = planted(seed=7)
    assert roc_auc(bought, model.predict(other)) > roc_auc(bought, fitted.predict(other)) - 0.03


def test_it_blends_the_shapes_that_do_best_on_rows_they_did_not_learn_from(tmp_path):
    """A product of two columns and a jump: nothing for the linear shape."""
    frame, label, _ = planted(1_500)
    said = []
    model = ConversionModel(epochs=8, report=said.append).fit(frame, label)
    assert sum(model.weights_.values()) == pytest.approx(1)
    assert model.weights_.get("linear", 0) <= 0.1
    assert said[-1].startswith("blended: ")
    assert all(f"{shape} {weight:.0%}" in said[-1] for shape, weight in model.weights_.items())
    model.save(tmp_path)
    again = ConversionModel.load(tmp_path)
    assert again.weights_ == model.weights_
    assert np.abs(again.predict(frame) - model.predict(frame)).max() <= 1e-6


def test_a_blend_is_weighed_by_its_own_loss_not_by_that_of_its_parts():
    """Two shapes that err in opposite ways beat one that errs less than either."""
    target, error = np.array([0.0, 1.0, 0.0, 1.0] * 25), np.array([3.0, 3.0, -3.0, -3.0] * 25)
    told = 4 * target - 2
    weights = blend({"one": told + error, "other": told - error, "third": told / 4}, target)
    assert weights["one"] == weights["other"] > 0.45
    assert blend({"right": told, "wrong": -told}, target) == {"right": 1.0}


def test_a_network_is_part_of_every_blend_that_has_one_to_choose():
    target = np.array([0.0, 1.0] * 50)
    told = 4 * target - 2
    weights = blend({"smooth": -told, "linear": np.zeros(100), "stepped": told}, target)
    assert set(weights) == {"linear", "stepped"}
    assert weights["stepped"] > 0.9
    assert blend({"stepped": -told}, target) == {"stepped": 1.0}


def test_with_several_snapshots_the_shapes_count_alike_with_one_as_they_do_on_unseen_rows():
    draw = np.random.default_rng(0)
    one, two = draw.normal(size=(2, 2_000))
    label = (draw.random(2_000) < sigmoid(3 * one * two - 1)).astype(int)
    frame, days = pl.DataFrame({"one": one, "two": two}), np.repeat([1, 2], 1_000)
    later = ConversionModel(epochs=4).fit(frame, label, as_of=days)
    mixed = ConversionModel(shapes=["linear", "stepped"]).fit(frame, label, as_of=days // 9)
    assert later.weights_ == dict.fromkeys(ONE_OF_EACH, 1 / 3)
    assert mixed.weights_.get("linear", 0) < 0.1


def test_where_columns_are_many_the_smooth_shape_is_the_detailed_one_and_is_not_learnt_twice():
    draw = np.random.default_rng(0)
    frame = pl.DataFrame(draw.normal(size=(300, 50)), schema=[f"x{n}" for n in range(50)])
    said = []
    model = ConversionModel(epochs=2, report=said.append).fit(frame, (frame["x0"] > 0).cast(int))
    assert sum(line.startswith("epoch 1:") for line in said) == 1
    assert "smooth" not in model.weights_


def test_trees_draw_a_jump_and_are_stored_without_pickle(tmp_path):
    draw = np.random.default_rng(1)
    frame = pl.DataFrame({"x": draw.normal(size=1_000), "city": draw.choice(["甲 乙", "b", None], 1_000)})
    bought = (frame["x"].abs() < 0.5) & (frame["city"] == "b").fill_null(False)
    model = ConversionModel(shapes=["stepped", "branched"]).fit(frame, bought)
    assert set(model.weights_) == {"stepped", "branched"}
    assert roc_auc(bought.to_numpy(), model.out_of_fold_) > 0.99
    model.save(tmp_path)
    odd = pl.DataFrame({"x": [None, float("inf"), -1e300], "city": ["never seen", None, ""]})
    assert ConversionModel.load(tmp_path).predict(odd).tolist() == model.predict(odd).tolist()
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".npz", ".json"}


def test_sums_have_one_thread_whether_trees_still_grow_or_not_and_their_own_number_afterwards(monkeypatch):
    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    def watched(*given):
        seen.append(threads())
        grown = learn_trees(*given)
        seen.append(threads())
        return grown

    frame, label, _ = planted(200)
    seen, before = [], threads()
    monkeypatch.setattr(network, "learn_trees", watched)
    ConversionModel(shapes=["stepped"]).fit(frame, label)
    assert seen == [{1}, {1}]
    assert threads() == before


def test_columns_that_tell_nothing_leave_the_trees_as_they_are():
    frame, label, _ = planted(400)
    nothing = frame.with_columns(
        pl.lit(None, pl.Float64).alias("missing"),
        pl.lit(float("inf")).alias("infinite"),
        pl.lit(7).alias("constant"),
        pl.Series("id", [f"u{n}" for n in range(400)]),
    )
    one, other = (ConversionModel(shapes=["stepped"]).fit(table, label) for table in (frame, nothing))
    assert one.shapes_["stepped"].inputs == other.shapes_["stepped"].inputs
    assert (one.predict(frame) == other.predict(frame)).all()


def test_a_fold_that_holds_every_buyer_leaves_one_member_without_them():
    frame, _, _ = planted(200)
    label, keys = np.arange(200) < 20, np.maximum(np.arange(200), 19)
    for shape in ("linear", "stepped"):
        assert np.isfinite(ConversionModel(shapes=[shape]).fit(frame, label, keys).predict(frame)).all()


def test_columns_that_give_the_label_away_are_told():
    draw = np.random.default_rng(0)
    label = draw.integers(0, 2, 1_000) * draw.integers(0, 2, 1_000)
    frame = pl.DataFrame({"spend": draw.normal(size=1_000), "since": [date(2026, 1, 1)] * 1_000})
    told = []
    model = ConversionModel(shapes=["stepped"], report=told.append)
    model.fit(frame, label)
    assert not told
    refund = np.where((label == 1) & (draw.random(1_000) < 0.5), draw.random(1_000), 0)
    model.fit(frame.with_columns(won=pl.Series(label + draw.random(1_000)), refund=pl.Series(refund)), label)
    assert told[0].startswith("too good to be true: won (AUC 1.000);")
    assert re.search(r"rows with refund from 0\.\d+ on, 1\d\d convert", told[1])
    told.clear()
    paid = (
        np.where(refund > 0, np.datetime64("2026-02-01"), np.datetime64("2026-01-01")) + np.arange(1_000) % 30
    )
    model.fit(frame.with_columns(paid=pl.Series(paid)), label)
    assert re.search(r"rows with paid from 2026-02-01 on, 1\d\d convert", told[0])
    told.clear()
    coin, noisy = draw.integers(0, 2, 1_000), label + draw.normal(scale=0.6, size=1_000)
    pair = frame.with_columns(coin=pl.Series(coin), other=pl.Series(coin ^ label))
    model.fit(pair.with_columns(noisy=pl.Series(noisy)), label)
    assert re.match(r"noisy alone has AUC 0\.8\d\d; 0\.9 is allowed: have a look", told[0])
    assert re.match(
        r"the model's AUC is \S+: too good to be true; it leans most on (coin, other|other, coin)", told[-1]
    )


def test_of_a_few_buyers_among_many_no_column_gives_the_label_away_by_chance(monkeypatch):
    """Every twentieth row would show three of them, whom one of twenty columns tells from the others."""
    monkeypatch.setattr(doubts, "LOOKED_AT", 100)
    draw, told = np.random.default_rng(0), []
    frame = pl.DataFrame(draw.normal(size=(2_000, 20)))
    model = ConversionModel(shapes=["stepped"], report=told.append)
    model.fit(frame, np.arange(2_000) % 37 == 0)
    assert told == []


def test_a_shape_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="choose some of detailed, smooth, linear, stepped, branched"):
        ConversionModel(shapes=["round"])


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ({"members": 1}, "members is 1: a whole number from 2 on"),
        ({"members": 2.5}, "members is 2.5: a whole number"),
        ({"epochs": 0}, "epochs is 0: a whole number from 1 on"),
        ({"patience": -3}, "patience is -3: a whole number from 1 on"),
        ({"bends": "all"}, "bends is 'all': a whole number from 0 on"),
        ({"hidden": 64.0}, r"hidden is \(64.0,\): a whole number from 1 on"),
        ({"hidden": (64, 0)}, r"hidden is \(64, 0\): a whole number from 1 on"),
        ({"dropout": 1.5}, "dropout is 1.5: a number from 0 to 0.99"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1: a number from 0 on"),
        ({"sparsity": float("nan")}, "sparsity is nan: a number from 0 on"),
        *(({"seed": seed}, "a whole number from 0 to 2147483647") for seed in (None, -1, 2**31, 0.5)),
    ],
)
def test_a_parameter_out_of_its_range_is_named(parameter, says):
    with pytest.raises(ValueError, match=says):
        ConversionModel(**parameter)


def test_the_linear_shape_is_the_mean_of_logistic_regressions_that_each_leave_a_fold_out():
    frame, label, _ = planted(500)
    model = ConversionModel(shapes=["linear"]).fit(frame, label)
    linear = model.shapes_["linear"]
    assert len(linear.network.layers) == 2
    fold, matrix = folds(None, 500, 5, 0), linear.inputs.transform(frame)
    fits = [LogisticRegression(max_iter=500).fit(matrix[fold != k], label[fold != k]) for k in range(5)]
    mean = np.mean([fit.predict_proba(matrix)[:, 1] for fit in fits], axis=0)
    assert model.calibration_.slope == 1
    assert model.predict(frame) == pytest.approx(model.calibration_.apply(logit_of(mean)), abs=1e-5)


def test_the_linear_shape_reads_rare_names():
    """Half of three hundred shops sell, seven rows tell of each."""
    shop = np.random.default_rng(1).permutation(np.arange(2_100) % 300)
    frame = pl.DataFrame({"shop": [f"shop {number:03}" for number in shop], "noise": np.arange(2_100) % 7})
    label = (shop % 2 == 0).astype(int)
    model = ConversionModel(shapes=["linear"]).fit(frame, label)
    assert roc_auc(label, model.out_of_fold_) > 0.95


def test_a_large_table_is_read_in_parts(monkeypatch):
    monkeypatch.setattr(network, "SAMPLE", 300)
    monkeypatch.setattr(network, "PART", 200)
    frame, label, _ = planted(700)
    said = []
    model = ConversionModel(epochs=2, report=said.append).fit(frame, label)
    assert (model.rows_, len(model.out_of_fold_)) == (700, 300)
    assert len(said) == 2
    assert "out-of-fold log loss" in said[0]
    assert said[1].endswith("at most 0 s left")


def test_no_batch_and_one_class_in_batches_are_refused():
    frame, label, _ = planted(200)
    with pytest.raises(TooFewExamples, match="no batch"):
        ConversionModel().fit_batches(lambda: iter(()))
    with pytest.raises(TooFewExamples, match="200 rows with 0 positives"):
        ConversionModel().fit_batches(lambda: [Batch(frame, label * 0)])


def test_batches_of_other_columns_are_refused_by_name_and_other_orders_are_none():
    frame, label, _ = planted(200)
    with pytest.raises(InputsError, match="not every batch has the columns age, city"):
        ConversionModel().fit_batches(lambda: [Batch(frame, label), Batch(frame.drop("age", "city"), label)])
    turned = frame.select(reversed(frame.columns))
    model = ConversionModel(epochs=1).fit_batches(lambda: [Batch(frame, label), Batch(turned, label)])
    assert model.rows_ == 400


@pytest.mark.parametrize("shape", ["linear", "stepped"])
def test_codes_that_lost_their_leading_zeros_are_named(shape):
    frame, label, _ = planted(300)
    codes = pl.Series(["01067", "01069", "10115"] * 100)
    model = ConversionModel(shapes=[shape]).fit(frame.with_columns(zip=codes), label)
    with pytest.raises(InputsError, match=r"another way than in training: zip \(numbers, was '01067'\)"):
        model.predict(frame.with_columns(zip=codes.cast(pl.Int64)))
    assert np.isfinite(model.predict(frame.with_columns(zip=pl.Series(["10115"] * 300)))).all()


def test_empty_cells_of_text_are_missing():
    frame, label, _ = planted(300)
    models = [
        ConversionModel(shapes=["stepped"]).fit(frame.with_columns(plan=pl.Series(cells * 100)), label)
        for cells in (["a", "b", " "], ["a", "b", None], ["", "", ""])
    ]
    with_plan = frame.with_columns(plan=pl.Series(["a", "b", ""] * 100))
    assert np.array_equal(models[0].predict(with_plan), models[1].predict(with_plan))
    assert np.isfinite(models[2].predict(with_plan)).all()


@pytest.mark.parametrize("shape", ["linear", "stepped"])
def test_categories_in_other_letters_or_as_truth_values_are_named_and_new_ones_are_not(shape):
    frame, label, _ = planted(300)
    plan = pl.Series(["Yes", "No", "No"] * 100)
    model = ConversionModel(shapes=[shape]).fit(frame.with_columns(plan=plan), label)
    for other, says in ((plan.str.to_lowercase(), "'no', was 'No'"), (plan == "Yes", "'false', was 'No'")):
        with pytest.raises(InputsError, match=rf"another way than in training: plan \({says}\)"):
            model.predict(frame.with_columns(plan=other))
    for others in (["yes", "No", "NO"], ["perhaps"] * 3, ["yes", "new", "no"]):
        assert np.isfinite(model.predict(frame.with_columns(plan=pl.Series(others * 100)))).all()


@pytest.mark.parametrize("shape", ["linear", "stepped"])
def test_codes_score_alike_as_text_and_as_the_decimals_that_pandas_makes_of_them(shape):
    draw = np.random.default_rng(0)
    store = draw.integers(1, 4, 600)
    label = (draw.random(600) < np.array([0.2, 0.5, 0.8])[store - 1]).astype(int)
    text = pd.DataFrame({"store": store.astype(str)})
    model = ConversionModel(shapes=[shape]).fit(text, label)
    lacking = pd.DataFrame({"store": [1.0, 2.0, 3.0, np.nan]})
    assert (model.predict(lacking)[:3] == model.predict(pd.DataFrame({"store": ["1", "2", "3"]}))).all()


def test_all_rows_of_a_customer_stand_in_one_fold():
    keys = np.array(["a", "b", "c", "d", "e", "f"] * 3)
    fold = folds(keys, len(keys), 5, seed=1)
    assert all(len(set(fold[keys == key])) == 1 for key in set(keys))
    assert set(fold) == {0, 1, 2, 3, 4}


def test_out_of_fold_predictions_do_not_know_a_customers_other_rows():
    """Noise to learn by heart: five rows a customer, whose label is the customer's own coin."""
    draw = np.random.default_rng(0)
    who = np.repeat(np.arange(80), 5)
    coins, marks = draw.random(80) < 0.5, draw.normal(size=(80, 8))
    frame = pl.DataFrame(marks[who], schema=[f"mark_{n}" for n in range(8)])
    model = ConversionModel(epochs=12, learning_rate=0.02, patience=12, shapes=["detailed"]).fit(
        frame, coins[who], who
    )
    assert roc_auc(coins[who], model.predict(frame)) > 0.8
    assert abs(roc_auc(coins[who], model.out_of_fold_) - 0.5) < 0.2


def test_one_class_and_ten_rows_are_too_few():
    frame, _, _ = planted(200)
    with pytest.raises(TooFewExamples, match="200 rows with 0 positives"):
        ConversionModel().fit(frame, np.zeros(200))
    with pytest.raises(TooFewExamples, match="10 rows"):
        ConversionModel().fit(frame.head(10), np.arange(10) % 2)


def test_a_label_is_zero_or_one_and_as_long_as_the_table():
    frame, label, _ = planted(200)
    for wrong, why in (
        (label + 1, "are not, such as 2; say which value counts as 1"),
        (np.where(label, "yes", "no"), "200 of 200 are not"),
        ([None, *label[1:]], "the label is missing in 1 of 200 rows"),
        (label[:50], "200 rows need as many values of the label"),
    ):
        with pytest.raises(ValueError, match=why):
            ConversionModel().fit(frame, wrong)


@pytest.mark.parametrize("name", ["label", "customer_key", "as_of"])
def test_what_pandas_names_in_another_order_is_refused_and_other_names_are_taken_by_place(name):
    table = pd.DataFrame({"spend": np.arange(40.0)}, index=np.arange(40))
    whole = pd.Series(np.arange(40) % 2, index=table.index)
    told = whole if name == "label" else pd.Series(np.arange(40), index=table.index)
    given = {"label": whole, name: told.sample(frac=1, random_state=0)}
    with pytest.raises(ValueError, match=rf"{name} has the table's rows in another order"):
        ConversionModel(shapes=["stepped"]).fit(table, **given)
    for other in (np.arange(100, 140), pd.MultiIndex.from_product([[1], np.arange(40)])):
        given[name] = told.set_axis(other)
        ConversionModel(shapes=["stepped"]).fit(table, **given)


def test_any_two_values_that_read_as_zero_and_one_are_a_label():
    frame, label, _ = planted(200)
    expected = ConversionModel(shapes=["linear"]).fit(frame, label).predict(frame)
    for same in (label == 1, label.astype(float), label.astype(str), label[:, None], pl.Series(label == 1)):
        assert (ConversionModel(shapes=["linear"]).fit(frame, same).predict(frame) == expected).all()


def test_a_model_that_has_not_learnt_says_so(tmp_path):
    for act in (lambda: ConversionModel().predict(planted(20)[0]), lambda: ConversionModel().save(tmp_path)):
        with pytest.raises(NotFittedError, match="call fit or fit_batches first"):
            act()


def test_whose_rows_are_and_when_is_told_of_every_row():
    frame, label, _ = planted(200)
    for told in ({"customer_key": [None] * 3 + ["a"] * 197}, {"as_of": [np.nan] * 3 + [1.0] * 197}):
        with pytest.raises(ValueError, match=f"{next(iter(told))} is missing in 3 of 200 rows"):
            ConversionModel().fit(frame, label, **told)
        with pytest.raises(ValueError, match="200 rows need as many values"):
            ConversionModel().fit(frame, label, **{name: values[:9] for name, values in told.items()})


def test_snapshots_that_do_not_sort_by_time_are_refused():
    days = [date(2026, 1, 31), date(2026, 2, 1)]
    texts = ([f"{day:{form}}" for day in days] for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y%m", "%Y%m%dT%H"))
    for told in (days, *texts, [20260131, 20260201], pl.Series(days)):
        assert snapshots(told, 2).tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"text that does not sort by time, such as '01.02.2026'"):
        snapshots(["31.01.2026", "01.02.2026"], 2)
    for day_first in (["12312025", "01152026"], ["20122025", "21122025"]):
        with pytest.raises(ValueError, match="text that does not sort by time"):
            snapshots(day_first, 2)
    with pytest.raises(ValueError, match="cannot be put in order: date, str; give one type"):
        snapshots([days[0], "2026-02-01"], 2)


def test_batches_grow_and_passes_shrink_with_the_rows():
    assert [passes(rows, 80) for rows in (1_000, 1_000_000, 50_000_000)] == [80, 5, 3]
    assert batch_size(300) == 32
    assert batch_size(30_000) == 256
    assert 200 < 1_000_000 / batch_size(1_000_000) <= 400


def test_calibration_sets_the_level_alone_where_more_does_not_help():
    draw = np.random.default_rng(2)
    logit = draw.normal(size=4_000) - 2
    target = (draw.random(4_000) < sigmoid(logit)).astype(float)
    everywhere, fold = np.ones(4_000, bool), np.arange(4_000) % 5
    for moved in (0.0, -0.05, 1.0):
        fitted = fit_calibration(logit + moved, target, everywhere, fold)
        assert fitted.slope == 1
        assert fitted.apply(logit + moved).mean() == pytest.approx(target.mean(), rel=0.002)


def test_calibration_looks_at_the_newest_snapshot_alone():
    draw = np.random.default_rng(3)
    logit, newest = draw.normal(size=8_000) - 2, np.arange(8_000) >= 4_000
    target = (draw.random(8_000) < sigmoid(logit + newest)).astype(float)
    corrected = fit_calibration(logit, target, newest, np.arange(8_000) % 5)
    assert corrected.apply(logit[newest]).mean() == pytest.approx(target[newest].mean(), rel=0.02)


def test_logits_do_not_overflow():
    assert sigmoid(np.array([-1e6, 0, 1e6])).tolist() == [0, 0.5, 1]
    assert np.isfinite(logit_of(np.array([0.0, 1.0]))).all()
