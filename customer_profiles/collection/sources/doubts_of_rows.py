"""What sound rows say that is seldom meant: rows lost to others, cents taken for units, totals for lines."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from customer_profiles.collection.parsing import E_MAIL
from customer_profiles.contracts import Pii
from customer_profiles.contracts.stored import columns_with, delivered_columns, key_columns

HABITS = {"orders": "ordered_at", "events": "event_at"}
"""Tables of what customers do, each with the time that tells at which hours they do it."""
MANY_ROWS, MANY_CUSTOMERS = 20, 20
MOST_OF_ONE, TIMES_THE_NEXT = 0.05, 5
"""A share of the rows, and so many times as many as the next one has, that are seldom one customer's."""
CLEARLY_FEWER = 0.9
"""So much of another number is fewer, whatever rounding and chance take from it."""
FEW_ORDERS = 5
"""So many orders may have lines that cost the same by chance."""


def doubts_of_rows(table: str, sound: pl.DataFrame, timezone: str) -> tuple[str, ...]:
    """What is doubtful about the ``sound`` rows of a delivery."""
    asked = (_told_on_every_line, _of_one_piece, _given_back, _of_several_customers)
    of_orders = [doubt for ask in asked for doubt in ask(sound)] if table == "orders" else []
    of_habits = (*_at_one_time(table, sound, timezone), *_of_one(sound)) if table in HABITS else ()
    of_any = (
        *_displaced(table, sound),
        *_written_with_a_fraction(table, sound),
        *_addresses_in_clear(table, sound),
    )
    return (*of_any, *of_orders, *of_habits)


def _displaced(table: str, sound: pl.DataFrame) -> Iterator[str]:
    """Rows that another one of their key displaces, though they say something else."""
    key = list(key_columns(table))
    if not (lost := sound.height - sound.select(key).unique().height):
        return
    told = [name for name in delivered_columns(table) if name in sound.columns and name not in key]
    unlike = (
        sound.group_by(key).agg(pl.col(told).n_unique() > 1).select(pl.col(told).any()).row(0, named=True)
    )
    differ = [name for name, differs in unlike.items() if differs]
    yield (
        f"{lost:,} of {sound.height:,} rows have the {', '.join(key)} of another one, and the last of each "
        f"counts alone, though they differ in {', '.join(differ) or 'columns that no table knows'}; if each "
        f"is a row of its own, make a key that tells them apart (`place_in`, `hash_of`)"
    )


def _written_with_a_fraction(table: str, sound: pl.DataFrame) -> Iterator[str]:
    """Amounts such as 100.00, which count as 100 minor units if nobody says that they have a fraction."""
    for name in columns_with(table, "unit", "minor units"):
        if many := int(sound["repairs"].list.contains(f"{name}|decimal_to_whole").sum()):
            yield (
                f"{name} is written with a fraction in {many:,} of {sound.height:,} rows, such as 100.00, "
                f"and was taken for 100 minor units (cents); if it is not, say `minor_units: 2`"
            )


def _addresses_in_clear(table: str, sound: pl.DataFrame) -> Iterator[str]:
    """Addresses of e-mail in columns that are kept as they are."""
    plain = [name for name in columns_with(table, "pii", Pii.NONE) if sound.schema[name] == pl.String]
    found = sound.select(pl.col(plain).str.contains(E_MAIL).sum()).row(0, named=True)
    for name, many in found.items():
        if many:
            yield (
                f"{name} holds an e-mail address in {many:,} of {sound.height:,} rows and would be stored in "
                f"clear; map another column to it"
            )


def _told_on_every_line(orders: pl.DataFrame) -> Iterator[str]:
    """Orders with the same amount on each of their lines: a total, which would count once a line."""
    amount = pl.col("amount_minor")
    several = (
        orders.group_by("order_id")
        .agg(
            pl.col("line_number", "product_id").n_unique(),
            amount.first().alias("first"),
            (amount.n_unique() == 1).alias("alike"),
        )
        .filter(pl.col("line_number") > 1, pl.col("first") != 0)
    )
    if orders["product_id"].count():  # two pieces of one thing cost the same
        several = several.filter(pl.col("product_id") > 1)
    alike = several["alike"].sum()
    if alike > FEW_ORDERS and 2 * alike > several.height:
        yield (
            f"amount_minor is the same on all lines of {alike:,} of {several.height:,} orders with several; "
            f"if it is the order's total, it counts once a line: map a line's own amount, or spread it: "
            f"total * line / SUM(line) OVER (PARTITION BY order)"
        )


