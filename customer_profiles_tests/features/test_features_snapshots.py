"""Which days are trained on, and who never trains."""

import hashlib
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest

from customer_profiles.features.snapshots import days_to_compute, is_held_out, training_snapshots
from customer_profiles.settings import LabelSettings

FIRST = date(2026, 1, 1)
DEMO = LabelSettings(gap_days=1, horizon_days=14, maturity_days=7, smallest_history_days=7)
RANGE = [FIRST + timedelta(days=n) for n in range(90)]


def test_the_newest_snapshot_is_the_newest_with_a_mature_label():
    newest = training_snapshots(RANGE, FIRST, RANGE[-1], DEMO)[-1]
    closes = newest + timedelta(days=1)
    last_label_day = closes + timedelta(days=1 + 14 - 1)
    assert last_label_day + timedelta(days=7) == RANGE[-1]


def test_snapshots_lie_gap_and_horizon_apart_and_after_some_history():
    days = training_snapshots(RANGE, FIRST, RANGE[-1], DEMO)
    assert [(day - FIRST).days for day in days] == [7, 22, 37, 52, 67]


def test_history_counts_from_the_first_delivery_not_from_the_first_day_of_the_range():
    days = training_snapshots(RANGE, FIRST + timedelta(days=16), RANGE[-1], DEMO)
    assert [(day - FIRST).days for day in days] == [37, 52, 67]


def test_a_label_window_ends_before_the_next_profile_closes():
    days = training_snapshots(RANGE, FIRST, RANGE[-1], DEMO)
    for earlier, later in pairwise(days):
        label_ends = earlier + timedelta(days=1 + 1 + 14)
        assert label_ends <= later + timedelta(days=1)


def test_only_available_days_are_chosen():
    gaps = [day for day in RANGE if (day - FIRST).days not in (52, 67)]
    days = training_snapshots(gaps, FIRST, RANGE[-1], DEMO)
    assert [(day - FIRST).days for day in days] == [21, 36, 51, 66]
    assert set(days) <= set(gaps)


@pytest.mark.parametrize("days", [[], RANGE[:5], RANGE[:29]])
def test_a_young_home_has_no_snapshot(days):
    assert training_snapshots(days, FIRST, days[-1] if days else FIRST, DEMO) == []


def test_a_range_computes_its_snapshots_and_its_newest_days():
    days = days_to_compute(RANGE, FIRST, DEMO, recent_days=3)
    assert [(day - FIRST).days for day in days] == [7, 22, 37, 52, 67, 87, 88, 89]
    assert days_to_compute(RANGE[:5], FIRST, DEMO, recent_days=14) == RANGE[:5]
    assert days_to_compute([], FIRST, DEMO, recent_days=14) == []


def test_a_fifth_is_held_out_and_stays_so_whoever_else_is_there():
    keys = pl.Series([hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in range(20_000)])
    held = is_held_out(keys, 0.2)
    assert held.mean() == pytest.approx(0.2, abs=0.01)
    assert is_held_out(keys.reverse(), 0.2).reverse().equals(held)
    assert is_held_out(keys.head(10), 0.2).equals(held.head(10))


def test_the_lowest_keys_are_held_out():
    keys = pl.Series(["33333333" + "0" * 24, "33333332" + "f" * 24, "f" * 32])
    assert is_held_out(keys, 0.2).to_list() == [False, True, False]
