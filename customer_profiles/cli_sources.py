"""``customer-profiles sources``: see what a home's sources deliver, and begin a ``sources.yaml``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Set
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from customer_profiles.cli_shared import DAY, HomeOption, settings_of
from customer_profiles.settings import load_settings

if TYPE_CHECKING:
    from customer_profiles.collection.sources.check import TableCheck

sources = typer.Typer(
    name="sources", help="Your own data: check the home's sources.yaml, or begin one.", no_args_is_help=True
)
out = Console(highlight=False)


@sources.command()
def check(
    home: HomeOption = None,
    day: Annotated[
        datetime | None,
        typer.Option(
            formats=DAY,
            help="Day to read; by default each table's newest, of a file for all days the fullest.",
        ),
    ] = None,
) -> None:
    """Read one day and print what would become of it. Nothing is stored; personal data is masked."""
    from customer_profiles.collection.sources.check import check_table
    from customer_profiles.collection.sources.load import load_home
    from customer_profiles.contracts import CONTRACTS

    settings = settings_of(home)
    found = load_home(settings, os.environ)
    with out.status("reading one day"):
        checks = [
            check_table(found, settings.collection, table, day.date() if day else None) for table in CONTRACTS
        ]
    for checked in checks:
        _show(checked)
    _show_families(checks)
    if any(checked.wrong for checked in checks):
        sys.exit(1)


@sources.command()
def init(
    file: Annotated[Path, typer.Argument(help="One of your files.", exists=True, dir_okay=False)],
    table: Annotated[str | None, typer.Option(help="The table that it feeds; guessed by default.")] = None,
    header: Annotated[
        str, typer.Option(help="Names of the columns, parted by commas, of a file that has no header line.")
    ] = "",
    home: HomeOption = None,
) -> None:
    """Guess a first mapping from a file's columns and print it as YAML: put it into sources.yaml."""
    from customer_profiles.collection.sources.guess import guess_source

    names = [name.strip() for name in header.split(",")] if header else []
    guessed = guess_source(file, load_settings(home).home, table, names)
    out.print(guessed, markup=False, soft_wrap=True, end="")


def _show(check: TableCheck) -> None:
    from customer_profiles.collection.sources.check import missing_columns

    if check.wrong:
        out.rule(f"{check.table}: cannot be read", style="red")
        out.print(f"[red]{escape(check.wrong)}[/red]", soft_wrap=True)
        _show_doubts(check)
        return
    if not check.days and not check.received:
        return
    out.rule(f"{check.table}, {check.day}")
    out.print(f"days: {len(check.days):,}, from {check.days[0]} to {check.days[-1]}" if check.days else "")
    if not check.sources:
        out.print("no delivery on this day")
        return
    out.print(
        f"{escape(', '.join(check.sources))}: {check.received:,} rows received"
        f"{'' if check.whole else ' (the first ones of more)'}, {check.quarantined_rows:,} of them "
        f"quarantined, {check.duplicates:,} duplicates",
        soft_wrap=True,
    )
    if not check.received and not check.filtered:
        out.print("no row came in on this day; look at another one: --day")
    _show_counts("left out by rule", check.filtered)
    _show_counts("would be quarantined", check.quarantined)
    _show_counts("would be repaired", check.repaired)
    _show_doubts(check)
    missing = missing_columns(check)
    if missing:
        out.print(f"[red]required columns missing:[/red] {', '.join(missing)}", soft_wrap=True)
    absent = [name for name in check.absent_columns if name not in missing]
    if absent:
        out.print(f"optional columns absent: {', '.join(absent)}", soft_wrap=True)
    if check.unknown_columns:
        out.print(
            f"not mapped as a whole, kept sealed: {escape(', '.join(check.unknown_columns))}",
            soft_wrap=True,
        )
    if check.sample.height:
        _show_sample(check)


def _show_doubts(check: TableCheck) -> None:
    for doubt in check.doubts:
        out.print(f"[yellow]{escape(doubt)}[/yellow]", soft_wrap=True)


def _show_counts(what: str, counts: Mapping[str, int]) -> None:
    for rule, rows in counts.items():
        out.print(f"  {what}: {rows:,} rows: {escape(rule)}", soft_wrap=True)


def _show_sample(check: TableCheck) -> None:
    """Columns run down, so that a wide table fits 80 characters."""
    grid = Table(title="mapped sample", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    grid.add_column("column")
    for number in range(check.sample.height):
        grid.add_column(f"row {number + 1}", overflow="fold")
    for name in check.sample.columns:
        grid.add_row(name, *(escape(cell or "") for cell in check.sample[name]))
    out.print(grid)


def _population(absent: Set[str]) -> str:
    from customer_profiles.features.population import TOLD_BY

    if absent >= TOLD_BY:
        return f"nobody, for want of {', '.join(sorted(TOLD_BY))}: one of them tells who is a customer"
    named = "who ordered or did something" if "customers" in absent else "whom customers names, no others"
    return f"those {named}"


def _show_families(checks: list[TableCheck]) -> None:
    """Which families of features have no source."""
    from customer_profiles.features.catalogue import FAMILY_TRAITS

    absent = {check.table for check in checks if not check.days and not check.wrong}
    out.rule("features")
    if absent:
        out.print(f"no source: {', '.join(sorted(absent))}", soft_wrap=True)
    out.print(f"  profiles: of {_population(absent)}", soft_wrap=True)
    for family, traits in FAMILY_TRAITS.items():
        null = [trait for trait in traits if absent & set(trait.sources)]
        because = ", ".join(sorted({table for trait in null for table in trait.sources if table in absent}))
        if not null:
            out.print(f"  {family}: has its sources")
        elif len(null) == len(traits):
            out.print(f"  {family}: NULL, for want of {because}", soft_wrap=True)
        else:
            said = f"{len(null)} of {len(traits)} traits NULL, for want of {because}"
            out.print(f"  {family}: {said}", soft_wrap=True)
