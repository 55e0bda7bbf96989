"""Putting the wide row together: traits, scores and segment, whichever of them exist on the day."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.tables import CUSTOMER_FEATURES, IDENTITIES
from customer_profiles.profiles.tables import (
    CUSTOMER_PROFILES,
    SCORE_COLUMNS,
    SCORE_NAMES,
    SEGMENT_COLUMNS,
    SEGMENT_NAMES,
)
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.warehouse import Session

Rows = nw.LazyFrame[Any]


def customer_profiles(features: Rows, scores: Rows, segments: Rows) -> Rows:
    """One row per customer of ``features``; what a model does not say of a customer is NULL."""
    scored, parted = scores.rename(SCORE_NAMES), segments.rename(SEGMENT_NAMES)
    return features.join(
        scored.select("customer_key", *(column.name for column in SCORE_COLUMNS)),
        on="customer_key",
        how="left",
    ).join(
        parted.select("customer_key", *(column.name for column in SEGMENT_COLUMNS)),
        on="customer_key",
        how="left",
    )


def assemble_day(session: Session, day: date, label: str) -> int:
    """Assemble and store the day's profiles, with the scores of one ``label``. Returns their number."""
    features, scores, segments = (
        session.read(table, day, day) for table in (CUSTOMER_FEATURES, SCORES, SEGMENTS)
    )
    rows = customer_profiles(features, scores.filter(nw.col("label") == label), segments)
    return session.write(CUSTOMER_PROFILES, {"as_of": day}, rows)


def merged_ids(session: Session, day: date) -> pl.DataFrame:
    """Customer ids without a profile of their own (``member_key``), each with the key of their profile."""
    found = session.frame(IDENTITIES, day, day, "member_key", "customer_key")
    return found.filter(pl.col("member_key") != pl.col("customer_key")).unique().sort("member_key")
