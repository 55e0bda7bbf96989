"""Loading a delivery once: vault first, then raw rows and the ledger in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import narwhals as nw
import polars as pl

from customer_profiles.collection.door import Door, Received, receive
from customer_profiles.collection.reading import Delivery, DeliveryError
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.tables import DELIVERIES, PERSONAL, RAW
from customer_profiles.warehouse import Session

Delivered = Mapping[str, frozenset[date]]
"""Per table the days of which a delivery was loaded."""


@dataclass(frozen=True)
class Loaded:
    """What became of a day's delivery: ``fate`` is loaded, kept, changed or absent."""

    fate: str
    rows: int = 0
    says: str = ""


def load_day(
    warehouse: Session,
    vault: Session,
    door: Door,
    table: str,
    day: date,
    *,
    known: pl.DataFrame,
    categories: Mapping[str, str] | None = None,
    rebuild: bool = False,
) -> Loaded:
    """Load the delivery of a table and day, unless it was loaded before.

    ``known`` are the ledger's rows of the table and day. A loaded delivery is history: a file that
    changed since is left alone and named, unless ``rebuild`` says to rewrite the day. Raises
    ``DeliveryError`` if a file is not what it says; then nothing of this day and table is changed.
    """
    delivery = find_delivery(door.home, table, day)
    if known.height and not rebuild:
        return _kept(delivery, known)
    if delivery is None:
        if rebuild:
            _forget(warehouse, vault, table, day)
        return Loaded("absent", says="no delivery: zero rows")
    received = receive(delivery, door, categories)
    _store(warehouse, vault, table, day, received, rebuild=rebuild)
    extra = f"; unknown columns kept sealed: {list(received.unknown_columns)}"
    says = f"loaded {len(delivery.parts)} file(s)" + (extra if received.unknown_columns else "")
    return Loaded("loaded", received.rows.height, says)


def ledger(warehouse: Session, table: str, first: date, last: date) -> pl.DataFrame:
    """The ledger's rows of a table and a range of days: one a file that was loaded."""
    rows = warehouse.read(DELIVERIES, first, last).filter(nw.col("table_name") == table)
    return warehouse.collect(rows.select("delivery_day", "source", "sha256", "rows"))


def delivered(warehouse: Session, last: date | None = None) -> Delivered:
    """Per table the days of which a delivery was loaded, up to ``last``."""
    rows = warehouse.collect(
        warehouse.read(DELIVERIES, None, last).select("table_name", "delivery_day").unique()
    )
    days = {table: frozenset[date]() for table in RAW}
    for (table,), part in rows.group_by("table_name"):
        days[str(table)] = frozenset(part["delivery_day"])
    return days


def category_words(warehouse: Session, door: Door, days: list[date]) -> Iterator[dict[str, str]]:
    """For each of the ascending ``days``, the product and category names known by then.

    Names of these days are read from the products' own deliveries, since ``raw/products`` may load
    them at the same time; a products file that cannot be read is left to the asset that reports it.
    """
    words: dict[str, str] = {}
    if days:
        before = warehouse.read(RAW["products"]).filter(nw.col("delivery_day") < days[0])
        words |= _names(warehouse.collect(before.select("name", "category").drop_nulls().unique()))
    for day in days:
        try:
            delivery = find_delivery(door.home, "products", day)
            if delivery is not None:
                rows = receive(delivery, door).rows
                words |= _names(rows.select("name", "category").drop_nulls())
        except DeliveryError:
            pass
        yield dict(words)


def _names(products: pl.DataFrame) -> dict[str, str]:
    names = dict(products.select("name", "category").sort("name", "category").iter_rows())
    return {category: category for category in names.values()} | names


def _kept(delivery: Delivery | None, known: pl.DataFrame) -> Loaded:
    rows = int(known["rows"].sum())
    if delivery is None:
        return Loaded("kept", rows, "loaded before; its file is gone")
    if sorted(part.digest() for part in delivery.parts) == sorted(known["sha256"]):
        return Loaded("kept", rows, "loaded before, unchanged")
    return Loaded(
        "changed",
        rows,
        "the file changed after it was loaded; the rows as loaded are kept. To rewrite the day: "
        f"customer-profiles run --rebuild {delivery.day}",
    )


def _store(
    warehouse: Session, vault: Session, table: str, day: date, received: Received, *, rebuild: bool
) -> None:
    partition = {"delivery_day": day, "table_name": table}
    columns = (pl.lit(day).alias("delivery_day"), pl.lit(table).alias("table_name"))
    if rebuild or not received.personal.is_empty():
        vault.write(PERSONAL, partition, received.personal.with_columns(*columns))
    with warehouse.transaction():
        warehouse.replace(RAW[table], {"delivery_day": day}, received.rows)
        warehouse.replace(DELIVERIES, partition, received.files)


def _forget(warehouse: Session, vault: Session, table: str, day: date) -> None:
    partition = {"delivery_day": day, "table_name": table}
    vault.delete(PERSONAL, partition)
    with warehouse.transaction():
        warehouse.delete(RAW[table], {"delivery_day": day})
        warehouse.delete(DELIVERIES, partition)
