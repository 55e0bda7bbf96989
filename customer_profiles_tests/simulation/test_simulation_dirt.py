from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from customer_profiles.contracts import CONTRACTS
from customer_profiles.simulation import SimulationSummary
from customer_profiles.simulation.dirt import PLANTED, STAINS

ReadRows = Callable[[Path], list[dict[str, Any]]]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def dirt(retailer: SimulationSummary) -> pl.DataFrame:
    return pl.read_parquet(retailer.folder / "truth" / "dirt.parquet")


@pytest.fixture(scope="module")
def files(retailer: SimulationSummary, dirt: pl.DataFrame, read_rows: ReadRows) -> dict[str, list[Row]]:
    return {source: read_rows(retailer.folder / "deliveries" / source) for source in dirt["source"].unique()}


def is_later_than(row: Row, column: str, day: date) -> bool:
    cell = row[column]
    return str(cell)[:10] > day.isoformat()


UNREADABLE = {"12.3元", "31/13/2026x", "world_domination", "maybe", "二十元", "carrier_pigeon", "vanished"}
UNREADABLE |= {"graffiti", "five", "nemesis", "perhaps", "telepathy"}
SYMPTOMS: dict[str, Callable[[Row, str, date], bool]] = {
    "required_absent": lambda row, column, day: row[column] is None,
    "no_assignment_probability": lambda row, column, day: row[column] is None and bool(row["randomised"]),
    "no_consent_reference": lambda row, column, day: row[column] is None,
    "nobody_did_it": lambda row, column, day: row["customer_id"] is None and row["anonymous_id"] is None,
    "unparsable_cell": lambda row, column, day: row[column] in UNREADABLE,
    "impossible_date": lambda row, column, day: str(row[column]).startswith(("0000-00-00", "9999-")),
    "out_of_range": lambda row, column, day: float(row[column]) in (-990, -5, 0, -100, 6, -0.5, 1.5),
    "non_finite": lambda row, column, day: row[column] in ("NaN", "inf"),
    "in_the_future": is_later_than,
    "negative_amount": lambda row, column, day: int(row[column]) < 0 and row["status"] != "returned",
    "zero_quantity": lambda row, column, day: row[column] == "0",
    "tie_to_oneself": lambda row, column, day: row["source_customer_id"] == row["target_customer_id"],
    "ragged_row": lambda row, column, day: "ragged" in row,
    "unknown_value": lambda row, column, day: row[column] in ("外星人", "teleport"),
    "full_width_digits": lambda row, column, day: bool(set(row[column]) & set("０１２３４５６７８９")),
    "surrounding_spaces": lambda row, column, day: row[column] != row[column].strip(),
    "whole_with_point": lambda row, column, day: row[column].endswith(".0"),
    "upper_case_email": lambda row, column, day: row[column] == row[column].upper(),
    "flag_in_chinese": lambda row, column, day: row[column] == "是",
    "underage": lambda row, column, day: f"{day.year - 18}{day:-%m-%d}" < row[column],
    "aged_exactly_18": lambda row, column, day: f"{day.year - 18}{day:-%m-%d}" == row[column],
    "unknown_customer": lambda row, column, day: row[column] == "C9999999",
    "unknown_product": lambda row, column, day: row[column] == "P99999",
}  # fmt: skip


def test_the_truth_of_every_dirty_row_can_be_seen_in_its_file(
    dirt: pl.DataFrame, files: dict[str, list[Row]]
) -> None:
    unseen = [
        (said["source"], said["row_number"], said["kind"])
        for said in dirt.filter(pl.col("kind").is_in(list(SYMPTOMS))).to_dicts()
        if not SYMPTOMS[said["kind"]](
            files[said["source"]][said["row_number"] - 1], said["column"], said["delivery_day"]
        )
    ]
    assert unseen == []


def test_no_kind_of_dirt_goes_unwatched(dirt: pl.DataFrame) -> None:
    twins = {"exact_duplicate", "key_duplicate", "redelivered_event", "redelivered_version"}
    assert set(dirt["kind"].unique()) <= set(SYMPTOMS) | twins


def test_every_stain_of_every_table_is_planted(dirt: pl.DataFrame) -> None:
    wanted = {(table, stain.kind, stain.column) for table, stains in STAINS.items() for stain in stains}
    seen = set(dirt.select("table", "kind", pl.col("column").fill_null("")).iter_rows())
    assert wanted - seen == set()
    assert set(dirt["kind"].unique()) >= set(PLANTED)


def test_every_rule_of_the_contracts_is_broken_by_some_row(dirt: pl.DataFrame) -> None:
    broken = set(dirt["rule"].drop_nulls().unique())
    row_rules = {
        name
        for contract in CONTRACTS.values()
        for name in contract.__dict__
        if not name.startswith("_") and name.islower() and name not in contract.column_names()
    }
    assert row_rules <= broken
    kinds = {rule.split("|")[1] for rule in broken if "|" in rule}
    assert kinds == {"required", "unparsable", "impossible_date", "non_finite", "out_of_range"}
    assert {"event_in_future", "ragged_row"} <= broken


def test_exact_duplicates_equal_an_earlier_row_of_their_file(
    dirt: pl.DataFrame, files: dict[str, list[Row]]
) -> None:
    copies = dirt.filter(pl.col("kind") == "exact_duplicate").to_dicts()
    assert len(copies) > 100
    for said in copies[:200]:
        rows = files[said["source"]]
        assert rows[said["row_number"] - 1] in rows[: said["row_number"] - 1]


def test_key_duplicates_have_a_newer_row_of_the_same_key_below(
    dirt: pl.DataFrame, files: dict[str, list[Row]]
) -> None:
    renewed = dirt.filter((pl.col("kind") == "key_duplicate") & (pl.col("table") == "events")).to_dicts()
    assert len(renewed) > 20
    for said in renewed:
        rows = files[said["source"]]
        old = rows[said["row_number"] - 1]
        newer = [row for row in rows[said["row_number"] :] if row["event_id"] == old["event_id"]]
        assert [row["event_at"] > old["event_at"] for row in newer] == [True]


def test_redelivered_events_arrived_sound_before(
    retailer: SimulationSummary, dirt: pl.DataFrame, files: dict[str, list[Row]]
) -> None:
    again = dirt.filter(pl.col("kind") == "redelivered_event")
    arrived = {
        row["event_id"]: day
        for day in pl.date_range(retailer.first_day, retailer.last_day, eager=True).reverse()
        for row in files.get(f"events/{day}.parquet", [])
    }
    assert again.height > 50
    for said in again.to_dicts():
        row = files[said["source"]][said["row_number"] - 1]
        assert arrived[row["event_id"]] < said["delivery_day"]


def test_each_dirty_row_has_one_fate(dirt: pl.DataFrame) -> None:
    assert dirt.select("source", "row_number").is_unique().all()
    assert set(dirt["fate"].unique()) == {"accepted", "repaired", "quarantined", "duplicate"}
    assert dirt.filter((pl.col("fate") == "quarantined") & pl.col("rule").is_null()).is_empty()


@pytest.mark.parametrize("table", ["events", "orders"])
def test_one_to_five_rows_in_a_thousand_are_dirty(retailer: SimulationSummary, table: str) -> None:
    assert 0.001 < retailer.dirty_rows[table] / retailer.rows[table] < 0.005
