"""A loaded delivery is history: it is loaded once, and rewritten only when that is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from customer_profiles.collection.ledger import delivered, ledger
from customer_profiles.collection.searches import category_words
from customer_profiles.collection.sources.finding import waiting_days
from customer_profiles.collection.tables import PERSONAL, RAW

DAY = date(2026, 3, 3)
NEXT = DAY + timedelta(days=1)


def test_a_delivery_is_loaded_once(shop, sound) -> None:
    shop.deliver("orders", [sound("orders")])
    assert (shop.load("orders").fate, shop.load("orders").fate) == ("loaded", "kept")
    assert shop.raw("orders").height == 1


def test_the_ledger_tells_when_a_delivery_was_loaded_and_when_it_was_rewritten(shop, sound) -> None:
    moments = [datetime.now(UTC)]
    shop.deliver("orders", [sound("orders")])
    for rebuild in (False, False, True):
        shop.load("orders", rebuild=rebuild)
        moments.append(ledger(shop.warehouse, "orders", DAY, DAY)["loaded_at"].item())
    began, loaded, kept, rewritten = moments
    assert began < loaded == kept < rewritten < datetime.now(UTC)


def test_a_changed_file_is_named_and_the_rows_as_loaded_stay(shop, sound) -> None:
    shop.deliver("orders", [sound("orders")])
    shop.load("orders")
    before = shop.raw("orders")
    shop.deliver("orders", [sound("orders", quantity="5"), sound("orders", line_number="2")])
    loaded = shop.load("orders")
    assert (loaded.fate, loaded.rows) == ("changed", 1)
    assert "its rows enter with the run of the newest day" in loaded.says
    assert "customer-profiles run --rebuild 2026-03-03" in loaded.says
    assert shop.raw("orders").equals(before)


def test_a_rebuild_rewrites_rows_ledger_and_vault(shop, sound) -> None:
    shop.deliver("customers", [sound("customers", full_name="王芳")])
    shop.load("customers")
    shop.deliver("customers", [sound("customers", customer_id="C2"), sound("customers", customer_id="C3")])
    assert shop.load("customers", rebuild=True).fate == "loaded"
    assert shop.raw("customers").height == 2
    assert ledger(shop.warehouse, "customers", DAY, DAY)["rows"].to_list() == [2]
    assert shop.personal("customers") == {(1, "customer_id"): "C2", (2, "customer_id"): "C3"}
    assert shop.load("customers").fate == "kept"


def test_a_rebuild_without_sound_rows_leaves_nobody_in_the_vault(shop, sound) -> None:
    shop.deliver("customers", [sound("customers", full_name="王芳")])
    shop.load("customers")
    shop.deliver("customers", [sound("customers", full_name="王芳", birth_date="2015-01-01")])
    shop.load("customers", rebuild=True)
    assert shop.personal("customers") == {}


def test_a_rebuild_without_a_file_forgets_the_day(shop, sound) -> None:
    file = shop.deliver("customers", [sound("customers")])
    shop.load("customers")
    file.unlink()
    assert shop.load("customers").says == "loaded before; its file is gone"
    assert shop.load("customers", rebuild=True).fate == "absent"
    assert shop.warehouse.days(RAW["customers"]) == shop.vault.days(PERSONAL) == []
    assert ledger(shop.warehouse, "customers", DAY, DAY).is_empty()


def test_loading_again_gives_equal_bytes(shop, sound) -> None:
    shop.deliver(
        "customers", [sound("customers", full_name="王芳", phone="x"), sound("customers", gender="?")]
    )
    shop.load("customers")
    before = shop.raw("customers"), shop.vault.frame(PERSONAL)
    shop.load("customers", rebuild=True)
    assert shop.raw("customers").equals(before[0])
    assert shop.vault.frame(PERSONAL).equals(before[1])


def test_days_and_tables_do_not_touch_each_other(shop, sound) -> None:
    for day in (DAY, NEXT):
        shop.deliver("orders", [sound("orders")], day=day)
        shop.load("orders", day=day)
    shop.deliver("consents", [sound("consents")])
    shop.load("consents")
    shop.deliver("orders", [], day=NEXT)
    shop.deliveries.joinpath("orders", f"{NEXT}.ndjson").write_text("\n")
    shop.load("orders", day=NEXT, rebuild=True)
    assert (shop.raw("orders").height, shop.raw("orders", day=NEXT).height) == (1, 0)
    found = delivered(shop.warehouse)
    assert (found["orders"], found["consents"], found["texts"]) == ({DAY, NEXT}, {DAY}, frozenset())
    assert waiting_days(shop.door.home) == [DAY, NEXT]


def test_the_words_of_a_day_are_those_of_products_delivered_by_then(shop, sound) -> None:
    shop.deliver("products", [sound("products")])
    shop.deliver("products", [sound("products", name="lamp", category="light")], day=NEXT)
    shop.run("products", DAY, NEXT)
    words = category_words(shop.warehouse, [DAY, NEXT])
    assert words[DAY] == {"shoes": "shoes", "red shoes": "shoes"}
    assert words[NEXT] == {**words[DAY], "light": "light", "lamp": "light"}
