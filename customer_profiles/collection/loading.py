"""Loading deliveries: each once, on its day; what changed or came late, on the day on which it arrives.

A loaded delivery is history. Rows that a file gained after it was loaded, files that came after their day
was run, and rows released from quarantine enter on the newest day that is run. Vault first, then raw rows
and the ledger in one transaction: whoever is killed leaves a delivery loaded or not loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.collection.arrivals import Arrival
from customer_profiles.collection.door import Door, Received, receive, receive_pieces
from customer_profiles.collection.ledger import REFUSED
from customer_profiles.collection.reading import Delivery, DeliveryError, Part, ReadFile
from customer_profiles.collection.sources.finding import delivered_days, find_delivery
from customer_profiles.collection.tables import DELIVERIES, PERSONAL, RAW, RELEASES
from customer_profiles.warehouse import Session

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    categories: Mapping[str, str] | None = None,
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
    arrivals = [Arrival(part, part.source, day) for part in delivery.parts] if delivery else []
    rows, unknown = _store(warehouse, vault, door, table, day, arrivals, categories, forget=own)
    if delivery is None:
        return Loaded("absent", says="its file is gone: the day was emptied")
    extra = f"; unknown columns kept sealed: {unknown}" if unknown else ""
    return Loaded("loaded", rows, f"loaded {len(arrivals)} file(s){extra}")


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
    categories: Mapping[str, str] | None = None,
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
            came, _ = _store(warehouse, vault, door, table, day, found, categories)
        except DeliveryError as error:
            refused.append(str(error))
            continue
        rows += came
        says.append(f"{came:,} new rows of {', '.join(arrival.part.source for arrival in found)}")
    return Loaded("late" if says else "kept", rows, "; ".join(says), tuple(refused))


def category_words(warehouse: Session, door: Door, days: list[date]) -> Iterator[dict[str, str]]:
    """For each of the ascending ``days``, the product and category names known by then.

    Names of these days are read from the products' own deliveries, since ``raw/products`` may load
    them at the same time; a products file that cannot be read is left to the asset that reports it.
    """
    words: dict[str, str] = {}
    if days:
        before = warehouse.read(RAW["products"]).filter(nw.col("delivery_day") < days[0])
        words |= _names(warehouse.collect(before.select("name", "category").drop_nulls().unique()))
    for day in days:
        try:
            delivery = find_delivery(door.home, "products", day)
            if delivery is not None:
                rows = receive(delivery, door).rows
                words |= _names(rows.select("name", "category").drop_nulls())
        except DeliveryError:
            pass
        yield dict(words)


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
            late = [Arrival(_renamed(part, own), part.source, file_day, own) for part in new]
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
    day: date,
    arrivals: list[Arrival],
    categories: Mapping[str, str] | None,
    *,
    forget: pl.DataFrame | None = None,
) -> tuple[int, list[str]]:
    """Store the rows of parts on a day, piece by piece, in place of those that ``forget`` names.

    Returns the number of rows that came in, and the columns that the contract does not know.
    """
    files, unknown = [], set[str]()
    pieces = 0
    with warehouse.transaction(), vault.transaction():  # the vault commits first
        for entry in forget.iter_rows(named=True) if forget is not None else ():
            place = {"delivery_day": entry["delivery_day"], "source": entry["source"]}
            warehouse.delete(RAW[table], place)
            for session, held in ((warehouse, DELIVERIES), (warehouse, RELEASES), (vault, PERSONAL)):
                session.delete(held, {**place, "table_name": table})
        for arrival in arrivals:
            source = {"delivery_day": day, "table_name": table, "source": arrival.part.source}
            before, known = None, _fingerprints(warehouse, table, arrival.known)
            for piece in receive_pieces(Delivery(table, day, (arrival.part,)), door, categories):
                new = piece if known.is_empty() else _without(piece, known)
                if new.personal.height:
                    if before is None:
                        vault.delete(PERSONAL, source)  # left by one who was killed in between
                    columns = (pl.lit(day).alias("delivery_day"), pl.lit(table).alias("table_name"))
                    vault.append(PERSONAL, new.personal.with_columns(*columns).sort(*PERSONAL.order))
                warehouse.append(RAW[table], new.rows)
                before = _entry(arrival, table, day, piece, new, before)
                unknown |= set(piece.unknown_columns)
                pieces += 1
            if before is not None:
                files.append(before)
        if pieces > 1:
            sources = [arrival.part.source for arrival in arrivals]
            within: dict[str, list[Any]] = {"delivery_day": [day], "source": sources}
            warehouse.flag_repeats(RAW[table], within, "fingerprint", "exact_copy")
        entries = pl.DataFrame(files, schema=DELIVERIES.schema)
        warehouse.append(DELIVERIES, entries)
    return int(entries["rows"].sum()), sorted(unknown)


def _fingerprints(warehouse: Session, table: str, entries: pl.DataFrame) -> pl.Series:
    if entries.is_empty():
        return pl.Series(dtype=pl.UInt64)
    first, last = entries["delivery_day"].min(), entries["delivery_day"].max()
    rows = warehouse.read(RAW[table], first, last)  # type: ignore[arg-type]
    of_files = rows.filter(nw.col("source").is_in(entries["source"].to_list()))
    return warehouse.collect(of_files.select("fingerprint").unique())["fingerprint"].drop_nulls()


def _without(piece: Received, known: pl.Series) -> Received:
    rows = piece.rows.filter(~pl.col("fingerprint").is_in(known.implode()))
    personal = piece.personal.join(rows, on=["source", "row_number"], how="semi")
    return replace(piece, rows=rows, personal=personal)


def _entry(
    arrival: Arrival, table: str, day: date, piece: Received, new: Received, before: dict[str, Any] | None
) -> dict[str, Any]:
    """The ledger's entry of a part, with this piece of it."""
    (file,) = piece.files.to_dicts()
    counts = {"rows": new.rows.height, "known_rows": piece.rows.height - new.rows.height}
    counts["filtered"] = file["filtered"] or 0
    if before is not None:
        rules = _added_up([*before["filtered_by"], *file["filtered_by"]])
        counts["bytes"] = file["bytes"]
        added = {name: before[name] + more for name, more in counts.items()}
        return before | added | {"filtered_by": rules, "sha256": file["sha256"]}
    return {
        **file,
        **counts,
        "delivery_day": day,
        "table_name": table,
        "file": arrival.file,
        "file_day": arrival.file_day,
        "written_at": _state(arrival.part.file)["written_at"] if arrival.part.file else None,
    }


def _added_up(counts: list[str]) -> list[str]:
    """``rule: rows`` of several pieces, with a rule's rows added up."""
    rows: dict[str, int] = {}
    for rule, _, many in (count.rpartition(": ") for count in counts):
        rows[rule] = rows.get(rule, 0) + int(many)
    return [f"{rule}: {many}" for rule, many in rows.items()]
