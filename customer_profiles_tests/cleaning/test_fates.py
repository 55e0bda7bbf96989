"""Every delivered row is accepted, repaired, quarantined or a duplicate, and the four add up."""

from __future__ import annotations

import json
from datetime import date, timedelta

import polars as pl
import pytest

from customer_profiles.cleaning.clean import clean_days, days_to_run_again, quarantine_days
from customer_profiles.cleaning.fates import displaced
from customer_profiles.cleaning.orphans import orphan_counts
from customer_profiles.cleaning.reused import reused_orders
from customer_profiles.cleaning.tables import CLEANED, QUARANTINE
from customer_profiles.collection.tables import RAW
from customer_profiles.contracts.stored import key_columns

DAY = date(2026, 3, 3)
NEXT, LATER = DAY + timedelta(days=1), DAY + timedelta(days=2)
FATES = ("accepted", "repaired", "quarantined", "duplicate")


def quarantine(shop, day: date = DAY) -> pl.DataFrame:
    quarantine_days(shop.warehouse, day, day)
    return shop.warehouse.frame(QUARANTINE, day, day)


def fates(shop, table: str, day: date = DAY) -> dict[str, int]:
    """Counts of a day after its quarantine was written, once they were seen to add up."""
    quarantine(shop, day)
    (counted,) = shop.fates(table, day, day)
    assert counted["received"] == sum(counted[fate] for fate in FATES)
    return {fate: counted[fate] for fate in FATES if counted[fate]}


def test_each_row_has_one_of_four_fates(shop, sound) -> None:
    good = sound("orders")
    rows = [good, good, sound("orders", quantity="０"), sound("orders", line_number="2", quantity="3.0")]
    cleaned = shop.take("orders", rows)
    assert cleaned["row_number"].to_list() == [1, 4]
    assert fates(shop, "orders") == {"accepted": 1, "repaired": 1, "quarantined": 1, "duplicate": 1}


def test_an_exact_copy_leaves_the_first_row(shop, sound) -> None:
    event = sound("events")
    assert shop.take("events", [event, event, event])["row_number"].to_list() == [1]
    assert fates(shop, "events") == {"accepted": 1, "duplicate": 2}


def test_an_exact_copy_of_a_broken_row_is_a_duplicate(shop, sound) -> None:
    broken = sound("orders", quantity="0")
    assert shop.take("orders", [broken, broken]).is_empty()
    assert fates(shop, "orders") == {"quarantined": 1, "duplicate": 1}


@pytest.mark.parametrize("table", ["events", "orders", "customers"])
def test_of_one_key_the_newest_row_of_a_delivery_wins(shop, sound, table: str) -> None:
    note = {"events": "device", "orders": "coupon_id", "customers": "city"}[table]
    rows = [sound(table, **{note: place}) for place in ("first", "second", "third")]
    cleaned = shop.take(table, rows)
    assert (cleaned["row_number"].to_list(), cleaned[note].to_list()) == ([3], ["third"])
    assert fates(shop, table) == {"accepted": 1, "duplicate": 2}


def test_rows_that_others_of_their_key_displace_are_counted_copies_and_later_deliveries_are_not(
    shop, sound
) -> None:
    line, other = sound("orders"), sound("orders", line_number="2")
    shop.take("orders", [line, line, sound("orders", amount_minor="7"), sound("orders", quantity="0"), other])
    shop.take("orders", [line], day=NEXT)
    raw = shop.warehouse.read(RAW["orders"], DAY, NEXT)
    counts = shop.warehouse.collect(displaced(raw, key_columns("orders")).sort("delivery_day"))
    assert counts.rows() == [(DAY, 3, 1), (NEXT, 1, 0)]


def test_copies_that_came_in_two_loads_of_a_day_displace_nobody(shop, sound) -> None:
    lines = [sound("orders", line_number=str(number)) for number in (1, 2, 3)]
    shop.run("orders", DAY)
    shop.deliver("orders", lines[:2])
    shop.deliver("orders", lines, day=NEXT)
    shop.run("orders", NEXT)
    raw = shop.warehouse.read(RAW["orders"], NEXT, NEXT)
    assert shop.warehouse.collect(displaced(raw, key_columns("orders"))).rows() == [(NEXT, 5, 0)]


def test_the_newest_row_is_that_of_the_last_file(shop, sound) -> None:
    folder = shop.deliveries / "events" / str(DAY)
    folder.mkdir(parents=True)
    for part, device in (("10.ndjson", "phone"), ("09.ndjson", "desk")):
        (folder / part).write_text(json.dumps(sound("events", device=device)))
    shop.load("events")
    assert shop.clean("events")["device"].to_list() == ["phone"]
    assert fates(shop, "events") == {"accepted": 1, "duplicate": 1}


