"""Loading deliveries: each once, on its day; what changed or came late, on the day on which it arrives.

A loaded delivery is history. Rows that a file gained after it was loaded, files that came after their day
was run, and rows released from quarantine enter on the newest day that is run. Vault first, then raw rows
and the ledger in one transaction: whoever is killed leaves a delivery loaded or not loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import polars as pl

from customer_profiles.collection.arrivals import Arrival
from customer_profiles.collection.door import Door
from customer_profiles.collection.ledger import REFUSED
from customer_profiles.collection.reading import Delivery, DeliveryError, Part
from customer_profiles.collection.releasing import RELEASED
from customer_profiles.collection.searches import NO_WORDS, Categories
from customer_profiles.collection.sources.finding import delivered_days, find_delivery
from customer_profiles.collection.storing import Entry, state_of, store
from customer_profiles.warehouse import Session

VERSION_DIGITS = 8
"""Leading digits of a file's hash that name a later state of it."""
Fate = Literal["loaded", "kept", "changed", "late", "absent", "refused"]
"""``kept`` and ``changed`` were loaded before; ``late`` came after its day was run without it."""


@dataclass(frozen=True)
class Loaded:
    """What became of a day's delivery in a run.

    ``rows`` came in with it; ``refused`` says which changed or late files could not be read, ``gone`` what
    they, or a rewritten day, lost of the rows as loaded.
    """

    fate: Fate
    rows: int = 0
    says: str = ""
    refused: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def load_day(
    warehouse: Session,
    vault: Session,
    door: Door,
    table: str,
    day: date,
    *,
    known: pl.DataFrame,
    categories: Categories = NO_WORDS,
    rebuild: bool = False,
    run_without: bool = False,
) -> Loaded:
    """Load the delivery of a table and day, unless it was loaded before.

    ``known`` are the ledger's entries of the table and day. A loaded delivery is history: a file that
    changed since, or one that came after the day was ``run_without`` it, is named and left to ``load_late``,
    unless ``rebuild`` says to rewrite the day. Raises ``DeliveryError`` if a file is not what it says; then
    nothing of this day and table is changed.
    """
    own = known.filter(file_day=day)
    delivery = find_delivery(door.home, table, day)
    if not rebuild and own.height:
        return _kept(delivery, own)
    if delivery is None and not (rebuild and own.height):
        return Loaded("absent", says="no delivery: zero rows")
    if run_without and not rebuild:
        return Loaded("late", says=f"it came after {day} was run: {ENTERS} {REWRITE.format(day)}")
    arrivals = _arrivals([delivery]) if delivery else []
    entries = store(warehouse, vault, door, table, arrivals, categories, forget=own)
    gone = _rewritten(table, day, own, entries, delivery)
    if delivery is None:
        return Loaded("absent", says="its file is gone: the day was emptied", gone=gone)
    return replace(_loaded(entries), gone=gone)


def _rewritten(
    table: str, day: date, before: pl.DataFrame, entries: list[Entry], delivery: Delivery | None
) -> tuple[str, ...]:
    """What a rewritten day has no more of the rows that had come in: nothing, or one sentence.

    Released rows had come in twice.
    """
    had = int(before.filter(~pl.col("source").str.contains(RELEASED, literal=True))["rows"].sum())
    if _rows(entries) >= had:
        return ()
    why = ""
    if delivery is None:
        why = "; its file is not there: if it should be, put it back and rewrite the day again"
    elif any(part.whole for part in delivery.parts):
        why = "; rows that sources.yaml puts on other days now come in when those are rewritten too"
    return (f"{table} of {day}: rewritten, with fewer rows: {_rows(entries):,} now, {had:,} before{why}",)


def load_days(
    warehouse: Session,
    vault: Session,
    door: Door,
    table: str,
    deliveries: Sequence[Delivery],
    categories: Categories,
) -> dict[date, Loaded]:
    """Load deliveries of several days together, none of which was loaded before: all of them, or none.

    Raises ``DeliveryError`` if a file is not what it says; then nothing is changed.
    """
    entries = store(warehouse, vault, door, table, _arrivals(deliveries), categories)
    days = [delivery.day for delivery in deliveries]
    return {day: _loaded([entry for entry in entries if entry["delivery_day"] == day]) for day in days}


def _arrivals(deliveries: Sequence[Delivery]) -> list[Arrival]:
    return [
        Arrival(part, delivery.day, part.source, delivery.day)
        for delivery in deliveries
        for part in delivery.parts
    ]


def _loaded(entries: list[Entry]) -> Loaded:
    unknown = sorted({name for entry in entries for name in entry["unknown_columns"]})
    extra = f"; unknown columns kept sealed: {unknown}" if unknown else ""
    return Loaded("loaded", _rows(entries), f"loaded {len(entries)} file(s){extra}")


def _rows(entries: list[Entry]) -> int:
    return sum(entry["rows"] for entry in entries)


ENTERS = "its rows enter with the run of the newest day, on that day."
REWRITE = "To rewrite the day: customer-profiles run --rebuild {}"


def load_late(
    warehouse: Session,
    vault: Session,
    door: Door,
    table: str,
    day: date,
    *,
    entries: pl.DataFrame,
    run: Mapping[date, str],
    released: Iterable[Arrival],
    categories: Categories,
) -> Loaded:
    """Let in on ``day`` what arrived since its own day was run: new rows of files of that day and before.

    ``entries`` is the table's whole ledger, ``run`` the days that were run with their fates. A day that was
    never run, or whose delivery was refused, is left to its own run. Rows that came in before, with any file
    of the same day, are counted and passed over. A file that cannot be read stops no other.
    """
    says, refused, stored = [], [], list[Entry]()
    for found in (*_late_parts(door, table, day, entries, run), *([each] for each in released)):
        if isinstance(found, str):
            refused.append(found)
            continue
        try:
            came = store(warehouse, vault, door, table, found, categories)
        except DeliveryError as error:
            refused.append(str(error))
            continue
        stored += came
        says.append(f"{_rows(came):,} new rows of {', '.join(arrival.part.source for arrival in found)}")
    gone = _gone(table, [*stored, *_cut_off(door, table, day, entries)])
    return Loaded("late" if says else "kept", _rows(stored), "; ".join(says), tuple(refused), gone)


