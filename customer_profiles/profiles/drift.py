"""A day's profiles and the models' outputs in counts, and how far they lie from what the models know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.ledger import delivered
from customer_profiles.contracts.stored import EPOCH, day_number
from customer_profiles.conversion.artefacts import Champion, champion, load
from customer_profiles.conversion.labels import DEFINITIONS, about, converted, label_window
from customer_profiles.conversion.scores import score
from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.catalogue import TRAITS
from customer_profiles.features.tables import CUSTOMER_FEATURES, trait_column
from customer_profiles.features.training import TrainingDays, label_is_told, training_days
from customer_profiles.profiles.tables import COUNTS
from customer_profiles.projection.projection import Projection
from customer_profiles.projection.service import load_projection
from customer_profiles.quality.counts import NO_COLUMN, Watched, count, labelled, watched
from customer_profiles.quality.references import World
from customer_profiles.segments.segmentation import Segmentation
from customer_profiles.segments.service import load_segmentation
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.settings import LabelSettings, Settings
from customer_profiles.warehouse import Session
from customer_profiles.warehouse.artefacts import Fitted

DAY = "as_of"
POPULATION, TRAITS_OF, COMPONENTS, SCORED, PARTED, LABELS = (
    "population",
    "customer_features",
    "principal_components",
    "conversion_scores",
    "segments",
    "labels",
)
"""What is counted: all customers; the traits of those who are scored; each model's outputs; who converted."""
OF_OTHER_LABELS = {name: f"{SCORED} of {name}" for name in DEFINITIONS}
"""The scores of labels that are trained beside the profile's own, the first, whose are ``SCORED``."""
OUTPUTS = {
    COMPONENTS: Watched(numbers=("reconstruction_error",)),
    **dict.fromkeys((SCORED, *OF_OTHER_LABELS.values()), Watched(numbers=("conversion_probability",))),
    PARTED: Watched(numbers=("segment_confidence",), categories=("segment", "moved")),
}
WATCHED = watched(trait_column(trait) for trait in TRAITS.values() if trait.model_input)
CONSENTS = tuple(trait.name for trait in TRAITS.values() if trait.kind == "flag" and not trait.model_input)
GROWING = frozenset(
    (TRAITS_OF, trait.name)
    for trait in TRAITS.values()
    if trait.window is None and (set(trait.sources) - {"customers", "consents"} or trait.unit == "days")
)
"""Traits that count all that ever was: in a young shop they differ from day to day by nature."""
AGEING = frozenset(
    (table, name) for table, name in GROWING if TRAITS[name].unit == "days" and TRAITS[name].dtype == pl.Int64
)
"""Those of them to which each day adds a day, whatever the customer does."""


@dataclass(frozen=True)
class Models:
    """What serves, and the days from which it learned; all absent while nothing was trained."""

    conversion: Champion | None
    projection: Fitted[Projection] | None
    segmentation: Fitted[Segmentation] | None
    days: TrainingDays | None


def models_in_service(session: Session, settings: Settings) -> Models:
    """The models in service, with the training snapshots of the profile's conversion model."""
    name = settings.label.train[0]
    serving = champion(settings.models, name)
    days: TrainingDays | str = ""
    if serving:
        through = serving.trained_through
        stored = [day for day in session.days(CUSTOMER_FEATURES) if day <= through]
        days = training_days(stored, delivered(session, through), settings.label, DEFINITIONS[name].sources)
    return Models(
        serving,
        load_projection(settings.models),
        load_segmentation(settings.models),
        None if isinstance(days, str) else days,
    )


def world_of(session: Session, models: Models, label: LabelSettings) -> World:
    """The days that the models know, as the counts number them."""
    first = min((min(days) for days in delivered(session).values() if days), default=EPOCH)
    if models.days is None:
        return World(growing=GROWING, ageing=AGEING, first_day=day_number(first), panel=True)
    learned, judged = [day_number(day) for day in models.days.train], [day_number(models.days.test)]
    matured = [day_number(label_window(day, label).matures) for day in models.days.all]
    frozen = {TRAITS_OF: learned, LABELS: matured, **dict.fromkeys((COMPONENTS, SCORED, PARTED), judged)}
    return World(frozen, GROWING, AGEING, day_number(first), frozen_is_error=True, panel=True)


