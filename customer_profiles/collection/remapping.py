"""Rows of a source that ``sources.yaml`` maps, found in it again and mapped as it says now.

Not from their sealed originals: a mapping can look at a row's neighbours, to number the lines of an order.
Rows of a query that need none are: a database that is in use holds others by now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from customer_profiles.collection.door import Door, as_sealed
from customer_profiles.collection.reading import LINE, DeliveryError, Part, ReadFile
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.storing import state_of

ROW = ["row_number", "original"]
Held = Callable[[], pl.DataFrame]
"""A part's rows in quarantine: ``row_number``, and the ``original`` as the JSON that is sealed."""
Originals = Callable[[], Iterator[ReadFile]]
"""The rows that are asked for, as they were delivered."""


def remapped_rows(
    door: Door, table: str, entry: Mapping[str, Any], numbers: list[int], held: Held, originals: Originals
) -> Iterator[ReadFile]:
    """The rows of these numbers, of the part of which the ledger's ``entry`` tells.

    Of a file that stayed as it was they are read where they stood, of one day of a file for all days under
    whatever numbers they have now; if a mended mapping puts them on other days, in the whole file. Raises
    ``DeliveryError`` where nobody can tell which rows were meant.
    """
    part = _part_now(door, table, entry)
    same = part if part and part.digest() == entry["sha256"] else None
    if same and same.remap:
        yield from (replace(same.remap(file), filtered={}) for file in originals())
    elif same:
        yield from _of_the_same_part(same, table, entry, numbers, held)
    elif part and (whole := _whole(part, entry, numbers, held)):
        yield from (_chosen(file, numbers) for file in whole.read())
    else:
        raise DeliveryError(
            f"{_place(table, entry)}: it is gone or was changed, so its rows cannot be mapped again; put it "
            f"back as it was, or {_advice(entry)}"
        )


def _part_now(door: Door, table: str, entry: Mapping[str, Any]) -> Part | None:
    """The part by its content, else by its name: its file, and another one, may have other names by now."""
    delivery = find_delivery(door.home, table, entry["file_day"])
    parts = delivery.parts if delivery else ()
    same = [part for part in parts if part.digest() == entry["sha256"]]
    named = [part for part in same or parts if part.source == entry["file"]]
    found = named or same
    return found[0] if len(found) == 1 else None


def _of_the_same_part(
    part: Part, table: str, entry: Mapping[str, Any], numbers: list[int], held: Held
) -> Iterator[ReadFile]:
    if part.whole:
        numbers = _numbers_now(part, numbers, held())
    same = held() if part.file is None else None  # a query's digest tells its wording alone
    rows = 0
    for file in part.read():
        rows += file.places.height + sum(file.filtered.values())
        chosen = _chosen(file, numbers)
        if same is not None and _as_held(chosen).join(same, on=ROW, how="anti").height:
            raise DeliveryError(
                f"{_place(table, entry)}: the query gives other rows now, or in another order, so nobody can "
                f"tell which were meant; {_advice(entry)}"
            )
        yield chosen
    before = entry["rows"] + entry["known_rows"] + entry["filtered"]
    if rows != before:
        raise DeliveryError(
            f"{_place(table, entry)}: it had {before:,} rows when it was loaded and has {rows:,} as "
            f"sources.yaml reads it now, so nobody can tell which were meant; {_advice(entry)}"
        )


def _numbers_now(part: Part, numbers: list[int], held: pl.DataFrame) -> list[int]:
    """The numbers that rows of a file for all days have now; of what is alike, in the order of the file.

    Its rows of the day are as they were. What came or went before them moved them.
    """
    now = pl.concat(_as_held(file).join(held, on="original", how="semi") for file in part.read())
    asked = held.filter(pl.col("row_number").is_in(numbers))
    if now.join(asked, on=ROW, how="semi").height == asked.height:
        return numbers
    nth = pl.int_range(pl.len()).over("original")
    before, after = (rows.sort("row_number").with_columns(nth=nth) for rows in (held, now))
    moved = before.filter(pl.col("row_number").is_in(numbers)).join(after, on=["original", "nth"])
    return moved["row_number_right"].to_list()


def _whole(part: Part, entry: Mapping[str, Any], numbers: list[int], held: Held) -> Part | None:
    """The whole file of a part that is one day of it, if its rows of these numbers are still those held."""
    if part.whole is None or part.file is None:
        return None
    if any(entry[name] != value for name, value in state_of(part.file).items()):
        return None
    whole, asked = part.whole(), held().filter(pl.col("row_number").is_in(numbers))
    same = sum(_as_held(file).join(asked, on=ROW, how="semi").height for file in whole.read())
    return whole if same == asked.height else None


def _chosen(file: ReadFile, numbers: list[int]) -> ReadFile:
    chosen = file.places["row_number"].is_in(numbers)
    return replace(
        file,
        cells=file.cells.filter(chosen),
        places=file.places.filter(chosen),
        originals=None if file.originals is None else file.originals.filter(chosen),
        filtered={},
    )


def _as_held(file: ReadFile) -> pl.DataFrame:
    """The rows of a mapped file as those in quarantine are held."""
    originals = file.cells if file.originals is None else file.originals
    return file.places.select("row_number", original=as_sealed(originals, file.places[LINE]))


def _place(table: str, entry: Mapping[str, Any]) -> str:
    return f"{table} of {entry['file_day']}: {entry['file']}"


def _advice(entry: Mapping[str, Any]) -> str:
    return f"rewrite its day: customer-profiles run --rebuild {entry['file_day']}"
