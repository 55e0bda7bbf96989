"""Messages about incidents: what they say, whom they reach, and when.

A message never holds personal data: of what a check or a run says, quoted words that are no table or
column of ours, e-mail addresses and long numbers are masked before it is kept (``without_personal_data``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from customer_profiles.contracts import CONTRACTS
from customer_profiles.quality.finding import Severity
from customer_profiles.quality.incidents import SEVERITIES, Change, Incident, Kind, worst
from customer_profiles.settings import AlertSettings

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=15)
LONGEST_TEXT, MOST_LISTED = 700, 10
MASK = "…"
QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|“[^”\n]*”|‘[^’\n]*’|「[^」\n]*」|`[^`\n]*`")
MAIL = re.compile(r"[^\s,;:<>()\[\]'\"]+@[^\s,;:<>()\[\]'\"]+")
LONG_NUMBER = re.compile(r"(?<![\w.,/-])\+?\d(?:[ ()-]{0,2}\d){6,}\w?")
DAY = re.compile(r"(\b\d{4}-\d\d-\d\d\b)")
KNOWN_WORDS = frozenset(
    {*CONTRACTS, *(column for contract in CONTRACTS.values() for column in contract.columns())}
)

MEANINGS = {
    "rows_reconcile": "rows were lost or counted twice between delivery and cleaning; report it as a bug",
    "keys_tell_rows_apart": "rows are lost to others of their key: `sources check` says in what they differ",
    "order_ids_are_new": "numbers begin anew each day or at each till: name these in order_id, --rebuild",
    "every_delivery_was_read": "nothing of the refused file came in: put it right, then run the day again",
    "few_rows_are_quarantined": "a word, a format or a column is new: `customer-profiles quarantine list`",
    "contract_holds": "stored rows break their contract, so what follows would be wrong",
    "expectations_are_met": "the delivery is not like earlier ones: ask who sends it what has changed",
    "arrives_as_usual": "the source sent nothing or changed a filter, unit, clock or tracker: ask its sender",
    "scores_keep_their_distribution": "customers or deliveries changed: see the model's inputs",
    "components_still_describe_the_customers": "customers differ from those of training: see the inputs",
    "segment_shares_are_steady": "customers moved, or their traits changed: see the inputs before campaigns",
    "base_rate_is_steady": "more or fewer customers buy than the model learned: scores are off by as much",
    "customers_are_known": "the customers delivery is late or incomplete, or ids are written in another way",
    "products_are_known": "the products delivery is late or incomplete, or ids are written in another way",
    "partners_name_customers": "the partner hashes in another way than agreed, or tells of other people",
    "expected_tables_were_delivered": "windows that need the day are NULL until the table is delivered",
    "the_future_changes_nothing": "features look past their day: the model's figures cannot be trusted",
    "model_still_knows_its_world": "customers or deliveries changed since training: scores may mislead",
    "every_customer_has_a_profile": "profiles are incomplete; readers of published/ miss customers",
    "segments_are_stable": "segments would be others on another sample: do not build campaigns on them",
}
"""What a failure of a check may mean; a check that is not here is told by its own words."""
MEANINGS_OF_KINDS: dict[Kind, str] = {
    "check": "open the check to see value, threshold and the course of the days",
    "run": "nothing was stored for the days that failed, nor for what follows; what was stored before stays",
    "delivery": "profiles of these days miss what was not delivered; ask whoever sends it",
    "profiles": "readers of published/ see older profiles; look whether the day's run started or failed",
    "watch": "failures are noticed late or not at all; `customer-profiles doctor` tells what to do",
}
CHANGES = {"opened": "", "worse": "worse: ", "recovered": "recovered: "}


@dataclass(frozen=True)
class Message:
    """What a person reads."""

    title: str
    body: str
    severity: Severity
    recovered: bool


def compose(
    told: Sequence[Incident],
    changes: Sequence[Change],
    settings: AlertSettings,
    *,
    owner: str,
    timezone: str,
    repeat: bool = False,
) -> Message:
    """The message about an incident, the first of ``told``, and all that is told in it.

    ``changes`` are those that wait to be told; ``repeat`` says that an earlier attempt
    to send them may have arrived.
    """
    first, zone = told[0], ZoneInfo(timezone)
    severity = worst(*(each.severity for each in told))
    recovered = not any(each.is_open for each in told)
    change: Change = "opened" if "opened" in changes else changes[-1]
    ended = max((each.closed_at for each in told if each.closed_at), default=None)
    lines = [
        f"what: {_short(first.says) or first.claim}",
        *([f"value: {_short(first.value)}; threshold: {_short(first.threshold)}"] if first.value else []),
        f"since: {_since(first, zone)}",
        *([f"over since: {_clock(ended, zone)}"] if recovered and ended else []),
        *(["stopped: assets that follow were not computed in this run"] if first.blocking else []),
        f"it may mean: {MEANINGS.get(first.claim, MEANINGS_OF_KINDS[first.kind])}",
        *_with_it(told[1:]),
        f"owner: {owner}",
        f"look: {settings.ui_url.rstrip('/')}{first.path}",
        f"incident {first.number}",
    ]
    if repeat:
        lines.append("repeat: an earlier attempt to send this was cut off and may have arrived")
    level = "OK" if recovered and change == "recovered" else severity.upper()
    again = " (repeat)" if repeat else ""
    title = f"[{level}] {CHANGES[change]}{_headline(first)}{again}"
    return Message(title, "\n".join(lines), severity, recovered)


def is_sent(severity: Severity, settings: AlertSettings) -> bool:
    """Whether a severity goes to the destinations; the file gets every message."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(settings.send_from)


