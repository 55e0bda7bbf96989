"""Checks of features: the contract and the expectations hold, and the future changes nothing."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from customer_profiles.collection.ledger import delivered
from customer_profiles.features.as_of import AsOf
from customer_profiles.features.catalogue import TRAITS
from customer_profiles.features.compute import (
    cleaned_tables,
    rows_with_a_planted_future,
    standing_links,
    under_profile_keys,
)
from customer_profiles.features.identities import IDENTIFIER
from customer_profiles.features.partners import identifiers_named
from customer_profiles.features.tables import CUSTOMER_FEATURES, IDENTITIES
from customer_profiles.orchestration.checks import contract_check, day_check, suite_check
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.claims import Suite
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.suites import features_suite

FEW_SHARED, SHARED_SHARE, MOST_SHOWN = 10, 0.01, 20
"""Identifiers that link nobody are few up to this number or this share; so many are shown."""

FEWEST_NAMED = 0.01
"""Share of a partner's identifiers below which they are made in another way, rather than of other people."""


def the_future_changes_nothing(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    """Plant facts after the newest computed day and compare its rows with those that are stored."""
    with platform.warehouse() as warehouse:
        stored_days = [day for day in warehouse.days(CUSTOMER_FEATURES) if day in days]
        if not stored_days:
            return {}
        day = stored_days[-1]
        as_of = AsOf(day, delivered(warehouse, day))
        who, planted = rows_with_a_planted_future(warehouse, as_of, platform.settings)
        stored = warehouse.frame(CUSTOMER_FEATURES, day, day)
        same_who = who.equals(warehouse.frame(IDENTITIES, day, day, *who.columns))
    same = same_who and planted.select(stored.columns).equals(stored)
    changed = [name for name in stored.columns if not planted[name].equals(stored[name])] if not same else []
    changed += [] if same_who else ["who is whom (features/identities)"]
    says = f"facts after {day} change no profile of {stored.height:,}"
    if not same:
        says = f"facts after {day} change its profiles: {', '.join(changed) or 'other customers'}"
    return {day: Finding(same, len(changed), 0, says, details=[{"trait": name} for name in changed])}


def shared_identifiers_are_few(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    """Of the newest day, how many identifiers are on so many customers that they link nobody."""
    most = platform.settings.identity.most_customers
    with platform.warehouse() as warehouse:
        as_of = AsOf(days[-1], delivered(warehouse, days[-1]))
        if not as_of.has("identity_links"):
            return {}
        links = standing_links(warehouse, cleaned_tables(warehouse, as_of), as_of)
    identifiers = links.unique(IDENTIFIER)
    shared = identifiers.filter(pl.col("customers") > most).sort("customers", descending=True)
    allowed = max(FEW_SHARED, int(SHARED_SHARE * identifiers.height))
    return {
        as_of.day: Finding(
            passed=shared.height <= allowed,
            value=shared.height,
            threshold=allowed,
            says=f"{shared.height:,} of {identifiers.height:,} identifiers are on over {most} customers",
            severity="warn",
            details=shared.select("kind", "customers").head(MOST_SHOWN).to_dicts(),
        )
    }


def partners_name_customers(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
    """As of the newest day, what share of each partner's identifiers names one of our customers."""
    attributes = platform.settings.features.partner_attributes
    with platform.warehouse() as warehouse:
        as_of = AsOf(days[-1], delivered(warehouse, days[-1]))
        if not attributes or not as_of.has("partner_attributes"):
            return {}
        tables = under_profile_keys(warehouse, cleaned_tables(warehouse, as_of), as_of.day)
        counts = warehouse.collect(identifiers_named(tables, as_of, attributes))
    if counts.is_empty():
        return {}
    shares = counts.with_columns(share=pl.col("named") / pl.col("identifiers")).sort("share", "partner")
    worst = shares.row(0, named=True)
    return {
        as_of.day: Finding(
            passed=worst["share"] >= FEWEST_NAMED,
            value=round(worst["share"], 6),
            threshold={"warn": FEWEST_NAMED},
            says=f"{worst['named']:,} of {worst['identifiers']:,} identifiers of {worst['partner']} name a "
            f"customer",
            severity="warn",
            details=shares.head(MOST_SHOWN).to_dicts(),
        )
    }


def traits_suite() -> Suite:
    """The claims about every trait of the catalogue."""
    return features_suite([(trait.name, trait.unit) for trait in TRAITS.values()])


CHECKS = [
    contract_check(IDENTITIES, IDENTITIES.order),
    day_check(
        ["features", "identities"],
        "shared_identifiers_are_few",
        "few identifiers are on so many customers that they link nobody",
        shared_identifiers_are_few,
    ),
    day_check(
        ["features", "partners"],
        "partners_name_customers",
        "the identifiers of each partner name customers of ours",
        partners_name_customers,
    ),
    contract_check(CUSTOMER_FEATURES, ("customer_key",)),
    suite_check(CUSTOMER_FEATURES, lambda _: traits_suite()),
    day_check(
        ["features", "customer_features"],
        "the_future_changes_nothing",
        "facts planted after the newest day, never written, leave its profiles as they are",
        the_future_changes_nothing,
        blocking=True,
    ),
]
