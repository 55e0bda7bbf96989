"""Does drift notice, and does it keep quiet? ``python benchmarks/drift.py [--quick] [--seeds N ...]``

Days of a simulated retailer: customers and their rows are drawn anew for each day from a simulated month,
with a weekly rhythm, growth of 0.2 % a day and a holiday peak. 200 of them are clean; then one thing is
changed on one day (or crept in from it), and each detector is asked on which day it says so:

- customer_profiles: the platform's checks as they stand, with their default settings;
- fixed_psi: PSI above 0.10 (0.25 is an error) against the last 28 days, whatever the sample size;
- plain_ks: Kolmogorov-Smirnov on numbers and chi-square on all else, p < 0.05, against the last 28 days.

``--more`` plants the changes of ``MORE_CASES`` too, ``--seeds`` draws other series with changes on other
days. ``--cost`` runs a day with 1,000,000 events and 100,000 profiles and tells how much of it is drift.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from dagster import DagsterEventType, DagsterInstance
from scipy import stats

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.cleaning.tables import COUNTS as CLEANED_COUNTS
from customer_profiles.collection.door import Door, receive
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.sources.home import Home
from customer_profiles.contracts.stored import day_number, key_columns
from customer_profiles.orchestration.demo import prepare_home
from customer_profiles.orchestration.instance import open_instance
from customer_profiles.orchestration.platform import Platform
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal
from customer_profiles.profiles.tables import COUNTS as PROFILE_COUNTS
from customer_profiles.quality import statistics
from customer_profiles.quality.coarse import binned
from customer_profiles.quality.counts import Watched, count, watched_rows
from customer_profiles.quality.drift import drift_of_day
from customer_profiles.quality.history import History, histories, trailing
from customer_profiles.quality.references import World
from customer_profiles.settings import CollectionSettings, DriftSettings
from customer_profiles.simulation import simulate
from customer_profiles.warehouse import Session, Table, Warehouse

START = date(2026, 1, 5)
WARM_UP, CLEAN = 42, 200
FIRST_SEED, PLANTED = 11, (120, 166, 213)
"""A Tuesday, a Saturday and a Thursday; of any other seed the days are drawn."""
PEAK = range(150, 155)
RHYTHM = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.35, 1.25])
ROWS = {"events": 5_000, "orders": 2_500}
COUNTED = {
    **{table: watched_rows(CLEANED[table].columns, key_columns(table)) for table in ROWS},
    "customer_features": Watched(
        ("spend", "orders", "views", "evening_share"), ("favourite",), ("evening_share",)
    ),
    "conversion_scores": Watched(("score",)),
}
DRIFT_STEPS = (
    "__drift",
    "_arrives_as_usual",
    "_model_still_knows_its_world",
    "_base_rate_is_steady",
    "_scores_keep_their_distribution",
    "_components_still_describe_the_customers",
    "_segment_shares_are_steady",
)
"""How names of the steps end that count, measure and check drift."""
DETECTORS = ("customer_profiles", "fixed_psi", "plain_ks")
Days = dict[int, pl.DataFrame]


def door_of(folder: Path) -> Door:
    """The platform's door, with secrets of its own."""
    settings = CollectionSettings()
    home = Home(folder, "Asia/Shanghai", START, settings.longest_line_bytes)
    return Door(home, settings, Pseudonyms(b"s" * 32), Seal(b"k" * 32))


def month_of_rows(folder: Path, seed: int) -> dict[str, list[pl.DataFrame]]:
    """A simulated month through the platform's own door: per table its days."""
    simulate(folder, customers=10_000, days=30, start=START, seed=seed, dirty=False)
    door = door_of(folder)
    days = [START + timedelta(days=day) for day in range(5, 30)]
    return {
        table: [
            receive(delivery, door).rows.select(
                column.name for column in CLEANED[table].columns if column.name != "repairs"
            )
            for delivery in (find_delivery(door.home, table, day) for day in days)
            if delivery
        ]
        for table in ROWS
    }


