"""Names are plain, follow from the strongest traits, and no two segments share one."""

from __future__ import annotations

import pytest

from customer_profiles.features.catalogue import TRAITS
from customer_profiles.segments.naming import PLACES, WORDS, segment_names, without_window
from customer_profiles.segments.traits import SEGMENTATION_TRAITS


@pytest.mark.parametrize(
    ("differences", "name"),
    [
        ({"orders_30": 1.2, "evening_share": 1.1, "channel_share_app": 0.9}, "Frequent evening app shoppers"),
        ({"discount_share": 2.0, "orders_30": 0.1}, "Bargain hunters"),
        ({"days_since_last_order": 1.5, "items_per_order": -0.8}, "Less recent small-basket buyers"),
        ({"orders_lifetime": -0.9, "weekend_share": 0.8}, "Infrequent weekend shoppers"),
        ({"orders_30": 0.3, "evening_share": -2.0}, "Average customers"),
    ],
)
def test_a_name_tells_the_strongest_traits(differences, name):
    assert segment_names([differences]) == [name]


def test_of_two_traits_for_one_place_of_the_name_the_stronger_speaks():
    assert segment_names([{"night_share": 0.9, "morning_share": 1.4, "afternoon_share": -3.0}]) == [
        "Morning shoppers"
    ]


def test_a_name_has_three_words_unless_two_segments_would_share_it():
    strong = {"night_share": 2.0, "channel_share_web": 1.5, "discount_share": 1.0}
    frequent, rare = strong | {"orders_90": 0.9}, strong | {"orders_90": -0.9}

    assert segment_names([frequent]) == ["Night web bargain hunters"]
    assert segment_names([frequent, rare]) == [
        "Frequent night web bargain hunters",
        "Infrequent night web bargain hunters",
    ]


def test_segments_that_differ_in_nothing_are_numbered():
    assert segment_names([{"orders_30": 0.0}, {"discount_share": 1.0}, {"orders_30": 0.1}]) == [
        "Average customers 1",
        "Bargain hunters",
        "Average customers 2",
    ]


def test_traits_are_those_of_the_catalogue():
    assert set(SEGMENTATION_TRAITS) <= set(TRAITS)
    assert {TRAITS[name].kind for name in SEGMENTATION_TRAITS} == {"number"}
    assert set(WORDS) <= {without_window(name) for name in TRAITS}
    assert {words.place for words in WORDS.values()} == set(PLACES)


def test_windows_are_no_part_of_a_traits_meaning():
    assert [without_window(name) for name in ("orders_30", "orders_lifetime", "channel_share_web")] == [
        "orders",
        "orders",
        "channel_share_web",
    ]
