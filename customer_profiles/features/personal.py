"""Who the customer is, as they told us: the newest version known by the day."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw

from customer_profiles.features.as_of import AsOf, Frame, Tables
from customer_profiles.features.expressions import first_case
from customer_profiles.features.population import persons, population
from customer_profiles.features.traits import Trait, beside, category, derived, observed

SOURCE = "customers"

AGE_BANDS = (
    (18, "under 18"),
    (25, "18-24"),
    (35, "25-34"),
    (45, "35-44"),
    (55, "45-54"),
    (65, "55-64"),
    (200, "65 and over"),
)


def _told(name: str, definition: str) -> Trait:
    told = category(name, definition, nw.col(name), source=SOURCE, undefined="not told")
    return replace(told, pii="personal")


TRAITS = (
    Trait(
        "age_years",
        "completed years; a year is completed on the first of the birth month",
        "years",
        nw.col("age_months") // 12,
        (SOURCE,),
        undefined="birth month or year not told",
        pii="personal",
    ),
    replace(
        _told("age_band", "band of the completed years"),
        value=first_case((nw.col("age_months") < 12 * below, band) for below, band in AGE_BANDS),
    ),
    _told("gender", "gender as the customer states it"),
    _told("province", "province of residence"),
    replace(_told("city", "city of residence"), model_input=False),
    _told("language", "preferred language, as a BCP 47 tag"),
    Trait(
        "tenure_days",
        "days since the customer signed up",
        "days",
        nw.col("tenure_days"),
        (SOURCE,),
        undefined="day of the sign-up not told",
    ),
    _told("signup_channel", "channel of the sign-up"),
    _told("loyalty_tier", "tier in the loyalty programme"),
)


def personal(tables: Tables, as_of: AsOf) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population."""
    months = 12 * as_of.day.year + as_of.day.month
    described = persons(tables["customers"], as_of).with_columns(
        age_months=months - 12 * nw.col("birth_year") - nw.col("birth_month"),
        # a clock that runs ahead can tell a sign-up of the day after
        tenure_days=nw.when(nw.col("registered_day") <= as_of.number).then(
            as_of.number - nw.col("registered_day")
        ),
    )
    return observed(derived(beside(population(tables, as_of), described), TRAITS), TRAITS, as_of)
