"""What changes or comes after its day was run enters on the day on which it arrives, and is counted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from customer_profiles.cleaning.clean import days_to_run_again, quarantine_days
from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.ledger import days_run, delivered, delivery_fates, ledger, refusals

DAY = date(2026, 3, 3)
NEXT, NEWEST = DAY + timedelta(days=1), DAY + timedelta(days=2)
FATES = ("accepted", "repaired", "quarantined", "duplicate")


def fates(shop, table: str, day: date) -> dict[str, int]:
    """The fates of a day's rows, once they were seen to add up."""
    quarantine_days(shop.warehouse, day, day)
    (counted,) = shop.fates(table, day, day)
    assert counted["received"] == sum(counted[fate] for fate in FATES)
    return {fate: counted[fate] for fate in FATES if counted[fate]}


def events(sound, *numbers: int, **more) -> list:
    return [sound("events", event_id=f"E{number}", **more) for number in numbers]


def test_new_rows_of_a_changed_file_enter_on_the_newest_day_and_the_others_are_known(shop, sound) -> None:
    shop.deliver("events", events(sound, 1, 2))
    shop.deliver("events", events(sound, 9), day=NEXT)
    shop.run("events", DAY, NEXT)
    before = shop.raw("events")
    shop.deliver("events", events(sound, 1, 2, 3))
    ran = shop.run("events", DAY, NEXT)
    assert "the rows as loaded are kept" in ran[DAY].says
    assert ran[NEXT].rows == 2
    assert shop.raw("events").equals(before)
    late = shop.warehouse.frame(CLEANED["events"], NEXT, NEXT).filter(event_id="E3").row(0, named=True)
    assert late["source"].startswith(f"events/{DAY}.ndjson@")
    assert late["row_number"] == 3
    entry = ledger(shop.warehouse, "events", NEXT).filter(source=late["source"]).row(0, named=True)
    assert (entry["rows"], entry["known_rows"], entry["file_day"]) == (1, 2, DAY)
    assert fates(shop, "events", NEXT) == {"accepted": 2}


def test_running_again_lets_nothing_in_twice(shop, sound) -> None:
    shop.deliver("events", events(sound, 1))
    shop.run("events", DAY, NEXT)
    shop.deliver("events", events(sound, 1, 2))
    shop.run("events", NEXT)
    before, entries = shop.raw("events", day=NEXT), ledger(shop.warehouse, "events")
    shop.run("events", DAY, NEXT)
    shop.run("events", NEWEST)
    assert shop.raw("events", day=NEXT).equals(before)
    assert ledger(shop.warehouse, "events").equals(entries)


def test_a_days_fate_is_that_of_one_tables_delivery(shop, sound) -> None:
    shop.deliver("events", events(sound, 1))
    shop.run("events", DAY, NEXT)
    shop.run("orders", DAY)
    assert days_run(shop.warehouse) == [DAY, NEXT]
    assert delivery_fates(shop.warehouse, "events") == {DAY: "loaded", NEXT: "absent"}
    assert delivery_fates(shop.warehouse, "orders") == {DAY: "absent"}


def test_each_later_state_of_a_file_brings_its_own_rows(shop, sound) -> None:
    shop.deliver("orders", [sound("orders")])
    shop.run("orders", DAY)
    for lines in (2, 3):
        rows = [sound("orders", line_number=str(line)) for line in range(lines, 0, -1)]
        shop.deliver("orders", rows)
        shop.run("orders", DAY)
    places = shop.clean("orders").select("source", "row_number", "line_number").rows()
    assert sorted(line for *_, line in places) == [1, 2, 3]
    assert len({(source, number) for source, number, _ in places}) == 3
    assert fates(shop, "orders", DAY) == {"accepted": 3}


def test_a_file_that_was_only_touched_or_reordered_brings_nothing(shop, sound) -> None:
    file = shop.deliver("events", events(sound, 1, 2))
    shop.run("events", DAY)
    file.touch()
    assert shop.run("events", DAY)[DAY].says == "loaded before, unchanged"
    shop.deliver("events", events(sound, 2, 1))
    assert "0 new rows" in shop.run("events", DAY)[DAY].says
    assert fates(shop, "events", DAY) == {"accepted": 2}


