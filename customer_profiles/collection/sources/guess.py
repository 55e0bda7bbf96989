"""A first mapping, guessed from a file's columns and cells: a beginning to correct, never a truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from customer_profiles.collection.parsing import ABSENT
from customer_profiles.collection.sources.cells import currencies, currency_code, undecorated
from customer_profiles.collection.sources.heads import GuessError, head_of
from customer_profiles.collection.sources.names import MEANINGS, NAMES, PURCHASES
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of, spellings
from customer_profiles.contracts.stored import delivered_columns, required_columns

DATE_FORMATS = (
    "%Y-%m-%d %H",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d/%m/%y %H:%M",
    "%d/%m/%y",
    "%m/%d/%y %H:%M",
    "%m/%d/%y",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d, %Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
)
EPOCH_DIGITS = {10: "epoch_s", 13: "epoch_ms", 16: "epoch_us"}
DEFAULTS: dict[str, dict[str, Any]] = {
    "status": {"constant": "completed"},
    "currency": {"constant": "CNY"},
    "quantity": {"constant": "1"},
    "channel": {"constant": "web"},
    "event_name": {"constant": "other"},
    "kind": {"constant": "review"},
    "category": {"constant": "uncategorised"},
}
"""What stands in for a required column that the file does not hold."""
OTHERS = (
    "if letters look wrong, try big5 (Taiwan), cp1250 (Polish, Czech), cp1251 (Cyrillic), cp1254 (Turkish), "
    "shift_jis"
)
"""Encodings whose letters are others in the same places: no byte tells them apart."""
NOT_FOUND = {"constant": ""}
"""Stands for one that a person must name."""
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
    held = _held(cells)
    asked, table = table, table or max(GUESSED, key=lambda name: _fit(name, held))
    columns, notes = _columns(table, held)
    if asked is None and 2 * _absent(table, held) > len(required_columns(table)):
        unsure = f"{table}: the file holds few of its columns; is it that? --table names another"
        notes.insert(0, f"{unsure}, and a file of details is joined to the one whose rows it tells more of")
    if "header" in layout and not header:
        notes.insert(0, "header: no line names its columns; guess again with --header NAME,NAME,... in order")
    if lines := layout.get("skip_lines"):
        notes.insert(0, f"skip_lines: the columns' names stand in line {lines + 1}, below {lines} of remarks")
    if (encoding := layout.get("encoding", "utf-16")) != "utf-16":
        notes.insert(0, f"encoding: it is not UTF-8, and {encoding} is a guess; {OTHERS}")
    notes += _lists(cells)
    source = {"kind": "files", "path": _path(file, home), **layout, "columns": columns}
    amount = columns.get("amount_minor")
    if isinstance(amount, dict) and "expression" in amount:
        source["numbers"] = pl.sql_expr(amount["expression"]).meta.root_names()
    if _decimal_comma(cells, columns):
        source["decimal"] = ","
    written = {"tables": {table: [source]}}
    text = yaml.dump(
        written, Dumper=_NoAnchors, allow_unicode=True, sort_keys=False, width=100, default_flow_style=None
    )
    if "{day" not in source["path"] and re.search(r"\d{4}", file.name):
        notes.append(
            "path: one file for all days; if its name tells a day, write {day} or {day:%d%m%Y} there"
        )
    left = [name for name in cells.columns if name not in _named(columns)]
    notes += [f"not mapped, kept sealed: {', '.join(left)}"] if left else []
    return "".join(f"# {note}\n" for note in notes) + text


class _NoAnchors(yaml.SafeDumper):
    """Writes equal values out each time: a beginner's file has no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never."""
        return True


def _held(cells: pl.DataFrame) -> pl.DataFrame:
    """The columns of which a row holds something; all of a file without rows."""
    return cells.select(name for name in cells.columns if not cells.height or _tells(cells[name]).any())


def _lists(cells: pl.DataFrame) -> list[str]:
    """What can be said of columns that hold lists of objects."""
    return [
        f"{name} holds a list; `rows_of: {name}` makes a row of every entry, with paths such as {name}.id, "
        f"and {name}.# for its place in the list"
        for name in cells.columns
        if cells[name].str.contains(r"^\[\s*\{").any()
    ]


def _letters(name: str) -> str:
    """A name without what parts its words and the unit behind it."""
    return "".join(filter(str.isalnum, _without_unit(name))).casefold()


