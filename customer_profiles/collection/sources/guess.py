"""A first mapping, guessed from a file's columns and cells: a beginning to correct, never a truth."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from customer_profiles.collection.parsing import ABSENT, MIDNIGHT, WHOLE
from customer_profiles.collection.sources.cells import has_decimal_comma
from customer_profiles.collection.sources.heads import GuessError, head_of
from customer_profiles.collection.sources.names import MEANINGS
from customer_profiles.collection.sources.opt_ins import not_asked, opt_ins, refusals
from customer_profiles.collection.sources.places import tells_days
from customer_profiles.collection.sources.purchases import as_deed, column_of_deeds, parted
from customer_profiles.collection.sources.schema import EPOCHS
from customer_profiles.collection.sources.schema_matching import (
    absent_columns,
    fit,
    held_columns,
    letters,
    matched,
    matched_by_ending,
    only_times,
    tells,
    words_of,
)
from customer_profiles.collection.sources.stand_ins import NOT_FOUND, stand_in, whole_name
from customer_profiles.collection.sources.time_formats import are_iso, swapped, time_format
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of, spellings
from customer_profiles.contracts.stored import delivered_columns, required_columns
from customer_profiles.warehouse.statements import quoted

FEW_ALIKE = 5
"""So many amounts may be whole, and so many times at midnight, by chance."""
OTHERS = (
    "if letters look wrong, try big5 (Taiwan), cp1250 (Polish, Czech), cp1251 (Cyrillic), cp1253 (Greek), "
    "cp1254 (Turkish), cp874 (Thai), euc_kr (Korean), shift_jis (Japanese)"
)
"""Encodings whose letters are others in the same places: no byte tells them apart."""
OF_GREENWICH = ("utc", "gmt")
"""Last words of a time's name that tell its zone: ``Created (UTC)``."""
HOURS = r"^\d{1,2}:\d{2}(:\d{2})?(\s?[AaPp][Mm])?$"
"""Hours of a day that stands elsewhere: ``10:05``."""
MADE_KEYS = {"hash_of", "place_in"}
GUESSED = ("orders", "events", "texts", "customers", "products", "campaign_contacts")
"""Tables that are told from a file's columns; any other is named by ``--table``."""
LOG = """\
# anonymous_pattern: where a line holds the cookie; pages: what your addresses mean
tables:
  events:
  - kind: log
    format: {format}
    path: {path}
    # anonymous_pattern: 'cid=(\\w+)'
    pages:
    - {{path: '^/product/(?<product_id>[^/]+)', event_name: product_view}}
    - {{path: '^/search', event_name: search, parameters: {{search_query: q}}}}
"""


def guess_source(file: Path, home: Path, table: str | None = None, header: Sequence[str] = ()) -> str:
    """A ``sources.yaml`` for one file, with a comment where a person must look.

    ``header`` names the columns of a file that has no header line. Raises ``GuessError`` if the file cannot
    be read or the table cannot be told.
    """
    if table is not None and table not in CONTRACTS:
        raise GuessError(f"--table {table}: there is no such table; tables are {', '.join(CONTRACTS)}")
    layout, cells = head_of(file, header)
    if header and "header" not in layout:
        raise GuessError(f"{file} names its columns itself; leave --header out")
    if layout.get("kind") == "log":
        return LOG.format(path=_path(file, home), format=layout["format"])
    held = held_columns(cells)
    asked, table = table, table or _table_of(held)
    held, drop, notes = parted(table, held)
    path, consents = _path(file, home), opt_ins(held)
    told = consents if table == "consents" and consents else {"": {}}
    mapped = {part: _columns(table, held, how, of_a_day=tells_days(path)) for part, how in told.items()}
    every = {(part, name): how for part, (columns, _) in mapped.items() for name, how in columns.items()}
    notes += dict.fromkeys(note for _, more in mapped.values() for note in more)
    notes += _of_opt_ins(table, consents)
    few = 2 * absent_columns(table, held) > len(required_columns(table))
    if asked is None and few and NOT_FOUND in every.values():
        unsure = f"{table}: the file holds few of its columns; is it that? --table names another"
        notes.insert(0, f"{unsure}, and a file of details is joined to the one whose rows it tells more of")
    notes = [*_of_its_layout(layout, header), *notes, *_lists(cells), *_hours(cells)]
    sources = [
        _source(
            {"kind": "files", "path": path, **layout},
            drop | (not_asked(part, held[part]) if part else {}),
            columns,
            cells,
        )
        for part, (columns, _) in mapped.items()
    ]
    text = yaml.dump(
        {"tables": {table: sources}},
        Dumper=_NoAnchors,
        allow_unicode=True,
        sort_keys=False,
        width=100,
        default_flow_style=None,
    )
    if not tells_days(path) and re.search(r"\d{4}", file.name):
        notes.append(
            "path: one file for all days; if its name tells a day, write {day} or {day:%d%m%Y} there"
        )
    return "".join(f"# {note}\n" for note in (*notes, *_not_mapped(every, cells))) + text


