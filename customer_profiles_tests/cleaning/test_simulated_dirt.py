"""A simulated retailer's dirty rows, loaded and cleaned: each meets the fate that was planted for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from customer_profiles.cleaning.clean import clean_days, quarantine_days, row_fates
from customer_profiles.cleaning.tables import CLEANED, QUARANTINE
from customer_profiles.collection.door import Door
from customer_profiles.collection.ledger import ledger
from customer_profiles.collection.loading import load_day
from customer_profiles.collection.searches import category_words
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.tables import PERSONAL, RAW
from customer_profiles.contracts import CONTRACTS
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal
from customer_profiles.settings import CollectionSettings
from customer_profiles.simulation import simulate
from customer_profiles.warehouse import Session, Warehouse

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 5)
DAYS = [FIRST + timedelta(days=n) for n in range(5)]
PLACE = ["table", "delivery_day", "source", "row_number"]


class Retailer:
    """A simulated home, loaded and cleaned day by day through the functions that the assets call."""

    def __init__(self, home: Path, warehouse: Session, vault: Session) -> None:
        self.home, self.warehouse, self.vault = home, warehouse, vault
        self.door = Door(
            Home(home, "Asia/Shanghai", FIRST, CollectionSettings().longest_line_bytes),
            CollectionSettings(),
            Pseudonyms(b"s" * 32),
            Seal(b"k" * 32),
        )

    def run(self, *, rebuild: bool = False) -> None:
        for table in CONTRACTS:
            words = category_words(self.warehouse, DAYS) if table == "events" else {}
            for day in DAYS:
                known = ledger(self.warehouse, table, day, day)
                load_day(
                    self.warehouse, self.vault, self.door, table, day,
                    known=known, categories=words, rebuild=rebuild,
                )  # fmt: skip
                clean_days(self.warehouse, table, [day])
        quarantine_days(self.warehouse, FIRST, LAST)

    def stored(self) -> dict[str, pl.DataFrame]:
        tables = [*RAW.values(), *CLEANED.values(), QUARANTINE]
        stored = {table.name: self.warehouse.frame(table) for table in tables}
        return stored | {PERSONAL.name: self.vault.frame(PERSONAL)}

    def fates(self) -> pl.DataFrame:
        """The fate of every raw row by the tables: where it is stored, and what it was mended by."""
        told = []
        for table in CONTRACTS:
            raw = self.warehouse.frame(RAW[table], None, None, "delivery_day", *PLACE[2:], "broken_rules")
            cleaned = self.warehouse.frame(CLEANED[table], None, None, "delivery_day", *PLACE[2:], "repairs")
            held = self.warehouse.frame(QUARANTINE).filter(table_name=table).select(PLACE[1:])
            told.append(
                raw.with_columns(table=pl.lit(table))
                .join(cleaned, on=PLACE[1:], how="left")
                .join(held.with_columns(held=pl.lit(True)), on=PLACE[1:], how="left")
            )
        return pl.concat(told).select(
            *PLACE,
            rules="broken_rules",
            repairs=pl.col("repairs").fill_null([]),
            met=pl.when("held")
            .then(pl.lit("quarantined"))
            .when(pl.col("repairs").is_null())
            .then(pl.lit("duplicate"))
            .when(pl.col("repairs").list.len() > 0)
            .then(pl.lit("repaired"))
            .otherwise(pl.lit("accepted")),
        )


@pytest.fixture(scope="module")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retailer]:
    home = tmp_path_factory.mktemp("retailer")
    simulate(home, customers=800, days=len(DAYS), start=FIRST)
    with ExitStack() as files:
        warehouse, vault = (
            files.enter_context(Warehouse(home / f"{name}.duckdb").session())
            for name in ("warehouse", "vault")
        )
        made = Retailer(home, warehouse, vault)
        made.run()
        yield made


@pytest.fixture(scope="module")
def fates(retailer: Retailer) -> pl.DataFrame:
    return retailer.fates()


@pytest.fixture(scope="module")
def planted(retailer: Retailer) -> pl.DataFrame:
    return pl.read_parquet(retailer.home / "truth" / "dirt.parquet")


def test_every_delivered_row_has_a_fate_and_the_four_add_up(retailer: Retailer, fates: pl.DataFrame) -> None:
    for table in CONTRACTS:
        counted = row_fates(retailer.warehouse, table, FIRST, LAST)
        four = counted.select(pl.sum_horizontal(pl.exclude("delivery_day", "received"))).to_series()
        assert counted["received"].equals(four, check_names=False)
        assert counted["received"].sum() == fates.filter(table=table).height


def test_planted_rows_meet_the_fate_that_was_planted(fates: pl.DataFrame, planted: pl.DataFrame) -> None:
    assert planted.height > 60
    seen = planted.join(fates, on=PLACE, how="left")
    assert seen.filter(pl.col("met").is_null() | (pl.col("met") != pl.col("fate"))).is_empty()


def test_planted_rows_break_the_rule_that_was_planted_and_no_other(
    fates: pl.DataFrame, planted: pl.DataFrame
) -> None:
    broken = planted.filter(fate="quarantined").join(fates, on=PLACE)
    by_rule: dict[str, list[Any]] = {
        f"{table}: {rule}": rules
        for table, rule, rules in broken.select("table", "rule", "rules").iter_rows()
    }
    assert by_rule == {name: [name.split(": ")[1]] for name in by_rule}
    assert len(by_rule) > 15


def test_planted_repairs_are_made_in_the_column_that_was_planted(
    fates: pl.DataFrame, planted: pl.DataFrame
) -> None:
    mended = planted.filter(fate="repaired").join(fates, on=PLACE)
    found = mended.select("column", pl.col("repairs").list.first().str.split("|").list.first())
    assert found["column"].equals(found["repairs"], check_names=False)
    assert mended["repairs"].list.len().to_list() == [1] * mended.height


def test_no_row_that_was_not_planted_is_touched(fates: pl.DataFrame, planted: pl.DataFrame) -> None:
    rest = fates.join(planted, on=PLACE, how="anti")
    assert rest.height > 1_000
    assert rest["met"].unique().to_list() == ["accepted"]


@pytest.mark.parametrize("rebuild", [False, True])
def test_running_again_gives_equal_rows(retailer: Retailer, rebuild: bool) -> None:
    before = retailer.stored()
    retailer.run(rebuild=rebuild)
    after = retailer.stored()
    assert [name for name in before if not after[name].equals(before[name])] == []
