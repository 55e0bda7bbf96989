"""The report and the progress of a run on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from customer_profiles.conversion.sections import metric_figure
from customer_profiles.orchestration.report import SHOWN, Report, days_in_words, places
from customer_profiles.quality.drift_table import AGAINST
from customer_profiles.quality.reconciliation import FATES
from customer_profiles.settings import DEFAULT_HOME, Settings

DRIFTED = ("error", "warn", "chance")
MEASURED = (
    "ROC-AUC: how often one who does it stands above one who does not; 0.5 is chance, 1 perfect. Log loss: "
    "how far the chances lay from what came; less is better. Lift@10 %: how many times more do it in the "
    "highest tenth than in one drawn by lot."
)
VERDICTS = (
    "against training: the days that the model learned from; last days: those before; chance: above its "
    "threshold, but no more than sampling or the column's own ups and downs explain"
)


@contextmanager
def progress_of_assets(console: Console, assets: int) -> Iterator[Any]:
    """A progress bar over the assets of a run; yields the callback that the platform tells."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("assets"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as bar:
        task = bar.add_task("starting", total=assets)
        seen: set[str] = set()

        def tell(asset: str, done: int, days: int) -> None:
            seen.add(asset)
            of_days = f" day {done}/{days}" if days > 1 else ""
            bar.update(task, completed=len(seen) - (done < days), description=f"{asset}{of_days}".ljust(40))

        yield tell


def show_report(console: Console, settings: Settings, report: Report, told: str = "") -> None:
    """Print a run's report, and what people were told of it."""
    console.rule(f"customer_profiles, {days_in_words(report.first, report.last)}")
    console.print(_rows(report))
    filtered = [f"{table} {of['filtered']:,}" for table, of in report.rows.items() if of["filtered"]]
    if filtered:
        console.print(f"rows left out by rules of sources.yaml: {', '.join(filtered)}", soft_wrap=True)
    _show_checks(console, report)
    _show_model(console, report)
    _show_segments(console, report)
    console.print(_seconds(report))
    if told:
        console.print(f"alerts: {told}", markup=False, soft_wrap=True)
    for what, place in places(settings).items():
        if place.exists():
            console.print(f"{what:>18}: {place}", markup=False, soft_wrap=True)
    for failure in report.failures:
        console.print(f"[red]failed:[/red] {escape(failure)}", soft_wrap=True)
    for change in report.changed:
        console.print(f"[yellow]changed:[/yellow] {escape(change)}", soft_wrap=True)
    here = settings.home == DEFAULT_HOME.resolve()
    home = "" if here else f" --home {escape(str(settings.home))}"
    if report.run_again:
        first, last = report.run_again[0], report.run_again[-1]
        console.print(
            f"[yellow]run again:[/yellow] {days_in_words(first, last)}, told before an earlier day changed: "
            f"customer-profiles run{home} --from {first} --to {last}",
            soft_wrap=True,
        )
    look = "make ui" if here else f"customer-profiles ui{home}"
    look += f", or customer-profiles model{home}" if report.models else ""
    advice = look if report.succeeded else f"mend what failed, then run again: customer-profiles run{home}"
    console.print(f"next: [bold]{advice}[/bold]", soft_wrap=True)


def show_drift(console: Console, day: date, drifts: list[dict[str, Any]], *, everything: bool) -> None:
    """Print a day's drift, worst first; by default only what lies above a threshold."""
    seen = Counter(drift["verdict"] for drift in drifts)
    console.rule(f"drift on {day}")
    console.print(", ".join(f"{count} {verdict}" for verdict, count in seen.items()))
    told = [drift for drift in drifts if everything or drift["verdict"] in DRIFTED]
    if not told:
        console.print("nothing lies above its threshold; --all shows every column")
        return
    table = _table("above their thresholds, worst first" if not everything else "all columns", "what moved")
    table.columns[0].overflow = "fold"
    for name in ("verdict", "against"):
        table.add_column(name)
    for name in ("statistic", "value", "warns", "rows", "of"):
        table.add_column(name, justify="right")
    for drift in told:
        moved = drift["moved"] + (f"; new: {drift['unseen']}" if drift["unseen"] else "")
        table.add_row(
            f"{drift['table_name']}.{drift['column_name']}\n{escape(moved)}",
            drift["verdict"],
            AGAINST[drift["reference"]],
            drift["statistic"],
            "" if drift["value"] is None else f"{drift['value']:.3f}",
            "" if drift["warn"] is None else f"{drift['warn']:g}",
            f"{drift['rows']:,}",
            f"{drift['reference_rows']:,}",
        )
    console.print(table)
    console.print(VERDICTS)


