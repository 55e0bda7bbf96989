"""The warehouse tables of the features room."""

from __future__ import annotations

import polars as pl

from customer_profiles.contracts.stored import StoredColumn, cleaned_columns
from customer_profiles.features.catalogue import FAMILY_TRAITS, TRAITS
from customer_profiles.features.traits import Trait
from customer_profiles.warehouse import Table

AS_OF = StoredColumn("as_of", pl.Date, False, "day on whose evening the profile closes")
MOMENT = pl.Datetime("us", "UTC")
CUSTOMER = StoredColumn("customer_key", pl.String, False, "pseudonym of the customer")


def trait_column(trait: Trait) -> StoredColumn:
    """The column of a trait; its description says what it is and what NULL means."""
    about = f"{trait.definition} [{trait.unit}]. NULL: {trait.null_means}"
    return StoredColumn(trait.name, trait.dtype, True, about)


IDENTITIES = Table(
    "features.identities",
    (
        AS_OF,
        StoredColumn("member_key", pl.String, False, "pseudonym of a customer id as delivered"),
        CUSTOMER,
        *(c for c in cleaned_columns("identity_links") if c.name in ("kind", "identifier_key", "method")),
        StoredColumn("linked_at", MOMENT, False, "since when"),
        StoredColumn(
            "events_from", MOMENT, True, "from when on the identifier's anonymous events are theirs"
        ),
        StoredColumn("events_until", MOMENT, True, "until when, if another link of the identifier follows"),
    ),
    order=("member_key", "kind", "identifier_key", "linked_at"),
    partition=("as_of",),
)

FAMILIES = {
    family: Table(
        f"features.{family}",
        (AS_OF, CUSTOMER, *map(trait_column, traits)),
        order=("customer_key",),
        partition=("as_of",),
    )
    for family, traits in FAMILY_TRAITS.items()
}

CUSTOMER_FEATURES = Table(
    "features.customer_features",
    (AS_OF, CUSTOMER, *map(trait_column, TRAITS.values())),
    order=("customer_key",),
    partition=("as_of",),
    row_hash=True,
)

SUMMARY = Table(
    "features.summary",
    (
        AS_OF,
        StoredColumn("trait", pl.String, False, "the trait described"),
        StoredColumn("statistic", pl.String, False, "what is told of it: mean, missing_share, spearman"),
        StoredColumn("other_trait", pl.String, True, "the trait with which it is correlated"),
        StoredColumn("value", pl.Float64, True, "the statistic's value"),
    ),
    order=("trait", "statistic", "other_trait"),
    partition=("as_of",),
)
