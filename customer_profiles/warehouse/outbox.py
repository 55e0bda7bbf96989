"""The outbox of alerts: how far the event log was read, incidents, and messages until they are sent.

A SQLite file of its own: a run holds the warehouse for minutes, and DuckDB then lets nobody else in.
Reading on, folding and writing messages is one transaction, so that a kill loses and doubles nothing.
A message is ``pending``, then ``sending``, then ``sent``: one that is found ``sending`` was cut off
between the two and is sent again, marked as a repeat.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from customer_profiles.quality.finding import Severity
from customer_profiles.quality.incidents import Cause, Change, Incident
from customer_profiles.settings import Mendable

BUSY_SECONDS = 60
DESTINATION = "to "
TABLES = """
create table if not exists positions (name text primary key, position integer not null, at text not null);
create table if not exists passed (kind text, subject text, claim text, day text not null,
    primary key (kind, subject, claim));
create table if not exists incidents (number integer primary key, kind text not null, subject text not null,
    claim text not null, severity text not null, opened_at text not null, closed_at text, says text not null,
    value text not null, threshold text not null, first_day text, last_day text, days integer not null,
    times integer not null, blocking integer not null, path text not null, run text not null,
    told_in integer not null);
create unique index if not exists one_open_incident_a_cause on incidents (kind, subject, claim)
    where closed_at is null;
create table if not exists messages (number integer primary key, incident integer not null,
    change text not null, destination text not null, severity text not null, state text not null,
    attempts integer not null, perhaps_arrived integer not null default 0, not_before text not null,
    sent_at text, error text not null);
