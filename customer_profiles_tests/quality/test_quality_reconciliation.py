"""Rows that got lost or appeared from nowhere are found and counted."""

from __future__ import annotations

import pytest

from customer_profiles.quality.reconciliation import (
    ids_are_new,
    keys_tell_apart,
    orphans_are_few,
    quarantined_are_few,
    rows_add_up,
)

GOOD = {"received": 10, "accepted": 6, "repaired": 1, "quarantined": 2, "duplicate": 1}


def test_rows_with_a_fate_each_add_up():
    finding = rows_add_up({"orders": GOOD, "events": dict.fromkeys(GOOD, 0)})
    assert finding.passed
    assert finding.details[0] == {"table": "orders", **GOOD, "unaccounted": 0}


@pytest.mark.parametrize(("received", "words"), [(12, "orders: 2 rows lost"), (9, "orders: 1 rows invented")])
def test_lost_and_invented_rows_are_counted_where_they_are(received, words):
    finding = rows_add_up({"orders": GOOD | {"received": received}, "events": GOOD})
    assert not finding.passed
    assert finding.severity == "error"
    assert finding.value == abs(received - 10)
    assert words in finding.says
    assert "events" not in finding.says


@pytest.mark.parametrize(
    ("orphans", "passed", "severity"),
    [(0, True, "warn"), (10, True, "warn"), (11, False, "warn"), (50, False, "warn"), (51, False, "error")],
)
def test_orphans_warn_above_one_share_and_fail_above_another(orphans, passed, severity):
    finding = orphans_are_few(1_000, orphans, warn_share=0.01, error_share=0.05)
    assert (finding.passed, finding.severity) == (passed, severity)


def test_no_rows_have_no_orphans():
    assert orphans_are_few(0, 0, warn_share=0.01, error_share=0.05).passed


@pytest.mark.parametrize(
    ("rows", "displaced", "passed"),
    [(0, 0, True), (10, 5, True), (1_000, 50, True), (1_000, 51, False), (9, 6, False)],
)
def test_many_rows_of_one_key_warn(rows, displaced, passed):
    finding = keys_tell_apart(rows, displaced, ["order_id", "line_number"])
    assert (finding.passed, finding.severity) == (passed, "warn")
    assert f"{displaced} of {rows:,} rows" in finding.says
    assert "have the order_id, line_number of another one" in finding.says


@pytest.mark.parametrize(
    ("orders", "reused", "passed"),
    [(0, 0, True), (10, 5, True), (1_000, 10, True), (1_000, 11, False), (6, 6, False)],
)
def test_many_orders_under_ids_of_others_warn(orders, reused, passed):
    finding = ids_are_new(orders, reused)
    assert (finding.passed, finding.severity) == (passed, "warn")
    assert f"{reused} of {orders:,} orders" in finding.says
    assert ("its lines count no more" in finding.says) is not passed


def held_of(table, received, held):
    return {"table": table, "received": received, "quarantined": held, "rule": "status|unparsable"}


@pytest.mark.parametrize(
    ("received", "held", "passed"),
    [(6, 5, True), (1_000, 50, True), (1_000, 51, False), (9, 6, False)],
)
def test_many_rows_of_a_table_in_quarantine_warn(received, held, passed):
    finding = quarantined_are_few([held_of("orders", received, held), held_of("events", 10_000, 9)])
    assert (finding.passed, finding.severity) == (passed, "warn")
    assert (f"orders: {held} of {received:,} rows" in finding.says) is not passed
    assert "events" not in finding.says
    assert finding.details[0] == held_of("orders", received, held)


def test_no_rows_in_quarantine_are_few():
    assert quarantined_are_few([]).passed


def test_a_few_rows_of_a_small_table_are_no_share_above_the_threshold_that_passed():
    finding = quarantined_are_few([held_of("partner_attributes", 5, 1)])
    assert (finding.passed, finding.value) == (True, 0)
