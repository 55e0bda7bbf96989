"""What the customer allows, and whether they may be scored."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import polars as pl

from customer_profiles.contracts import PURPOSES
from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by
from customer_profiles.features.expressions import first_case
from customer_profiles.features.population import persons, population
from customer_profiles.features.traits import Trait, beside, derived, observed

ACTIVE_DAYS = 365


def _flag(name: str, definition: str, value: nw.Expr, source: str, undefined: str) -> Trait:
    return Trait(
        name,
        definition,
        "true or false",
        value,
        (source,),
        undefined=undefined,
        kind="flag",
        dtype=pl.Boolean,
        model_input=False,
    )


CONSENTS = tuple(
    _flag(
        f"consent_{purpose}",
        f"newest decision about {purpose} in force on the day is a grant that has not expired",
        nw.col(f"consent_{purpose}"),
        "consents",
        "no decision was told",
    )
    for purpose in PURPOSES
)
FACTS = (
    _flag(
        "is_test",
        "an account of our own staff, or a test account",
        nw.col("is_test"),
        "customers",
        "not told",
    ),
    _flag(
        "refuses_automated_decision",
        "consent_automated_decision is false",
        ~nw.col("consent_automated_decision"),
        "consents",
        "no decision was told",
    ),
)
REASONS = (
    ("test_account", nw.col("is_test")),
    ("profiling_refused", ~nw.col("consent_profiling")),
    ("automated_decision_refused", nw.col("refuses_automated_decision")),
    ("inactive", ~nw.col("active").fill_null(False)),
)
"""Why a customer is not scored, the first that holds. What was never told refuses nothing."""

REASON = Trait(
    "ineligible_reason",
    f"first of {', '.join(name for name, _ in REASONS)} (neither event nor order in the scored window)",
    "name",
    first_case((condition.fill_null(False), name) for name, condition in REASONS),
    (),
    beside=("customers", "consents", "orders", "events"),
    undefined="the customer is eligible",
    kind="category",
    dtype=pl.String,
    model_input=False,
)
ELIGIBLE = replace(
    REASON,
    name="eligible_for_scoring",
    definition="no ineligible_reason",
    unit="true or false",
    value=nw.col("ineligible_reason").is_null(),
    undefined="",
    kind="flag",
    dtype=pl.Boolean,
)
TRAITS = (*CONSENTS, *FACTS, ELIGIBLE, REASON)


def eligibility(tables: Tables, as_of: AsOf, active_days: int = ACTIVE_DAYS) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population.

    Scored is only who did or ordered something in the last ``active_days`` days.
    """
    rows = beside(
        population(tables, as_of),
        persons(tables["customers"], as_of).select("customer_key", "is_test"),
        decisions(tables["consents"], as_of),
        _active(tables, as_of, active_days),
    )
    rows = derived(derived(derived(rows, FACTS), (REASON,)), (ELIGIBLE,))
    return observed(rows, TRAITS, as_of)


def decisions(consents: Frame, as_of: AsOf) -> Frame:
    """One row per customer who decided something: ``consent_<purpose>``, NULL where never decided.

    Counts the newest decision that was in force and had been delivered by D; of several of one moment,
    told on one day (two ids of one customer can have them), a refusal. A grant that expired on D or
    before is no grant any more.
    """
    known = known_by(consents, as_of, "effective_day").with_columns(refuses=nw.col("status") != "granted")
    order = ["effective_at", "delivery_day", "refuses", "source", "row_number"]
    standing = known.unique(["customer_key", "purpose"], keep="last", order_by=order)
    lasts = nw.col("expires_day").is_null() | (nw.col("expires_day") > as_of.number)
    granted = ((nw.col("status") == "granted") & lasts).cast(nw.Int64())
    return (
        standing.with_columns(granted=granted)
        .group_by("customer_key")
        .agg(
            nw.when(nw.col("purpose") == purpose).then(nw.col("granted")).max().alias(f"consent_{purpose}")
            for purpose in PURPOSES
        )
        .with_columns(nw.col(f"consent_{purpose}") == 1 for purpose in PURPOSES)
    )


def _active(tables: Tables, as_of: AsOf, active_days: int) -> Frame:
    """Customers with an event or an order, of any status, in the last ``active_days`` days."""
    acted = known_by(tables["events"], as_of, "event_day", last=active_days)
    ordered = known_by(tables["orders"], as_of, "ordered_day", "status_day", last=active_days)
    both = nw.concat([acted.select("customer_key", "days_ago"), ordered.select("customer_key", "days_ago")])
    named = both.filter(~nw.col("customer_key").is_null())
    return named.group_by("customer_key").agg(active=(nw.col("days_ago") >= 0).max())