def test_rows_that_a_changed_file_lost_are_told_once_and_stay(shop, sound) -> None:
    shop.deliver("events", events(sound, 1, 2, 3))
    shop.run("events", DAY)
    shop.deliver("events", [*events(sound, 1, 4), "{broken"])
    (gone,) = shop.run("events", DAY, NEXT)[NEXT].gone
    assert gone.startswith(
        f"events of {DAY}: events/{DAY}.ndjson changed after loading: 2 of the rows as loaded"
    )
    assert gone.endswith(f"customer-profiles run --rebuild {DAY}")
    assert shop.clean("events")["event_id"].to_list() == ["E1", "E2", "E3"]
    assert shop.run("events", DAY, NEXT)[NEXT].gone == ()
    shop.deliver("events", events(sound, 3, 1, 4, 5))
    (gone,) = shop.run("events", NEWEST)[NEWEST].gone
    assert "1 of the rows as loaded" in gone  # E2; a broken one is no loss
    assert ledger(shop.warehouse, "events").sort("delivery_day")["gone_rows"].to_list() == [0, 2, 1]


def test_files_of_several_days_that_lost_rows_are_told_in_one_sentence(shop, sound) -> None:
    for lines in (3, 1):
        for day in (DAY, NEXT):
            shop.deliver("orders", [sound("orders", line_number=str(n)) for n in range(lines)], day=day)
        ran = shop.run("orders", DAY, NEXT, NEWEST)
    (gone,) = ran[NEWEST].gone
    assert gone.startswith(f"orders of {DAY} to {NEXT}: 2 files changed after loading: 4 of the rows")


def test_a_corrected_row_is_a_new_version_and_a_corrected_event_a_duplicate(shop, sound) -> None:
    for table in ("orders", "events"):
        shop.deliver(table, [sound(table)])
        shop.run(table, DAY)
        shop.deliver(table, [sound(table, channel="app")])
        shop.run(table, DAY, NEXT)
    assert (fates(shop, "orders", NEXT), fates(shop, "events", NEXT)) == ({"accepted": 1}, {"duplicate": 1})


def test_a_file_that_came_after_its_day_was_run_enters_on_the_newest_day(shop, sound) -> None:
    shop.deliver("orders", [sound("orders")], day=NEXT)
    shop.run("orders", DAY, NEXT)
    assert delivered(shop.warehouse)["orders"] == {NEXT}
    shop.deliver("orders", [sound("orders", order_id="O2")])
    ran = shop.run("orders", DAY, NEXT, NEWEST)
    assert (ran[DAY].rows, ran[NEWEST].rows) == (0, 1)
    assert shop.raw("orders", day=NEWEST)["source"].to_list() == [f"orders/{DAY}.ndjson"]
    assert delivered(shop.warehouse)["orders"] == {DAY, NEXT}
    assert delivered(shop.warehouse, NEXT)["orders"] == {NEXT}  # a profile as of then did not know it


def test_a_day_that_is_run_again_counts_all_rows_that_it_holds(shop, sound) -> None:
    shop.deliver("orders", [sound("orders")], day=NEXT)
    shop.run("orders", DAY, NEXT)
    for number in (2, 3):
        shop.deliver("orders", [sound("orders", order_id=f"O{n}") for n in range(number)])
        again = [shop.run("orders", NEXT)[NEXT].rows for _ in range(2)]
        assert again == [shop.raw("orders", day=NEXT).height] * 2
    assert shop.run("orders", NEXT, rebuild=True)[NEXT].rows == shop.raw("orders", day=NEXT).height


def test_a_day_that_was_never_run_gets_its_own_file_and_later_days_are_named(shop, sound) -> None:
    shop.deliver("orders", [sound("orders")])
    shop.deliver("orders", [sound("orders")], day=NEXT)
    shop.run("orders", NEXT)
    ran = shop.run("orders", DAY)
    assert (ran[DAY].rows, ran[DAY].run_again) == (1, (NEXT,))
    assert shop.run("orders", DAY)[DAY].run_again == ()


def test_a_run_of_old_days_alone_names_what_changed_and_lets_nothing_in(shop, sound) -> None:
    shop.deliver("events", events(sound, 1))
    shop.run("events", DAY, NEXT)
    shop.deliver("events", events(sound, 1, 2))
    ran = shop.run("events", DAY)
    assert ran[DAY].rows == 1
    assert [f"--rebuild {DAY}" in warning for warning in ran[DAY].warnings] == [True]
    assert ledger(shop.warehouse, "events").height == 1


def test_a_rebuild_takes_back_what_came_late_and_names_the_later_days(shop, sound) -> None:
    shop.deliver("events", events(sound, 1))
    shop.run("events", DAY, NEXT)
    shop.deliver("events", events(sound, 1, 2))
    shop.run("events", DAY, NEXT)
    ran = shop.run("events", DAY, rebuild=True)
    assert ran[DAY].run_again == (NEXT,)
    assert (shop.raw("events").height, shop.raw("events", day=NEXT).height) == (2, 0)
    assert ledger(shop.warehouse, "events")["rows"].to_list() == [2]