def drawn(pool: pl.DataFrame, rows: float, day: int, random: np.random.Generator) -> pl.DataFrame:
    """About so many rows of the month, as they fall on one day.

    Every n-th day of a customer, with all its rows: the days have the same customers, as a shop's have. No
    two rows are of one moment.
    """
    part = rows * random.lognormal(0, 0.05) / pool.height
    up_to = np.floor(np.arange(pool["whose_day"].to_numpy().max() + 2) * part + random.random()).astype(int)
    often = np.diff(up_to)[pool["whose_day"].to_numpy()]
    if day % 7 >= 5:
        often = np.where(pool["is_late"].to_numpy(), often + random.binomial(often, 0.3), often)
    places = np.repeat(np.arange(pool.height), often)
    return pool[places].with_columns(
        pl.lit(START + timedelta(days=day)).alias("delivery_day"),
        pl.selectors.datetime() + pl.duration(microseconds=pl.int_range(pl.len())),
    )


def in_clusters(days: list[pl.DataFrame]) -> pl.DataFrame:
    """The month's rows, with a number for each customer's day; who is not known is alone."""
    rows = pl.concat(days)
    hour = next(name for name in rows.columns if name.endswith("_hour"))
    nobody = pl.int_range(pl.len()).cast(pl.String)
    whose = pl.concat_str(pl.col("customer_key").fill_null(nobody), pl.col("delivery_day").cast(pl.String))
    return rows.with_columns(
        whose_day=whose.rank("dense").cast(pl.Int64) - 1, is_late=pl.col(hour).fill_null(0) >= 18
    )


def volume(day: int) -> float:
    """How many times the usual rows a day has."""
    return float(RHYTHM[day % 7] * 1.002**day * (2.0 if day in PEAK else 1.0))


def people_of(month: Mapping[str, list[pl.DataFrame]]) -> pl.DataFrame:
    """Profiles of the month's customers, and a score: a logistic function of them."""
    orders, events = (pl.concat(month[table]) for table in ("orders", "events"))
    bought = orders.group_by("customer_key").agg(
        spend=pl.col("amount_minor").sum(),
        orders=pl.col("order_id").n_unique(),
        favourite=pl.col("category").mode().sort().first(),
    )
    seen = (
        events.drop_nulls("customer_key")
        .group_by("customer_key")
        .agg(views=pl.len(), evening_share=(pl.col("event_hour") >= 18).mean())
    )
    people = (
        seen.join(bought, on="customer_key", how="left")
        .sort("customer_key")
        .with_columns(
            pl.col("spend", "orders").fill_null(0),
            evening_share=pl.when(pl.col("views") >= 3).then("evening_share"),
        )
    )
    logit = -2.2 + 0.5 * np.log1p(people["orders"].to_numpy()) + 0.3 * np.log1p(people["views"].to_numpy())
    noise = np.random.default_rng(5).normal(0, 0.6, people.height)
    return people.with_columns(pl.Series("logit", logit + noise)).with_columns(
        score=1 / (1 + (-pl.col("logit")).exp())
    )


def clean_days(month: Mapping[str, list[pl.DataFrame]], days: int, seed: int) -> dict[str, Days]:
    """Every table's clean days. A tenth of the customers is another one each day."""
    random, people = np.random.default_rng(seed + 6), people_of(month)
    pools = {table: in_clusters(month[table]) for table in ROWS}
    tables: dict[str, Days] = {
        table: {day: drawn(pools[table], rows * volume(day), day, random) for day in range(days)}
        for table, rows in ROWS.items()
    }
    chosen = random.integers(0, people.height, 8_000)
    for name in ("customer_features", "conversion_scores"):
        tables[name] = {}
    for day in range(days):
        new = random.random(len(chosen)) < 0.1
        chosen = np.where(new, random.integers(0, people.height, len(chosen)), chosen)
        rows = people[chosen].with_columns(pl.lit(START + timedelta(days=day)).alias("delivery_day"))
        for name in ("customer_features", "conversion_scores"):
            tables[name][day] = rows
    return tables


