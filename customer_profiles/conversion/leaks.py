"""Canaries: what would be true if the future leaked into training, and must not be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.columns import MISSING
from customer_profiles.conversion.examples import Examples, Split, shared_customers
from customer_profiles.conversion.labels import label_window
from customer_profiles.projection.matrix import numeric_matrix
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import LabelSettings

MOST_NAMED, MOST_SHOWN = 3, 10
CHANCE_DEVIATIONS = 3.29
"""Standard deviations within which 99.9 % of a normal distribution lies."""
WHAT_TO_DO = "let it count only what was delivered by the profile's day, or leave it out, and train again"
REMEMBERED = (
    "the model knows test customers from its training; look for customers in both, and for inputs that name "
    "a customer, and leave them out"
)
FEATURE_AUC, MODEL_AUC = 0.90, 0.95
LARGEST_TWIN_SHARE = 0.05
"""More of them could move what a test finds."""
FEW_VALUES, FEWEST_ALIKE, PURE = 3, 50, 0.99
"""A flag has few values; so many rows with one of them, of which such a share convert, are no chance."""
CLIFF = 0.9
"""Where a number foretells, hardly fewer convert next to its purest end; less than this share is a cliff."""
FEWEST_BY_CHANCE = 5
"""Binomial variance from which the hits among so many rows are about normal."""
BY_CHANCE = 1e-4
"""Chance with which honest shares lie as close to a number as its own rows' shares do."""
FEWEST_GROUPS, LOOKED_AT_FIRST = 10, 5_000
"""Categories that both convert and do not, of which a rule that holds for all is no chance; and rows among
which a number of another origin shows itself at once."""
SAME, HITS_OFF, ROUNDED = 1e-9, 0.02, 6e-5
"""Numbers that are one; positives by which a mean is off, in all and for each row of it: four decimals."""
SECONDS_A_DAY = 86_400
BINS = 64
"""Parts of a number's range, of equal rows, in each of which the label may go its own way."""


def shuffled_labels_are_not_learnt(parts: Split, untrained: Callable[[], Model], seed: int) -> Finding:
    """Labels dealt anew among the customers cannot be predicted; if they are, test rows are known.

    A customer's label moves with the customer, in train and test alike, so that a model that saw test
    rows or test customers remembers it. Under no leak the AUC is 0.5 with the Mann-Whitney variance
    (n + 1) / (12 x positives x negatives) of the test rows.
    """
    customers = np.unique(np.concatenate([parts.train.customer_key, parts.test.customer_key]))
    share = (parts.train.positives + parts.test.positives) / (len(parts.train) + len(parts.test))
    dealt = np.random.default_rng(seed).permutation(len(customers)) < max(1, round(share * len(customers)))
    train = dealt[np.searchsorted(customers, parts.train.customer_key)]
    test = dealt[np.searchsorted(customers, parts.test.customer_key)]
    positives, negatives = int(test.sum()), int((~test).sum())
    if not positives or not negatives or not 0 < train.sum() < len(train):
        return Finding(True, None, None, "too few rows to shuffle labels", severity="warn")
    model = untrained().fit(parts.train.features, train)
    auc = roc_auc(test, model.predict(parts.test.features))
    reach = CHANCE_DEVIATIONS * np.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    return Finding(
        passed=bool(abs(auc - 0.5) <= reach),
        value=round(auc, 4),
        threshold=[round(0.5 - float(reach), 4), round(0.5 + float(reach), 4)],
        says=f"with shuffled labels the AUC is {auc:.3f}; chance allows 0.5 give or take {reach:.3f}"
        + ("" if abs(auc - 0.5) <= reach else f": {REMEMBERED}"),
    )


