"""What stands in for a column that a table cannot do without and a file does not hold, for `sources init`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from customer_profiles.collection.sources.cells import currencies, currency_code
from customer_profiles.collection.sources.schema_matching import (
    as_numbers,
    column_of,
    column_of_own_ids,
    is_a_total,
    parts_of_a_name,
    unit_of,
)
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import required_columns
from customer_profiles.warehouse.statements import quoted

DEFAULTS: dict[str, dict[str, Any]] = {
    "orders.status": {"constant": "completed"},
    "orders.currency": {"constant": "CNY"},
    "orders.quantity": {"constant": "1"},
    "events.channel": {"constant": "web"},
    "events.event_name": {"constant": "other"},
    "texts.kind": {"constant": "review"},
    "products.category": {"constant": "uncategorised"},
}
"""What stands in for a required column that the file does not hold."""
A_LIST_OF_ONE_DAY = "; of a list that tells no time say {constant: 2026-03-31} and `delivery_day: 2026-03-31`"
UNTOLD = {
    "amount_minor": "; where no money is told say {constant: 0}, and {constant: XXX} as `currency`",
    "updated_at": A_LIST_OF_ONE_DAY,
    "valid_from": A_LIST_OF_ONE_DAY,
    "campaign_id": "; of a file of one campaign say {constant: its name}",
    "arm": "; where all were contacted say {constant: contacted}",
    "randomised": "; say {constant: false} unless chance alone chose who was contacted",
}
"""What else to do about a required column that the file does not hold."""
TELL_ROWS_APART = ("order_id", "event_id", "text_id")
"""Keys that are made from all columns where a file has none."""
NOT_FOUND = {"constant": ""}
"""Stands for one that a person must name."""
OF_ITS_DAY = {"constant": "{day}"}


def stand_in(
    table: str, name: str, columns: dict[str, Any], cells: pl.DataFrame, *, of_a_day: bool
) -> tuple[Any, str]:
    """What a required column is made of that the file does not hold; ``of_a_day`` if its name tells one."""
    if name == "line_number" and "order_id" in columns:
        how = columns["order_id"]
        within = how if isinstance(how, str) else how["hash_of"]
        return {"place_in": within}, "line_number: lines are numbered by their place in the order"
    keys = (*TELL_ROWS_APART, "customer_id", "product_id")
    if name in keys and name == required_columns(table)[0] and (own := column_of_own_ids(cells)):
        return own, f"{name}: taken from {own}, which tells each row apart; is it that?"
    if name == "customer_id" and (address := column_of("email", cells)):
        lower = {"expression": f"LOWER({quoted(address)})"}  # people write theirs in several ways
        return lower, "customer_id: the e-mail, since no id was found; correct it if there is one"
    if name == "order_id" and (bought := _by_whom_and_when(columns)):
        note = "order_id: what a customer buys at one time, since no id was found; correct it if there is one"
        return {"hash_of": bought}, note
    if name in TELL_ROWS_APART:
        return {"hash_of": cells.columns}, f"{name}: made from all columns; name the one that holds it"
    return _made_up(table, name, columns, cells, of_a_day=of_a_day)


def whole_name(cells: pl.DataFrame) -> tuple[Any, str] | None:
    """What a customer's name is made of where first and last name stand apart; None if they do not."""
    if not (parts := parts_of_a_name(cells)):
        return None
    between = "' '" if parts[0].isascii() else "''"
    how = {"expression": f"CONCAT_WS({between}, {quoted(parts[0])}, {quoted(parts[1])})"}
    return how, f"full_name: {parts[0]} and {parts[1]} joined; correct it if names are said in another order"


def _by_whom_and_when(columns: dict[str, Any]) -> list[str]:
    """The file's columns that tell who bought and when; none if one of them is not a column as it is."""
    hows = [columns.get("customer_id"), columns.get("ordered_at")]
    told = [how.get("column") if isinstance(how, dict) else how for how in hows]
    return told if all(told) else []  # type: ignore[return-value]


def _made_up(
    table: str, name: str, columns: dict[str, Any], cells: pl.DataFrame, *, of_a_day: bool
) -> tuple[Any, str]:
    """What a required column is made of that is neither held nor numbered: a person must look."""
    times = [how for known, how in columns.items() if known.endswith("_at") and how != NOT_FOUND]
    is_a_time = columns_of(CONTRACTS[table])[name].metadata["kind"] == "moment"  # type: ignore[index]
    if is_a_time and times:
        return times[0], f"{name}: taken from another time; correct it"
    if is_a_time and of_a_day:
        return OF_ITS_DAY, f"{name}: the day of the file, since no time was found; correct it if there is one"
    if name in OF_OTHERS and (made := OF_OTHERS[name](columns, cells)):
        return made
    if default := DEFAULTS.get(f"{table}.{name}"):
        return default, f"{name}: the same in every row; correct it"
    return NOT_FOUND, f"{name}: REQUIRED, not found; name the file's column{UNTOLD.get(name, '')}"


def _amount(columns: dict[str, Any], cells: pl.DataFrame) -> tuple[Any, str] | None:
    price, pieces = column_of("list_price_minor", cells), columns.get("quantity")
    if price is None or not isinstance(pieces, str):
        return None
    if is_a_total(cells[price], cells[pieces]):
        note = f"amount_minor: {price} seems to be that of all pieces; is it a line's total?"
        return {"column": price, "minor_units": 2}, note
    how = {"expression": f"{quoted(pieces)} * {quoted(price)}", "minor_units": 2}
    return how, f"amount_minor: pieces times {price}; correct it if that is a line's total"


def _currency(columns: dict[str, Any], cells: pl.DataFrame) -> tuple[Any, str] | None:
    amount = columns.get("amount_minor")
    if not (isinstance(amount, dict) and "column" in amount):
        return None
    said = currencies(cells[amount["column"]]) or {unit_of(amount["column"]).upper()}
    written = {currency_code(each) for each in said}
    if len(written) != 1 or not (code := written.pop()):
        return None
    return {"constant": code}, f"currency: {code}, as {amount['column']} is written"


def _status(columns: dict[str, Any], cells: pl.DataFrame) -> tuple[Any, str] | None:
    pieces = columns.get("quantity")
    if not isinstance(pieces, str) or not (as_numbers(cells[pieces]) < 0).any():
        return None
    how = {"expression": f"CASE WHEN {quoted(pieces)} < 0 THEN 'returned' ELSE 'completed' END"}
    return how, f"status: returned where {pieces} is below 0, else completed; correct it"


OF_OTHERS: dict[str, Callable[[dict[str, Any], pl.DataFrame], tuple[Any, str] | None]] = {
    "amount_minor": _amount,
    "currency": _currency,
    "status": _status,
}
"""Columns that others tell, each with how; None where they do not."""
