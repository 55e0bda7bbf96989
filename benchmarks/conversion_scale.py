"""How long the conversion model learns and scores as tables grow, and in how much memory.

    python benchmarks/conversion_scale.py [--rows N ...] [--inputs N] [--quick] [--json FILE]

Each row is a process of its own, so that its peak memory is its own. ``in memory`` hands ``fit`` a whole
table, ``from batches`` hands ``fit_batches`` batches that are made anew in each pass, as if read from a
warehouse: its memory should not grow with the rows. ``scoring`` is ``predict`` on as many customers.
The ratio is against one matrix product of fixed size, timed in the same process: timings of two machines
compare by it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.conversion import Batch, ConversionModel

BATCH = 100_000
COLUMNS = ("what", "rows", "inputs", "passes", "seconds", "cpu_seconds", "peak_gb", "ratio")


def table(rows: int, inputs: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Numbers with heavy tails, a tenth of them unknown in some columns, four categories, a planted label."""
    draw = np.random.default_rng(seed)
    numbers = draw.normal(size=(rows, inputs - 4)).astype(np.float32)
    logit = numbers[:, 0] * numbers[:, 1] + numbers[:, 2] - 2
    numbers[:, 3::4] = np.exp(numbers[:, 3::4])
    numbers[:, 5::10][draw.random((rows, len(range(5, inputs - 4, 10)))) < 0.1] = np.nan
    frame = pl.DataFrame(numbers, schema=[f"number_{n}" for n in range(inputs - 4)])
    letters = pl.Series(list("abcdefgh"))
    categories = [letters.gather(draw.integers(8, size=rows)).alias(f"category_{n}") for n in range(4)]
    label = (draw.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    return frame.with_columns(categories), label


def in_batches(rows: int, inputs: int) -> Iterator[Batch]:
    for start in range(0, rows, BATCH):
        yield Batch(*table(min(BATCH, rows - start), inputs, seed=start))


def yardstick() -> float:
    """Seconds that a product of two matrices of 2,000 x 2,000 takes."""
    matrix = np.random.default_rng(0).normal(size=(2_000, 2_000)).astype(np.float32)
    started = time.monotonic()
    for _ in range(10):
        matrix @ matrix
    return (time.monotonic() - started) / 10


def measure(what: str, rows: int, inputs: int, passes: int) -> dict[str, Any]:
    """Do one thing and tell how long it took, and the most memory that this process ever held."""
    unit = yardstick()
    model = ConversionModel(
        0,
        shapes=["detailed"],
        epochs=passes,
        report=lambda line: print(f"  {line}", file=sys.stderr, flush=True),
    )
    if what == "in memory":
        frame, label = table(rows, inputs, 0)
    elif what == "scoring":
        model.epochs = 1
        model.fit(*table(20_000, inputs, 0))
        frame, _ = table(rows, inputs, 1)
    started, computed = time.monotonic(), time.process_time()
    if what == "from batches":
        model.fit_batches(lambda: in_batches(rows, inputs))
    elif what == "in memory":
        model.fit(frame, label)
    else:
        model.predict(frame)
    seconds, cpu = time.monotonic() - started, time.process_time() - computed
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    values = (
        what,
        rows,
        inputs,
        len(model.history_["detailed"]),
        round(seconds, 1),
        round(cpu, 1),
        round(peak, 2),
        round(seconds / unit),
    )
    return dict(zip(COLUMNS, values, strict=True))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    arguments.add_argument("--inputs", type=int, default=80)
    arguments.add_argument("--passes", type=int, default=80, help="most passes over the rows")
    arguments.add_argument("--quick", action="store_true", help="200,000 rows")
    arguments.add_argument("--only", choices=("in memory", "from batches", "scoring"))
    arguments.add_argument("--json", type=Path, help="also write the rows here")
    chosen = arguments.parse_args()
    sizes = [200_000] if chosen.quick else chosen.rows
    plan = [("in memory", sizes[0]), *(("from batches", size) for size in sizes), ("scoring", sizes[0])]
    found = []
    print("".join(f"{name:>14}" for name in COLUMNS))
    for what, rows in plan:
        if chosen.only in (None, what):
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                found.append(alone.apply(measure, (what, rows, chosen.inputs, chosen.passes)))
            print("".join(f"{found[-1][name]:>14}" for name in COLUMNS), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
