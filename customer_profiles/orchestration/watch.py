"""What should be there by now: deliveries, profiles, and the daemon with its sensors and schedules.

Dagster's own ``build_time_partition_freshness_checks`` is superseded and sees materializations: a day
without a delivery, stored as zero rows, looks fresh. ``FreshnessPolicy`` sees one time an asset, so that
a backfilled old day looks fresh. Here each day stands for itself.

Late days are told while somebody waits for them: the daily schedule is on, or the settings name hours
of their own. A silent daemon is told while a schedule is on; without one nothing is missed.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Literal
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickStatus

from customer_profiles.collection.ledger import LOADED
from customer_profiles.collection.reading import DeliveryError
from customer_profiles.collection.sources.finding import delivered_days, waiting_days
from customer_profiles.collection.sources.home import Home
from customer_profiles.orchestration.jobs import DAILY_SCHEDULE
from customer_profiles.orchestration.partitions import FATE
from customer_profiles.quality.freshness import late_days
from customer_profiles.quality.incidents import Observation
from customer_profiles.settings import Settings

PROFILES = dg.AssetKey(["profiles", "customer_profiles"])
ERROR_FROM_DAYS = 2
"""So many late days are an error; fewer are a warning."""
MOST_FAILED_TICKS = 3
"""So many failed ticks of a sensor in a row are trouble; one may be chance."""


def late(
    home: Home, settings: Settings, instance: dg.DagsterInstance, now: datetime
) -> Iterator[Observation]:
    """Whether the newest due days are there: of every expected table, and of the profiles."""
    by = settings.freshness.delivered_by
    there: dict[str, frozenset[date]] = {
        f"raw/{table}": _delivered_days(home, table) | _loaded_days(instance, table) for table in by
    }
    begun = min((*_first_day_waiting(home), *chain.from_iterable(there.values())), default=None)
    if begun is None:
        return
    for table, hour in by.items():
        asset = f"raw/{table}"
        yield _late("delivery", asset, hour, there[asset], begun, settings, now)
    days = frozenset(map(date.fromisoformat, instance.get_materialized_partitions(PROFILES)))
    hour = settings.freshness.profiles_by
    yield _late("profiles", "/".join(PROFILES.path), hour, days, begun, settings, now)


def is_awaited(settings: Settings, instance: dg.DagsterInstance) -> bool:
    """Whether anybody waits for late days."""
    return "freshness" in settings.model_fields_set or DAILY_SCHEDULE in running_schedules(instance)


def running_schedules(instance: dg.DagsterInstance) -> set[str]:
    """Names of the schedules that are switched on."""
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    return {state.name for state in states if state.status == InstigatorStatus.RUNNING}


def stopped(
    settings: Settings, instance: dg.DagsterInstance, now: datetime, own: str | None
) -> Iterator[Observation]:
    """Whether the daemon's parts, the sensors and the schedules are awake.

    ``own`` is the sensor that asks: it is awake, and so is the part of the daemon that runs it.
    """
    longest = timedelta(minutes=settings.alerts.longest_silence_minutes)
    silent = [
        f"{name.lower()} since {beat:%Y-%m-%d %H:%M} UTC"
        for name, beat, _ in heartbeats(instance)
        if now - beat > longest and not (own and name == "SENSOR")
    ]
    yield _watch("daemon", bool(silent), f"silent are: {', '.join(silent)}" if silent else "", now)
    for state in instance.all_instigator_state():
        if state.name != own:
            yield _watch(state.name, bool(says := trouble_of(instance, state, now, longest)), says, now)


def heartbeats(instance: dg.DagsterInstance) -> list[tuple[str, datetime, int]]:
    """The daemon's parts that have ever lived: name, last sign of life, errors that it reports."""
    required = set(instance.get_required_daemon_types())
    return [
        (name, datetime.fromtimestamp(beat.timestamp, UTC), len(beat.errors or ()))
        for name, beat in sorted(instance.get_daemon_heartbeats().items())
        if name in required
    ]


def trouble_of(
    instance: dg.DagsterInstance, state: InstigatorState, now: datetime, longest: timedelta
) -> str:
    """What is wrong with a sensor or schedule; nothing if it is well, or off on purpose."""
    if state.status == InstigatorStatus.STOPPED:
        return "it is switched off: nobody is told" if state.name.endswith("_alert") else ""
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    if not ticks:
        return ""
    (tick,) = ticks
    enough = MOST_FAILED_TICKS if state.instigator_type == InstigatorType.SENSOR else 1
    if tick.status == TickStatus.FAILURE and tick.consecutive_failure_count >= enough:
        kind = tick.error.cls_name if tick.error else "an error"
        return f"its last tick failed ({kind}); see Automation in the UI"
    moment = datetime.fromtimestamp(tick.timestamp, UTC)
    if state.instigator_type == InstigatorType.SENSOR and now - moment > longest:
        return f"it last ticked at {moment:%Y-%m-%d %H:%M} UTC"
    return ""


def _late(
    kind: Literal["delivery", "profiles"],
    asset: str,
    hour: str,
    there: frozenset[date],
    begun: date,
    settings: Settings,
    now: datetime,
) -> Observation:
    here = now.astimezone(ZoneInfo(settings.timezone))
    newest = here.date() - timedelta(days=1 if here.time() >= time.fromisoformat(hour) else 2)
    first = max(begun, settings.first_day)
    due = [first + timedelta(days=n) for n in range((newest - first).days + 1)]
    missing = late_days(due, there)
    before = max((day for day in there if day <= newest), default="none")
    return Observation(
        kind=kind,
        subject=asset,
        claim=f"{kind} late",
        failed=bool(missing),
        at=now,
        severity="error" if len(missing) >= ERROR_FROM_DAYS else "warn",
        says=f"no {kind} of {missing[-1]} by {hour}; the newest: {before}" if missing else "",
        value=f"{len(missing)} days late" if missing else "",
        threshold=f"by {hour} of the next morning",
        first_day=missing[0] if missing else None,
        last_day=missing[-1] if missing else None,
        days=len(missing),
        newest_day=newest,
        path=f"/assets/{asset}?view=partitions" + (f"&partition={missing[-1]}" if missing else ""),
    )


def _watch(subject: str, failed: bool, says: str, now: datetime) -> Observation:
    path = "/automation" if "_" in subject else "/deployment/daemons"
    return Observation("watch", subject, "has stopped", failed, now, severity="error", says=says, path=path)


def _delivered_days(home: Home, table: str) -> frozenset[date]:
    """Days of which something lies there; none if nobody can tell: whoever loads the table says why."""
    with suppress(DeliveryError):
        return frozenset(delivered_days(home, table))
    return frozenset()


def _first_day_waiting(home: Home) -> list[date]:
    with suppress(DeliveryError):
        return waiting_days(home)[:1]
    return []


def _loaded_days(instance: dg.DagsterInstance, table: str) -> frozenset[date]:
    """Days whose delivery brought rows, wherever it came from; the newest hundred.

    Rows of other days that came late stand on a day, too: they are not its delivery.
    """
    records = instance.fetch_materializations(dg.AssetKey(["raw", table]), limit=100).records
    days = set()
    for record in records:
        stored = record.asset_materialization
        told = {name: each.value for name, each in stored.metadata.items()} if stored else {}
        came = told.get(FATE, LOADED) == LOADED and told.get("dagster/row_count")
        if record.partition_key and came:
            days.add(date.fromisoformat(record.partition_key))
    return frozenset(days)
