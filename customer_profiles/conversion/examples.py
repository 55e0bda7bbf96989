"""Training examples: profiles of several snapshots, each beside what the customer did next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from customer_profiles.conversion.contact import NORMAL_95
from customer_profiles.conversion.labels import label_window
from customer_profiles.settings import LabelSettings

CUSTOMER, ELIGIBLE = "customer_key", "eligible_for_scoring"
LONGEST_WAIT_WEEKS = 52
WANTED_POSITIVES, LIFT_ERROR_OF_500 = 500, 0.40
"""Half-width of the 95 % interval of lift@10 % that about 500 positives give, by customer bootstrap."""


class Words(NamedTuple):
    """What advice calls the two outcomes of a label, and which horizon it asks for."""

    positive: str
    negative: str
    for_more_positives: str
    too_few_negatives: str


IN_WORDS = {
    False: Words(
        "converted",
        "did not convert",
        "raise label.horizon_days",
        "Most do in so long a time: shorten label.horizon_days.",
    ),
    True: Words(
        "left",
        "stayed",
        "shorten label.horizon_days",
        "Most leave in so short a time: raise label.horizon_days.",
    ),
}
"""By whether the label is turned: a positive is then somebody who does *not* do a thing in time."""


class ExamplesError(ValueError):
    """The examples would leak: they share a label window or a customer."""


@dataclass(frozen=True)
class Examples:
    """Rows that have a label; the fields run in parallel.

    ``features`` holds one row per customer and snapshot, ``label`` (rows,) 0 or 1, ``customer_key``
    (rows,) text, ``as_of`` (rows,) numpy days, ``held_out`` (rows,) true for customers that never
    train.
    """

    features: pl.DataFrame
    label: np.ndarray
    customer_key: np.ndarray
    as_of: np.ndarray
    held_out: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    @property
    def positives(self) -> int:
        """Rows whose customer converted."""
        return int(self.label.sum())

    def where(self, chosen: np.ndarray) -> Examples:
        """The rows for which ``chosen`` (rows,) is true."""
        return Examples(
            self.features.filter(chosen),
            self.label[chosen],
            self.customer_key[chosen],
            self.as_of[chosen],
            self.held_out[chosen],
        )


class Split(NamedTuple):
    """Where the model learns and where it is judged."""

    train: Examples
    test: Examples


def assemble(
    snapshots: Mapping[date, pl.DataFrame],
    converted: Mapping[date, Collection[str]],
    held_out: Callable[[pl.Series], pl.Series],
) -> Examples:
    """Put snapshots and their labels together, oldest first, customers in the order of their keys.

    ``snapshots`` maps each as-of day to its feature frame (``customer_key`` and the traits; where
    there is a column ``eligible_for_scoring``, only its true rows become examples), ``converted``
    maps the same days to the customers who bought, ``held_out`` tells for a series of keys who
    never trains. Raises ``ValueError`` if a snapshot has no label or there is no snapshot.
    """
    unlabelled = sorted(set(snapshots) - set(converted))
    if unlabelled or not snapshots:
        raise ValueError(
            f"snapshots without label: {', '.join(map(str, unlabelled)) or 'there is none at all'}"
        )
    frames = [
        _eligible(snapshots[day]).with_columns(
            _as_of=pl.lit(day, pl.Date), _label=pl.col(CUSTOMER).is_in(list(converted[day]))
        )
        for day in sorted(snapshots)
    ]
    rows = pl.concat(frames, how="diagonal_relaxed")
    return Examples(
        rows.drop("_as_of", "_label"),
        rows["_label"].cast(pl.Int8).to_numpy(),
        rows[CUSTOMER].to_numpy(),
        rows["_as_of"].to_numpy(),
        held_out(rows[CUSTOMER]).cast(pl.Boolean).to_numpy(),
    )


def _eligible(snapshot: pl.DataFrame) -> pl.DataFrame:
    chosen = snapshot.filter(pl.col(ELIGIBLE)) if ELIGIBLE in snapshot.columns else snapshot
    return chosen.sort(CUSTOMER)


def split(examples: Examples, label: LabelSettings) -> Split:
    """Judge on the last snapshot's held-out customers; learn from the others' earlier snapshots.

    There is no set of its own for validation: predictions out of fold serve as one. Raises
    ``ExamplesError`` if a label window overlaps another's or runs past the test's t0.
    """
    days = np.unique(examples.as_of)
    if len(days) < 2:
        raise ExamplesError(
            f"{len(days)} matured snapshot: one is needed to learn from and a later one to judge on"
        )
    _windows_are_disjoint([day.item() for day in days], label)
    newest = examples.as_of == days[-1]
    parts = Split(
        train=examples.where(~newest & ~examples.held_out), test=examples.where(newest & examples.held_out)
    )
    shared = shared_customers(parts)
    if shared:
        raise ExamplesError(f"{len(shared)} customers stand in train and in test, such as {shared[0]}")
    return parts


def shared_customers(parts: Split) -> list[str]:
    """Keys that stand in both sets."""
    return [str(key) for key in np.intersect1d(parts.train.customer_key, parts.test.customer_key)]


def twins(examples: Examples, inputs: Sequence[str]) -> list[str]:
    """Test customers who are rather customers of the training under another id than people like them.

    They agree with one of these, and with nobody else, in all ``inputs`` of the last snapshot. Where traits
    are few, pairs are alike by chance, but so are threes: with n_k the groups of k who are alike, independent
    customers have 4 n_2^2 <= 6 n_1 n_3, as mixed Poisson counts do (Cauchy and Schwarz's inequality; Simar
    1976, Ann. Statist. 4). As many pairs as lie beyond that are returned.
    """
    last = examples.where(examples.as_of == examples.as_of.max())
    rows = pl.DataFrame(
        {
            "profile": last.features.select(inputs).hash_rows(),
            "key": last.customer_key.astype(str),
            "held_out": last.held_out,
        }
    )
    groups = rows.group_by("profile", maintain_order=True).agg(pl.len(), "key", "held_out")
    singles, pairs, threes = (groups.filter(len=size).height for size in (1, 2, 3))
    unexplained = pairs - (1.5 * singles * threes) ** 0.5
    across = groups.filter(pl.col("len") == 2, pl.col("held_out").list.sum() == 1).explode("key", "held_out")
    judged = across.filter("held_out")["key"].sort()
    return judged.head(max(int(judged.len() * unexplained / max(pairs, 1)), 0)).to_list()


def label_hash(examples: Examples, day: date) -> str:
    """A hash of a snapshot's customers whose label is 1: equal only if all are."""
    chosen = (examples.as_of == np.datetime64(day)) & (examples.label == 1)
    keys = "\n".join(map(str, examples.customer_key[chosen]))
    return hashlib.sha256(keys.encode()).hexdigest()[:16]


