"""Pictures of a summary, as PNG bytes."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from customer_profiles.quality.pictures import png

MOST_TRAITS = 30


def correlation_heat_map(summary: pl.DataFrame) -> bytes:
    """The traits most correlated with any other, up to 30, alike ones side by side, red to blue.

    ``summary`` is what ``summarise`` returns.
    """
    from matplotlib.figure import Figure

    names, matrix = _matrix(summary)
    figure = Figure(figsize=(10, 8.6), layout="constrained")
    axes = figure.subplots()
    axes.set_title(
        f"Correlation (spearman): the {len(names)} most correlated traits, alike ones side by side"
    )
    if not names:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no two numeric traits vary together", ha="center", va="center")
        return png(figure)
    picture = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    figure.colorbar(picture, ax=axes, shrink=0.7, label="correlation")
    return png(figure)


def missing_shares(summary: pl.DataFrame) -> bytes:
    """Share of customers without a value, of the traits with most gaps, up to 30."""
    from matplotlib.figure import Figure

    gaps = summary.filter(pl.col("statistic") == "missing_share", pl.col("value") > 0)
    shown = gaps.sort(["value", "trait"], descending=[True, False]).head(MOST_TRAITS).reverse()
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots()
    axes.barh(shown["trait"].to_list(), (100 * shown["value"]).to_list(), color="#4c78a8", height=0.7)
    axes.set_title(f"Customers without a value: {shown.height} of {gaps.height} traits with gaps, most first")
    axes.set_xlabel("percent of customers")
    axes.set_xlim(0, 100)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def _matrix(summary: pl.DataFrame) -> tuple[list[str], NDArray[np.float64]]:
    """Names of the shown traits, in the order shown, and their correlations; unmeasured ones are 0."""
    pairs = summary.filter(pl.col("statistic") == "spearman", pl.col("value").is_not_null())
    both = pl.concat(
        [pairs.select("trait", "value"), pairs.select(pl.col("other_trait").alias("trait"), "value")]
    )
    strongest = both.group_by("trait").agg(pl.col("value").abs().max())
    names = strongest.sort(["value", "trait"], descending=[True, False])["trait"].head(MOST_TRAITS).to_list()
    place = {name: number for number, name in enumerate(names)}
    matrix = np.eye(len(names))
    for one, two, value in pairs.select("trait", "other_trait", "value").iter_rows():
        if one in place and two in place:
            matrix[place[one], place[two]] = matrix[place[two], place[one]] = value
    order = _alike_side_by_side(matrix)
    return [names[number] for number in order], matrix[np.ix_(order, order)]


def _alike_side_by_side(matrix: NDArray[np.float64]) -> list[int]:
    """An order of the rows by average linkage on 1 - |correlation|."""
    if len(matrix) < 3:
        return list(range(len(matrix)))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    distance = np.clip(1 - np.abs(matrix), 0, None)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    return [int(number) for number in leaves_list(tree)]
