"""Who has a profile on a day."""

from __future__ import annotations

import narwhals as nw
import polars as pl

from customer_profiles.features.as_of import ARRIVAL, AsOf, Frame, Tables, known_by, newest

TOLD_BY = frozenset({"customers", "orders", "events"})
"""Tables that tell who is a customer: every family reads them."""
UNDERAGE = "customer_is_underage"
"""The rule of the contract for which a minor's row is quarantined."""
SAID = (
    "birth_year",
    "birth_month",
    "gender",
    "province",
    "city",
    "language",
    "signup_channel",
    "loyalty_tier",
)
"""What a customer says with one id, and perhaps not with another."""
VERSION = ("customer_key", "updated_at", *ARRIVAL)


def population(tables: Tables, as_of: AsOf) -> Frame:
    """One row, ``customer_key``, per customer known by D.

    Those whom ``customers`` names, if it was ever delivered by D; else those who ordered or did
    something. Rows of underage customers were quarantined; ``minors`` are left out of the wide row.
    """
    if as_of.has("customers"):
        named = known_by(tables["customers"], as_of, "updated_day").select("customer_key")
    else:
        ordered = known_by(tables["orders"], as_of, "ordered_day", "status_day").select("customer_key")
        acted = known_by(tables["events"], as_of, "event_day").select("customer_key")
        named = nw.concat([ordered, acted.filter(~nw.col("customer_key").is_null())])
    return named.group_by("customer_key").agg(rows=nw.len()).select("customer_key")


def underage(received: Frame, as_of: AsOf) -> Frame:
    """``VERSION`` of rows of ``raw/customers`` known by D that were quarantined for the customer's age."""
    is_minor = nw.col("broken_rules").list.contains(UNDERAGE)
    told = received.filter(is_minor, ~nw.col("customer_key").is_null())
    return known_by(told, as_of, "updated_day").select(*VERSION)


def minors(told: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """``customer_key`` of those whose newest version is ``underage``, as ``told``.

    An ``accepted`` row that told no birth date, or another one, would else go on making their profile. Both
    frames have ``VERSION``; ``accepted`` is of ``cleaned/customers``.
    """
    versions = pl.concat([accepted.with_columns(minor=False), told.with_columns(minor=True)])
    versions = versions.sort("updated_at", *ARRIVAL).unique("customer_key", keep="last", maintain_order=True)
    return versions.filter("minor").select("customer_key").sort("customer_key")


def persons(customers: Frame, as_of: AsOf) -> Frame:
    """One row per customer: of several ids that are one, what the newest that says something says.

    Of each id its newest version counts. Who signed up with one of them has been there since; of whom one is
    a test account, all are.
    """
    versions = newest(known_by(customers, as_of, "updated_day"), ("member_key",), "updated_at")
    order = ["updated_at", *ARRIVAL]
    told = versions.with_columns(
        nw.col(name).fill_null(strategy="forward").over("customer_key", order_by=order) for name in SAID
    ).with_columns(
        nw.col("registered_day").min().over("customer_key"),
        is_test=nw.col("is_test").cast(nw.Int64()).max().over("customer_key") > 0,
    )
    return newest(told, ("customer_key",), "updated_at")
