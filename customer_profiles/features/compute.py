"""Computing the features of an as-of day in the warehouse."""

from __future__ import annotations

from datetime import date

import narwhals as nw
import polars as pl

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.features.as_of import AsOf, Frame, Tables
from customer_profiles.features.canary import planted_future
from customer_profiles.features.catalogue import FAMILIES as COMPUTED_BY
from customer_profiles.features.catalogue import FAMILY_TRAITS
from customer_profiles.features.customer_features import customer_features
from customer_profiles.features.eligibility import eligibility
from customer_profiles.features.summary import summarise
from customer_profiles.features.tables import CUSTOMER_FEATURES, FAMILIES, SUMMARY
from customer_profiles.settings import LabelSettings
from customer_profiles.warehouse import Session


def cleaned_tables(session: Session, as_of: AsOf) -> dict[str, Frame]:
    """The cleaned tables as far as they were delivered by the day."""
    return {table: session.read(stored, None, as_of.day) for table, stored in CLEANED.items()}


def family_rows(family: str, tables: Tables, as_of: AsOf, label: LabelSettings) -> Frame:
    """One family's rows of the as-of day."""
    if family == "eligibility":
        return eligibility(tables, as_of, label.active_days)
    return COMPUTED_BY[family](tables, as_of)


def compute_family(session: Session, family: str, as_of: AsOf, label: LabelSettings) -> int:
    """Compute and store one family's rows of the as-of day. Returns their number."""
    rows = family_rows(family, cleaned_tables(session, as_of), as_of, label)
    day = nw.lit(as_of.day, dtype=nw.Date()).alias("as_of")
    return session.write(FAMILIES[family], {"as_of": as_of.day}, rows.with_columns(day))


def compute_customer_features(session: Session, day: date) -> int:
    """Join and store the families' rows of the as-of day. Returns their number."""
    families = {family: session.read(FAMILIES[family], day, day) for family in FAMILY_TRAITS}
    return session.write(CUSTOMER_FEATURES, {"as_of": day}, customer_features(families, AsOf(day, {})))


def rows_with_a_planted_future(session: Session, as_of: AsOf, label: LabelSettings) -> pl.DataFrame:
    """The as-of day's wide rows, computed anew from tables into which later facts were planted.

    The planted facts stand in the query alone and are never written.
    """
    tables = planted_future(cleaned_tables(session, as_of), as_of)
    families = {family: family_rows(family, tables, as_of, label) for family in FAMILY_TRAITS}
    return session.collect(customer_features(families, as_of)).sort("customer_key")


def compute_summary(session: Session, day: date) -> pl.DataFrame:
    """Describe the as-of day's features, store the description and return it."""
    frame = session.frame(CUSTOMER_FEATURES, day, day).drop("as_of", "customer_key")
    described = summarise(frame) if frame.height else pl.DataFrame(schema=SUMMARY.schema).drop("as_of")
    session.write(SUMMARY, {"as_of": day}, described.with_columns(pl.lit(day).alias("as_of")))
    return described
