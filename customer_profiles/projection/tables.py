"""The warehouse table of principal components."""

from __future__ import annotations

import polars as pl

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.features.tables import AS_OF, CUSTOMER
from customer_profiles.warehouse import Table

VERSION = StoredColumn("model_version", pl.String, False, "version of the model that made the row")


def components_table(names: list[str]) -> Table:
    """``features.principal_components`` with the components of the projection in service."""
    about = "score along this axis, in standardised units"
    components = tuple(StoredColumn(name, pl.Float64, True, about) for name in names)
    return Table(
        "features.principal_components",
        (AS_OF, CUSTOMER, VERSION, *components),
        order=("customer_key",),
        partition=("as_of",),
    )
