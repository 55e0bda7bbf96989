"""Conversion models on disk: what can be stored without pickle, and the one that is in service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from customer_profiles.conversion.baselines import BaseRate, BoostedTrees, Logistic, Model, RfmRule
from customer_profiles.conversion.frames import InputsError
from customer_profiles.conversion.inputs import DESCRIPTION
from customer_profiles.conversion.network import ConversionModel
from customer_profiles.conversion.page import Page
from customer_profiles.warehouse import artefacts
from customer_profiles.warehouse.artefacts import ArtefactError

ROOM, PAGE = "conversion", "page.json"
WHAT_TO_DO = (
    "Put a stored version into service (customer-profiles model list, model promote), or train again "
    "(customer-profiles run, or the job conversion_training)"
)
TRAINED_BY = (Path(__file__).parent, Path(__file__).parents[1] / "projection")
"""The rooms whose code a training runs through."""


class StorableModel(Model, Protocol):
    """A model that can be written without pickle."""

    def save(self, folder: Path) -> None:
        """Write the fitted model into ``folder``."""

    @classmethod
    def load(cls, folder: Path) -> StorableModel:
        """Read what ``save`` wrote."""


STORABLE: dict[str, type[StorableModel]] = {
    ConversionModel.kind: ConversionModel,
    BoostedTrees.kind: BoostedTrees,
    Logistic.kind: Logistic,
    RfmRule.kind: RfmRule,
    BaseRate.kind: BaseRate,
}


@dataclass(frozen=True)
class Promotion:
    """A change of the model in service: ``act`` is ``promoted`` or ``rolled back``.

    ``at`` is UTC, ``replaced`` the version that served until then.
    """

    at: str
    by: str
    act: str
    version: str
    replaced: str | None
    reason: str


@dataclass(frozen=True)
class Champion:
    """The model in service.

    ``kind`` names its class (see ``STORABLE``), ``trained_through`` is the last delivery day that its
    training saw, ``history`` tells every change, oldest first.
    """

    version: str
    kind: str
    trained_through: date
    folder: Path
    history: tuple[Promotion, ...] = ()


def room(models: Path, label: str) -> Path:
    """The folder of a label's versions."""
    return models / ROOM / label


def version_of(data: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """The name of a training: a hash of data versions, settings and the code that trains."""
    return artefacts.version_of(data, settings, artefacts.source_hash(*TRAINED_BY))


def store(
    model: StorableModel,
    models: Path,
    label: str,
    version: str,
    page: Page,
    documents: Mapping[str, str] | None = None,
) -> Path:
    """Write ``model``, its ``page`` and ``documents`` (name -> text) as a version; return its folder.

    A version that is there and whole is left as it is: same version, same model.
    """

    def write(folder: Path) -> None:
        model.save(folder)
        for name, content in {PAGE: page.to_json(), **(documents or {})}.items():
            (folder / name).write_text(content, encoding="utf-8")

    return artefacts.store_version(room(models, label) / version, write)


def load(folder: Path) -> StorableModel:
    """Read a stored model. Raises ``ArtefactError`` naming what is missing, damaged or unknown."""
    _require_whole(folder)
    try:
        kind = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))["kind"]
        if kind in STORABLE:
            return STORABLE[kind].load(folder)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ArtefactError(
            f"model {folder} was written by another version of the platform ({error}). {WHAT_TO_DO}"
        ) from error
    raise ArtefactError(f"model {folder} is of kind {kind!r}; this version knows {', '.join(STORABLE)}")


def load_page(folder: Path) -> Page:
    """Read what was found when the version was trained. Raises ``ArtefactError`` as ``load`` does."""
    _require_whole(folder)
    try:
        page = Page.from_json((folder / PAGE).read_text(encoding="utf-8"))
        page.metrics()
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ArtefactError(
            f"{folder / PAGE} was written by another version of the platform ({error}). {WHAT_TO_DO}"
        ) from error
    return page


def versions(models: Path, label: str) -> list[str]:
    """Versions whose training was stored to its end, damaged ones first, by the moment of training."""
    folders = room(models, label)
    stored = [folder for folder in folders.iterdir() if folder.is_dir()] if folders.is_dir() else []
    whole = [folder for folder in stored if not folder.name.endswith(artefacts.UNFINISHED)]
    return [folder.name for folder in sorted(whole, key=lambda folder: _told(folder, "trained_at"))]


def find(models: Path, label: str, version: str) -> Path:
    """The folder of a version; its first letters are enough. Raises ``ArtefactError``."""
    there = versions(models, label)
    found = [name for name in there if version and name.startswith(version)]
    if len(found) == 1:
        return room(models, label) / found[0]
    few = "more than one version" if found else "no version"
    raise ArtefactError(f"{few} {version!r} of {label}; there are: {', '.join(there) or 'none'}")