create index if not exists unsent_messages on messages (destination) where state in ('pending', 'sending');
"""


READ_AS: dict[str, Callable[[Any], Any]] = {
    "opened_at": datetime.fromisoformat,
    "closed_at": datetime.fromisoformat,
    "first_day": date.fromisoformat,
    "last_day": date.fromisoformat,
    "blocking": bool,
}
"""Columns of incidents that SQLite keeps as text or number."""


class OutboxError(Mendable, RuntimeError):
    """The outbox cannot be read or written. The message says what to do."""


@dataclass(frozen=True)
class Parcel:
    """All that waits to be told of one incident at one destination; it is sent as one message.

    ``attempts`` are those before, of which one ``perhaps_arrived``; ``numbers`` are the messages in it.
    """

    incident: int
    destination: str
    changes: tuple[Change, ...]
    severity: Severity
    attempts: int
    perhaps_arrived: bool
    not_before: datetime
    numbers: tuple[int, ...]
    error: str


class Outbox:
    """An open outbox. Get one with ``open_outbox``."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection = connection
        self._file = file

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; two processes that evaluate at once come one after the other."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """Whether this process is the one that may send. The operating system frees a killed one's lock."""
        try:
            opened = self._file.with_suffix(".sending").open("w")
        except OSError as error:
            raise _unusable(self._file, error) from error
        with opened as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    # how far things have come

    def position(self, name: str) -> tuple[int, datetime] | None:
        """Where reading stopped and when, or ``None`` before the first time."""
        row = self._one("select position, at from positions where name = ?", name)
        return None if row is None else (row[0], datetime.fromisoformat(row[1]))

    def move(self, name: str, position: int, at: datetime) -> None:
        """Remember where reading stopped."""
        self._connection.execute(
            "insert or replace into positions values (?, ?, ?)", (name, position, _text(at))
        )

    def passed(self) -> dict[Cause, date]:
        """The newest day for which each claim held."""
        rows = self._connection.execute("select kind, subject, claim, day from passed").fetchall()
        return {(kind, subject, claim): date.fromisoformat(day) for kind, subject, claim, day in rows}

    def remember(self, passed: Mapping[Cause, date]) -> None:
        """Claims held for a newer day."""
        self._connection.executemany(
            "insert or replace into passed values (?, ?, ?, ?)",
            [(*cause, str(day)) for cause, day in passed.items()],
        )

    # incidents

    def next_number(self) -> int:
        """The number of the next incident."""
        row = self._one("select coalesce(max(number), 0) + 1 from incidents")
        return int(row[0]) if row else 1

    def standing(self) -> list[Incident]:
        """Open incidents in the order in which they were opened."""
        return self._incidents("closed_at is null")

    def told_in(self, number: int) -> list[Incident]:
        """The incidents of which one incident's messages tell; the one itself comes first."""
        return sorted(
            self._incidents("told_in = ?", number), key=lambda each: (each.number != number, each.number)
        )

    def keep(self, incident: Incident) -> None:
        """Insert an incident, or replace what is known of it."""
        names = [field.name for field in fields(Incident)]
        cells = [_text(cell) for cell in asdict(incident).values()]
        self._connection.execute(
            f"insert or replace into incidents ({', '.join(names)}) values ({', '.join('?' * len(names))})",
            cells,
        )

    # messages

    def call(self, destination: str, at: datetime) -> None:
        """A destination can be reached from here."""
        self.move(f"{DESTINATION}{destination}", 0, at)

    def called_since(self, moment: datetime) -> set[str]:
        """Destinations that somebody could reach since then: not every process knows every address."""
        rows = self._connection.execute(
            "select substr(name, ?) from positions where name like ? and at >= ?",
            (len(DESTINATION) + 1, f"{DESTINATION}%", _text(moment)),
        ).fetchall()
        return {name for (name,) in rows}

    def add(self, incident: int, change: Change, destination: str, severity: Severity, due: datetime) -> None:
        """A message that waits to be sent."""
        self._connection.execute(
            "insert into messages (incident, change, destination, severity, not_before, state, attempts, "
            "error) values (?, ?, ?, ?, ?, 'pending', 0, '')",
            (incident, change, destination, severity, _text(due)),
        )

    def waiting(self) -> list[Parcel]:
        """What has not been sent, the oldest first."""
        rows = self._connection.execute(
            "select incident, destination, group_concat(change), "
            "max(case severity when 'error' then 1 else 0 end), max(attempts), max(perhaps_arrived), "
            "case when max(attempts) > 0 then max(not_before) else min(not_before) end, "
            "group_concat(number), max(error) "
            "from (select * from messages where state in ('pending', 'sending') order by number) "
            "group by incident, destination order by min(number)"
        ).fetchall()
        return [
            Parcel(
                incident=row[0],
                destination=row[1],
                changes=tuple(row[2].split(",")),
                severity="error" if row[3] else "warn",
                attempts=row[4],
                perhaps_arrived=bool(row[5]),
                not_before=datetime.fromisoformat(row[6]),
                numbers=tuple(map(int, row[7].split(","))),
                error=row[8],
            )
            for row in rows
        ]

    def begin(self, parcel: Parcel) -> None:
        """The parcel leaves now: who finds it in this state later cannot know whether it arrived."""
        self._mark(parcel, "state = 'sending', perhaps_arrived = 1, attempts = ?", parcel.attempts + 1)

    def done(self, parcel: Parcel, at: datetime) -> None:
        """The parcel has arrived."""
        self._mark(parcel, "state = 'sent', error = '', sent_at = ?", _text(at))

    def put_back(self, parcel: Parcel, not_before: datetime, error: str, *, perhaps_arrived: bool) -> None:
        """The parcel was not taken; it waits for its next attempt."""
        unsure = parcel.perhaps_arrived or perhaps_arrived
        change = "state = 'pending', not_before = ?, error = ?, perhaps_arrived = ?"
        self._mark(parcel, change, _text(not_before), error, unsure)

    def withdraw(self, parcel: Parcel) -> None:
        """Nobody can reach the destination any more."""
        self._mark(parcel, "state = 'withdrawn'")

    def _mark(self, parcel: Parcel, change: str, *values: Any) -> None:
        marks = ", ".join("?" * len(parcel.numbers))
        self._connection.execute(
            f"update messages set {change} where number in ({marks})", (*values, *parcel.numbers)
        )

    def _incidents(self, where: str, *values: Any) -> list[Incident]:
        names = [field.name for field in fields(Incident)]
        rows = self._connection.execute(
            f"select {', '.join(names)} from incidents where {where} order by number", values
        )
        return [_incident(dict(zip(names, row, strict=True))) for row in rows]

    def _one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        return row


@contextmanager
def open_outbox(file: Path) -> Iterator[Outbox]:
    """The outbox in a file, which is made if it is absent. Raises ``OutboxError`` if it is no such file."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(file, error) from error
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(TABLES)
            yield Outbox(connection, file)
    except sqlite3.Error as error:
        raise _unusable(file, error) from error


def _unusable(file: Path, error: Exception) -> OutboxError:
    return OutboxError(
        f"{file} cannot be used ({error}): free disk space, or move the file away if it is damaged; "
        f"incidents that are open then are told anew"
    )


def _incident(cells: dict[str, Any]) -> Incident:
    read = {name: as_ours(cells[name]) for name, as_ours in READ_AS.items() if cells[name] is not None}
    return Incident(**cells | read)


def _text(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="microseconds")
    return str(cell) if isinstance(cell, date) else cell
