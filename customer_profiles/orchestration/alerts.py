"""Alerts: the event log and the watch become incidents, incidents become messages, messages are sent.

``tell`` is called by the sensors at each tick and by ``customer-profiles run`` at its end. They share one
outbox, so that whoever comes second finds nothing left to tell.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from customer_profiles.collection.sources.home import Home
from customer_profiles.orchestration.destinations import FILE, destinations, send, write_down
from customer_profiles.orchestration.observations import (
    FARTHEST_BACK,
    events_between,
    log_name,
    newest_event,
    observations_of,
)
from customer_profiles.orchestration.watch import is_awaited, late, running_schedules, stopped
from customer_profiles.quality.alerts import Message, compose, due_at, is_sent, next_attempt
from customer_profiles.quality.finding import Severity
from customer_profiles.quality.incidents import (
    Ancestors,
    Change,
    Course,
    Observation,
    follow,
    told_together,
    worst,
)
from customer_profiles.settings import Settings
from customer_profiles.warehouse.outbox import Outbox, Parcel, open_outbox

OUTBOX = "outbox.sqlite"
WATCHER, WOKE = "sensors", "sensors woke"
CHANGES: tuple[Change, ...] = ("opened", "worse", "recovered")
MOST_SENT = 20
"""Messages sent in one go, so that a tick ends in time; the rest follows at the next."""
NEWS = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=7)
"""A destination that nobody could reach for so long gets no more messages."""
SILENT = logging.getLogger("customer_profiles.alerts")
SILENT.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Told:
    """What one evaluation and delivery came to."""

    opened: int
    recovered: int
    sent: int
    waiting: int

    def __str__(self) -> str:
        if not any((self.opened, self.recovered, self.sent, self.waiting)):
            return "nothing new"
        return (
            f"{self.opened} incidents opened, {self.recovered} recovered; {self.sent} messages sent, "
            f"{self.waiting} waiting"
        )


@contextmanager
def open_alerts(settings: Settings) -> Iterator[Outbox]:
    """The home's outbox."""
    with open_outbox(settings.alerts_folder / OUTBOX) as outbox:
        yield outbox


def tell(
    settings: Settings,
    environ: Mapping[str, str],
    instance: dg.DagsterInstance,
    ancestors: Ancestors,
    *,
    sensor: str | None = None,
    home: Callable[[], Home] | None = None,
    now: datetime | None = None,
    log: logging.Logger = SILENT,
) -> Told:
    """Evaluate what has happened since the last time, and send what waits.

    ``ancestors`` are every asset's (see ``ancestors_in``): what follows from a cause is told with it.
    ``sensor`` is the one that asks, if one does. ``home`` gives the home in which late days are looked for;
    without it nobody looks for them.
    """
    moment = now or datetime.now(UTC)
    with open_alerts(settings) as outbox:
        changed = evaluate(outbox, settings, environ, instance, ancestors, moment, sensor=sensor, home=home)
        sent = deliver(outbox, settings, environ, moment, log)
        return Told(*changed, sent, len(outbox.waiting()))


