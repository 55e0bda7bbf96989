"""Claims about a projection and its components, held against data."""

from __future__ import annotations

from typing import Any

import polars as pl

from customer_profiles.projection.projection import Projection
from customer_profiles.quality.finding import Finding


def components_are_finite(components: pl.DataFrame) -> Finding:
    """Hold that every component of every customer is a finite number."""
    columns = [name for name in components.columns if name.startswith("component_")]
    broken = components.select(pl.col(name).is_finite().not_().fill_null(True).sum() for name in columns)
    counts: dict[str, int] = broken.row(0, named=True) if columns else {}
    total = sum(counts.values())
    return Finding(
        passed=total == 0,
        value=total,
        threshold=0,
        says=f"{total} of {components.height * len(columns):,} components are not finite numbers",
        details=[{"component": name, "not_finite": count} for name, count in counts.items() if count],
    )


def variance_is_reached(projection: Projection) -> Finding:
    """Hold that the kept components explain the share of variance that was asked for."""
    reached = float(projection.explained_variance_ratio_.sum())
    return Finding(
        passed=reached >= projection.variance,
        value=round(reached, 6),
        threshold=projection.variance,
        says=(
            f"{len(projection.components_)} components of {len(projection.columns_)} columns explain "
            f"{reached:.1%} of the variance ({projection.variance:.0%} asked for)"
        ),
        details=_per_component(projection),
    )


def _per_component(projection: Projection) -> list[dict[str, Any]]:
    shares = projection.explained_variance_ratio_
    return [
        {"component": name, "share": round(share, 4), "together": round(together, 4), "made_of": words}
        for name, share, together, words in zip(
            projection.names,
            shares.tolist(),
            shares.cumsum().tolist(),
            projection.loadings_in_words(),
            strict=True,
        )
    ]