def no_feature_is_too_good(train: Examples, numeric: Sequence[str], categories: Sequence[str]) -> Finding:
    """No single input tells the label apart with an AUC over ``FEATURE_AUC``, however it does so.

    A number is taken as it is, in either direction; by whether it is missing; and, since it can tell the
    label by its middle or its ends, by the part of its range. The score of a part, and of a category, is
    its share of positives in the other half of the customers: a share that left out the row alone would tell
    the row's label, and what one customer alone has tells his other rows'.
    """
    found = {name: _number_auc(train, train.features[name]) for name in numeric}
    found |= {name: _category_auc(train, train.features[name]) for name in categories}
    ranking = sorted(found.items(), key=lambda pair: -pair[1])
    guilty = [f"{name} (AUC {auc:.3f})" for name, auc in ranking if auc > FEATURE_AUC]
    best = "there are no inputs"
    if ranking:
        best = f"{ranking[0][0]} alone has AUC {ranking[0][1]:.3f}; {FEATURE_AUC} is allowed"
    return Finding(
        passed=not guilty,
        value=round(ranking[0][1], 4) if ranking else None,
        threshold=FEATURE_AUC,
        says=f"too good to be true: {', '.join(guilty)}; {WHAT_TO_DO}" if guilty else best,
        details=[{"input": name, "auc": round(auc, 4)} for name, auc in ranking[:MOST_SHOWN]],
    )


def no_value_gives_the_label_away(
    train: Examples, numeric: Sequence[str], categories: Sequence[str], times: Collection[str] = ()
) -> Finding:
    """No flag, category, number that is known or missing, or end of its range is of those alone who convert.

    A look, no verdict.

    What the conversion itself writes is, and if only for some of them, its AUC is far below
    ``FEATURE_AUC``; but so may be a subscription's, which was known before. An end of a number's range is
    told where a ``CLIFF`` parts it from the rest: an amount that is 0 of all others, ids in the order of
    conversion, the mean label of a few rows among which is the row itself. ``times`` are the numbers that
    are days since 1970, and are told as such.
    """
    positive = pl.Series("positive", train.label.astype(bool))
    if train.label.mean() > 0.5:
        return Finding(True, None, PURE, "most convert, so that any value may be of those who do")
    told = []
    for name in (*numeric, *categories):
        column = train.features[name]
        column = column.fill_nan(None) if column.dtype.is_float() else column
        if name in numeric and column.n_unique() > FEW_VALUES:
            ends = _known_or_end(column, train.label, _day if name in times else "{:.10g}".format)
            column = pl.select(pl.when(column.is_not_null()).then(ends)).to_series()
        alike = pl.DataFrame({"value": column.cast(pl.String).fill_null(MISSING), "positive": positive})
        counted = alike.group_by("value").agg(pl.len().alias("rows"), pl.col("positive").sum())
        given = counted.filter(pl.col("rows") >= FEWEST_ALIKE, pl.col("positive") >= PURE * pl.col("rows"))
        told += [{"input": name, **row} for row in given.sort("value").iter_rows(named=True)]
    told.sort(key=lambda row: -row["rows"])
    named = "; ".join(
        f"of {row['rows']:,} rows with {row['input']} {row['value']}, {row['positive']:,} convert"
        for row in told[:MOST_NAMED]
    )
    return Finding(
        passed=not told,
        value=len(told),
        threshold={"warn": 0},
        says=f"{named}: if the conversion itself writes it, {WHAT_TO_DO}"
        if told
        else "no value of an input is of those alone who convert",
        severity="warn",
        details=told[:MOST_SHOWN],
    )


def no_number_is_the_mean_label(
    train: Examples, numeric: Sequence[str], categories: Sequence[str] = ()
) -> Finding:
    """No number is the share of positives among the very rows that have it: a look, no verdict.

    Categories are often replaced by their mean label (target encoding); taken over the training rows, each
    row's number holds its own label, and later rows' do not. A share that is told beforehand is missed by
    chance, with the binomial variance; one that was counted on these rows is not missed at all. If a row's
    own label was left out (leave one out), a category has one number for all who convert and another for
    the rest: its exact value tells the label, its part of the range does not. Of ``categories`` that stand
    beside it, however few rows each has, it is told too.
    """
    groups = [train.features[name] for name in categories]
    guilty = [name for name in numeric if _is_the_mean_label(train, train.features[name], groups)]
    return Finding(
        passed=not guilty,
        value=len(guilty),
        threshold={"warn": 0},
        says=f"the mean label of the very rows that have it: {', '.join(guilty)}; "
        "take it over other rows than those to learn from, or leave it out"
        if guilty
        else "no number is the mean label of its rows",
        severity="warn",
    )


def _is_the_mean_label(train: Examples, column: pl.Series, groups: Sequence[pl.Series]) -> bool:
    if _category_auc(train, column) > FEATURE_AUC and _number_auc(train, column) <= FEATURE_AUC:
        return True
    label = train.label
    values = pl.Series("value", numeric_matrix(column.to_frame(), [column.name])[:, 0], nan_to_null=True)
    if values.null_count() == len(values) or values.min() < 0 or values.max() > 1:  # type: ignore[operator]
        return False
    if _chance_of_such_a_fit(values, label) < BY_CHANCE:
        return True
    return values.n_unique() > FEW_VALUES and any(_encodes(group, values, label) for group in groups)


