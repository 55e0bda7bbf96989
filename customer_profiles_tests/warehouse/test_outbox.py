"""Messages wait in a file until they are sent, whoever is killed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from customer_profiles.quality.incidents import Incident, Observation, follow
from customer_profiles.warehouse.outbox import Outbox, open_outbox

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SEEN = Observation(
    "check", "cleaned/orders", "contract_holds", True, NOW, says="three are wrong", blocking=True
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alerts" / "outbox.sqlite"


@pytest.fixture
def outbox(file: Path) -> Iterator[Outbox]:
    with open_outbox(file) as outbox:
        yield outbox


def incident(number: int = 1) -> Incident:
    day = date(2026, 3, 3)
    (course,), _ = follow([], [replace(SEEN, first_day=day, last_day=day, days=1)], {}, number)
    return course.after


def test_an_incident_is_read_as_it_was_kept(outbox: Outbox) -> None:
    outbox.keep(incident())
    assert outbox.standing() == [incident()]
    assert outbox.next_number() == 2
    outbox.keep(replace(incident(), closed_at=LATER))
    assert outbox.standing() == []
    assert outbox.told_in(1) == [replace(incident(), closed_at=LATER)]


def test_a_transaction_that_breaks_leaves_nothing(outbox: Outbox, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt), outbox.transaction():
        outbox.keep(incident())
        outbox.move("event log", 7, NOW)
        raise KeyboardInterrupt
    with open_outbox(file) as again:
        assert (again.standing(), again.position("event log")) == ([], None)


def test_what_waits_about_one_incident_at_one_place_is_one_parcel(outbox: Outbox) -> None:
    outbox.add(1, "opened", "slack", "warn", LATER)
    outbox.add(1, "worse", "slack", "error", NOW)
    outbox.add(1, "opened", "file", "warn", NOW)
    outbox.add(2, "opened", "slack", "warn", NOW)
    first, second, third = outbox.waiting()
    assert (first.changes, first.severity, first.not_before) == (("opened", "worse"), "error", NOW)
    assert (second.destination, third.incident) == ("file", 2)
    outbox.begin(first)
    outbox.done(first, NOW)
    assert outbox.waiting() == [second, third]


def test_a_parcel_found_half_sent_may_have_arrived(outbox: Outbox, file: Path) -> None:
    outbox.add(1, "opened", "slack", "warn", NOW)
    assert not outbox.waiting()[0].perhaps_arrived
    outbox.begin(outbox.waiting()[0])
    with open_outbox(file) as after_the_kill:
        (parcel,) = after_the_kill.waiting()
        assert (parcel.perhaps_arrived, parcel.attempts) == (True, 1)
        after_the_kill.put_back(parcel, LATER, "refused", perhaps_arrived=False)
        assert after_the_kill.waiting()[0].perhaps_arrived


def test_a_refused_parcel_has_not_arrived_and_waits(outbox: Outbox) -> None:
    outbox.add(1, "opened", "slack", "warn", NOW)
    (parcel,) = outbox.waiting()
    outbox.begin(parcel)
    outbox.put_back(parcel, LATER, "refused", perhaps_arrived=False)
    (waiting,) = outbox.waiting()
    assert (waiting.perhaps_arrived, waiting.not_before, waiting.error) == (False, LATER, "refused")


def test_only_one_sends_at_a_time(outbox: Outbox, file: Path) -> None:
    with open_outbox(file) as other:
        with outbox.sending() as first, other.sending() as second:
            assert (first, second) == (True, False)
        with other.sending() as again:
            assert again
