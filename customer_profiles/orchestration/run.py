"""One in-process run over a range of days that does everything, training included."""

from __future__ import annotations

import gc
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import chain, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
from dagster import DagsterEventType

from customer_profiles.collection.ledger import DeliveredDays, delivered
from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.finding import (
    delivered_days,
    find_delivery,
    lacking_sources,
    state_of_sources,
    waiting_days,
)
from customer_profiles.contracts import CONTRACTS
from customer_profiles.definitions import ANCESTORS, ASSETS, build
from customer_profiles.orchestration.alerts import tell
from customer_profiles.orchestration.code_version import code_version
from customer_profiles.orchestration.instance import PROCESS_TAG, end_dead_runs, open_instance
from customer_profiles.orchestration.jobs import EVERYTHING
from customer_profiles.orchestration.observations import BLOCKED, what_went_wrong
from customer_profiles.orchestration.partitions import GONE, RANGE_END, RANGE_START, REBUILD_TAG, RUN_AGAIN
from customer_profiles.orchestration.platform import Platform
from customer_profiles.settings import Mendable, Settings
from customer_profiles.warehouse.outbox import OutboxError

FAR_DAYS = 31
"""A day to come that lies more days than these after the delivery before it is a slip in a file's name."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunError(Mendable, RuntimeError):
    """A run cannot be started. The message says what to do."""


@dataclass(frozen=True)
class CheckResult:
    """What a check said in a run."""

    asset: str
    name: str
    passed: bool
    severity: str
    says: str
    day: str | None = None
    """The day of which it says so, of a check of days."""


@dataclass(frozen=True)
class RunResult:
    """What came of a run: its checks, the seconds of each layer, what failed, and what was told of it."""

    run_id: str
    first: date
    last: date
    succeeded: bool
    checks: list[CheckResult]
    seconds: dict[str, float]
    failures: list[str]
    told: str = ""
    run_again: tuple[date, ...] = ()
    """Later days that were told from what this run changed."""
    gone: tuple[str, ...] = ()
    """What changed files do not hold any more of the rows as loaded."""
    not_trained: Mapping[str, str] = field(default_factory=dict)
    """Models that this run did not train, each with the reason."""


def range_of_days(platform: Platform, first: date | None, last: date | None) -> tuple[date, date]:
    """The range to run: by default from the first to the last day for which a delivery lies there.

    It ends no earlier than what was loaded: a file for all days may have lost its last ones. Days that
    ``far_ahead`` names are not among them. Raises ``RunError`` if there is nothing to run.
    """
    settings, waiting = platform.settings, waiting_days(platform.home)
    if not waiting and (first is None or last is None):
        raise RunError(
            "\n".join(lacking_sources(platform.home))
            or f"no deliveries under {settings.deliveries}: put files at <table>/<YYYY-MM-DD>.csv, or make "
            f"some with: customer-profiles simulate --out {settings.home}; files elsewhere are described in "
            f"{settings.home / 'sources.yaml'}"
        )
    start, end = first or waiting[0], last or _end(platform, waiting)
    if start > end:
        begins = f"--from {start}" if first else f"the first delivered day, {start},"
        ends = f"--to {end}" if last else f"the newest delivered day, {end}"
        raise RunError(f"{begins} lies after {ends}")
    if start < settings.first_day:
        raise RunError(
            f"{start} lies before first_day {settings.first_day}: set first_day: {start} in "
            f"{settings.home / 'settings.yaml'}, or start later with --from"
        )
    return start, end


def _end(platform: Platform, waiting: Sequence[date]) -> date:
    days = sorted({*waiting, *chain.from_iterable(_loaded(platform).values())})
    far = far_ahead(days, _today(platform.settings))
    return max(day for day in days if day not in far)


def _loaded(platform: Platform) -> DeliveredDays:
    """Per table the days that were loaded before; nothing of a home that was never run."""
    if not platform.settings.warehouse_file.is_file():
        return {}
    with platform.warehouse() as warehouse:
        return delivered(warehouse)


def ending_early(platform: Platform, last: date) -> list[str]:
    """Tables expected every day of which nothing was delivered for the last days of a run, in words."""
    ends: dict[str, date] = {}
    expected = platform.settings.freshness.delivered_by
    loaded = _loaded(platform) if expected else {}
    for table in expected:
        with suppress(DeliveryError):  # the asset that loads the table reports it
            days = [*delivered_days(platform.home, table), *loaded.get(table, ())]
            ends[table] = max(days, default=last)
    return [
        f"{table}: nothing was delivered after {end}, and the run goes on to {last}: traits that look at the "
        f"days between are NULL then, and profiles may be held back. To leave these days out: --to {end}"
        for table, end in ends.items()
        if end < last
    ]


def far_ahead(waiting: Sequence[date], today: date) -> list[date]:
    """Days to come that do not follow on what was delivered before them: nobody meant them.

    ``waiting`` are the delivered days, ascending.
    """
    for before, day in pairwise(waiting):
        if day > today and (day - before).days > FAR_DAYS:
            return [each for each in waiting if each >= day]
    return []


def _today(settings: Settings) -> date:
    return datetime.now(ZoneInfo(settings.timezone)).date()


def far_deliveries(platform: Platform, last: date) -> list[str]:
    """What to say of each delivery that is far ahead of a run that ends on ``last``."""
    try:
        waiting = waiting_days(platform.home)
    except DeliveryError:  # its table's asset reports it
        return []
    far = [day for day in far_ahead(waiting, _today(platform.settings)) if day > last]
    return [said for day in far for table in CONTRACTS if (said := _far_delivery(platform, table, day))]


def _far_delivery(platform: Platform, table: str, day: date) -> str | None:
    """What to say of a table's delivery of a far day; ``None`` if there is none."""
    try:
        delivery = find_delivery(platform.home, table, day)
    except DeliveryError as error:
        return str(error)
    if delivery is None:
        return None
    return (
        f"{table} of {day}: the day is still to come and lies more than {FAR_DAYS} days after the others: "
        f"correct it in {', '.join(part.source for part in delivery.parts)}, or wait for it"
    )


