"""What sets segments apart, who moved, and whether the segments deserve trust."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from customer_profiles.segments.differences import migration, what_sets_apart
from customer_profiles.segments.findings import (
    segments_are_apart,
    segments_are_stable,
    smallest_segment_is_large_enough,
)
from customer_profiles.segments.plots import segment_heat_map, segment_sizes_plot
from customer_profiles.segments.segmentation import Segmentation
from customer_profiles.segments.stability import Stability, bootstrap_stability

TRAITS = ["night_share", "discount_share", "items_per_order"]


def customers(apart: float, rows: int = 600) -> pl.DataFrame:
    """Four kinds of customer in three traits, so many standard deviations apart."""
    random = np.random.default_rng(11)
    centres = apart * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]])
    points = centres[np.arange(rows) % 4] + random.normal(size=(rows, 3))
    return pl.DataFrame(points, schema=TRAITS).with_columns(
        customer_key=pl.Series([f"{number:05d}" for number in range(rows)])
    )


@pytest.fixture(scope="module")
def clear() -> Segmentation:
    return Segmentation(fewest=4, most=5).fit(customers(apart=6), TRAITS)


def test_what_sets_apart_names_size_share_and_the_three_largest_differences(clear):
    table = what_sets_apart(clear)

    assert table["segment"].to_list() == clear.names_
    assert table["customers"].to_list() == [150, 150, 150, 150]
    assert table["share"].to_list() == [0.25] * 4
    night = table.filter(segment="Night shoppers")["differences"].item()
    assert night.startswith("high night_share (")
    assert len(night.split("; ")) == 3


def test_migration_counts_every_customer_of_two_fits_once(clear):
    two = Segmentation(fewest=2, most=2).fit(customers(apart=6), TRAITS)

    moved = migration(clear, two, customers(apart=6))

    assert moved["customers"].sum() == 600
    assert set(moved["from_segment"]) == set(clear.names_)
    assert set(moved["to_segment"]) == set(two.names_)
    assert moved.group_by("from_segment").agg(pl.col("share").sum())["share"].to_list() == [1.0] * 4
    assert migration(clear, clear, customers(apart=6)).select("customers", "share").rows() == [(150, 1.0)] * 4


def test_a_difference_that_the_means_do_not_show_is_not_told(clear):
    told = Segmentation.__new__(Segmentation)
    told.names_, told.sizes_ = ["Night shoppers"], [10]
    rows = [
        ("Night shoppers", "orders_90", 2.78, 3.30, 0.9),
        ("Night shoppers", "items_per_order", 2.312, 2.309, 0.8),
        ("Night shoppers", "night_share", 0.5, 0.2, 0.7),
        ("Night shoppers", "discount_share", None, 0.2, -0.1),
    ]
    told.profile_ = pl.DataFrame(rows, schema=clear.profile_.schema, orient="row")

    assert what_sets_apart(told)["differences"].item() == "high night_share (0.50, all 0.20)"


def test_what_sets_apart_counts_the_customers_of_the_day_if_there_are_any(clear):
    day = pl.DataFrame({"segment": [clear.names_[1]] * 3 + [clear.names_[0]]})

    assert what_sets_apart(clear, day)["customers"].to_list() == [1, 3, 0, 0]
    assert what_sets_apart(clear, day.clear())["share"].to_list() == [0.0] * 4


def test_clear_segments_are_stable_and_chance_ones_are_not(clear):
    stable = bootstrap_stability(clear, customers(apart=6), rounds=5)
    points = np.random.default_rng(2).normal(size=(600, 12))
    noise = pl.DataFrame(points, schema=[f"trait_{number}" for number in range(12)])
    chance = bootstrap_stability(Segmentation().fit(noise, noise.columns), noise, rounds=5)

    assert stable.mean > 0.95
    assert segments_are_stable(stable).passed
    assert chance.mean < 0.6
    finding = segments_are_stable(chance)
    assert (finding.passed, finding.severity) == (False, "warn")
    assert finding.says.startswith("unstable")
    assert bootstrap_stability(clear, customers(apart=6), rounds=5) == stable


def test_each_round_fits_other_customers():
    frame = customers(apart=2)
    rounds = bootstrap_stability(Segmentation(fewest=4, most=4).fit(frame, TRAITS), frame, rounds=4).rounds

    assert len(set(rounds)) == 4
    assert 0.6 < min(rounds) <= max(rounds) < 1


def test_stability_needs_a_round(clear):
    with pytest.raises(ValueError, match="at least one round, got 0"):
        bootstrap_stability(clear, customers(apart=6), rounds=0)
    assert segments_are_stable(Stability([0.5, 0.7])).value == 0.6


def test_a_segment_that_shrank_away_is_found(clear):
    names = clear.names_
    day = pl.DataFrame({"segment": [names[0]] * 98 + [names[1]] * 2})
    finding = smallest_segment_is_large_enough(clear, day)

    assert (finding.passed, finding.value, finding.threshold) == (False, 0.0, 0.03)
    assert [row["customers"] for row in finding.details] == [98, 2, 0, 0]
    assert smallest_segment_is_large_enough(clear, pl.DataFrame({"segment": names * 5})).passed


def test_silhouette_tells_structure_from_noise(clear):
    assert segments_are_apart(clear).passed
    assert segments_are_apart(clear).value > 0.5
    assert not segments_are_apart(clear, smallest=0.99).passed
    assert [row["chosen"] for row in segments_are_apart(clear).details] == [True, False]


def test_plots_are_drawn(clear):
    assert segment_sizes_plot(clear).startswith(b"\x89PNG")
    assert segment_heat_map(clear).startswith(b"\x89PNG")
