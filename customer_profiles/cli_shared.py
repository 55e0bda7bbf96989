"""What every command shares: the option that says which home, how days are written, and who asks."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_profiles.settings import HOME_VARIABLE, NO_HOME, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from customer_profiles.orchestration.platform import Platform

HomeOption = Annotated[
    Path | None, typer.Option("--home", help=f"Home folder; by default ${HOME_VARIABLE}, or data/.")
]

DAY = ["%Y-%m-%d"]
"""How the command line writes days."""


def settings_of(home: Path | None) -> Settings:
    """The settings of a home that is there: of a mistyped one, keys and counts would tell nothing.

    Raises ``SettingsError``.
    """
    settings = load_settings(home)
    if not settings.home.is_dir():
        raise SettingsError(f"{settings.home}: {NO_HOME}")
    return settings


def platform_of(home: Path | None) -> Platform:
    """The platform of a home in which something ran: looking at another would make a warehouse there.

    Raises ``SettingsError``.
    """
    from customer_profiles.orchestration.platform import Platform

    settings = settings_of(home)
    if not settings.warehouse_file.is_file():
        raise SettingsError(f"nothing ran in {settings.home} yet: customer-profiles run")
    return Platform(settings, os.environ)


def who() -> str:
    """The person at the keyboard, by the name of their account; a container's user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
