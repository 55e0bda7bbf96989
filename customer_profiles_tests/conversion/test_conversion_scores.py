"""Scores for use."""

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import BaseRate
from customer_profiles.conversion.scores import score


class ByName(BaseRate):
    """A model whose probability stands in the table."""

    def predict(self, frame):
        return frame["truth"].to_numpy()


def customers(rows=20):
    return pl.DataFrame(
        {
            "customer_key": [f"c{n:02}" for n in range(rows)][::-1],
            "truth": np.linspace(0.95, 0.05, rows),
            "average_order_minor": [1_000.0, None, *[3_000.0] * (rows - 2)],
            "eligible_for_scoring": [n != 5 for n in range(rows)],
        }
    )


def test_only_the_eligible_are_scored_once_each_in_key_order():
    scores = score(ByName(), customers())
    assert scores["customer_key"].to_list() == sorted(scores["customer_key"])
    assert scores.height == 19
    assert "c14" not in scores["customer_key"]


def test_the_first_decile_is_the_highest_tenth():
    scores = score(ByName(), customers(101)).sort("conversion_probability", descending=True)
    assert scores["decile"].to_list() == sorted(scores["decile"])
    assert scores["decile"].value_counts()["count"].to_list() == [10] * 10


def test_expected_value_is_probability_times_the_customers_order_or_the_median_one():
    scores = {
        row["customer_key"]: row["expected_value_minor"] for row in score(ByName(), customers()).to_dicts()
    }
    assert scores["c19"] == 950
    assert scores["c18"] == round(3_000 * float(np.linspace(0.95, 0.05, 20)[1]))


def test_nobody_eligible_gives_no_rows_of_the_same_shape():
    nobody = score(ByName(), customers().with_columns(eligible_for_scoring=pl.lit(False)))
    assert nobody.height == 0
    assert nobody.schema == score(ByName(), customers()).schema
