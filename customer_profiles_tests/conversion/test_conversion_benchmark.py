"""The benchmark takes a table of the reader's own."""

import runpy
from pathlib import Path

import polars as pl
import pytest

OWN_TABLE = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "conversion.py"))["own_table"]


@pytest.fixture
def churn(tmp_path):
    answers = ["no", "yes"] * 20 + [None]
    table = pl.DataFrame({"months": range(41), "城市": ["上海"] * 41, "churned": answers})
    table.write_csv(tmp_path / "churn.csv")
    table.write_parquet(tmp_path / "churn.parquet")
    return tmp_path


@pytest.mark.parametrize("name", ["churn.csv", "churn.parquet"])
def test_the_greater_value_counts_as_one_and_rows_without_a_label_are_left_out(churn, name, capsys):
    task = OWN_TABLE(churn / name, "churned")
    assert capsys.readouterr().out == (
        "churned: 'yes' counts as 1, 'no' as 0; 1 rows without one are left out\n"
    )
    assert (len(task.train.label), len(task.test.label)) == (32, 8)
    assert task.test.frame.columns == ["months", "城市"]
    assert (task.test.label == task.test.frame["months"].to_numpy() % 2).all()


def test_a_label_that_is_not_there_or_has_not_two_values_is_named(churn):
    with pytest.raises(SystemExit, match="has no column 'left'; it has months, 城市, churned"):
        OWN_TABLE(churn / "churn.csv", "left")
    with pytest.raises(SystemExit, match="城市 has 1 different values"):
        OWN_TABLE(churn / "churn.csv", "城市")


def test_a_file_that_is_no_table_and_one_that_is_too_small_are_told_in_a_sentence(churn):
    (churn / "words.csv").write_text("a,b\n1,2\n1,2,3\n")
    for name in ("nowhere.csv", "nowhere.parquet", "words.csv"):
        with pytest.raises(SystemExit, match=f"{name} cannot be read as CSV or Parquet"):
            OWN_TABLE(churn / name, "churned")
    pl.DataFrame({"months": range(32), "churned": [0] * 20 + [1] * 12}).write_csv(churn / "few.csv")
    with pytest.raises(SystemExit, match=r"12 rows of the rarer class in .* are too few: 13 are needed"):
        OWN_TABLE(churn / "few.csv", "churned")
