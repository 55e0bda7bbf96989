"""Orders of the simulated retailer: their lines, and the statuses that the lines pass through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from customer_profiles.contracts import CHANNELS
from customer_profiles.simulation.behaviour import Visits
from customer_profiles.simulation.catalogue import Catalogue
from customer_profiles.simulation.shoppers import DAY_SECONDS, Population, draw
from customer_profiles.simulation.visits import STORE, favourite_goods, numbered

VALID, CANCELLED, REFUNDED, RETURNED = range(4)
UNDOING = (0.35, 0.25, 0.40)  # cancelled, refunded, returned
PAYMENTS = ("wechat_pay", "alipay", "card", "cash")
RETURN_SLIP_SHARE = 0.02
PARTIAL_RETURN_SHARE = 0.05


@dataclass(frozen=True)
class Sales:
    """The orders of a day: one row a line in ``lines``, one row a line and status in ``versions``.

    ``lines``: order_id, line_number, customer (number), product (number), fate, completed_at.
    """

    lines: pl.DataFrame
    versions: pl.DataFrame


def sell(
    people: Population,
    catalogue: Catalogue,
    visits: Visits,
    focus: np.ndarray,
    price_level: float,
    day_name: str,
    rng: np.random.Generator,
) -> Sales:
    """Turn the visits that end in an order into lines and all their later statuses."""
    ordering = np.flatnonzero(visits.orders)
    buyer = visits.customer[ordering]
    in_store = visits.channel[ordering] == STORE
    fate = _fates(people, buyer, in_store, rng)
    times = _times(visits.started_at[ordering], in_store, rng)
    order, place = numbered(1 + rng.poisson(people.of_type("lines")[buyer]))
    number, customer = place + 1, buyer[order]
    also = favourite_goods(people, catalogue, customer, draw(people.tastes[customer], rng), rng)
    product = np.where(number == 1, focus[ordering][order], also)
    partly = (fate == VALID)[order] & (number == 2) & (rng.random(order.size) < PARTIAL_RETURN_SHARE)
    lines = pl.DataFrame(
        {
            "order": order,
            "line_number": number,
            "customer": customer,
            "product": product,
            "fate": np.where(partly, RETURNED, fate[order]),
            "in_store": in_store[order],
            **{name: moments[order] for name, moments in times.items()},
            **_prices(people, catalogue, customer, product, price_level, rng),
            "customer_id": people.identity["customer_id"].gather(customer),
            "product_id": catalogue.table["product_id"].gather(product),
            "category": catalogue.table["category"].gather(product),
            "channel": pl.Series(CHANNELS).gather(visits.channel[ordering][order]),
            "payment_method": pl.Series(PAYMENTS).gather(rng.integers(0, 4, ordering.size)[order]),
            "slip": (rng.random(ordering.size) < RETURN_SLIP_SHARE)[order],
        }
    ).with_columns(_order_id(day_name), currency=pl.lit("CNY"))
    return Sales(lines, _versions(lines))


def _order_id(day_name: str) -> pl.Expr:
    compact = day_name.replace("-", "")
    return pl.concat_str(pl.lit(f"O{compact}-"), pl.col("order").cast(pl.String).str.zfill(6)).alias(
        "order_id"
    )


def _fates(
    people: Population, buyer: np.ndarray, in_store: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """What becomes of each order; what was carried home is brought back rather than cancelled."""
    undone = rng.random(buyer.size) >= people.habits.valid_share[buyer]
    fate = np.where(undone, 1 + rng.choice(3, buyer.size, p=UNDOING), VALID)
    return np.where(in_store & (fate == CANCELLED), RETURNED, fate)


def _times(started: np.ndarray, in_store: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """When an order reaches its statuses: everything is settled within seven days."""
    ordered = started + rng.integers(300, 900, started.size)
    shipped = ordered + rng.integers(DAY_SECONDS // 2, 2 * DAY_SECONDS, started.size)
    completed = np.where(
        in_store, ordered, shipped + rng.integers(DAY_SECONDS, 3 * DAY_SECONDS, started.size)
    )
    return {
        "ordered_at": ordered,
        "paid_at": np.where(in_store, ordered, ordered + rng.integers(20, 600, started.size)),
        "shipped_at": shipped,
        "completed_at": completed,
        "cancelled_at": ordered + rng.integers(1200, DAY_SECONDS, started.size),
        "undone_at": completed + rng.integers(3600, DAY_SECONDS * 3 // 2, started.size),
    }


def _prices(
    people: Population,
    catalogue: Catalogue,
    customer: np.ndarray,
    product: np.ndarray,
    price_level: float,
    rng: np.random.Generator,
) -> dict[str, object]:
    pieces = 1 + rng.poisson(people.of_type("pieces")[customer])
    full = (catalogue.prices[product] * pieces * price_level).astype(np.int64)
    reduced = rng.random(customer.size) < people.of_type("discount")[customer]
    discount = np.where(reduced, full * rng.integers(8, 40, customer.size) // 100, 0)
    coupons = pl.Series(["WELCOME10", "SPRING", "VIP88", "FRIEND5"]).gather(rng.integers(0, 4, customer.size))
    told = pl.Series(reduced & (rng.random(customer.size) < 0.6))
    return {
        "quantity": pieces,
        "amount_minor": full - discount,
        "discount_minor": discount,
        "coupon_id": pl.select(pl.when(told).then(coupons)).to_series(),
    }


def _versions(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per line and status, each with the moment at which the status was reached."""
    online, fate = ~pl.col("in_store"), pl.col("fate")
    stays = [
        _version(lines, online, "placed", "ordered_at"),
        _version(lines, online & (fate != CANCELLED), "paid", "paid_at"),
        _version(lines, online & (fate != CANCELLED), "shipped", "shipped_at"),
        _version(lines, fate != CANCELLED, "completed", "completed_at"),
        _version(lines, fate == CANCELLED, "cancelled", "cancelled_at"),
        _version(lines, fate == REFUNDED, "refunded", "undone_at").with_columns(
            refunded_minor=pl.col("amount_minor")
        ),
        _taken_back(_version(lines, fate == RETURNED, "returned", "undone_at")),
        _taken_back(_slips(_version(lines, (fate == VALID) & pl.col("slip"), "returned", "undone_at"))),
    ]
    return pl.concat(stays)


def _version(lines: pl.DataFrame, which: pl.Expr, status: str, moment: str) -> pl.DataFrame:
    return lines.filter(which).select(
        "order_id",
        pl.col("line_number").cast(pl.Int64),
        pl.col(moment).alias("status_at"),
        "customer_id",
        "ordered_at",
        pl.lit(status).alias("status"),
        pl.col("quantity").cast(pl.Int64),
        "amount_minor",
        "currency",
        "product_id",
        "category",
        "channel",
        "discount_minor",
        pl.lit(None, dtype=pl.Int64).alias("refunded_minor"),
        "coupon_id",
        "payment_method",
    )


def _taken_back(versions: pl.DataFrame) -> pl.DataFrame:
    return versions.with_columns(
        -pl.col("quantity"), -pl.col("amount_minor"), discount_minor=pl.lit(None, pl.Int64)
    )


def _slips(versions: pl.DataFrame) -> pl.DataFrame:
    """Goods brought back on a slip that does not name the order they came from."""
    return versions.with_columns(
        order_id=pl.concat_str(pl.lit("R"), pl.col("order_id").str.slice(1)), ordered_at=pl.col("status_at")
    )