def run_range(platform: Platform, first: date, last: date, *, rebuild: bool = False) -> RunResult:
    """Materialize and check every asset for the days from ``first`` to ``last`` in one run.

    Raises ``SecretError``, ``ZoneError`` or ``WarehouseError`` if no step could work.
    """
    platform.require_order()
    settings = platform.settings
    tags = {RANGE_START: str(first), RANGE_END: str(last), PROCESS_TAG: str(os.getpid())}
    if rebuild:
        tags[REBUILD_TAG] = "true"
    with _imported_objects_left_alone(), open_instance(settings.instance) as instance:
        end_dead_runs(instance)
        job = build(settings, {"platform": platform}).resolve_job_def(EVERYTHING.name)
        result = job.execute_in_process(instance=instance, tags=tags, run_config=QUIET, raise_on_error=False)
        told = _tell(platform, instance)
    far = far_deliveries(platform, last)
    return RunResult(
        run_id=result.run_id,
        first=first,
        last=last,
        succeeded=result.success and not far,
        checks=_checks(result),
        seconds=_seconds(result),
        failures=[*failures_of(result, last), *far],
        told=told,
        run_again=_run_again(result),
        gone=tuple(_said(result, GONE)),
        not_trained=not_trained(result),
    )


def _tell(platform: Platform, instance: dg.DagsterInstance) -> str:
    """Alerts of this run, unless a sensor was quicker. They never fail a run that worked."""
    try:
        told = tell(platform.settings, platform.variables, instance, ANCESTORS, home=lambda: platform.home)
        return str(told)
    except OutboxError as error:
        return str(error)


