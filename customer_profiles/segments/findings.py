"""Claims about a segmentation, held against data."""

from __future__ import annotations

import polars as pl

from customer_profiles.quality.finding import Finding
from customer_profiles.segments.segmentation import Segmentation
from customer_profiles.segments.stability import Stability

STABLE = 0.6
SOME_STRUCTURE = 0.05


def smallest_segment_is_large_enough(segmentation: Segmentation, segments: pl.DataFrame) -> Finding:
    """Hold that no segment of a day's ``segments`` is smaller than the share that was asked for."""
    counted = dict(segments.group_by("segment").len().iter_rows())
    sizes = {name: counted.get(name, 0) for name in segmentation.names_}
    total = max(segments.height, 1)
    name, size = min(sizes.items(), key=lambda item: (item[1], item[0]))
    return Finding(
        passed=size / total >= segmentation.smallest_share,
        value=round(size / total, 4),
        threshold=segmentation.smallest_share,
        says=(
            f"the smallest segment, {name!r}, holds {size:,} of {segments.height:,} customers "
            f"({size / total:.1%})"
        ),
        severity="warn",
        details=[
            {"segment": each, "customers": rows, "share": round(rows / total, 4)}
            for each, rows in sizes.items()
        ],
    )


def segments_are_apart(segmentation: Segmentation, smallest: float = SOME_STRUCTURE) -> Finding:
    """Hold that the segments' silhouette shows some structure: 0 is none, 1 is perfect.

    The threshold is low on purpose: in dozens of traits good segments reach 0.1 to 0.3.
    """
    silhouette = segmentation.silhouette_by_k_[segmentation.k_]
    return Finding(
        passed=silhouette >= smallest,
        value=round(silhouette, 4),
        threshold=smallest,
        says=(
            f"{segmentation.k_} segments of {len(segmentation.columns_)} traits have silhouette "
            f"{silhouette:.2f}"
        ),
        severity="warn",
        details=[
            {
                "segments": k,
                "silhouette": round(score, 4),
                "smallest_share": round(segmentation.smallest_share_by_k_[k], 4),
                "chosen": k == segmentation.k_,
            }
            for k, score in segmentation.silhouette_by_k_.items()
        ],
    )


def segments_are_stable(stability: Stability) -> Finding:
    """Hold that re-fitted segments part the customers alike; below the threshold they are unstable."""
    mean = stability.mean
    word = "stable" if mean >= STABLE else "unstable"
    return Finding(
        passed=mean >= STABLE,
        value=round(mean, 4),
        threshold=STABLE,
        says=(
            f"{word}: adjusted Rand index {mean:.2f} over {len(stability.rounds)} bootstrap rounds "
            f"({min(stability.rounds):.2f} to {max(stability.rounds):.2f})"
        ),
        severity="warn",
        details=[
            {"round": number, "adjusted_rand_index": round(index, 4)}
            for number, index in enumerate(stability.rounds, start=1)
        ],
    )
