"""The sensor of deliveries: a run for every new state of a file, once it is whole, and never twice."""

import json
import os
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from customer_profiles.collection.assets import deliveries, raw_asset
from customer_profiles.collection.sources.load import SourcesError
from customer_profiles.definitions import build
from customer_profiles.orchestration.instance import PROCESS_TAG, end_dead_runs
from customer_profiles.orchestration.platform import Platform
from customer_profiles.settings import Settings, load_settings

DAY = timedelta(days=1)
FIRST, SECOND, THIRD = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
ORDER = (
    "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency\n"
    "{name},1,2026-03-01 10:00:00,C1,2026-03-01 10:00:00,paid,1,100,CNY\n"
)


class Watch:
    """A home under the sensor: deliver, tick, run what was asked for."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.settings: Settings = load_settings(home, first_day=FIRST)
        self.platform = Platform(self.settings, {})
        self.instance = instance
        self.definitions = build(self.settings, {"platform": self.platform})
        self.cursor: str | None = None
        self.says: str | None = None

    def deliver(self, day: date, text: str = ORDER.format(name="o1"), name: str = "{day}.csv") -> Path:
        file = self.settings.deliveries / "orders" / name.format(day=day)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def tick(self) -> list[tuple[str | None, str | None]]:
        """What a tick asks for: (partition, run key)."""
        sensor = self.definitions.resolve_sensor_def("deliveries_sensor")
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            definitions=self.definitions,
            resources={"platform": self.platform},
        )
        told = sensor.evaluate_tick(context)
        self.cursor, self.says = told.cursor, told.skip_message
        return [(request.partition_key, request.run_key) for request in told.run_requests or ()]

    def days(self) -> list[str | None]:
        return [day for day, _ in self.tick()]

    def run(self, day: str) -> None:
        """The day's orders, as a run that was asked for loads them."""
        orders, resources = raw_asset("orders"), {"platform": self.platform}
        dg.materialize([orders], partition_key=day, instance=self.instance, resources=resources)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(tmp_path, instance)


def test_a_new_file_is_waited_for_and_asked_for_once(watch: Watch) -> None:
    watch.deliver(FIRST)
    assert [watch.days() for _ in range(4)] == [[], ["2026-03-01"], [], []]


def test_a_day_waits_while_one_of_its_files_grows(watch: Watch) -> None:
    watch.deliver(FIRST, name="{day}/a.csv")
    file = watch.deliver(FIRST, name="{day}/b.csv")
    watch.deliver(SECOND)
    watch.tick()
    for n in range(2):
        file.write_text(ORDER.format(name="x" * (n + 5)))
        assert watch.days() == (["2026-03-02"] if n == 0 else [])
    assert watch.days() == ["2026-03-01"]


def test_a_tick_that_asks_for_nothing_says_why(watch: Watch) -> None:
    watch.deliver(FIRST)
    watch.tick()
    assert watch.says == "1 file(s) of 2026-03-01 are new or growing; a day waits until they stay as they are"
    watch.tick()
    assert watch.says is None
    watch.tick()
    assert watch.says == "nothing new among 1 file(s)"


def test_the_ledger_shows_minutes_and_the_first_digits_of_a_hash(watch: Watch) -> None:
    os.utime(watch.deliver(FIRST), (0, 0))
    watch.run(str(FIRST))
    resources = {"platform": watch.platform}
    done = dg.materialize(
        [deliveries], partition_key=str(FIRST), instance=watch.instance, resources=resources
    )
    (stored,) = done.asset_materializations_for_node("raw__deliveries")
    line = stored.metadata["files"].value.splitlines()[-1]
    minute = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    told = rf"\| 2026-03-01 \| 1970-01-01 00:00 UTC \| {minute} \| [0-9a-f]{{8}} \|$"
    assert re.search(told, line), line


def test_a_file_that_is_being_sent_is_not_seen(watch: Watch) -> None:
    file = watch.deliver(FIRST, name="{day}.csv.part")
    assert [watch.days(), watch.days()] == [[], []]
    file.rename(file.with_suffix(""))
    assert [watch.days(), watch.days()] == [[], ["2026-03-01"]]


def test_a_changed_file_asks_for_the_newest_day(watch: Watch) -> None:
    for day in (FIRST, SECOND):
        watch.deliver(day)
        watch.tick()
        watch.tick()
        watch.run(str(day))
    watch.deliver(FIRST, ORDER.format(name="o1, changed"))
    assert [watch.days() for _ in range(3)] == [[], ["2026-03-02"], []]


def test_a_file_that_came_after_its_day_was_run_asks_for_the_newest_day(watch: Watch) -> None:
    watch.deliver(SECOND)
    watch.run(str(FIRST))
    watch.tick()
    watch.tick()
    watch.deliver(FIRST)
    assert [watch.days(), watch.days()] == [[], ["2026-03-02"]]


