"""``customer-profiles model``: what the models are worth, and which of them serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from customer_profiles.cli_shared import HomeOption, settings_of, who
from customer_profiles.settings import Settings

app = typer.Typer(
    help="What the conversion models are worth, which one serves, and how to change that.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)

LabelOption = Annotated[
    str | None, typer.Option("--label", help="What is predicted; by default the first in label.train.")
]
VersionArgument = Annotated[str, typer.Argument(help="A version, or the first letters of one.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for those who come after.")]


@app.callback()
def page(context: typer.Context, home: HomeOption = None, label: LabelOption = None) -> None:
    """Show the page of the model that serves."""
    if context.invoked_subcommand is None:
        _show(home, label, None)
    else:  # ``model --home A list`` is that home too, not the default one
        context.default_map = {context.invoked_subcommand: {"home": home, "label": label}}


@app.command()
def show(
    version: Annotated[str | None, typer.Argument(help="By default the one that serves.")] = None,
    home: HomeOption = None,
    label: LabelOption = None,
) -> None:
    """Show a version's page: whom to contact, how good it is, for whom, and what it leans on."""
    _show(home, label, version)


@app.command(name="list")
def list_versions(home: HomeOption = None, label: LabelOption = None) -> None:
    """List the stored versions, and who put which one into service, when and why."""
    from customer_profiles.orchestration.model_screen import show_rows
    from customer_profiles.orchestration.models import label_named, listed, none_trained, promotions

    settings = settings_of(home)
    name = label_named(settings, label)
    rows = listed(settings, name)
    out.print(
        f"versions of {name}:" if rows else none_trained(settings, name), markup=False, soft_wrap=not rows
    )
    if rows:
        show_rows(out, rows)
    changes = promotions(settings, name)
    if changes:
        out.print("put into service:")
        show_rows(out, changes)


@app.command()
def compare(
    version: VersionArgument,
    other: Annotated[str | None, typer.Argument(help="By default the one that serves.")] = None,
    home: HomeOption = None,
    label: LabelOption = None,
) -> None:
    """Judge two versions on the same customers of the newest settled days."""
    from customer_profiles.orchestration.model_screen import show_rows
    from customer_profiles.orchestration.models import compared, label_named
    from customer_profiles.orchestration.platform import Platform

    settings = settings_of(home)
    says, rows = compared(Platform(settings, os.environ), label_named(settings, label), version, other)
    out.print(says)
    show_rows(out, rows)


@app.command()
def promote(
    version: VersionArgument, reason: ReasonOption, home: HomeOption = None, label: LabelOption = None
) -> None:
    """Put a version into service by hand; the reason is kept."""
    from customer_profiles.orchestration.models import label_named
    from customer_profiles.orchestration.models import promote as put_into_service

    settings = settings_of(home)
    name = label_named(settings, label)
    serving = put_into_service(settings, name, version, by=who(), reason=reason)
    _told(settings, f"{name}: {serving.kind} {serving.version} serves")


@app.command()
def rollback(reason: ReasonOption, home: HomeOption = None, label: LabelOption = None) -> None:
    """Put the version that served before back into service; the reason is kept."""
    from customer_profiles.orchestration.models import label_named
    from customer_profiles.orchestration.models import rollback as roll_back

    settings = settings_of(home)
    name = label_named(settings, label)
    serving = roll_back(settings, name, by=who(), reason=reason)
    _told(settings, f"{name}: {serving.kind} {serving.version} serves again")


def _show(home: Path | None, label: str | None, version: str | None) -> None:
    from customer_profiles.orchestration.model_screen import show_page
    from customer_profiles.orchestration.models import label_named, shown

    settings = settings_of(home)
    show_page(out, shown(settings, label_named(settings, label), version))


def _told(settings: Settings, what: str) -> None:
    out.print(f"{what}. Published scores stay until their day is run again:", soft_wrap=True)
    again = f"customer-profiles run --home {settings.home} --from DAY --to DAY"
    out.print(again, markup=False, soft_wrap=True)
