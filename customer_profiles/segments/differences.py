"""What sets segments apart, and who moved between those of two fits."""

from __future__ import annotations

from typing import Any

import polars as pl

from customer_profiles.segments.segmentation import Segmentation

MOST_NAMED = 3


def what_sets_apart(segmentation: Segmentation, segments: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return a row per segment: segment, customers, share and, in words, its three largest differences.

    Customers are those of ``segments`` (with a column ``segment``), by default the training ones.
    """
    sizes = pl.DataFrame({"segment": segmentation.names_, "customers": segmentation.sizes_})
    if segments is not None:
        counted = segments.group_by("segment").agg(customers=pl.len().cast(pl.Int64))
        sizes = sizes.select("segment").join(counted, on="segment", how="left", maintain_order="left")
    words = [
        "; ".join(map(_in_words, _strongest(segmentation.profile_, name))) for name in segmentation.names_
    ]
    customers = pl.col("customers").fill_null(0)
    return sizes.select(
        "segment",
        customers,
        (customers / customers.sum().clip(1)).alias("share"),
        pl.Series("differences", words, dtype=pl.String),
    )


def migration(before: Segmentation, after: Segmentation, customers: pl.DataFrame) -> pl.DataFrame:
    """Count which of the ``customers`` are in which segment of an earlier fit and of a later one.

    Returns from_segment, to_segment, customers and share (of those who were in from_segment), sorted by name.
    """
    was = before.predict(customers).select("customer_key", from_segment="segment")
    now = after.predict(customers).select("customer_key", to_segment="segment")
    counted = was.join(now, on="customer_key").group_by("from_segment", "to_segment").len("customers")
    share = pl.col("customers") / pl.col("customers").sum().over("from_segment")
    return counted.with_columns(share=share).sort("from_segment", "to_segment")


def _strongest(profile: pl.DataFrame, segment: str) -> list[dict[str, Any]]:
    own = profile.filter(pl.col("segment") == segment)
    by_strength = own.sort(pl.col("z").abs(), descending=True, maintain_order=True)
    return [row for row in by_strength.iter_rows(named=True) if _is_shown_by_means(row)][:MOST_NAMED]


def _is_shown_by_means(difference: dict[str, Any]) -> bool:
    """Whether the means, as they are written, differ the same way.

    Those of skewed traits, whose standardised differences are of logarithms, can lie the other way round.
    """
    mean, overall = difference["mean"], difference["overall_mean"]
    if mean is None or _readable(mean) == _readable(overall):
        return False
    return bool((mean > overall) == (difference["z"] > 0))


def _in_words(difference: dict[str, Any]) -> str:
    side = "high" if difference["z"] > 0 else "low"
    mean, overall = (_readable(difference[name]) for name in ("mean", "overall_mean"))
    return f"{side} {difference['trait']} ({mean}, all {overall})"


def _readable(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{round(value, 2) + 0.0:.2f}"