def store_counts(session: Session, days: Sequence[date], models: Models, label: LabelSettings) -> None:
    """Count the profiles of the ascending ``days``, the outputs of those days, and the labels known since."""
    if not days:
        return
    features = session.read(CUSTOMER_FEATURES, days[0], days[-1]).filter(nw.col(DAY).is_in(days))
    scored = features.filter(nw.col("eligible_for_scoring"))
    _store(session, count(session, features, DAY, Watched(categories=CONSENTS), table_name=POPULATION))
    _store(session, count(session, scored, DAY, WATCHED, table_name=TRAITS_OF))
    for day in days:
        if models.projection and not models.projection.absent_on(day):
            _store_components(session, day, models.projection)
    moved = nw.col("segment") != nw.col("previous_segment")
    scores = session.read(SCORES, days[0], days[-1])
    for name in label.train:
        stored_as = SCORED if name == label.train[0] else OF_OTHER_LABELS[name]
        _store_outputs(session, stored_as, scores.filter(nw.col("label") == name))
    _store_outputs(session, PARTED, session.read(SEGMENTS, days[0], days[-1]).with_columns(moved=moved))
    known = delivered(session)
    for as_of in session.days(CUSTOMER_FEATURES):
        if label_window(as_of, label).matures in days and label_is_told(as_of, known, label):
            _store_labels(session, as_of, label)


def store_what_models_know(session: Session, models: Models, label: LabelSettings) -> None:
    """Count, once a version, what the models say of the day on which they were judged.

    And, once, the labels that they learned.
    """
    if models.days is None:
        return
    judged = models.days.test
    stored = session.read(COUNTS).select(DAY, "table_name", "model_version").unique()
    known = set(session.collect(stored).iter_rows())
    counted = {(name, version) for day, name, version in known if day == judged}
    rows = session.frame(CUSTOMER_FEATURES, judged, judged)

    def store(name: str, version: str, outputs: pl.DataFrame) -> None:
        said = outputs.with_columns(pl.lit(judged).alias(DAY), pl.lit(version).alias("model_version"))
        _store_outputs(session, name, session.rows_of(said))

    conversion, projection, segmentation = models.conversion, models.projection, models.segmentation
    if conversion and (SCORED, conversion.version) not in counted:
        store(SCORED, conversion.version, score(load(conversion.folder), about(rows, label.train[0])))
    if projection and (COMPONENTS, projection.version) not in counted:
        _store_components(session, judged, projection)
    if segmentation and (PARTED, segmentation.version) not in counted:
        store(PARTED, segmentation.version, segmentation.model.predict(rows))
    for snapshot in models.days.all:
        if (label_window(snapshot, label).matures, LABELS, "") not in known:
            _store_labels(session, snapshot, label)


def _store_components(session: Session, day: date, fitted: Fitted[Projection]) -> None:
    """The distance of the day's customers from what their components tell."""
    rows = session.frame(CUSTOMER_FEATURES, day, day, "eligible_for_scoring", *fitted.model.columns_)
    rows = rows.filter(pl.col("eligible_for_scoring"))
    errors = pl.DataFrame({"reconstruction_error": fitted.model.reconstruction_error(rows)}).with_columns(
        pl.lit(day).alias(DAY), pl.lit(fitted.version).alias("model_version")
    )
    _store_outputs(session, COMPONENTS, session.rows_of(errors))


def _store_outputs(session: Session, name: str, rows: nw.LazyFrame[Any]) -> None:
    """Count what each version of a model says."""
    columns = OUTPUTS[name]
    there = rows.collect_schema().names()
    columns = Watched(columns.numbers, tuple(column for column in columns.categories if column in there))
    for version in session.collect(rows.select("model_version").unique())["model_version"]:
        of_version = rows.filter(nw.col("model_version") == version)
        _store(session, count(session, of_version, DAY, columns, table_name=name, model_version=version))


def _store_labels(session: Session, as_of: date, label: LabelSettings) -> None:
    """Who of the eligible converted, under the day on which that was known."""
    eligible = session.read(CUSTOMER_FEATURES, as_of, as_of).filter(nw.col("eligible_for_scoring"))
    bought = converted(session.read(CLEANED["orders"]), as_of, label).with_columns(converted=nw.lit(True))
    told = eligible.select(DAY, "customer_key").join(bought, on="customer_key", how="left")
    rows = told.select(converted=nw.col("converted").fill_null(False))
    customers = session.collect(rows.group_by("converted").agg(nw.len().cast(nw.Int64).alias("rows")))
    if customers.is_empty():
        return
    every = customers.select(pl.col("rows").sum(), column_name=pl.lit(NO_COLUMN), kind=pl.lit("rows"))
    by_label = customers.select(
        "rows",
        column_name=pl.lit("converted"),
        kind=pl.lit("category"),
        category=pl.col("converted").cast(pl.String),
    )
    counted = labelled(pl.concat([every, by_label], how="diagonal"), LABELS)
    _store(session, counted.with_columns(pl.lit(label_window(as_of, label).matures).alias(DAY)))


def _store(session: Session, counted: pl.DataFrame) -> None:
    for part in counted.partition_by(DAY, maintain_order=True):
        session.write(COUNTS, {name: part[name][0] for name in COUNTS.partition}, part)
