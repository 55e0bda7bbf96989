"""Training examples out of the warehouse; evaluations and scores into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.loading import delivered
from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.examples import Split, assemble, insufficiency, split
from customer_profiles.conversion.labels import converted
from customer_profiles.conversion.scores import score
from customer_profiles.conversion.tables import EVALUATIONS, SCORES
from customer_profiles.features.catalogue import TRAITS
from customer_profiles.features.compute import under_profile_keys
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import TrainingDays, data_versions, training_days, who_never_trains
from customer_profiles.settings import LabelSettings, Settings
from customer_profiles.warehouse import Session

NUMERIC = [trait.name for trait in TRAITS.values() if trait.model_input and trait.kind != "category"]
CATEGORIES = [trait.name for trait in TRAITS.values() if trait.model_input and trait.kind == "category"]


@dataclass(frozen=True)
class Gathered:
    """What a training learns from and is judged on; ``data`` tells the version of every snapshot."""

    days: TrainingDays
    examples: Split
    data: dict[str, str]


def gather(session: Session, settings: Settings) -> Gathered | str:
    """Read the training examples, or say in a sentence why there are too few."""
    label = settings.label
    days = training_days(session.days(CUSTOMER_FEATURES), delivered(session), label)
    if isinstance(days, str):
        return days
    examples = _read_examples(session, days, label)
    too_few = insufficiency(examples, settings.conversion.smallest_positives)
    return too_few or Gathered(days, examples, data_versions(session, days.all))


def _read_examples(session: Session, days: TrainingDays, label: LabelSettings) -> Split:
    """Profiles as they stood on each snapshot, beside who bought afterwards.

    Later orders are told of customers as the snapshot knows them: who turns out afterwards to be one
    customer with another is two there.
    """
    frames = {day: session.frame(CUSTOMER_FEATURES, day, day).drop("as_of") for day in days.all}
    buyers = {}
    for day in days.all:
        tables = under_profile_keys(session, {"orders": session.read(CLEANED["orders"])}, day)
        buyers[day] = session.collect(converted(tables["orders"], day, label))["customer_key"].to_list()
    held_out = who_never_trains(session, days, label.holdout_share)
    return split(assemble(frames, buyers, held_out), label)


def store_evaluation(session: Session, metrics: pl.DataFrame, version: str, known_through: date) -> None:
    """Keep a training's figures: ``metrics`` as ``Evaluation`` has them."""
    partition = {"trained_through": known_through, "model_version": version}
    labels = (pl.lit(value).alias(name) for name, value in partition.items())
    session.write(EVALUATIONS, partition, metrics.with_columns(labels))


def score_day(session: Session, model: Model, version: str, day: date) -> int:
    """Score the day's eligible customers and store the scores. Returns their number."""
    scores = score(model, session.frame(CUSTOMER_FEATURES, day, day)).with_columns(
        pl.lit(day).alias("as_of"), pl.lit(version).alias("model_version")
    )
    return session.write(SCORES, {"as_of": day}, scores)
