"""The command line, called as a person calls it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO

import pytest

from customer_profiles import cli


@dataclass(frozen=True)
class Said:
    """What a command came to: its exit code, what it printed, and what it printed as errors."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def command() -> Command:
    """``command("run", "--home", home)``: ``customer-profiles run --home HOME``, in this process."""

    def call(*arguments: object) -> Said:
        out, err, code = StringIO(), StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith("CUSTOMER_PROFILES_")]:
                patch.delenv(name)
            patch.setenv("COLUMNS", "200")
            patch.setattr(sys, "argv", ["customer-profiles", *map(str, arguments)])
            try:
                cli.main()
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else int(left.code is not None)
        return Said(code, out.getvalue(), err.getvalue())

    return call
