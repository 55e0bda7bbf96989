"""The rows of a file, mapped: what a row is, what stands beside it, and which columns a table makes of it.

A list within a row can become rows, merged cells are filled, and the columns of other files are joined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from customer_profiles.collection.formats import READERS, UNREAD, format_of
from customer_profiles.collection.json_cells import json_text
from customer_profiles.collection.layouts import Layout, Refuse
from customer_profiles.collection.parsing import as_texts
from customer_profiles.collection.reading import LINE, ReadFile, read_file, read_pieces, refusal
from customer_profiles.collection.refusals import what_it_has
from customer_profiles.collection.sources.cells import bare
from customer_profiles.collection.sources.deliveries import name_of
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.logs import read_log
from customer_profiles.collection.sources.mapping import (
    Above,
    computed,
    dropped_by,
    followed,
    mapped_rows,
    maps_piece_by_piece,
    path_into,
    used_columns,
    with_nested_retold,
)
from customer_profiles.collection.sources.places import matches, on_day, tells_days
from customer_profiles.collection.sources.schema import FilesSource, Join, LogSource
from customer_profiles.contracts.stored import delivered_columns

Found = FilesSource | LogSource
"""Sources that are found by a glob."""
KEY = "joined on "
"""Begins the names of a joined file's keys while it is joined: no column of a file is called so."""

ENTRY_PLACE = ".#"
"""Ends the path of an entry's place in its list, from 1."""


def layout_of(source: FilesSource, file: Path, home: Home) -> Layout | None:
    """How a file is laid out; None if neither the source nor the file's name tells."""
    told: str | None = source.format or ("fixed" if source.fixed else None)
    form = told or format_of(file.name)
    if form is None:
        return None
    return Layout(
        form,
        home.longest_line,
        encoding=source.encoding,
        delimiter=source.delimiter,
        quote=source.quote,
        escape=source.escape,
        header=source.header,
        skip_lines=source.skip_lines,
        fixed=source.fixed,
        sheets=source.sheets,
        decimal=source.decimal,
    )


Mapped = tuple[ReadFile, pl.Series]
"""Rows, mapped, and which of them a rule leaves out."""


def mapped_pieces(source: Found, table: str, day: date | str, file: Path, home: Home) -> Iterator[Mapped]:
    """A file's rows, mapped: a large one piece by piece, unless an expression looks at other rows.

    Files that are joined to it are held in memory.
    """
    source, name = _on_its_day(source, day), name_of(file, home)
    refuse = refusal(table, day, name)
    with suppress(PermissionError):  # who opens it says that this user may not
        if not file.is_file():
            raise refuse("it is no file that can be read (a folder, or a broken link); correct `path`")
    if isinstance(source, LogSource):
        yield from read_log(source, table, file, name, home, refuse)
        return
    layout = layout_of(source, file, home)
    if layout is None:
        raise refuse(f"its name does not tell its format; say `format` in sources.yaml: {', '.join(READERS)}")
    beside = [
        rows_beside(source, join, table, day, home).unique(list(join.on.values()), keep="last")
        for join in source.join
    ]
    read = read_pieces if maps_piece_by_piece(source) else _at_once
    before, above = 0, Above()
    for piece in read(file, name, layout, refuse):
        rows = _in_rows_of(source, table, piece, before, refuse)
        before += rows.places.height
        own = _filled_down(source, table, as_texts(rows.cells), above, refuse)
        cells = _with_its_path(source.path_column, own, name, refuse)
        for join, others in zip(source.join, beside, strict=True):
            cells = _joined(cells, join, others, refusal(table, day, join.path))
        joined = set(cells.columns) - set(own.columns)
        yield mapped_rows(source, table, replace(rows, cells=cells), above, home, refuse, joined)


def _on_its_day(source: Found, day: date | str) -> Found:
    """The source as it is meant for a file of a day: constants and expressions may name it."""
    told = {}
    for name, column in source.columns_of_a_day().items():
        said = {"constant": column.constant, "expression": column.expression}
        update = {how: on_day(words, day) for how, words in said.items() if words is not None}
        told[name] = column.model_copy(update=update)
    return source.model_copy(update={"columns": {**source.columns, **told}})


def _at_once(file: Path, name: str, layout: Layout, refuse: Refuse) -> Iterator[ReadFile]:
    yield read_file(file, name, layout, refuse)