@pytest.mark.parametrize("broken_first", [True, False])
def test_a_good_row_beside_its_broken_copy_stays(shop, sound, broken_first: bool) -> None:
    rows = [sound("events", dwell_ms=-1), sound("events", dwell_ms=5)]
    cleaned = shop.take("events", rows if broken_first else rows[::-1])
    assert cleaned["dwell_ms"].to_list() == [5]
    assert fates(shop, "events") == {"accepted": 1, "quarantined": 1}


def test_an_event_counts_once_in_its_first_arrival(shop, sound) -> None:
    shop.take("events", [sound("events", device="phone")])
    assert shop.take("events", [sound("events", device="desk")], day=NEXT).is_empty()
    assert shop.clean("events")["device"].to_list() == ["phone"]
    assert fates(shop, "events") == {"accepted": 1}
    assert fates(shop, "events", NEXT) == {"duplicate": 1}


def test_an_event_that_arrived_broken_counts_when_it_arrives_sound(shop, sound) -> None:
    shop.take("events", [sound("events", dwell_ms=-1)])
    assert shop.take("events", [sound("events")], day=NEXT).height == 1
    assert fates(shop, "events") == {"quarantined": 1}
    assert fates(shop, "events", NEXT) == {"accepted": 1}


def test_versions_all_stay(shop, sound) -> None:
    paid, sent = sound("orders"), sound("orders", status="shipped", status_at="2026-03-03 13:00:00")
    assert shop.take("orders", [paid, sent]).height == 2
    assert shop.take("orders", [paid], day=NEXT).height == 1
    assert (fates(shop, "orders"), fates(shop, "orders", NEXT)) == ({"accepted": 2}, {"accepted": 1})


def test_rows_of_different_keys_are_no_duplicates(shop, sound) -> None:
    rows = [sound("events", event_id="E1"), sound("events", event_id="E2"), sound("events", event_id="e1")]
    assert shop.take("events", rows).height == 3


def test_cleaning_again_gives_equal_rows_whatever_came_later(shop, sound) -> None:
    before = shop.take("events", [sound("events"), sound("events", event_id="E2", event_name="?")])
    shop.take("events", [sound("events"), sound("events", event_id="E3")], day=NEXT)
    assert shop.clean("events").equals(before)


def test_days_cleaned_together_are_as_if_each_was_cleaned_alone(shop, sound, monkeypatch) -> None:
    days = [DAY, NEXT, LATER]
    for day in days:
        rows = [sound("orders"), sound("orders", quantity="0"), sound("orders", amount_minor="7")]
        shop.take("orders", [*rows, sound("orders", line_number="2")], day=day)
    alone = shop.warehouse.frame(CLEANED["orders"])
    shop.warehouse.write(CLEANED["orders"], {"delivery_day": NEXT}, alone.clear())
    assert clean_days(shop.warehouse, "orders", days) == dict.fromkeys(days, 2)
    assert shop.warehouse.frame(CLEANED["orders"]).equals(alone)
    monkeypatch.setattr("customer_profiles.cleaning.clean.MOST_ROWS_AT_ONCE", 8)
    assert list(clean_days(shop.warehouse, "orders", days)) == [DAY, NEXT]


def test_of_days_cleaned_together_an_event_counts_in_its_first(shop, sound) -> None:
    of_days = {
        DAY: [sound("events", event_id="E0")],
        NEXT: [sound("events", quantity="1"), sound("events", quantity="2"), sound("events", event_id="E0")],
        LATER: [sound("events", quantity="3"), sound("events", event_id="E2")],
    }
    for day, rows in of_days.items():
        shop.take("events", rows, day=day)
    alone = shop.warehouse.frame(CLEANED["events"])
    assert alone.select("delivery_day", "event_id", "quantity").rows()[1:] == [
        (NEXT, "E1", 2), (LATER, "E2", None)
    ]  # fmt: skip
    assert clean_days(shop.warehouse, "events", [NEXT, LATER]) == {NEXT: 1, LATER: 1}
    assert shop.warehouse.frame(CLEANED["events"]).equals(alone)


def test_a_lost_row_shows(shop, sound) -> None:
    shop.take("orders", [sound("orders"), sound("orders", line_number="2")])
    shop.warehouse.write(CLEANED["orders"], {"delivery_day": DAY}, shop.clean("orders").head(1))
    (counted,) = shop.fates("orders")
    assert counted["received"] - sum(counted[fate] for fate in FATES) == 1


def test_a_day_without_delivery_has_zero_of_each_fate(shop, sound) -> None:
    shop.take("orders", [sound("orders")], day=LATER)
    assert [day["received"] for day in shop.fates("orders", DAY, LATER)] == [0, 0, 1]
    clean_days(shop.warehouse, "orders", [DAY])
    assert shop.warehouse.days(CLEANED["orders"]) == [LATER]


def test_the_quarantine_holds_every_rule_and_the_whole_row(shop, sound) -> None:
    shop.take("orders", [sound("orders", quantity="0", currency=None), sound("orders")])
    shop.take("consents", [sound("consents", status="maybe")])
    held = quarantine(shop)
    assert held.select("table_name", "row_number", "broken_rules").rows() == [
        ("consents", 1, ["status|unparsable"]),
        ("orders", 1, ["currency|required", "quantity_is_zero"]),
    ]
    row = held.row(1, named=True)
    original = json.loads(shop.open("orders", row, "original", row["original_sealed"]))
    assert original == sound("orders", quantity="0", currency=None)


