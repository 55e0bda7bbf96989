"""Quarantined rows that are let in again, once the mapping or the rule that kept them out is mended.

Whoever asks for a release names rows; they come through the same door with the next run of the newest day,
as rows of that day, under a source of their own. The row in quarantine stays what it was: history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.collection.arrivals import Arrival
from customer_profiles.collection.door import Door, as_sealed
from customer_profiles.collection.json_cells import json_text
from customer_profiles.collection.reading import LINE, DeliveryError, Part, ReadFile
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.storing import state_of
from customer_profiles.collection.tables import PLACE, RAW, RELEASES
from customer_profiles.privacy.sealing import place_of
from customer_profiles.warehouse import Session

ID_DIGITS = 8
RELEASED = "@released-"


def released_source(source: str, release: str) -> str:
    """The source under which released rows of ``source`` come in."""
    return f"{source}{RELEASED}{release}"


def ask_release(session: Session, table: str, rows: pl.DataFrame, now: datetime) -> int:
    """Note that quarantined ``rows`` (delivery_day, source, row_number) may come in. Returns how many.

    A row is released once; if it is still broken it stands in quarantine again, as a row of its new day.
    """
    asked = session.collect(session.read(RELEASES).filter(nw.col("table_name") == table))
    new = rows.join(asked, on=["delivery_day", *PLACE], how="anti")
    # of each day another one: the rows of a query are numbered day by day
    releases = {
        day: hashlib.sha256(f"{now.isoformat()} {day}".encode()).hexdigest()[:ID_DIGITS]
        for day in new["delivery_day"].unique()
    }
    notes = {"table_name": table, "released_at": now}
    with session.transaction():
        session.append(
            RELEASES,
            new.select("delivery_day", *PLACE)
            .with_columns(pl.lit(value).alias(name) for name, value in notes.items())
            .with_columns(release=pl.col("delivery_day").replace_strict(releases, return_dtype=pl.String))
            .select(*RELEASES.schema)
            .cast(dict(RELEASES.schema)),  # type: ignore[arg-type]
        )
    return new.height


def waiting_releases(
    session: Session, door: Door, table: str, today: date, entries: pl.DataFrame
) -> list[Arrival]:
    """The released rows that are to come in ``today``, a part for every source.

    ``entries``: the whole ledger.
    """
    asked = session.collect(session.read(RELEASES).filter(nw.col("table_name") == table))
    came = {(row["delivery_day"], row["source"]): row for row in entries.iter_rows(named=True)}
    # a query, and a file of all days, is called the same on each of its days
    of_days = {(row["file_day"], row["source"]): row for row in came.values()}
    names = set(entries["source"])
    waiting = []
    for (day, source, release), rows in asked.sort("row_number").group_by(
        "delivery_day", "source", "release", maintain_order=True
    ):
        name, entry = released_source(str(source), str(release)), came.get((day, source))
        if entry is None or name in names:
            continue
        of_file = of_days.get((entry["file_day"], str(source).partition(RELEASED)[0]))
        if of_file is None:
            continue
        numbers = rows["row_number"].to_list()
        read: Callable[[], Iterator[ReadFile]] = partial(
            _read, session, door, table, day, str(source), name, numbers
        )
        if table in door.home.tables:
            held = partial(_opened, session, door, table, day, str(source))
            read = partial(_read_mapped, door, table, of_file, name, numbers, held)
        part = Part(name, None, partial(_digest, read), read)
        waiting.append(Arrival(part, today, entry["file"], entry["file_day"]))
    return waiting


def _read(
    session: Session, door: Door, table: str, day: Any, source: str, name: str, numbers: list[int]
) -> Iterator[ReadFile]:
    """The originals of rows as they were delivered, opened for the door alone."""
    held = _opened(session, door, table, day, source, numbers)
    opened = [json.loads(original) for original in held["original"]]
    lines = [cells.get(LINE) if list(cells) == [LINE] else None for cells in opened]
    columns = sorted({column for cells in opened for column in cells} - ({LINE} if any(lines) else set()))
    yield ReadFile(
        cells=pl.DataFrame(
            {column: [json_text(cells.get(column)) for cells in opened] for column in columns},
            schema=dict.fromkeys(columns, pl.String),
        ),
        places=pl.DataFrame(
            {"source": [name] * held.height, "row_number": held["row_number"], LINE: lines},
            schema={"source": pl.String, "row_number": pl.Int64, LINE: pl.String},
        ),
        source=name,
        bytes=int(held["original"].str.len_bytes().sum()),
        sha256=hashlib.sha256("\n".join(held["original"]).encode()).hexdigest(),
    )


def _opened(
    session: Session, door: Door, table: str, day: Any, source: str, numbers: list[int] | None = None
) -> pl.DataFrame:
    """The originals of rows as JSON, beside their row numbers; by default of all that are broken."""
    rows = session.read(RAW[table], day, day).filter(
        nw.col("source") == source, ~nw.col("original_sealed").is_null()
    )
    if numbers is not None:
        rows = rows.filter(nw.col("row_number").is_in(numbers))
    held = session.collect(rows.select("row_number", "original_sealed").sort("row_number"))
    return held.select(
        "row_number",
        original=pl.Series(
            [
                door.seal.open(sealed, place_of(table, day, source, number, "original"))
                for number, sealed in held.iter_rows()
            ],
            dtype=pl.String,
        ),
    )


def _read_mapped(
    door: Door,
    table: str,
    entry: Mapping[str, Any],
    name: str,
    numbers: list[int],
    held: Callable[[], pl.DataFrame],
) -> Iterator[ReadFile]:
    """The same rows of a file that ``sources.yaml`` maps, read and mapped again; ``entry`` is the file's own.

    Not from their originals, ``held``: a mapping can look at a row's neighbours, to number the lines of an
    order. Of a query, whose digest tells its wording alone, they must be the same still; of a file for all
    days the same originals are looked for, under whatever numbers they have now, or, if a mended mapping
    tells other days of its rows, on whatever day.
    """
    delivery = find_delivery(door.home, table, entry["file_day"])
    parts = delivery.parts if delivery else ()
    part = next((part for part in parts if part.source == entry["file"]), None)
    if part is None:  # its file may have another name by now
        alike = [part for part in parts if part.digest() == entry["sha256"]]
        part = alike[0] if len(alike) == 1 else None
    same = part is not None and part.digest() == entry["sha256"]
    whole = None if same else _whole(part, entry, held, numbers)
    if part is None or not (same or whole):
        raise DeliveryError(
            f"{table} of {entry['file_day']}: {entry['file']}: it is gone or was changed, so its rows cannot "
            f"be mapped again; put it back as it was, or rewrite its day: customer-profiles run --rebuild "
            f"{entry['file_day']}"
        )
    if whole:
        yield from (_chosen(file, name, numbers) for file in whole.read())
        return
    asked = held() if part.file is None else None
    if part.whole:
        numbers = _numbers_now(part, held(), numbers)
    rows = 0
    for file in part.read():
        rows += file.places.height + sum(file.filtered.values())
        released = _chosen(file, name, numbers)
        if asked is not None:
            found = _as_held(released)
            if not found.equals(asked.filter(pl.col("row_number").is_in(found["row_number"].to_list()))):
                raise DeliveryError(
                    f"{table} of {entry['file_day']}: {entry['file']}: the query gives other rows now, or in "
                    f"another order, so nobody can tell which were meant; rewrite its day: customer-profiles "
                    f"run --rebuild {entry['file_day']}"
                )
        yield released
    before = entry["rows"] + entry["known_rows"] + entry["filtered"]
    if rows != before:
        raise DeliveryError(
            f"{table} of {entry['file_day']}: {entry['file']}: it had {before:,} rows when it was loaded and "
            f"has {rows:,} as sources.yaml reads it now, so nobody can tell which were meant; rewrite its "
            f"day: customer-profiles run --rebuild {entry['file_day']}"
        )


def _chosen(file: ReadFile, name: str, numbers: list[int]) -> ReadFile:
    chosen = file.places["row_number"].is_in(numbers)
    return replace(
        file,
        cells=file.cells.filter(chosen),
        places=file.places.filter(chosen).with_columns(source=pl.lit(name)),
        originals=None if file.originals is None else file.originals.filter(chosen),
        source=name,
        filtered={},
    )


def _whole(
    part: Part | None, entry: Mapping[str, Any], held: Callable[[], pl.DataFrame], numbers: list[int]
) -> Part | None:
    """The whole file of a part that is one day of it, if its rows of these numbers are still those held."""
    if part is None or part.whole is None or part.file is None:
        return None
    if any(entry[name] != value for name, value in state_of(part.file).items()):
        return None
    whole, asked = part.whole(), held().filter(pl.col("row_number").is_in(numbers))
    same = (_as_held(file).join(asked, on=["row_number", "original"], how="semi") for file in whole.read())
    return whole if sum(rows.height for rows in same) == asked.height else None


def _as_held(file: ReadFile) -> pl.DataFrame:
    """The rows of a mapped file as ``_opened`` has those in quarantine."""
    originals = file.cells if file.originals is None else file.originals
    return file.places.select("row_number", original=as_sealed(originals, file.places[LINE]))


def _numbers_now(part: Part, held: pl.DataFrame, numbers: list[int]) -> list[int]:
    """The numbers that rows of a file for all days have now; of what is alike, in the order of the file.

    Its rows of the day are as they were. What came or went before them moved them.
    """
    now = pl.concat(_as_held(file).join(held, on="original", how="semi") for file in part.read())
    asked = held.filter(pl.col("row_number").is_in(numbers))
    if now.join(asked, on=["row_number", "original"], how="semi").height == asked.height:
        return numbers
    nth = pl.int_range(pl.len()).over("original")
    before, after = (rows.sort("row_number").with_columns(nth=nth) for rows in (held, now))
    moved = before.filter(pl.col("row_number").is_in(numbers)).join(after, on=["original", "nth"])
    return moved["row_number_right"].to_list()


def _digest(read: Callable[[], Iterator[ReadFile]]) -> str:
    return next(read()).sha256
