"""The sensor of deliveries: a new file asks for its day's run, a changed one for the newest day's."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import dagster as dg
from dagster import RunsFilter
from dagster._core.storage.tags import PARTITION_NAME_TAG, RUN_KEY_TAG

from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.finding import delivered_days, find_delivery
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.rows import joined_files
from customer_profiles.contracts import CONTRACTS
from customer_profiles.orchestration.instance import ENDED_TAG
from customer_profiles.orchestration.jobs import DAILY_PROFILES
from customer_profiles.orchestration.partitions import WHY_REFUSED
from customer_profiles.orchestration.platform import Platform, mapping_of, watched_home
from customer_profiles.settings import Settings

SECONDS_BETWEEN_TICKS = 30
AFTER_A_FALL = "after "
"""Stands in the key of a run that does again what another one did not end."""
MOST_FALLEN = 10
"""The newest runs that went down: older ones were seen to at earlier ticks."""

State = list[Any]
"""Of a file: its size, its time of writing and, if a run was asked for it, the mapping of that moment."""


class Watched(NamedTuple):
    """A file that lies there: its table, the day for which it was delivered, and its state.

    ``joined``: it is not delivered itself, but without it nothing of the day can be read.
    """

    table: str
    day: date
    size: int
    written: int
    joined: bool = False


def deliveries_sensor(settings: Settings) -> dg.SensorDefinition:
    """Watches the delivery places of a home."""

    @dg.sensor(
        name="deliveries_sensor",
        job=DAILY_PROFILES,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        description="A new file runs its day, once it is whole; a changed or late one runs the newest day;"
        " a refused one its day again when sources.yaml has changed; a day whose run went down, too.",
    )
    def watch(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        mapping, home = mapping_of(settings), watched_home(platform)
        last_day = datetime.now(ZoneInfo(settings.timezone)).date() - timedelta(days=1)
        now = delivered_files(home, last_day)
        home.put_away()
        before: dict[str, State] = json.loads(context.cursor) if context.cursor else {}
        states = {name: [file.size, file.written, mapping] for name, file in now.items()}
        asked = {name for name, state in states.items() if before.get(name) == state}
        due = _due(now, before, settings.first_day, last_day) - asked
        newest = max((file.day for file in now.values() if file.day <= last_day), default=None)
        requests = [
            *_requests(context.instance, now, due, newest, mapping),
            *_requests_after_a_fall(context.instance),
        ]
        cursor = {name: state if name in due | asked else state[:2] for name, state in states.items()}
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _why_nothing(now, before),
            cursor=json.dumps(cursor),
        )

    return watch


def _why_nothing(now: Mapping[str, Watched], before: Mapping[str, State]) -> str:
    """What the page of the sensor says of a tick that asked for no run."""
    moving = sorted(str(file.day) for name, file in now.items() if not _was_there(before, name, file))
    if not moving:
        return f"nothing new among {len(now):,} file(s)"
    days = moving[0] if moving[0] == moving[-1] else f"{moving[0]} to {moving[-1]}"
    return f"{len(moving):,} file(s) of {days} are new or growing; a day waits until they stay as they are"


def delivered_files(home: Home, last_day: date) -> dict[str, Watched]:
    """The files that deliveries consist of, by name. Those that nobody can tell apart are left to the run.

    A file for all days stands for the newest of its days that can be run: that of ``last_day`` or before.
    """
    files = {}
    for table, day in _waiting(home):
        try:
            delivery = find_delivery(home, table, day)
            for part in delivery.parts if delivery else ():
                if part.file is not None and not (part.whole and day > last_day):
                    files[f"{table}: {part.source}"] = _watched(table, day, part.file)
            for file in joined_files(home, table, day):
                files[f"{table}: {file}"] = _watched(table, day, file)._replace(joined=True)
        except (DeliveryError, FileNotFoundError):
            continue
    return files


def _watched(table: str, day: date, file: Path) -> Watched:
    state = file.stat()
    written = max(state.st_mtime_ns, state.st_ctime_ns)  # a copy can keep the older time
    return Watched(table, day, state.st_size, written)


def _waiting(home: Home) -> Iterator[tuple[str, date]]:
    for table in CONTRACTS:
        try:
            yield from ((table, day) for day in delivered_days(home, table))
        except DeliveryError:
            continue


def _due(
    now: Mapping[str, Watched], before: Mapping[str, State], first_day: date, last_day: date
) -> set[str]:
    """Files that are as they were a tick ago. A day waits as long as one of its files is being written."""
    still = {name for name, file in now.items() if _was_there(before, name, file)}
    growing = {file.day for name, file in now.items() if name not in still}
    return {name for name in still if now[name].day not in growing and first_day <= now[name].day <= last_day}


def _requests(
    instance: dg.DagsterInstance,
    now: Mapping[str, Watched],
    due: set[str],
    newest: date | None,
    mapping: str,
) -> Iterator[dg.RunRequest]:
    """One run a day: that of the file, or the newest one if the file's day was run before it came.

    What was written before its day was run is loaded: so a sensor that is switched on asks for nothing. Nor
    does a joined file that changed later: rows hold what it said when they were loaded.
    """
    files: dict[date, list[str]] = {}
    for name in sorted(due):
        ran = _ran(instance, now[name])
        if ran is not None and (now[name].joined or ran.timestamp() >= now[name].written / 1e9):
            continue
        day = now[name].day if ran is None or newest is None else newest
        files.setdefault(day, []).append(name)
    for day, names in sorted(files.items()):
        states = json.dumps([mapping, *([name, now[name].size, now[name].written] for name in names)])
        key = hashlib.sha256(states.encode()).hexdigest()[:16]
        yield dg.RunRequest(run_key=f"{day}/{key}", partition_key=str(day))


def _requests_after_a_fall(instance: dg.DagsterInstance) -> Iterator[dg.RunRequest]:
    """A day once more whose run went down with its machine; not if the second one did too: it may be why."""
    failed, ended = [dg.DagsterRunStatus.FAILURE], {ENDED_TAG: "true"}
    fell = RunsFilter(job_name=DAILY_PROFILES.name, statuses=failed, tags=ended)
    for run in instance.get_runs(fell, limit=MOST_FALLEN):
        day = run.tags.get(PARTITION_NAME_TAG)
        key = f"{day}/{AFTER_A_FALL}{run.run_id}"
        was_again = AFTER_A_FALL in run.tags.get(RUN_KEY_TAG, "")
        if day and not was_again and not instance.get_runs_count(RunsFilter(tags={RUN_KEY_TAG: key})):
            yield dg.RunRequest(run_key=key, partition_key=day)


def _ran(instance: dg.DagsterInstance, file: Watched) -> datetime | None:
    """When the file's table was last looked for on its day, unless what lay there was refused."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(["raw", file.table]), asset_partitions=[str(file.day)]), limit=1
    ).records
    if not records or records[0].asset_materialization is None:
        return None
    if WHY_REFUSED in records[0].asset_materialization.metadata:
        return None
    return datetime.fromtimestamp(records[0].timestamp, UTC)


def _was_there(before: Mapping[str, State], name: str, file: Watched) -> bool:
    return before.get(name, [])[:2] == [file.size, file.written]
