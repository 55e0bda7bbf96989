"""What people read, whom it reaches, and when it leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from customer_profiles.quality.alerts import (
    LONGEST_WAIT,
    compose,
    due_at,
    is_sent,
    next_attempt,
    without_personal_data,
)
from customer_profiles.quality.finding import Severity
from customer_profiles.quality.incidents import Change, Incident
from customer_profiles.settings import AlertSettings

SHANGHAI = "Asia/Shanghai"
NIGHT = AlertSettings(quiet_from="22:00", quiet_until="08:00")
INCIDENT = Incident(
    number=12,
    kind="check",
    subject="cleaned/texts",
    claim="customers_are_known",
    severity="warn",
    opened_at=datetime(2026, 3, 3, 22, 5, tzinfo=UTC),
    closed_at=None,
    says="3 of 120 rows (2.50%) name an unknown customer",
    value="0.025",
    threshold="warn 0.01, error 0.05",
    first_day=None,
    last_day=None,
    days=0,
    times=1,
    blocking=False,
    path="/assets/cleaned/texts?view=checks&checkDetail=customers_are_known",
    run="",
    told_in=12,
)


def message(*changes: Change, **cells: Any) -> Any:
    return compose(
        [replace(INCIDENT, **cells)],
        changes or ["opened"],
        AlertSettings(),
        owner="team:crm",
        timezone=SHANGHAI,
    )


def test_a_message_tells_what_against_what_since_when_whose_and_where_to_look() -> None:
    told = message()
    assert told.title == "[WARN] cleaned/texts: customers_are_known failed"
    assert told.body == (
        "what: 3 of 120 rows (2.50%) name an unknown customer\n"
        "value: 0.025; threshold: warn 0.01, error 0.05\n"
        "since: noticed 2026-03-04 06:05\n"
        "it may mean: the customers delivery is late or incomplete, or ids are written in another way\n"
        "owner: team:crm\n"
        "look: http://127.0.0.1:3000/assets/cleaned/texts?view=checks&checkDetail=customers_are_known\n"
        "incident 12"
    )


def test_a_recovery_says_so_and_an_incident_that_is_over_before_it_is_told_says_both() -> None:
    over = datetime(2026, 3, 4, 1, tzinfo=UTC)
    assert message("recovered", closed_at=over).title.startswith("[OK] recovered: cleaned/texts")
    told = message("opened", "recovered", closed_at=over)
    assert told.title.startswith("[WARN] cleaned/texts")
    assert "over since: 2026-03-04 09:00" in told.body


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("asked ouyang@post.example twice", "asked … twice"),
        ("call 13912345678", "call …"),
        ("call +86 139-1234-5678 now", "call … now"),
        ("card 11010519900307123X", "card …"),
        ("Could not convert string 'Ouyang' to INT32", "Could not convert string … to INT32"),
        ('value "red shoes" of "brand"', 'value … of "brand"'),
        ("列 “欧阳星河” 无法解析", "列 … 无法解析"),
        ("required columns ['order_id'] are missing", "required columns ['order_id'] are missing"),
        ("1,234,567 rows of 2026-03-03, 0.0473", "1,234,567 rows of 2026-03-03, 0.0473"),
        ("model 508f0956837b", "model 508f0956837b"),
    ],
)
def test_personal_data_is_masked_and_numbers_of_ours_stay(said: str, told: str) -> None:
    assert without_personal_data(said) == told


def at(hour: int, day: int = 3) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=ZoneInfo(SHANGHAI))


@pytest.mark.parametrize(
    ("now", "severity", "change", "due"),
    [
        (at(23), "warn", "opened", at(8, day=4)),
        (at(2), "warn", "opened", at(8)),
        (at(23), "error", "opened", at(23)),
        (at(23), "error", "recovered", at(8, day=4)),
        (at(12), "warn", "opened", at(12)),
        (at(8), "warn", "opened", at(8)),
    ],
)
def test_quiet_hours_hold_back_warnings_and_recoveries(
    now: datetime, severity: Severity, change: Change, due: datetime
) -> None:
    assert due_at(now, severity, change, NIGHT, SHANGHAI) == due


def test_quiet_hours_within_a_day_end_on_that_day_and_can_hold_errors_too() -> None:
    lunch = AlertSettings(quiet_from="12:00", quiet_until="14:00", quiet_for="error")
    assert due_at(at(13), "error", "opened", lunch, SHANGHAI) == at(14)


def test_nothing_is_held_back_unless_quiet_hours_are_set() -> None:
    assert due_at(at(0), "warn", "opened", AlertSettings(), SHANGHAI) == at(0)


def test_a_severity_can_be_kept_from_being_sent() -> None:
    assert is_sent("warn", AlertSettings())
    assert not is_sent("warn", AlertSettings(send_from="error"))
    assert is_sent("error", AlertSettings(send_from="error"))


def test_the_wait_between_attempts_doubles_up_to_a_limit() -> None:
    waits = [next_attempt(at(1), attempts) - at(1) for attempts in (1, 2, 3, 100)]
    assert waits == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40), LONGEST_WAIT]
