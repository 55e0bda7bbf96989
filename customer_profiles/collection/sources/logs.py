"""Sources of kind ``log``: a log's lines as mapped rows of events. They are found as files are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from customer_profiles.collection.access_logs import (
    completed,
    events_of,
    read_access_log,
    read_application_log,
    read_extended_log,
)
from customer_profiles.collection.layouts import Ragged, Refuse
from customer_profiles.collection.log_rules import EVENT_COLUMNS, REQUEST_FIELDS
from customer_profiles.collection.reading import ReadFile, digest, left_alone, placed
from customer_profiles.collection.repeats import Repeats
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.mapping import Above, mapped_rows, maps_piece_by_piece, path_into
from customer_profiles.collection.sources.schema import LogSource

READERS = {"combined": read_access_log, "w3c": read_extended_log, "ndjson": read_application_log}
RULE, WORDS = "rule that leaves out", "line as it is written"
"""Columns of our own, beside those of an application's log, which may have any name."""
FIRST_OF_LIST = r'^\["((?:[^"\\]|\\.)*)".*\]$'
"""A header as servers write it that list all of a name, such as Caddy: ``["curl/8.5.0"]``."""


def read_log(
    source: LogSource, table: str, file: Path, name: str, home: Home, refuse: Refuse
) -> Iterator[tuple[ReadFile, pl.Series]]:
    """A log's lines as events, some at a time, and the rule that leaves each out: built in, or of ``drop``.

    Lines that are none stay as ragged rows. Where an expression looks at other rows than its own it gets all
    of them at once. Raises what ``refuse`` makes if the file cannot be read.
    """
    place, above = 0, Above()
    with left_alone(file, "a log", refuse) as state:
        sha256, pieces = digest(file, refuse), _pieces(source, file, home, refuse)
        for rows, ragged in pieces if maps_piece_by_piece(source) else iter([_together(list(pieces))]):
            cells, places = placed(rows, ragged, name, place)
            size = state.st_size if place == 0 else 0  # the sizes of its pieces add up to the file's
            place += places.height
            own = cells.drop(RULE, WORDS)
            read = ReadFile(own, places, name, size, sha256, of_objects=source.format == "ndjson")
            mapped, dropped = mapped_rows(source, table, read, above, home, refuse)
            used = {*_helpers(source), *source.fields.values()} - set(EVENT_COLUMNS)
            events = mapped.cells.select(name for name in mapped.cells.columns if name not in used)
            rules = pl.select(pl.coalesce(cells[RULE], dropped)).to_series()
            yield replace(mapped, cells=events, originals=cells.select(line=WORDS)), rules


def _pieces(
    source: LogSource, file: Path, home: Home, refuse: Refuse
) -> Iterator[tuple[pl.DataFrame, Ragged]]:
    """Of every line its own cells, its request, and the event that it becomes. One piece at least."""
    seen = Repeats()
    nothing = _nothing(source)
    empty = True
    for lines, cells, broken in READERS[source.format](file, home.longest_line, refuse):
        requests = _requests(source, cells)
        events, rules = events_of(lines, requests, source, seen)
        own = cells.drop(*_helpers(source), *events.columns, strict=False)
        words = pl.DataFrame({RULE: rules, WORDS: lines})
        parts = [own, requests.select(_helpers(source)), events, words]
        yield pl.concat([nothing, pl.concat(parts, how="horizontal")], how="diagonal"), broken
        empty = False
    if empty:
        yield nothing, []


def _nothing(source: LogSource) -> pl.DataFrame:
    columns = (*_helpers(source), *EVENT_COLUMNS, RULE, WORDS)
    return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))


def _together(pieces: list[tuple[pl.DataFrame, Ragged]]) -> tuple[pl.DataFrame, Ragged]:
    rows = pl.concat([rows for rows, _ in pieces], how="diagonal")
    return rows, [line for _, ragged in pieces for line in ragged]


def _helpers(source: LogSource) -> tuple[str, ...]:
    """What ``drop`` and ``columns`` may look at, and is not kept: it stands in the line."""
    if source.format != "ndjson":
        return REQUEST_FIELDS
    parts = ("path", "query") if "url" in source.fields else ()
    return tuple(dict.fromkeys((*source.fields, *parts)))


def _requests(source: LogSource, cells: pl.DataFrame) -> pl.DataFrame:
    """What each line tells of a request, and what it says of an event by itself."""
    if source.format != "ndjson":
        return cells
    paths = {name: path_into(path, cells.columns) for name, path in source.fields.items()}
    told = {
        name: cells.select(path).to_series().str.replace(FIRST_OF_LIST, "$1")
        for name, path in paths.items()
        if path is not None
    }
    said = [cells[name] for name in EVENT_COLUMNS if name in cells.columns]
    return completed(told, cells.height).with_columns(said)
