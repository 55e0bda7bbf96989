"""Whoever is killed in the middle of a day's load leaves a home that the next run completes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills.py"


def test_a_load_that_was_killed_and_run_again_is_as_if_nobody_had_been_killed(tmp_path: Path) -> None:
    rounds = tmp_path / "rounds.json"
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--kills", "4", "--customers", "150", "--json", rounds],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(each["at_work"] for each in json.loads(rounds.read_text())) == 4
