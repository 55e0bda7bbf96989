"""Whatever is delivered, every row has one fate, and running again changes nothing."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from customer_profiles.cleaning.clean import quarantine_days
from customer_profiles.cleaning.tables import CLEANED, QUARANTINE
from customer_profiles.collection.tables import DELIVERIES, PERSONAL, RAW

DAY, NEXT = date(2026, 3, 3), date(2026, 3, 4)
FATES = ("accepted", "repaired", "quarantined", "duplicate")
ODD = st.sampled_from(
    ["", " ", "NULL", "NaN", "-1", "0", "3.0", "1e400", "9" * 25, "0000-00-00", "2026-03-03", "２", "?", "🎁"]
)
CELLS = {
    "event_id": st.sampled_from(["E1", "E2", "E3", " E1"]) | ODD,
    "event_at": st.sampled_from(["2026-03-03 10:00:00", "2026-03-03T10:00:00+02:00", "2027-01-01"]) | ODD,
    "event_name": st.sampled_from(["login", "search", "LOGIN"]) | ODD,
    "channel": st.sampled_from(["web", "app"]) | ODD,
    "customer_id": st.sampled_from(["C1", "C2"]) | ODD | st.none(),
    "anonymous_id": st.sampled_from(["A1"]) | st.none(),
    "search_query": st.text(max_size=8).filter(lambda text: text.isprintable()),
    "quantity": st.integers(-2, 3) | st.floats() | ODD,
    "note": st.text(max_size=3).filter(lambda text: text.isprintable()),
}
ROWS = st.lists(
    st.fixed_dictionaries({}, optional=CELLS) | st.fixed_dictionaries(CELLS), min_size=1, max_size=9
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=ROWS, then=ROWS, changed=ROWS)
@example(first=[{"channel": "?"}] * 9, then=[{}], changed=[{}])
def test_fates_add_up_and_a_second_run_changes_nothing(open_shop, first, then, changed) -> None:
    with tempfile.TemporaryDirectory() as home, ExitStack() as files:
        shop = open_shop(Path(home), files)
        shop.door = shop.door_with(refuse_above_unparsable_share=1)  # each row is judged for itself
        deliver(shop, first, DAY)
        deliver(shop, then, NEXT)
        shop.run("events", DAY, NEXT)
        deliver(shop, [*first, *changed], DAY)
        received = add_up(shop)
        before = everything(shop)
        assert add_up(shop) == received
        assert everything(shop) == before


def deliver(shop, rows: list, day: date) -> None:
    """NDJSON with the required columns named in the first row, so that no file is refused for its header."""
    every = dict.fromkeys(("event_id", "event_at", "event_name", "channel"))
    shop.deliver("events", "\n".join(json.dumps(every | row) for row in rows), day=day, form="ndjson")


def add_up(shop) -> list[int]:
    """Run both days; rows received per day, once their fates were seen to add up."""
    ran = shop.run("events", DAY, NEXT)
    assert not any(day.refused for day in ran.values())
    quarantine_days(shop.warehouse, DAY, NEXT)
    counted = shop.fates("events", DAY, NEXT)
    assert [day["received"] for day in counted] == [sum(day[fate] for fate in FATES) for day in counted]
    return [day["received"] for day in counted]


def everything(shop) -> list:
    tables = [RAW["events"], CLEANED["events"], QUARANTINE, DELIVERIES]
    return [*(shop.warehouse.frame(table).rows() for table in tables), shop.vault.frame(PERSONAL).rows()]
