"""Incidents: what was seen to fail, folded by cause from the first failure to the recovery.

An observation is one claim held against the world: a check of a run, a step of a run, the arrival of
a delivery, a watcher that should be awake. Failures of one cause make one incident; it ends with an
observation that passes for the newest failed day or a later one. An old day that fails in a backfill
while newer days pass is over as soon as it is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from customer_profiles.quality.finding import Severity

Kind = Literal["check", "run", "delivery", "profiles", "watch"]
Cause = tuple[str, str, str]
Change = Literal["opened", "worse", "recovered"]
Ancestors = Mapping[str, frozenset[str]]
MOST_AT_ONCE = 5
"""Incidents of one run that get messages of their own; further ones are told in the first."""
REFERENCES = "_are_known"
"""End of the names of claims that are about another table's rows."""
SEVERITIES: tuple[Severity, ...] = ("warn", "error")


@dataclass(frozen=True)
class Observation:
    """A claim about a subject, and whether it failed.

    ``first_day`` to ``last_day`` are the failed days, ``days`` how many of them there are, and
    ``newest_day`` the newest day looked at; claims without days have none. ``over`` tells of a failure
    that has ended already. ``path`` is the page of the UI that shows it.
    """

    kind: Kind
    subject: str
    claim: str
    failed: bool
    at: datetime
    severity: Severity = "error"
    says: str = ""
    value: str = ""
    threshold: str = ""
    first_day: date | None = None
    last_day: date | None = None
    days: int = 0
    newest_day: date | None = None
    over: bool = False
    blocking: bool = False
    path: str = ""
    run: str = ""

    @property
    def cause(self) -> Cause:
        """What failures must share to be one incident."""
        return (self.kind, self.subject, self.claim)


@dataclass(frozen=True)
class Incident:
    """Failures of one cause. ``told_in`` is the number of the incident whose messages tell of it."""

    number: int
    kind: Kind
    subject: str
    claim: str
    severity: Severity
    opened_at: datetime
    closed_at: datetime | None
    says: str
    value: str
    threshold: str
    first_day: date | None
    last_day: date | None
    days: int
    times: int
    blocking: bool
    path: str
    run: str
    told_in: int

    @property
    def cause(self) -> Cause:
        """What failures must share to be this incident."""
        return (self.kind, self.subject, self.claim)

    @property
    def is_open(self) -> bool:
        """Whether it has not recovered yet."""
        return self.closed_at is None


@dataclass(frozen=True)
class Course:
    """An incident before and after some observations; ``before`` is ``None`` if they opened it."""

    before: Incident | None
    after: Incident

    @property
    def change(self) -> Change | None:
        """What there is to tell, if anything."""
        if self.before is None:
            return "opened"
        if not self.after.is_open:
            return "recovered"
        return (
            "worse"
            if SEVERITIES.index(self.after.severity) > SEVERITIES.index(self.before.severity)
            else None
        )


def follow(
    standing: Iterable[Incident], seen: Iterable[Observation], passed: Mapping[Cause, date], number: int
) -> tuple[list[Course], dict[Cause, date]]:
    """Fold observations, in their order, into the open incidents; open new ones from ``number`` on.

    ``passed`` is the newest day for which each claim held. Returns the incidents that changed, and the
    days that are new in ``passed``.
    """
    begun = {incident.number: incident for incident in standing}
    current = {incident.cause: incident for incident in begun.values()}
    touched: dict[int, Incident] = {}
    held: dict[Cause, date] = {}
    for each in seen:
        cause = each.cause
        incident = current.get(cause)
        if incident is not None:
            incident = _folded(incident, each)
        elif each.failed:
            incident = _opened(each, number, held.get(cause) or passed.get(cause))
            number += 1
        if incident is not None:
            touched[incident.number] = incident
            current[cause] = incident
            if not incident.is_open:
                del current[cause]
        if each.newest_day and (not each.failed or _is_over(each)):
            held[cause] = max(each.newest_day, held.get(cause) or passed.get(cause) or each.newest_day)
    courses = [Course(begun.get(incident.number), incident) for incident in touched.values()]
    return [course for course in courses if course.before != course.after], held


def worst(*severities: Severity) -> Severity:
    """The most serious of some severities."""
    return max(severities, key=SEVERITIES.index)