def counts_of(session: Session, table: str, days: Days) -> pl.DataFrame:
    """The days' counts, by the platform's own counting."""
    rows = session.rows_of(pl.concat(days.values()))
    version = "1" if table == "conversion_scores" else ""
    return count(session, rows, "delivery_day", COUNTED[table], table_name=table, model_version=version)


def planted_days(seed: int, quick: bool) -> tuple[int, ...]:
    """The days on which something is changed: none of the peak, and each case ends before the last day."""
    if quick:
        return (95,)
    if seed == FIRST_SEED:
        return PLANTED
    quiet = [day for day in range(WARM_UP + 28, WARM_UP + CLEAN - 15) if day not in PEAK]
    return tuple(sorted(np.random.default_rng(seed).choice(quiet, 3, replace=False).tolist()))


def _nulls(rows: pl.DataFrame, column: str, share: float) -> pl.DataFrame:
    """The column with exactly so large a share of NULLs."""
    order = np.random.default_rng(3).random(rows.height)
    known = pl.Series(order >= share)
    filled = rows[column].fill_null(strategy="forward").fill_null(strategy="backward")
    return rows.with_columns(pl.when(known).then(filled).alias(column))


def _moved(rows: pl.DataFrame, column: str, points: float) -> pl.DataFrame:
    """So many points of share taken from the most frequent category and given to the next."""
    first, second = (
        rows[column].drop_nulls().value_counts().sort("count", column, descending=True)[column][:2]
    )
    share = (rows[column] == first).mean()
    chance = np.random.default_rng(3).random(rows.height) < points / share
    return rows.with_columns(
        pl.when(pl.Series(chance) & (pl.col(column) == first))
        .then(pl.lit(second))
        .otherwise(column)
        .alias(column)
    )


def _scores_shifted(rows: pl.DataFrame) -> pl.DataFrame:
    """Scores whose logits are raised so that their PSI over deciles is 0.25."""
    logit = rows["logit"].to_numpy()
    edges = np.quantile(logit, np.linspace(0.1, 0.9, 9))
    was = np.bincount(np.searchsorted(edges, logit), minlength=10)
    low, high = 0.0, 3.0
    for _ in range(30):
        middle = (low + high) / 2
        index = statistics.psi(was, np.bincount(np.searchsorted(edges, logit + middle), minlength=10))
        low, high = (middle, high) if index < 0.25 else (low, middle)
    return rows.with_columns(score=1 / (1 + (-(pl.col("logit") + high)).exp()))


def _times(rows: pl.DataFrame, factor: float) -> pl.DataFrame:
    return rows.with_columns((pl.col("amount_minor") * factor).round().cast(pl.Int64))


