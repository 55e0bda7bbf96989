"""Runs: which days, what changed, whose process died, and when the schedules tick."""

import base64
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl
import pytest

from customer_profiles.collection.tables import DELIVERIES
from customer_profiles.definitions import build
from customer_profiles.orchestration.instance import PROCESS_TAG, InstanceError, end_dead_runs, open_instance
from customer_profiles.orchestration.jobs import schedules
from customer_profiles.orchestration.platform import Platform, ZoneError
from customer_profiles.orchestration.report import Report, load_report, save_report, told_once
from customer_profiles.orchestration.run import (
    RunError,
    ending_early,
    far_ahead,
    far_deliveries,
    fingerprint,
    range_of_days,
    run_range,
)
from customer_profiles.privacy.secrets import SEAL_VARIABLE, SecretError
from customer_profiles.settings import load_settings
from customer_profiles.warehouse import WarehouseError

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST, SECOND, THIRD = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)


def deliver(home: Path, *days: date, table: str = "orders") -> None:
    for day in days:
        file = home / "deliveries" / table / f"{day}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("order_id\n")


def daily_tick(moment: datetime) -> object:
    daily = schedules(THIRD, "Asia/Shanghai")[0]
    return daily(dg.build_schedule_context(scheduled_execution_time=moment))


def test_the_tick_of_a_morning_runs_the_day_before() -> None:
    request = daily_tick(datetime(2026, 3, 4, 6, tzinfo=SHANGHAI))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-03-03"


def test_the_day_is_that_of_business_time_wherever_the_daemon_runs() -> None:
    request = daily_tick(datetime(2026, 3, 3, 22, tzinfo=ZoneInfo("UTC")))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-03-03"


def test_before_the_first_day_the_schedule_says_why_it_skips() -> None:
    skipped = daily_tick(datetime(2026, 3, 3, 6, tzinfo=SHANGHAI))
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "2026-03-02 lies before the first day, 2026-03-03"


def test_models_are_trained_on_mondays_after_the_daily_run() -> None:
    daily, weekly = schedules(THIRD, "Asia/Shanghai")
    assert (daily.job_name, daily.cron_schedule) == ("daily_profiles", "0 6 * * *")
    assert (weekly.job_name, weekly.cron_schedule) == ("conversion_training", "0 8 * * 1")
    assert {daily.execution_timezone, weekly.execution_timezone} == {"Asia/Shanghai"}


def test_a_run_covers_all_delivered_days_unless_told_otherwise(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST, THIRD)
    settings = load_settings(tmp_path)
    assert range_of_days(Platform(settings, {}), None, None) == (FIRST, THIRD)
    assert range_of_days(Platform(settings, {}), SECOND, None) == (SECOND, THIRD)
    assert range_of_days(Platform(settings, {}), None, SECOND) == (FIRST, SECOND)


def test_a_table_that_ends_before_the_run_does_is_named(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST, SECOND)
    deliver(tmp_path, FIRST, THIRD, table="texts")
    platform = Platform(load_settings(tmp_path), {})
    (told,) = ending_early(platform, THIRD)
    assert told.startswith(
        "orders: nothing was delivered after 2026-03-02, and the run goes on to 2026-03-03:"
    )
    assert told.endswith("--to 2026-03-02")
    assert ending_early(platform, SECOND) == []


def test_a_run_ends_no_earlier_than_what_was_loaded_also_if_it_does_not_lie_there_any_more(
    tmp_path: Path,
) -> None:
    deliver(tmp_path, FIRST, SECOND)
    platform = Platform(load_settings(tmp_path), {})
    entry = {"table_name": "orders", "delivery_day": THIRD, "file_day": THIRD, "source": "all.csv"}
    with platform.warehouse() as warehouse:
        warehouse.append(DELIVERIES, pl.DataFrame([entry], schema=DELIVERIES.schema))
    assert range_of_days(platform, None, None) == (FIRST, THIRD)
    assert range_of_days(platform, None, SECOND) == (FIRST, SECOND)
    assert ending_early(platform, THIRD) == []


def test_a_day_to_come_that_follows_on_nothing_is_left_out() -> None:
    near, far = [FIRST, SECOND], [date(2062, 3, 3), date(2062, 3, 4)]
    assert far_ahead([*near, *far], today=THIRD) == far
    assert far_ahead([*near, THIRD], today=FIRST) == []
    assert far_ahead([*near, *far], today=date(2070, 1, 1)) == []
    assert far_ahead(far, today=FIRST) == []