def crown(
    models: Path, label: str, version: str, *, by: str, reason: str, profiles: pl.DataFrame | None = None
) -> Champion:
    """Put a stored version into service. Raises ``ArtefactError`` if it is not there and whole.

    ``profiles`` are rows, perhaps none, with the columns that there are today: the version must read them.
    One that serves already goes on; a pointer that cannot be read is replaced.
    """
    folder = find(models, label, version)
    try:
        before = champion(models, label)
    except ArtefactError:
        before = None
    if before and before.version == folder.name:
        return before
    return _serve(folder, "promoted", before, by=by, reason=reason, profiles=profiles)


def roll_back(
    models: Path, label: str, *, by: str, reason: str, profiles: pl.DataFrame | None = None
) -> Champion:
    """Put the version that served before the champion back into service; ``profiles`` as in ``crown``.

    Raises ``ArtefactError`` if there is none, or if it is not there and whole any more.
    """
    now = champion(models, label)
    if now is None:
        raise ArtefactError(f"no model of {label} is in service, so none can be rolled back. {WHAT_TO_DO}")
    served = _served(now.history)
    if len(served) < 2:
        raise ArtefactError(f"no other version of {label} served before {now.version}. {WHAT_TO_DO}")
    folder = room(models, label) / served[-2]
    return _serve(folder, "rolled back", now, by=by, reason=reason, profiles=profiles)


def taken_out(history: Sequence[Promotion]) -> dict[str, Promotion]:
    """Versions that a person rolled back and nobody promoted again, with who did it."""
    out: dict[str, Promotion] = {}
    for change in history:
        out.pop(change.version, None)
        if change.act == "rolled back" and change.replaced:
            out[change.replaced] = change
    return out


def _served(history: Sequence[Promotion]) -> list[str]:
    """The versions to go back through, the one in service last: a rollback takes the last one off."""
    served: list[str] = []
    for change in history:
        if change.act == "rolled back":
            served = served[:-1]
        else:
            served.append(change.version)
    return served


def _serve(
    folder: Path, act: str, before: Champion | None, *, by: str, reason: str, profiles: pl.DataFrame | None
) -> Champion:
    """Point to a version that can score: whole files may be another platform version's."""
    model = load(folder)
    if profiles is not None:
        try:
            model.predict(profiles)
        except InputsError as error:
            raise ArtefactError(
                f"{folder.name} cannot score today's profiles: {error}. {WHAT_TO_DO}"
            ) from error
    page = load_page(folder)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    replaced = before.version if before else None
    change = Promotion(at, by, act, folder.name, replaced, reason)
    history = (*(before.history if before else ()), change)
    notes = {
        "kind": page.model,
        "trained_through": str(page.trained_through),
        "history": [asdict(each) for each in history],
    }
    artefacts.put_into_service(folder, notes)
    return Champion(folder.name, page.model, page.trained_through, folder, history)


def champion(models: Path, label: str) -> Champion | None:
    """The model in service, or ``None``. Raises ``ArtefactError`` if its file cannot be read."""
    try:
        found = artefacts.in_service(models, f"{ROOM}/{label}")
        if found is None:
            return None
        notes = found.notes
        history = tuple(Promotion(**change) for change in notes["history"])
        day = found.day("trained_through")
        return Champion(found.version, notes["kind"], day, found.folder, history)
    except (ArtefactError, KeyError, TypeError, ValueError) as error:
        place, reason = room(models, label) / artefacts.POINTER, error.__cause__ or error
        raise ArtefactError(
            f"{place}, which names the model in service, cannot be read ({type(reason).__name__}: {reason}). "
            f"Published scores stay. {WHAT_TO_DO}"
        ) from error


def usable_champion(models: Path, label: str) -> tuple[StorableModel | None, str]:
    """The champion's model to judge a candidate against, and a sentence if it cannot be used.

    A damaged champion must not stop the training that replaces it.
    """
    try:
        serving = champion(models, label)
        return (load(serving.folder) if serving else None), ""
    except ArtefactError as error:
        return None, str(error)


def _require_whole(folder: Path) -> None:
    """Raise ``ArtefactError`` unless every file is as it was written, for the label whose folder this is."""
    damaged = artefacts.damaged_files(folder)
    label = "" if damaged else _told(folder, "label")
    if label and label != folder.parent.name:
        damaged = [f"it was trained for {label}"]
    if damaged:
        raise ArtefactError(
            f"model {folder} is damaged or not whole ({', '.join(damaged)}); what it scored stays. "
            f"{WHAT_TO_DO}"
        )


def _told(folder: Path, name: str) -> str:
    """What the version's page says under a name; nothing if it is damaged, or of another platform version."""
    try:
        return str(json.loads((folder / PAGE).read_text(encoding="utf-8"))[name])
    except (OSError, KeyError, TypeError, ValueError):
        return ""