def _table_of(cells: pl.DataFrame) -> str:
    """The table that a file feeds: events where words say what was done, else the one that fits best."""
    return "events" if column_of_deeds(cells) else max(GUESSED, key=lambda name: fit(name, cells))


def _source(
    found: dict[str, Any], drop: dict[str, str], columns: dict[str, Any], cells: pl.DataFrame
) -> dict[str, Any]:
    """A source as it is written: where it is ``found``, what it drops, and what its columns are made of."""
    source = {**found, **({"drop": drop} if drop else {}), "columns": columns}
    computed = [columns[name] for name in ("amount_minor", "status") if name in columns]
    if numbers := [name for how in computed for name in _roots(how)]:
        source["numbers"] = list(dict.fromkeys(numbers))
    if _decimal_comma(cells, columns):
        source["decimal"] = ","
    return source


class _NoAnchors(yaml.SafeDumper):
    """Writes equal values out each time: a beginner's file has no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never."""
        return True


def _of_its_layout(layout: dict[str, Any], header: Sequence[str]) -> list[str]:
    """What a person must look at in how a file seems to be laid out."""
    notes = []
    if not (encoding := layout.get("encoding", "utf-16")).startswith("utf-16"):
        notes.append(f"encoding: it is not UTF-8, and {encoding} is a guess; {OTHERS}")
    if lines := layout.get("skip_lines"):
        notes.append(f"skip_lines: the columns' names stand in line {lines + 1}, below {lines} of remarks")
    if "header" in layout and not header:
        notes.append("header: no line names its columns; guess again with --header NAME,NAME,... in order")
    return notes


def _of_opt_ins(table: str, told: Mapping[str, dict[str, Any]]) -> list[str]:
    """What a person must look at in columns that say who consents."""
    if table == "consents":
        asked = [
            f"purpose: {name} as {how['purpose']['constant']}; is it that?" for name, how in told.items()
        ]
        refused = ", ".join(filter(refusals, told))
        note = f"status: who has not refused ({refused}) is granted; if that is no consent, `drop` them"
        return [*asked, note] if refused else asked
    if not told:
        return []
    return [f"{', '.join(told)}: told by `consents`: name this file there too, as --table consents says it"]


def _not_mapped(columns: Mapping[Any, Any], cells: pl.DataFrame) -> list[str]:
    """What can be said of a file's columns that no column of the table is taken from."""
    keys = [name for name, how in columns.items() if isinstance(how, dict) and how.keys() & MADE_KEYS]
    mapped = {name: how for name, how in columns.items() if name not in keys}
    keyed = [name for name in cells.columns if name in _named(columns) - _named(mapped)]
    left = [name for name in cells.columns if name not in _named(columns)]
    said = {"only part of a made key": keyed, "kept sealed": left}
    return [f"not mapped, {why}: {', '.join(names)}" for why, names in said.items() if names]


def _lists(cells: pl.DataFrame) -> list[str]:
    """What can be said of columns that hold lists of objects."""
    return [
        f"{name} holds a list; `rows_of: {name}` makes a row of every entry, with paths such as {name}.id, "
        f"and {name}.# for its place in the list"
        for name in cells.columns
        if cells[name].str.contains(r"^\[\s*\{").any()
    ]


