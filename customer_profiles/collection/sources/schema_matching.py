"""Schema matching: which of a file's columns is meant by a table's, told by names and by cells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Set

import polars as pl

from customer_profiles.collection.parsing import ABSENT, FALSE, TRUE
from customer_profiles.collection.sources.cells import CURRENCY_CODE, as_number, has_decimal_comma
from customer_profiles.collection.sources.names import MEANINGS, NAMES
from customer_profiles.collection.sources.time_formats import are_iso, time_format
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of, spellings
from customer_profiles.contracts.stored import delivered_columns, required_columns

_IN_BRACKETS = r"\s*[(（]([^()（）]*)[)）]"
_CODE = rf"[\s_-]+(?:in[\s_-]+)?((?i:{CURRENCY_CODE}))|(?<=[a-z])({CURRENCY_CODE})"
UNIT = rf"(?<=.)(?:{_IN_BRACKETS}|{_CODE})\s*$"
"""The unit behind a name: ``Unit_Price (EUR)``, ``金额（元）``, ``price_usd``, ``PriceUSD``."""


def held_columns(cells: pl.DataFrame) -> pl.DataFrame:
    """The columns of which a row holds something; all of a file without rows."""
    return cells.select(name for name in cells.columns if not cells.height or tells(cells[name]).any())


def letters(name: str) -> str:
    """A name without accents, what parts its words and the unit behind it."""
    return "".join(filter(str.isalnum, _plain(_without_unit(name)))).casefold()


def _plain(name: str) -> str:
    """Latin letters without accents: ``Währung`` -> ``Wahrung``."""
    parts = unicodedata.normalize("NFD", name)
    return unicodedata.normalize("NFC", re.sub(r"(?<=[A-Za-z])[\u0300-\u036f]+", "", parts))


def _without_unit(name: str) -> str:
    return re.sub(UNIT, "", name)


def unit_of(name: str) -> str:
    """The unit that stands behind a name; empty if none does."""
    found = re.search(UNIT, name)
    return next((unit for unit in found.groups() if unit), "").strip() if found else ""


def matched(column: str, cells: pl.DataFrame, taken: Set[str] = frozenset()) -> str | None:
    """The file's column that holds a table's one: by its own name, then by the commonest other name."""
    here = {letters(name): name for name in reversed(cells.columns) if name not in taken}
    names = [column, *NAMES.get(column, "").split()]
    found = (here[letters(name)] for name in names if letters(name) in here)
    return next((mine for mine in found if not _mistaken(column, mine, cells)), None)


def matched_by_ending(column: str, cells: pl.DataFrame, taken: Set[str] = frozenset()) -> str | None:
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


def only_times(cells: pl.DataFrame, taken: Set[str]) -> str | None:
    """The one free column whose cells are written as times, of a birth apart; None if there are several."""
    others = {*taken, column_of("birth_date", cells)}
    found = [name for name in cells.columns if name not in others and _are_times(cells[name])]
    return found[0] if len(found) == 1 else None


def _are_times(cells: pl.Series) -> bool:
    """Whether all cells are times. Digits alone may be anything."""
    some = cells.filter(tells(cells)).str.strip_chars()
    if not some.len() or some.str.contains(r"^\d+$").any():
        return False
    return are_iso(some) or time_format(some) is not None


def column_of_own_ids(cells: pl.DataFrame) -> str | None:
    """The column that is called ``id`` and no more, where it tells each row apart."""
    found = next((name for name in cells.columns if letters(name) == "id"), None)
    return found if found and tells(cells[found]).all() and cells[found].is_unique().all() else None


def as_numbers(cells: pl.Series) -> pl.Series:
    """The cells that are numbers, with a comma before their fractions if the column has one; else NULL."""
    decimal = "," if has_decimal_comma(cells) else "."
    number = as_number(pl.col(cells.name).str.strip_chars(), decimal)
    return cells.to_frame().select(number).to_series()


def is_a_total(price: pl.Series, pieces: pl.Series) -> bool:
    """Whether a price is that of all pieces: divided by them it takes fewer values, those of one piece."""
    each = as_numbers(price) / as_numbers(pieces)
    return each.round_sig_figs(4).drop_nulls().n_unique() < as_numbers(price).drop_nulls().n_unique()


def column_of(column: str, cells: pl.DataFrame) -> str | None:
    """The file's column that holds a table's one, whichever way it is told."""
    return matched(column, cells) or matched_by_ending(column, cells)


def _ends_with(name: str, end: str) -> bool:
    if end.isascii():
        words, last = words_of(name), words_of(end)
        return len(last[0]) > 1 and words[-len(last) :] == last
    return len(end) > 1 and name.strip().endswith(end)


def words_of(name: str) -> list[str]:
    """``Lineitem quantity``, ``lineitem_quantity`` and ``LineitemQuantity`` -> two words."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z]+", _plain(name))
    return [word.casefold() for word in found] or [""]


def fit(table: str, cells: pl.DataFrame) -> tuple[int, bool]:
    """How many of a file's columns a table takes; one that the table cannot do without counts twice.

    Of equals, the table whose own key is there.
    """
    required = required_columns(table)
    found = {matched(name, cells): name in required for name in delivered_columns(table)}
    worth = sum(1 + needed for column, needed in found.items() if column is not None)
    return worth, matched(required[0], cells) is not None


def absent_columns(table: str, cells: pl.DataFrame) -> int:
    """How many columns that a table cannot do without the file does not hold."""
    return sum(matched(name, cells) is None for name in required_columns(table))