def rows_beside(source: FilesSource, join: Join, table: str, day: date | str, home: Home) -> pl.DataFrame:
    """The rows of the files that a join names, but for those that a rule of it leaves out.

    Where several hold what it joins ``on``, the last one is joined.
    """
    path = on_day(join.path, day)
    refuse = refusal(table, day, path)
    files = matches(path, home.folder)
    if not files:
        raise refuse("it is joined, but there is no such file; correct `path` of `join`")
    said = {key: getattr(join, key) for key in join.model_fields_set & set(FilesSource.model_fields)}
    # a CSV file can stand beside a fixed-width one
    own: dict[str, Any] = {"format": None, "fixed": {}} if format_of(path) else {}
    laid_out = source.model_copy(update=own | said)
    frames = []
    for file in files:
        layout = layout_of(laid_out, file, home)
        if layout is None:
            raise refuse("its name does not tell its format; say `format` of `join`")
        frames.append(as_texts(read_file(file, name_of(file, home), layout, refuse).cells))
    others = pl.concat(frames, how="diagonal")
    others = others.with_columns(_keys(others, list(join.on.values()), "it has", refuse))
    return _left_in(join, others, refuse)


def _keys(cells: pl.DataFrame, names: Sequence[str], who_has: str, refuse: Refuse) -> list[pl.Series]:
    """What rows are joined on: columns, paths into them, or what an expression makes of these."""
    keys = {name: _key(name, cells, refuse) for name in names}
    if missing := [name for name, key in keys.items() if key is None]:
        raise refuse(
            f"it cannot be joined on {missing}: {who_has} no such columns, and that is no Polars-SQL over "
            f"those that are there; correct `on`"
        )
    return [key.alias(name) for name, key in keys.items() if key is not None]


def _key(name: str, cells: pl.DataFrame, refuse: Refuse) -> pl.Series | None:
    """The cells of that name, or of that expression; None if it is neither."""
    if (held := _held(name, cells, refuse)) is not None:
        return held
    try:
        roots = pl.sql_expr(name).meta.root_names()
    except UNREAD:
        return None
    told = [(root, _held(root, cells, refuse)) for root in roots]
    columns = [column.alias(root) for root, column in told if column is not None]
    if not columns or len(columns) < len(roots):
        return None
    return bare(computed(name, "`on`", pl.DataFrame(columns), refuse).cast(pl.String))


def _held(name: str, cells: pl.DataFrame, refuse: Refuse) -> pl.Series | None:
    """The cells of that name, or what lies at that path; None if there is neither."""
    path = path_into(name, cells.columns)
    if path is None:
        return None
    return bare(followed(name, path, with_nested_retold(cells, [name], "."), refuse))


def _left_in(join: Join, others: pl.DataFrame, refuse: Refuse) -> pl.DataFrame:
    """The rows of joined files that no rule of the join leaves out."""
    ruled = {name for rule in join.drop.values() for name in pl.sql_expr(rule).meta.root_names()}
    if missing := sorted(ruled - set(others.columns)):
        raise refuse(f"`drop` of `join` looks at {missing}, but it has {others.columns}; correct the rule")
    no_lines = pl.Series(LINE, [None], dtype=pl.String).new_from_index(0, others.height)
    return others.filter(dropped_by(join.drop, others, no_lines, refuse).is_null())


def joined_files(home: Home, table: str, day: date) -> list[Path]:
    """The files of a day that a table's sources join to its deliveries."""
    joins = (join for source in home.tables.get(table, ()) if source.kind == "files" for join in source.join)
    return [
        file
        for join in joins
        if tells_days(join.path)
        for file in matches(on_day(join.path, day), home.folder)
    ]


def _joined(cells: pl.DataFrame, join: Join, others: pl.DataFrame, refuse: Refuse) -> pl.DataFrame:
    """The rows with the columns of another file; without a prefix, a column of their own stays.

    One that names nothing is joined to none: else whoever is not known would be the first who is not named.
    """
    mine = _keys(cells, list(join.on), "the rows have", refuse)
    named = {name: join.prefix + name for name in others.columns}
    keys = list(join.on.values())
    new = [name for name in named if name not in keys or join.prefix]
    fresh = [name for name in new if named[name] not in cells.columns]
    joined_on = [f"{KEY}{number}" for number in range(len(keys))]
    told = ~pl.all_horizontal(pl.col(name).fill_null("") == "" for name in keys)
    last = others.filter(told).select(
        *(pl.col(name).fill_null("").alias(key) for key, name in zip(joined_on, keys, strict=True)),
        *(pl.col(name).alias(named[name]) for name in fresh),
    )
    own = cells.with_columns(cell.fill_null("").alias(key) for key, cell in zip(joined_on, mine, strict=True))
    return own.join(last, on=joined_on, how="left", maintain_order="left").drop(joined_on)