def _hours(cells: pl.DataFrame) -> list[str]:
    """What can be said of columns that hold hours without their day."""
    return [
        f"{name} holds hours without a day; a day beside it is joined to it by expression: \"Day\" || ' ' || "
        f"{quoted(name)}, with a date_format"
        for name in cells.columns
        if tells(cells[name]).any() and cells[name].filter(tells(cells[name])).str.contains(HOURS).all()
    ]


def _columns(
    table: str, cells: pl.DataFrame, told: Mapping[str, Any], *, of_a_day: bool
) -> tuple[dict[str, Any], list[str]]:
    """The mapping of a table's columns, of which some may be ``told``, and what a person must look at."""
    columns = dict(told)
    taken: set[str] = set()
    notes = []
    required = required_columns(table)
    by_worth = sorted(delivered_columns(table), key=lambda name: name not in required)
    for find in (matched, matched_by_ending):
        for name in (name for name in by_worth if name not in columns):
            found = find(name, cells, taken)
            if found is None:
                continue
            taken.add(found)
            columns[name], more = _how(table, name, found, cells[found])
            notes += (
                [f"{name}: taken from {found}; is it that?", *more] if find is matched_by_ending else more
            )
    main = [name for name in required if _kind(table, name) == "moment"][-1]
    if main not in columns and (found := only_times(cells, taken)):
        columns[main], more = _how(table, main, found, cells[found])
        notes += [f"{main}: taken from {found}, which holds times; is it that?", *more]
    _name_what_is_viewed(columns, cells)
    notes += _told_once(table, columns, cells)
    if table == "customers" and "full_name" not in columns and (made := whole_name(cells)):
        columns["full_name"], note = made
        notes.append(note)
    for name in required:
        if name not in columns:
            columns[name], note = stand_in(table, name, columns, cells, of_a_day=of_a_day)
            notes.append(note)
    return {name: columns[name] for name in delivered_columns(table) if name in columns}, notes


def _kind(table: str, name: str) -> str:
    """What a table's column holds: moment, choice, ..."""
    return str((columns_of(CONTRACTS[table])[name].metadata or {})["kind"])


def _name_what_is_viewed(columns: dict[str, Any], cells: pl.DataFrame) -> None:
    """A view is of a product where all rows that have its word name one."""
    event, product = columns.get("event_name"), columns.get("product_id")
    if not (isinstance(event, dict) and isinstance(product, str)):
        return
    for word in [word for word, value in event["values"].items() if value == "page_view"]:
        if tells(cells.filter(pl.col(event["column"]) == word)[product]).all():
            event["values"][word] = "product_view"


def _told_once(table: str, columns: dict[str, Any], cells: pl.DataFrame) -> list[str]:
    """What can be said of an order's columns that not all of its lines fill."""
    order = columns.get("order_id")
    if table != "orders" or not isinstance(order, str):
        return []
    mapped = {
        name: how["column"] if isinstance(how, dict) else how
        for name, how in columns.items()
        if name in required_columns(table)
    }
    empty_cells = {name: int((~tells(cells[found])).sum()) for name, found in mapped.items()}
    gaps = {name: empty for name, empty in empty_cells.items() if empty}
    notes = []
    if amount := gaps.pop("amount_minor", 0):
        notes.append(
            f"amount_minor: {mapped['amount_minor']} is empty in {amount} of {cells.height} rows; the "
            f"order's total, which would count once a line if it were repeated? name a line's own amount"
        )
    if "order_id" in gaps:
        merged = {mapped[name] for name, empty in gaps.items() if empty >= gaps["order_id"]}
        down = ", ".join(name for name in cells.columns if name in merged)
        return [
            f"order_id: {order} is empty in {gaps['order_id']} of {cells.height} rows; merged cells? say "
            f"fill_down: [{down}]; or leave out by `drop` what is no order",
            *notes,
        ]
    for name, empty in gaps.items():
        found = mapped[name]
        first = cells.select(pl.col(found).first().over(order)).to_series()
        above = bool((tells(first) & ~tells(cells[found])).any())
        how = f"expression: FIRST({quoted(found)}) OVER (PARTITION BY {quoted(order)})"
        says = (
            f"told on an order's first line alone? {how}"
            if above
            else "they will be quarantined, unless `drop` leaves them out"
        )
        notes.append(f"{name}: {found} is empty in {empty} of {cells.height} rows; {says}")
    return notes


