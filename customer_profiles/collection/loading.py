"""Loading deliveries: each once, on its day; what changed or came late, on the day on which it arrives.

A loaded delivery is history. Rows that a file gained after it was loaded, files that came after their day
was run, and rows released from quarantine enter on the newest day that is run. Vault first, then raw rows
and the ledger in one transaction: whoever is killed leaves a delivery loaded or not loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.collection.arrivals import Arrival
from customer_profiles.collection.door import Door, Received, receive_pieces
from customer_profiles.collection.ledger import REFUSED
from customer_profiles.collection.reading import Delivery, DeliveryError, Part, ReadFile
from customer_profiles.collection.sources.finding import delivered_days, find_delivery
from customer_profiles.collection.tables import DELIVERIES, PERSONAL, RAW, RELEASES
from customer_profiles.warehouse import Session

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Categories = Mapping[date, Mapping[str, str]]
"""For each day, product and category names with their categories: what tells the category of a search."""
NO_WORDS: Categories = {}
VERSION_DIGITS = 8
"""Leading digits of a file's hash that name a later state of it."""


@dataclass(frozen=True)
class Loaded:
    """What became of a day's delivery: ``fate`` is loaded, kept, changed, late or absent.

    ``rows`` came in with it; ``refused`` says which changed or late files could not be read.
    """

    fate: str
    rows: int = 0
    says: str = ""
    refused: tuple[str, ...] = ()


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
    entries = _store(warehouse, vault, door, table, arrivals, categories, forget=own)
    if delivery is None:
        return Loaded("absent", says="its file is gone: the day was emptied")
    return _loaded(entries)


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
    entries = _store(warehouse, vault, door, table, _arrivals(deliveries), categories)
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
    released: Iterable[Arrival] = (),
    categories: Categories = NO_WORDS,
) -> Loaded:
    """Let in on ``day`` what arrived since its own day was run: new rows of files of that day and before.

    ``entries`` is the table's whole ledger, ``run`` the days that were run with their fates. A day that was
    never run, or whose delivery was refused, is left to its own run. Rows that came in before, with any file
    of the same day, are counted and passed over. A file that cannot be read stops no other.
    """
    says, refused, rows = [], [], 0
    for found in (*_late_parts(door, table, day, entries, run), *([each] for each in released)):
        if isinstance(found, str):
            refused.append(found)
            continue
        try:
            came = _rows(_store(warehouse, vault, door, table, found, categories))
        except DeliveryError as error:
            refused.append(str(error))
            continue
        rows += came
        says.append(f"{came:,} new rows of {', '.join(arrival.part.source for arrival in found)}")
    return Loaded("late" if says else "kept", rows, "; ".join(says), tuple(refused))


def category_words(warehouse: Session, days: Sequence[date]) -> Categories:
    """For each of the ascending ``days``, the product and category names that were delivered by then."""
    rows = warehouse.read(RAW["products"], None, days[-1]).select("delivery_day", "name", "category")
    products = warehouse.collect(rows.drop_nulls().unique())
    words: dict[str, str] = {}
    by_day: dict[date, Mapping[str, str]] = {}
    delivered: date | None = None
    for day in days:
        since = pl.lit(True) if delivered is None else pl.col("delivery_day") > delivered
        new = products.filter(since, pl.col("delivery_day") <= day)
        words = words | _names(new.select("name", "category"))
        by_day[day], delivered = words, day
    return by_day


def _names(products: pl.DataFrame) -> dict[str, str]:
    names = dict(products.select("name", "category").sort("name", "category").iter_rows())
    return {category: category for category in names.values()} | names


def _kept(delivery: Delivery | None, own: pl.DataFrame) -> Loaded:
    rows = int(own.filter(pl.col("delivery_day") == pl.col("file_day"))["rows"].sum())
    if delivery is None:
        return Loaded("kept", rows, "loaded before; its file is gone")
    if not any(_is_new(part, own) for part in delivery.parts):
        return Loaded("kept", rows, "loaded before, unchanged")
    return Loaded(
        "changed",
        rows,
        f"the file changed after it was loaded: the rows as loaded are kept, and {ENTERS} "
        f"{REWRITE.format(delivery.day)}",
    )


def _is_new(part: Part, entries: pl.DataFrame) -> bool:
    """Whether no entry has the part as it is now: told by size and time of writing, else by its hash."""
    states = entries.filter(file=part.source)
    if not states.height:
        return True
    if part.file is not None and states.filter(**_state(part.file)).height:
        return False
    return part.digest() not in states["sha256"].to_list()


