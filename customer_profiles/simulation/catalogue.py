"""What the retailer sells: categories, products, prices and their changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from customer_profiles.simulation.words import BRANDS, CATEGORIES, GOODS, STYLES

PRODUCTS_PER_CATEGORY = 40
TYPICAL_PRICE_MINOR = {
    "phones": 29_900,
    "computers": 59_900,
    "games": 25_900,
    "beauty": 16_900,
    "fashion": 19_900,
    "shoes_bags": 23_900,
    "mother_baby": 12_900,
    "toys": 8_900,
    "groceries": 4_900,
    "snacks": 2_900,
    "household": 4_500,
    "sports": 11_900,
}


@dataclass
class Catalogue:
    """Products in the order of category, then price; ``prices`` change as days go by.

    ``table`` holds what never changes: product_id, name, category, brand.
    """

    table: pl.DataFrame
    category: np.ndarray
    prices: np.ndarray

    def choose(self, categories: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Product numbers: ``places`` in [0, 1) go from the cheapest to the dearest of a category."""
        return categories * PRODUCTS_PER_CATEGORY + (places * PRODUCTS_PER_CATEGORY).astype(np.int64)


def stock(rng: np.random.Generator) -> Catalogue:
    """The products on the first day."""
    rows: list[tuple[str, str, str, str, int]] = []
    for category, words in GOODS.items():
        prices = np.sort(TYPICAL_PRICE_MINOR[category] * np.exp(rng.normal(0, 0.6, PRODUCTS_PER_CATEGORY)))
        for place, price in enumerate(prices):
            zh, en = words[int(rng.integers(len(words)))]
            style_zh, style_en = STYLES[int(rng.integers(len(STYLES)))]
            brand = BRANDS[int(rng.integers(len(BRANDS)))]
            number = len(rows) + 1
            name = f"{brand} {style_zh}{zh} {style_en} {en.title()} {place + 1}"
            rows.append((f"P{number:05d}", name, category, brand, int(price // 100 * 100 + 90)))
    table = pl.DataFrame(
        rows,
        schema=["product_id", "name", "category", "brand", "list_price_minor"],
        orient="row",
    )
    categories = np.repeat(np.arange(len(CATEGORIES)), PRODUCTS_PER_CATEGORY)
    today = table["list_price_minor"].to_numpy().astype(np.int64)
    return Catalogue(table.drop("list_price_minor"), categories, today)


def price_list(catalogue: Catalogue, products: np.ndarray, valid_from: np.ndarray) -> pl.DataFrame:
    """Rows of the ``products`` table for some products, at today's prices.

    ``valid_from`` are local seconds since 1970, as all moments inside the simulation.
    """
    prices = catalogue.prices[products]
    return catalogue.table[products].with_columns(
        valid_from=pl.Series(valid_from, dtype=pl.Int64),
        list_price_minor=pl.Series(prices, dtype=pl.Int64),
        cost_minor=pl.Series((prices * 0.62).astype(np.int64), dtype=pl.Int64),
    )


def change_prices(catalogue: Catalogue, rng: np.random.Generator) -> np.ndarray:
    """Change the prices of about 1 % of the products in place; their numbers are returned."""
    changed = np.flatnonzero(rng.random(catalogue.prices.size) < 0.01)
    factor = rng.choice([0.85, 0.9, 1.05, 1.1], changed.size)
    catalogue.prices[changed] = (catalogue.prices[changed] * factor).astype(np.int64) // 10 * 10
    return changed