def test_a_rebuild_that_leaves_fewer_rows_says_so_and_names_the_later_days(shop, sound) -> None:
    file = shop.deliver("events", events(sound, 1, 2))
    shop.run("events", DAY, NEXT)
    shop.deliver("events", events(sound, 1))
    fewer = shop.run("events", DAY, rebuild=True)[DAY]
    assert fewer.gone == (f"events of {DAY}: rewritten, with fewer rows: 1 now, 2 before",)
    assert shop.run("events", DAY, rebuild=True)[DAY].gone == ()
    file.unlink()
    emptied = shop.run("events", DAY, rebuild=True)[DAY]
    assert emptied.gone[0].startswith(
        f"events of {DAY}: rewritten, with fewer rows: 0 now, 1 before; its file is not"
    )
    assert (fewer.run_again, emptied.run_again) == ((NEXT,), (NEXT,))
    assert shop.run("events", DAY, rebuild=True)[DAY].run_again == ()


def test_a_rebuild_of_a_day_keeps_what_came_late_from_others(shop, sound) -> None:
    shop.deliver("events", events(sound, 1))
    shop.deliver("events", events(sound, 5), day=NEXT)
    shop.run("events", DAY, NEXT)
    shop.deliver("events", events(sound, 1, 2))
    shop.run("events", NEXT)
    shop.run("events", NEXT, rebuild=True)
    assert sorted(shop.raw("events", day=NEXT)["event_id"]) == ["E2", "E5"]


def test_an_event_that_a_rebuild_took_away_brings_back_the_later_copy(shop, sound) -> None:
    shop.deliver("events", events(sound, 1, 2))
    shop.deliver("events", events(sound, 1, channel="app"), day=NEXT)
    shop.run("events", DAY, NEXT)
    shop.deliver("events", events(sound, 2))
    shop.run("events", DAY, rebuild=True)
    assert days_to_run_again(shop.warehouse, "events", DAY, DAY) == [NEXT]
    assert shop.clean("events", day=NEXT)["event_id"].to_list() == ["E1"]
    assert days_to_run_again(shop.warehouse, "events", DAY, DAY) == []


def test_a_changed_file_that_cannot_be_read_stops_no_other(shop, sound) -> None:
    for day in (DAY, NEXT):
        shop.deliver("events", events(sound, day.day), day=day)
    shop.run("events", DAY, NEXT)
    shop.deliver("events", "")
    shop.deliver("events", events(sound, 4, 5), day=NEXT)
    file = shop.deliveries / "events" / f"{DAY}.csv"
    file.unlink()
    (shop.deliveries / "events" / f"{DAY}.ndjson").write_bytes(b"\xff\xfe")
    ran = shop.run("events", NEXT, NEWEST)
    assert ran[NEWEST].rows == 1
    assert [f"events/{DAY}.ndjson: it is UTF-16" in reason for reason in ran[NEWEST].refused] == [True]
    assert refusals(shop.warehouse, NEWEST, NEWEST)["table_name"].to_list() == ["events"]


def test_a_refused_delivery_is_loaded_on_its_own_day_once_it_is_mended(shop, sound) -> None:
    shop.deliver("orders", "order_id\n1\n")
    shop.deliver("orders", [sound("orders")], day=NEXT)
    ran = shop.run("orders", DAY, NEXT)
    assert (ran[DAY].fate, ran[DAY].rows, ran[NEXT].rows) == ("refused", 0, 1)
    (shop.deliveries / "orders" / f"{DAY}.csv").unlink()
    shop.deliver("orders", [sound("orders", order_id="O2")])
    assert shop.run("orders", DAY, NEXT)[DAY].rows == 1
    assert refusals(shop.warehouse, DAY, NEXT).is_empty()


@pytest.mark.parametrize("table", ["customers", "orders"])
def test_people_of_late_rows_are_in_the_vault_under_the_day_on_which_they_came(
    shop, sound, table: str
) -> None:
    shop.deliver(table, [sound(table)])
    shop.run(table, DAY, NEXT)
    shop.deliver(table, [sound(table), sound(table, customer_id="C9", line_number="2")])
    shop.run(table, NEXT)
    assert shop.personal(table, day=NEXT) == {(2, "customer_id"): "C9"}
