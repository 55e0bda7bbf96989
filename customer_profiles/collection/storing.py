"""Storing the rows of arrivals with what the ledger says of them: all, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.collection.arrivals import Arrival
from customer_profiles.collection.door import Door, Received, receive_pieces
from customer_profiles.collection.reading import Delivery, Part
from customer_profiles.collection.searches import Categories
from customer_profiles.collection.sources.deliveries import size_and_time
from customer_profiles.collection.tables import DELIVERIES, PERSONAL, RAW, RELEASES
from customer_profiles.warehouse import Session

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ADDED = ("rows", "known_rows", "filtered", "bytes", "unknown_columns")
Entry = dict[str, Any]
"""What the ledger says of a part, and its ``unknown_columns``."""


def store(
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
    gone = known.filter("sound_here").unique()
    entries: dict[tuple[date, str], Entry] = {}
    cleared = set[tuple[date, str]]()
    with warehouse.transaction(), vault.transaction():  # the vault commits first
        for entry in forget.iter_rows(named=True) if forget is not None else ():
            place = {"delivery_day": entry["delivery_day"], "source": entry["source"]}
            warehouse.delete(RAW[table], place)
            for session, held in ((warehouse, DELIVERIES), (warehouse, RELEASES), (vault, PERSONAL)):
                session.delete(held, {**place, "table_name": table})
        for piece in receive_pieces(deliveries, door, categories):
            new = piece if known.is_empty() else _without(piece, known)
            if gone.height:
                gone = gone.join(piece.rows, on=["source", "fingerprint"], how="anti")
            found = _entries(table, piece, new, arrived)
            if new.personal.height:
                for day, source in found.keys() - cleared:  # left by one who was killed in between
                    vault.delete(PERSONAL, {"delivery_day": day, "table_name": table, "source": source})
                cleared |= found.keys()
                vault.append(PERSONAL, new.personal.sort("delivery_day", *PERSONAL.order))
            warehouse.append(RAW[table], new.rows)
            for part, entry in found.items():
                entries[part] = _added(entries[part], entry) if part in entries else entry
        missing = dict(gone.group_by("source").len().iter_rows())
        told = [{**entry, "gone_rows": missing.get(entry["source"], 0)} for entry in entries.values()]
        stored = pl.DataFrame(told, schema=DELIVERIES.schema)
        warehouse.append(DELIVERIES, stored.with_columns(loaded_at=datetime.now(UTC)))
    return told


def _known(warehouse: Session, table: str, arrivals: Sequence[Arrival]) -> pl.DataFrame:
    """The rows of each arrival that came in before: source, fingerprint, sound_here."""
    return pl.concat(
        [
            pl.DataFrame(schema={"source": pl.String, "fingerprint": pl.UInt64, "sound_here": pl.Boolean}),
            *(
                _fingerprints(warehouse, table, arrival).select(
                    pl.lit(arrival.part.source).alias("source"), "fingerprint", "sound_here"
                )
                for arrival in arrivals
                if arrival.known.height
            ),
        ]
    )


def _fingerprints(warehouse: Session, table: str, arrival: Arrival) -> pl.DataFrame:
    entries = arrival.known
    first, last = entries["delivery_day"].min(), entries["delivery_day"].max()
    rows = warehouse.read(RAW[table], first, last)  # type: ignore[arg-type]
    of_files = rows.filter(nw.col("source").is_in(entries["source"].to_list()))
    states = entries.filter(file=arrival.file)["source"].to_list()
    sound = nw.col("source").is_in(states) & (nw.col("broken_rules").list.len() == 0)
    return warehouse.collect(of_files.select("fingerprint", sound_here=sound).drop_nulls().unique())


def _without(piece: Received, known: pl.DataFrame) -> Received:
    rows = piece.rows.join(known, on=["source", "fingerprint"], how="anti", maintain_order="left")
    personal = piece.personal.join(rows, on=["source", "row_number"], how="semi", maintain_order="left")
    return replace(piece, rows=rows, personal=personal)


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
    return state_of(part.file)["written_at"] if part.file else None


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


def state_of(file: Path) -> dict[str, int | datetime]:
    """Size and time of writing, as the ledger has them: another state is another content."""
    size, written = size_and_time(file)
    return {"bytes": size, "written_at": EPOCH + timedelta(microseconds=written // 1000)}