def _frozen(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(spend=pl.lit(rows["spend"].median()).cast(pl.Int64))


def _some(rows: pl.DataFrame, share: float, column: str, value: pl.Expr) -> pl.DataFrame:
    """So large a share of the rows with another value."""
    chosen = pl.Series(np.random.default_rng(3).random(rows.height) < share)
    return rows.with_columns(pl.when(chosen).then(value).otherwise(column).alias(column))


def _later(rows: pl.DataFrame, hours: int) -> pl.DataFrame:
    return rows.with_columns((pl.col("event_hour") + hours) % 24)


def _thinned(rows: pl.DataFrame, part: float) -> pl.DataFrame:
    """That part of the rows; of more than all, some come twice."""
    whole, rest = divmod(part, 1)
    return pl.concat([*([rows] * int(whole)), rows.sample(fraction=rest, seed=1)])


def _without_top(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.filter(pl.col(column) != rows[column].drop_nulls().mode().sort()[0])


AMOUNT, HOUR = pl.col("amount_minor"), pl.col("event_hour")
Change = Callable[[pl.DataFrame, int], pl.DataFrame]
CASES: dict[str, tuple[str, Change, int]] = {
    "number scaled by 1.3": ("orders", lambda rows, _: _times(rows, 1.3), 1),
    "category share moved by 10 points": ("events", lambda rows, _: _moved(rows, "channel", 0.10), 1),
    "missing share 1 % to 6 %": ("events", lambda rows, _: _nulls(rows, "device", 0.06), 1),
    "volume down by 30 %": ("events", lambda rows, _: rows.sample(fraction=0.7, seed=1), 1),
    "unit change, yuan to fen": ("orders", lambda rows, _: _times(rows, 100), 1),
    "time zone off by 8 hours": ("events", lambda rows, _: _later(rows, 8), 1),
    "one channel silent": ("events", lambda rows, _: rows.filter(pl.col("channel") != "store"), 1),
    "model input frozen": ("customer_features", lambda rows, _: _frozen(rows), 1),
    "scores drifting by PSI 0.25": ("conversion_scores", lambda rows, _: _scores_shifted(rows), 1),
    "slow drift of 1 % a day": ("orders", lambda rows, day: _times(rows, 1.01 ** (day + 1)), 15),
}
"""Table, what is done to its rows on the n-th day since, and on how many days."""
MORE_CASES: dict[str, tuple[str, Change, int]] = {
    "slow: volume falls by 1 % a day": ("events", lambda rows, day: _thinned(rows, 0.99 ** (day + 1)), 15),
    "slow: volume rises by 1 % a day": ("events", lambda rows, day: _thinned(rows, 1.01 ** (day + 1)), 15),
    "slow: category share, 1 point a day": (
        "events",
        lambda rows, day: _moved(rows, "channel", 0.01 * (day + 1)),
        15,
    ),
    "slow: missing share, 1 point a day": (
        "events",
        lambda rows, day: _nulls(rows, "device", 0.01 * (day + 2)),
        15,
    ),
    "slow: number falls by 1 % a day": ("orders", lambda rows, day: _times(rows, 0.99 ** (day + 1)), 15),
    "number scaled by 1 / 1.3": ("orders", lambda rows, _: _times(rows, 1 / 1.3), 1),
    "time zone off by 1 hour": ("events", lambda rows, _: _later(rows, 1), 1),
    "a fifth in another currency": ("orders", lambda rows, _: _some(rows, 0.2, "currency", pl.lit("USD")), 1),
    "a new category of 15 %": ("events", lambda rows, _: _some(rows, 0.15, "channel", pl.lit("fax")), 1),
    "the largest category gone": ("orders", lambda rows, _: _without_top(rows, "category"), 1),
    "a column all NULL": ("events", lambda rows, _: rows.with_columns(dwell_ms=pl.lit(None, pl.Int64)), 1),
    "rows twice, under other ids": ("orders", lambda rows, _: pl.concat([rows, rows]), 1),
    "half of the rows twice": ("orders", lambda rows, _: _thinned(rows, 1.5), 1),
    "1 % of numbers times 1000": (
        "orders",
        lambda rows, _: _some(rows, 0.01, "amount_minor", AMOUNT * 1000),
        1,
    ),
    "a tenth of numbers 0": ("orders", lambda rows, _: _some(rows, 0.1, "amount_minor", pl.lit(0)), 1),
    "a fifth of one customer": ("orders", lambda rows, _: _some(rows, 0.2, "customer_key", pl.lit("x")), 1),
    "time zone of half the rows": (
        "events",
        lambda rows, _: _some(rows, 0.5, "event_hour", (HOUR + 8) % 24),
        1,
    ),
    "sign turned": ("orders", lambda rows, _: _times(rows, -1), 1),
}
"""Others, planted with ``--more``."""


def alarms(columns: list[History], day: int, detector: str) -> set[str]:
    """What a detector says of a day: warn, error, both or nothing."""
    if detector == "customer_profiles":
        frozen = {"customer_features": range(day_number(START), day_number(START) + 28)}
        frozen["conversion_scores"] = range(day_number(START), day_number(START) + 28)
        known = World(frozen, frozen_is_error=True, panel=True)
        delivered = [history for history in columns if history.table in ROWS]
        of_people = [history for history in columns if history.table not in ROWS]
        drifts = [
            drift
            for of, world in ((delivered, World()), (of_people, known))
            for drift in drift_of_day(of, day_number(START) + day, world, DriftSettings())
        ]
        return {str(drift.verdict) for drift in drifts} & {"warn", "error"}
    said: set[str] = set()
    for was, now, history in _against_last_days(columns, day):
        if detector == "fixed_psi":
            index = statistics.psi(was, now)
            said |= {"error"} if index >= 0.25 else {"warn"} if index >= 0.10 else set()
        elif _plain_p_value(was, now, history) < 0.05:
            said.add("warn")
    return said


def _against_last_days(columns: list[History], day: int) -> Iterator[tuple[np.ndarray, np.ndarray, History]]:
    for history in columns:
        today = int(np.searchsorted(history.days, day_number(START) + day))
        before = trailing(history, today, 28)
        if history.kind == "rows" or not history.rows[today]:
            continue
        if history.kind == "missing":
            yield history.counts[before].sum(axis=0), history.counts[today], history
        else:
            bins = binned(history, today, before)
            yield bins.reference, bins.today, history


def _plain_p_value(was: np.ndarray, now: np.ndarray, history: History) -> float:
    """As scipy's ``ks_2samp`` (asymptotic) and ``chi2_contingency`` would tell."""
    if history.kind == "number":
        gap = statistics.kolmogorov_smirnov(was, now)
        n, m = now.sum(), was.sum()
        return float(stats.kstwo.sf(gap, max(round(n * m / (n + m)), 1)))
    statistic, freedom = statistics.chi_square(now, was)
    return float(stats.chi2.sf(statistic[0], freedom[0]))


def clean_rows(columns: list[History], days: range) -> list[dict[str, object]]:
    """False alarms of each detector over the clean days."""
    rows: list[dict[str, object]] = []
    for detector in DETECTORS:
        said = [alarms(columns, day, detector) for day in days]
        rows.append(
            {
                "detector": detector,
                "case": "clean",
                "planted_day": None,
                "detected_day": None,
                "clean_days": len(said),
                "false_warnings": sum("warn" in each for each in said),
                "false_errors": sum("error" in each for each in said),
            }
        )
    return rows


def planted_rows(
    session: Session, counts: pl.DataFrame, tables: Mapping[str, Days], case: str, planted: int
) -> list[dict[str, object]]:
    """On which day each detector first alarms about the changed table, from the planted day on."""
    table, change, length = (CASES | MORE_CASES)[case]
    last = planted + length - 1
    changed = {day: change(tables[table][day], day - planted) for day in range(planted, last + 1)}
    first, until = START + timedelta(days=planted), START + timedelta(days=last)
    day = pl.col("delivery_day")
    kept = counts.filter(pl.col("table_name") == table, day < first, day <= until)
    columns = list(
        histories(pl.concat([kept, counts_of(session, table, changed)], how="diagonal"), "delivery_day")
    )
    rows = []
    for detector in DETECTORS:
        found = next((day for day in range(planted, last + 1) if alarms(columns, day, detector)), None)
        rows.append(
            {
                "detector": detector,
                "case": case,
                "planted_day": planted,
                "detected_day": found,
                "clean_days": 0,
                "false_warnings": 0,
                "false_errors": 0,
            }
        )
    return rows


def measured(seed: int, *, quick: bool, more: bool) -> list[dict[str, object]]:
    """All rows of the benchmark of one seed."""
    days = 110 if quick else WARM_UP + CLEAN
    with tempfile.TemporaryDirectory() as folder:
        month = month_of_rows(Path(folder) / "retailer", seed)
        tables = clean_days(month, days + 15, seed)
        for day in tables["events"]:
            tables["events"][day] = _nulls(tables["events"][day], "device", 0.01)
        with Warehouse(Path(folder) / "counts.duckdb").session() as session:
            counts = pl.concat(
                [counts_of(session, table, of) for table, of in tables.items()], how="diagonal"
            )
            rows = clean_rows(list(histories(counts, "delivery_day")), range(WARM_UP, days))
            for case in CASES | (MORE_CASES if more else {}):
                for planted in planted_days(seed, quick):
                    rows += planted_rows(session, counts, tables, case, planted)
    return [{"seed": seed, **row} for row in rows]


def cost(events: int, customers: int) -> list[dict[str, object]]:
    """Seconds of each step of a whole day's run: door, cleaning, features, profiles, and all checks.

    The retailer's first week is run before, and its counts stand for the eight weeks before that.
    """
    from customer_profiles.orchestration.run import run_range

    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(prepare_home(Path(folder)), {})
        home, day = platform.settings.home, START + timedelta(days=7)
        simulate(home, customers=customers, days=8, start=START, seed=FIRST_SEED)
        more_events(home / "deliveries" / "events", day, events)
        run_range(platform, START, day - timedelta(days=1))
        with platform.warehouse() as session:
            for table in (CLEANED_COUNTS, PROFILE_COUNTS):
                lengthen(session, table)
        result = run_range(platform, day, day)
        print(*result.failures, sep="\n")
        with open_instance(platform.settings.instance) as instance:
            seconds = seconds_of_steps(instance, result.run_id)
    of_drift = {step: spent for step, spent in seconds.items() if step.endswith(DRIFT_STEPS)}
    whole = sum(seconds.values())
    longest = sorted(seconds.items(), key=lambda item: -item[1])[:12]
    shares = [*of_drift.items(), ("all of drift", sum(of_drift.values())), *longest, ("the whole day", whole)]
    return [
        {
            "events": events,
            "profiles": customers,
            "step": step,
            "seconds": round(spent, 2),
            "share": spent / whole,
        }
        for step, spent in shares
    ]


def more_events(folder: Path, day: date, wanted: int) -> None:
    """Deliver the day's events again and again, under other ids, until they are so many."""
    (file,) = folder.glob(f"{day}.*")
    rows = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema=False)
    copies = [rows.with_columns(pl.col("event_id") + f"-{copy}") for copy in range(-(-wanted // rows.height))]
    file.unlink()
    pl.concat(copies).head(wanted).write_parquet(folder / f"{day}.parquet")


def lengthen(session: Session, counts: Table) -> None:
    """Let the stored days stand for those of the eight weeks before them too."""
    stored = session.frame(counts)
    first = stored[counts.day].min()
    assert isinstance(first, date)
    earlier = [stored.with_columns(pl.col(counts.day) - timedelta(weeks=ago)) for ago in range(1, 9)]
    session.write_days(counts, first - timedelta(weeks=8), first - timedelta(days=1), pl.concat(earlier))


def seconds_of_steps(instance: DagsterInstance, run_id: str) -> dict[str, float]:
    """How long each step of a run took."""
    done = instance.all_logs(run_id, of_type=DagsterEventType.STEP_SUCCESS)
    events = [entry.dagster_event for entry in done if entry.dagster_event]
    return {str(event.step_key): event.step_success_data.duration_ms / 1000 for event in events}


def show(rows: list[dict[str, object]]) -> None:
    """Print rows as a table."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        fmt_str_lengths=40,
        tbl_width_chars=150,
    ):
        print(pl.DataFrame(rows, infer_schema_length=None))


def main() -> None:
    """Measure, print, and write JSON if asked."""
    warnings.filterwarnings("ignore", module="dagster")
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--quick",
        action="store_true",
        help="68 clean days and one planted day; with --cost a tenth of the rows",
    )
    options.add_argument("--cost", action="store_true", help="measure the cost of a large day instead")
    options.add_argument("--more", action="store_true", help="plant other changes too")
    options.add_argument("--seeds", type=int, nargs="+", default=[FIRST_SEED], help="series to draw")
    options.add_argument("--json", type=Path, help="write the rows here too")
    chosen = options.parse_args()
    rows = (
        cost(*((100_000, 10_000) if chosen.quick else (1_000_000, 100_000)))
        if chosen.cost
        else [row for seed in chosen.seeds for row in measured(seed, quick=chosen.quick, more=chosen.more)]
    )
    show(rows)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
