"""How long importing the platform takes: ``python benchmarks/imports.py [--json PATH]``.

Dagster's processes import ``customer_profiles.definitions`` at each start; it should take under 2 s. Beside
it Dagster alone, imported first in the same process: ``x`` is how many times that it takes. The quickest of
five processes counts, in processor seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

PROCESSES = 5
SCRIPT = """
import json, time
start = time.process_time()
import dagster
alone = time.process_time() - start
import customer_profiles.definitions
print(json.dumps([["dagster", alone], ["customer_profiles.definitions", time.process_time() - start]]))
"""


def measure() -> list[dict[str, str | float]]:
    """A row for each of the two: what, cpu_seconds, x."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(PROCESSES)
    ]
    quickest = min(runs, key=lambda run: run[-1][1])
    dagster = quickest[0][1]
    return [{"what": what, "cpu_seconds": cpu, "x": cpu / dagster} for what, cpu in quickest]


def main() -> None:
    """Print the table, and write it where asked."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--json", type=Path, help="also write the rows here")
    chosen = arguments.parse_args()
    rows = measure()
    print(f"{'what':<32}{'CPU s':>8}{'x':>6}")
    for row in rows:
        print(f"{row['what']:<32}{row['cpu_seconds']:>8.2f}{row['x']:>6.1f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