def _windows_are_disjoint(days: list[date], label: LabelSettings) -> None:
    for earlier, later in pairwise(days):
        ends, opens = label_window(earlier, label).last, label_window(later, label)
        if ends > opens.as_of:
            raise ExamplesError(
                f"the label window of snapshot {earlier} ends on {ends}, after the profile of {later} closes;"
                f" snapshots must lie at least {label.gap_days + label.horizon_days} days apart"
            )


def lift_error(positives: int, rate: float = 0.0) -> float:
    """Half-width of the 95 % interval of lift@10 % to expect from so many positives in the test.

    ``rate`` is their share. Where most do it no lift reaches 2, and the rule, which is one of low rates,
    is too wide: the rate of a tenth has a variance of 1/4 at most.
    """
    told = LIFT_ERROR_OF_500 * float(np.sqrt(500 / max(positives, 1)))
    return told if rate <= 0.5 else min(told, NORMAL_95 * float(np.sqrt(2.5 / (rate * positives))))


def insufficiency(
    examples: Examples, parts: Split, smallest_positives: int, *, turned: bool = False
) -> str | None:
    """Say in a sentence why these examples are too few to train on, or ``None`` if they are enough.

    ``examples`` are all of them, ``parts`` their split. With ``turned`` the label is 1 for those who did
    not, of whom a longer horizon has fewer.
    """
    for name, rows in parts._asdict().items():
        few = min(rows.positives, len(rows) - rows.positives)
        if few < smallest_positives:
            told = IN_WORDS[turned]
            if few == rows.positives:
                did, next_step = told.positive, sufficiency(examples, parts, turned=turned)
            else:
                did, next_step = told.negative, told.too_few_negatives
            return (
                f"Nothing is trained: of {len(rows):,} rows in the {name} set {few} {did};"
                f" at least {smallest_positives} are needed. {next_step}"
            )
    return None


def sufficiency(examples: Examples, parts: Split, *, turned: bool = False) -> str:
    """How precise a test these examples make, and when to train again for a better one."""
    positives, for_more = parts.test.positives, IN_WORDS[turned].for_more_positives
    if not examples.positives:
        return f"No snapshot holds any: {for_more}, or train again when later days are delivered."
    if not positives:
        return f"The test snapshot holds none: raise label.holdout_share or {for_more}."
    rate = positives / len(parts.test)
    within = lift_error(positives, rate)
    told = f"As a rule, {positives:,} positives in the test snapshot give lift@10 % within {within:.2f}"
    if positives >= WANTED_POSITIVES:
        return f"{told}."
    enough = f"{WANTED_POSITIVES} would give {lift_error(WANTED_POSITIVES, rate):.2f}"
    return f"{told}; {enough}; {_outlook(examples, positives, for_more)}."


def _outlook(examples: Examples, positives: int, for_more: str) -> str:
    """In how many weeks the test will hold enough positives, if they go on growing as they did.

    Counted on all customers, whose numbers are steadier, from the first snapshot to the last.
    """
    days = np.unique(examples.as_of)
    first, last = (int(examples.label[examples.as_of == day].sum()) for day in (days[0], days[-1]))
    span = (days[-1] - days[0]).astype(int)
    growth = 7 * (last - first) / span * positives / max(last, 1) if span else 0.0
    weeks = np.ceil((WANTED_POSITIVES - positives) / growth) if growth > 0 else np.inf
    if weeks > LONGEST_WAIT_WEEKS:
        return f"its positives hardly grow with time: raise label.holdout_share or {for_more}"
    return f"train again after about {weeks:.0f} week{'s' if weeks > 1 else ''}"