def evaluate(
    outbox: Outbox,
    settings: Settings,
    environ: Mapping[str, str],
    instance: dg.DagsterInstance,
    ancestors: Ancestors,
    now: datetime,
    *,
    sensor: str | None = None,
    home: Callable[[], Home] | None = None,
) -> tuple[int, int]:
    """Read on, fold, and put messages into the outbox, in one transaction.

    Returns how many incidents were opened and how many recovered.
    """
    late_days = _late_days(home, settings, instance, now) if home else []
    with outbox.transaction():
        for destination in destinations(environ):
            outbox.call(destination, now)
        name, newest = log_name(instance), newest_event(instance)
        before = outbox.position(name)
        after = min(before[0], newest) if before else max(newest - FARTHEST_BACK, 0)
        read = observations_of(instance, events_between(instance, after, newest))
        ends = ancestors.keys() - frozenset().union(*ancestors.values())
        # A check beside an asset that nothing follows stops nothing. Of an unknown asset nobody can say.
        seen = [replace(each, blocking=False) if each.subject in ends else each for each in read]
        seen += late_days
        seen += _awaited_no_more(outbox, settings, now)
        seen += _awake(outbox, settings, instance, now, sensor)
        outbox.move(name, newest, now)
        if sensor:
            _note_sensor(outbox, settings, now)
        courses, held = follow(outbox.standing(), seen, outbox.passed(), outbox.next_number())
        outbox.remember(held)
        if before is None:  # a home with a history: what was over days ago is no news
            courses = [course for course in courses if course.after.is_open or _is_recent(course, now)]
        _write_messages(outbox, courses, settings, ancestors, now)
    changes = [course.change for course in courses]
    return changes.count("opened"), changes.count("recovered")


def _late_days(
    home: Callable[[], Home], settings: Settings, instance: dg.DagsterInstance, now: datetime
) -> list[Observation]:
    """What is late, told before the outbox is held: to look through years in one file takes minutes."""
    if not is_awaited(settings, instance):
        return []
    looked_at = home()
    try:
        return list(late(looked_at, settings, instance, now))
    finally:
        looked_at.put_away()


def _awaited_no_more(outbox: Outbox, settings: Settings, now: datetime) -> list[Observation]:
    """Deliveries that were late, and of which no hour is set any more."""
    awaited = {f"raw/{table}" for table in settings.freshness.delivered_by}
    return [
        Observation(each.kind, each.subject, each.claim, failed=False, at=now)
        for each in outbox.standing()
        if each.kind == "delivery" and each.subject not in awaited
    ]


def deliver(
    outbox: Outbox,
    settings: Settings,
    environ: Mapping[str, str],
    now: datetime,
    log: logging.Logger = SILENT,
) -> int:
    """Send what is due; what fails waits for its next attempt. Returns how many messages arrived.

    What goes to an address that this process does not know is left to one that does.
    """
    urls = destinations(environ)
    arrived, silent = 0, set[str]()
    with outbox.sending() as may_send:
        if not may_send:
            return 0
        _withdraw(outbox, now)
        due = [each for each in outbox.waiting() if each.not_before <= now]
        within_reach = [each for each in due if each.destination == FILE or each.destination in urls]
        for parcel in within_reach:
            if parcel.destination in silent or arrived + len(silent) >= MOST_SENT:
                continue
            message = _message(outbox, parcel, settings)
            outbox.begin(parcel)
            if parcel.destination == FILE:
                log.log(logging.ERROR if message.severity == "error" else logging.WARNING, message.title)
                trouble = write_down(
                    settings.alerts_folder,
                    message,
                    parcel.numbers,
                    now,
                    perhaps_there=parcel.perhaps_arrived,
                )
            else:
                trouble = send(urls[parcel.destination], message)
            if trouble:
                silent.add(parcel.destination)
                again = next_attempt(now, parcel.attempts + 1)
                outbox.put_back(parcel, again, trouble.reason, perhaps_arrived=trouble.perhaps_arrived)
            else:
                outbox.done(parcel, now)
                arrived += parcel.destination != FILE
    return arrived


def _withdraw(outbox: Outbox, now: datetime) -> None:
    """Give up what goes to addresses that no process has known for a while."""
    known = {FILE, *outbox.called_since(now - FORGOTTEN_AFTER)}
    for parcel in outbox.waiting():
        if parcel.destination not in known:
            outbox.withdraw(parcel)


def ancestors_in(assets: Iterable[dg.AssetsDefinition]) -> Ancestors:
    """For every asset all assets before it."""
    direct = {
        spec.key.to_user_string(): {dep.asset_key.to_user_string() for dep in spec.deps}
        for asset in assets
        for spec in asset.specs
    }
    known: dict[str, frozenset[str]] = {}

    def before(asset: str) -> frozenset[str]:
        if asset not in known:
            near = direct.get(asset, set())
            known[asset] = frozenset(near).union(*map(before, near))
        return known[asset]

    return {asset: before(asset) for asset in direct}


