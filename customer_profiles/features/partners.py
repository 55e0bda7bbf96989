"""What partners tell about the customer, as far as a white list and the customer's consent let it in.

A partner names a customer by their id, or by a hash of their e-mail or phone; ids and hashes come as
pseudonyms that join with those made of our own customers' addresses (see ``privacy/matching.py``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import narwhals as nw
import polars as pl

from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by, newest
from customer_profiles.features.expressions import one_of
from customer_profiles.features.population import population
from customer_profiles.features.traits import Trait, beside, observed

SOURCE = "partner_attributes"
MATCH_KEYS = ("email_match_keys", "phone_match_keys")
ESCAPES = (("\\", "\\\\"), ('"', '\\"'))

TRAITS = (
    Trait(
        "partner_attributes",
        "what partners told that features.partner_attributes lists, consented to and not expired: a JSON "
        "object, the newest value of each attribute",
        "JSON",
        nw.col("partner_attributes"),
        (SOURCE,),
        undefined="nothing of the list is told of the customer, or it has expired",
        kind="category",
        dtype=pl.String,
        pii="personal",
        model_input=False,
    ),
)


def partners(tables: Tables, as_of: AsOf, attributes: Sequence[str] = ()) -> Frame:
    """``customer_key`` and ``TRAITS``, one row per customer of the population.

    ``tables`` are ``under_one_key``, ``attributes`` is the white list. An identifier that several customers
    share names none of them.
    """
    customers = population(tables, as_of)
    if not attributes:
        nothing = nw.lit(None, dtype=nw.String()).alias("partner_attributes")
        return observed(customers.with_columns(nothing), TRAITS, as_of)
    told = _told(tables, as_of, attributes)
    whose = told.join(_named(tables, customers, as_of), on="identifier_key")
    lasts = nw.col("expires_day").is_null() | (nw.col("expires_day") > as_of.number)
    values = newest(whose, ("customer_key", "attribute"), "observed_at").filter(lasts)
    return observed(beside(customers, _as_json(values, attributes)), TRAITS, as_of)


def identifiers_named(tables: Tables, as_of: AsOf, attributes: Sequence[str]) -> Frame:
    """One row per ``partner``: its ``identifiers``, and how many of them are ``named`` customers.

    ``tables`` are ``under_one_key``, ``attributes`` is the white list.
    """
    told = _told(tables, as_of, attributes).select("partner", "identifier_key").unique()
    whose = told.join(_named(tables, population(tables, as_of), as_of), on="identifier_key", how="left")
    return whose.group_by("partner").agg(
        identifiers=nw.len().cast(nw.Int64()), named=nw.col("customer_key").count().cast(nw.Int64())
    )


def _told(tables: Tables, as_of: AsOf, attributes: Sequence[str]) -> Frame:
    """What partners told by the day that may stand in a profile, of whomever."""
    listed = one_of(nw.col("attribute"), attributes) & ~nw.col("consent_reference").is_null()
    return known_by(tables[SOURCE], as_of, "observed_day").filter(listed)


def _named(tables: Tables, customers: Frame, as_of: AsOf) -> Frame:
    """One row per identifier that names exactly one customer: ``identifier_key``, ``customer_key``.

    Of a customer with several ids the newest addresses of each id count.
    """
    versions = newest(known_by(tables["customers"], as_of, "updated_day"), ("member_key",), "updated_at")
    names = [customers.with_columns(identifier_key=nw.col("customer_key"))]
    for column in MATCH_KEYS:
        given = versions.filter(nw.col(column).list.len() > 0).select(
            "customer_key", nw.col(column).alias("identifier_key")
        )
        names.append(given.explode("identifier_key"))
    pairs = nw.concat([each.select("customer_key", "identifier_key") for each in names]).unique(
        ["customer_key", "identifier_key"]
    )
    alone = pairs.group_by("identifier_key").agg(
        nw.col("customer_key").min(), customers=nw.len().cast(nw.Int64())
    )
    return alone.filter(nw.col("customers") == 1).select("identifier_key", "customer_key")


def _as_json(values: Frame, attributes: Sequence[str]) -> Frame:
    """One row per customer with a value: the values as a JSON object, in the list's order."""
    text = nw.col("value").str.replace_all(r"[\x00-\x1f]", " ")
    for sign, escaped in ESCAPES:
        text = text.str.replace_all(sign, escaped, literal=True)
    pairs = values.with_columns(text=text)
    columns = {f"attribute_{number}": name for number, name in enumerate(attributes)}
    wide = pairs.group_by("customer_key").agg(
        nw.when(nw.col("attribute") == name).then(nw.col("text")).max().alias(column)
        for column, name in columns.items()
    )
    members = [
        nw.concat_str([nw.lit(f'{json.dumps(name, ensure_ascii=False)}: "'), nw.col(column), nw.lit('"')])
        for column, name in columns.items()
    ]
    listed = nw.concat_str(members, separator=", ", ignore_nulls=True)
    return wide.select(
        "customer_key", nw.concat_str([nw.lit("{"), listed, nw.lit("}")]).alias("partner_attributes")
    )
