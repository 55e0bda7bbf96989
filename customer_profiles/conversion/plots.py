"""Pictures of an evaluation, as PNG bytes of 900 x 500 pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.conversion.evaluation import Evaluation
from customer_profiles.conversion.labels import DEFINITIONS
from customer_profiles.quality.pictures import png

BLUE, ORANGE, GREY = "#2f6db3", "#d9822b", "#8a8f98"


def decile_chart(evaluation: Evaluation, model: str) -> bytes:
    """Conversion rate by decile with 95 % intervals, beside what the model expected."""
    rows = evaluation.deciles.filter(pl.col("model") == model)
    figure, axes = _figure()
    axes.bar(
        rows["decile"], 100 * rows["rate"], color=BLUE, label="converted", yerr=_whiskers(rows), capsize=3
    )
    expected = 100 * rows["expected"] / rows["customers"]
    axes.plot(rows["decile"], expected, "o", color=ORANGE, label="expected by the model")
    everyone = 100 * float(rows["actual"].sum()) / float(rows["customers"].sum())
    axes.axhline(everyone, color=GREY, linestyle="--", label=f"all customers {everyone:.1f} %")
    axes.set_xticks(range(1, 11))
    _name(axes, "Conversion rate by decile", "decile of the score (1 = highest)", "converted, %")
    return png(figure)


def gain_chart(evaluation: Evaluation, *models: str) -> bytes:
    """Share of all buyers reached by contacting the highest share of customers."""
    figure, axes = _figure()
    axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", label="at random")
    for model, colour in zip(models, (BLUE, ORANGE, "#3b8f5a", "#8a4fa3", "#b0413e"), strict=False):
        rows = evaluation.lists.filter(pl.col("model") == model).sort("share")
        share, gain = _from_zero(100 * rows["share"]), _from_zero(100 * rows["recall"])
        axes.plot(share, gain, marker=".", color=colour, label=model)
        if model == models[0]:
            low, high = _from_zero(100 * rows["recall_low"]), _from_zero(100 * rows["recall_high"])
            axes.fill_between(share, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    _name(
        axes,
        "Gain: buyers reached by list size",
        "customers contacted, % (highest first)",
        "buyers reached, %",
    )
    return png(figure)


def lift_chart(evaluation: Evaluation, model: str) -> bytes:
    """How many times more buyers a list holds than one of the same size drawn at random."""
    rows = evaluation.lists.filter(pl.col("model") == model).sort("share")
    figure, axes = _figure()
    share, lift = 100 * rows["share"], rows["recall"] / rows["share"]
    low, high = rows["recall_low"] / rows["share"], rows["recall_high"] / rows["share"]
    axes.plot(share, lift, marker=".", color=BLUE, label=model)
    axes.fill_between(share, low, high, color=BLUE, alpha=0.15, linewidth=0)
    axes.axhline(1, color=GREY, linestyle="--", label="at random")
    _name(axes, "Lift by list size", "customers contacted, % (highest first)", "lift")
    return png(figure)


def reliability_chart(evaluation: Evaluation, model: str) -> bytes:
    """Mean probability beside the conversion rate in ten equal groups, with 95 % intervals."""
    rows = evaluation.deciles.filter(pl.col("model") == model)
    figure, axes = _figure()
    expected = 100 * rows["expected"] / rows["customers"]
    highest = float(max(100 * rows["high"].max(), expected.max()))  # type: ignore[arg-type, operator, type-var]
    axes.plot([0, highest], [0, highest], color=GREY, linestyle="--", label="perfectly calibrated")
    axes.errorbar(
        expected, 100 * rows["rate"], yerr=_whiskers(rows), fmt="o-", color=BLUE, capsize=3, label=model
    )
    _name(axes, "Reliability: what was promised and what came", "mean probability, %", "converted, %")
    return png(figure)


def precision_chart(evaluation: Evaluation, model: str) -> bytes:
    """How many of 100 contacted convert, by how many are contacted."""
    rows = evaluation.lists.filter(pl.col("model") == model).sort("share")
    figure, axes = _figure()
    of_100 = [100 * rows[name] / rows["customers"] for name in ("buyers", "low", "high")]
    axes.plot(100 * rows["share"], of_100[0], marker=".", color=BLUE, label=model)
    axes.fill_between(100 * rows["share"], of_100[1], of_100[2], color=BLUE, alpha=0.15, linewidth=0)
    axes.axhline(of_100[0][-1], color=GREY, linestyle="--", label="at random")
    _name(
        axes, "Precision by list size", "customers contacted, % (highest first)", "of 100 contacted convert"
    )
    return png(figure)


def profit_chart(evaluation: Evaluation, model: str, unit: str, digits: int) -> bytes:
    """Profit of contacting everybody of the test from a cut-off on, expected and realised.

    Money is told in ``unit``, of 10 to the power of ``digits`` minor units.
    """
    rows = evaluation.lists.filter(pl.col("model") == model).sort("share")
    figure, axes = _figure()
    cutoff = 100 * rows["cutoff"]
    realised, low, high, expected = (
        rows[name] / 10**digits
        for name in ("profit_minor", "profit_low", "profit_high", "expected_profit_minor")
    )
    axes.plot(cutoff, realised, marker=".", color=BLUE, label="realised")
    axes.fill_between(cutoff, low, high, color=BLUE, alpha=0.15)
    axes.plot(cutoff, expected, color=ORANGE, label="expected by the model")
    axes.axhline(0, color=GREY, linestyle="--")
    tested = f"profit, {unit}, of the {rows['customers'][-1]:,} customers of the test"
    _name(axes, "Profit by cut-off", "contacted from this probability on, %", tested)
    return png(figure)


CHARTS: dict[str, Callable[[Evaluation, str], bytes]] = {
    "Chart: deciles": decile_chart,
    "Chart: gain": gain_chart,
    "Chart: lift": lift_chart,
    "Chart: reliability": reliability_chart,
    "Chart: precision by list size": precision_chart,
}
"""The page's charts by their titles, whatever is predicted."""


def charts_of(label: str, unit: str, digits: int) -> dict[str, Callable[[Evaluation, str], bytes]]:
    """Those that suit what is predicted: the profit only where it pays, in ``unit`` of so many ``digits``."""
    profit = {"Chart: profit by cut-off": partial(profit_chart, unit=unit, digits=digits)}
    return CHARTS | (profit if DEFINITIONS[label].pays else {})


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), dpi=100, layout="constrained")
    return figure, figure.subplots()


def _name(axes: Any, title: str, across: str, upwards: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(upwards)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _whiskers(rows: pl.DataFrame) -> np.ndarray:
    below, above = rows["rate"] - rows["low"], rows["high"] - rows["rate"]
    return np.asarray(100 * np.clip([below.to_numpy(), above.to_numpy()], 0, None))


def _from_zero(values: pl.Series) -> np.ndarray:
    return np.concatenate([[0.0], values.to_numpy()])
