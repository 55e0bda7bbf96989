"""The stored models of a home: listed, shown, compared, promoted, rolled back."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from customer_profiles.conversion.artefacts import (
    Champion,
    champion,
    crown,
    find,
    load,
    load_page,
    roll_back,
    room,
    taken_out,
    versions,
)
from customer_profiles.conversion.evaluation import evaluate
from customer_profiles.conversion.frames import InputsError
from customer_profiles.conversion.labels import DEFINITIONS
from customer_profiles.conversion.metrics import Economics
from customer_profiles.conversion.page import Page
from customer_profiles.conversion.sections import SHOWN, Section, metric_figure, sections
from customer_profiles.conversion.service import CARD
from customer_profiles.conversion.snapshots import gather
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.report import load_report
from customer_profiles.settings import Mendable, Settings
from customer_profiles.warehouse.artefacts import ArtefactError

Rows = list[dict[str, str]]


class ModelError(Mendable, RuntimeError):
    """A model cannot be shown, compared or promoted. The message says why."""


class Shown(NamedTuple):
    """A version's page, its sections, whether it serves, and what the settings say otherwise by now."""

    version: str
    page: Page
    sections: list[Section]
    serves: bool
    note: str


def label_named(settings: Settings, name: str | None) -> str:
    """The label meant: by default the profile's. Raises ``ModelError`` for one that there is not."""
    if name is None or name in DEFINITIONS:
        return name or settings.label.train[0]
    raise ModelError(f"there is no label {name!r}; there are: {', '.join(DEFINITIONS)}")


def listed(settings: Settings, label: str) -> Rows:
    """One row per stored version, the newest first."""
    try:
        serving = champion(settings.models, label)
    except ArtefactError:  # ``promotions`` says so; one of these versions mends it
        serving = None
    out = taken_out(serving.history) if serving else {}
    return [
        _listed(settings, label, version, serving, set(out)) for version in versions(settings.models, label)
    ][::-1]


def _listed(
    settings: Settings, label: str, version: str, serving: Champion | None, out: set[str]
) -> dict[str, str]:
    try:
        page = load_page(room(settings.models, label) / version)
    except ArtefactError:
        return {"version": version, "state": "damaged"}
    states = {
        "serves": serving is not None and serving.version == version,
        "may not serve": bool(page.faults),
        "rolled back": version in out,
    }
    metrics = page.metrics()
    return {
        "version": version,
        "state": next((state for state, holds in states.items() if holds), ""),
        "kind": page.model.replace("_", " "),
        "deliveries to": str(page.trained_through),
        **{SHOWN[name]: f"{metrics[name]:.3f}" for name in ("roc_auc", "lift_10") if name in metrics},
    }


def promotions(settings: Settings, label: str) -> Rows:
    """Who put which version into service, when and why; the newest first."""
    serving = champion(settings.models, label)
    return [
        {
            "when (UTC)": change.at[:16].replace("T", " "),
            "who": change.by,
            "what": f"{change.act} {change.version}"
            if change.act == "promoted"
            else f"back to {change.version}",
            "why": change.reason,
        }
        for change in reversed(serving.history if serving else ())
    ]


def shown(settings: Settings, label: str, version: str | None) -> Shown:
    """A version's page: unless one is named the champion's, or that of the newest training if none serves."""
    serving, stored = champion(settings.models, label), versions(settings.models, label)
    if version is not None:
        folder = find(settings.models, label, version)
    elif serving:
        folder = serving.folder
    elif stored:
        folder = room(settings.models, label) / stored[-1]
    else:
        raise ModelError(none_trained(settings, label))
    page = load_page(folder)
    try:
        told = sections(page)
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"the page of {folder.name} was written by another version of the platform ({error!r});"
            f" what it found stands in {folder / CARD}"
        ) from error
    note = page.other_terms(settings.label)
    if note:
        note = f"It predicts something else than is asked now: {note}. Train again: customer-profiles run"
    elif label not in settings.label.train:
        note = f"Nobody is scored by it any more: label.train names {', '.join(settings.label.train)} alone"
    return Shown(folder.name, page, told, serving is not None and serving.version == folder.name, note)


