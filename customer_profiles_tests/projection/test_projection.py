"""The projection learns scale and axes from the training rows, and applies them for ever after."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from customer_profiles.projection.projection import Projection, principal_components

COLUMNS = ["orders_30", "spend_minor_30", "days_since_last_order", "is_member"]


def shoppers(rows: int = 400, seed: int = 7) -> pl.DataFrame:
    """Two planted axes: how much they buy, and whether they are members."""
    random = np.random.default_rng(seed)
    eagerness = random.normal(size=rows)
    return pl.DataFrame(
        {
            "customer_key": [f"{number:032x}" for number in range(rows)],
            "orders_30": np.round(10 + 3 * eagerness + 0.3 * random.normal(size=rows)).astype(int),
            "spend_minor_30": 90_000 + 20_000 * eagerness + 2_000 * random.normal(size=rows),
            "days_since_last_order": 40 - 8 * eagerness + random.normal(size=rows),
            "is_member": random.random(rows) < 0.5,
        }
    )


def test_planted_axes_are_found_and_said_in_words():
    first, second = Projection(0.95).fit(shoppers(), COLUMNS).loadings_in_words(longest=3)

    assert first.startswith("PC1 (74 %): ")
    assert set(first.split(": ")[1].replace("; ", ", ").split(", ")) in (
        {"high orders_30", "spend_minor_30", "low days_since_last_order"},
        {"high spend_minor_30", "orders_30", "low days_since_last_order"},
        {"high days_since_last_order", "low orders_30", "spend_minor_30"},
        {"high days_since_last_order", "low spend_minor_30", "orders_30"},
    )
    assert second.startswith("PC2 (25 %): high is_member")


def test_the_fewest_components_that_reach_the_variance_are_kept():
    for variance in (0.5, 0.9, 0.99):
        shares = Projection(variance).fit(shoppers(), COLUMNS).explained_variance_ratio_
        assert shares.sum() >= variance
        assert shares[:-1].sum() < variance


def test_largest_loading_of_each_axis_is_positive_however_the_rows_come():
    frame = shoppers()
    fits = [Projection(0.99).fit(rows, COLUMNS) for rows in (frame, frame.reverse())]

    for fit in fits:
        largest = np.abs(fit.components_).argmax(axis=1)
        assert (fit.components_[np.arange(len(largest)), largest] > 0).all()
    np.testing.assert_allclose(fits[0].components_, fits[1].components_, atol=1e-8)


def test_components_are_uncorrelated_and_centred_on_the_training_rows():
    frame = shoppers()
    projection = Projection(0.99).fit(frame, COLUMNS)
    components = projection.transform(frame)

    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(
        np.cov(components.T), np.diag(projection.explained_variance_), atol=1e-8, rtol=1e-8
    )


def test_transform_equals_scikit_learn():
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    frame = shoppers()
    ours = Projection(0.9).fit(frame, COLUMNS).transform(frame)
    matrix = frame.select(pl.col(name).cast(pl.Float64) for name in COLUMNS).to_numpy()
    theirs = PCA(0.9).fit_transform(StandardScaler().fit_transform(matrix))

    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-9)


def test_scoring_other_customers_does_not_refit():
    projection = Projection().fit(shoppers(), COLUMNS)
    one, crowd = shoppers(1, seed=1), shoppers(50, seed=1)
    together = projection.transform(pl.concat([one, crowd.with_columns(spend_minor_30=pl.lit(1e9))]))

    np.testing.assert_allclose(projection.transform(one)[0], together[0], rtol=1e-12)


def test_unknown_counts_as_the_training_mean_and_the_result_is_always_finite():
    frame = shoppers().with_columns(pl.col("days_since_last_order") / 1_000)
    projection = Projection(0.99).fit(frame, COLUMNS)
    unknown = pl.DataFrame(
        {
            "orders_30": [None, None],
            "spend_minor_30": [float("nan"), float("inf")],
            "days_since_last_order": [None, 1e308],
            "is_member": [None, True],
        },
        schema_overrides={"orders_30": pl.Int64},
    )

    components = projection.transform(unknown)

    np.testing.assert_allclose(components[0], 0, atol=1e-12)
    assert np.isfinite(components).all()


def test_columns_without_information_are_dropped_and_named():
    frame = shoppers().with_columns(always=pl.lit(3), never=pl.lit(None, pl.Float64))
    projection = Projection().fit(frame, ["always", *COLUMNS, "never"])

    assert projection.dropped_ == ["always", "never"]
    assert projection.columns_ == COLUMNS


def test_missing_values_in_training_stand_at_the_mean_of_the_known():
    frame = pl.DataFrame({"a": [1.0, 2.0, None, 3.0], "b": [0, 1, 1, 0]})

    assert Projection().fit(frame, ["a", "b"]).mean_.tolist() == [2.0, 0.5]


def test_reloaded_projection_gives_equal_components_and_no_pickle_is_written(tmp_path):
    frame = shoppers()
    projection = Projection(0.8).fit(frame, COLUMNS)
    projection.save(tmp_path / "projection")

    again = Projection.load(tmp_path / "projection")

    np.testing.assert_array_equal(again.transform(frame), projection.transform(frame))
    assert (again.variance, again.columns_, again.dropped_) == (0.8, COLUMNS, [])
    assert again.loadings_in_words() == projection.loadings_in_words()
    assert sorted(file.name for file in (tmp_path / "projection").iterdir()) == [
        "projection.json",
        "projection.npz",
    ]
    assert json.loads((tmp_path / "projection" / "projection.json").read_text())["columns"] == COLUMNS


def test_principal_components_stand_beside_their_customer():
    frame = shoppers(20)
    projection = Projection(0.99).fit(frame, COLUMNS)
    table = principal_components(projection, frame)

    assert table.columns == ["customer_key", *projection.names]
    assert table["customer_key"].to_list() == frame["customer_key"].to_list()
    assert table["component_1"].to_list() == projection.transform(frame)[:, 0].tolist()
    assert principal_components(projection, frame.clear()).height == 0


def test_absent_columns_are_named():
    projection = Projection().fit(shoppers(), COLUMNS)

    with pytest.raises(ValueError, match=r"lacks 2 of 4 columns: orders_30, is_member"):
        projection.transform(shoppers().drop("orders_30", "is_member"))


@pytest.mark.parametrize(
    ("variance", "frame", "columns", "message"),
    [
        (1.5, shoppers(), COLUMNS, "variance must lie above 0 and below 1, got 1.5"),
        (0.9, shoppers(1), COLUMNS, "at least two customers"),
        (0.9, shoppers(), ["customer_key"], "customer_key \\(String\\)"),
        (0.9, pl.DataFrame({"a": [1, 1], "b": [2, None]}), ["a", "b"], "none of the 2 columns varies: a, b"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(variance, frame, columns, message):
    with pytest.raises(ValueError, match=message):
        Projection(variance).fit(frame, columns)
