"""Assets that store day by day, and checks with a result per day."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from threading import Barrier

import dagster as dg
import polars as pl
import pytest

from customer_profiles.cleaning.tables import COUNTS, DRIFT
from customer_profiles.collection.reading import DeliveryError
from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.orchestration.checks import (
    FindDays,
    _newest_within,
    day_check,
    drift_check,
    metadata_of,
    overall,
)
from customer_profiles.orchestration.metadata import row_count
from customer_profiles.orchestration.partitions import (
    ALL_DAYS_IN_ONE_RUN,
    DAILY,
    NO_DAY,
    PASSED_OVER,
    RANGE_END,
    RANGE_START,
    days_named,
    store_as_of_days,
    store_days,
)
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.run import failures_of
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.measuring import measure_days
from customer_profiles.quality.references import World
from customer_profiles.settings import load_settings
from customer_profiles.warehouse import Session, Table, WarehouseError
from customer_profiles.warehouse.artefacts import ArtefactError

KEY = dg.AssetKey(["raw", "numbers"])
FIFTH, SIXTH, SEVENTH = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
NUMBERS = Table(
    "raw.numbers",
    (StoredColumn("day", pl.Date, False, "day"), StoredColumn("number", pl.Int64, False, "number")),
    order=("number",),
    partition=("day",),
)
GOOD = Finding(True, 0, 0, "all is well")
WRONG = Finding(False, 3, 0, "three are wrong")
ODD = Finding(False, 1, 0, "one is odd", "warn")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(load_settings(tmp_path), {})


def numbers(store: Callable[[date], Mapping[str, object]]) -> dg.AssetsDefinition:
    @dg.asset(key=KEY, partitions_def=DAILY, backfill_policy=ALL_DAYS_IN_ONE_RUN)
    def stored(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        store_days(context, platform, store)

    return stored


@dg.asset(deps=[KEY], partitions_def=DAILY, backfill_policy=ALL_DAYS_IN_ONE_RUN)
def after_numbers() -> None:
    """What reads the numbers."""


def run_range(
    instance: dg.DagsterInstance,
    platform: Platform,
    *assets: dg.AssetsDefinition,
    checks: Sequence[dg.AssetChecksDefinition] = (),
    first: date = FIFTH,
    last: date = SEVENTH,
) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions(
        assets=[*assets, after_numbers],
        asset_checks=checks,
        resources={"platform": platform},
        jobs=[dg.define_asset_job("everything", executor_def=dg.in_process_executor)],
    )
    return definitions.resolve_job_def("everything").execute_in_process(
        instance=instance,
        tags={RANGE_START: str(first), RANGE_END: str(last)},
        raise_on_error=False,
    )


def finding_nothing_but(**findings: Finding) -> FindDays:
    by_day = {date(2026, 1, int(day[1:])): finding for day, finding in findings.items()}
    return lambda platform, days: {day: by_day.get(day, GOOD) for day in days}


def evaluations(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    return [
        entry.dagster_event.asset_check_evaluation_data
        for entry in instance.all_logs(run_id)
        if entry.dagster_event
        and entry.dagster_event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]


def test_good_days_are_recorded_with_their_metadata(platform: Platform) -> None:
    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(lambda day: row_count(day.day)))
        records = instance.fetch_materializations(KEY, limit=9).records
    assert done.success
    rows = {
        record.partition_key: record.asset_materialization.metadata["dagster/row_count"].value
        for record in records
        if record.asset_materialization
    }
    assert rows == {str(FIFTH): 5, str(SIXTH): 6, str(SEVENTH): 7}


def test_a_run_that_a_check_held_back_names_the_check_and_the_way_out(platform: Platform) -> None:
    find = finding_nothing_but(d7=WRONG)
    check = day_check(KEY.path, "numbers_are_few", "few", find, blocking=True)
    with dg.instance_for_test() as instance:
        stored = numbers(lambda day: row_count(day.day))
        done = run_range(instance, platform, stored, checks=[check])
        assert instance.get_materialized_partitions(after_numbers.key) == set()
    assert failures_of(done, SEVENTH) == [
        "raw/numbers numbers_are_few: an ERROR, see checks; what follows from it was held back. If "
        "2026-01-07 is not whole yet, leave it out: --to 2026-01-06"
    ]


def test_a_run_tells_our_words_for_a_fault_and_not_those_it_was_raised_from(platform: Platform) -> None:
    @dg.asset(key=KEY, partitions_def=DAILY, backfill_policy=ALL_DAYS_IN_ONE_RUN)
    def unreadable() -> None:
        try:
            json.loads("{")
        except ValueError as error:
            raise ArtefactError("champion.json cannot be read; train again") from error

    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, unreadable)
    (told,) = failures_of(done, SEVENTH)
    assert told.startswith("raw__numbers: ")
    assert told.endswith("ArtefactError: champion.json cannot be read; train again")


def test_a_run_without_a_day_stores_nothing_and_says_how_to_choose_one(platform: Platform) -> None:
    stored = numbers(lambda day: row_count(1))
    with dg.instance_for_test() as instance:
        done = dg.materialize(
            [stored], instance=instance, resources={"platform": platform}, raise_on_error=False
        )
        assert instance.get_latest_materialization_event(KEY) is None
    assert done.failure_data_for_node("raw__numbers").user_failure_data.description == NO_DAY


def test_a_check_that_is_executed_alone_looks_at_the_newest_stored_day(platform: Platform) -> None:
    asked: list[list[date]] = []

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        asked.append(days)
        return dict.fromkeys(days, GOOD)

    check = day_check(KEY.path, "numbers_are_few", "few", find)
    alone = dg.Definitions(asset_checks=[check], resources={"platform": platform})
    job = alone.resolve_implicit_global_asset_job_def()
    with dg.instance_for_test() as instance:
        (before,) = job.execute_in_process(instance=instance).get_asset_check_evaluations()
        run_range(instance, platform, numbers(lambda day: row_count(1)))
        job.execute_in_process(instance=instance)
    assert before.metadata["says"].value == "there is nothing to check yet"
    assert asked == [[SEVENTH]]


def test_days_that_a_long_run_passes_over_say_that_nothing_was_computed(platform: Platform) -> None:
    @dg.asset(key=KEY, partitions_def=DAILY, backfill_policy=ALL_DAYS_IN_ONE_RUN)
    def newest(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        store_days(context, platform, lambda day: row_count(1), [SEVENTH])

    with dg.instance_for_test() as instance:
        run_range(instance, platform, newest)
        records = instance.fetch_materializations(KEY, limit=9).records
    told = {
        record.partition_key: {
            name: value.value for name, value in record.asset_materialization.metadata.items()
        }
        for record in records
        if record.asset_materialization
    }
    passed_over = {"says": PASSED_OVER}
    assert told == {str(FIFTH): passed_over, str(SIXTH): passed_over, str(SEVENTH): {"dagster/row_count": 1}}


def test_a_bad_day_stops_no_other_day_and_is_named_by_the_failure(platform: Platform) -> None:
    tried = []

    def store(day: date) -> Mapping[str, object]:
        tried.append(day)
        if day == SIXTH:
            raise DeliveryError(f"numbers of {day}: it is empty")
        return row_count(1)

    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(store))
        recorded = instance.get_materialized_partitions(KEY)
        assert instance.get_materialized_partitions(dg.AssetKey("after_numbers")) == set()
    failure = done.failure_data_for_node("raw__numbers")
    assert not done.success
    assert tried == [FIFTH, SIXTH, SEVENTH]
    assert recorded == {str(FIFTH), str(SEVENTH)}
    assert failure
    assert failure.user_failure_data
    assert failure.user_failure_data.description == (
        f"raw/numbers: 1 of 3 days failed\nnumbers of {SIXTH}: it is empty"
    )


def test_an_error_of_our_own_is_not_taken_for_a_bad_day(platform: Platform) -> None:
    def store(day: date) -> Mapping[str, object]:
        raise ZeroDivisionError

    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(store))
    failure = done.failure_data_for_node("raw__numbers")
    assert failure
    assert failure.error
    assert failure.error.cause
    assert failure.error.cause.cls_name == "ZeroDivisionError"


def test_progress_is_told_asset_and_days_done(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    platform = Platform(load_settings(tmp_path), {}, lambda *progress: told.append(progress))
    with dg.instance_for_test() as instance:
        run_range(instance, platform, numbers(lambda day: {}), first=SIXTH)
    assert told == [("raw/numbers", 0, 2), ("raw/numbers", 1, 2), ("raw/numbers", 2, 2)]


def as_of_numbers(store: Callable[[Session, date], Mapping[str, object]]) -> dg.AssetsDefinition:
    @dg.asset(key=KEY, partitions_def=DAILY, backfill_policy=ALL_DAYS_IN_ONE_RUN)
    def stored(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        store_as_of_days(context, platform, store, days_named(context))

    return stored


def test_as_of_days_after_the_first_are_stored_side_by_side(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customer_profiles.orchestration.platform.WORTH_A_THREAD", 0)
    both, sessions = Barrier(2, timeout=30), {}

    def store(session: Session, day: date) -> Mapping[str, object]:
        sessions[day] = session
        if day != FIFTH:
            both.wait()  # breaks, and fails the run, unless two days are under way at once
        session.write(NUMBERS, {"day": day}, pl.DataFrame({"day": [day], "number": [day.day]}))
        return row_count(day.day)

    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, as_of_numbers(store))
        records = instance.fetch_materializations(KEY, limit=9).records
    assert done.success
    assert sessions[SIXTH] is not sessions[SEVENTH]
    assert [record.partition_key for record in records] == [str(SEVENTH), str(SIXTH), str(FIFTH)]
    with platform.warehouse() as warehouse:
        assert warehouse.frame(NUMBERS)["number"].to_list() == [5, 6, 7]


def test_a_bad_day_beside_another_stops_it_not(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customer_profiles.orchestration.platform.WORTH_A_THREAD", 0)

    def store(session: Session, day: date) -> Mapping[str, object]:
        if day == SIXTH:
            raise WarehouseError(f"numbers of {day}: no space")
        return row_count(1)

    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, as_of_numbers(store))
        assert instance.get_materialized_partitions(KEY) == {str(FIFTH), str(SEVENTH)}
    assert not done.success


@pytest.mark.parametrize(
    ("size", "days"), [(None, 1), (63_999_999, 1), (64_000_000, 3), (100_000_000, 3), (100_000_001, 1)]
)
def test_a_tiny_warehouse_and_one_beyond_memory_compute_one_day_at_a_time(
    tmp_path: Path, size: int | None, days: int
) -> None:
    platform = Platform(load_settings(tmp_path, warehouse={"memory_limit": "400MB", "threads": 3}), {})
    if size is not None:
        with platform.settings.warehouse_file.open("wb") as file:
            file.truncate(size)
    assert platform.days_at_once == days


def test_an_asset_without_partitions_knows_the_days_of_its_run(platform: Platform) -> None:
    seen = []

    @dg.asset(deps=[KEY])
    def model(context: dg.AssetExecutionContext) -> None:
        seen.append(days_named(context))

    with dg.instance_for_test() as instance:
        run_range(instance, platform, numbers(lambda day: {}), model)
        dg.materialize([model], instance=instance)
    assert seen == [[FIFTH, SIXTH, SEVENTH], []]


def test_a_check_records_a_result_per_day_and_one_that_names_the_failing_days(platform: Platform) -> None:
    check = day_check(KEY.path, "numbers_add_up", "they add up", finding_nothing_but(_5=ODD, _6=WRONG))
    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(lambda day: {}), checks=[check])
        found = evaluations(instance, done.run_id)
    days = {each.partition: (each.passed, each.severity) for each in found if each.partition}
    error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    assert days == {str(FIFTH): (False, warn), str(SIXTH): (False, error), str(SEVENTH): (True, error)}
    whole = found[-1]
    assert whole.partition is None
    assert (whole.passed, whole.severity, whole.description) == (False, error, "three are wrong")
    told = {name: value.value for name, value in whole.metadata.items() if name != "each_day"}
    assert told == {
        "value": 3,
        "threshold": 0,
        "day": str(SIXTH),
        "days": "3",
        "newest_day": str(SEVENTH),
        "failing_days": f"{FIFTH}, {SIXTH}",
    }


@pytest.mark.parametrize(
    ("finding", "blocking", "goes_on"), [(WRONG, True, False), (WRONG, False, True), (ODD, True, True)]
)
def test_what_follows_is_stopped_by_blocking_errors_alone(
    platform: Platform, finding: Finding, blocking: bool, goes_on: bool
) -> None:
    check = day_check(KEY.path, "holds", "it holds", finding_nothing_but(_6=finding), blocking=blocking)
    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(lambda day: {}), checks=[check])
        followed = instance.get_materialized_partitions(dg.AssetKey("after_numbers"))
        stored = instance.get_materialized_partitions(KEY)
    assert stored == {str(FIFTH), str(SIXTH), str(SEVENTH)}
    assert followed == (stored if goes_on else set())
    assert done.success is goes_on


def test_a_run_of_one_day_has_one_result(platform: Platform) -> None:
    check = day_check(KEY.path, "holds", "it holds", finding_nothing_but(_6=ODD))
    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(lambda day: {}), checks=[check], first=SIXTH, last=SIXTH)
        found = evaluations(instance, done.run_id)
    assert [(each.passed, each.metadata["failing_days"].value) for each in found] == [(False, str(SIXTH))]


def test_of_a_long_range_the_newest_days_and_every_failing_day_are_logged(platform: Platform) -> None:
    check = day_check(KEY.path, "holds", "it holds", finding_nothing_but(_3=ODD))
    first, last = date(2026, 1, 1), date(2026, 1, 20)
    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(lambda day: {}), checks=[check], first=first, last=last)
        logged = [each.partition for each in evaluations(instance, done.run_id) if each.partition]
    assert sorted(logged) == ["2026-01-03", *(f"2026-01-{day:02}" for day in range(7, 21))]


def test_the_day_that_drifted_is_drawn_though_it_is_not_the_newest(platform: Platform) -> None:
    first, odd, last = date(2026, 1, 1), date(2026, 1, 19), date(2026, 1, 20)
    days = pl.date_range(first, last, eager=True).alias("delivery_day")
    counts = pl.DataFrame(
        {"delivery_day": days, "table_name": "orders", "model_version": "", "column_name": "(rows)"}
        | {"kind": "rows", "number": None, "category": None, "rows": [1000] * 18 + [10, 1000]},
        schema_overrides=COUNTS.schema,
    )
    world = World()
    with platform.warehouse() as session:
        for (day,), rows in counts.group_by("delivery_day", maintain_order=True):
            session.write(COUNTS, {"delivery_day": day}, rows)
        limits = platform.settings.drift
        for day, drift in measure_days(session, COUNTS, DRIFT, days.to_list(), world, limits):
            session.write(DRIFT, {"delivery_day": day}, drift)
    check = drift_check(KEY.path, "steady", "as ever", COUNTS, DRIFT, lambda *_: world, ["orders"])
    with dg.instance_for_test() as instance:
        done = run_range(instance, platform, numbers(lambda day: {}), checks=[check], first=first, last=last)
        told = evaluations(instance, done.run_id)
    assert (told[-1].partition, told[-1].metadata["day"].value) == (None, str(odd))
    assert {each.partition for each in told if "plot" in each.metadata} == {str(odd), str(last), None}


def test_days_about_which_nothing_is_said_pass() -> None:
    nothing = overall({})
    assert nothing.passed
    assert nothing.metadata["says"] == dg.MetadataValue.text("there is nothing to check yet")


def test_many_failing_days_are_counted_and_not_all_named() -> None:
    findings = {date(2026, 1, day): ODD for day in range(1, 14)}
    named = str(overall(findings).metadata["failing_days"].value)
    assert named.endswith("2026-01-10 and 3 more, the last 2026-01-13")


def test_several_limits_are_told_in_words() -> None:
    limits = Finding(True, 0.02, {"warn": 0.01, "error": 0.05}, "2 of 100 rows")
    assert metadata_of(limits)["threshold"] == "warn 0.01, error 0.05"


def test_a_suite_looks_together_at_no_more_older_days_than_its_sample_holds() -> None:
    days = [date(2026, 1, day) for day in (1, 2, 3, 4)]
    rows = {days[0]: 50, days[1]: 50, days[3]: 50}
    assert _newest_within(days, rows, 100) == days[1:]
    assert _newest_within(days, rows, 10) == days[-1:]
    assert _newest_within([], rows, 10) == []