def _is_a_place(found: str, cells: pl.DataFrame) -> bool:
    """Whether a column named ``State`` or ``MailingState`` holds no status that is known."""
    if not letters(found).endswith("state"):
        return False
    known = spellings(columns_of(CONTRACTS["orders"])["status"].metadata or {})
    return not cells[found].str.strip_chars().str.to_lowercase().is_in([*known, *MEANINGS["status"]]).any()


def _is_a_rate(found: str, cells: pl.DataFrame) -> bool:
    """Whether amounts are parts of 1, or of a hundred and say so."""
    rates = as_numbers(cells[found]).drop_nulls()
    percent = cells[found].str.ends_with("%").any()
    return bool(percent or (rates.is_between(0, 1).all() and (rates % 1 > 0).any()))


def _is_of_a_piece(found: str, cells: pl.DataFrame) -> bool:
    """Whether an amount is a piece's and not the line's: a price where pieces are told."""
    mine = letters(found)
    whole = {letters(name) for name in NAMES["amount_minor"].split()} - UNIT_PRICES
    return (
        mine.endswith(tuple(UNIT_PRICES)) and mine not in whole and column_of("quantity", cells) is not None
    )


def _is_no_amount_of_a_line(found: str, cells: pl.DataFrame) -> bool:
    """Whether an amount is a piece's, an order's, or only what was taken off or added."""
    beside = not BESIDE_THE_AMOUNT.isdisjoint(words_of(_without_unit(found)))
    if beside or _is_a_flag(cells[found]):
        return True
    return _is_pieces(found, cells) or _is_of_a_piece(found, cells) or _is_of_an_order(found, cells)


def _is_a_flag(cells: pl.Series) -> bool:
    """Whether a column says yes or no: ``paid`` may be an amount."""
    said = cells.filter(tells(cells)).str.strip_chars().str.to_lowercase().unique()
    return said.len() > 1 and said.is_in([*TRUE, *FALSE]).all()


def _is_pieces(found: str, cells: pl.DataFrame) -> bool:
    """Whether ``Amount`` counts pieces: whole numbers beside a price, 1 the commonest."""
    if letters(found) != "amount" or column_of("list_price_minor", cells) is None:
        return False
    numbers = as_numbers(cells[found]).drop_nulls()
    return bool(numbers.len() and (numbers % 1 == 0).all() and (numbers.mode() == 1).any())


def _is_no_number_of_pieces(found: str, cells: pl.DataFrame) -> bool:
    return letters(found).endswith("amount") and not _is_pieces(found, cells)


def _is_no_place(found: str, cells: pl.DataFrame) -> bool:
    """Whether what is called a line is a range of products."""
    return bool((as_numbers(cells[found]).is_null() & tells(cells[found])).any())


def _is_of_an_order(found: str, cells: pl.DataFrame) -> bool:
    """Whether an amount stands on an order's first line alone: not on all lines that tell pieces."""
    pieces = column_of("quantity", cells)
    if pieces is None or column_of("list_price_minor", cells) is None:
        return False
    return bool((tells(cells[pieces]) & ~tells(cells[found])).any())


def tells(cells: pl.Series) -> pl.Series:
    """Which cells hold something."""
    return ~cells.str.strip_chars().is_in(ABSENT).fill_null(True)


def _is_no_order(found: str, cells: pl.DataFrame) -> bool:
    """Whether it is a name (orders are named ``#1001``), or empty in some rows that have ids of their own."""
    if letters(found).endswith("name") and not cells[found].str.contains(r"\d\s*$").all():
        return True
    return not tells(cells[found]).all() and column_of_own_ids(cells) is not None


def _are_no_stars(found: str, cells: pl.DataFrame) -> bool:
    """Whether words stand where a number should: ``What is the reason for your score?``."""
    return bool((tells(cells[found]) & ~cells[found].str.contains(r"\d")).any())


def _is_of_a_device(found: str, cells: pl.DataFrame) -> bool:
    return found == column_of("device", cells)


def parts_of_a_name(cells: pl.DataFrame) -> list[str]:
    """The columns that hold first and last names, in the order in which they are said; none if not both."""
    given, family = (column_of(part, cells) for part in ("given_name", "family_name"))
    if given is None or family is None:
        return []
    return [given, family] if family.isascii() else [family, given]


def _is_a_part_of_a_name(found: str, cells: pl.DataFrame) -> bool:
    return found in parts_of_a_name(cells)


UNIT_PRICES = {"price", "unitprice", "单价", "价格", "preis", "prix", "precio", "preco", "prezzo"}
"""Names of an amount that is a piece's where pieces are told, not the line's."""
BESIDE_THE_AMOUNT = {"discount", "refund", "refunded", "tax", "shipping", "fee"}
"""Words of an amount that is not what was paid for goods."""
MISTAKEN: dict[str, Callable[[str, pl.DataFrame], bool]] = {
    "status": _is_a_place,
    "discount_minor": _is_a_rate,
    "refunded_minor": _is_of_an_order,
    "amount_minor": _is_no_amount_of_a_line,
    "quantity": _is_no_number_of_pieces,
    "line_number": _is_no_place,
    "order_id": _is_no_order,
    "rating": _are_no_stars,
    "category": _is_of_a_device,
    "full_name": _is_a_part_of_a_name,
}
"""How a file's column of a fitting name shows that it is something else."""


def _mistaken(name: str, found: str, cells: pl.DataFrame) -> bool:
    return name in MISTAKEN and MISTAKEN[name](found, cells)