def _without_unit(name: str) -> str:
    """``Unit_Price (EUR)`` and ``金额（元）`` without what stands in brackets."""
    return re.sub(r"(?<=.)\s*[(（][^()（）]*[)）]\s*$", "", name)


def _found(column: str, cells: pl.DataFrame, taken: set[str]) -> str | None:
    """The file's column that holds a table's one: by its own name, then by the commonest other name."""
    here = {_letters(name): name for name in reversed(cells.columns) if name not in taken}
    names = [column, *NAMES.get(column, "").split()]
    found = (here[_letters(name)] for name in names if _letters(name) in here)
    return next((mine for mine in found if not _mistaken(column, mine, cells)), None)


def _alike(column: str, cells: pl.DataFrame, taken: set[str]) -> str | None:
    """A file's column whose last words are one of the names: ``Lineitem quantity``, ``订单付款时间``."""
    free = [name for name in cells.columns if name not in taken]
    names = [column, *NAMES.get(column, "").split()]
    found = (
        mine
        for name in names
        for mine in free
        if _ends_with(mine, name) or _ends_with(_without_unit(mine), name)
    )
    return next((mine for mine in found if not _mistaken(column, mine, cells)), None)


def _ends_with(name: str, end: str) -> bool:
    if end.isascii():
        words, last = _words(name), _words(end)
        return len(last[0]) > 1 and words[-len(last) :] == last
    return len(end) > 1 and name.strip().endswith(end)


def _words(name: str) -> list[str]:
    """``Lineitem quantity``, ``lineitem_quantity`` and ``LineitemQuantity`` -> two words."""
    return [word.casefold() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z]+", name)] or [""]


def _fit(table: str, cells: pl.DataFrame) -> tuple[int, bool]:
    """How many of a file's columns a table takes; one that the table cannot do without counts twice.

    Of equals, the table whose own key is there.
    """
    required = required_columns(table)
    found = {_found(name, cells, set()): name in required for name in delivered_columns(table)}
    worth = sum(1 + needed for column, needed in found.items() if column is not None)
    return worth, _found(required[0], cells, set()) is not None


def _absent(table: str, cells: pl.DataFrame) -> int:
    """How many columns that a table cannot do without the file does not hold."""
    return sum(_found(name, cells, set()) is None for name in required_columns(table))


def _columns(table: str, cells: pl.DataFrame) -> tuple[dict[str, Any], list[str]]:
    """The mapping of a table's columns, and what a person must look at."""
    columns: dict[str, Any] = {}
    taken: set[str] = set()
    notes = []
    required = required_columns(table)
    by_worth = sorted(delivered_columns(table), key=lambda name: name not in required)
    for find in (_found, _alike):
        for name in (name for name in by_worth if name not in columns):
            found = find(name, cells, taken)
            if found is None:
                continue
            taken.add(found)
            columns[name], more = _how(table, name, found, cells[found])
            notes += [f"{name}: taken from {found}; is it that?", *more] if find is _alike else more
    notes += _told_once(table, columns, cells)
    for name in required:
        if name not in columns:
            columns[name], note = _stand_in(table, name, columns, cells)
            notes.append(note)
    return {name: columns[name] for name in delivered_columns(table) if name in columns}, notes


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
    gaps = {name: int((~_tells(cells[found])).sum()) for name, found in mapped.items()}
    notes = []
    if amount := gaps.pop("amount_minor", 0):
        notes.append(
            f"amount_minor: {mapped['amount_minor']} is empty in {amount} of {cells.height} rows; the "
            f"order's total, which would count once a line if it were repeated? name a line's own amount"
        )
    if gaps["order_id"]:
        merged = {mapped[name] for name in gaps if gaps[name] >= gaps["order_id"]}
        down = ", ".join(name for name in cells.columns if name in merged)
        return [
            f"order_id: {order} is empty in {gaps['order_id']} of {cells.height} rows; merged cells? say "
            f"fill_down: [{down}]; or leave out by `drop` what is no order",
            *notes,
        ]
    return [
        f"{name}: {mapped[name]} is empty in {empty} of {cells.height} rows; told on an order's first line "
        f'alone? expression: FIRST("{mapped[name]}") OVER (PARTITION BY "{order}")'
        for name, empty in gaps.items()
        if empty
    ] + notes


