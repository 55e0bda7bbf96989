"""What the category of a search is told by: the names that products and categories had on its day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from customer_profiles.collection.tables import RAW
from customer_profiles.warehouse import Session

Categories = Mapping[date, Mapping[str, str]]
"""For each day, product and category names with their categories: its words."""
NO_WORDS: Categories = {}


def category_words(warehouse: Session, days: Sequence[date]) -> Categories:
    """For each of the ascending ``days``, the product and category names that were delivered by then."""
    rows = warehouse.read(RAW["products"], None, days[-1]).select("delivery_day", "name", "category")
    products = warehouse.collect(rows.drop_nulls().unique())
    words: dict[str, str] = {}
    by_day: dict[date, Mapping[str, str]] = {}
    delivered: date | None = None
    for day in days:
        since = pl.lit(True) if delivered is None else pl.col("delivery_day") > delivered
        new = products.filter(since, pl.col("delivery_day") <= day)
        words = words | _names(new.select("name", "category"))
        by_day[day], delivered = words, day
    return by_day


def _names(products: pl.DataFrame) -> dict[str, str]:
    names = dict(products.select("name", "category").sort("name", "category").iter_rows())
    return {category: category for category in names.values()} | names
