"""What visits leave behind: rows of the ``events`` table."""

from __future__ import annotations

import numpy as np
import polars as pl

from customer_profiles.contracts import CHANNELS
from customer_profiles.simulation.behaviour import Visits
from customer_profiles.simulation.catalogue import Catalogue
from customer_profiles.simulation.shoppers import Population
from customer_profiles.simulation.words import CATEGORIES, GOODS, SEARCH_PATTERNS

FUNNEL = (
    "login",
    "page_view",
    "search",
    "product_view",
    "favourite",
    "add_to_cart",
    "remove_from_cart",
    "checkout_start",
    "share",
    "social_post",
    "social_like",
    "service_contact",
)
ABOUT_PRODUCTS = ("product_view", "favourite", "add_to_cart", "remove_from_cart", "share")
IN_CARTS = ("add_to_cart", "remove_from_cart")
ONLINE_ONLY = ("login", "page_view", "search", "favourite")
WEB, APP, MINI_PROGRAM, STORE = (CHANNELS.index(name) for name in ("web", "app", "mini_program", "store"))
DEVICES = ("desktop", "android", "ios")
ANONYMOUS_SHARE = 0.15
STRANGERS_PER_VISIT = 0.06
SHARED_COOKIE, SHARED_SHARE = "ck-kiosk-01", 0.003