def _how(table: str, name: str, found: str, cells: pl.Series) -> tuple[Any, list[str]]:
    metadata = columns_of(CONTRACTS[table])[name].metadata or {}
    some = cells.str.strip_chars()
    some = some.filter(some.is_not_null() & ~some.is_in(ABSENT))
    if metadata["kind"] in ("moment", "date"):
        form = _date_format(some)
        if form is not None or _are_iso(some):
            return ({"column": found, "date_format": form} if form else found), _swapped(name, form, some)
        return found, [f"{name}: {found} is written in no way known here; say its date_format"]
    if name.endswith("_minor") and not _letters(found).endswith("minor"):
        return {"column": found, "minor_units": 2}, []
    if metadata["kind"] == "choice":
        strange = sorted({value for value in some if value.lower() not in spellings(metadata)})[:20]
        if strange:
            meanings = MEANINGS.get(name, {})
            unknown = [value for value in strange if _word(value) not in {*meanings, *PURCHASES}]
            values = ", ".join(metadata["values"])
            notes = [
                f"{name}: say what {', '.join(unknown)} stand for, each one of {values}"
                if unknown
                else f"{name}: see that its words mean what stands behind them, each one of {values}"
            ]
            if bought := [value for value in strange if _word(value) in PURCHASES]:
                notes.append(
                    f"{name}: who bought is told by `orders`: name this file there too (--table orders), and "
                    f"leave {', '.join(bought)} out here by `drop`"
                )
            return {"column": found, "values": {v: meanings.get(_word(v), v) for v in strange}}, notes
    return found, []


def _word(value: str) -> str:
    """``Product Viewed`` and ``product_viewed`` are one word."""
    return value.lower().replace(" ", "_")


def _is_a_place(found: str, cells: pl.DataFrame) -> bool:
    """Whether a column named ``State`` holds no status that is known."""
    if _letters(found) != "state":
        return False
    known = spellings(columns_of(CONTRACTS["orders"])["status"].metadata or {})
    return not cells[found].str.strip_chars().str.to_lowercase().is_in([*known, *MEANINGS["status"]]).any()


def _is_a_rate(found: str, cells: pl.DataFrame) -> bool:
    """Whether amounts are parts of 1."""
    rates = cells[found].str.strip_chars().drop_nulls().cast(pl.Float64, strict=False)
    return bool(rates.is_between(0, 1).all() and (rates % 1 > 0).any())


def _is_of_a_piece(found: str, cells: pl.DataFrame) -> bool:
    """Whether an amount is a piece's and not the line's: a price where pieces are told."""
    mine = _letters(found)
    whole = {_letters(name) for name in NAMES["amount_minor"].split()} - UNIT_PRICES
    return mine.endswith(tuple(UNIT_PRICES)) and mine not in whole and _pieces(cells) is not None


def _is_of_a_piece_or_an_order(found: str, cells: pl.DataFrame) -> bool:
    return _is_of_a_piece(found, cells) or _is_of_an_order(found, cells)


def _is_of_an_order(found: str, cells: pl.DataFrame) -> bool:
    """Whether an amount stands on an order's first line alone: not on all lines that tell pieces."""
    pieces = _pieces(cells)
    if pieces is None or _price(cells) is None:
        return False
    return bool((_tells(cells[pieces]) & ~_tells(cells[found])).any())


def _tells(cells: pl.Series) -> pl.Series:
    """Which cells hold something."""
    return ~cells.str.strip_chars().is_in(ABSENT).fill_null(True)


def _pieces(cells: pl.DataFrame) -> str | None:
    """The column that tells pieces."""
    return _found("quantity", cells, set()) or _alike("quantity", cells, set())


def _price(cells: pl.DataFrame) -> str | None:
    """The column of a piece's price."""
    return _found("list_price_minor", cells, set()) or _alike("list_price_minor", cells, set())


def _is_no_number(found: str, cells: pl.DataFrame) -> bool:
    """Whether what is called a name is one: orders are named ``#1001``."""
    return _letters(found).endswith("name") and not cells[found].str.contains(r"\d\s*$").all()


UNIT_PRICES = {"price", "unitprice", "单价", "价格"}
"""Names of an amount that is a piece's where pieces are told, not the line's."""
MISTAKEN: dict[str, Callable[[str, pl.DataFrame], bool]] = {
    "status": _is_a_place,
    "discount_minor": _is_a_rate,
    "amount_minor": _is_of_a_piece_or_an_order,
    "order_id": _is_no_number,
}
"""How a file's column of a fitting name shows that it is something else."""


