"""A label's model from the warehouse to the one in service, and back to the warehouse as scores."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, cast

from customer_profiles.conversion.artefacts import (
    Champion,
    StorableModel,
    champion,
    crown,
    load,
    load_page,
    store,
    taken_out,
    usable_champion,
    version_of,
)
from customer_profiles.conversion.model_card import model_card
from customer_profiles.conversion.page import Circumstances, Page, page_of
from customer_profiles.conversion.snapshots import CATEGORIES, NUMERIC, Gathered, gather, store_evaluation
from customer_profiles.conversion.train import train
from customer_profiles.conversion.training import Training
from customer_profiles.conversion.trials import read_trials
from customer_profiles.conversion.uplift import Refusal, Trial
from customer_profiles.projection.service import load_projection
from customer_profiles.segments.service import load_segmentation
from customer_profiles.settings import Settings
from customer_profiles.warehouse import Session
from customer_profiles.warehouse.artefacts import ArtefactError

CARD = "model_card.md"
Open = Callable[[], AbstractContextManager[Session]]
"""Opens the warehouse, which is held only while something is read or written."""


@dataclass(frozen=True)
class Trained:
    """A training that was stored as ``version``; ``promoted`` is the champion that it became, if so."""

    training: Training
    version: str
    page: Page
    promoted: Champion | None
    notes: tuple[str, ...]


def train_label(
    warehouse: Open, settings: Settings, name: str, report: Callable[[str], None]
) -> Trained | str:
    """Train and judge a label's model, store it, and put it into service if it earned it.

    Returns a sentence where nothing is trained.
    """
    with warehouse() as session:
        gathered = gather(session, settings, name)
        if isinstance(gathered, str):
            return gathered
        trials = read_trials(session, name, gathered.days, settings.label)
    projection = load_projection(settings.models)
    if projection is None:
        return "No projection is in service yet."
    serving, unusable = usable_champion(settings.models, name)
    before = _page_before(settings, name)
    if before and (changed := before[1].other_terms(settings.label)):
        serving, unusable = None, f"{before[0]} predicts something else than is asked now: {changed}"
    if unusable:
        report(f"the champion is not judged: {unusable}")
    training = train(
        gathered.parts,
        numeric=NUMERIC,
        categories=CATEGORIES,
        conversion=settings.conversion,
        label=settings.label,
        projection=projection.model,
        twins=gathered.twins,
        champion=serving,
        report=report,
    )
    told = _circumstances(settings, name, gathered, before, trials)
    page = page_of(training, told, settings.label, settings.conversion)
    told_of_version = {
        **settings.label.model_dump(exclude={"train"}),
        **settings.conversion.model_dump(),
        "label": name,
        "model": training.chosen,
    }
    version = version_of(gathered.data, told_of_version)
    promoted, notes = publish(training, page, settings, version)
    with warehouse() as session:
        store_evaluation(session, page, version)
    return Trained(training, version, page, promoted, (*notes, *([unusable] if unusable else [])))


def publish(
    training: Training, page: Page, settings: Settings, version: str
) -> tuple[Champion | None, list[str]]:
    """Store the training as a version; promote it if it earned it. Tells what else is to say.

    A version that a person rolled back is not promoted again by a training.
    """
    models = settings.models
    model = cast(StorableModel, training.models[training.chosen])
    store(model, models, page.label, version, page, {CARD: model_card(page, version)})
    if training.decision.serve is None:
        return None, []
    try:
        serving = champion(models, page.label)
    except ArtefactError:
        serving = None
    out = taken_out(serving.history).get(version) if serving else None
    if out is not None:
        return None, [f"{version} was rolled back by {out.by} on {out.at} and stays out: {out.reason}"]
    return crown(models, page.label, version, by="training", reason=training.decision.says), []


def _circumstances(
    settings: Settings,
    name: str,
    gathered: Gathered,
    before: tuple[str, Page] | None,
    trials: list[Trial | Refusal],
) -> Circumstances:
    segmentation = load_segmentation(settings.models)
    features = gathered.parts.test.features
    segment = None
    if segmentation is not None:
        parted = segmentation.model.predict(features).select("customer_key", "segment")
        segment = features.select("customer_key").join(parted, on="customer_key", how="left")["segment"]
    return Circumstances(
        label=name,
        trained_through=gathered.days.known_through,
        customers=gathered.customers,
        sufficiency=gathered.sufficiency,
        segment=segment,
        currencies=gathered.currencies,
        before=before,
        trials=trials,
    )


def _page_before(settings: Settings, name: str) -> tuple[str, Page] | None:
    try:
        serving = champion(settings.models, name)
        return (serving.version, load_page(serving.folder)) if serving else None
    except ArtefactError:
        return None


class Serving(NamedTuple):
    """A champion and its model, read from its folder."""

    champion: Champion
    model: StorableModel


def serving_models(settings: Settings) -> dict[str, Serving]:
    """The champions of the labels that are trained. Raises ``ArtefactError`` if one cannot be read."""
    found = {name: champion(settings.models, name) for name in settings.label.train}
    return {name: Serving(each, load(each.folder)) for name, each in found.items() if each}
