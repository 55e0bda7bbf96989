"""Every trait of the profile, and the families that compute them, in the profile's order."""

from __future__ import annotations

from collections.abc import Callable

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