def test_a_late_delivery_names_the_days_that_must_run_again(shop, sound) -> None:
    shop.take("events", [sound("events"), sound("events", event_id="E2")], day=NEXT)
    shop.take("events", [sound("events", event_id="E3")], day=LATER)
    shop.take("events", [sound("events")])
    assert days_to_run_again(shop.warehouse, "events", DAY, DAY) == [NEXT]
    assert shop.clean("events", day=NEXT).height == 1
    assert days_to_run_again(shop.warehouse, "events", DAY, DAY) == []
    assert fates(shop, "events", NEXT) == {"accepted": 1, "duplicate": 1}


def test_a_row_that_stands_on_two_days_until_they_run_again_makes_one_duplicate_of_another(
    shop, sound
) -> None:
    for day in (NEXT, DAY, LATER):
        shop.take("events", [sound("events")], day=day)
    assert days_to_run_again(shop.warehouse, "events", DAY, DAY) == [NEXT]
    assert fates(shop, "events", LATER) == {"duplicate": 1}


def test_days_of_the_same_run_and_versions_need_not_run_again(shop, sound) -> None:
    for day in (NEXT, DAY):
        shop.take("events", [sound("events")], day=day)
        shop.take("orders", [sound("orders")], day=day)
    assert days_to_run_again(shop.warehouse, "events", DAY, NEXT) == []
    assert days_to_run_again(shop.warehouse, "orders", DAY, DAY) == []


def test_orphans_are_kept_and_counted_from_the_day_on_which_they_were_unknown(shop, sound) -> None:
    shop.take("customers", [sound("customers")])
    shop.take("customers", [sound("customers", customer_id="C2")], day=LATER)
    for day in (DAY, LATER):
        shop.take("orders", [sound("orders"), sound("orders", order_id="O2", customer_id="C2")], day=day)
    counts = orphan_counts(shop.warehouse, "orders", "customers", "customer_key", DAY, LATER)
    assert counts.rows() == [(DAY, 2, 1), (LATER, 2, 0)]
    assert shop.clean("orders").height == 2


def test_rows_that_name_nobody_are_no_orphans(shop, sound) -> None:
    shop.take("products", [sound("products")])
    shop.take("orders", [sound("orders"), sound("orders", line_number="2", product_id="P9")])
    counts = orphan_counts(shop.warehouse, "orders", "products", "product_id", DAY, DAY)
    assert counts.rows() == [(DAY, 1, 1)]


def test_what_was_not_yet_delivered_has_no_orphans(shop, sound) -> None:
    shop.take("orders", [sound("orders")])
    assert orphan_counts(shop.warehouse, "orders", "customers", "customer_key", DAY, DAY).is_empty()
    for table in ("orders", "customers"):
        shop.take(table, [sound(table)], day=LATER)
    counts = orphan_counts(shop.warehouse, "orders", "customers", "customer_key", DAY, LATER)
    assert counts.rows() == [(LATER, 1, 0)]


def test_an_order_under_the_id_of_another_customers_earlier_one_is_counted(shop, sound) -> None:
    def order(number: int, customer: str, day: date, **more: str) -> dict:
        at = f"{day} 12:00:00"
        ours = {"order_id": f"O{number}", "customer_id": customer, "ordered_at": at, "status_at": at}
        return sound("orders", **ours | more)

    till = [order(n, f"C{n}", DAY) for n in (1, 2, 3)]
    shop.take("orders", [*till, order(1, "C1", DAY, line_number="2")])
    status = order(1, "C1", DAY, status_at=f"{NEXT} 09:00:00", status="completed")
    member = order(2, "M2", DAY, status_at=f"{NEXT} 09:00:00")
    assert (
        shop.take("orders", [status, member, order(3, "C9", NEXT), order(4, "C1", NEXT)], day=NEXT).height
        == 4
    )
    shop.take("orders", [order(4, "C5", LATER), order(3, "C9", LATER)], day=LATER)
    counts = reused_orders(shop.warehouse, DAY, LATER)
    assert counts.rows() == [(DAY, 3, 0), (NEXT, 4, 1), (LATER, 2, 1)]
    assert reused_orders(shop.warehouse, LATER, LATER).rows() == counts.rows()[2:]


def test_a_minor_is_a_customer_from_the_first_delivery_after_turning_eighteen(shop, sound) -> None:
    minor = sound("customers", birth_date="2008-03-04")
    assert shop.take("customers", [minor]).is_empty()
    assert shop.take("customers", [minor], day=NEXT).height == 1
    assert fates(shop, "customers") == {"quarantined": 1}
    assert fates(shop, "customers", NEXT) == {"accepted": 1}