def due_at(now: datetime, severity: Severity, change: Change, settings: AlertSettings, zone: str) -> datetime:
    """When a message may leave: now, or when the quiet hours that hold it end."""
    held = change == "recovered" or SEVERITIES.index(severity) <= SEVERITIES.index(settings.quiet_for)
    start, end = time.fromisoformat(settings.quiet_from), time.fromisoformat(settings.quiet_until)
    here = now.astimezone(ZoneInfo(zone))
    clock = here.time()
    quiet = start <= clock < end if start <= end else clock >= start or clock < end
    if not (held and quiet):
        return now
    day = here.date() + timedelta(days=clock >= end)
    ends: datetime = datetime.combine(day, end, ZoneInfo(zone))
    return ends.astimezone(now.tzinfo)


def next_attempt(now: datetime, attempts: int) -> datetime:
    """When to try again after so many failed attempts: the wait doubles up to a limit."""
    return now + min(FIRST_WAIT * 2.0 ** min(attempts - 1, 20), LONGEST_WAIT)


def without_personal_data(text: str) -> str:
    """The text with quoted words that are not ours, e-mail addresses and long numbers masked."""
    text = QUOTED.sub(lambda quoted: quoted[0] if quoted[0][1:-1] in KNOWN_WORDS else MASK, text)
    parts = DAY.split(MAIL.sub(MASK, text))
    return "".join(part if DAY.fullmatch(part) else LONG_NUMBER.sub(MASK, part) for part in parts)


def _short(text: str) -> str:
    line = " / ".join(text.split("\n"))
    return line if len(line) <= LONGEST_TEXT else f"{line[:LONGEST_TEXT]}{MASK}"


def _headline(incident: Incident) -> str:
    days = f" on {_days(incident)}" if incident.last_day else ""
    says = {"check": f"{incident.claim} failed", "run": "run failed"}.get(incident.kind, incident.claim)
    return f"{incident.subject}: {says}{days}"


def _since(incident: Incident, zone: ZoneInfo) -> str:
    noticed = f"noticed {_clock(incident.opened_at, zone)}"
    if not incident.last_day:
        return noticed
    often = f", seen {incident.times} times" if incident.times > 1 else ""
    return f"{_days(incident)}, {noticed}{often}"


def _days(incident: Incident) -> str:
    first, last = incident.first_day, incident.last_day
    if first is None or first == last:
        return str(last)
    return f"{incident.days} days from {first} to {last}"


def _with_it(others: Sequence[Incident]) -> list[str]:
    lines = [
        f"with it: {each.severity.upper()} {_headline(each)}: {_short(each.says)}"
        for each in others[:MOST_LISTED]
    ]
    return [*lines, *([f"with it: {len(others) - MOST_LISTED} more"] if len(others) > MOST_LISTED else [])]


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