def none_trained(settings: Settings, label: str) -> str:
    """Why there is no model of a label, and what to do."""
    if label not in settings.label.train:
        return (
            f"no model of {label} was trained: label.train names {', '.join(settings.label.train)} alone;"
            f" add {label} to it in {settings.home / 'settings.yaml'}, then customer-profiles run"
        )
    if serving := champion(settings.models, label):
        return f"no version of {label} is stored any more, {serving.version} served: customer-profiles run"
    report = load_report(settings.home)
    reasons = report.not_trained if report else {}
    reason = reasons.get(f"conversion: {label}") or reasons.get("conversion")
    return f"no model of {label} was trained yet in {settings.home}: {reason or 'customer-profiles run'}"


def compared(platform: Platform, label: str, one: str, other: str | None) -> tuple[str, Rows]:
    """Two versions judged on the same customers of the newest matured snapshot, who trained neither.

    ``other`` is the champion by default. Returns a sentence and a row per metric.
    """
    settings = platform.settings
    serving = champion(settings.models, label)
    if other is None and serving is None:
        raise ModelError(f"no model of {label} serves: name a second version to compare with")
    folders = [
        find(settings.models, label, one),
        find(settings.models, label, other) if other else serving.folder,  # type: ignore[union-attr]
    ]
    names = [folder.name for folder in folders]
    if names[0] == names[1]:
        raise ModelError(f"{names[0]} and {names[1]} are the same version")
    with platform.warehouse() as warehouse:
        gathered = gather(warehouse, settings, label)
    if isinstance(gathered, str):
        raise ModelError(f"nothing to compare on: {gathered}")
    test = gathered.parts.test
    try:
        predictions = {folder.name: load(folder).predict(test.features) for folder in folders}
    except InputsError as error:
        raise ModelError(f"they cannot be compared on the traits of today: {error}") from error
    conversion = settings.conversion
    evaluation = evaluate(
        test.label,
        test.customer_key,
        predictions,
        rounds=conversion.bootstrap_rounds,
        seed=conversion.seed,
        economics=Economics(conversion.margin_minor, conversion.contact_cost_minor),
    )
    pair = (pl.col("model") == names[0]) & (pl.col("baseline") == names[1])
    differences = {row["metric"]: row for row in evaluation.differences.filter(pair).iter_rows(named=True)}
    rows = [
        {
            "metric": title,
            **{
                name: metric_figure((evaluation.value(name, metric), *evaluation.interval(name, metric)))
                for name in names
            },
            "the first is": differences[metric]["verdict"] if metric in differences else "",
        }
        for metric, title in SHOWN.items()
    ]
    says = (
        f"{names[0]} beside {names[1]} on {len(test):,} customers as of {gathered.days.test}, of whom"
        f" {test.positives:,} did it; none of them trained either."
    )
    return says, rows


def promote(settings: Settings, label: str, version: str, *, by: str, reason: str) -> Champion:
    """Put a version into service by hand. Raises ``ModelError`` for one that must never serve."""
    folder = find(settings.models, label, version)
    page = load_page(folder)
    if page.faults:
        raise ModelError(f"{folder.name} may not serve: {'; '.join(page.faults)}")
    _require_reason(reason)
    return crown(settings.models, label, folder.name, by=by, reason=reason, profiles=_no_profile())


def rollback(settings: Settings, label: str, *, by: str, reason: str) -> Champion:
    """Put the version that served before back into service."""
    _require_reason(reason)
    return roll_back(settings.models, label, by=by, reason=reason, profiles=_no_profile())


def _no_profile() -> pl.DataFrame:
    """Profiles as they are today, but of nobody: what a model reads must be among their columns."""
    return pl.DataFrame(schema=CUSTOMER_FEATURES.schema)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ModelError("say why, for those who come after: --reason '...'")
