"""Kill -9 in the middle of a day's load, then run again: the home must be as if nobody had been killed.

Each round copies a home whose first day is loaded, starts the load of the next day in a process of its own,
kills it at a random moment, notes what stands, runs the day again and compares everything that is stored
with an undisturbed run: raw and cleaned rows, the ledger and the vault.

    python benchmarks/kills.py [--kills 50] [--customers 2000] [--seed 7] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

FIRST = date(2026, 1, 1)
TABLES = ("customers", "orders", "events")


def load(home: Path, day: date, started: Connection | None = None) -> None:
    """Load and clean a day of a home, table by table, as its run does."""
    from customer_profiles.cleaning.clean import clean_days
    from customer_profiles.collection.daily import before_run, load_table_day
    from customer_profiles.collection.ledger import record_days
    from customer_profiles.orchestration.platform import Platform
    from customer_profiles.settings import load_settings

    platform = Platform(load_settings(home), {})
    with platform.warehouse() as warehouse, platform.vault() as vault:
        if started:
            started.send(None)
        for table in TABLES:
            before = before_run(warehouse, table, [day], rebuild=False)
            ran = {day: load_table_day(warehouse, vault, platform.door, before, day)}
            record_days(warehouse, table, ran)
            clean_days(warehouse, table, [day])


def stored(home: Path) -> list[Any]:
    """Everything that a load stores, but for the moment at which it did."""
    from customer_profiles.cleaning.tables import CLEANED
    from customer_profiles.collection.tables import DAYS, DELIVERIES, PERSONAL, RAW
    from customer_profiles.orchestration.platform import Platform
    from customer_profiles.settings import load_settings

    platform = Platform(load_settings(home), {})
    with platform.warehouse() as warehouse, platform.vault() as vault:
        tables = [kind[table] for kind in (RAW, CLEANED) for table in TABLES]
        frames = [*map(warehouse.frame, tables), warehouse.frame(DELIVERIES).drop("loaded_at")]
        rows = [frame.hash_rows().to_list() for frame in frames]
        days = sorted(warehouse.frame(DAYS).drop("refusals").rows())
        return [*rows, days, vault.frame(PERSONAL).hash_rows().to_list()]


def tables_loaded(home: Path, day: date) -> int:
    """Of how many tables the day's delivery stands in the ledger."""
    from customer_profiles.collection.tables import DELIVERIES
    from customer_profiles.orchestration.platform import Platform
    from customer_profiles.settings import load_settings

    with Platform(load_settings(home), {}).warehouse() as warehouse:
        return warehouse.frame(DELIVERIES, day, day)["table_name"].n_unique()


def killed(home: Path, day: date, wait: float, context: Any) -> bool:
    """Start the load, kill it after ``wait`` seconds; whether it was still at work."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=load, args=(home, day, theirs))
    process.start()
    ours.recv()
    process.join(wait)
    at_work = bool(process.is_alive())
    process.kill()
    process.join()
    return at_work


def main() -> int:
    """Run the rounds and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    from customer_profiles.simulation import simulate

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["customer_profiles.collection.daily", "customer_profiles.cleaning.clean"])
    day, moments = FIRST + timedelta(days=1), random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        start, whole = Path(folder) / "start", Path(folder) / "whole"
        simulate(start, customers=asked.customers, days=2, start=FIRST, seed=asked.seed)
        load(start, FIRST)
        shutil.copytree(start, whole)
        began = time.monotonic()
        load(whole, day)
        seconds, wanted = time.monotonic() - began, stored(whole)
        rows: list[dict[str, Any]] = []
        while sum(row["at_work"] for row in rows) < asked.kills:
            home = Path(shutil.copytree(start, Path(folder) / "killed"))
            wait = moments.uniform(0, 1.2 * seconds)
            at_work, found = killed(home, day, wait, context), tables_loaded(home, day)
            load(home, day)
            same = stored(home) == wanted
            rows.append({"wait": round(wait, 3), "at_work": at_work, "tables_loaded": found, "same": same})
            shutil.rmtree(home)
    during = [row for row in rows if row["at_work"]]
    print(f"{len(during)} kills within a load of {seconds:.2f} s; rounds: {len(rows)}")
    for found, many in sorted(Counter(row["tables_loaded"] for row in during).items()):
        print(f"  {many:>4} left {found} of {len(TABLES)} tables loaded")
    wrong = sum(not row["same"] for row in rows)
    print(f"homes that differ from the undisturbed one after the next run: {wrong}")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