def favourite_goods(
    people: Population,
    catalogue: Catalogue,
    customers: np.ndarray,
    categories: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """A product of the category for each customer, near the price level of their type."""
    places = people.of_type("dearness")[customers] + rng.normal(0, 0.22, customers.size)
    return catalogue.choose(categories, places.clip(0, 0.999))


def cookies(customers: np.ndarray) -> pl.Series:
    """The cookie of each customer's browser."""
    scrambled = (customers.astype(np.uint64) + 1) * 0x9E3779B1 % (1 << 40)
    return pl.select(
        pl.concat_str(pl.lit("ck-"), pl.Series(scrambled).cast(pl.String).str.zfill(13))
    ).to_series()


def _browsers(visits: Visits, rng: np.random.Generator) -> pl.Series:
    """Cookie of each visit: a few are made at a machine that many share."""
    shared = pl.Series(rng.random(visits.customer.size) < SHARED_SHARE)
    return cookies(visits.customer).set(shared, SHARED_COOKIE)


def events_of(
    people: Population,
    catalogue: Catalogue,
    visits: Visits,
    focus: np.ndarray,
    day_name: str,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Events of a day's visits, in the order of a visit's funnel; ``focus`` is each visit's product.

    Beside the contract's columns: ``visitor``, the customer's number, also where the event is anonymous.
    """
    counts = _counts(people, visits, rng)
    visit, place = numbered(counts.sum(axis=1))
    kinds = np.repeat(np.tile(np.arange(len(FUNNEL)), counts.shape[0]), counts.ravel())
    customer, channel = visits.customer[visit], visits.channel[visit]
    at = visits.started_at[visit] + place * 40 + rng.integers(0, 40, visit.size)
    stray = rng.random(visit.size) < 0.5
    category = visits.category[visit]
    product = np.where(stray, favourite_goods(people, catalogue, customer, category, rng), focus[visit])
    anonymous = _unnamed(visits, counts, rng)
    device = np.where(visits.channel == WEB, 0, 1 + visits.customer % 2)
    frame = pl.DataFrame(
        {
            "number": np.arange(visit.size),
            "visitor": customer,
            "event_at": at,
            "event_name": pl.Series(FUNNEL).gather(kinds),
            "channel": pl.Series(CHANNELS).gather(channel),
            "customer_id": people.identity["customer_id"].gather(customer),
            "anonymous_id": _browsers(visits, rng).gather(visit),
            "visit": visit,
            "device": pl.Series(DEVICES).gather(device[visit]),
            "product_id": catalogue.table["product_id"].gather(product),
            "category": pl.Series(CATEGORIES).gather(category),
            "search_query": _queries(people, customer, category, kinds == FUNNEL.index("search"), rng),
            "dwell_ms": rng.gamma(1.5, 12_000, visit.size).astype(np.int64),
            "anonymous": anonymous[visit],
            "told": rng.random(visit.size) < 0.5,
        }
    )
    return frame.select(_event_columns(day_name, "E"))


def numbered(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``counts[i]`` rows of each i: of which i a row is, and its place among them from 0."""
    which = np.repeat(np.arange(counts.size), counts)
    return which, np.arange(which.size) - np.repeat(np.cumsum(counts) - counts, counts)


def _unnamed(visits: Visits, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Visits of customers who do not say who they are: no login, no order."""
    shy = rng.random(visits.customer.size) < ANONYMOUS_SHARE
    open_doors = np.isin(visits.channel, (WEB, MINI_PROGRAM))
    return np.asarray(shy & open_doors & ~visits.orders & (counts[:, FUNNEL.index("login")] == 0))


def strangers(visits: Visits, catalogue: Catalogue, day_name: str, rng: np.random.Generator) -> pl.DataFrame:
    """Views by people whom nobody knows: a cookie that never becomes a customer's."""
    count = int(rng.poisson(STRANGERS_PER_VISIT * visits.customer.size))
    views = 1 + rng.poisson(1.0, count)
    visit, place = numbered(views)
    like = rng.integers(0, max(visits.customer.size, 1), count)
    started = visits.started_at[like] if count else np.zeros(0, dtype=np.int64)
    product = rng.integers(0, catalogue.prices.size, visit.size)
    frame = pl.DataFrame(
        {
            "number": np.arange(visit.size),
            "visitor": np.full(visit.size, -1),
            "event_at": started[visit] + place * 40 if count else started,
            "event_name": pl.Series(["product_view"]).gather(np.zeros(visit.size, dtype=np.int64)),
            "channel": pl.Series(["web"]).gather(np.zeros(visit.size, dtype=np.int64)),
            "customer_id": pl.Series([None] * visit.size, dtype=pl.String),
            "anonymous_id": pl.Series(
                [f"ck-{day_name}-{number}" for number in range(count)], dtype=pl.String
            ).gather(visit),
            "visit": visit,
            "device": pl.Series(["desktop"]).gather(np.zeros(visit.size, dtype=np.int64)),
            "product_id": catalogue.table["product_id"].gather(product),
            "category": catalogue.table["category"].gather(product),
            "search_query": pl.Series([None] * visit.size, dtype=pl.String),
            "dwell_ms": rng.gamma(1.5, 12_000, visit.size).astype(np.int64),
            "anonymous": np.ones(visit.size, dtype=bool),
            "told": np.ones(visit.size, dtype=bool),
        }
    )
    return frame.select(_event_columns(day_name, "A"))


def _counts(people: Population, visits: Visits, rng: np.random.Generator) -> np.ndarray:
    """How many events of each kind (columns, in the funnel's order) a visit (rows) has."""
    pages = people.of_type("pages")[visits.customer]
    social = people.of_type("social")[visits.customer]
    keen = visits.interested.astype(np.float64)
    mean = {
        "page_view": 0.3 * pages,
        "search": 0.25 + 0.7 * keen,
        "product_view": 0.35 * pages + 1.6 * keen,
        "favourite": 0.05 + 0.25 * keen,
        "add_to_cart": 0.05 + 0.9 * keen,
        "remove_from_cart": 0.02 + 0.05 * keen,
        "share": 0.3 * social,
        "social_post": 0.1 * social,
        "social_like": 0.6 * social,
    }
    chance = {
        "login": 0.35 + 0 * keen,
        "checkout_start": 0.02 + 0.12 * keen,
        "service_contact": 0.012 + 0 * keen,
    }
    counts = np.zeros((keen.size, len(FUNNEL)), dtype=np.int64)
    for place, name in enumerate(FUNNEL):
        counts[:, place] = rng.poisson(mean[name]) if name in mean else rng.random(keen.size) < chance[name]
    in_store = ~np.isin(
        visits.channel, (WEB, APP, MINI_PROGRAM, CHANNELS.index("social"), CHANNELS.index("email"))
    )
    for name in ONLINE_ONLY:
        counts[in_store, FUNNEL.index(name)] = 0
    counts[:, FUNNEL.index("add_to_cart")] += visits.orders
    counts[:, FUNNEL.index("checkout_start")] |= visits.orders
    counts[:, FUNNEL.index("page_view")] += ~in_store
    counts[:, FUNNEL.index("product_view")] += in_store
    return counts


def _queries(
    people: Population,
    customer: np.ndarray,
    category: np.ndarray,
    searches: np.ndarray,
    rng: np.random.Generator,
) -> pl.Series:
    """Search words in the customer's language; NULL where ``searches`` is false."""
    at = np.flatnonzero(searches)
    pool: list[str] = []
    for language, patterns in enumerate(SEARCH_PATTERNS.values()):
        for goods in GOODS.values():
            pool += [pattern.format(word=word[language]) for word in goods for pattern in patterns]
    per_category = len(next(iter(GOODS.values()))) * len(SEARCH_PATTERNS["zh"])
    english = (people.identity["language"] == "en").to_numpy()[customer[at]]
    place = (english * len(GOODS) + category[at]) * per_category + rng.integers(0, per_category, at.size)
    words = np.full(customer.size, -1)
    words[at] = place
    places = pl.Series(words)
    return pl.Series(pool).gather(places.set(places < 0, None))


def _event_columns(day_name: str, prefix: str) -> list[pl.Expr | str]:
    compact = day_name.replace("-", "")
    store = pl.col("channel").is_in(["store", "call_centre"])
    about_product = pl.col("event_name").is_in(ABOUT_PRODUCTS)
    search = pl.col("event_name") == "search"
    return [
        pl.concat_str(pl.lit(f"{prefix}{compact}-"), pl.col("number").cast(pl.String).str.zfill(7)).alias(
            "event_id"
        ),
        "event_at",
        "event_name",
        "channel",
        pl.when(~pl.col("anonymous")).then("customer_id").alias("customer_id"),
        pl.when(pl.col("anonymous") | (pl.col("channel") == "web"))
        .then("anonymous_id")
        .alias("anonymous_id"),
        pl.concat_str(pl.lit(f"S{prefix}{compact}-"), pl.col("visit").cast(pl.String)).alias("session_id"),
        pl.when(~store).then("device").alias("device"),
        pl.when(about_product).then("product_id").alias("product_id"),
        pl.when(about_product | (search & pl.col("told"))).then("category").alias("category"),
        "search_query",
        pl.when(pl.col("event_name").is_in(["page_view", "product_view"])).then("dwell_ms").alias("dwell_ms"),
        pl.when(pl.col("event_name").is_in(IN_CARTS)).then(pl.lit(1, pl.Int64)).alias("quantity"),
        "visitor",
    ]


def sign_ups(people: Population, day_start: int, day_end: int) -> np.ndarray:
    """Numbers of the customers who register between two moments."""
    return np.flatnonzero((people.registered_at >= day_start) & (people.registered_at < day_end))
