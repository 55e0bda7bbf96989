"""The wide row: all families of a customer side by side."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals as nw

from customer_profiles.features.as_of import AsOf, Frame
from customer_profiles.features.catalogue import FAMILY_TRAITS
from customer_profiles.features.traits import beside


def customer_features(families: Mapping[str, Frame], as_of: AsOf) -> Frame:
    """``as_of``, ``customer_key`` and every trait in the catalogue's order, one row per customer.

    ``families`` holds each family's rows of that one day, by the family's name. All have a row for
    every customer of the population, so that none is lost here.
    """
    first, *others = (
        families[family].select("customer_key", *(trait.name for trait in traits))
        for family, traits in FAMILY_TRAITS.items()
    )
    rows = beside(first, *others)
    day = nw.lit(as_of.day, dtype=nw.Date()).alias("as_of")
    return rows.select(day, nw.all())