def _encodes(group: pl.Series, values: pl.Series, label: np.ndarray) -> bool:
    """Whether numbers are the mean label of a category, smoothed, or without the row itself.

    With n rows, S positives and smoothing by a rows of which b are positive, a mean is (S + b) / (n + a): of
    all categories S - mean x n = a x mean - b is one line. Without the row itself all positives of a category
    have one number, all others another: no measure of the world is made so.
    """
    rows = pl.DataFrame({"group": group, "positive": label.astype(bool), "value": values}).drop_nulls("value")
    cell = pl.len().alias("rows"), pl.col("value").min().alias("low"), pl.col("value").max().alias("high")
    for part in (rows.head(LOOKED_AT_FIRST), rows):
        cells = part.group_by("group", "positive").agg(*cell)
        if (cells["high"] - cells["low"]).max() > SAME:  # type: ignore[operator]
            return False
    told = cells.group_by("group").agg(
        pl.col("rows").sum(),
        pl.col("rows").filter("positive").sum().alias("hits"),
        pl.col("low").mean().alias("value"),
        (pl.col("low").max() - pl.col("low").min()).alias("apart"),
        pl.col("positive").n_unique().alias("labels"),
    )
    both = told.filter(labels=2)
    if both.height < FEWEST_GROUPS or (cells["rows"] > 1).sum() < FEWEST_GROUPS:
        return False
    if (both["apart"] > SAME).any():
        return bool((both["apart"] > SAME).all())
    mean, count = told["value"].to_numpy(), told["rows"].to_numpy()
    line, over = np.column_stack([mean, np.ones(told.height)]), told["hits"].to_numpy() - mean * count
    fitted = np.linalg.lstsq(line, over, rcond=None)[0]
    # where all categories have as many rows and hits, any number fits, as if they took rows away
    adds_rows = fitted[0] >= -HITS_OFF * count.min()
    return bool(adds_rows and (np.abs(over - line @ fitted) <= HITS_OFF + ROUNDED * count).all())


def _chance_of_such_a_fit(values: pl.Series, label: np.ndarray) -> float:
    """How likely honest shares would lie this close to the share of positives of each value, or closer."""
    from scipy.stats import chi2

    known = values.is_not_null().to_numpy()
    share, place = np.unique(values.drop_nulls().to_numpy(), return_inverse=True)
    rows, hits = np.bincount(place), np.bincount(place, weights=label[known])
    variance = rows * share * (1 - share)
    told = variance >= FEWEST_BY_CHANCE
    off = (np.abs(hits - rows * share)[told] + 0.5) ** 2 / variance[told]
    return float(chi2.cdf(off.sum(), len(off))) if told.any() else 1.0


def _day(days: float) -> str:
    """``2026-03-31``, with the time if it is not midnight, of the days since 1970."""
    return str(np.datetime64(round(days * SECONDS_A_DAY), "s")).removesuffix("T00:00:00")


def _known_or_end(column: pl.Series, label: np.ndarray, shown: Callable[[float], str]) -> pl.Series:
    """Of each row of a number ``known``, or the end of its range with which it stands behind a ``CLIFF``."""
    values = column.cast(pl.Float64).to_numpy()
    known, told = np.flatnonzero(~np.isnan(values)), np.full(len(values), "known", dtype=object)
    for sign, words in ((-1, "from {} on"), (1, "up to {}")):
        order = known[np.argsort(sign * values[known], kind="stable")]
        ends = np.flatnonzero(values[order][1:] != values[order][:-1]) + 1
        hits, beyond = np.cumsum(np.r_[0, label[order]]), np.minimum(2 * ends, len(order))
        pure = (ends >= FEWEST_ALIKE) & (hits[ends] >= PURE * ends)
        pure &= hits[beyond] - hits[ends] < CLIFF * (beyond - ends)
        if pure.any():
            last = values[order[ends[pure][-1] - 1]]
            told[sign * values <= sign * last] = words.format(shown(last))
    return pl.Series(told, dtype=pl.String)


