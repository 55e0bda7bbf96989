"""Pictures of segments, as PNG bytes."""

from __future__ import annotations

import polars as pl

from customer_profiles.quality.pictures import png
from customer_profiles.segments.differences import what_sets_apart
from customer_profiles.segments.segmentation import Segmentation

INCHES, DOTS_PER_INCH = (9, 5), 100
MOST_TRAITS = 30
STRONGEST = 2.0
"""Standard deviations at which the heat map's colours end."""


def segment_sizes_plot(segmentation: Segmentation) -> bytes:
    """Draw how many of the training's customers each segment holds."""
    from matplotlib.figure import Figure

    table = what_sets_apart(segmentation).reverse()
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(table["segment"].to_list(), table["customers"].to_list(), color="#7aa6c2")
    told = [f" {size:,} ({share:.0%})" for size, share in table.select("customers", "share").iter_rows()]
    axes.bar_label(bars, told)
    axes.margins(x=0.15)
    axes.set_title(f"{segmentation.k_} segments of the {table['customers'].sum():,} customers learnt from")
    axes.set_xlabel("customers")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def segment_heat_map(segmentation: Segmentation) -> bytes:
    """Draw how far each segment lies from the average customer, trait by trait, in standard deviations.

    At most ``MOST_TRAITS`` traits are drawn: those in which segments differ most.
    """
    from matplotlib.figure import Figure

    shown = _strongest_traits(segmentation)
    table = segmentation.profile_.filter(pl.col("trait").is_in(shown)).pivot(
        on="segment", index="trait", values="z", maintain_order=True
    )
    z = table.select(segmentation.names_).to_numpy().T
    figure = Figure(
        figsize=(max(INCHES[0], 3 + 0.4 * z.shape[1]), INCHES[1]), dpi=DOTS_PER_INCH, layout="constrained"
    )
    axes = figure.subplots()
    picture = axes.imshow(z, cmap="RdBu_r", vmin=-STRONGEST, vmax=STRONGEST, aspect="auto")
    axes.set_yticks(range(len(segmentation.names_)), segmentation.names_)
    axes.set_xticks(range(table.height), table["trait"].to_list(), rotation=60, ha="right", fontsize=8)
    for (row, column), value in ((place, z[place]) for place in zip(*(abs(z) >= 0.5).nonzero(), strict=True)):
        strong = abs(value) > 0.7 * STRONGEST
        axes.text(
            column,
            row,
            f"{value:.1f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if strong else "black",
        )
    axes.set_title("What sets the segments apart")
    figure.colorbar(picture, label="standard deviations from the average customer", extend="both")
    return png(figure)


def _strongest_traits(segmentation: Segmentation) -> list[str]:
    strength = segmentation.profile_.group_by("trait", maintain_order=True).agg(pl.col("z").abs().max())
    return strength.sort("z", descending=True, maintain_order=True).head(MOST_TRAITS)["trait"].to_list()
