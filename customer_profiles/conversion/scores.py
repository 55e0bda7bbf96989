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
    return ranked_scores(probabilities(model, frame))


def probabilities(model: Model, frame: pl.DataFrame) -> pl.DataFrame:
    """Of some of the customers ``customer_key``, ``conversion_probability`` and what an order brings."""
    chosen = frame.filter(pl.col(ELIGIBLE)) if ELIGIBLE in frame.columns else frame
    probability = model.predict(chosen) if chosen.height else np.empty(0)
    return chosen.select(
        CUSTOMER,
        pl.Series("conversion_probability", probability, dtype=pl.Float64),
        pl.col(ORDER_VALUE).cast(pl.Float64),
    )


def ranked_scores(scored: pl.DataFrame) -> pl.DataFrame:
    """The scores of all customers of a day from their ``probabilities``; see ``score``."""
    scored = scored.sort(CUSTOMER)
    probability, keys = scored["conversion_probability"].to_numpy(), scored[CUSTOMER].to_numpy()
    order = ranked(probability, keys) if scored.height else np.empty(0, dtype=np.int64)
    value = pl.col(ORDER_VALUE).fill_null(pl.col(ORDER_VALUE).median())
    return scored.select(
        CUSTOMER,
        "conversion_probability",
        pl.Series("decile", deciles(order), dtype=pl.Int32),
        (pl.col("conversion_probability") * value).round().cast(pl.Int64).alias("expected_value_minor"),
    )
