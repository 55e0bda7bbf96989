"""Training examples out of the warehouse; evaluations and scores into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.ledger import delivered
from customer_profiles.contracts.columns import NO_CURRENCY
from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.examples import (
    ELIGIBLE,
    Examples,
    Split,
    assemble,
    insufficiency,
    label_hash,
    split,
    sufficiency,
    twins,
)
from customer_profiles.conversion.labels import DEFINITIONS, about, labelled
from customer_profiles.conversion.page import Page
from customer_profiles.conversion.scores import probabilities, ranked_scores
from customer_profiles.conversion.tables import EVALUATIONS, SCORES
from customer_profiles.features.as_of import Tables
from customer_profiles.features.catalogue import TRAITS
from customer_profiles.features.compute import under_profile_keys
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import TrainingDays, data_versions, training_days, who_never_trains
from customer_profiles.settings import LabelSettings, Settings
from customer_profiles.warehouse import Session

NUMERIC = [trait.name for trait in TRAITS.values() if trait.model_input and trait.kind != "category"]
CATEGORIES = [trait.name for trait in TRAITS.values() if trait.model_input and trait.kind == "category"]
CUSTOMERS_AT_ONCE = 100_000
MOST_NAMED = 30
"""Categories."""


@dataclass(frozen=True)
class Gathered:
    """What a training learns from and is judged on.

    ``customers`` is how many the label is about on the newest day, ``data`` the version of every snapshot
    and of its labels, ``sufficiency`` how precise a test the examples make, ``twins`` the test customers
    who may be customers of the training under another id, ``currencies`` those in which customers bought.
    """

    days: TrainingDays
    parts: Split
    customers: int
    data: dict[str, str]
    sufficiency: str
    twins: list[str]
    currencies: list[str]


def gather(session: Session, settings: Settings, name: str) -> Gathered | str:
    """Read the training examples of a label, or say in a sentence why there are too few."""
    label, sources = settings.label, DEFINITIONS[name].sources
    stored = session.days(CUSTOMER_FEATURES)
    days = training_days(stored, delivered(session), label, sources)
    if isinstance(days, str):
        return days
    examples = read_examples(session, days, name, label)
    if name == "category_purchase" and not examples.positives:
        return f"No model yet: nobody bought of the category {label.category!r}; {_categories(session)}."
    told = np.unique(examples.as_of).tolist()
    if len(told) < 2:
        return (
            f"No model yet: {name} is about somebody on {len(told)} of the days "
            f"{', '.join(map(str, days.all))}; two are needed, one to learn from and a later one to judge on."
        )
    days = TrainingDays(tuple(told[:-1]), told[-1], days.known_through)
    parts = split(examples, label)
    turned = DEFINITIONS[name].turned
    too_few = insufficiency(examples, parts, settings.conversion.smallest_positives, turned=turned)
    if too_few:
        return too_few
    newest = about(session.frame(CUSTOMER_FEATURES, stored[-1], stored[-1]), name)
    labels = {f"{day} {name}": label_hash(examples, day) for day in days.all}
    return Gathered(
        days,
        parts,
        int(newest[ELIGIBLE].sum()),
        data_versions(session, days.all) | labels,
        sufficiency(examples, parts, turned=turned),
        twins(examples, [*NUMERIC, *CATEGORIES]),
        sorted(set(newest["currency"].drop_nulls()) - {NO_CURRENCY}),
    )


def _categories(session: Session) -> str:
    """Which categories there are to choose from."""
    column = session.collect(session.read(CLEANED["orders"]).select("category").unique())["category"]
    known = column.drop_nulls().sort()
    more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
    return f"the orders name {', '.join(known.head(MOST_NAMED)) or 'none'}{more}"


def read_examples(session: Session, days: TrainingDays, name: str, label: LabelSettings) -> Examples:
    """Profiles as they stood on each snapshot, beside what the customers did afterwards.

    What came later is told of customers as the snapshot knows them: who turns out afterwards to be one
    customer with another is two there.
    """
    frames, positives = {}, {}
    for day in days.all:
        profiles = session.frame(CUSTOMER_FEATURES, day, day).drop("as_of")
        tables = label_tables(session, name, day)
        frames[day], positives[day] = labelled(profiles, name, tables, day, label, session.collect)
    return assemble(frames, positives, who_never_trains(session, days, label.holdout_share))


def label_tables(session: Session, name: str, day: date) -> Tables:
    """The cleaned tables from which a label is told, under the keys of the day's profiles."""
    tables = {table: session.read(CLEANED[table]) for table in DEFINITIONS[name].sources}
    return under_profile_keys(session, tables, day)


def store_evaluation(session: Session, page: Page, version: str) -> None:
    """Keep a training's figures: those of its model, the baselines and the champion before it."""
    partition = {"trained_through": page.trained_through, "model_version": version}
    rows = pl.DataFrame(page.tables["metrics"], infer_schema_length=None)
    named = {"label": page.label} | partition
    session.write(
        EVALUATIONS, partition, rows.with_columns(pl.lit(value).alias(name) for name, value in named.items())
    )


def score_day(session: Session, serving: Mapping[str, tuple[Model, str]], day: date) -> int:
    """Score the day's eligible customers and store the scores; return their number.

    ``serving`` maps each label to the model that serves, with its version. Earlier scores of other
    labels stay.
    """
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in serving}
    for frame in session.batches(CUSTOMER_FEATURES, day, CUSTOMERS_AT_ONCE):
        for name, (model, _) in serving.items():
            parts[name].append(probabilities(model, about(frame, name)))
    scores = [
        ranked_scores(pl.concat(parts[name])).with_columns(
            as_of=pl.lit(day), label=pl.lit(name), model_version=pl.lit(version)
        )
        for name, (_, version) in serving.items()
        if parts[name]
    ]
    others = session.frame(SCORES, day, day).filter(~pl.col("label").is_in(list(serving)))
    return session.write(SCORES, {"as_of": day}, pl.concat([*scores, others], how="diagonal"))