@contextmanager
def _imported_objects_left_alone() -> Iterator[None]:
    """Spare the garbage collector the libraries' many objects, which live as long as the process."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()  # else DuckDB's bindings report them as leaked when the process ends


def count_assets() -> int:
    """How many assets a run materializes."""
    return len(ASSETS)


def fingerprint(platform: Platform, first: date, last: date) -> str:
    """Tells whether anything that a run over the range would read has changed: files, settings, code."""
    settings, home = platform.settings, platform.home
    tables = {
        table: [source.model_dump_json() for source in sources] for table, sources in home.tables.items()
    }
    read = [
        str(first),
        str(last),
        code_version(),
        settings.model_dump_json(exclude={"alerts"}),
        tables,
        state_of_sources(home),
    ]
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()


def _events(
    result: dg.ExecuteInProcessResult, kind: DagsterEventType
) -> Iterator[tuple[dg.DagsterEvent, Any]]:
    """The events of a kind, in their order, each with what is told of that kind alone."""
    for event in result.all_events:
        if event.event_type == kind:
            yield event, event.event_specific_data


def _checks(result: dg.ExecuteInProcessResult) -> list[CheckResult]:
    """The overall result of every check: the last event of its name."""
    evaluations: dict[tuple[str, str], CheckResult] = {}
    for _, found in _events(result, DagsterEventType.ASSET_CHECK_EVALUATION):
        asset = "/".join(found.asset_key.path)
        day = found.metadata.get("day")
        evaluations[asset, found.check_name] = CheckResult(
            asset,
            found.check_name,
            found.passed,
            found.severity.value.lower(),
            found.description or "",
            str(day.value) if day else None,
        )
    return list(evaluations.values())


def _seconds(result: dg.ExecuteInProcessResult) -> dict[str, float]:
    """Seconds per layer, its checks among them."""
    seconds: dict[str, float] = {}
    for event, data in _events(result, DagsterEventType.STEP_SUCCESS):
        layer = (event.step_key or "").partition("__")[0]
        seconds[layer] = seconds.get(layer, 0.0) + data.duration_ms / 1000
    return seconds


def _run_again(result: dg.ExecuteInProcessResult) -> tuple[date, ...]:
    days = {day for said in _said(result, RUN_AGAIN) for day in said.split(", ")}
    return tuple(sorted(map(date.fromisoformat, days)))


def _said(result: dg.ExecuteInProcessResult, note: str) -> list[str]:
    """What materializations note under this name, in their order."""
    stored = _events(result, DagsterEventType.ASSET_MATERIALIZATION)
    notes = (found.materialization.metadata.get(note) for _, found in stored)
    return [str(noted.value) for noted in notes if noted]


def not_trained(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Why a model was not trained, by its name; ``conversion: churn`` where there are several labels."""
    reasons = {}
    for _, found in _events(result, DagsterEventType.ASSET_MATERIALIZATION):
        layer, name = found.materialization.asset_key.path
        for note, said in found.materialization.metadata.items():
            label, _, kind = note.rpartition(": ")
            if layer == "models" and kind == "says":
                reasons[f"{name}: {label}" if label else name] = str(said.value)
    return reasons


def failures_of(result: dg.ExecuteInProcessResult, last: date) -> list[str]:
    """Why steps of a run that ended with the day ``last`` failed, in words."""
    failures = []
    for event, data in _events(result, DagsterEventType.STEP_FAILURE):
        told = data.user_failure_data.description if data.user_failure_data else None
        error = what_went_wrong(data.error)
        reason = error.message.strip() if error else str(event.message)
        if error and error.cls_name == BLOCKED:
            checks = ", ".join(line.replace(": ", " ") for line in reason.splitlines()[1:])
            told = told or (
                f"{checks}: an ERROR, see checks; what follows from it was held back. If {last} is not "
                f"whole yet, leave it out: --to {last - timedelta(days=1)}"
            )
        failures.append(told or f"{event.step_key}: {reason}")
    return failures