def test_a_file_of_a_far_day_is_named_and_all_others_are_run(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST, SECOND, date(2062, 3, 3))
    platform = Platform(load_settings(tmp_path), {})
    assert range_of_days(platform, None, None) == (FIRST, SECOND)
    assert range_of_days(platform, None, date(2062, 3, 3)) == (FIRST, date(2062, 3, 3))
    (said,) = far_deliveries(platform, SECOND)
    assert said.startswith("orders of 2062-03-03: the day is still to come")
    assert "correct it in orders/2062-03-03.csv" in said


def test_a_far_day_that_was_delivered_twice_is_named_as_that(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST, SECOND, date(2062, 3, 3))
    (tmp_path / "deliveries" / "orders" / "2062-03-03.ndjson").write_text("\n")
    (said,) = far_deliveries(Platform(load_settings(tmp_path), {}), SECOND)
    assert said.startswith("orders of 2062-03-03 is delivered more than once")


@pytest.mark.parametrize(
    ("delivered", "first", "last", "says"),
    [
        ([], None, None, "no deliveries under .*customer-profiles simulate"),
        ([FIRST], THIRD, SECOND, "--from 2026-03-03 lies after --to 2026-03-02"),
        ([FIRST], date(2025, 12, 31), None, "lies before first_day 2026-01-01: set first_day: 2025-12-31"),
    ],
)
def test_a_range_that_cannot_be_run_is_refused(
    tmp_path: Path, delivered: list[date], first: date | None, last: date | None, says: str
) -> None:
    deliver(tmp_path, *delivered)
    with pytest.raises(RunError, match=says):
        range_of_days(Platform(load_settings(tmp_path), {}), first, last)


def test_an_instance_whose_folder_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST)
    settings = load_settings(tmp_path)
    settings.instance.write_text("no folder")
    with pytest.raises(InstanceError, match=r"File exists.*look at the disk and its rights, then run again"):
        run_range(Platform(settings, {}), FIRST, FIRST)


def test_days_that_fail_for_one_reason_are_told_once() -> None:
    away = [(day, "orders", f"orders of {day}: SHOP_URL cannot be reached") for day in (FIRST, SECOND, THIRD)]
    all_days = [(day, "products", "products.csv is a directory") for day in (FIRST, SECOND)]
    other = (SECOND, "texts", f"texts of {SECOND}: it is empty")
    refused = pl.DataFrame(
        sorted([*away, *all_days, other]), schema=["delivery_day", "table_name", "reason"], orient="row"
    )
    assert told_once(refused) == [
        "orders of 3 days, 2026-03-01 to 2026-03-03: SHOP_URL cannot be reached",
        "products.csv is a directory",
        "texts of 2026-03-02: it is empty",
    ]


def test_the_fingerprint_changes_with_deliveries_settings_and_days_alone(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST)
    settings = load_settings(tmp_path)
    before = fingerprint(Platform(settings, {}), FIRST, SECOND)
    (tmp_path / "last_run.json").write_text("{}")
    assert fingerprint(Platform(load_settings(tmp_path), {}), FIRST, SECOND) == before
    assert fingerprint(Platform(settings, {}), FIRST, THIRD) != before
    assert fingerprint(Platform(load_settings(tmp_path, timezone="UTC"), {}), FIRST, SECOND) != before
    deliver(tmp_path, SECOND)
    assert fingerprint(Platform(settings, {}), FIRST, SECOND) != before


def test_a_report_is_read_as_it_was_saved_and_an_unreadable_one_is_none(tmp_path: Path) -> None:
    report = Report("f", "r", str(FIRST), str(THIRD), True, [], {}, 3, [], "", [], [], 0, {"raw": 1.5})
    assert load_report(tmp_path) is None
    save_report(tmp_path, report)
    assert load_report(tmp_path) == report
    (tmp_path / "last_run.json").write_text('{"written by": "another version"}')
    assert load_report(tmp_path) is None


def started_run(
    instance: dg.DagsterInstance, process: int | None, repeats: dg.DagsterRun | None = None
) -> dg.DagsterRun:
    @dg.op
    def wait() -> None:
        """Never runs."""

    @dg.job
    def waiting() -> None:
        wait()

    tags = {} if process is None else {PROCESS_TAG: str(process)}
    before = repeats.run_id if repeats else None
    run = instance.create_run_for_job(
        waiting, status=dg.DagsterRunStatus.STARTED, tags=tags, root_run_id=before, parent_run_id=before
    )
    instance.event_log_storage.claim_concurrency_slot("warehouse", run.run_id, "wait")
    return run


