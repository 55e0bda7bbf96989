"""Model folders on disk: ``<models>/conversion/<version>/`` and the one that is in service.

A version appears whole or not at all: it is written beside its place and renamed. The champion is
one small file, swapped by rename, so that whoever is killed leaves the old champion or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from customer_profiles.conversion.baselines import BaseRate, BoostedTrees, Logistic, Model, RfmRule
from customer_profiles.conversion.network import DESCRIPTION, ConversionModel

ROOM, POINTER, MANIFEST = "conversion", "champion.json", "manifest.json"
UNFINISHED = ".unfinished"


class ArtefactError(RuntimeError):
    """A model folder is absent, damaged or of another kind. The message says what to do."""


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
    """The name of a training: a hash of data versions, settings and this room's code."""
    inputs = {"data": dict(data), "settings": dict(settings), "code": code_version()}
    text = json.dumps(inputs, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def code_version() -> str:
    """A hash of the modules that training runs through: this room's and the projection's."""
    rooms = (Path(__file__).parent, Path(__file__).parent.parent / "projection")
    modules = sorted(path for room in rooms for path in room.glob("*.py"))
    digest = hashlib.sha256()
    for module in modules:
        digest.update(module.name.encode() + module.read_bytes())
    return digest.hexdigest()[:12]


def store(
    model: StorableModel, models: Path, version: str, documents: Mapping[str, str | bytes] | None = None
) -> Path:
    """Write ``model`` and its ``documents`` (name -> content) as a version; return its folder.

    A version that is there and whole is left as it is: same version, same model.
    """
    place = models / ROOM / version
    if (place / MANIFEST).exists() and not _damaged(place):
        return place
    unfinished = place.with_name(f"{version}{UNFINISHED}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    model.save(unfinished)
    for name, content in (documents or {}).items():
        (unfinished / name).write_bytes(content.encode() if isinstance(content, str) else content)
    sums = {path: _checksum(unfinished / path) for path in _files(unfinished)}
    (unfinished / MANIFEST).write_text(json.dumps(sums, indent=1), encoding="utf-8")
    shutil.rmtree(place, ignore_errors=True)
    unfinished.rename(place)
    return place


def load(folder: Path) -> StorableModel:
    """Read a stored model. Raises ``ArtefactError`` naming what is missing, damaged or unknown."""
    damaged = _damaged(folder)
    if damaged:
        raise ArtefactError(
            f"model {folder} is damaged or not whole ({', '.join(damaged)});"
            " go back to another version or train again"
        )
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
    damaged = _damaged(folder)
    if damaged:
        raise ArtefactError(f"model {folder} cannot serve: {', '.join(damaged)}")
    kind = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))["kind"]
    champion = Champion(version, kind, trained_through, folder, dict(metrics))
    stored = asdict(champion) | {"trained_through": trained_through.isoformat()}
    del stored["folder"]
    next_one = models / ROOM / f"{POINTER}{UNFINISHED}"
    with next_one.open("w", encoding="utf-8") as file:
        json.dump(stored, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    next_one.replace(models / ROOM / POINTER)
    return champion


def champion(models: Path) -> Champion | None:
    """The model in service, or ``None``. Raises ``ArtefactError`` if its file cannot be read."""
    pointer = models / ROOM / POINTER
    if not pointer.exists():
        return None
    try:
        stored = json.loads(pointer.read_text(encoding="utf-8"))
        trained_through = date.fromisoformat(stored["trained_through"])
        folder = pointer.parent / stored["version"]
        return Champion(stored["version"], stored["kind"], trained_through, folder, stored["metrics"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{pointer} cannot be read ({error}); promote a version again") from error


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _damaged(folder: Path) -> list[str]:
    """What is wrong with a version's folder; empty if every file is as it was written."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        return [f"{MANIFEST} is missing"]
    try:
        sums = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return [f"{MANIFEST} is not JSON"]
    return [
        f"{name} {'differs' if (folder / name).exists() else 'is missing'}"
        for name, checksum in sums.items()
        if not (folder / name).exists() or _checksum(folder / name) != checksum
    ]