def _awake(
    outbox: Outbox, settings: Settings, instance: dg.DagsterInstance, now: datetime, sensor: str | None
) -> list[Observation]:
    """Silent daemons, sensors and schedules, and the time in which no sensor looked."""
    if not running_schedules(instance):
        return []
    longest = timedelta(minutes=settings.alerts.longest_silence_minutes)
    last, woke = outbox.position(WATCHER), outbox.position(WOKE)
    slept = Observation("watch", "alerts", "have slept", False, now, path="/deployment/daemons")
    if last and now - last[1] > longest:
        says = f"nobody looked for failures between {last[1]:%Y-%m-%d %H:%M} and {now:%Y-%m-%d %H:%M} UTC"
        is_over = sensor is not None
        severity: Severity = "warn" if is_over else "error"
        return [replace(slept, failed=True, says=says, severity=severity, over=is_over)]
    awake = [slept] if sensor else []
    if woke and now - woke[1] < longest:  # the others need time to wake, too
        return awake
    return [*awake, *stopped(settings, instance, now, sensor)]


def _note_sensor(outbox: Outbox, settings: Settings, now: datetime) -> None:
    """A sensor looked now; after a long silence that is an awakening."""
    last = outbox.position(WATCHER)
    if last is None or now - last[1] > timedelta(minutes=settings.alerts.longest_silence_minutes):
        outbox.move(WOKE, 0, now)
    outbox.move(WATCHER, 0, now)


def _write_messages(
    outbox: Outbox,
    courses: Sequence[Course],
    settings: Settings,
    ancestors: Ancestors,
    now: datetime,
) -> None:
    """Keep what changed, and for each cause with news a message to everybody who should hear of it."""
    opened = [course.after for course in courses if course.before is None]
    standing = outbox.standing()
    roots = told_together(opened, standing, ancestors) if opened else []
    root_of = {incident.number: root for incident, root in zip(opened, roots, strict=True)}
    known = {root: _severity(outbox, root) for root in {*roots, *(each.told_in for each in standing)}}
    for course in courses:
        after = course.after
        outbox.keep(replace(after, told_in=root_of.get(after.number, after.told_in)))
    news: dict[int, Change] = {}
    for course in sorted(courses, key=lambda course: CHANGES.index(course.change or "opened")):
        root = root_of.get(course.after.number, course.after.told_in)
        change = course.change
        if change == "opened" and root not in root_of:
            is_worse = worst(known[root], course.after.severity) != known[root]
            change = "worse" if is_worse else None
        if change == "recovered" and any(each.is_open for each in outbox.told_in(root)):
            change = None
        if change:
            news.setdefault(root, change)
    everybody = outbox.called_since(now - FORGOTTEN_AFTER)
    for root, change in news.items():
        severity = _severity(outbox, root)
        outbox.add(root, change, FILE, severity, now)
        if is_sent(severity, settings.alerts):
            due = due_at(now, severity, change, settings.alerts, settings.timezone)
            for destination in sorted(everybody):
                outbox.add(root, change, destination, severity, due)


def _is_recent(course: Course, now: datetime) -> bool:
    return course.before is not None or now - course.after.opened_at < NEWS


def _severity(outbox: Outbox, root: int) -> Severity:
    return worst("warn", *(incident.severity for incident in outbox.told_in(root)))


def _message(outbox: Outbox, parcel: Parcel, settings: Settings) -> Message:
    return compose(
        outbox.told_in(parcel.incident),
        parcel.changes,
        settings.alerts,
        owner=settings.owner,
        timezone=settings.timezone,
        repeat=parcel.perhaps_arrived,
    )
