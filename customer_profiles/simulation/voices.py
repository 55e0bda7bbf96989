"""What customers write: reviews of what they bought and talks with the service."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from customer_profiles.simulation import words
from customer_profiles.simulation.catalogue import Catalogue
from customer_profiles.simulation.sales import CANCELLED, VALID, Sales
from customer_profiles.simulation.shoppers import DAY_SECONDS, Population

REVIEW_SHARE = 0.16
LANGUAGES = ("zh", "en")
ODD_RATING_SHARE = 0.04


def product_quality(catalogue: Catalogue, rng: np.random.Generator) -> np.ndarray:
    """How good each product really is, around 0."""
    return rng.normal(0.3, 0.6, catalogue.prices.size)


def reviews(
    people: Population, quality: np.ndarray, sales: Sales, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reviews of a day's order lines, written up to five days after they arrive; and their truth.

    The truth has text_id, sentiment (-1, 0, 1), topic.
    """
    written = pl.Series(rng.random(sales.lines.height) < REVIEW_SHARE)
    lines = sales.lines.filter(written & (sales.lines["fate"] != CANCELLED))
    product, customer = lines["product"].to_numpy(), lines["customer"].to_numpy()
    content = quality[product] + rng.normal(0, 0.8, lines.height) - 1.2 * (lines["fate"] != VALID).to_numpy()
    feeling = np.digitize(content, [-0.5, 0.2])
    topic = rng.choice(len(words.TOPICS), lines.height, p=[0.25, 0.45, 0.2, 0.1])
    english = (people.identity["language"] == "en").to_numpy()[customer].astype(np.int64)
    rating = np.array([1, 3, 4])[feeling] + (rng.random(lines.height) < 0.5) * np.array([1, 0, 1])[feeling]
    odd = rng.random(lines.height) < ODD_RATING_SHARE
    frame = pl.DataFrame(
        {
            "text_id": pl.select(
                pl.concat_str(
                    pl.lit("T"), lines["order_id"], pl.lit("-"), lines["line_number"].cast(pl.String)
                )
            ).to_series(),
            "customer_id": lines["customer_id"],
            "kind": pl.Series(["review"]).gather(np.zeros(lines.height, dtype=np.int64)),
            "created_at": lines["completed_at"].to_numpy()
            + rng.integers(3600, 5 * DAY_SECONDS, lines.height),
            "body": _bodies(english, feeling, topic, rng),
            "rating": np.where(odd, 6 - rating, rating),
            "language": pl.Series(LANGUAGES).gather(english),
            "product_id": lines["product_id"],
            "order_id": lines["order_id"],
            "resolved_at": pl.Series([None] * lines.height, dtype=pl.Int64),
        }
    )
    return frame, _truth(frame, feeling, topic)


def service_talks(
    people: Population, events: pl.DataFrame, day_end: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One talk for each known customer's service contact; a third stays an open complaint."""
    contacts = events.filter(
        (pl.col("event_name") == "service_contact") & pl.col("customer_id").is_not_null()
    )
    count = contacts.height
    customer = contacts["visitor"].to_numpy()
    english = (people.identity["language"] == "en").to_numpy()[customer].astype(np.int64)
    feeling = rng.choice(3, count, p=[0.65, 0.3, 0.05])
    topic = rng.choice(len(words.TOPICS), count, p=[0.4, 0.3, 0.1, 0.2])
    created = contacts["event_at"].to_numpy()
    settled = np.minimum(created + rng.integers(600, 18_000, count), day_end - 1)
    frame = pl.DataFrame(
        {
            "text_id": pl.select(pl.concat_str(pl.lit("T"), contacts["event_id"])).to_series(),
            "customer_id": contacts["customer_id"],
            "kind": pl.Series(["service_chat"]).gather(np.zeros(count, dtype=np.int64)),
            "created_at": created,
            "body": _bodies(english, feeling, topic, rng),
            "rating": pl.Series([None] * count, dtype=pl.Int64),
            "language": pl.Series(LANGUAGES).gather(english),
            "product_id": pl.Series([None] * count, dtype=pl.String),
            "order_id": pl.Series([None] * count, dtype=pl.String),
            "resolved_at": pl.select(
                pl.when(pl.Series(rng.random(count) < 0.67)).then(pl.Series(settled))
            ).to_series(),
        }
    )
    return frame, _truth(frame, feeling, topic)


def _bodies(
    english: np.ndarray, feeling: np.ndarray, topic: np.ndarray, rng: np.random.Generator
) -> pl.Series:
    """Opening, remark and ending, drawn for language, feeling and topic."""
    tones = [(language, tone) for language in LANGUAGES for tone in words.FEELINGS]
    remarks = [words.REVIEW_REMARKS[*tone, topic] for tone in tones for topic in words.TOPICS]
    tone = english * len(words.FEELINGS) + feeling
    parts = (
        _phrases([words.REVIEW_OPENINGS[tone] for tone in tones], tone, rng),
        _phrases(remarks, tone * len(words.TOPICS) + topic, rng),
        _phrases([words.REVIEW_ENDINGS[tone] for tone in tones], tone, rng),
    )
    return pl.select(pl.concat_str(*parts)).to_series()


def _phrases(pools: Sequence[Sequence[str]], which: np.ndarray, rng: np.random.Generator) -> pl.Series:
    """One phrase of pool ``which`` for each element."""
    sizes = np.array([len(pool) for pool in pools])
    starts = np.cumsum(sizes) - sizes
    place = starts[which] + (rng.random(which.size) * sizes[which]).astype(np.int64)
    return pl.Series([phrase for pool in pools for phrase in pool]).gather(place)


def _truth(frame: pl.DataFrame, feeling: np.ndarray, topic: np.ndarray) -> pl.DataFrame:
    return frame.select(
        "text_id",
        pl.Series("sentiment", feeling - 1, dtype=pl.Int8),
        pl.Series("topic", [words.TOPICS[place] for place in topic], dtype=pl.String),
    )
