"""What a run did, read from the home: rows, checks, model, segments, seconds, places."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from customer_profiles.cleaning.clean import row_fates
from customer_profiles.collection.checks import EVERY_DELIVERY_WAS_READ as EVERY_READ
from customer_profiles.collection.ledger import refusals
from customer_profiles.collection.sources.changes import reading_states, what_changed
from customer_profiles.contracts import CONTRACTS
from customer_profiles.conversion.artefacts import Champion, champion, load_page, room, versions
from customer_profiles.conversion.page import Page
from customer_profiles.conversion.sections import SHOWN as TITLES
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.run import RunResult
from customer_profiles.profiles.reach import reach_of_day
from customer_profiles.profiles.tables import CUSTOMER_PROFILES
from customer_profiles.quality.reconciliation import FATES
from customer_profiles.segments.differences import what_sets_apart
from customer_profiles.segments.service import load_segmentation
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.settings import LabelName, Settings
from customer_profiles.warehouse.artefacts import POINTER, ArtefactError, damaged_files

FILE = "last_run.json"
SHOWN = {metric: TITLES[metric] for metric in ("roc_auc", "log_loss", "lift_10")}
"""Metrics on the screen, and what they are called there."""


@dataclass(frozen=True)
class Report:
    """A run's outcome as plain values; kept as JSON in the home."""

    fingerprint: str
    run_id: str
    first: str
    last: str
    succeeded: bool
    failures: list[str]
    rows: dict[str, dict[str, int]]
    checks_passed: int
    checks_failed: list[dict[str, Any]]
    serves: str
    models: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    customers: int
    seconds: dict[str, float]
    in_service: str = ""
    run_again: list[str] = field(default_factory=list)
    read_by: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    not_trained: dict[str, str] = field(default_factory=dict)
    contact: str = ""
    reach: str = ""


def told_once(refused: pl.DataFrame) -> list[str]:
    """The reasons of ``refusals``; days of a table that have the same as one: a database is away on many."""
    days: dict[tuple[str, str], list[tuple[date, str]]] = {}
    for day, table, reason in refused.iter_rows():
        days.setdefault((table, reason.removeprefix(f"{table} of {day}: ")), []).append((day, reason))
    return [
        f"{table} of {len(of)} days, {of[0][0]} to {of[-1][0]}: {why}" if of[0][1] != of[-1][1] else of[0][1]
        for (table, why), of in days.items()
    ]


def make_report(platform: Platform, result: RunResult, fingerprint: str, before: Report | None) -> Report:
    """Read from the warehouse and the model folders what the run left there.

    ``before`` is the report of the run before: days that it named and that were not run stay named.
    """
    settings, read_by = platform.settings, reading_states(platform.home)
    with platform.warehouse() as warehouse:
        refused = told_once(refusals(warehouse, result.first, result.last))
        rows = {table: _fates(row_fates(warehouse, table, result.first, result.last)) for table in CONTRACTS}
        newest = max(warehouse.days(CUSTOMER_PROFILES), default=None)
        customers = warehouse.row_counts(CUSTOMER_PROFILES).get(newest, 0) if newest else 0
        reach = reach_of_day(warehouse, newest, settings.conversion.list_share) if newest else ""
        segments = warehouse.frame(SEGMENTS, newest, newest, "segment") if newest else None
    serving = {label: champion(settings.models, label) for label in settings.label.train}
    of_profile = serving[settings.label.train[0]]
    page = _page(settings, of_profile)
    parted = load_segmentation(settings.models)
    apart = what_sets_apart(parted.model, segments) if parted and segments is not None else None
    return Report(
        fingerprint=fingerprint,
        run_id=result.run_id,
        first=str(result.first),
        last=str(result.last),
        succeeded=result.succeeded,
        failures=[*refused, *(f for f in result.failures if not (refused and EVERY_READ in f))],
        rows=rows,
        checks_passed=sum(check.passed for check in result.checks),
        checks_failed=[
            asdict(check) | ({"says": f"{len(refused)} named below"} if check.name == EVERY_READ else {})
            for check in result.checks
            if not check.passed
        ],
        serves=_serves(serving),
        models=[row for row in page.tables["metrics"] if row["metric"] in SHOWN] if page else [],
        segments=apart.to_dicts() if apart is not None else [],
        customers=customers,
        seconds=result.seconds,
        in_service=in_service(settings),
        run_again=_run_again(result, before),
        read_by=read_by,
        changed=[*(what_changed(before.read_by, read_by) if before else []), *result.gone],
        not_trained=dict(result.not_trained),
        contact=page.contact if page and of_profile else "",
        reach=reach,
    )


def _run_again(result: RunResult, before: Report | None) -> list[str]:
    """What the run named, and what was named before and has not been run since."""
    still = {date.fromisoformat(day) for day in before.run_again} if before else set()
    run = {day for day in still if result.succeeded and result.first <= day <= result.last}
    return [str(day) for day in sorted({*result.run_again, *still} - run)]


def _serves(serving: Mapping[LabelName, Champion | None]) -> str:
    """The champion of each label that is trained, in words."""
    one = len(serving) == 1
    told = [
        f"{each.kind} {each.version}" + ("" if one else f" ({label})")
        for label, each in serving.items()
        if each
    ]
    return ", ".join(told)


def _page(settings: Settings, serving: Champion | None) -> Page | None:
    """The page of the profile's label: of its champion, or of its newest training if none serves."""
    label = settings.label.train[0]
    trained = versions(settings.models, label)
    if not trained:
        return None
    version = serving.version if serving else trained[-1]
    try:
        return load_page(room(settings.models, label) / version)
    except ArtefactError:
        return None


def in_service(settings: Settings) -> str:
    """Tells whether any model was put into service, taken out, deleted or damaged since."""
    state = [
        (str(pointer.relative_to(settings.models)), pointer.read_text(encoding="utf-8", errors="replace"))
        for pointer in sorted(settings.models.rglob(POINTER))
    ]
    for label in settings.label.train:
        try:
            serving = champion(settings.models, label)
        except ArtefactError:
            continue  # its file stands in the state already; a run mends it
        state += [(label, problem) for problem in damaged_files(serving.folder)] if serving else []
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def save_report(home: Path, report: Report) -> None:
    """Keep the report for the next run of the home."""
    draft = home / f".{FILE}"
    draft.write_text(json.dumps(asdict(report), indent=1, default=str), encoding="utf-8")
    draft.replace(home / FILE)


def load_report(home: Path) -> Report | None:
    """The report of the home's last run, or ``None`` if there is none that this version can read."""
    try:
        return Report(**json.loads((home / FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, TypeError, ValueError):
        return None


def forget_state(home: Path) -> None:
    """Let the next run work although no file has changed: something else has."""
    report = load_report(home)
    if report is not None:
        save_report(home, replace(report, fingerprint=""))


def places(settings: Settings) -> dict[str, Path]:
    """Where the files of a home are."""
    return {
        "profiles to read": settings.published / "current" / "customer_profiles.parquet",
        "warehouse": settings.warehouse_file,
        "vault": settings.vault_file,
        "models": settings.models,
        "alerts": settings.alerts_folder,
        "Dagster instance": settings.instance,
    }


def _fates(frame: Any) -> dict[str, int]:
    return {name: int(frame[name].sum()) for name in ("received", *FATES, "filtered")}


def days_in_words(first: str | date, last: str | date) -> str:
    """A range of days."""
    return str(first) if str(first) == str(last) else f"{first} to {last}"
