"""Lines of access logs and rows of databases a second, with peak memory, beside the barest loop over them.

Each contender runs in a process of its own. A log is read to events, beside a loop over its lines; rows
of SQLite and, if CUSTOMER_PROFILES_BENCHMARK_URL holds a PostgreSQL URL, of that server are read to text,
beside a loop over a cursor of the driver. Memory should not grow with the rows.

    python benchmarks/streams.py [--quick] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import psycopg
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from customer_profiles.collection.access_logs import events_of, read_access_log
from customer_profiles.collection.databases import Query, read_query
from customer_profiles.collection.log_rules import LogRules
from customer_profiles.collection.repeats import Repeats

URL_VARIABLE = "CUSTOMER_PROFILES_BENCHMARK_URL"
SIZES, QUICK_SIZES = (100_000, 1_000_000), (20_000, 100_000)
BATCH = 50_000
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0"
PLACES = ("/product/P7", "/search?q=red+shoes%20x", "/", "/cart/add?id=7", "/app.css")
RULES = LogRules(
    customer_pattern=r"uid=(\w+)",
    pages=[
        {"path": "^/product/(?<product_id>[^/]+)", "event_name": "product_view"},
        {"path": "^/search", "event_name": "search", "parameters": {"search_query": "q"}},
    ],
)
SERIES = {
    "sqlite": (
        "with recursive n(id) as (select 1 union all select id + 1 from n where id < {rows}) "
        "select id, 'customer ' || id as name, id * 0.01 as paid from n"
    ),
    "postgresql": (
        "select id, 'customer ' || id as name, id * 0.01 as paid from generate_series(1, {rows}) as n(id)"
    ),
}


def write_log(file: Path, lines: int) -> None:
    with file.open("w") as log:
        for n in range(lines):
            stamp = f"03/Mar/2026:{n * 24 // lines:02}:{n // 60 % 60:02}:{n % 60:02} +0800"
            asked = f'"GET {PLACES[n % len(PLACES)]} HTTP/1.1" 200 512 "-" "{AGENT}"'
            log.write(f'10.0.{n % 250}.{n % 199} - - [{stamp}] {asked} "uid=C{n % 5000}"\n')


def lines_to_events(place: str, _: int) -> int:
    seen = Repeats()
    parts = read_access_log(Path(place), 1_000_000, ValueError)
    return sum(events_of(lines, requests, RULES, seen)[0].height for lines, requests, _ in parts)


def bare_lines(place: str, _: int) -> int:
    with Path(place).open() as log:
        return sum(1 for _ in log)


def rows_to_text(place: str, rows: int) -> int:
    text = f"select * from ({_series(place, rows)}) t where :day_start < :day_end"
    query = Query("URL", text, "Asia/Shanghai", BATCH)
    batches = read_query(query, date(2026, 3, 3), "Asia/Shanghai", {"URL": place}, ValueError)
    return sum(batch.height for batch in batches)


def bare_rows(place: str, rows: int) -> int:
    url = sa.make_url(place)
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(url.database or "")) as connection:
            return _fetched(connection.execute(_series(place, rows)))
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as server, server.cursor("bare") as cursor:
        return _fetched(cursor.execute(_series(place, rows)))


def _series(place: str, rows: int) -> str:
    return SERIES[sa.make_url(place).get_backend_name()].format(rows=rows)


def _fetched(cursor: sqlite3.Cursor | psycopg.ServerCursor) -> int:
    return sum(len(rows) for rows in iter(lambda: cursor.fetchmany(BATCH), []))


CONTENDERS: dict[str, tuple[Callable[[str, int], int], Callable[[str, int], int]]] = {
    "access log": (lines_to_events, bare_lines),
    "sqlite": (rows_to_text, bare_rows),
    "postgresql": (rows_to_text, bare_rows),
}
"""What is measured, and the bare loop beside it."""


def measure(source: str, bare: bool, place: str, rows: int) -> dict[str, object]:
    """Run one contender in this process."""
    begun = time.perf_counter()
    found = CONTENDERS[source][bare](place, rows)
    return {
        "contender": "bare loop" if bare else "customer_profiles",
        "source": source,
        "rows": found,
        "seconds": round(time.perf_counter() - begun, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def measured_apart(source: str, bare: bool, place: str, rows: int) -> dict[str, object]:
    """Run one contender in a process of its own; the place, which may hold a password, goes by its input."""
    told = json.dumps([source, bare, place, rows])
    done = subprocess.run(
        [sys.executable, __file__, "--one"], input=told, capture_output=True, text=True, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def places(folder: Path, rows: int) -> dict[str, str]:
    """Where each source lies: a log of so many lines, an empty SQLite file, a server if there is one."""
    log, file = folder / "access.log", folder / "empty.sqlite"
    write_log(log, rows)
    file.touch()
    server = os.environ.get(URL_VARIABLE)
    return {"access log": str(log), "sqlite": f"sqlite:///{file}"} | (
        {"postgresql": server} if server else {}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*json.load(sys.stdin))))
        return
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in QUICK_SIZES if options.quick else SIZES:
            for source, place in places(Path(folder), rows).items():
                results += [measured_apart(source, bare, place, rows) for bare in (True, False)]
    table = Table(*results[0])
    for result in results:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in result.values()))
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
