"""How right the profiles of a simulated retailer are: traits, merges, attribution and eligibility.

The retailer is simulated twice, alike but for the dirt in the second's deliveries. Both go through the
door, cleaning and features, and are held against the profiles told from the clean rows one customer at
a time (``planted_profiles``). A value is exact if it is the planted one, NULL where that is NULL;
fractions to nine decimals, the entropy, which is stored so, to six. Merges are few: they are measured on
a larger retailer, over several days.

    python benchmarks/profile_accuracy.py [--quick] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import polars as pl
from planted_profiles import PARTNERS_TELL, planted_profiles
from rich.console import Console
from rich.table import Table

from customer_profiles.cleaning.clean import clean_days
from customer_profiles.collection.ledger import delivered, ledger
from customer_profiles.collection.loading import load_day
from customer_profiles.collection.searches import category_words
from customer_profiles.contracts import CONTRACTS
from customer_profiles.features.as_of import AsOf
from customer_profiles.features.catalogue import FAMILY_TRAITS, TRAITS
from customer_profiles.features.compute import compute_customer_features, compute_family, compute_identities
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.platform import Platform
from customer_profiles.privacy.secrets import write_demo_secrets
from customer_profiles.settings import load_settings
from customer_profiles.simulation import simulate

START, MERGE_DAYS = date(2026, 1, 1), 21
FLAGS = [trait.name for trait in TRAITS.values() if trait.kind == "flag"]
Figure = dict[str, object]


def main() -> None:
    """Measure both retailers and show them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=95)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="400 customers, 35 days")
    parser.add_argument("--json", type=Path, metavar="PATH")
    asked = parser.parse_args()
    customers, days = (400, 35) if asked.quick else (asked.customers, asked.days)
    last, many = START + timedelta(days=days - 1), 4_000 if asked.quick else 20_000
    with tempfile.TemporaryDirectory() as folder:
        figures: list[Figure] = []
        clean = Path(folder) / "clean"
        for name in ("clean", "dirty"):
            home, larger = Path(folder) / name, Path(folder) / f"{name}_larger"
            retailer = {"start": START, "seed": asked.seed, "dirty": name == "dirty"}
            simulate(larger, customers=many, days=MERGE_DAYS, **retailer)
            simulate(home, customers=customers, days=days, **retailer)
            found = chain(merges(larger, START + timedelta(days=MERGE_DAYS - 1)), measured(home, clean, last))
            figures += [{"deliveries": name, **figure} for figure in found]
    show(figures)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def measured(home: Path, clean: Path, day: date) -> Iterator[Figure]:
    """Figures of one home, each ``about`` a trait or a flag, by its ``metric``."""
    platform = Platform(load_settings(home, features={"partner_attributes": list(PARTNERS_TELL)}), {})
    found = profiles_of(platform, home, day)
    planted = planted_profiles(clean, day, platform.door.pseudonyms.key)
    both = planted.join(found, on="customer_key", suffix="_found")
    yield from compared("profiles", set(planted["customer_key"]), set(found["customer_key"]))
    for flag in FLAGS:
        rows = [set(frame.filter(pl.col(flag))["customer_key"]) for frame in (planted, found)]
        yield from compared(flag, *rows)
    for trait in TRAITS.values():
        told, stored = (pl.col(name).cast(trait.dtype) for name in (trait.name, f"{trait.name}_found"))
        equal = told.eq_missing(stored)
        if trait.dtype == pl.Float64:
            equal = equal | ((told - stored).abs() < 1e-9).fill_null(False)
            if trait.name == "category_entropy":
                equal = equal | ((told - stored).abs() < 1e-6).fill_null(False)
        known = planted[trait.name].null_count() < planted.height
        yield {
            "about": trait.name,
            "metric": "exact",
            "value": both.select(equal.mean()).item() if known else None,
            "rows": both.height,
        }


def profiles_of(platform: Platform, home: Path, day: date) -> pl.DataFrame:
    """The platform's wide rows as of the day."""
    load(platform, home, day, list(CONTRACTS))
    with platform.warehouse() as warehouse:
        as_of = AsOf(day, delivered(warehouse))
        compute_identities(warehouse, as_of, platform.settings.identity)
        for family in FAMILY_TRAITS:
            compute_family(warehouse, family, as_of, platform.settings)
        compute_customer_features(warehouse, day)
        return warehouse.frame(CUSTOMER_FEATURES, day, day)


def load(platform: Platform, home: Path, day: date, tables: list[str]) -> None:
    """Deliveries of the tables up to the day, through the door and cleaned."""
    write_demo_secrets(home / "secrets")
    days = days_up_to(day)
    with platform.warehouse() as warehouse, platform.vault() as vault:
        for table in tables:
            words = category_words(warehouse, days) if table == "events" else {}
            for each in days:
                known = ledger(warehouse, table, each, each)
                load_day(warehouse, vault, platform.door, table, each, known=known, categories=words)
                clean_days(warehouse, table, [each])


def merges(home: Path, day: date) -> Iterator[Figure]:
    """Pairs of customer ids that are merged as of every third day, against those planted to be one then."""
    platform = Platform(load_settings(home), {})
    load(platform, home, day, ["customers", "orders", "identity_links"])
    key, second = platform.door.pseudonyms.key, pl.read_parquet(home / "truth" / "second_ids.parquet")
    planted, found = set(), set()
    with platform.warehouse() as warehouse:
        known = delivered(warehouse)
        for each in days_up_to(day)[::-3]:
            who = compute_identities(warehouse, AsOf(each, known), platform.settings.identity)
            ids = who.select("member_key", "customer_key").unique()
            groups = ids.group_by("customer_key").agg("member_key")["member_key"]
            found |= {(each, *pair) for members in groups for pair in pairs(members)}
            proven = second.filter(
                pl.col("proven_on") <= each,
                pl.col("withdrawn_on").is_null() | (pl.col("withdrawn_on") > each),
            )
            both = proven.select("customer_id", "other_customer_id").iter_rows()
            planted |= {(each, *pair) for ids in both for pair in pairs(map(key, ids))}
    yield from compared("merges", planted, found)


def days_up_to(day: date) -> list[date]:
    """The simulated days, the last included."""
    return [START + timedelta(days=number) for number in range((day - START).days + 1)]


def pairs(keys: Iterable[str]) -> list[tuple[str, str]]:
    """Every two of some keys, the smaller first."""
    return list(combinations(sorted(keys), 2))


def compared(about: str, planted: set[Any], found: set[Any]) -> Iterator[Figure]:
    """Precision and recall of a set."""
    right = len(planted & found)
    for metric, whole in (("precision", found), ("recall", planted)):
        yield {
            "about": about,
            "metric": metric,
            "value": right / len(whole) if whole else None,
            "rows": len(whole),
        }


def show(figures: list[Figure]) -> None:
    """Both retailers side by side."""
    table = Table("about", "metric", "rows", "clean", "dirty", title="profiles against what was planted")
    rows: dict[tuple[object, object], dict[str, Figure]] = {}
    for figure in figures:
        rows.setdefault((figure["about"], figure["metric"]), {})[str(figure["deliveries"])] = figure
    for (about, metric), each in rows.items():
        shown = [
            "-" if each[name]["value"] is None else f"{each[name]['value']:.4f}"
            for name in ("clean", "dirty")
        ]
        table.add_row(str(about), str(metric), f"{each['clean']['rows']:,}", *shown)
    Console().print(table)


if __name__ == "__main__":
    main()
