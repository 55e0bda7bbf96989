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

_FAMILIES: dict[str, tuple[Callable[[Tables, AsOf], Frame], tuple[Trait, ...]]] = {
    "personal": (personal.personal, personal.TRAITS),
    "behaviour": (behaviour.behaviour, behaviour.TRAITS),
    "consumption": (consumption.consumption, consumption.TRAITS),
    "times": (times.times, times.TRAITS),
    "social": (social.social, social.TRAITS),
    "campaigns": (campaigns.campaigns, campaigns.TRAITS),
    "partners": (partners.partners, partners.TRAITS),
    "eligibility": (eligibility.eligibility, eligibility.TRAITS),
}
COMPUTED_BY = {family: compute for family, (compute, _) in _FAMILIES.items()}
FAMILY_TRAITS = {family: traits for family, (_, traits) in _FAMILIES.items()}
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
