"""What Dagster's event log and state tell of checks, runs, days and watchers, as observations.

The log is read by storage id. In Dagster 1.13's SQLite storage check evaluations and run statuses are
kept in one index beside the runs' own files, so their ids are in one order (``get_event_records`` reads
every run's file instead). Planned evaluations are of another event type and never seen here. Results of
single days (those with a partition) stand beside the overall one, which names them: it alone counts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from dagster import DagsterEventType
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.events.log import EventLogEntry

from customer_profiles.orchestration.partitions import RANGE_END, RANGE_START
from customer_profiles.quality.alerts import without_personal_data
from customer_profiles.quality.finding import Severity
from customer_profiles.quality.incidents import Observation
from customer_profiles.settings import Mendable

READ = (DagsterEventType.ASSET_CHECK_EVALUATION, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_SUCCESS)
PAGE = 500
FARTHEST_BACK = 50_000
"""Events of an older log that are read at the first evaluation of a home."""
BLOCKED = "DagsterAssetCheckFailedError"
PARTITION = "dagster/partition"
DAYS = re.compile(r"\d{4}-\d\d-\d\d")
MORE = re.compile(r" and (\d+) more, the last ")


def log_name(instance: dg.DagsterInstance) -> str:
    """Tells one event log from another: a new instance folder starts with small ids again."""
    from dagster._core.storage.runs import SqlRunStorage  # loads every storage that Dagster knows

    storage = instance.run_storage
    return f"event log {storage.get_run_storage_id() if isinstance(storage, SqlRunStorage) else ''}"


def newest_event(instance: dg.DagsterInstance) -> int:
    """The storage id of the newest event of the index."""
    return instance.event_log_storage.get_maximum_record_id() or 0


def events_between(instance: dg.DagsterInstance, after: int, last: int) -> list[EventLogEntry]:
    """Check evaluations and ends of runs with storage ids in ``(after, last]``, in their order."""
    return [entry for _, entry in sorted(_numbered(instance, after, last), key=lambda pair: pair[0])]


def observations_of(instance: dg.DagsterInstance, entries: Sequence[EventLogEntry]) -> list[Observation]:
    """What the events say, in their order, without personal data: it is stored and told."""
    tags: dict[str, Mapping[str, str]] = {}
    found: list[Observation] = []
    for entry in entries:
        if entry.run_id not in tags:
            run = instance.get_run_by_id(entry.run_id) if entry.run_id else None
            tags[entry.run_id] = run.tags if run else {}
        event: Any = entry.dagster_event
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            if event.event_specific_data.partition is None:
                found.append(_of_check(entry, event.event_specific_data, tags[entry.run_id]))
        else:
            found += _of_run(instance, entry, tags[entry.run_id])
    return found


def _numbered(instance: dg.DagsterInstance, after: int, last: int) -> Iterator[tuple[int, EventLogEntry]]:
    for kind in READ:
        cursor = after
        while cursor < last:
            page = instance.event_log_storage.get_logs_for_all_runs_by_log_id(cursor, kind, PAGE)
            yield from ((number, entry) for number, entry in page.items() if number <= last)
            if len(page) < PAGE:
                break
            cursor = max(page)


def _of_check(entry: EventLogEntry, found: Any, tags: Mapping[str, str]) -> Observation:
    said = {name: cell.value for name, cell in found.metadata.items()}
    shown = said.get("day") or tags.get(PARTITION)
    told = str(said.get("failing_days", ""))
    failing = DAYS.findall(told) or ([shown] if shown else [])
    unnamed = MORE.search(told)  # the last of them is named
    asset = "/".join(found.asset_key.path)
    failed = not found.passed
    severity: Severity = "warn" if found.severity == dg.AssetCheckSeverity.WARN else "error"
    return Observation(
        kind="check",
        subject=asset,
        claim=found.check_name,
        failed=failed,
        at=_moment(entry),
        severity=severity,
        says=without_personal_data(found.description or ""),
        value=without_personal_data(_figure(said.get("value"))),
        threshold=without_personal_data(_figure(said.get("threshold"))),
        first_day=_day(failing[0]) if failed and failing else None,
        last_day=_day(failing[-1]) if failed and failing else None,
        days=(len(failing) + (int(unnamed[1]) - 1 if unnamed else 0)) if failed else 0,
        newest_day=_day(said.get("newest_day") or shown),
        blocking=failed and severity == "error" and bool(found.blocking),
        path=f"/assets/{asset}?view=checks&checkDetail={found.check_name}",
        run=entry.run_id,
    )


def _of_run(instance: dg.DagsterInstance, entry: EventLogEntry, tags: Mapping[str, str]) -> list[Observation]:
    """A failure for each step that failed, or for the run if none did; a success for each that worked."""
    event: Any = entry.dagster_event
    job = "a run by hand" if entry.job_name == IMPLICIT_ASSET_JOB_NAME else entry.job_name
    failed = event.event_type == DagsterEventType.RUN_FAILURE
    wanted = DagsterEventType.STEP_FAILURE if failed else DagsterEventType.STEP_SUCCESS
    records = instance.get_records_for_run(entry.run_id, of_type=wanted).records
    steps = [record.event_log_entry.dagster_event for record in records]
    said = {
        (step.step_key or "").replace("__", "/", 1): _reason(step.event_specific_data) if failed else ""
        for step in steps
        if step and not (failed and _class_of(step.event_specific_data) == BLOCKED)
    }
    if not steps or not failed:
        said[job or "run"] = event.message or "" if failed else ""
    last = tags.get(RANGE_END) or tags.get(PARTITION)
    first = tags.get(RANGE_START) or last
    return [
        Observation(
            kind="run",
            subject=subject,
            claim="run_succeeds",
            failed=failed,
            at=_moment(entry),
            says=f"{job}: {without_personal_data(reason)}" if reason else f"{job} failed",
            first_day=_day(first) if failed else None,
            last_day=_day(last) if failed else None,
            days=_span(_day(first), _day(last)) if failed else 0,
            newest_day=_day(last),
            path=f"/runs/{entry.run_id}",
            run=entry.run_id,
        )
        for subject, reason in said.items()
    ]


def _reason(failure: Any) -> str:
    """Why a step failed, if we said it ourselves; the words of others may hold what was delivered."""
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = what_went_wrong(failure.error)
    if error is None:
        return ""
    if error.cls_name in _mendable(Mendable):
        return str(error.message).strip().split(f"{error.cls_name}: ", 1)[-1]
    return f"{error.cls_name}; its words stand in the run's log alone"


def _class_of(failure: Any) -> str:
    error = what_went_wrong(failure.error)
    return error.cls_name or "" if error else ""


def what_went_wrong(error: Any) -> Any:
    """The error of a failed step that says it: our own, or else what lies innermost.

    Dagster wraps what went wrong in an error of its own; what our errors were raised from says less.
    """
    ours = _mendable(Mendable)
    while error and error.cause and error.cls_name not in ours:
        error = error.cause
    return error


def _mendable(root: type[Mendable]) -> set[str]:
    return {root.__name__}.union(*map(_mendable, root.__subclasses__()))


def _figure(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_figure(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text and DAYS.fullmatch(text) else None


def _span(first: date | None, last: date | None) -> int:
    return (last - first).days + 1 if first and last else 0


def _moment(entry: EventLogEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp, UTC)
