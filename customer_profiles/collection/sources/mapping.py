"""A file's columns become a table's: renamed, recoded, computed, filtered. Nothing is lost on the way.

What comes out is text as the door reads it: ISO times, whole minor units, values of the contract. A cell
that cannot be mapped stays as it is, so that the door quarantines its row and names its column.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from customer_profiles.collection.formats import UNREAD, plain
from customer_profiles.collection.json_cells import retold
from customer_profiles.collection.layouts import Refuse
from customer_profiles.collection.parsing import as_text, as_texts
from customer_profiles.collection.reading import LINE, ReadFile
from customer_profiles.collection.refusals import what_it_has
from customer_profiles.collection.sources.cells import (
    amount,
    as_number,
    bare,
    iso_time,
    plain_number,
)
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.schema import Column, LogSource, Source
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import delivered_columns, required_columns

NUMBERS = ("whole", "decimal")
"""Kinds of columns whose cells are numbers."""
TIMES = ("moment", "date")
LIKE_THE_REST = 10_000
"""Leading cells of a column that tell whether it says the same often."""
ACROSS_ROWS = ("Agg", "Over", "Len", "Rolling", "Quantile", "Correlation")
"""Parts of an expression that look at more than one row, as Polars names them."""

MEMBERS = re.compile(
    r"""
    (?P<in_brackets> \[ (?: '[^']*' | "[^"]*" | [^]'"] )* \] )
    | \. (?P<odd_name> [^.[]* [^\w$*.[-] [^.[]* )
    """,
    re.VERBOSE,
)
"""Parts of a path: what stands in brackets stays; a name with a blank, ``@`` or ``:`` is put into them."""


@dataclass(frozen=True)
class Above:
    """What earlier pieces of a delivery say to the rows of the next one.

    ``cells`` are those that ``fill_down`` repeats. ``rows`` counts, for a column of the table that is made by
    ``place_in``, the rows of each of the cells in which it numbers them.
    """

    cells: dict[str, str | None] = field(default_factory=dict)
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)


def map_rows(
    source: Source, table: str, read: ReadFile, above: Above, home: Home, refuse: Refuse
) -> ReadFile:
    """Make the table's columns of delivered rows, and leave out those for which a rule of ``drop`` holds.

    Raises what ``refuse`` makes of a reason if a mapped column is not there, or an expression fails.
    """
    return leave_out(*mapped_rows(source, table, read, above, home, refuse))


def mapped_rows(
    source: Source,
    table: str,
    read: ReadFile,
    above: Above,
    home: Home,
    refuse: Refuse,
    beside: Collection[str] = (),
) -> tuple[ReadFile, pl.Series]:
    """The table's columns of every row, and per row the rule of ``drop`` that leaves it out, if one does.

    The rows are those of a piece, the next one below what lies ``above``. ``beside`` are columns that were
    joined to them: what nobody maps of these is not kept.
    """
    cells = as_texts(read.cells)
    rows = _with_paths(source, table, cells, read.of_objects, refuse)
    renamed = {column.column for column in source.columns.values()} - set(required_columns(table))
    of_the_same_name = {
        name: Column(column=name)
        for name in delivered_columns(table)
        if name in cells.columns and name not in {*source.columns, *renamed}
    }
    rows = rows.with_columns(bare(rows[name]) for name in of_the_same_name)
    seen = _as_expressions_see(source, rows)
    mapped = {
        name: _mapped(name, column, source, table, rows, seen, above, home, refuse)
        for name, column in {**source.columns, **of_the_same_name}.items()
    }
    known = {*used_columns(source), *mapped, *beside, *source.ignore, *_used_elsewhere(source, home)}
    unknown = [cells[name] for name in cells.columns if name not in known]
    if not isinstance(source, LogSource):  # whose columns of events are made of its lines, and kept there
        hidden = (set(source.columns) & set(cells.columns)) - used_columns(source) - {*beside, *source.ignore}
        unknown += [cells[name].alias(f"{name} as delivered") for name in sorted(hidden)]
    return (
        replace(read, cells=pl.DataFrame([*mapped.values(), *unknown]), originals=cells),
        dropped_by(source.drop, seen, read.places[LINE], refuse),
    )


def maps_piece_by_piece(source: Source) -> bool:
    """Whether no expression looks at other rows than its own."""
    expressions = [column.expression for column in source.columns.values() if column.expression is not None]
    joined_on = [name for join in getattr(source, "join", ()) for name in join.on]
    return not any(map(_sees_other_rows, (*expressions, *source.drop.values(), *joined_on)))


def maps_row_by_row(source: Source) -> bool:
    """Whether nothing looks at other rows: no expression, and no place among them."""
    return maps_piece_by_piece(source) and not any(column.place_in for column in source.columns.values())


def _sees_other_rows(expression: str) -> bool:
    """Whether an expression aggregates or has a window.

    ``meta.is_row_separable`` knows too, but fails on ``a * 2`` and ``a IN (1)``, whose types it would need.
    """
    try:
        parsed = pl.sql_expr(expression)
    except UNREAD:  # what rows are joined on may be the name of a column
        return False
    return _holds(json.loads(parsed.meta.serialize(format="json")))


def _holds(node: Any) -> bool:
    if isinstance(node, dict):
        return any(name in ACROSS_ROWS or (name != "Literal" and _holds(part)) for name, part in node.items())
    if isinstance(node, list):
        return any(_holds(part) for part in node)
    return node in ACROSS_ROWS


def leave_out(read: ReadFile, dropped_by: pl.Series) -> ReadFile:
    """The rows that no rule leaves out, and how many each rule does."""
    kept = dropped_by.is_null()
    counts = dropped_by.drop_nulls().value_counts(name="rows").sort(dropped_by.name)
    originals = read.originals if read.originals is not None else read.cells
    return replace(
        read,
        cells=read.cells.filter(kept),
        places=read.places.filter(kept),
        originals=originals.filter(kept),
        filtered=dict(counts.iter_rows()),
    )


def used_columns(source: Source) -> set[str]:
    """The file's columns, or paths into them, that a source's mapping and rules look at."""
    named = {name for column in source.columns.values() for name in _named_by(column)}
    ruled = {name for rule in source.drop.values() for name in pl.sql_expr(rule).meta.root_names()}
    return named | (ruled - {LINE})


def _named_by(column: Column) -> list[str]:
    if column.expression is not None:
        return list(dict.fromkeys(pl.sql_expr(column.expression).meta.root_names()))
    return [*([column.column] if column.column is not None else []), *column.place_in, *column.hash_of]


def _used_elsewhere(source: Source, home: Home) -> set[str]:
    """Columns that other tables take from the same file: they are not unknown."""
    path = getattr(source, "path", None)
    return {
        name
        for sources in home.tables.values()
        for other in sources
        if path is not None and getattr(other, "path", None) == path
        for name in (*used_columns(other), *other.ignore)
    }


def _with_paths(
    source: Source, table: str, cells: pl.DataFrame, of_objects: bool, refuse: Refuse
) -> pl.DataFrame:
    """The cells, with a column for every path into a nested one: ``buyer.id``, ``items[0].sku``.

    All that is looked at is bare. What objects do not name is NULL, but for objects that name nothing of what
    is mapped.
    """
    used = used_columns(source)
    found = {name: path_into(name, cells.columns) for name in sorted(used - set(cells.columns))}
    missing = [name for name, path in found.items() if path is None]
    if missing and not (of_objects and (len(missing) < len(used) or cells.is_empty())):
        named_by_us = cells.columns if source.kind == "sql" else used
        raise refuse(
            f"sources.yaml maps its columns {missing} to {table}, but "
            f"{what_it_has(cells.columns, named_by_us)}; correct the mapping, or deliver them"
        )
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, cells.height)
    nested = with_nested_retold(cells, list(found), source.decimal)
    rows = cells.with_columns(
        (nothing if path is None else followed(name, path, nested, refuse)).alias(name)
        for name, path in found.items()
    )
    return rows.with_columns(bare(rows[name]) for name in used)


def with_nested_retold(cells: pl.DataFrame, names: Sequence[str], decimal: str) -> pl.DataFrame:
    """The cells, of which those into which a path among ``names`` leads tell their numbers as NDJSON's do.

    A path is followed by who reads large numbers as floating ones, and two ids would be one.
    """
    paths = [path_into(name, cells.columns) for name in names]
    roots = dict.fromkeys(root for path in paths if path is not None for root in path.meta.root_names())
    return cells.with_columns(retold(cells[root], decimal) for root in roots)


def followed(name: str, path: pl.Expr, cells: pl.DataFrame, refuse: Refuse) -> pl.Series:
    """What lies at a path; raises what ``refuse`` makes of one that is no path."""
    try:
        return cells.select(path).to_series()
    except pl.exceptions.ComputeError:
        raise refuse(
            f"sources.yaml names {name!r}, which is no path such as buyer.id, items[0].sku or "
            f"params[?(@.key=='x')].value; correct it"
        ) from None


def path_into(name: str, columns: Collection[str]) -> pl.Expr | None:
    """A column by its name, or what lies at a path into a nested one; None if there is neither."""
    if name in columns:
        return pl.col(name)
    for end in (place for place in reversed(range(1, len(name))) if name[place] in ".["):
        if name[:end] in columns:
            return pl.col(name[:end]).str.json_path_match("$" + MEMBERS.sub(_in_brackets, name[end:]))
    return None


def _in_brackets(part: re.Match[str]) -> str:
    """A member by any name: ``.product id`` is ``["product id"]``."""
    quote = "'" if '"' in part[0] else '"'
    return part["in_brackets"] or f"[{quote}{part['odd_name']}{quote}]"


def _as_expressions_see(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the columns under ``numbers`` as numbers."""
    return rows.with_columns(
        _cell_by_cell(_of_usual_width(rows[name]), as_number(pl.col(name), source.decimal))
        for name in source.numbers
        if name in rows.columns
    )


def _of_usual_width(cells: pl.Series) -> pl.Series:
    """Cells whose full-width digits are those of ASCII."""
    wide = (cells.str.len_bytes() != cells.str.len_chars()).any()
    return cells.str.normalize("NFKC") if wide else cells


def _cell_by_cell(cells: pl.Series, mapped: pl.Expr) -> pl.Series:
    """An expression over single cells, computed once for equal ones where a column says the same often."""
    head, mapped = cells.head(LIKE_THE_REST), mapped.alias(cells.name)
    if 2 * head.n_unique() > head.len():
        return cells.to_frame().select(mapped).to_series()
    distinct = cells.unique().drop_nulls()
    made = distinct.to_frame().select(mapped).to_series()
    return cells.replace_strict(distinct, made, default=None, return_dtype=made.dtype)


def _mapped(
    name: str,
    column: Column,
    source: Source,
    table: str,
    rows: pl.DataFrame,
    seen: pl.DataFrame,
    above: Above,
    home: Home,
    refuse: Refuse,
) -> pl.Series:
    """One column of the table, as text, of rows as they are and as expressions see them."""
    if column.expression is not None:
        made = computed(column.expression, f"{table}.{name}", seen, refuse)
    elif column.constant is not None:
        made = pl.repeat(column.constant, rows.height, dtype=pl.String, eager=True)
    elif column.place_in:
        made = _places(name, [rows[each] for each in dict.fromkeys(column.place_in)], above)
    elif column.hash_of:
        made = _hashed(rows.select(column.hash_of))
    else:
        made = rows[str(column.column)]
    said_with_a_point = column.constant is not None and "," not in column.constant
    # what is computed is written with a point, too
    decimal = "." if said_with_a_point or made.dtype.is_numeric() else source.decimal
    made = plain(made)
    text = made.to_frame(name).select(as_text(made.dtype, pl.col(name)).str.strip_chars()).to_series()
    kind = (columns_of(CONTRACTS[table])[name].metadata or {})["kind"]
    if kind in NUMBERS or (kind in TIMES and not column.date_format):
        text = _of_usual_width(text)
    if column.values:
        text = text.replace(dict(column.values))
    return _cell_by_cell(text, _as_the_door_reads(name, kind, decimal, column, source, home))


def _as_the_door_reads(
    name: str, kind: str, decimal: str, column: Column, source: Source, home: Home
) -> pl.Expr:
    """A cell as text of a kind of column: in minor units, a plain number, an ISO time."""
    cell = pl.col(name)
    if column.minor_units is not None:
        return amount(cell, decimal, column.minor_units)
    if kind in NUMBERS:
        return _or_itself(cell, plain_number(cell, decimal))
    if kind in TIMES:
        zone = column.timezone or source.timezone or home.timezone
        return iso_time(name, column, kind, decimal, zone, home.timezone)
    return cell


MISTYPED = "columns are text unless they stand under `numbers`, and TRY_CAST gives NULL where CAST fails"
UNQUOTED = 'a column\'s name with a dot stands in double quotes: "buyer.id"'


def computed(expression: str, place: str, seen: pl.DataFrame, refuse: Refuse) -> pl.Series:
    """A value of an expression for every row; ``place`` says where ``sources.yaml`` has it."""
    try:
        made = seen.select(pl.sql_expr(expression).alias("made")).to_series()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # the cause is left out: it may quote cells
        raise refuse(
            f"{place}: the expression {expression!r} cannot be computed ({type(error).__name__}); "
            + (UNQUOTED if isinstance(error, pl.exceptions.StructFieldNotFoundError) else MISTYPED)
        ) from None
    if made.len() == seen.height:
        return made
    if made.len() == 1:
        return made.new_from_index(0, seen.height)
    raise refuse(f"{place}: the expression {expression!r} gives {made.len()} values for {seen.height} rows")


def _places(name: str, columns: list[pl.Series], above: Above) -> pl.Series:
    """The place of each row among those of equal cells in the columns, from 1, those above counted."""
    cells = pl.DataFrame({f"cell {number}": column for number, column in enumerate(columns)})
    of = cells.columns
    places = cells.select(pl.int_range(1, pl.len() + 1).over(of)).to_series()
    rows, before = cells.group_by(of).len("rows"), above.rows.get(name)
    if before is not None:
        counted = cells.join(before, on=of, how="left", nulls_equal=True, maintain_order="left")["rows"]
        places += counted.fill_null(0)
        rows = pl.concat([before, rows]).group_by(of).agg(pl.col("rows").sum())
    above.rows[name] = rows
    return places


def _hashed(cells: pl.DataFrame) -> pl.Series:
    keys = [
        hashlib.sha256(json.dumps(row, ensure_ascii=False).encode()).hexdigest()[:32]
        for row in cells.iter_rows()
    ]
    return pl.Series(keys, dtype=pl.String)


def dropped_by(rules: Mapping[str, str], rows: pl.DataFrame, lines: pl.Series, refuse: Refuse) -> pl.Series:
    """The first rule that leaves a row out; NULL for a row that stays.

    A line that cannot be split into columns has no cells: only a rule that looks at ``_line`` leaves it out.
    """
    first = pl.Series("rule", [None], dtype=pl.String).new_from_index(0, rows.height)
    seen = rows if LINE in rows.columns else rows.with_columns(lines)
    for rule, expression in rules.items():
        holds = computed(expression, f"drop {rule!r}", seen, refuse)
        if holds.dtype != pl.Boolean:
            raise refuse(f"drop {rule!r}: {expression!r} is neither true nor false")
        of_lines = LINE in pl.sql_expr(expression).meta.root_names()
        out = holds.fill_null(False) & (lines.is_null() | of_lines) & first.is_null()
        first = first.set(out, rule)
    return first


def _or_itself(cell: pl.Expr, mapped: pl.Expr) -> pl.Expr:
    return pl.coalesce(mapped.cast(pl.String), cell)