def _of_one_piece(orders: pl.DataFrame) -> Iterator[str]:
    """Amounts that are a piece's, or were multiplied though they were all pieces'.

    Goods have fewer prices than their lines have totals, whatever is divided by the pieces.
    """
    several = orders.filter(pl.col("quantity") != 0, pl.col("amount_minor") != 0)
    if several.filter(pl.col("quantity").abs() > 1).height < MANY_ROWS:
        return
    each = several["amount_minor"] / several["quantity"]
    totals = several["amount_minor"].n_unique()
    prices, parts = (one.round_sig_figs(4).n_unique() for one in (each, each / several["quantity"]))
    if totals < CLEARLY_FEWER * prices:
        yield (
            f"amount_minor looks like what one piece costs: it takes {totals:,} values, and {prices:,} if it "
            f"is divided by quantity; say what was paid for all pieces of the line, such as price * quantity"
        )
    elif parts < CLEARLY_FEWER * prices:
        yield (
            f"amount_minor looks multiplied by quantity twice: divided by it once it takes {prices:,} "
            f"values, and {parts:,} divided twice; if the file's price is that of all pieces, map it as it is"
        )


def _given_back(orders: pl.DataFrame) -> Iterator[str]:
    """Refunds and returns of which a part would count: above their line's cost, or behind a newer return."""
    above = orders.filter(pl.col("refunded_minor") > pl.col("amount_minor").abs()).height
    if above:
        yield (
            f"refunded_minor is above amount_minor in {above:,} of {orders.height:,} rows, and counts up to "
            f"it alone; spread what a whole order got back: x * line / SUM(line) OVER (PARTITION BY order)"
        )
    returned = orders.filter(status="returned")
    hidden = returned.height - returned.select("order_id", "line_number").unique().height
    if hidden:
        yield (
            f"of several returns of a line the newest counts: {hidden:,} of {returned.height:,} are hidden; "
            f"if each gave back a part, give it an order_id of its own, such as the refund's number"
        )


def _of_several_customers(orders: pl.DataFrame) -> Iterator[str]:
    """Orders that more than one customer has: numbers that begin anew at every till, or every day."""
    customers = orders.group_by("order_id").agg(pl.col("customer_key").drop_nulls().n_unique())
    if many := (customers["customer_key"] > 1).sum():
        yield (
            f"{many:,} of {customers.height:,} orders have several customers; if numbers begin anew in every "
            f"shop, at every till or on every day, name these in order_id: expression: shop || '-' || number"
        )


def _at_one_time(table: str, sound: pl.DataFrame, timezone: str) -> Iterator[str]:
    """Rows all at one time of the day, mostly midnight: days that were written with an hour."""
    name = HABITS[table]
    hourly = sound.filter(pl.col(name.replace("_at", "_hour")).is_not_null())[name]
    times = hourly.dt.convert_time_zone(timezone).dt.time()
    if times.len() >= MANY_ROWS and times.n_unique() == 1:
        yield (
            f"{name} is at {times[0]} in all {times.len():,} rows that tell an hour, and counts as "
            f"everybody's habit; if the hours say nothing, say `day_precise: true`"
        )


def _of_one(sound: pl.DataFrame) -> Iterator[str]:
    """A customer who has far more rows than any other: a word that stands for whoever is not known."""
    most = sound["customer_key"].drop_nulls().value_counts(name="rows")["rows"].sort(descending=True)
    if most.len() < MANY_CUSTOMERS or most[0] < max(MOST_OF_ONE * sound.height, TIMES_THE_NEXT * most[1]):
        return
    yield (
        f"customer_id: one customer has {most[0]:,} of {sound.height:,} rows, the next one {most[1]:,}; if "
        f"it is a word for whoever is not known (guest, nan, 0), leave its rows out by `drop`, or say "
        f"`expression: NULLIF(x, 'guest')`"
    )
