"""The option that every command takes: which home."""

from pathlib import Path
from typing import Annotated

import typer

from customer_profiles.settings import HOME_VARIABLE

HomeOption = Annotated[
    Path | None, typer.Option("--home", help=f"Home folder; by default ${HOME_VARIABLE}, or data/.")
]
