"""Days that are loaded in one go are stored as each alone would be."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date, timedelta
from typing import Any

import pytest

from customer_profiles.collection import daily
from customer_profiles.collection.ledger import ledger
from customer_profiles.collection.tables import PERSONAL, RAW

DAYS = [date(2026, 3, 3) + timedelta(days=n) for n in range(6)]


def stored(shop: Any, table: str) -> list[Any]:
    frames = (
        shop.warehouse.frame(RAW[table]),
        shop.vault.frame(PERSONAL),
        ledger(shop.warehouse, table).drop("written_at", "loaded_at"),
    )
    return [frame.rows() for frame in frames]


def a_week(shop: Any, sound: Any) -> None:
    """Copies within a day and across days, a broken row, another column, a day without rows, one without."""
    header = "customer_id,updated_at,full_name,birth_date"
    rows = ["C1,2026-03-03 08:00:00,王芳,2008-03-04", "C2,2026-03-03 09:00:00,李雷,"]
    shop.deliver("customers", "\n".join([header, *rows, rows[0]]), day=DAYS[0])
    shop.deliver("customers", "\n".join([header, rows[0], "C3,never,张伟,"]), day=DAYS[1])
    shop.deliver("customers", header + "\n", day=DAYS[2])
    shop.deliver("customers", [sound("customers", note="a column of its own")], day=DAYS[3])
    shop.deliver("customers", "\n".join([header, *rows]), day=DAYS[5])


def test_a_week_in_one_go_is_the_week_day_by_day(shop, sound, tmp_path, open_shop) -> None:
    with ExitStack() as files:
        other = open_shop(tmp_path / "other", files)
        for each in (shop, other):
            a_week(each, sound)
        together = shop.run("customers", *DAYS)
        alone = {day: other.run("customers", day)[day] for day in DAYS}
        assert together == alone
        assert stored(shop, "customers") == stored(other, "customers")
    assert [together[day].rows for day in DAYS] == [3, 2, 0, 1, 0, 2]
    assert "unknown columns kept sealed: ['note']" in together[DAYS[3]].says


@pytest.mark.parametrize("bad", range(5))
def test_a_bad_day_among_them_is_refused_alone(shop, sound, bad: int) -> None:
    for day in DAYS:
        shop.deliver("orders", "\0" if day == DAYS[bad] else [sound("orders")], day=day)
    ran = shop.run("orders", *DAYS)
    assert [day for day in DAYS if ran[day].refused] == [DAYS[bad]]
    assert set(shop.warehouse.days(RAW["orders"])) == set(DAYS) - {DAYS[bad]}


def test_days_go_in_one_transaction_as_long_as_their_files_are_small(shop, sound, monkeypatch) -> None:
    calls: list[list[date]] = []
    load_days = daily.load_days

    def counted(*arguments: Any) -> Any:
        calls.append([delivery.day for delivery in arguments[4]])
        return load_days(*arguments)

    monkeypatch.setattr(daily, "load_days", counted)
    size = max(shop.deliver("orders", [sound("orders")], day=day).stat().st_size for day in DAYS)
    monkeypatch.setattr(daily, "SMALL_BYTES", 2 * size)
    shop.run("orders", *DAYS)
    assert calls == [DAYS[:2], DAYS[2:4]]  # the newest day goes alone: what came late enters with it


def test_searches_are_told_by_the_products_of_their_own_day(shop, sound) -> None:
    for day, name in zip(DAYS, ("red shoes", "lamp"), strict=False):
        shop.deliver("products", [sound("products", product_id=name, name=name, category=name[-4:])], day=day)
    for day in DAYS[:3]:
        search = {"event_name": "search", "search_query": "lamp", "event_at": f"{day} 10:00:00"}
        shop.deliver("events", [sound("events", event_id=str(day), category="", **search)], day=day)
    shop.run("products", *DAYS[:3])
    shop.run("events", *DAYS[:3])
    assert shop.warehouse.frame(RAW["events"])["category"].to_list() == [None, "lamp", "lamp"]