def slots(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info("warehouse").active_slot_count


def test_only_runs_whose_process_is_gone_are_ended_and_their_slots_freed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with open_instance(tmp_path) as instance:
        instance.event_log_storage.set_concurrency_slots("warehouse", 4)
        dead, ours_before, alive, of_the_daemon = (
            started_run(instance, process) for process in (gone.pid, os.getpid(), os.getppid(), None)
        )
        assert slots(instance) == 4
        assert set(end_dead_runs(instance)) == {dead.run_id, ours_before.run_id}
        status = {run.run_id: run.status for run in instance.get_runs()}
        assert slots(instance) == 2
    assert status == {
        dead.run_id: dg.DagsterRunStatus.FAILURE,
        ours_before.run_id: dg.DagsterRunStatus.FAILURE,
        alive.run_id: dg.DagsterRunStatus.STARTED,
        of_the_daemon.run_id: dg.DagsterRunStatus.STARTED,
    }


def test_a_run_that_repeats_one_of_a_process_that_is_gone_is_not_ended_before_it_names_its_own(
    tmp_path: Path,
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with open_instance(tmp_path) as instance:
        dead = started_run(instance, gone.pid)
        assert end_dead_runs(instance) == [dead.run_id]
        again = started_run(instance, gone.pid, repeats=dead)
        assert end_dead_runs(instance) == []
        instance.add_run_tags(again.run_id, {PROCESS_TAG: str(os.getpid())})
        assert end_dead_runs(instance) == [again.run_id]


def test_a_run_that_the_daemon_starts_names_its_process(tmp_path: Path) -> None:
    definitions = build(load_settings(tmp_path))

    @dg.asset
    def asked(platform: dg.ResourceParam[Platform]) -> str:
        return str(platform.settings.home)

    with open_instance(tmp_path / "instance") as instance:
        done = dg.materialize([asked], instance=instance, resources=definitions.resources or {})
        assert done.output_for_node("asked") == str(tmp_path)
        (run,) = instance.get_runs()
    assert run.tags[PROCESS_TAG] == str(os.getpid())


def test_the_ui_ends_runs_that_went_down_with_the_daemon_before(
    tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(os, "execve", lambda program, words, environment: started.append(words[1]))
    with open_instance(tmp_path / "instance") as instance:
        dead = started_run(instance, os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert command("ui", "--home", tmp_path, "--port", str(port)).code == 0
    with open_instance(tmp_path / "instance") as instance:
        ended = instance.get_run_by_id(dead.run_id)
    assert ended is not None
    assert (ended.status, started) == (dg.DagsterRunStatus.FAILURE, ["dev"])


def test_an_instance_folder_keeps_the_settings_that_its_owner_wrote(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        assert not instance.telemetry_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
    own = (tmp_path / "dagster.yaml").read_text().replace("default_limit: 1", "default_limit: 2")
    (tmp_path / "dagster.yaml").write_text(own)
    with open_instance(tmp_path) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 2


def test_a_wrong_secret_is_refused_before_the_run_starts(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST)
    settings = load_settings(tmp_path)
    assert Platform(settings, {}).secrets
    other = {SEAL_VARIABLE: base64.b64encode(b"v" * 32).decode()}
    with pytest.raises(SecretError, match="is not the one with which"):
        run_range(Platform(settings, other), FIRST, FIRST)
    assert not settings.instance.exists()
    assert not settings.warehouse_file.exists()


def test_another_business_time_than_that_of_the_stored_rows_is_refused(tmp_path: Path) -> None:
    first, other = (load_settings(tmp_path, timezone=zone) for zone in ("Asia/Shanghai", "Europe/Berlin"))
    Platform(first, {}).require_order()
    with pytest.raises(ZoneError, match=r"timezone is Europe/Berlin, but .* was written in Asia/Shanghai"):
        run_range(Platform(other, {}), FIRST, FIRST)
    with pytest.raises(ZoneError):
        assert Platform(other, {}).door
    Platform(first, {}).require_order()
    first.warehouse_file.unlink()
    Platform(other, {}).require_order()
    with pytest.raises(ZoneError, match="was written in Europe/Berlin"):
        Platform(first, {}).require_order()


def test_a_damaged_vault_is_refused_before_the_run_starts(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    settings.vault_file.write_bytes(b"no database" * 1000)
    with pytest.raises(WarehouseError, match=r"vault.duckdb cannot be opened.*move it away"):
        run_range(Platform(settings, {}), FIRST, FIRST)
    assert not settings.instance.exists()
