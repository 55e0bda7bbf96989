"""Planted kinds of customer come out as segments, with names that tell them apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

from customer_profiles.segments.segmentation import Segmentation

TRAITS = ["orders_90", "spend_minor_90", "evening_share", "channel_share_app", "discount_share"]
PLANTED = {
    # orders a quarter, money an order, evening, app, discount
    "night owls": (4.0, 10_000, 0.9, 0.8, 0.1),
    "bargains": (6.0, 3_000, 0.3, 0.1, 0.8),
    "rare": (0.3, 15_000, 0.3, 0.2, 0.1),
    "premium": (5.0, 90_000, 0.1, 0.9, 0.0),
}


def customers(each: int = 150, seed: int = 5) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    for kind, (orders, money, evening, app, discount) in PLANTED.items():
        bought = random.poisson(orders, each)
        shares = [
            random.beta(20 * mean + 0.5, 20 * (1 - mean) + 0.5, each) for mean in (evening, app, discount)
        ]
        spent = bought * money * np.exp(random.normal(0, 0.3, each))
        rows.append(
            pl.DataFrame({"kind": [kind] * each, **dict(zip(TRAITS, [bought, spent, *shares], strict=True))})
        )
    frame = pl.concat(rows)
    keys = random.permutation(frame.height)
    return frame.with_columns(customer_key=pl.Series([f"{key:032x}" for key in keys]))


@pytest.fixture(scope="module")
def fitted() -> Segmentation:
    return Segmentation().fit(customers(), TRAITS)


def test_planted_kinds_are_found_in_customers_never_seen(fitted):
    others = customers(seed=6)

    found = fitted.predict(others)

    assert fitted.k_ == 4
    assert adjusted_rand_score(others["kind"], found["segment"]) > 0.9


def test_each_customer_gets_one_named_segment_and_a_confidence(fitted):
    frame = customers(seed=6)
    found = fitted.predict(frame)

    assert found.columns == ["customer_key", "segment", "segment_confidence"]
    assert found["customer_key"].to_list() == frame["customer_key"].to_list()
    assert set(found["segment"]) == set(fitted.names_)
    assert found["segment_confidence"].is_between(0, 1).all()
    assert fitted.predict(frame.clear()).height == 0


def test_confidence_is_high_in_a_centre_and_low_between_two(fitted):
    centre, other = fitted.centres_[:2]
    raw = (np.stack([centre, (centre + other) / 2]) * fitted.scale_) + fitted.mean_
    raw = np.where(fitted.logged_, np.expm1(raw), raw)
    rows = pl.DataFrame(raw, schema=fitted.columns_).with_columns(customer_key=pl.lit("x"))

    in_the_centre, between = fitted.predict(rows)["segment_confidence"]

    assert in_the_centre == pytest.approx(1, abs=1e-6)
    assert between < 0.2


def test_segments_do_not_depend_on_the_order_of_rows_and_refits_are_equal(fitted):
    again = Segmentation().fit(customers().sample(fraction=1, shuffle=True, seed=9), TRAITS)

    assert again.names_ == fitted.names_
    np.testing.assert_array_equal(again.centres_, fitted.centres_)
    np.testing.assert_array_equal(again.sizes_, fitted.sizes_)


def test_the_largest_segment_comes_first():
    frame = pl.concat([customers(), customers(seed=8).filter(pl.col("kind") == "premium")])
    fitted = Segmentation().fit(frame, TRAITS)

    assert fitted.sizes_.tolist() == sorted(fitted.sizes_, reverse=True)
    assert fitted.predict(frame.filter(kind="premium"))["segment"].mode()[0] == fitted.names_[0]


def test_reloaded_segmentation_gives_equal_segments(fitted, tmp_path):
    fitted.save(tmp_path / "segmentation")
    again = Segmentation.load(tmp_path / "segmentation")
    others = customers(seed=6)

    assert again.predict(others).equals(fitted.predict(others))
    assert again.profile_.equals(fitted.profile_)
    assert (again.k_, again.names_, again.columns_) == (fitted.k_, fitted.names_, fitted.columns_)
    assert again.silhouette_by_k_ == fitted.silhouette_by_k_
    assert again.smallest_share_by_k_ == fitted.smallest_share_by_k_
    assert {file.suffix for file in (tmp_path / "segmentation").iterdir()} == {".npz", ".json"}


def blobs(*sizes_and_places: tuple[int, float, float]) -> pl.DataFrame:
    """Round crowds of customers in the plane of two traits."""
    random = np.random.default_rng(4)
    points = [random.normal((x, y), 1.0, (size, 2)) for size, x, y in sizes_and_places]
    return pl.DataFrame(np.concatenate(points), schema=["a", "b"])


def test_as_many_segments_are_taken_as_there_are_kinds():
    assert Segmentation(fewest=2, most=6).fit(customers(), TRAITS).k_ == 4
    assert (
        Segmentation(fewest=2, most=6).fit(blobs((200, 0, 0), (200, 9, 0), (200, 0, 9)), ["a", "b"]).k_ == 3
    )


def test_of_two_about_equal_numbers_of_segments_the_smaller_is_taken():
    pairs = blobs((200, 0, 0), (200, 4.7, -4.7), (200, 10, 10), (200, 14.7, 5.3))
    fitted = Segmentation(fewest=2, most=4).fit(pairs, ["a", "b"])
    two, four = fitted.silhouette_by_k_[2], fitted.silhouette_by_k_[4]

    assert two < four < 1.05 * two
    assert fitted.k_ == 2


def test_a_number_of_segments_with_a_tiny_one_is_passed_over():
    frame = blobs((300, 0, 0), (300, 30, 0), (20, 30, 30))

    assert Segmentation(fewest=2, most=3, smallest_share=0.01).fit(frame, ["a", "b"]).k_ == 3
    fitted = Segmentation(fewest=2, most=3, smallest_share=0.1).fit(frame, ["a", "b"])
    assert fitted.silhouette_by_k_[3] > fitted.silhouette_by_k_[2]
    assert fitted.k_ == 2


def test_where_no_number_has_the_smallest_share_the_fewest_are_taken():
    fitted = Segmentation(fewest=5, most=8, smallest_share=0.19).fit(customers(), TRAITS)

    assert max(fitted.smallest_share_by_k_.values()) < 0.19
    assert fitted.k_ == 5


def test_one_odd_customer_pulls_no_farther_than_four_standard_deviations():
    odd = customers(1).with_columns(spend_minor_90=pl.lit(1e15), evening_share=pl.lit(-50.0))

    assert np.abs(Segmentation().fit(customers(), TRAITS).standardise(odd)).max() == 4.0


def test_heavy_tails_are_logged_and_shares_are_not(fitted):
    assert dict(zip(fitted.columns_, fitted.logged_.tolist(), strict=True)) == {
        "orders_90": True,
        "spend_minor_90": True,
        "evening_share": False,
        "channel_share_app": False,
        "discount_share": False,
    }


def test_what_is_unknown_draws_towards_no_segment_and_unknown_columns_are_dropped():
    frame = customers().with_columns(
        discount_share=pl.when(pl.col("orders_90") > 0).then("discount_share"),
        degree=pl.lit(None, pl.Int64),
        always=pl.lit(1),
    )
    fitted = Segmentation().fit(frame, [*TRAITS, "degree", "always"])
    stranger = pl.DataFrame({"customer_key": ["x"], **{name: [None] for name in TRAITS}})

    assert fitted.dropped_ == ["degree", "always"]
    assert fitted.standardise(stranger).tolist() == [[0.0] * len(TRAITS)]
    assert fitted.predict(stranger)["segment_confidence"].item() < 0.3


def test_the_profile_tells_means_in_their_own_unit(fitted):
    frame = customers()
    parted = frame.join(fitted.predict(frame), on="customer_key")
    expected = dict(parted.group_by("segment").agg(pl.col("spend_minor_90").mean()).iter_rows())
    told = fitted.profile_.filter(trait="spend_minor_90")

    assert fitted.profile_.height == fitted.k_ * len(TRAITS)
    assert dict(told.select("segment", "mean").iter_rows()) == pytest.approx(expected)
    assert told["overall_mean"].unique().item() == pytest.approx(frame["spend_minor_90"].mean())
    assert fitted.profile_.sort("z")["trait"].last() in TRAITS


@pytest.mark.parametrize(
    ("parameters", "frame", "columns", "message"),
    [
        ({"fewest": 9}, customers(), TRAITS, "segments from 9 to 8"),
        ({"smallest_share": 0.5}, customers(), TRAITS, "smallest_share must lie above 0 .* got 0.5"),
        ({}, customers(5), TRAITS, "at least 50 customers, got 20"),
        ({}, customers(), ["kind"], "kind \\(String\\)"),
        ({}, customers(), [*TRAITS, "degree"], "lacks 1 of 6 columns: degree"),
        ({}, customers().with_columns(a=pl.lit(1)), ["a"], "none of the 1 traits varies: a"),
    ],
)
def test_what_cannot_be_parted_is_refused(parameters, frame, columns, message):
    with pytest.raises(ValueError, match=message):
        Segmentation(**parameters).fit(frame, columns)
