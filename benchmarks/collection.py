"""Rows per second and peak memory of the door: collection and cleaning of one day's events.

Beside it ``history``: the same, of the same file as a source for all days, which is mapped and split by day
first. A bare Polars script and a pandas one that read, keep the sound rows and write Parquet: no keys, no
sealing, no quarantine, no duplicates, no ledger. And ``floor``: bare Polars, the words sealed and the rows
stored twice in DuckDB, which is less than any door with these walls must do. Every contender runs in a
process of its own; peak memory is that process's. On a busy machine compare the CPU seconds.

    python benchmarks/collection.py [--quick] [--rows 1000000 10000000] [--formats csv ndjson parquet]
        [--contenders platform history floor polars pandas] [--memory-limit 1GB] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

DAY = date(2026, 3, 3)
SEED, PIECE = 7, 500_000
NAMES = ["page_view", "product_view", "search", "add_to_cart", "login"]
CHANNELS = ["web", "app", "store"]


def write_events(folder: Path, rows: int, form: str) -> Path:
    """A day's events, piece by piece: one in fifty is broken, one in a hundred is delivered twice."""
    import numpy as np
    import polars as pl
    from pyarrow import parquet

    file = folder / "deliveries" / "events" / f"{DAY}.{form}"
    file.parent.mkdir(parents=True)
    random, writer = np.random.default_rng(SEED), None
    with file.open("wb") as stream:
        for start in range(0, rows, PIECE):
            n = min(PIECE, rows - start)
            piece = _piece(random, start, n, rows)
            twice = piece.filter(pl.Series(random.random(n) < 0.01))
            whole = pl.concat([piece, twice])
            if form == "csv":
                whole.write_csv(stream, include_header=start == 0)
            elif form == "ndjson":
                whole.write_ndjson(stream)
            else:
                table = whole.to_arrow()
                writer = writer or parquet.ParquetWriter(stream, table.schema)
                writer.write_table(table, row_group_size=100_000)
        if writer:
            writer.close()
    return file