def _with_its_path(column: str | None, cells: pl.DataFrame, path: str, refuse: Refuse) -> pl.DataFrame:
    if column is None:
        return cells
    if column in cells.columns:
        raise refuse(f"it has a column {column!r} of its own; correct `path_column`")
    return cells.with_columns(pl.lit(path).alias(column))


def _in_rows_of(source: FilesSource, table: str, read: ReadFile, before: int, refuse: Refuse) -> ReadFile:
    """Every entry of the lists that ``rows_of`` names as a row, after ``before`` others of the file.

    A row without entries stays one, so that nothing is lost.
    """
    if not source.rows_of:
        return read
    for name in source.rows_of:
        read = _in_entries(name, source, table, read, refuse)
    return replace(read, places=read.places.with_columns(row_number=pl.int_range(1, pl.len() + 1) + before))


def _in_entries(name: str, source: FilesSource, table: str, read: ReadFile, refuse: Refuse) -> ReadFile:
    """Every entry of a list as a row, the entry under the list's name; beside it its place, if it is used."""
    path = path_into(name, read.cells.columns)
    if path is None and read.of_objects:
        return read
    if path is None:
        raise refuse(f"rows_of names {name!r}, but {_has(read.cells, source, table)}; correct `rows_of`")
    held = with_nested_retold(read.cells, [name], source.decimal).select(path).to_series()
    if held.null_count() == held.len() and (outer := _list_around(name, read.cells)):
        raise refuse(f"rows_of names {name!r}, which lies within a list; write `rows_of: [{outer}, {name}]`")
    entries = [_entries(cell) for cell in held]
    rows = pl.Series([row for row, some in enumerate(entries) for _ in some], dtype=pl.UInt32)
    entry = pl.Series(name, [cell for some in entries for cell in some], dtype=pl.String)
    cells = read.cells[rows].with_columns(entry)
    if f"{name}{ENTRY_PLACE}" in used_columns(source):
        places = [str(place) for some in entries for place in range(1, len(some) + 1)]
        cells = cells.with_columns(pl.Series(f"{name}{ENTRY_PLACE}", places, dtype=pl.String))
    return replace(read, cells=cells, places=read.places[rows])


def _list_around(name: str, cells: pl.DataFrame) -> str | None:
    """The first part of a path that is a list itself."""
    ends = [place for place, sign in enumerate(name) if sign == "."]
    outer = ((name[:end], path_into(name[:end], cells.columns)) for end in ends)
    return next((part for part, path in outer if path is not None and _holds_lists(cells.select(path))), None)


def _holds_lists(cells: pl.DataFrame) -> bool:
    return bool(cells.to_series().str.starts_with("[").any())


def _entries(cell: str | None) -> list[str | None]:
    try:
        value: Any = json.loads(cell or "null")
    except (ValueError, RecursionError):
        return [cell]
    return [json_text(entry) for entry in value] or [None] if isinstance(value, list) else [cell]


def _has(cells: pl.DataFrame, source: FilesSource, table: str) -> str:
    return what_it_has(cells.columns, {*used_columns(source), *source.fill_down, *delivered_columns(table)})


def _filled_down(
    source: FilesSource, table: str, cells: pl.DataFrame, above: Above, refuse: Refuse
) -> pl.DataFrame:
    if missing := [name for name in source.fill_down if name not in cells.columns]:
        raise refuse(f"fill_down names {missing}, but {_has(cells, source, table)}; correct `fill_down`")
    filled = cells.with_columns(
        pl.when(pl.col(name).str.strip_chars() != "")
        .then(name)
        .forward_fill()
        .fill_null(pl.lit(above.cells.get(name), pl.String))
        .alias(name)
        for name in source.fill_down
    )
    if filled.height:
        above.cells.update({name: filled[name][-1] for name in source.fill_down})
    return filled