def _cut_off(door: Door, table: str, day: date, entries: pl.DataFrame) -> list[Entry]:
    """The ledger's entries of last days that a file for all days held and holds no more, all rows ``gone``.

    First ones go from an export of the last weeks as a matter of course.
    """
    ends: dict[str, date] = {}
    with suppress(DeliveryError):  # told already
        for file_day in delivered_days(door.home, table):
            found = find_delivery(door.home, table, file_day)
            ends |= {part.source: file_day for part in found.parts if part.whole} if found else {}
    end = pl.col("file").replace_strict(ends, default=day, return_dtype=pl.Date)
    after = entries.filter(pl.col("file_day") > end, pl.col("file_day") <= day)
    return after.with_columns(gone_rows="rows").to_dicts()


def _gone(table: str, entries: list[Entry]) -> tuple[str, ...]:
    """What files that changed do not hold any more of the rows as loaded: nothing, or one sentence."""
    lost = [entry for entry in entries if entry["gone_rows"]]
    if not lost:
        return ()
    days, files = sorted({entry["file_day"] for entry in lost}), sorted({entry["file"] for entry in lost})
    rows, one_day = sum(entry["gone_rows"] for entry in lost), len(days) == 1
    when, day = (days[0], days[0]) if one_day else (f"{days[0]} to {days[-1]}", "DAY")
    what = files[0] if len(files) == 1 else f"{len(files)} files"
    return (
        f"{table} of {when}: {what} changed after loading: {rows:,} of the rows as loaded are not there any "
        f"more; they stay. {REWRITE.format(day)}",
    )


def _kept(delivery: Delivery | None, own: pl.DataFrame) -> Loaded:
    rows = int(own.filter(pl.col("delivery_day") == pl.col("file_day"))["rows"].sum())
    if delivery is None:
        return Loaded("kept", rows, "loaded before; its file is gone")
    if not _new_and_known(delivery.parts, own)[0]:
        return Loaded("kept", rows, "loaded before, unchanged")
    return Loaded(
        "changed",
        rows,
        f"the file changed after it was loaded: the rows as loaded are kept, and {ENTERS} "
        f"{REWRITE.format(delivery.day)}",
    )


def _new_parts(parts: Sequence[Part], entries: pl.DataFrame) -> list[Part]:
    """Those of a day's parts that no entry has as they are now.

    A file is told by size and time of writing, else by its hash. A query is told by its wording, else by its
    name: neither another wording, nor another place among its table's queries, nor the database makes
    another delivery of it.
    """
    worded = {part.digest() for part in parts if part.file is None} & set(entries["sha256"])
    named = entries.filter(~pl.col("sha256").is_in(worded))

    def is_new(part: Part) -> bool:
        if part.file is None:
            return part.digest() not in worded and part.source not in named["file"]
        states = entries.filter(file=part.source)
        if not states.height:
            return True
        return not states.filter(**state_of(part.file)).height and part.digest() not in states["sha256"]

    return [part for part in parts if is_new(part)]


def _new_and_known(parts: Sequence[Part], entries: pl.DataFrame) -> tuple[list[Part], pl.DataFrame]:
    """A day's new parts, and its entries, those of files that were renamed since under their new names.

    Logs are rotated by renaming: what was access.log is access.log.1, and another one has its name.
    """
    new = _new_parts(parts, entries)
    if not new or entries.is_empty():  # of years of days that are looked at, all but a few
        return new, entries
    stay = [part.source for part in parts if part not in new]
    names = {part.digest(): part.source for part in new if part.file}
    moved = pl.col("sha256").is_in(list(names)) & ~pl.col("file").is_in(stay)
    present = pl.col("sha256").replace(names)
    known = entries.with_columns(file=pl.when(moved).then(present).otherwise(pl.col("file")))
    return _new_parts(parts, known), known


def _late_parts(
    door: Door, table: str, day: date, entries: pl.DataFrame, run: Mapping[date, str]
) -> Iterator[list[Arrival] | str]:
    """Day by day, the parts that arrived late; a sentence for a day whose delivery nobody can tell."""
    try:
        days = delivered_days(door.home, table)
    except DeliveryError as error:
        yield str(error)
        return
    for file_day in days:
        if file_day > day or run.get(file_day, REFUSED) == REFUSED:
            continue
        own = entries.filter(file_day=file_day)
        try:
            delivery = find_delivery(door.home, table, file_day)
            new, known = _new_and_known(delivery.parts if delivery else (), own)
            late = [
                Arrival(_renamed(part, day, file_day, own), day, part.source, file_day, known) for part in new
            ]
        except DeliveryError as error:
            yield str(error)
        else:
            if late:
                yield late


def _renamed(part: Part, day: date, file_day: date, entries: pl.DataFrame) -> Part:
    """A part under a name that no other has on the ``day`` on which it arrives: every row has one place.

    Later states of a file lie beside earlier ones; late days of a file for all days, or of a query, beside
    each other. ``entries`` are those of ``file_day``.
    """
    if entries.filter(file=part.source).height:
        return part.renamed(f"{part.source}@{part.digest()[:VERSION_DIGITS]}")
    if part.of_all_days and file_day != day:
        return part.renamed(f"{part.source}@{file_day}")
    return part
