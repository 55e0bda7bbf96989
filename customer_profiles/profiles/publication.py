"""Publishing a day's profiles as Parquet: a new folder, then one manifest swapped by rename.

Readers open ``published/manifest.json``, or the files behind ``published/current/``; whoever reads
while a new set is published sees the old set whole or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

MANIFEST, CURRENT = "manifest.json", "current"
KEPT = 3
"""Newest sets that stay on disk, so that a reader who opened one before may finish."""


def publish(published: Path, day: date, tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    """Write ``tables`` (name -> rows) as one set and make it the current one. Returns its manifest."""
    draft = published / f".{day}.unfinished"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    files = {}
    for name, rows in tables.items():
        file = draft / f"{name}.parquet"
        rows.write_parquet(file, compression="zstd")
        files[name] = {"rows": rows.height, "sha256": _checksum(file)}
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]
    place = published / f"{day}-{digest}"
    if _is_whole(place, files):  # it may be the current one: readers must not find it gone for a moment
        shutil.rmtree(draft)
        os.utime(place)
    else:
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
    manifest = {"as_of": str(day), "folder": place.name, "files": files}
    _swap(published, manifest)
    _forget_old_sets(published, place)
    return manifest


def merged_keys(published: Path) -> dict[str, str]:
    """The keys under which the profiles of merged customer ids are published, by the ids' own keys."""
    file = published / CURRENT / "merged_ids.parquet"
    return dict(pl.read_parquet(file).iter_rows()) if file.is_file() else {}


def _is_whole(place: Path, files: dict[str, Any]) -> bool:
    """Whether a set lies there with all of its ``files`` as the manifest tells them."""
    told = {place / f"{name}.parquet": file["sha256"] for name, file in files.items()}
    return all(file.is_file() and _checksum(file) == checksum for file, checksum in told.items())


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _swap(published: Path, manifest: dict[str, Any]) -> None:
    draft = published / f".{MANIFEST}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(published / MANIFEST)
    link = published / f".{CURRENT}"
    link.unlink(missing_ok=True)
    link.symlink_to(manifest["folder"])
    link.replace(published / CURRENT)


def _forget_old_sets(published: Path, current: Path) -> None:
    sets = sorted(
        (folder for folder in published.iterdir() if folder.is_dir() and not folder.is_symlink()),
        key=lambda folder: folder.stat().st_mtime_ns,
    )
    for folder in sets[:-KEPT]:
        if folder != current:
            shutil.rmtree(folder)
