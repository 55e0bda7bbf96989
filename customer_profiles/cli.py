"""``customer-profiles``: the platform from a terminal."""

from __future__ import annotations

import csv
import os
import socket
import sys
import warnings
from datetime import date, datetime, timedelta
from errno import EACCES, EDQUOT, EEXIST, EISDIR, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from customer_profiles import cli_model, cli_sources
from customer_profiles.cli_quarantine import quarantine
from customer_profiles.cli_shared import DAY, HomeOption, platform_of, settings_of
from customer_profiles.settings import HOME_VARIABLE, Mendable, Settings, load_settings

app = typer.Typer(
    name="customer-profiles",
    help="Customer profiles from a retailer's deliveries: cleaned, point-in-time, scored and segmented.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_model.app, name="model")
app.add_typer(quarantine)
app.add_typer(cli_sources.sources)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

OF_THE_DISK = {EACCES, EPERM, EROFS, EEXIST, ENOTDIR, EISDIR, ENOSPC, EDQUOT}
"""What the person at the keyboard can mend: rights, a file in a folder's place, a full disk."""
BETA_WARNINGS_OFF = "ignore:Parameter `backfill_policy`,ignore:Function `dev_command`"
"""Dagster says at every start, once an asset, that backfill policies are in beta."""
FirstDay = Annotated[datetime | None, typer.Option("--from", formats=DAY, help="First day.")]
LastDay = Annotated[datetime | None, typer.Option("--to", formats=DAY, help="Last day.")]
RebuildDay = Annotated[
    datetime | None, typer.Option(formats=DAY, help="Read this day's deliveries again and rewrite the day.")
]
DriftDay = Annotated[
    str | None,
    typer.Option(help="From when on the customers behave differently: a day, or days after the start."),
]


@app.command()
def demo(home: HomeOption = None) -> None:
    """Simulate a retailer if no deliveries are there, run everything, and show what came out."""
    from customer_profiles.orchestration.demo import is_new

    settings = load_settings(home)
    if is_new(settings):
        _simulate(settings.home, customers=10_000, days=90, start=date(2026, 1, 1), seed=7, drift_day=None)
    _run(load_settings(home))


@app.command()
def run(
    home: HomeOption = None, first: FirstDay = None, last: LastDay = None, rebuild: RebuildDay = None
) -> None:
    """Run everything for a range of days, training included; by default for all delivered days."""
    if rebuild is not None and (first or last):
        raise typer.BadParameter("--rebuild names one day; leave --from and --to out")
    start, end = (_day(rebuild), _day(rebuild)) if rebuild else (_day(first), _day(last))
    _run(load_settings(home), start, end, rebuild=rebuild is not None)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Option("--out", help="Folder for deliveries/ and truth/.")] = Path("data"),
    customers: Annotated[int, typer.Option(min=20, help="How many customers.")] = 10_000,
    days: Annotated[int, typer.Option(min=1, help="How many days.")] = 90,
    start: Annotated[
        datetime, typer.Option(formats=DAY, show_default="2026-01-01", help="First day.")
    ] = datetime(2026, 1, 1),  # noqa: DTZ001
    seed: Annotated[int, typer.Option(help="Another one makes another shop.")] = 7,
    drift_day: DriftDay = None,
) -> None:
    """Write a simulated retailer's deliveries, with the planted truth beside them."""
    _simulate(
        folder,
        customers=customers,
        days=days,
        start=start.date(),
        seed=seed,
        drift_day=_days_after(start.date(), days, drift_day),
    )
    out.print(f"next: customer-profiles run --home {folder}", markup=False, soft_wrap=True)


@app.command()
def key(
    customer_id: Annotated[
        str,
        typer.Argument(help="A customer id; - reads ids, one a line, and prints CSV of the profiles' keys."),
    ],
    home: HomeOption = None,
) -> None:
    """Print the key under which a customer's rows stand; below it that of the profile, if ids were merged."""
    from customer_profiles.orchestration.platform import Platform
    from customer_profiles.profiles.publication import merged_keys

    if not customer_id.strip():
        raise typer.BadParameter("a customer id is needed")
    platform = Platform(settings_of(home), os.environ)
    merged, keyed = merged_keys(platform.settings.published), platform.door.pseudonyms.key
    if customer_id == "-":
        lines = sys.stdin.read().removeprefix("\ufeff").splitlines()
        try:
            "".join(lines).encode()
        except UnicodeEncodeError as error:
            raise typer.BadParameter("the ids are not UTF-8: save them as UTF-8 text") from error
        keys = [(line.strip(), keyed(line)) for line in lines if line.strip()]
        rows = [(each, merged.get(own, own)) for each, own in keys]
        csv.writer(sys.stdout, lineterminator="\n").writerows([("customer_id", "customer_key"), *rows])
        return
    own = keyed(customer_id)
    out.print(own)
    if own in merged:
        why = "the profile: a login proved this and another customer id to be one customer"
        out.print(f"{merged[own]} ({why})", soft_wrap=True)


@app.command()
def doctor(
    home: HomeOption = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send a test message to every alert address, too.")
    ] = False,
) -> None:
    """Look whether daemon, sensors, alerts, warehouse, secrets and disk are well, and say what to do."""
    from customer_profiles.orchestration.doctor import examine, try_addresses

    settings = load_settings(home)
    lines = examine(settings, os.environ) + (try_addresses(settings, os.environ) if send_test else [])
    for line in lines:
        colour = {"ok": "green", "warn": "yellow", "error": "red"}[line.state]
        out.print(
            f"[{colour}]{line.state:>5}[/{colour}] {escape(f'{line.about}: {line.says}')}", soft_wrap=True
        )
    if any(line.state == "error" for line in lines):
        sys.exit(1)


