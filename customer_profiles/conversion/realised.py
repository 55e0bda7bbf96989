"""What became of published scores: their lift, once the labels of their day are settled."""

from __future__ import annotations

import polars as pl

from customer_profiles.collection.ledger import delivered
from customer_profiles.conversion.artefacts import load_page, room
from customer_profiles.conversion.findings import published_lift_holds
from customer_profiles.conversion.labels import DEFINITIONS, labelled
from customer_profiles.conversion.snapshots import label_tables
from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import label_is_told
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import Settings
from customer_profiles.warehouse import Session
from customer_profiles.warehouse.artefacts import ArtefactError


def realised_lift(session: Session, settings: Settings, name: str) -> Finding | None:
    """Judge the newest scores of a label that have matured; ``None`` while there are none.

    Their model's test is read from its folder; a version that is there no more, or that predicted what the
    label meant by other settings, cannot be compared.
    """
    label, deliveries, sources = settings.label, delivered(session), DEFINITIONS[name].sources
    told = [day for day in session.days(SCORES) if label_is_told(day, deliveries, label, sources)]
    if not told:
        return None
    day = told[-1]
    scores = session.frame(SCORES, day, day).filter(pl.col("label") == name)
    if scores.is_empty():
        return None
    try:
        page = load_page(room(settings.models, name) / scores["model_version"][0])
    except ArtefactError:
        return None
    if page.other_terms(label):
        return None
    profiles = session.frame(CUSTOMER_FEATURES, day, day)
    tables = label_tables(session, name, day)
    asked, positives = labelled(profiles, name, tables, day, label, session.collect)
    scores = scores.filter(pl.col("customer_key").is_in(asked["customer_key"].implode()))
    return published_lift_holds(
        scores["customer_key"].is_in(list(positives)).cast(pl.Float64).to_numpy(),
        scores,
        page.metrics()["lift_10"],
        lift_loss=settings.conversion.lift_loss,
        smallest_positives=settings.conversion.smallest_positives,
    )