def _rows(report: Report) -> Table:
    table = _table("rows", "table")
    names = ("received", *FATES)
    for name in names:
        table.add_column(name, justify="right")
    for delivered, counts in report.rows.items():
        table.add_row(delivered, *(f"{counts[name]:,}" for name in names))
    table.add_section()
    totals = [sum(counts[name] for counts in report.rows.values()) for name in names]
    table.add_row("all", *(f"{total:,}" for total in totals))
    return table


def _table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first)
    return table


def _show_checks(console: Console, report: Report) -> None:
    failed = report.checks_failed
    console.print(f"checks: {report.checks_passed} passed, {len(failed)} failed")
    for check in sorted(failed, key=lambda check: (check["severity"], check["asset"])):
        colour = "red" if check["severity"] == "error" else "yellow"
        on = f" on {check['day']}" if check["day"] else ""
        console.print(
            f"  [{colour}]{check['severity'].upper()}[/{colour}] {check['asset']} {check['name']}{on}: "
            f"{escape(check['says'])}",
            soft_wrap=True,
        )


def _show_model(console: Console, report: Report) -> None:
    parted = ((*name.partition(": "), why) for name, why in report.not_trained.items())
    untrained = {label: why for model, _, label, why in parted if model == "conversion"}
    if report.models:
        _show_figures(console, report)
    elif "" in untrained or not untrained:
        console.print(f"conversion model: {_why_none(report, 'conversion')}", soft_wrap=True)
        return
    for label, why in untrained.items():
        of_label = f" of {label}" if label else ""
        console.print(escape(f"no new model{of_label}: {why}"), soft_wrap=True)
    console.print(f"serving: {report.serves or 'nothing: no model earned it'}")


def _show_figures(console: Console, report: Report) -> None:
    cells = {(row["model"], row["metric"]): row for row in report.models}
    table = _table("conversion, on unseen customers of a later day (95 % intervals)", "model")
    for title in SHOWN.values():
        table.add_column(title, justify="right", no_wrap=True)
    for model in dict.fromkeys(row["model"] for row in report.models):
        table.add_row(model.replace("_", " "), *(_figure(cells.get((model, metric))) for metric in SHOWN))
    console.print(table)
    console.print(MEASURED)
    if report.contact:
        console.print(report.contact)
    if report.reach:
        console.print(report.reach)


def _why_none(report: Report, model: str) -> str:
    seen = f"see models/{model} in the UI for the reason" if report.succeeded else "see what failed, below"
    return escape(report.not_trained.get(model, f"none yet: {seen}"))


def _figure(row: dict[str, Any] | None) -> str:
    return "" if row is None else metric_figure((row["value"], row["low"], row["high"]))


def _show_segments(console: Console, report: Report) -> None:
    if not report.segments:
        console.print(f"segments: {_why_none(report, 'segmentation')}", soft_wrap=True)
        return
    table = _table(f"segments of {report.customers:,} customers", "segment")
    table.add_column("customers", justify="right")
    table.add_column("share", justify="right")
    table.add_column("what set it apart in training")
    for row in report.segments:
        table.add_row(row["segment"], f"{row['customers']:,}", f"{row['share']:.1%}", row["differences"])
    console.print(table)


def _seconds(report: Report) -> str:
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report.seconds.items())
    return f"seconds: {stages}; all {sum(report.seconds.values()):.1f}"
