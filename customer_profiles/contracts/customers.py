"""The contract of customers."""

from __future__ import annotations

from typing import ClassVar

import dataframely as dy
import polars as pl

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    address,
    calendar_date,
    choice,
    flag,
    moment,
    text,
)

GENDERS = {
    "男": "male",
    "男性": "male",
    "先生": "male",
    "m": "male",
    "女": "female",
    "女性": "female",
    "女士": "female",
    "f": "female",
    "其他": "other",
    "未知": "unknown",
    "保密": "unknown",
    "u": "unknown",
}


class Customers(Delivered):
    """Who the customers are: one row per customer and change.

    Newest version by ``updated_at`` counts.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("updated_at", "registered_at")
    VERSIONED: ClassVar[bool] = True

    customer_id = text("the customer, as the source names them", key=True, pii=Pii.IDENTIFIER)
    updated_at = moment("when the source changed this row", key=True)
    full_name = text("name", pii=Pii.VAULT)
    birth_date = calendar_date("date of birth; year and month alone are stored", pii=Pii.VAULT)
    gender = choice(
        "gender as the customer states it",
        ("male", "female", "other", "unknown"),
        synonyms=GENDERS,
        fallback="unknown",
    )
    email = address("e-mail address", "email")
    phone = address("telephone number", "phone")
    country = text("country of residence")
    province = text("province of residence")
    city = text("city of residence")
    language = text("preferred language, as a BCP 47 tag")
    registered_at = moment("when the customer signed up")
    signup_channel = text("channel of the sign-up")
    loyalty_tier = text("tier in the loyalty programme")
    is_test = flag("an account of our own staff, or a test account")

    @dy.rule()
    def customer_is_underage(cls) -> pl.Expr:
        """Nobody below the minimum age; unknown age stays."""
        return (pl.col("birth_date") <= pl.col("adult_born_by")).fill_null(True)