@app.command()
def drift(
    day: Annotated[
        datetime | None, typer.Option(formats=DAY, help="The day to tell of; by default the newest.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what is stable.")] = False,
    home: HomeOption = None,
) -> None:
    """Print what of a day has drifted: from the days before, and from those that the model learned from."""
    from customer_profiles.orchestration.drift_report import drift_of
    from customer_profiles.orchestration.screen import show_drift

    show_drift(out, *drift_of(platform_of(home), _day(day)), everything=every)


@app.command()
def ui(home: HomeOption = None, port: Annotated[int, typer.Option(min=1, max=65535)] = 3000) -> None:
    """Start the Dagster webserver and daemon on 127.0.0.1, with this home's instance."""
    from customer_profiles.orchestration.instance import end_dead_runs, open_instance

    settings = settings_of(home)
    _require_free(port)
    with open_instance(settings.instance) as instance:
        end_dead_runs(instance)  # no other run begins while one of them counts as at work
    environment = {
        "PYTHONWARNINGS": BETA_WARNINGS_OFF,
        **os.environ,
        "DAGSTER_HOME": str(settings.instance),
        HOME_VARIABLE: str(settings.home),
    }
    program = str(Path(sys.executable).with_name("dagster"))
    definitions = ["--module-name", "customer_profiles.definitions"]
    os.execve(program, [program, "dev", *definitions, "-h", "127.0.0.1", "-p", str(port)], environment)


def main() -> None:
    """Run the command line. What a person can mend ends in one line, not in a traceback."""
    warnings.filterwarnings("ignore", module="dagster")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's remarks on its own build
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")  # see orchestration/event_log.py
    try:
        app(prog_name=app.info.name)
    except Mendable as error:
        _end(str(error))
    except OSError as error:
        if error.errno not in OF_THE_DISK:
            raise
        _end(f"{error.strerror}: {error.filename or 'free space, then run again'}")


def _end(reason: str) -> NoReturn:
    err.print(f"error: {reason}", style="red", markup=False, soft_wrap=True)
    sys.exit(1)


def _require_free(port: int) -> None:
    """End if the webserver could not listen there: it would go down alone, and a daemon without it go on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the webserver: one just left is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            _end(f"port {port} cannot be used ({error.strerror}): choose another one with --port")


def _run(
    settings: Settings, first: date | None = None, last: date | None = None, *, rebuild: bool = False
) -> None:
    """Run a range and show its report; leave everything as it is if nothing has changed since."""
    from customer_profiles.collection.sources.finding import lacking_sources
    from customer_profiles.orchestration.platform import Platform
    from customer_profiles.orchestration.report import in_service, load_report, make_report, save_report
    from customer_profiles.orchestration.run import (
        count_assets,
        ending_early,
        fingerprint,
        range_of_days,
        run_range,
    )
    from customer_profiles.orchestration.screen import progress_of_assets, show_report

    platform = Platform(settings, os.environ)
    with out.status("looking at what was delivered"):  # years in one file take their time
        start, end = range_of_days(platform, first, last)
        doubts = (*lacking_sources(platform.home), *ending_early(platform, end))
        state = fingerprint(platform, start, end)
    for reason in doubts:
        out.print(f"WARN {reason}", style="yellow", markup=False, soft_wrap=True)
    before = load_report(settings.home)
    same = before is not None and before.fingerprint == state and before.in_service == in_service(settings)
    if before is not None and before.succeeded and same and not rebuild:
        show_report(out, settings, before)
        out.print(
            "nothing has changed since this run: no delivery, setting, model or code. Nothing was done."
        )
        return
    with progress_of_assets(out, count_assets()) as platform.progress:
        result = run_range(platform, start, end, rebuild=rebuild)
    report = make_report(platform, result, state, before)
    save_report(settings.home, report)
    show_report(out, settings, report, result.told)
    if not report.succeeded:
        sys.exit(1)


def _simulate(
    folder: Path, *, customers: int, days: int, start: date, seed: int, drift_day: int | None
) -> None:
    from rich.progress import Progress

    from customer_profiles.orchestration.demo import prepare_home
    from customer_profiles.simulation import simulate as write_deliveries

    prepare_home(folder)
    with Progress(console=out, transient=True) as bar:
        task = bar.add_task("simulating a retailer", total=days)
        summary = write_deliveries(
            folder,
            customers=customers,
            days=days,
            start=start,
            seed=seed,
            drift_day=drift_day,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    rows = ", ".join(f"{table} {count:,}" for table, count in summary.rows.items())
    last = start + timedelta(days=days - 1)
    out.print(f"simulated {summary.customers:,} customers, {start} to {last}: {rows}", soft_wrap=True)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _days_after(start: date, days: int, day: str | None) -> int | None:
    """``2026-03-02`` or ``60`` -> days after the start, of so many days."""
    if day is None:
        return None
    try:
        after = int(day) if day.isdecimal() else (date.fromisoformat(day) - start).days
    except ValueError as error:
        raise typer.BadParameter(f"{day!r} is neither YYYY-MM-DD nor a number of days") from error
    if not 0 <= after < days:
        last = start + timedelta(days=days - 1)
        raise typer.BadParameter(f"--drift-day {day} is none of the simulated days, {start} to {last}")
    return after


if __name__ == "__main__":
    main()
