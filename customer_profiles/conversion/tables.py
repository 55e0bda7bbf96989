"""The warehouse tables of conversion."""

from __future__ import annotations

import polars as pl

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.features.tables import AS_OF, CUSTOMER
from customer_profiles.projection.tables import VERSION
from customer_profiles.warehouse import Table

SCORES = Table(
    "profiles.conversion_scores",
    (
        AS_OF,
        CUSTOMER,
        StoredColumn("label", pl.String, False, "what is predicted: one of the names in label.train"),
        StoredColumn(
            "conversion_probability",
            pl.Float64,
            False,
            "chance that the customer does what the label says in its window; purchase: places at least one "
            "order that stands [0 to 1]",
            minimum=0,
            maximum=1,
        ),
        StoredColumn(
            "decile",
            pl.Int32,
            False,
            "tenth by that chance: 1 = the highest [1 to 10]",
            minimum=1,
            maximum=10,
        ),
        StoredColumn(
            "expected_value_minor",
            pl.Int64,
            True,
            "chance x the customer's average order, of one without orders the median one: sales, not profit "
            "[minor units]. NULL: nobody has an average order",
        ),
        VERSION,
    ),
    order=("label", "customer_key"),
    partition=("as_of",),
)

EVALUATIONS = Table(
    "models.conversion",
    (
        StoredColumn("trained_through", pl.Date, False, "last delivery day that the training could see"),
        VERSION,
        StoredColumn("label", pl.String, False, "what is predicted"),
        StoredColumn("model", pl.String, False, "the candidate, a baseline, or the champion before it"),
        StoredColumn("metric", pl.String, False, "what was measured on the test's held-out customers"),
        StoredColumn("value", pl.Float64, True, "its value"),
        StoredColumn("low", pl.Float64, True, "lower end of the 95 % interval"),
        StoredColumn("high", pl.Float64, True, "upper end of the 95 % interval"),
    ),
    order=("model", "metric"),
    partition=("trained_through", "model_version"),
)
"""Every training's figures: the model beside its baselines."""