def told_together(opened: Iterable[Incident], standing: Iterable[Incident], upstream: Ancestors) -> list[int]:
    """For each opened incident the number of the one that tells of it; its own if it is a cause.

    Told in another are: what failed in the same run on the same asset or after it (the cause is the most
    upstream one), tables that miss rows of the same other table, what failed in a table whose delivery
    of that day is missing, and what exceeds ``MOST_AT_ONCE`` causes of one run. A run takes longer than the
    time between two looks: what it opened at an earlier one, once, is among ``standing``. ``upstream`` maps
    an asset to all assets before it.
    """
    found = list(opened)
    ordered = sorted(
        found,
        key=lambda each: (
            len(upstream.get(each.subject, ())),
            each.severity != "error",
            each.number,
        ),
    )
    before = [each for each in standing if each.kind == "delivery" or each.times == 1]
    causes: list[Incident] = []
    told: dict[int, int] = {}
    for each in ordered:
        cause = next((other for other in (*before, *causes) if _explains(other, each, upstream)), None)
        of_its_run = [other for other in causes if other.run and other.run == each.run]
        if cause is None and len(of_its_run) >= MOST_AT_ONCE:
            cause = of_its_run[0]
        told[each.number] = cause.told_in if cause else each.number
        if cause is None:
            causes.append(each)
    return [told[each.number] for each in found]


def _explains(cause: Incident, other: Incident, upstream: Ancestors) -> bool:
    if cause.kind == "delivery":
        of_the_table = {f"{layer}/{cause.subject.rpartition('/')[2]}" for layer in ("raw", "cleaned")}
        within = (
            None not in (cause.first_day, cause.last_day, other.first_day, other.last_day)
            and cause.first_day <= other.first_day  # type: ignore[operator]
            and other.last_day <= cause.last_day  # type: ignore[operator]
        )
        return within and other.kind == "check" and other.subject in of_the_table
    after = cause.subject == other.subject or cause.subject in upstream.get(other.subject, ())
    of_one_source = cause.claim == other.claim and cause.claim.endswith(REFERENCES)
    return (after or of_one_source) and bool(cause.run) and cause.run == other.run


def _opened(seen: Observation, number: int, passed: date | None) -> Incident:
    newer_passes = passed is not None and seen.last_day is not None and passed > seen.last_day
    return Incident(
        number=number,
        kind=seen.kind,
        subject=seen.subject,
        claim=seen.claim,
        severity=seen.severity,
        opened_at=seen.at,
        closed_at=seen.at if newer_passes or _is_over(seen) else None,
        says=seen.says,
        value=seen.value,
        threshold=seen.threshold,
        first_day=seen.first_day,
        last_day=seen.last_day,
        days=seen.days,
        times=1,
        blocking=seen.blocking,
        path=seen.path,
        run=seen.run,
        told_in=number,
    )


def _folded(incident: Incident, seen: Observation) -> Incident:
    if not seen.failed:
        return replace(incident, closed_at=seen.at) if _reaches(seen.newest_day, incident) else incident
    same_days = (seen.first_day, seen.last_day) == (incident.first_day, incident.last_day)
    later = incident.last_day and seen.first_day and seen.first_day > incident.last_day
    grown = replace(
        incident,
        severity=worst(incident.severity, seen.severity),
        first_day=min(filter(None, (incident.first_day, seen.first_day)), default=None),
        last_day=max(filter(None, (incident.last_day, seen.last_day)), default=None),
        days=incident.days + seen.days if later else max(incident.days, seen.days),
        times=incident.times + (seen.run != incident.run or not same_days),
        blocking=incident.blocking or seen.blocking,
        run=seen.run,
    )
    if seen.severity == grown.severity and _reaches(seen.last_day, incident):
        grown = replace(grown, says=seen.says, value=seen.value, threshold=seen.threshold, path=seen.path)
    over = _is_over(seen) and _reaches(seen.newest_day, incident)
    return replace(grown, closed_at=seen.at if over else None)


def _is_over(seen: Observation) -> bool:
    newer = seen.newest_day is not None and seen.last_day is not None and seen.newest_day > seen.last_day
    return seen.over or newer


def _reaches(day: date | None, incident: Incident) -> bool:
    return day is None or incident.last_day is None or day >= incident.last_day
