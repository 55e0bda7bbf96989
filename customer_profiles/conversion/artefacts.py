"""Conversion models on disk: what can be stored without pickle, and the one that is in service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from customer_profiles.conversion.baselines import BaseRate, BoostedTrees, Logistic, Model, RfmRule
from customer_profiles.conversion.network import DESCRIPTION, ConversionModel
from customer_profiles.warehouse import artefacts
from customer_profiles.warehouse.artefacts import ArtefactError

ROOM = "conversion"
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
class Champion:
    """The model in service.

    ``kind`` names its class (see ``STORABLE``), ``trained_through`` is the last delivery day that its
    training saw, ``metrics`` maps names to values on its test.
    """

    version: str
    kind: str
    trained_through: date
    folder: Path
    metrics: dict[str, float]


def version_of(data: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """The name of a training: a hash of data versions, settings and the code that trains."""
    return artefacts.version_of(data, settings, artefacts.source_hash(*TRAINED_BY))


def store(
    model: StorableModel, models: Path, version: str, documents: Mapping[str, str | bytes] | None = None
) -> Path:
    """Write ``model`` and its ``documents`` (name -> content) as a version; return its folder.

    A version that is there and whole is left as it is: same version, same model.
    """

    def write(folder: Path) -> None:
        model.save(folder)
        for name, content in (documents or {}).items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return artefacts.store_version(models / ROOM / version, write)


def load(folder: Path) -> StorableModel:
    """Read a stored model. Raises ``ArtefactError`` naming what is missing, damaged or unknown."""
    artefacts.require_whole(folder)
    kind = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")).get("kind")
    if kind not in STORABLE:
        raise ArtefactError(f"model {folder} is of kind {kind!r}; this version knows {', '.join(STORABLE)}")
    try:
        return STORABLE[kind].load(folder)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ArtefactError(
            f"model {folder} was written by another version of the platform ({error}); train again"
        ) from error


def crown(models: Path, version: str, trained_through: date, metrics: Mapping[str, float]) -> Champion:
    """Put a stored version into service. Raises ``ArtefactError`` if it is not there and whole."""
    folder = models / ROOM / version
    artefacts.require_whole(folder)
    kind = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))["kind"]
    notes = {"kind": kind, "trained_through": trained_through.isoformat(), "metrics": dict(metrics)}
    artefacts.put_into_service(folder, notes)
    return Champion(version, kind, trained_through, folder, dict(metrics))


def champion(models: Path) -> Champion | None:
    """The model in service, or ``None``. Raises ``ArtefactError`` if its file cannot be read."""
    found = artefacts.in_service(models, ROOM)
    if found is None:
        return None
    try:
        notes = found.notes
        trained_through = date.fromisoformat(notes["trained_through"])
        return Champion(found.version, notes["kind"], trained_through, found.folder, notes["metrics"])
    except (KeyError, TypeError, ValueError) as error:
        place = found.folder.parent / artefacts.POINTER
        raise ArtefactError(f"{place} cannot be read ({error}); train again") from error


def usable_champion(models: Path) -> tuple[StorableModel | None, str]:
    """The champion's model to judge a candidate against, and a sentence if it cannot be used.

    A damaged champion must not stop the training that replaces it.
    """
    try:
        serving = champion(models)
        return (load(serving.folder) if serving else None), ""
    except ArtefactError as error:
        return None, str(error)
