"""Scores for use: a probability, its decile, and what the customer is expected to bring."""

from __future__ import annotations

import numpy as np
import polars as pl

from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.examples import CUSTOMER, ELIGIBLE
from customer_profiles.conversion.metrics import deciles, ranked

ORDER_VALUE = "average_order_minor"


def score(model: Model, frame: pl.DataFrame) -> pl.DataFrame:
    """Score the customers of a feature frame that are ``eligible_for_scoring``, in key order.

    Returns ``customer_key``, ``conversion_probability`` (Float64), ``decile`` (Int32, 1 = highest
    tenth, ties by the key's hash) and ``expected_value_minor`` (Int64): probability times the
    customer's average order, or the median of the known ones for who has none; NULL if nobody has.
    """
    chosen = (frame.filter(pl.col(ELIGIBLE)) if ELIGIBLE in frame.columns else frame).sort(CUSTOMER)
    probability = model.predict(chosen) if chosen.height else np.empty(0)
    order = ranked(probability, chosen[CUSTOMER].to_numpy()) if chosen.height else np.empty(0, dtype=np.int64)
    value = chosen[ORDER_VALUE].cast(pl.Float64)
    return pl.DataFrame(
        {
            CUSTOMER: chosen[CUSTOMER],
            "conversion_probability": pl.Series(probability, dtype=pl.Float64),
            "decile": pl.Series(deciles(order), dtype=pl.Int32),
            "order_value": value,
        }
    ).select(
        CUSTOMER,
        "conversion_probability",
        "decile",
        (pl.col("conversion_probability") * pl.col("order_value").fill_null(pl.col("order_value").median()))
        .round()
        .cast(pl.Int64)
        .alias("expected_value_minor"),
    )
