"""The simulated retailer: a shop that lives day by day and delivers its tables every evening."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from customer_profiles.settings import Mendable
from customer_profiles.simulation import truth
from customer_profiles.simulation.delivery_files import FORMATS
from customer_profiles.simulation.dirt import TRUTH_SCHEMA, Soiler
from customer_profiles.simulation.parcels import deliver
from customer_profiles.simulation.shop import Shop, live, open_shop

FEWEST_CUSTOMERS = 20


class SimulationError(Mendable, ValueError):
    """The simulation cannot start. The message says what to change."""


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: ``rows`` counts delivered rows by table, ``dirty_rows`` those planted as dirty."""

    folder: Path
    customers: int
    days: int
    first_day: date
    last_day: date
    rows: dict[str, int]
    dirty_rows: dict[str, int]
    files: int


def simulate(
    out: Path,
    *,
    customers: int = 10_000,
    days: int = 90,
    start: date = date(2026, 1, 1),
    seed: int = 7,
    drift_day: int | None = None,
    dirty: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationSummary:
    """Write ``out/deliveries/<table>/<day>.<format>`` for every table and day, and ``out/truth/``.

    ``drift_day`` counts from 0: on that day and after, more visits are made at night and in the mini
    program, and prices are 1.3 times as high. ``progress`` is told days done and days in all. Equal
    arguments give equal files. Raises ``SimulationError`` if ``out`` already holds deliveries or an
    argument makes no sense.
    """
    _check(out, customers, days, start, seed, drift_day)
    truths, first_day = out / "truth", (start - truth.EPOCH).days
    shop = open_shop(customers, days, first_day, drift_day, dirty, np.random.default_rng([seed, 0]))
    parameters = {"customers": customers, "days": days, "start": start, "seed": seed}
    parameters |= {"drift_day": drift_day, "dirty": dirty}
    truth.write_truth_of_start(truths, shop.people, shop.friends, shop.campaigns, parameters)
    truth.write_truth_of_identities(truths, shop.people, shop.second_ids, first_day, days)
    soiler = Soiler() if dirty else None
    rows, dirt = dict.fromkeys(FORMATS, 0), [pl.DataFrame(schema=TRUTH_SCHEMA)]
    for number in range(days):
        rng = np.random.default_rng([seed, 1, number])
        day = start + timedelta(days=number)
        order_probability = live(shop, number, rng)
        truth.write_truth_of_day(truths, day, shop.lives, order_probability)
        truth.write_truth_of_texts(truths, day, shop.sentiment.pop(number))
        for table in FORMATS:
            written, said = deliver(out / "deliveries", table, day, shop.take(number, table), soiler, rng)
            rows[table] += written
            dirt.append(said)
        if progress:
            progress(number + 1, days)
    found = pl.concat(dirt)
    truth.write_truth_of_end(truths, found, shop.uplift)
    return _summary(out, shop, start, rows, found)


def _summary(
    out: Path, shop: Shop, start: date, rows: dict[str, int], dirt: pl.DataFrame
) -> SimulationSummary:
    counted = dict(dirt.filter(pl.col("fate") != "accepted")["table"].value_counts().iter_rows())
    return SimulationSummary(
        folder=out,
        customers=shop.people.size,
        days=shop.days,
        first_day=start,
        last_day=start + timedelta(days=shop.days - 1),
        rows=rows,
        dirty_rows={table: counted.get(table, 0) for table in FORMATS},
        files=shop.days * len(FORMATS),
    )


def _check(out: Path, customers: int, days: int, start: date, seed: int, drift_day: int | None) -> None:
    if customers < FEWEST_CUSTOMERS:
        raise SimulationError(f"customers is {customers}; at least {FEWEST_CUSTOMERS} are needed")
    if days < 1:
        raise SimulationError(f"days is {days}; at least one day is needed")
    if not date(1990, 1, 1) <= start <= date(2090, 1, 1):
        raise SimulationError(f"start is {start}; choose a day from 1990 to 2090")
    if seed < 0:
        raise SimulationError(f"seed is {seed}; a seed is 0 or more")
    if drift_day is not None and not 0 <= drift_day < days:
        raise SimulationError(f"drift_day is {drift_day}; days are numbered from 0 to {days - 1}")
    for name in ("deliveries", "truth"):
        held = next((file for file in (out / name).rglob("*") if file.is_file()), None)
        if held:
            raise SimulationError(
                f"{out / name} already holds files (such as {held.relative_to(out)}); nothing was written: "
                "choose another folder, or remove them first"
            )