def _mistaken(name: str, found: str, cells: pl.DataFrame) -> bool:
    return name in MISTAKEN and MISTAKEN[name](found, cells)


def _date_format(cells: pl.Series) -> str | None:
    """The first format that all cells have; None if they are ISO 8601, or of no format known here."""
    if _are_iso(cells):
        return None
    digits = {len(cell) for cell in cells}
    if cells.str.contains(r"^\d+$").all() and len(digits) == 1 and (size := digits.pop()) in EPOCH_DIGITS:
        return EPOCH_DIGITS[size]
    return next((form for form in DATE_FORMATS if all(_is_of(form, cell) for cell in cells)), None)


def _swapped(name: str, form: str | None, cells: pl.Series) -> list[str]:
    """A doubt, if the cells are dates with day and month in the other order too."""
    other = (form or "").replace("%d/%m", "%m/%d")
    if other == form or not other or not all(_is_of(other, cell) for cell in cells):
        return []
    return [f"{name}: the first rows fit {other} as well as {form}; which is it?"]


def _are_iso(cells: pl.Series) -> bool:
    return bool(cells.str.contains(r"^\d{4}-\d{2}-\d{2}($|[T ]\d{2}:)").all())


def _is_of(form: str, cell: str) -> bool:
    try:
        datetime.strptime(cell, form)  # noqa: DTZ007
    except ValueError:
        return False
    return True


def _stand_in(table: str, name: str, columns: dict[str, Any], cells: pl.DataFrame) -> tuple[Any, str]:
    """What a required column is made of that the file does not hold."""
    if name == "line_number" and "order_id" in columns:
        how = columns["order_id"]
        within = how if isinstance(how, str) else how["hash_of"]
        return {"place_in": within}, "line_number: lines are numbered by their place in the order"
    if name == "customer_id" and (address := _found("email", cells, set()) or _alike("email", cells, set())):
        lower = {"expression": f'LOWER("{address}")'}  # people write theirs in several ways
        return lower, "customer_id: the e-mail, since no id was found; correct it if there is one"
    if name.endswith("_id") and name not in ("customer_id", "product_id"):
        return {"hash_of": cells.columns}, f"{name}: made from all columns; name the one that holds it"
    return _made_up(table, name, columns, cells)


def _made_up(table: str, name: str, columns: dict[str, Any], cells: pl.DataFrame) -> tuple[Any, str]:
    """What a required column is made of that is neither held nor numbered: a person must look."""
    times = [how for known, how in columns.items() if known.endswith("_at") and how != NOT_FOUND]
    if columns_of(CONTRACTS[table])[name].metadata["kind"] == "moment" and times:  # type: ignore[index]
        return times[0], f"{name}: taken from another time; correct it"
    price = _price(cells)
    if name == "amount_minor" and price and isinstance(columns.get("quantity"), str):
        how = {"expression": f'"{columns["quantity"]}" * "{price}"', "minor_units": 2}
        return how, f"amount_minor: pieces times {price}; correct it if that is a line's total"
    amount = columns.get("amount_minor")
    if name == "currency" and isinstance(amount, dict) and "column" in amount:
        written = {currency_code(said) for said in currencies(cells[amount["column"]])}
        if len(written) == 1 and (code := written.pop()):
            return {"constant": code}, f"currency: {code}, as {amount['column']} is written"
    if name in DEFAULTS:
        return DEFAULTS[name], f"{name}: the same in every row; correct it"
    return NOT_FOUND, f"{name}: REQUIRED, not found; name the file's column"


def _decimal_comma(cells: pl.DataFrame, columns: dict[str, Any]) -> bool:
    amounts = [
        how["column"]
        for how in columns.values()
        if isinstance(how, dict) and {"column", "minor_units"} <= how.keys()
    ]
    return any(undecorated(cells[name]).str.contains(r"^-?[\d.]+,\d{1,2}$").any() for name in amounts)


def _named(columns: dict[str, Any]) -> set[str]:
    named: set[str] = set()
    for how in columns.values():
        origins = {"column": how} if isinstance(how, str) else how
        named |= set(pl.sql_expr(origins.get("expression", "1")).meta.root_names())
        for key in ("column", "place_in", "hash_of"):
            named |= {origins[key]} if isinstance(origins.get(key), str) else set(origins.get(key, ()))
    return named


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
