"""What every command shares: the option that says which home, and who asks."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from customer_profiles.settings import HOME_VARIABLE

HomeOption = Annotated[
    Path | None, typer.Option("--home", help=f"Home folder; by default ${HOME_VARIABLE}, or data/.")
]


def who() -> str:
    """The person at the keyboard, by the name of their account; a container's user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
