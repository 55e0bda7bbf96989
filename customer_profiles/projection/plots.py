"""Pictures of a projection, as PNG bytes."""

from __future__ import annotations

import numpy as np
import polars as pl

from customer_profiles.projection.projection import Projection
from customer_profiles.quality.pictures import png

INCHES, DOTS_PER_INCH = (9, 5), 100
MOST_POINTS = 5_000
SEED = 20260101
UNKNOWN = "no segment"


def explained_variance_plot(projection: Projection) -> bytes:
    """Draw each component's share of the variance, their sum so far, and the share asked for."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    shares = 100 * projection.explained_variance_ratio_
    numbers = np.arange(1, len(shares) + 1)
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    axes.bar(numbers, shares, color="#7aa6c2", label="one component")
    axes.plot(numbers, shares.cumsum(), color="#1f3b4d", marker="o", markersize=3, label="all up to it")
    axes.axhline(100 * projection.variance, color="#c0392b", linestyle="--", linewidth=1)
    axes.annotate(
        f"asked for: {projection.variance:.0%}",
        (1, 100 * projection.variance),
        xytext=(0, 4),
        textcoords="offset points",
        color="#c0392b",
    )
    axes.set_title(
        f"{len(shares)} components of {len(projection.columns_)} features "
        f"explain {shares.sum():.1f} % of the variance"
    )
    axes.set_xlabel("principal component")
    axes.set_ylabel("explained variance, %")
    axes.set_ylim(0, 105)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center right", frameon=False)
    return png(figure)


def component_scatter(components: pl.DataFrame, segments: pl.DataFrame) -> bytes:
    """Draw customers by their first two components, coloured by segment where it is known.

    ``components`` holds ``customer_key``, ``component_1`` and ``component_2``; ``segments`` holds
    ``customer_key`` and ``segment``. At most ``MOST_POINTS`` customers are drawn, picked by ``SEED``.
    The axes span 99 % of the drawn customers: a few far ones would press all others into a dot.
    """
    from matplotlib.figure import Figure

    shown = _coloured(components, segments)
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for name, points in sorted(shown.partition_by("segment", as_dict=True).items()):
        axes.scatter(
            points["component_1"], points["component_2"], s=9, alpha=0.6, linewidths=0, label=name[0]
        )
    if shown.height:
        axes.set_xlim(*_span(shown["component_1"]))
        axes.set_ylim(*_span(shown["component_2"]))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=2.5)
    axes.set_title(f"Customers by their first two components ({shown.height:,} of {components.height:,})")
    axes.set_xlabel("PC1")
    axes.set_ylabel("PC2")
    return png(figure)


def _coloured(components: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
    """Sample the customers and put their segment beside them."""
    second = pl.col("component_2") if "component_2" in components.columns else pl.lit(0.0)
    shown = components.select("customer_key", "component_1", second.alias("component_2"))
    shown = shown.sort("customer_key").sample(min(MOST_POINTS, shown.height), shuffle=True, seed=SEED)
    named = segments.select("customer_key", "segment")
    return shown.join(named, on="customer_key", how="left").with_columns(pl.col("segment").fill_null(UNKNOWN))


def _span(values: pl.Series) -> tuple[float, float]:
    low, high = np.quantile(values.to_numpy(), (0.005, 0.995))
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin
