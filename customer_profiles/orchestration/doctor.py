"""What is well with a home and what is not: one line each, with what to do."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus

from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.finding import waiting_days
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.load import FILE as SOURCES
from customer_profiles.collection.sources.load import SourcesError, load_home
from customer_profiles.orchestration.alerts import OUTBOX, WATCHER, open_alerts
from customer_profiles.orchestration.destinations import (
    FILE,
    URLS_VARIABLE,
    DestinationError,
    destinations,
    require_known,
    send,
)
from customer_profiles.orchestration.drift_report import measured_columns
from customer_profiles.orchestration.instance import InstanceError, dead_runs, open_instance
from customer_profiles.orchestration.jobs import DAILY_SCHEDULE, TRAINING_SCHEDULE
from customer_profiles.orchestration.observations import log_name, newest_event
from customer_profiles.orchestration.platform import ZoneError, require_zone
from customer_profiles.orchestration.watch import heartbeats, is_awaited, late, trouble_of
from customer_profiles.privacy.secrets import FINGERPRINT_FILE, SecretError, load_secrets
from customer_profiles.quality.alerts import Message
from customer_profiles.settings import NO_HOME, Settings
from customer_profiles.warehouse import HeldError, Warehouse, WarehouseError
from customer_profiles.warehouse.outbox import OutboxError

State = Literal["ok", "warn", "error"]
FEWEST_BYTES, FEW_BYTES = 1_000_000_000, 5_000_000_000
MOST_LAG = 1_000
"""Events not yet evaluated from which on it is worth a look."""
START = "start it with customer-profiles ui"
SHOULD_BE_ON = ("failure_alert", "late_day_alert", DAILY_SCHEDULE, TRAINING_SCHEDULE)
"""Told of though they are off; another sensor or schedule, such as ``deliveries_sensor``, if it is on."""


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    state: State
    about: str
    says: str


Look = Callable[[Settings, dg.DagsterInstance, datetime], Iterator[Line]]


def examine(settings: Settings, environ: Mapping[str, str], now: datetime | None = None) -> list[Line]:
    """Look at everything; nothing is changed, and what is absent is not made."""
    moment = now or datetime.now(UTC)
    lines = [Line("ok", "settings", f"home {settings.home}, business time {settings.timezone}")]
    if not settings.home.is_dir():
        return [*lines, Line("error", "home", NO_HOME)]
    home: Home | None = None
    try:
        home = load_home(settings, environ)
    except SourcesError as error:
        lines.append(Line("error", SOURCES, str(error)))
    lines += [*_zone(settings), *_disk(settings), *(_deliveries(home) if home else ())]
    lines += [*_secrets(settings, environ), *_files(settings), *_thresholds(settings)]
    lines += _addresses(environ)
    if not (settings.instance / "dagster.yaml").exists():
        return [
            *lines,
            Line("warn", "Dagster instance", "nothing ran in this home yet: customer-profiles run"),
        ]
    try:
        with open_instance(settings.instance) as instance:
            late_days: list[Look] = [partial(_late_days, home)] if home else []
            for look in (_runs, _daemon, _sensors_and_schedules, *late_days, _alerts):
                lines += look(settings, instance, moment)
    except InstanceError as error:
        lines.append(Line("error", "Dagster instance", str(error)))
    return lines


def try_addresses(settings: Settings, environ: Mapping[str, str]) -> list[Line]:
    """Send a test message to every address."""
    body = f"a test by customer-profiles doctor; owner: {settings.owner}"
    message = Message("[TEST] customer_profiles", body, "warn", recovered=False)
    lines = []
    for name, url in destinations(environ).items():
        trouble = send(url, message)
        about = f"test to {name.partition(' ')[0]}"
        lines.append(Line("error", about, trouble.reason) if trouble else Line("ok", about, "was taken"))
    return lines


def _zone(settings: Settings) -> Iterator[Line]:
    try:
        require_zone(settings)
    except ZoneError as error:
        yield Line("error", "timezone", str(error))


def _disk(settings: Settings) -> Iterator[Line]:
    free = shutil.disk_usage(settings.home).free
    state: State = "error" if free < FEWEST_BYTES else "warn" if free < FEW_BYTES else "ok"
    advice = "" if state == "ok" else ": free some space; what was stored before stays"
    yield Line(state, "disk", f"{free / 1e9:,.1f} GB free{advice}")
    if not os.access(settings.home, os.W_OK):
        yield Line("error", "home", f"{settings.home} cannot be written: give this user the right to")


def _deliveries(home: Home) -> Iterator[Line]:
    try:
        days = waiting_days(home)
    except DeliveryError as error:
        yield Line("error", "deliveries", str(error))
        return
    if days:
        yield Line("ok", "deliveries", f"{len(days)} days, {days[0]} to {days[-1]}")
    else:
        yield Line("warn", "deliveries", f"none: put files at {home.deliveries}/<table>/<YYYY-MM-DD>.csv")


def _secrets(settings: Settings, environ: Mapping[str, str]) -> Iterator[Line]:
    folder = settings.secrets
    if not (folder / FINGERPRINT_FILE).exists():
        yield Line("ok", "secrets", "none yet: the first run makes them")
        return
    open_to_others = [
        file.name
        for file in sorted(folder.iterdir())
        if file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077
    ]
    if open_to_others:
        names = ", ".join(open_to_others)
        yield Line("error", "secrets", f"others can read {names}: chmod 600 {folder}/*")
    try:
        secrets = load_secrets(folder, environ)
    except SecretError as error:
        yield Line("error", "secrets", str(error))
        return
    if secrets.are_the_demo:
        yield Line(
            "warn", "secrets", "the published ones of the demo: never put real customers into this home"
        )
    elif not open_to_others:
        yield Line("ok", "secrets", "whole, and for their owner alone")


def _files(settings: Settings) -> Iterator[Line]:
    for file in (settings.warehouse_file, settings.vault_file):
        if not file.exists():
            yield Line("ok", file.name, "not there yet: the first run makes it")
            continue
        try:
            with Warehouse(file, lock_wait_seconds=0).session():
                yield Line("ok", file.name, f"{file.stat().st_size / 1e6:,.0f} MB, nobody holds it")
        except WarehouseError as error:
            yield Line("warn" if isinstance(error, HeldError) else "error", file.name, str(error))


def _thresholds(settings: Settings) -> Iterator[Line]:
    """Columns with limits of their own of which nothing was ever measured: a name is mistyped."""
    columns, file, measured = settings.drift.columns, settings.warehouse_file, frozenset[str]()
    if columns and file.exists():
        with (
            suppress(WarehouseError),
            Warehouse(file, lock_wait_seconds=0).session() as session,
        ):  # told above
            measured = measured_columns(session)
    if measured and (idle := [name for name in columns if name not in measured]):
        says = f"no drift was ever measured of {', '.join(idle)}: correct the name, a table's and a column's"
        yield Line("warn", "drift.columns", says)


def _addresses(environ: Mapping[str, str]) -> Iterator[Line]:
    known = destinations(environ)
    if not known:
        yield Line("warn", "alerts", f"written to the home's alerts/ alone: set {URLS_VARIABLE} to send them")
        return
    try:
        require_known(environ)
    except DestinationError as error:
        yield Line("error", "alerts", str(error))
    else:
        yield Line("ok", "alerts", f"sent to {', '.join(name.partition(' ')[0] for name in known)}")


def _runs(settings: Settings, instance: dg.DagsterInstance, now: datetime) -> Iterator[Line]:
    dead = dead_runs(instance)
    if dead:
        says = f"{len(dead)} runs were killed and hold their slots: the next customer-profiles run or ui"
        yield Line("warn", "runs", f"{says} frees them")
    newest = instance.get_run_records(limit=1)
    at_work = instance.get_runs_count(RunsFilter(statuses=[DagsterRunStatus.STARTED])) - len(dead)
    if newest:
        run = newest[0].dagster_run
        failed = run.status == DagsterRunStatus.FAILURE
        says = f"the newest, {run.job_name} of {newest[0].create_timestamp:%Y-%m-%d %H:%M} UTC, "
        says += f"ended as {run.status.value}; {at_work} at work"
        advice = ": its page in the UI says why; then customer-profiles run" if failed else ""
        yield Line("error" if failed else "ok", "runs", says + advice)


def _daemon(settings: Settings, instance: dg.DagsterInstance, now: datetime) -> Iterator[Line]:
    beats = heartbeats(instance)
    if not beats:
        yield Line("warn", "daemon", f"never ran here, so schedules and sensors do not: {START}")
        return
    longest = timedelta(minutes=settings.alerts.longest_silence_minutes)
    for name, beat, errors in beats:
        about = f"{name.lower()} daemon"
        if now - beat > longest:
            says = f"stopped: its last sign of life was {_ago(now - beat)} ago; {START}"
            yield Line("error", about, says)
        elif errors:
            yield Line("warn", about, f"alive, with {errors} errors: see Deployment, Daemons in the UI")
    if all(now - beat <= longest and not errors for _, beat, errors in beats):
        newest = max(beat for _, beat, _ in beats)
        yield Line("ok", "daemon", f"{len(beats)} parts alive, last sign of life {_ago(now - newest)} ago")


def _sensors_and_schedules(settings: Settings, instance: dg.DagsterInstance, now: datetime) -> Iterator[Line]:
    states = {state.name: state for state in instance.all_instigator_state()}
    on = sorted(name for name, state in states.items() if state.status == InstigatorStatus.RUNNING)
    for name in dict.fromkeys((*SHOULD_BE_ON, *on)):
        yield _instigator(name, states.get(name), settings, instance, now)


def _instigator(
    name: str,
    state: InstigatorState | None,
    settings: Settings,
    instance: dg.DagsterInstance,
    now: datetime,
) -> Line:
    is_sensor = name.endswith("_alert")
    if state is None:
        if is_sensor:
            return Line("ok", name, "on from the daemon's first round")
        return Line("warn", name, "off: switch it on under Automation")
    longest = timedelta(minutes=settings.alerts.longest_silence_minutes)
    if state.status == InstigatorStatus.STOPPED:
        return Line("warn", name, "off: switch it on under Automation")
    if trouble := trouble_of(instance, state, now, longest):
        return Line("error", name, f"{trouble}; {START} if it does not run")
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    last = (
        f"last tick {_ago(now - datetime.fromtimestamp(ticks[0].timestamp, UTC))} ago"
        if ticks
        else "no tick yet"
    )
    kind = "sensor" if state.instigator_type == InstigatorType.SENSOR else "schedule"
    return Line("ok", name, f"{kind}, on, {last}")


def _late_days(home: Home, settings: Settings, instance: dg.DagsterInstance, now: datetime) -> Iterator[Line]:
    if not is_awaited(settings, instance):
        says = "nobody waits for days: the daily schedule is off, and the settings name no hours (freshness)"
        yield Line("ok", "late days", says)
        return
    seen = list(late(home, settings, instance, now))
    for each in seen:
        if each.failed:
            yield Line(
                "error" if each.severity == "error" else "warn", each.subject, f"{each.value}: {each.says}"
            )
    if not any(each.failed for each in seen):
        yield Line("ok", "late days", "none")


def _alerts(settings: Settings, instance: dg.DagsterInstance, now: datetime) -> Iterator[Line]:
    if not (settings.alerts_folder / OUTBOX).exists():
        yield Line("warn", "outbox", "none yet: the first run or the first tick of a sensor makes it")
        return
    try:
        with open_alerts(settings) as outbox:
            position, newest = outbox.position(log_name(instance)), newest_event(instance)
            last, standing, waiting = outbox.position(WATCHER), outbox.standing(), outbox.waiting()
    except OutboxError as error:
        yield Line("error", "outbox", str(error))
        return
    lag = newest - position[0] if position else newest
    looked = f", last looked {_ago(now - position[1])} ago" if position else ""
    advice = f": the sensors do not follow; {START}" if lag > MOST_LAG else ""
    yield Line(
        "warn" if lag > MOST_LAG else "ok", "event log", f"{lag:,} events not yet evaluated{looked}{advice}"
    )
    slept = f"; the sensors last looked {_ago(now - last[1])} ago" if last else "; no sensor has looked yet"
    yield Line("ok", "incidents", f"{len(standing)} open{slept}")
    tried = [each for each in waiting if each.attempts and each.destination != FILE]
    says = f"{len(waiting)} messages wait"
    if tried:
        says += (
            f"; {tried[0].destination.partition(' ')[0]} refused {tried[0].attempts} times ({tried[0].error})"
        )
        says += f": look at {URLS_VARIABLE} and the network; they are tried again at least every 15 minutes"
    yield Line("error" if tried else "ok", "outbox", says)


def _ago(past: timedelta) -> str:
    seconds = int(past.total_seconds())
    units = (("days", 86_400), ("hours", 3_600), ("minutes", 60))
    name, size = next((unit for unit in units if seconds >= 2 * unit[1]), ("seconds", 1))
    return f"{seconds // size} {name}"
