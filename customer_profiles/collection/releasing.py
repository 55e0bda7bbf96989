"""Quarantined rows that are let in again, once the mapping or the rule that kept them out is mended.

Whoever asks for a release names rows; they come through the same door with the next run of the newest day,
as rows of that day, under a source of their own. The row in quarantine stays what it was: history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.collection.arrivals import Arrival
from customer_profiles.collection.door import Door
from customer_profiles.collection.json_cells import json_text
from customer_profiles.collection.reading import LINE, Part, ReadFile
from customer_profiles.collection.remapping import Originals, remapped_rows
from customer_profiles.collection.tables import RAW, RELEASES
from customer_profiles.contracts.stored import ROW_PLACE
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
    new = rows.join(asked, on=ROW_PLACE, how="anti")
    # of each day another one: the rows of a query are numbered day by day
    releases = {
        day: hashlib.sha256(f"{now.isoformat()} {day}".encode()).hexdigest()[:ID_DIGITS]
        for day in new["delivery_day"].unique()
    }
    notes = {"table_name": table, "released_at": now}
    with session.transaction():
        session.append(
            RELEASES,
            new.select(ROW_PLACE)
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
        held = partial(_opened, session, door, table, day, str(source))
        read: Originals = partial(_as_delivered, str(source), numbers, held)
        if table in door.home.tables:
            read = partial(remapped_rows, door, table, of_file, numbers, held, read)
        part = Part(str(source), None, partial(_digest, read), read).renamed(name)
        waiting.append(Arrival(part, today, entry["file"], entry["file_day"]))
    return waiting


def _as_delivered(source: str, numbers: list[int], held: Callable[[], pl.DataFrame]) -> Iterator[ReadFile]:
    """The originals of rows as they were delivered, opened for the door alone."""
    asked = held().filter(pl.col("row_number").is_in(numbers))
    opened = [json.loads(original) for original in asked["original"]]
    lines = [cells.get(LINE) if list(cells) == [LINE] else None for cells in opened]
    columns = sorted({column for cells in opened for column in cells} - ({LINE} if any(lines) else set()))
    yield ReadFile(
        cells=pl.DataFrame(
            {column: [json_text(cells.get(column)) for cells in opened] for column in columns},
            schema=dict.fromkeys(columns, pl.String),
        ),
        places=pl.DataFrame(
            {"source": [source] * asked.height, "row_number": asked["row_number"], LINE: lines},
            schema={"source": pl.String, "row_number": pl.Int64, LINE: pl.String},
        ),
        source=source,
        bytes=int(asked["original"].str.len_bytes().sum()),
        sha256=hashlib.sha256("\n".join(asked["original"]).encode()).hexdigest(),
    )


def _opened(session: Session, door: Door, table: str, day: Any, source: str) -> pl.DataFrame:
    """The rows of a source that are in quarantine: ``row_number``, and the ``original`` as JSON."""
    rows = session.read(RAW[table], day, day).filter(
        nw.col("source") == source, ~nw.col("original_sealed").is_null()
    )
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


def _digest(read: Originals) -> str:
    return next(read()).sha256
