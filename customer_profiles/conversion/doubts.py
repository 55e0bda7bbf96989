"""What a table to learn from, whose columns nobody named, gives cause to doubt: sentences for ``report``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.batches import Part
from customer_profiles.conversion.columns import (
    FEW,
    RARE,
    column_kinds,
    filled_cells,
    measures_among,
    unread,
    with_numbers,
)
from customer_profiles.conversion.examples import Examples
from customer_profiles.conversion.importance import importance
from customer_profiles.conversion.leaks import (
    MOST_NAMED,
    model_is_not_too_good,
    no_feature_is_too_good,
    no_number_is_the_mean_label,
    no_value_gives_the_label_away,
    roc_auc,
)

LOOKED_AT = 10_000
"""Rows, about so many, in which a column that gives the label away is looked for."""
LOOKED_AT_RARE = 500
"""Rows of the rarer class, about so many, that are then looked at: of three buyers any column tells two."""
WORTH_A_LOOK = 0.80
"""AUC of a column alone that is allowed, and rarely one of what is known beforehand."""
LIKE_AMOUNT_OR_DAY = "|".join(
    (
        r"^[-+]?[¥$€£]? ?\d[\d.,' ]*( ?[%¥$€£])?$",
        r"^\d{4}[-/.]\d\d?[-/.]\d\d?([T ].*)?$",
        r"^\d\d?[-/.]\d\d?[-/.]\d{2,4}$",
    )
)
"""Text that a person takes for an amount or a day."""


def doubts_of_columns(rows: Part) -> Iterator[str]:
    """Columns that are not read, that are better converted, or that are too good to be true.

    Of the last, ``train`` stops a model; but here nobody is judged.
    """
    numeric, categories = column_kinds(rows.frame)
    filled = {name: filled_cells(rows.frame[name]) for name in categories}
    mistakable = {name: cell for name in categories if (cell := _amount_or_day(filled[name]))}
    free = [name for name in categories if name not in mistakable and _hardly_repeats(filled[name])]
    if odd := [*unread(rows.frame), *(f"{name} (words that hardly repeat)" for name in free)]:
        yield f"not read, neither numbers nor categories: {', '.join(odd)}"
    if mistakable:
        told = ", ".join(f"{name} ({cell})" for name, cell in mistakable.items())
        yield f"read as categories, convert them if they are amounts or days: {told}"
    every = replace(_examples(rows, numeric), customer_key=rows.fold)  # which parts customers
    rare = int(min(rows.target.sum(), (1 - rows.target).sum()))
    step = max(1, min(len(every) // LOOKED_AT, rare // LOOKED_AT_RARE))
    some = every.where(np.arange(len(every)) % step == 0)
    times = [name for name, what in measures_among(rows.frame, numeric).items() if what == "time"]
    strongest = no_feature_is_too_good(some, numeric, categories)
    if strongest.passed and strongest.value is not None and strongest.value > WORTH_A_LOOK:
        yield f"{strongest.says}: have a look whether it is known beforehand"
    findings = (
        strongest,
        no_value_gives_the_label_away(some, numeric, categories, times),
        no_number_is_the_mean_label(every, numeric, categories),
    )
    yield from (finding.says for finding in findings if not finding.passed)


def doubts_of_model(model: Model, out_of_fold: np.ndarray, rows: Part) -> Iterator[str]:
    """Columns that give the label away together, though none of them does alone.

    ``out_of_fold`` (rows,) are the model's chances of rows that it did not learn from.
    """
    numeric, categories = column_kinds(rows.frame)

    def leans_on() -> list[str]:
        step = max(1, len(rows.target) // LOOKED_AT)
        some = _examples(rows.at(np.arange(0, len(rows.target), step)), [])
        return importance(model, some, [*numeric, *categories], rounds=1)["input"].head(MOST_NAMED).to_list()

    finding = model_is_not_too_good(roc_auc(rows.target, out_of_fold), leans_on)
    if not finding.passed:
        yield finding.says


def _amount_or_day(filled: pl.Series) -> str | None:
    """The first of a category's cells that is rather an amount or a day; None if most are something else.

    A ``%``, a thousands separator or a word keeps a column from being read as numbers, a day whose place
    nobody can tell from the month's from being read as times; and of text with so many values hardly any is
    frequent enough to tell something.
    """
    like = filled.filter(filled.str.contains(LIKE_AMOUNT_OR_DAY))
    if filled.n_unique() > FEW and len(like) > len(filled) / 2 and not like.str.contains(r"^0\d+$").any():
        return str(like[0])
    return None


def _hardly_repeats(filled: pl.Series) -> bool:
    """Whether a category is free text or a key: most cells are a value of their own, and none is frequent."""
    counts: list[int] = filled.value_counts()["count"].to_list()
    return 2 * len(counts) > len(filled) and max(counts) < RARE


def _examples(rows: Part, numeric: Sequence[str]) -> Examples:
    """The rows as leaks are looked for in them: every row is a customer of its own, of no day."""
    nobody = np.arange(len(rows.target))
    return Examples(with_numbers(rows.frame, numeric), rows.target, nobody, nobody, nobody)
