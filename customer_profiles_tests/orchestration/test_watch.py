"""Late days and silent watchers, and what the doctor says of them."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat

from customer_profiles.collection.assets import raw_asset
from customer_profiles.collection.ledger import ABSENT, LOADED, REFUSED
from customer_profiles.collection.sources import rows
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.load import load_home
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of
from customer_profiles.definitions import ANCESTORS, build
from customer_profiles.orchestration.alerts import open_alerts, tell
from customer_profiles.orchestration.doctor import examine
from customer_profiles.orchestration.instance import open_instance
from customer_profiles.orchestration.jobs import DAILY_SCHEDULE
from customer_profiles.orchestration.observations import log_name
from customer_profiles.orchestration.partitions import FATE
from customer_profiles.orchestration.platform import Platform, keep_zone, watched_home
from customer_profiles.orchestration.watch import PROFILES, is_awaited, late
from customer_profiles.privacy.secrets import load_secrets
from customer_profiles.quality.freshness import expected_were_delivered, late_days
from customer_profiles.settings import Settings, SettingsError, load_settings
from customer_profiles.warehouse import outbox as outbox_module

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 3)
HOURS = {"delivered_by": {"orders": "06:00"}, "profiles_by": "09:00"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for day in (FIRST, LAST):
        file = tmp_path / "deliveries" / "orders" / f"{day}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("order_id\n")
    return load_settings(tmp_path, first_day=FIRST, freshness=HOURS)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with open_instance(tmp_path_factory.mktemp("instance")) as instance:
        yield instance


def clock(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=ZoneInfo("Asia/Shanghai"))


def seen(settings: Settings, instance: dg.DagsterInstance, now: datetime) -> dict[str, tuple[bool, str, int]]:
    return {
        each.kind: (each.failed, each.severity, each.days)
        for each in late(load_home(settings, {}), settings, instance, now)
    }


def computed(instance: dg.DagsterInstance, *days: date) -> None:
    for day in days:
        instance.report_runless_asset_event(dg.AssetMaterialization(PROFILES, partition=str(day)))


def test_a_delivery_is_late_from_its_hour_of_the_next_morning_on(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    assert seen(settings, instance, clock(4, 6))["delivery"] == (False, "warn", 0)
    assert seen(settings, instance, clock(5, 5))["delivery"] == (False, "warn", 0)
    assert seen(settings, instance, clock(5, 6))["delivery"] == (True, "warn", 1)
    assert seen(settings, instance, clock(7, 7))["delivery"] == (True, "error", 3)


def test_a_late_delivery_that_is_awaited_no_more_is_over(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    tell(settings, {}, instance, ANCESTORS, home=lambda: load_home(settings, {}), now=clock(7, 7))
    with open_alerts(settings) as outbox:
        assert "raw/orders" in {each.subject for each in outbox.standing()}
    freed = load_settings(settings.home, first_day=FIRST, freshness={**HOURS, "delivered_by": {}})
    tell(freed, {}, instance, ANCESTORS, home=lambda: load_home(freed, {}), now=clock(7, 8))
    with open_alerts(settings) as outbox:
        assert "raw/orders" not in {each.subject for each in outbox.standing()}
    (month,) = settings.alerts_folder.glob("*.log")
    assert "[OK] recovered: raw/orders: delivery late" in month.read_text()


def test_a_day_backfilled_long_after_makes_no_newer_day_fresh(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    computed(instance, FIRST, LAST)
    assert seen(settings, instance, clock(5, 10))["profiles"] == (True, "warn", 1)
    computed(instance, FIRST)
    assert seen(settings, instance, clock(5, 10))["profiles"] == (True, "warn", 1)
    computed(instance, date(2026, 3, 4))
    assert seen(settings, instance, clock(5, 10))["profiles"] == (False, "warn", 0)


def test_a_gap_that_newer_days_followed_is_no_news() -> None:
    days = [date(2026, 3, number) for number in range(1, 6)]
    assert late_days(days, {days[0], days[3]}) == [days[4]]
    assert late_days(days, {days[4]}) == []
    assert late_days(days, set()) == days


def broken_history(home: Path) -> None:
    """Orders for all days in a file that lacks what is mapped."""
    columns = "{order_id: No, ordered_at: At}"
    (home / "sources.yaml").write_text(
        f"tables: {{orders: [{{kind: files, path: all.csv, columns: {columns}}}]}}"
    )
    (home / "all.csv").write_text("Nr,At\nA,2026-03-01\n")


def test_rows_of_another_day_that_came_late_are_no_delivery_of_the_day(settings: Settings) -> None:
    orders = dg.AssetKey(["raw", "orders"])

    def stored(day: date, fate: str) -> dg.AssetMaterialization:
        metadata = {"dagster/row_count": 3, FATE: fate}
        return dg.AssetMaterialization(orders, partition=str(day), metadata=metadata)

    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(stored(date(2026, 3, 2), LOADED))
        instance.report_runless_asset_event(stored(date(2026, 3, 4), ABSENT))
        assert seen(settings, instance, clock(5, 7))["delivery"] == (True, "warn", 1)


def test_a_raw_day_tells_the_fate_of_its_delivery(settings: Settings) -> None:
    day, header = date(2026, 3, 2), ",".join(columns_of(CONTRACTS["orders"]))
    with dg.DagsterInstance.ephemeral() as instance:
        for fate, next_file in ((ABSENT, "order_id\n"), (REFUSED, f"{header}\n"), (LOADED, "")):
            resources = {"platform": Platform(settings, {})}
            stored = dg.materialize(
                [raw_asset("orders")], partition_key=str(day), resources=resources, instance=instance
            ).asset_materializations_for_node("raw__orders")
            assert stored[0].metadata[FATE].value == fate
            file = settings.deliveries / "orders" / f"{day}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(next_file)


def test_a_file_whose_days_nobody_can_tell_leaves_its_table_late_and_hides_nothing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = load_settings(tmp_path, first_day=FIRST, freshness=HOURS)
    broken_history(tmp_path)
    assert seen(settings, instance, clock(5, 10)) == {}
    events = tmp_path / "deliveries" / "events"
    events.mkdir(parents=True)
    (events / f"{FIRST}.csv").write_text("event_id\n")
    assert seen(settings, instance, clock(5, 10))["delivery"] == (True, "error", 4)


def test_whoever_has_something_to_tell_need_not_wait_until_late_days_are_looked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "BUSY_SECONDS", 0.1)

    def home() -> Home:
        with open_alerts(settings) as other, other.transaction():
            return load_home(settings, {})

    with open_instance(settings.instance) as own:
        assert tell(settings, {}, own, ANCESTORS, home=home).opened


def test_each_day_of_a_run_says_what_did_not_come() -> None:
    delivered = {"orders": frozenset({FIRST}), "events": frozenset({FIRST, LAST})}
    found = expected_were_delivered(LAST, ["orders", "events"], delivered)
    assert (found.passed, found.value, found.severity) == (False, 1, "warn")
    assert found.says.startswith("no delivery of orders; windows that hold the day are NULL; if nothing")
    assert expected_were_delivered(FIRST, ["orders", "events"], delivered).passed


def test_an_expected_table_that_does_not_exist_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"freshness.delivered_by: .*\['order'\] are no delivered tables"):
        load_settings(tmp_path, freshness={"delivered_by": {"order": "06:00"}})
    with pytest.raises(SettingsError, match=r"freshness.delivered_by.orders"):
        load_settings(tmp_path, freshness={"delivered_by": {"orders": "six"}})


def switch(instance: dg.DagsterInstance, name: str, status: InstigatorStatus) -> None:
    """A schedule that a person switched on or off."""
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="customer_profiles.definitions")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "__repository__")
    data, origin = ScheduleInstigatorData("0 6 * * *"), RemoteInstigatorOrigin(repository, name)
    state = InstigatorState(origin, InstigatorType.SCHEDULE, status, data)
    instance.add_instigator_state(state)


def beat(instance: dg.DagsterInstance, moment: datetime) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(moment.timestamp(), "SCHEDULER", "id", []))


def titles(settings: Settings) -> list[str]:
    text = "".join(file.read_text() for file in sorted(settings.alerts_folder.glob("*.log")))
    return [line.partition(" ")[2] for line in text.splitlines() if "] " in line]


def test_a_daemon_that_fell_silent_is_told_while_a_schedule_waits_for_it(tmp_path: Path) -> None:
    settings, now = load_settings(tmp_path), datetime.now(UTC)
    with open_instance(settings.instance) as instance:
        beat(instance, now - timedelta(hours=3))
        assert tell(settings, {}, instance, ANCESTORS, now=now).opened == 0
        assert not is_awaited(settings, instance)
        switch(instance, DAILY_SCHEDULE, InstigatorStatus.RUNNING)
        switch(instance, "deliveries_sensor", InstigatorStatus.RUNNING)
        assert is_awaited(settings, instance)
        assert tell(settings, {}, instance, ANCESTORS, now=now).opened == 1
        assert tell(settings, {}, instance, ANCESTORS, now=now).opened == 0
        lines = {line.about: line.state for line in examine(settings, {}, now)}
        assert lines["scheduler daemon"] == "error"
        assert lines["deliveries_sensor"] == "ok", "who is on is told of"
        beat(instance, now)
        assert tell(settings, {}, instance, ANCESTORS, now=now).recovered == 1
    assert titles(settings) == [
        "[ERROR] daemon: has stopped",
        "[OK] recovered: daemon: has stopped",
    ]


def test_sensors_that_slept_say_so_when_they_wake(tmp_path: Path) -> None:
    settings, now = load_settings(tmp_path), datetime.now(UTC)
    with open_instance(settings.instance) as instance:
        switch(instance, DAILY_SCHEDULE, InstigatorStatus.RUNNING)
        beat(instance, now)
        for hours in (0, 5, 5.1):
            tell(settings, {}, instance, ANCESTORS, sensor="failure_alert", now=now + timedelta(hours=hours))
        assert titles(settings) == ["[WARN] alerts: have slept"]
        tell(settings, {}, instance, ANCESTORS, now=now + timedelta(hours=9))
        tell(settings, {}, instance, ANCESTORS, sensor="failure_alert", now=now + timedelta(hours=10))
    assert titles(settings)[1:] == ["[ERROR] alerts: have slept", "[OK] recovered: alerts: have slept"]


def test_the_doctor_finds_open_secrets_a_damaged_warehouse_unread_events_and_waiting_messages(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    load_secrets(settings.secrets, {})
    (settings.secrets / "vault.key").chmod(0o644)
    settings.warehouse_file.write_bytes(b"no database" * 1000)
    now = datetime.now(UTC)
    with open_instance(settings.instance) as own, open_alerts(settings) as outbox:
        outbox.move(log_name(own), 0, now)
        outbox.add(1, "opened", "slack 0123", "error", now)
        outbox.put_back(outbox.waiting()[0], now, "nobody answers", perhaps_arrived=False)
    lines = examine(settings, {}, now)
    found = {line.about: (line.state, line.says) for line in lines}
    assert found["secrets"][0] == "error"
    assert "vault.key: chmod 600" in found["secrets"][1]
    assert found["warehouse.duckdb"][0] == "error"
    assert found["alerts"][0] == "warn"
    assert found["outbox"][1].startswith("1 messages wait")
    assert found["raw/orders"][0] == "error"


def test_the_doctor_tells_of_another_zone_and_of_an_instance_that_cannot_be_opened(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    keep_zone(settings)
    settings.warehouse_file.write_bytes(b"")
    with open_instance(settings.instance) as own:
        own.get_runs_count()
    (database,) = settings.instance.rglob("runs.db")
    database.unlink()
    database.mkdir()
    found = {line.about: line for line in examine(load_settings(tmp_path, timezone="Asia/Tokyo"), {})}
    assert "was written in Asia/Shanghai" in found["timezone"].says
    assert found["Dagster instance"].state == "error"
    assert "unable to open database file): look at the disk" in found["Dagster instance"].says


def test_the_doctor_changes_nothing_in_a_home_that_is_empty(tmp_path: Path) -> None:
    examine(load_settings(tmp_path), {})
    assert not any(tmp_path.iterdir())


def test_the_doctor_looks_on_though_deliveries_cannot_be_told(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    broken_history(tmp_path)
    settings = load_settings(tmp_path)
    found = {line.about: (line.state, line.says) for line in examine(settings, {})}
    assert found["deliveries"][0] == "error"
    assert "orders of every day: all.csv: sources.yaml maps its columns" in found["deliveries"][1]
    assert found["warehouse.duckdb"][0] == "ok"
    (tmp_path / "sources.yaml").write_text("tables: {order: []}")
    found = {line.about: (line.state, line.says) for line in examine(settings, {})}
    assert found["sources.yaml"][0] == "error"
    assert "did you mean 'orders'?" in found["sources.yaml"][1]
    assert found["warehouse.duckdb"][0] == "ok"


def test_who_looks_every_few_minutes_reads_a_file_for_all_days_once(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = "{order_id: No, ordered_at: At}"
    sources = f"tables: {{orders: [{{kind: files, path: all.csv, columns: {columns}}}]}}"
    (tmp_path / "sources.yaml").write_text(sources)
    (tmp_path / "all.csv").write_text("No,At\nA,2026-03-01\nB,2026-03-02\n")
    platform = Platform(load_settings(tmp_path, first_day=FIRST, freshness=HOURS), {})
    definitions = build(platform.settings, {"platform": platform})
    read, original = list[Path](), rows.read_pieces
    monkeypatch.setattr(rows, "read_pieces", lambda file, *more: read.append(file) or original(file, *more))

    def tick(sensor: str) -> None:
        resources = {"platform": platform}
        context = dg.build_sensor_context(instance, definitions=definitions, resources=resources)
        definitions.resolve_sensor_def(sensor).evaluate_tick(context)

    for sensor in ("late_day_alert", "deliveries_sensor", "late_day_alert"):
        tick(sensor)
        assert len(read) == 1
        assert not watched_home(platform).laid
    (tmp_path / "sources.yaml").write_text(sources.replace("order_id: No, ", ""))
    tick("late_day_alert")
    assert len(read) == 2
