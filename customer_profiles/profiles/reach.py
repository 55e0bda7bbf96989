"""Whom of a campaign's list consent lets it contact."""

from __future__ import annotations

from datetime import date

import polars as pl

from customer_profiles.conversion.groups import MARKETING
from customer_profiles.conversion.metrics import ranked
from customer_profiles.profiles.tables import CUSTOMER_PROFILES
from customer_profiles.warehouse import Session

WAYS = dict(zip(MARKETING, ("e-mail", "SMS", "push"), strict=True))
SCORE = "conversion_probability"
NEEDED = ("customer_key", SCORE, *WAYS)
"""The profile's columns that are looked at."""


def reach_of_day(session: Session, day: date, share: float) -> str:
    """``reach`` of the profiles that are stored of a day."""
    return reach(session.frame(CUSTOMER_PROFILES, day, day, *NEEDED), share)


def reach(profiles: pl.DataFrame, share: float) -> str:
    """How many of the highest ``share`` of a day's scored customers consent to marketing, in a sentence.

    ``profiles`` has the columns ``NEEDED``. Who never decided is not counted as consenting. Returns "" where
    nobody is scored.
    """
    scored = profiles.drop_nulls(SCORE)
    size = round(share * len(scored))
    if not size:
        return ""
    highest = ranked(scored[SCORE].to_numpy(), scored["customer_key"].to_numpy())[:size]
    told = scored[highest].select(
        any=pl.any_horizontal(MARKETING).sum(),
        unknown=pl.all_horizontal(pl.col(name).is_null() for name in MARKETING).sum(),
        **{way: pl.col(name).sum() for name, way in WAYS.items()},
    )
    counts = told.row(0, named=True)
    if counts["unknown"] == size:
        return f"No delivery tells whether the {size:,} highest consent to marketing."
    by = ", ".join(f"{counts[way]:,} by {way}" for way in WAYS.values())
    unknown = f"; of {counts['unknown']:,} it is not known" if counts["unknown"] else ""
    return f"Of the {size:,} highest, {counts['any']:,} consent to marketing ({by}){unknown}."