def leaks_in(findings: Mapping[str, Finding]) -> tuple[str, ...]:
    """What the canaries found for which a model must not serve."""
    return tuple(each.says for each in findings.values() if not each.passed and each.severity == "error")


def model_is_not_too_good(auc: float, leans_on: Callable[[], Sequence[str]]) -> Finding:
    """A conversion model over ``MODEL_AUC`` knows more than can be known beforehand.

    ``leans_on`` is asked then which inputs matter most to it.
    """
    passed, told = auc <= MODEL_AUC, f"{MODEL_AUC} is allowed"
    if not passed:
        told = f"too good to be true; it leans most on {', '.join(leans_on())}; {WHAT_TO_DO}"
    return Finding(passed, round(auc, 4), MODEL_AUC, f"the model's AUC is {auc:.3f}: {told}")


def train_and_test_are_apart(parts: Split, label: LabelSettings, twins: Sequence[str] = ()) -> Finding:
    """Train and test share no customer, and no training label window reaches the test's t0.

    Nor may more than ``LARGEST_TWIN_SHARE`` of the test's customers be ``twins``: seemingly customers of
    the training under another id (see ``examples.twins``).
    """
    shared = shared_customers(parts)
    judged = min(day.item() for day in np.unique(parts.test.as_of))
    late = [
        day.item()
        for day in np.unique(parts.train.as_of)
        if label_window(day.item(), label).last > judged or day.item() >= judged
    ]
    broken = [f"{len(shared)} customers stand in both, such as {shared[0]}"] if shared else []
    broken += [f"labels of snapshot {day} run past the test's profile of {judged}" for day in late]
    most = int(LARGEST_TWIN_SHARE * len(parts.test))
    if len(twins) > most:
        broken.append(
            f"{len(twins)} of {len(parts.test)} test customers, such as {twins[0]}, have in every input what "
            "one customer of the training has: if these are one person under two ids, deliver identity_links "
            "that join them, or each customer once"
        )
    return Finding(
        passed=not broken,
        value={"shared_customers": len(shared), "overlapping_windows": len(late), "twins": len(twins)},
        threshold={"shared_customers": 0, "overlapping_windows": 0, "twins": most},
        says="; ".join(broken) or "train and test share no customer and no label window",
    )


def roc_auc(label: np.ndarray, score: np.ndarray) -> float:
    """Share of pairs (positive, negative) in the right order, ties half; NaN with one class only."""
    from scipy.stats import rankdata

    positive = np.asarray(label).astype(bool)
    hits, misses = int(positive.sum()), int((~positive).sum())
    if not hits or not misses:
        return float("nan")
    return float((rankdata(score)[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def _number_auc(train: Examples, column: pl.Series) -> float:
    values = numeric_matrix(column.to_frame(), [column.name])[:, 0]
    unknown = np.isnan(values)
    filled = np.where(unknown, np.nanmin(values, initial=0) - 1, values)
    edges = np.unique(np.quantile(filled, np.arange(1, BINS) / BINS))
    parts = np.searchsorted(edges, filled, side="right")
    label = train.label
    return max(_either_way(label, filled), _either_way(label, unknown), _parts_auc(train, parts))


def _category_auc(train: Examples, column: pl.Series) -> float:
    return _parts_auc(train, column.cast(pl.String).fill_null("").rank("dense").to_numpy() - 1)


def _parts_auc(train: Examples, codes: np.ndarray) -> float:
    """AUC of each part's share of positives in the other half of the customers."""
    half = pl.Series(train.customer_key).rank("dense").to_numpy() % 2 == 0
    return float(np.mean([_rate_auc(train.label, codes, half), _rate_auc(train.label, codes, ~half)]))


def _rate_auc(label: np.ndarray, codes: np.ndarray, learnt: np.ndarray) -> float:
    """AUC, on the other rows, of each code's share of positives among the ``learnt`` ones."""
    most = int(codes.max()) + 1
    rows = np.bincount(codes[learnt], minlength=most)
    hits = np.bincount(codes[learnt], weights=label[learnt], minlength=most)
    rate = (hits + label[learnt].mean()) / (rows + 1)
    return _either_way(label[~learnt], rate[codes[~learnt]])


def _either_way(label: np.ndarray, score: np.ndarray) -> float:
    auc = roc_auc(label, score)
    return 0.5 if np.isnan(auc) else max(auc, 1 - auc)
