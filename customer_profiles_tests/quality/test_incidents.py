"""One incident a cause, from the first failure to the recovery."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from customer_profiles.quality.incidents import MOST_AT_ONCE, Incident, Observation, follow, told_together

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)


def day(number: int) -> date:
    return date(2026, 3, number)


def check(number: int | None, *, failed: bool = True, **more: Any) -> Observation:
    """What a check said of one day."""
    known = {"first_day": day(number), "last_day": day(number), "days": 1} if number and failed else {}
    newest = {"newest_day": day(number)} if number else {}
    cells = {
        "subject": "cleaned/orders",
        "claim": "contract_holds",
        "run": f"run of {number}",
        **known,
        **newest,
    }
    return Observation(kind="check", failed=failed, at=NOON, **(cells | more))


def told(*seen: Observation, standing: list[Incident] | None = None) -> list[tuple[str | None, bool]]:
    """Of each incident that changed: what there is to tell, and whether it is open."""
    courses, _ = follow(standing or [], seen, {}, 1)
    return [(course.change, course.after.is_open) for course in courses]


def incident(*seen: Observation) -> Incident:
    (course,), _ = follow([], seen, {}, 1)
    return course.after


def test_failures_of_one_cause_are_one_incident() -> None:
    found = incident(check(3), check(4), check(5))
    assert (found.first_day, found.last_day, found.days, found.times) == (day(3), day(5), 3, 3)
    assert told(check(4), standing=[incident(check(3))]) == [(None, True)]


def test_another_check_or_another_table_is_another_cause() -> None:
    assert len(told(check(3), check(3, claim="rows_reconcile"), check(3, subject="cleaned/events"))) == 3


def test_a_warning_that_becomes_an_error_is_told_again_and_never_back() -> None:
    warned = incident(check(3, severity="warn"))
    assert told(check(4, severity="error"), standing=[warned]) == [("worse", True)]
    assert told(check(4, severity="warn"), standing=[incident(check(3))]) == [(None, True)]


def test_a_newer_day_that_passes_or_the_day_itself_repaired_is_a_recovery() -> None:
    for number in (3, 4):
        assert told(check(number, failed=False), standing=[incident(check(3))]) == [("recovered", False)]


def test_an_older_day_that_passes_recovers_nothing() -> None:
    assert told(check(2, failed=False), standing=[incident(check(3))]) == []


def test_old_failing_days_of_a_long_run_are_one_incident_that_is_over() -> None:
    backfill = check(None, first_day=day(1), last_day=day(20), days=12, newest_day=day(30))
    found = incident(backfill)
    assert (found.days, found.is_open) == (12, False)
    assert told(backfill) == [("opened", False)]


def test_an_old_day_that_fails_after_newer_days_passed_is_over_at_once() -> None:
    _, passed = follow([], [check(9, failed=False)], {}, 1)
    (course,), _ = follow([], [check(3)], passed, 1)
    assert (course.change, course.after.is_open) == ("opened", False)


def test_an_old_day_in_an_open_incident_widens_it_and_does_not_end_it() -> None:
    (course,), _ = follow([incident(check(9))], [check(3)], {}, 2)
    assert (course.after.first_day, course.after.last_day, course.after.is_open) == (day(3), day(9), True)


def test_what_fails_again_after_its_recovery_is_a_new_incident() -> None:
    assert told(check(3), check(4, failed=False), check(5)) == [("opened", False), ("opened", True)]


def test_a_claim_without_days_recovers_with_the_next_pass() -> None:
    silent = check(None, subject="failure_alert", claim="has stopped")
    assert told(replace(silent, failed=False), standing=[incident(silent)]) == [("recovered", False)]


def test_the_same_state_seen_again_changes_nothing() -> None:
    late = check(3, run="")
    (standing,) = [incident(late)]
    assert told(replace(late, at=NOON + timedelta(hours=1)), standing=[standing]) == []


UPSTREAM = {
    "cleaned/orders": frozenset({"raw/orders"}),
    "features/consumption": frozenset({"raw/orders", "cleaned/orders"}),
    "cleaned/events": frozenset({"raw/events"}),
}


def together(*seen: Observation, standing: list[Incident] | None = None) -> list[int]:
    courses, _ = follow([], seen, {}, 1)
    return told_together([course.after for course in courses], standing or [], UPSTREAM)


def in_one_run(subject: str, claim: str = "contract_holds", **more: Any) -> Observation:
    return check(3, subject=subject, claim=claim, run="one", **more)


def test_what_fails_after_a_cause_in_the_same_run_is_told_with_it() -> None:
    assert together(
        in_one_run("features/consumption"),
        in_one_run("cleaned/orders", "expectations_are_met", severity="warn"),
        in_one_run("cleaned/orders"),
        in_one_run("cleaned/events"),
    ) == [3, 3, 3, 4]


def test_what_fails_later_in_a_run_is_told_with_what_the_run_opened_at_an_earlier_look() -> None:
    cause = replace(incident(in_one_run("cleaned/orders", severity="warn")), number=7, told_in=7)
    assert together(in_one_run("features/consumption"), standing=[cause]) == [7]
    assert together(in_one_run("cleaned/events"), standing=[cause]) == [1]
    assert together(check(4, subject="features/consumption"), standing=[cause]) == [1]


def test_a_failure_that_goes_on_since_an_earlier_run_hides_nothing_new() -> None:
    before = incident(check(2, severity="warn"))
    (course,), _ = follow([before], [in_one_run("cleaned/orders", severity="warn")], {}, 7)
    assert together(in_one_run("features/consumption"), standing=[course.after]) == [1]


def test_what_fails_in_another_run_is_told_by_itself() -> None:
    assert together(in_one_run("cleaned/orders"), check(4, subject="features/consumption")) == [1, 2]


def test_tables_that_miss_the_same_other_table_are_told_together() -> None:
    assert together(
        in_one_run("cleaned/orders", "customers_are_known"),
        in_one_run("cleaned/events", "customers_are_known"),
    ) == [1, 1]


def test_checks_of_a_table_whose_delivery_is_missing_are_told_with_that() -> None:
    late = replace(check(3, subject="raw/orders", claim="delivery late", run=""), kind="delivery")
    (course,), _ = follow([], [late], {}, 7)
    missing = course.after
    assert together(in_one_run("cleaned/orders"), standing=[missing]) == [7]
    assert together(check(4), standing=[missing]) == [1]
    assert together(in_one_run("cleaned/events"), standing=[missing]) == [1]


def test_a_run_in_which_everything_fails_is_a_handful_of_messages() -> None:
    roots = together(*(in_one_run(f"cleaned/table_{number}") for number in range(40)))
    assert len(roots) == 40
    assert len(set(roots)) == MOST_AT_ONCE
