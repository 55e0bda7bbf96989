"""Published sets are whole at every moment."""

from datetime import date
from pathlib import Path

import polars as pl

from customer_profiles.profiles.publication import publish
from customer_profiles.profiles.tables import CUSTOMER_PROFILES

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 1, day) for day in (5, 6, 7))


def tables(*names: str) -> dict[str, pl.DataFrame]:
    return {"customer_profiles": pl.DataFrame({"customer_key": list(names)})}


def current(published: Path) -> list[str]:
    return pl.read_parquet(published / "current" / "customer_profiles.parquet")["customer_key"].to_list()


def test_a_set_that_is_published_again_is_never_away(tmp_path: Path) -> None:
    first = publish(tmp_path, MONDAY, tables("a"))
    file = tmp_path / first["folder"] / "customer_profiles.parquet"
    before = file.stat().st_ino
    assert publish(tmp_path, MONDAY, tables("a")) == first
    assert file.stat().st_ino == before
    assert not list(tmp_path.glob(".*unfinished"))


def test_a_set_that_a_kill_left_in_part_is_written_again(tmp_path: Path) -> None:
    first = publish(tmp_path, MONDAY, tables("a"))
    (tmp_path / first["folder"] / "customer_profiles.parquet").write_bytes(b"half of it")
    publish(tmp_path, MONDAY, tables("a"))
    assert current(tmp_path) == ["a"]


def test_a_set_published_again_counts_as_new_when_old_ones_are_forgotten(tmp_path: Path) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY, MONDAY):
        publish(tmp_path, day, tables("a"))
    publish(tmp_path, TUESDAY, tables("b"))
    kept = {folder.name[:10] for folder in tmp_path.glob("2026-*")}
    assert kept == {str(MONDAY), str(TUESDAY), str(WEDNESDAY)}
    assert current(tmp_path) == ["b"]


def test_every_column_that_can_be_null_says_when() -> None:
    silent = [
        column.name
        for column in CUSTOMER_PROFILES.columns
        if column.nullable and "NULL: " not in column.description
    ]
    assert not silent


def test_a_group_of_buyers_is_told_by_its_scores_and_what_a_customer_may_bring_is_no_profit() -> None:
    told = {column.name: column.description for column in CUSTOMER_PROFILES.columns}
    assert "at_risk R 1-2 F 3-5" in told["rfm_group"]
    assert "sales, not profit [minor units]" in told["expected_value_minor"]
    assert "ineligible_reason says" in told["conversion_probability"]
