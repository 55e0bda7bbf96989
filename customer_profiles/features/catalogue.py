"""Every trait of the profile, and the families that compute them, in the profile's order."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from customer_profiles.features import (
    behaviour,
    campaigns,
    consumption,
    eligibility,
    partners,
    personal,
    social,
    times,
)
from customer_profiles.features.as_of import AsOf, Frame, Tables
from customer_profiles.features.traits import Trait

FAMILIES: dict[str, Callable[[Tables, AsOf], Frame]] = {
    "personal": personal.personal,
    "behaviour": behaviour.behaviour,
    "consumption": consumption.consumption,
    "times": times.times,
    "social": social.social,
    "campaigns": campaigns.campaigns,
    "partners": partners.partners,
    "eligibility": eligibility.eligibility,
}
FAMILY_TRAITS: dict[str, tuple[Trait, ...]] = {
    "personal": personal.TRAITS,
    "behaviour": behaviour.TRAITS,
    "consumption": consumption.TRAITS,
    "times": times.TRAITS,
    "social": social.TRAITS,
    "campaigns": campaigns.TRAITS,
    "partners": partners.TRAITS,
    "eligibility": eligibility.TRAITS,
}
TRAITS: dict[str, Trait] = {trait.name: trait for traits in FAMILY_TRAITS.values() for trait in traits}


def catalogue() -> pl.DataFrame:
    """One row per trait: what it is, in words that a reader of the profile needs."""
    rows = [
        {
            "family": family,
            "trait": trait.name,
            "definition": trait.definition,
            "unit": trait.unit,
            "window_days": trait.window,
            "null_means": trait.null_means,
            "sources": ", ".join((*trait.sources, *trait.beside)),
            "pii": trait.pii,
            "kind": trait.kind,
            "dtype": str(trait.dtype),
            "model_input": trait.model_input,
        }
        for family, traits in FAMILY_TRAITS.items()
        for trait in traits
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
