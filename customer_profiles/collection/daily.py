"""A table's share of a run: its own deliveries day by day, then what arrived late, and what to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from customer_profiles.collection.door import Door
from customer_profiles.collection.ledger import ABSENT, LOADED, REFUSED, days_run, delivery_fates, ledger
from customer_profiles.collection.loading import Loaded, load_day, load_days, load_late
from customer_profiles.collection.reading import Delivery, DeliveryError
from customer_profiles.collection.releasing import waiting_releases
from customer_profiles.collection.searches import Categories, category_words
from customer_profiles.collection.sources.finding import find_delivery, lies_there
from customer_profiles.warehouse import Session, WarehouseError

DAYS_TOGETHER = 31
"""Days that are loaded in one transaction at most: a month."""
SMALL_BYTES = 64_000_000
"""Files of at most so many bytes together are loaded together."""
NOTHING_LATE = Loaded("kept")


@dataclass(frozen=True)
class BeforeRun:
    """What was known of a table before a run over ``days``: its ledger, and the days that were run."""

    table: str
    days: list[date]
    rebuild: bool
    entries: pl.DataFrame
    run: Mapping[date, str]
    """The days on which the table was looked for, with what became of its own delivery."""
    all_run: list[date]
    """The days of which any table was looked for."""
    alone: set[date] = field(default_factory=set)
    """Days that could not be loaded together with others."""

    @cached_property
    def later_days(self) -> list[date]:
        """Days after the run's that were run before it: their profiles were told from what it changes."""
        return [day for day in self.all_run if day > self.days[-1]]

    @cached_property
    def newest(self) -> date:
        """The newest day that was ever run, this run's among them."""
        return max([*self.all_run, self.days[-1]])


@dataclass(frozen=True)
class TableDay:
    """What a run made of a table's deliveries of one day. ``rows`` are those that the day holds after it."""

    fate: str
    rows: int
    says: str
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    run_again: tuple[date, ...] = ()
    gone: tuple[str, ...] = ()


def before_run(warehouse: Session, table: str, days: list[date], *, rebuild: bool) -> BeforeRun:
    """What is known of a table when a run begins."""
    entries, run = ledger(warehouse, table), delivery_fates(warehouse, table)
    loaded = dict.fromkeys(entries["file_day"].to_list(), LOADED)
    return BeforeRun(table, days, rebuild, entries, loaded | run, sorted({*days_run(warehouse), *loaded}))


def load_days_from(
    warehouse: Session, vault: Session, door: Door, before: BeforeRun, day: date
) -> dict[date, TableDay]:
    """Load a table's delivery of ``day``, and with it small ones of the days after it that were never run.

    What a transaction and the door cost beside the rows is paid once for all of them. If one of them is bad,
    each is loaded alone, so that it alone is refused.
    """
    together = _days_together(door, before, day)
    if len(together) > 1:
        days = [delivery.day for delivery in together]
        words = _words(warehouse, door, before.table, days)
        try:
            own = load_days(warehouse, vault, door, before.table, together, words)
        except (DeliveryError, WarehouseError):
            before.alone.update(days)
        else:
            return {day: _table_day(before, day, loaded) for day, loaded in own.items()}
    return {day: load_table_day(warehouse, vault, door, before, day)}


def _days_together(door: Door, before: BeforeRun, day: date) -> list[Delivery]:
    """Deliveries of ``day`` and the days after it that can be loaded together; empty if it has to go alone.

    Small files of days that were never run, but for the newest: what arrived late enters on that one.
    """
    known = {*before.entries["file_day"], *before.run, before.newest}
    deliveries: list[Delivery] = []
    sizes: dict[Path, int] = {}
    for each in before.days[before.days.index(day) :][:DAYS_TOGETHER]:
        if before.rebuild or each in known or each in before.alone:
            break
        try:
            delivery = find_delivery(door.home, before.table, each)
            files = [part.file for part in delivery.parts] if delivery else []
            sizes |= {file: file.stat().st_size for file in files if file}
        except (DeliveryError, OSError):
            break
        if delivery is None or None in files or sum(sizes.values()) > SMALL_BYTES:
            break
        deliveries.append(delivery)
    return deliveries


def load_table_day(warehouse: Session, vault: Session, door: Door, before: BeforeRun, day: date) -> TableDay:
    """Load a table's delivery of a day; on the newest day that was ever run, also what arrived late."""
    known = before.entries.filter((pl.col("delivery_day") == day) | (pl.col("file_day") == day))
    words = _words(warehouse, door, before.table, [day])
    refused: tuple[str, ...] = ()
    try:
        own = load_day(
            warehouse,
            vault,
            door,
            before.table,
            day,
            known=known,
            categories=words,
            rebuild=before.rebuild,
            run_without=before.run.get(day) == ABSENT and day < before.newest,
        )
    except DeliveryError as error:
        own, refused = Loaded("refused", says="its file was refused: zero rows"), (str(error),)
        if known.filter(delivery_day=day, file_day=day).height:
            own = Loaded("kept", says="its file was refused: the rows as loaded are kept")
    late = NOTHING_LATE
    if day == before.newest:
        late = _late(warehouse, vault, door, before, day, words)
    return _table_day(before, day, own, late, refused)


def _words(warehouse: Session, door: Door, table: str, days: Sequence[date]) -> Categories:
    """What searches of these days are told by; nothing for tables that have none."""
    return category_words(warehouse, days) if table == "events" and lies_there(door.home, table) else {}


def _table_day(
    before: BeforeRun, day: date, own: Loaded, late: Loaded = NOTHING_LATE, refused: tuple[str, ...] = ()
) -> TableDay:
    again = before.later_days if own.fate == "loaded" or own.gone else []
    return TableDay(
        fate={"absent": ABSENT, "late": ABSENT, "refused": REFUSED}.get(own.fate, LOADED),
        rows=_rows_before_late(before, day, own) + late.rows,
        says="; ".join(filter(None, (own.says, late.says))),
        refused=tuple(dict.fromkeys((*refused, *late.refused))),  # a file for all days is refused by both
        warnings=_warnings(before, day, own, again),
        run_again=tuple(again),
        gone=(*own.gone, *late.gone),
    )


def _rows_before_late(before: BeforeRun, day: date, own: Loaded) -> int:
    """The rows of a day without those that this run lets in late: other runs let in some on it, too."""
    there = before.entries.filter(delivery_day=day)
    if own.fate not in ("loaded", "absent"):
        return int(there["rows"].sum())
    return int(there.filter(pl.col("file_day") != day)["rows"].sum()) + own.rows


def _late(
    warehouse: Session,
    vault: Session,
    door: Door,
    before: BeforeRun,
    day: date,
    categories: Categories,
) -> Loaded:
    entries = ledger(warehouse, before.table)
    run = {**before.run} | dict.fromkeys(entries["file_day"].to_list(), LOADED)
    released = waiting_releases(warehouse, door, before.table, day, entries)
    return load_late(
        warehouse,
        vault,
        door,
        before.table,
        day,
        entries=entries,
        run=run,
        released=released,
        categories=categories,
    )


def _warnings(before: BeforeRun, day: date, own: Loaded, again: list[date]) -> tuple[str, ...]:
    says = []
    if own.fate in ("changed", "late") and day < before.newest:
        says.append(f"{before.table} of {day}: {own.says}")
    if again:
        says.append(
            f"{before.table} of {day} was loaded after later days were run; run these days again: "
            f"{again[0]} to {again[-1]}"
        )
    return tuple(says)
