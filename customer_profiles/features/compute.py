"""Computing the features of an as-of day in the warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.tables import RAW
from customer_profiles.features.as_of import AsOf, EachWhenAsked, Frame, Tables, known_by
from customer_profiles.features.canary import planted_future
from customer_profiles.features.catalogue import COMPUTED_BY, FAMILY_TRAITS
from customer_profiles.features.customer_features import customer_features
from customer_profiles.features.eligibility import eligibility
from customer_profiles.features.identities import (
    first_seen,
    identities,
    links_in_force,
    owners,
    proving,
    under_one_key,
)
from customer_profiles.features.partners import partners
from customer_profiles.features.population import VERSION, minors, underage
from customer_profiles.features.summary import summarise
from customer_profiles.features.tables import CUSTOMER_FEATURES, FAMILIES, IDENTITIES, SUMMARY
from customer_profiles.settings import IdentitySettings, Settings
from customer_profiles.warehouse import Session


def cleaned_tables(session: Session, as_of: AsOf) -> Tables:
    """The cleaned tables as far as they were delivered by the day."""
    return EachWhenAsked(CLEANED, lambda table: session.read(CLEANED[table], None, as_of.day))


def under_profile_keys(session: Session, tables: Tables, day: date) -> Tables:
    """Cleaned tables with every customer under the key of their profile as of the day.

    The result holds until the next call on the session: it reads tables that the next one replaces.
    """
    found = session.frame(IDENTITIES, day, day)
    return under_one_key(tables, owners(found, session.lend))


def compute_identities(session: Session, as_of: AsOf, settings: IdentitySettings) -> pl.DataFrame:
    """Find, store and return who is whom as of the day."""
    found = IDENTITIES.schema.to_frame()
    if as_of.has("identity_links"):
        found = find_identities(session, cleaned_tables(session, as_of), as_of, settings)
        found = found.with_columns(pl.lit(as_of.day).alias("as_of"))
    session.write(IDENTITIES, {"as_of": as_of.day}, found)
    return found


def find_identities(
    session: Session, tables: Tables, as_of: AsOf, settings: IdentitySettings
) -> pl.DataFrame:
    """Who is whom as of the day, from cleaned tables."""
    links, apart = standing_links(session, tables, as_of), known_minors(session, as_of)["customer_key"]
    members = session.lend("proven_ids", proving(links, settings, apart).select("member_key").unique())
    return identities(links, session.collect(first_seen(tables, as_of, members)), settings, apart)


def standing_links(session: Session, tables: Tables, as_of: AsOf) -> pl.DataFrame:
    """The identity links in force as of the day, also those of identifiers that link nobody."""
    told = nw.from_native(session.collect(tables["identity_links"]).lazy())
    held: pl.DataFrame = links_in_force(told, as_of).collect("polars").to_native()
    return held


def family_rows(family: str, tables: Tables, as_of: AsOf, settings: Settings) -> Frame:
    """One family's rows of the as-of day."""
    if family == "eligibility":
        return eligibility(tables, as_of, settings.label.active_days)
    if family == "partners":
        return partners(tables, as_of, settings.features.partner_attributes)
    return COMPUTED_BY[family](tables, as_of)


def compute_family(session: Session, family: str, as_of: AsOf, settings: Settings) -> int:
    """Compute and store one family's rows of the as-of day. Returns their number."""
    tables = under_profile_keys(session, cleaned_tables(session, as_of), as_of.day)
    rows = family_rows(family, tables, as_of, settings)
    day = nw.lit(as_of.day, dtype=nw.Date()).alias("as_of")
    return session.write(FAMILIES[family], {"as_of": as_of.day}, rows.with_columns(day))


def compute_customer_features(session: Session, day: date) -> int:
    """Join and store the families' rows of the as-of day. Returns their number."""
    families = {family: session.read(FAMILIES[family], day, day) for family in FAMILY_TRAITS}
    return session.write(CUSTOMER_FEATURES, {"as_of": day}, wide_rows(session, families, AsOf(day, {})))


def wide_rows(session: Session, families: Mapping[str, Frame], as_of: AsOf) -> Frame:
    """The families side by side, one row per customer who is not known as a minor."""
    rows, known = customer_features(families, as_of), known_minors(session, as_of)
    if known.is_empty():
        return rows
    return rows.join(session.lend("minors", known), on="customer_key", how="anti")


def known_minors(session: Session, as_of: AsOf) -> pl.DataFrame:
    """``customer_key`` of those whom their newest version known by D shows as minors."""
    told = session.collect(underage(session.read(RAW["customers"], None, as_of.day), as_of))
    if told.is_empty():
        return told.select("customer_key")
    customers = session.read(CLEANED["customers"], None, as_of.day)
    theirs = customers.join(session.lend("underage", told), on="customer_key", how="semi")
    return minors(told, session.collect(known_by(theirs, as_of, "updated_day").select(*VERSION)))


def rows_with_a_planted_future(
    session: Session, as_of: AsOf, settings: Settings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The as-of day's identities and wide rows, computed anew with later facts planted into the tables.

    The planted facts stand in the query alone and are never written.
    """
    planted = planted_future(cleaned_tables(session, as_of), as_of)
    found = find_identities(session, planted, as_of, settings.identity)
    tables = under_profile_keys(session, planted, as_of.day)
    families = {family: family_rows(family, tables, as_of, settings) for family in FAMILY_TRAITS}
    rows = session.collect(wide_rows(session, families, as_of))
    return found.sort(IDENTITIES.order), rows.sort("customer_key")


def compute_summary(session: Session, day: date) -> pl.DataFrame:
    """Describe the as-of day's features, store the description and return it."""
    frame = session.frame(CUSTOMER_FEATURES, day, day)
    described = summarise(frame) if frame.height else pl.DataFrame(schema=SUMMARY.schema).drop("as_of")
    session.write(SUMMARY, {"as_of": day}, described.with_columns(pl.lit(day).alias("as_of")))
    return described