def _piece(random: Any, start: int, n: int, rows: int) -> Any:
    import polars as pl

    def some(prefix: str, of: int) -> Any:
        return pl.select(pl.format(prefix + "{}", pl.Series(random.integers(0, of, n)))).to_series()

    def one_of(values: list[str]) -> Any:
        return pl.Series(values).gather(random.integers(0, len(values), n))

    seconds = pl.lit(pl.Series(random.integers(0, 80_000, n)))
    return pl.DataFrame(
        {
            "event_id": pl.select(pl.format("E{}", pl.int_range(start, start + n))).to_series(),
            "event_at": pl.select(
                (pl.datetime(2026, 3, 3) + pl.duration(seconds=seconds)).dt.strftime("%Y-%m-%d %H:%M:%S")
            ).to_series(),
            "event_name": one_of(NAMES),
            "channel": one_of(CHANNELS),
            "customer_id": some("C", max(rows // 20, 10)),
            "product_id": some("P", 500),
            "search_query": some("red shoes ", 9_000),
            "dwell_ms": pl.Series(random.integers(0, 60_000, n)),
        }
    ).with_columns(
        dwell_ms=pl.when(pl.Series(random.random(n) < 0.02)).then(-1).otherwise("dwell_ms"),
        search_query=pl.when(pl.col("event_name") == "search").then("search_query"),
    )


def platform(file: Path, form: str, memory_limit: str) -> None:
    """Through the door, cleaned, with quarantine: what a day's run does with one table."""
    _run(file.parents[2], memory_limit)


def history(file: Path, form: str, memory_limit: str) -> None:
    """The same, of a file for all days."""
    home = file.parents[2] / "history"
    home.mkdir()
    source = {"kind": "files", "path": str(file), "columns": {}}
    (home / "sources.yaml").write_text(json.dumps({"tables": {"events": [source]}}), encoding="utf-8")
    _run(home, memory_limit)


def _run(home: Path, memory_limit: str) -> None:
    from customer_profiles.cleaning.clean import clean_days, quarantine_days
    from customer_profiles.collection.daily import before_run, load_table_day
    from customer_profiles.collection.ledger import record_days
    from customer_profiles.orchestration.platform import Platform
    from customer_profiles.settings import load_settings

    settings = load_settings(home, first_day=DAY, warehouse={"memory_limit": memory_limit})
    working = Platform(settings, {})
    with working.warehouse() as warehouse, working.vault() as vault:
        before = before_run(warehouse, "events", [DAY], rebuild=False)
        ran = load_table_day(warehouse, vault, working.door, before, DAY)
        record_days(warehouse, "events", {DAY: ran})
        clean_days(warehouse, "events", [DAY])
        quarantine_days(warehouse, DAY, DAY)
    if not ran.rows:
        raise SystemExit(f"nothing was loaded: {ran}")


def floor(file: Path, form: str, memory_limit: str) -> None:
    """Read, seal the words, store all rows and the sound ones once more; no secret, key or rule beside."""
    import duckdb
    import polars as pl
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher, nonce = AESGCM(bytes(32)), bytes(12)
    rows = _read(file, form).with_columns(sound=_sound()).collect()
    words = rows["search_query"]
    sealed = [word if word is None else cipher.encrypt(nonce, word.encode(), None) for word in words]
    delivered = rows.with_columns(pl.Series("search_query", sealed, dtype=pl.Binary))
    out = file.with_name("floor.duckdb")
    with duckdb.connect(out, config={"memory_limit": memory_limit, "threads": 2}) as connection:
        connection.register("delivered", delivered)
        connection.execute("create table raw as from delivered")
        connection.execute("create table cleaned as from raw where sound")
    out.unlink()


def polars(file: Path, form: str, _: str) -> None:
    """Read, keep the sound rows, write."""
    out = file.with_name("polars.parquet")
    _read(file, form).filter(_sound()).sink_parquet(out)
    out.unlink()


def _read(file: Path, form: str) -> Any:
    import polars as pl

    lazy: dict[str, Any] = {"csv": pl.scan_csv, "ndjson": pl.scan_ndjson, "parquet": pl.scan_parquet}
    times = pl.col("event_at").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    return lazy[form](file).with_columns(event_at=times)


def _sound() -> Any:
    import polars as pl

    sound = pl.col("event_id").is_not_null() & pl.col("event_at").is_not_null() & (pl.col("dwell_ms") >= 0)
    return sound & pl.col("event_name").is_in(NAMES) & pl.col("channel").is_in(CHANNELS)


def pandas(file: Path, form: str, _: str) -> None:
    """The same with pandas, all at once."""
    import pandas as pd

    read = {"csv": pd.read_csv, "ndjson": lambda f: pd.read_json(f, lines=True), "parquet": pd.read_parquet}
    rows = read[form](file)
    rows["event_at"] = pd.to_datetime(rows["event_at"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    sound = rows["event_id"].notna() & rows["event_at"].notna() & (rows["dwell_ms"] >= 0)
    known = rows["event_name"].isin(NAMES) & rows["channel"].isin(CHANNELS)
    out = file.with_name("pandas.parquet")
    rows[sound & known].to_parquet(out)
    out.unlink()


CONTENDERS = {"platform": platform, "history": history, "floor": floor, "polars": polars, "pandas": pandas}
OURS = ("customer_profiles.cleaning.clean", "customer_profiles.orchestration.platform")
IMPORTS = {
    "platform": OURS,
    "history": OURS,
    "floor": ("polars", "duckdb", "cryptography.hazmat.primitives.ciphers.aead"),
    "polars": ("polars",),
    "pandas": ("pandas", "pyarrow.parquet"),
}


def measured(contender: str, file: Path, form: str, memory_limit: str) -> dict[str, Any]:
    """Seconds and peak memory of a contender, in a process of its own."""
    task = [sys.executable, __file__, "--one", contender, str(file), form, memory_limit]
    done = subprocess.run(task, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{contender} on {form} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def one(contender: str, file: Path, form: str, memory_limit: str) -> None:
    """Run a contender here and print what it took; imports are left out."""
    for module in IMPORTS[contender]:
        import_module(module)
    began, worked = time.perf_counter(), time.process_time()
    CONTENDERS[contender](file, form, memory_limit)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_mb": round(peak)}))


def show(results: list[dict[str, Any]]) -> None:
    """A line a measurement; ``x`` is how many times what bare Polars took, by the clock and in CPU time."""
    bare = {(r["format"], r["rows"]): r for r in results if r["contender"] == "polars"}
    print(
        f"{'contender':<10} {'format':<8} {'rows':>11} {'seconds':>8} {'x':>5} {'CPU s':>8} {'x':>5} ", end=""
    )
    print(f"{'rows/s':>10} {'peak MB':>8}")
    for r in results:
        base = bare.get((r["format"], r["rows"]), r)
        times = [f"{r[of]:>8.1f} {r[of] / base[of]:>5.1f}" for of in ("seconds", "cpu_seconds")]
        speed = f"{r['rows'] / r['seconds']:,.0f}"
        print(
            f"{r['contender']:<10} {r['format']:<8} {r['rows']:>11,} {' '.join(times)} {speed:>10} ", end=""
        )
        print(f"{r['peak_mb']:>8,}")


def main() -> None:
    """Write the files, run the contenders one after another, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--formats", nargs="+", default=["csv", "ndjson", "parquet"])
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--memory-limit", default="1GB", help="DuckDB's; past it, it spills to disk")
    parser.add_argument("--quick", action="store_true", help="100,000 rows")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        contender, file, form, memory_limit = asked.one
        one(contender, Path(file), form, memory_limit)
        return
    results = []
    for rows in [100_000] if asked.quick else asked.rows:
        for form in asked.formats:
            with tempfile.TemporaryDirectory() as folder:
                file = write_events(Path(folder), rows, form)
                for contender in asked.contenders:
                    took = measured(contender, file, form, asked.memory_limit)
                    results.append({"contender": contender, "format": form, "rows": rows, **took})
    show(results)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
