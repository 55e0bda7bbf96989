"""Model folders: ``<models>/<model>/<version>/``, and a pointer to the version in service.

A version appears whole or not at all: it is written beside its place and renamed. The pointer is one
small file, swapped by rename, so that whoever is killed leaves the old version in service or the new
one. Every file's checksum is kept, so that a damaged version is refused and not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from customer_profiles.settings import Mendable

POINTER, CHECKSUMS = "champion.json", "manifest.json"
UNFINISHED = ".unfinished"
VERSION = "(version)"
"""The manifest's entry that tells of which version it is, so that a folder under another name is refused."""


class ArtefactError(Mendable, RuntimeError):
    """A model folder is absent, damaged or of another kind. The message says what to do."""


@dataclass(frozen=True)
class InService:
    """The version that serves: its folder and what was noted when it was put into service."""

    version: str
    folder: Path
    notes: dict[str, Any]

    def day(self, note: str) -> date:
        """A day among the notes. Raises ``ArtefactError`` if it is not there, or no day."""
        try:
            return date.fromisoformat(self.notes[note])
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(self.folder.parent / POINTER, error) from error


def store_version(place: Path, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill a new folder, then rename it to ``place``; return ``place``.

    A version that is there and whole is left as it is: same version, same model.
    """
    if (place / CHECKSUMS).exists() and not damaged_files(place):
        return place
    unfinished = place.with_name(f"{place.name}{UNFINISHED}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write(unfinished)
    write_checksums(unfinished, [unfinished], {VERSION: place.name})
    shutil.rmtree(place, ignore_errors=True)
    unfinished.rename(place)
    return place


def write_checksums(folder: Path, parts: Iterable[Path], notes: Mapping[str, str] | None = None) -> None:
    """Write into ``folder`` the checksums of ``parts``, files or folders in it, and ``notes`` beside them."""
    files = {path for part in parts for path in (part, *part.rglob("*")) if path.is_file()}
    files.discard(folder / CHECKSUMS)
    sums = {path.relative_to(folder).as_posix(): _checksum(path) for path in sorted(files)}
    (folder / CHECKSUMS).write_text(json.dumps(sums | dict(notes or {}), indent=1), encoding="utf-8")


def put_into_service(place: Path, notes: Mapping[str, Any]) -> InService:
    """Point to a stored version. Raises ``ArtefactError`` if it is not there and whole."""
    require_whole(place)
    pointer = place.parent / POINTER
    draft = pointer.with_name(f"{POINTER}{UNFINISHED}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"version": place.name, **notes}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(pointer)
    return InService(place.name, place, dict(notes))


def in_service(models: Path, model: str) -> InService | None:
    """The version of ``model`` that serves, or ``None``. Raises ``ArtefactError`` if that is unreadable."""
    pointer = models / model / POINTER
    if not pointer.exists():
        return None
    try:
        notes = json.loads(pointer.read_text(encoding="utf-8"))
        version = notes.pop("version")
        folder = pointer.parent / version
        if folder.parent != pointer.parent:
            raise ValueError(f"{version!r} is no version")
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise _unreadable(pointer, error) from error
    return InService(version, folder, notes)


class Savable(Protocol):
    """A fitted model that writes itself into a folder, without pickle."""

    def save(self, folder: Path) -> None:
        """Write the fitted model."""


Model = TypeVar("Model", bound=Savable)


@dataclass(frozen=True)
class Fitted(Generic[Model]):
    """A fitted model in service, its version, and the first as-of day for which it may be used."""

    model: Model
    version: str
    available_from: date

    def absent_on(self, day: date) -> str | None:
        """Why the model says nothing about ``day``; ``None`` if it does."""
        if day >= self.available_from:
            return None
        return f"absent before the model's training day: it was trained on {self.available_from}"


def serve(models: Path, name: str, fitted: Fitted[Model]) -> None:
    """Store a fitted model as a version of ``name`` and put it into service."""
    place = store_version(models / name / fitted.version, fitted.model.save)
    put_into_service(place, {"available_from": str(fitted.available_from)})


def serving(models: Path, name: str, load: Callable[[Path], Model]) -> Fitted[Model] | None:
    """The model of ``name`` in service, or ``None`` while nothing was fitted."""
    found = in_service(models, name)
    if found is None:
        return None
    require_whole(found.folder)
    return Fitted(load(found.folder), found.version, found.day("available_from"))


def require_whole(folder: Path) -> None:
    """Raise ``ArtefactError`` unless every file of a version is as it was written."""
    damaged = damaged_files(folder)
    if damaged:
        raise ArtefactError(
            f"model {folder} is damaged or not whole ({', '.join(damaged)}); delete it and train again"
        )


def damaged_files(folder: Path) -> list[str]:
    """What is wrong with a version's folder; empty if every file is as it was written."""
    manifest = folder / CHECKSUMS
    if not manifest.exists():
        return [f"{CHECKSUMS} is missing"]
    try:
        sums = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [f"{CHECKSUMS} is not JSON"]
    if not isinstance(sums, dict) or not sums:
        return [f"{CHECKSUMS} names no file"]
    version = sums.pop(VERSION, folder.name)
    if version != folder.name:
        return [f"it holds version {version}"]
    return [
        f"{name} {'differs' if (folder / name).exists() else 'is missing'}"
        for name, checksum in sums.items()
        if not (folder / name).is_file() or _checksum(folder / name) != checksum
    ]


def version_of(data: Mapping[str, str], settings: Mapping[str, Any], code: str) -> str:
    """The name of a training: a hash of the data's versions, the settings and the code."""
    inputs = {"data": dict(data), "settings": dict(settings), "code": code}
    text = json.dumps(inputs, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def source_hash(*modules_of: Path) -> str:
    """A hash of the Python modules in the folders: the version of the code that trains."""
    digest = hashlib.sha256()
    for module in sorted(path for folder in modules_of for path in folder.glob("*.py")):
        digest.update(module.name.encode() + module.read_bytes())
    return digest.hexdigest()[:12]


def _unreadable(pointer: Path, error: Exception) -> ArtefactError:
    return ArtefactError(
        f"{pointer} cannot be read ({type(error).__name__}: {error}); delete it and train again:"
        " customer-profiles run, or the job conversion_training"
    )


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