def _state(file: Path) -> dict[str, int | datetime]:
    now = file.stat()
    return {"bytes": now.st_size, "written_at": EPOCH + timedelta(microseconds=now.st_mtime_ns // 1000)}


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
            parts = delivery.parts if delivery else ()
            new = [part for part in parts if _is_new(part, own)]
            late = [Arrival(_renamed(part, own), day, part.source, file_day, own) for part in new]
        except DeliveryError as error:
            yield str(error)
        except OSError as error:
            yield f"{table} of {file_day}: {error.filename}: it cannot be read ({error.strerror})"
        else:
            if late:
                yield late


def _renamed(part: Part, entries: pl.DataFrame) -> Part:
    """A later state of a file under a name of its own, so that every row has one place."""
    if not entries.filter(source=part.source).height:
        return part
    source = f"{part.source}@{part.digest()[:VERSION_DIGITS]}"

    def read() -> Iterator[ReadFile]:
        for file in part.read():
            places = file.places.with_columns(source=pl.lit(source))
            yield replace(file, source=source, places=places)

    return replace(part, source=source, read=read)


def _store(
    warehouse: Session,
    vault: Session,
    door: Door,
    table: str,
    arrivals: Sequence[Arrival],
    categories: Categories,
    *,
    forget: pl.DataFrame | None = None,
) -> list[Entry]:
    """Store the rows of parts, piece by piece, in place of those that ``forget`` names: all, or nothing.

    Returns the ledger's entries of the parts.
    """
    arrived = {(arrival.day, arrival.part.source): arrival for arrival in arrivals}
    deliveries = [Delivery(table, arrival.day, (arrival.part,)) for arrival in arrivals]
    known = _known(warehouse, table, arrivals)
    entries: dict[tuple[date, str], Entry] = {}
    split = set[date]()
    with warehouse.transaction(), vault.transaction():  # the vault commits first
        for entry in forget.iter_rows(named=True) if forget is not None else ():
            place = {"delivery_day": entry["delivery_day"], "source": entry["source"]}
            warehouse.delete(RAW[table], place)
            for session, held in ((warehouse, DELIVERIES), (warehouse, RELEASES), (vault, PERSONAL)):
                session.delete(held, {**place, "table_name": table})
        for piece in receive_pieces(deliveries, door, categories):
            new = piece if known.is_empty() else _without(piece, known)
            found = _entries(table, piece, new, arrived)
            if new.personal.height:
                for day, source in found.keys() - entries.keys():  # left by one who was killed in between
                    vault.delete(PERSONAL, {"delivery_day": day, "table_name": table, "source": source})
                personal = new.personal.with_columns(table_name=pl.lit(table))
                vault.append(PERSONAL, personal.sort("delivery_day", *PERSONAL.order))
            warehouse.append(RAW[table], new.rows)
            split |= {day for day, _ in found} & {day for day, _ in entries}
            for part, entry in found.items():
                entries[part] = _added(entries[part], entry) if part in entries else entry
        if split:
            sources = sorted({source for _, source in arrived})
            within: dict[str, list[Any]] = {"delivery_day": sorted(split), "source": sources}
            warehouse.flag_repeats(RAW[table], within, ("delivery_day", "fingerprint"), "exact_copy")
        warehouse.append(DELIVERIES, pl.DataFrame(list(entries.values()), schema=DELIVERIES.schema))
    return list(entries.values())


def _known(warehouse: Session, table: str, arrivals: Sequence[Arrival]) -> pl.DataFrame:
    """The rows of each arrival that came in before: source, fingerprint."""
    return pl.concat(
        [
            pl.DataFrame(schema={"source": pl.String, "fingerprint": pl.UInt64}),
            *(
                _fingerprints(warehouse, table, arrival.known).select(
                    pl.lit(arrival.part.source).alias("source"), "fingerprint"
                )
                for arrival in arrivals
                if arrival.known.height
            ),
        ]
    )


def _fingerprints(warehouse: Session, table: str, entries: pl.DataFrame) -> pl.DataFrame:
    first, last = entries["delivery_day"].min(), entries["delivery_day"].max()
    rows = warehouse.read(RAW[table], first, last)  # type: ignore[arg-type]
    of_files = rows.filter(nw.col("source").is_in(entries["source"].to_list()))
    return warehouse.collect(of_files.select("fingerprint").drop_nulls().unique())


def _without(piece: Received, known: pl.DataFrame) -> Received:
    rows = piece.rows.join(known, on=["source", "fingerprint"], how="anti", maintain_order="left")
    personal = piece.personal.join(rows, on=["source", "row_number"], how="semi", maintain_order="left")
    return replace(piece, rows=rows, personal=personal)


ADDED = ("rows", "known_rows", "filtered", "bytes", "unknown_columns")
Entry = dict[str, Any]
"""What the ledger says of a part, and its ``unknown_columns``."""


def _entries(
    table: str, piece: Received, new: Received, arrived: Mapping[tuple[date, str], Arrival]
) -> dict[tuple[date, str], Entry]:
    """The ledger's entries of the parts in a piece, by day and source."""
    files: dict[tuple[date, str], Entry] = {}
    for file in piece.files.iter_rows(named=True):
        place = file["delivery_day"], file["source"]
        files[place] = _added(files[place], file) if place in files else file
    came = new.rows.group_by("delivery_day", "source").len()
    rows = dict.fromkeys(files, 0) | {(day, source): many for day, source, many in came.iter_rows()}
    return {
        place: {
            **file,
            "table_name": table,
            "rows": rows[place],
            "known_rows": file["rows"] - rows[place],
            "file": arrived[place].file,
            "file_day": arrived[place].file_day,
            "written_at": _written_at(arrived[place].part),
        }
        for place, file in files.items()
    }


def _written_at(part: Part) -> int | datetime | None:
    return _state(part.file)["written_at"] if part.file else None


def _added(before: Entry, piece: Entry) -> Entry:
    """A part's entry with one more piece of it."""
    return {
        **before,
        **{name: before[name] + piece[name] for name in ADDED if name in before},
        "filtered_by": _added_up([*before["filtered_by"], *piece["filtered_by"]]),
        "sha256": piece["sha256"],
    }


def _added_up(counts: list[str]) -> list[str]:
    """``rule: rows`` of several pieces, with a rule's rows added up."""
    rows: dict[str, int] = {}
    for rule, _, many in (count.rpartition(": ") for count in counts):
        rows[rule] = rows.get(rule, 0) + int(many)
    return [f"{rule}: {many}" for rule, many in rows.items()]