def test_a_refused_file_that_was_mended_asks_for_its_own_day(watch: Watch) -> None:
    watch.deliver(FIRST, "order_id\n1\n")
    watch.deliver(SECOND)
    watch.tick()
    assert watch.days() == ["2026-03-01", "2026-03-02"]
    for day in (FIRST, SECOND):
        watch.run(str(day))
    watch.deliver(FIRST)
    assert [watch.days(), watch.days()] == [[], ["2026-03-01"]]


def test_what_was_loaded_before_the_sensor_was_switched_on_asks_for_nothing(watch: Watch) -> None:
    watch.deliver(FIRST)
    watch.run(str(FIRST))
    watch.deliver(SECOND)
    assert [watch.days() for _ in range(3)] == [[], ["2026-03-02"], []]


def test_the_same_states_have_the_same_run_key_even_if_the_cursor_is_lost(watch: Watch) -> None:
    watch.deliver(FIRST)
    watch.tick()
    ((_, key),) = watch.tick()
    watch.cursor = None
    watch.tick()
    assert watch.tick() == [("2026-03-01", key)]


def test_days_that_have_no_partition_are_left_alone(watch: Watch) -> None:
    watch.deliver(date(2026, 2, 27))
    watch.deliver(date(2199, 1, 1))
    assert [watch.days(), watch.days()] == [[], []]


def test_days_that_were_refused_are_asked_for_again_once_the_mapping_is_mended(watch: Watch) -> None:
    watch.deliver(FIRST, ORDER.format(name="o1").replace("order_id", "no", 1))
    watch.deliver(SECOND)
    watch.tick()
    assert watch.days() == ["2026-03-01", "2026-03-02"]
    for day in (FIRST, SECOND):
        watch.run(str(day))
    columns = {name: name for name in ORDER.split("\n", maxsplit=1)[0].split(",")} | {"order_id": "no"}
    source = {"kind": "files", "path": "deliveries/orders/{day}.csv", "columns": columns}
    mapping = watch.settings.home / "sources.yaml"
    mapping.write_text(json.dumps({"tables": {"orders": [source]}}))
    assert [watch.days(), watch.days()] == [["2026-03-01"], []]
    mapping.write_text("tables: [")
    with pytest.raises(SourcesError):
        watch.tick()


def test_a_file_for_all_days_that_has_rows_of_today_asks_for_the_newest_day_that_is_over(
    watch: Watch,
) -> None:
    today = datetime.now(ZoneInfo(watch.settings.timezone)).date()
    header, row = ORDER.splitlines()
    rows = [row.format(name=f"o{day}").replace("2026-03-01 10", f"{day} 00") for day in (today - DAY, today)]
    (watch.settings.home / "all.csv").write_text("\n".join([header, *rows]))
    source = {"kind": "files", "path": "all.csv", "columns": {name: name for name in header.split(",")}}
    (watch.settings.home / "sources.yaml").write_text(json.dumps({"tables": {"orders": [source]}}))
    assert [watch.days(), watch.days()] == [[], [str(today - DAY)]]


def test_a_day_whose_joined_file_came_too_late_is_asked_for_again(watch: Watch) -> None:
    columns = {name: name for name in ORDER.split("\n", maxsplit=1)[0].split(",")}
    source = {
        "kind": "files",
        "path": "o_{day}.csv",
        "join": [{"path": "buyers_{day}.csv", "on": "order_id"}],
    }
    home = watch.settings.home
    (home / "sources.yaml").write_text(json.dumps({"tables": {"orders": [source | {"columns": columns}]}}))
    watch.platform = Platform(watch.settings, {})  # a run is a process of its own
    (home / f"o_{FIRST}.csv").write_text(ORDER.replace("customer_id,", "").replace("C1,", ""))
    assert [watch.days(), watch.days()] == [[], ["2026-03-01"]]
    watch.run("2026-03-01")
    assert watch.days() == []
    joined = home / f"buyers_{FIRST}.csv"
    joined.write_text("order_id,customer_id\n{name},C1\n")
    assert [watch.days(), watch.days()] == [[], ["2026-03-01"]]
    watch.run("2026-03-01")
    joined.write_text("order_id,customer_id\n{name},C2\n")
    assert [watch.days(), watch.days()] == [[], []]


def test_a_day_whose_run_went_down_with_its_machine_is_asked_for_once_more(watch: Watch) -> None:
    watch.deliver(FIRST)
    assert [watch.days(), watch.days()] == [[], ["2026-03-01"]]
    tags = {"dagster/partition": str(FIRST), PROCESS_TAG: str(os.getpid())}
    job = watch.definitions.resolve_job_def("daily_profiles")
    fell = watch.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    assert watch.days() == []
    assert end_dead_runs(watch.instance) == [fell.run_id]
    ((day, key),) = watch.tick()
    assert day == str(FIRST)
    again = watch.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags=tags | {"dagster/run_key": str(key)}
    )
    assert watch.days() == []
    assert end_dead_runs(watch.instance) == [again.run_id]
    assert watch.days() == []  # what brought the machine down may be the day itself