def _how(table: str, name: str, found: str, cells: pl.Series) -> tuple[Any, list[str]]:
    metadata = columns_of(CONTRACTS[table])[name].metadata or {}
    some = cells.str.strip_chars()
    some = some.filter(some.is_not_null() & ~some.is_in(ABSENT))
    if metadata["kind"] in ("moment", "date"):
        form = time_format(some)
        told = {"date_format": form} if form else {}
        if some.len() > FEW_ALIKE and some.str.contains(MIDNIGHT).all():
            note = f"{name}: {found} is at midnight in all rows, so that its hours say nothing"
            return {"column": found, **told, "day_precise": True}, [note, *swapped(name, form, some)]
        if form is not None or are_iso(some):
            if form not in EPOCHS and words_of(found)[-1] in OF_GREENWICH:
                told["timezone"] = "UTC"
            return ({"column": found, **told} if told else found), swapped(name, form, some)
        return found, [f"{name}: {found} is written in no way known here; say its date_format"]
    if name.endswith("_minor") and not letters(found).endswith("minor"):
        whole = some.n_unique() > FEW_ALIKE and some.str.contains(WHOLE).all()
        note = (
            f"{name}: {found} has no fraction; if it is in minor units (cents) already, leave minor_units out"
        )
        return {"column": found, "minor_units": 2}, [note] if whole else []
    if metadata["kind"] == "choice":
        strange = sorted({value for value in some if value.lower() not in spellings(metadata)})[:20]
        if strange:
            meanings = MEANINGS.get(name, {})
            unknown = [value for value in strange if as_deed(value) not in meanings]
            values = ", ".join(metadata["values"])
            notes = [
                f"{name}: say what {', '.join(unknown)} stand for, each one of {values}"
                if unknown
                else f"{name}: see that its words mean what stands behind them, each one of {values}"
            ]
            return {"column": found, "values": {v: meanings.get(as_deed(v), v) for v in strange}}, notes
    return found, []


def _decimal_comma(cells: pl.DataFrame, columns: dict[str, Any]) -> bool:
    amounts = {name: how for name, how in columns.items() if isinstance(how, dict) and "minor_units" in how}
    return any(has_decimal_comma(cells[name]) for name in _named(amounts))


def _named(columns: Mapping[Any, Any]) -> set[str]:
    named: set[str] = set()
    for how in columns.values():
        origins = {"column": how} if isinstance(how, str) else how
        named |= set(_roots(how))
        for key in ("column", "place_in", "hash_of"):
            named |= {origins[key]} if isinstance(origins.get(key), str) else set(origins.get(key, ()))
    return named


def _roots(how: Any) -> list[str]:
    """The file's columns that an expression sees."""
    expression = how.get("expression", "1") if isinstance(how, dict) else "1"
    return pl.sql_expr(expression).meta.root_names()


def _path(file: Path, home: Path) -> str:
    """Relative to the home where it lies inside; a date in its name becomes ``{day}``, two stay."""
    place = file.resolve()
    name = re.sub(r"20\d{2}-\d{2}-\d{2}", "{day}", escape(place.name))
    name = re.sub(r"20\d{2}年\d{2}月\d{2}日", "{day:%Y年%m月%d日}", name)
    name = re.sub(r"(?<!\d)20\d{2}[01]\d[0-3]\d(?!\d)", "{day:%Y%m%d}", name)
    # 201203 is a month or a week before it is a day of 2020
    name = re.sub(r"(?<!\d)2[1-9][01]\d[0-3]\d(?!\d)", "{day:%y%m%d}", name)
    if name.count("{day") > 1:
        name = escape(place.name)
    folder = place.parent.relative_to(home) if place.is_relative_to(home) else place.parent
    return str(Path(escape(str(folder))) / name)
