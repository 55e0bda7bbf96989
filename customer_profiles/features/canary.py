"""Facts that a profile must not know: planted into its query, they leave it as it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

import narwhals as nw

from customer_profiles.contracts.stored import stem
from customer_profiles.features.as_of import ARRIVAL, AsOf, Frame, Tables

SAMPLE = 1000
"""Newest rows of each table that are planted again, altered."""

RENAMED: Mapping[str, tuple[str, ...]] = {
    "social_edges": ("target_customer_key",),
    "identity_links": ("customer_key",),
    "partner_attributes": ("attribute",),
}
"""Names in the planted rows that are new, as all ids (``_id``) are, so that they are new facts."""

ALTERED: Mapping[str, Mapping[str, nw.Expr]] = {
    "customers": {
        "birth_year": nw.col("birth_year") - 20,
        "is_test": ~nw.col("is_test").fill_null(False),
        "gender": nw.lit("other"),
    },
    "consents": {
        "status": nw.when(nw.col("status") == "granted")
        .then(nw.lit("withdrawn"))
        .otherwise(nw.lit("granted"))
    },
    "partner_attributes": {"value": nw.lit("planted")},
    "orders": {
        "status": nw.lit("completed"),
        "amount_minor": nw.col("amount_minor").abs() + 77_777,
        "quantity": nw.col("quantity").abs() + 7,
    },
    "identity_links": {
        "method": nw.lit("login"),
        **{
            f"unlinked_{clock}": nw.when(nw.col("row_number") % 2 == 0).then(nw.col(f"linked_{clock}"))
            for clock in ("at", "day")
        },
    },
}
"""Values in the planted rows that are others: newer versions that would win if they were seen."""


def planted_future(tables: Tables, as_of: AsOf) -> dict[str, Frame]:
    """The tables with rows that lie beyond each of the two clocks of D.

    Of every table's newest rows known by D come two altered copies, under their own keys and under new ids
    and names (see ``RENAMED``): one that happened by D and was delivered the day after, one that claims to
    have been delivered on D and happened the day after. Nothing is written.
    """
    return {table: _planted(table, rows, as_of) for table, rows in tables.items()}


def _planted(table: str, rows: Frame, as_of: AsOf) -> Frame:
    known = rows.filter(nw.col("delivery_day") <= as_of.day)
    newest = known.sort(*ARRIVAL, descending=True).head(SAMPLE)
    altered = newest.with_columns(**ALTERED[table]) if table in ALTERED else newest
    types = rows.collect_schema()
    names = [*(name for name in types if name.endswith("_id")), *RENAMED.get(table, ())]
    renamed = [nw.concat_str([nw.col(name), nw.lit("-planted")]).alias(name) for name in names]
    copies = [altered, altered.with_columns(renamed)] if renamed else [altered]
    future = [beyond for copy in copies for beyond in (_told_late(copy, as_of), _happened_late(copy, as_of))]
    return nw.concat(
        [rows, *(copy.select(nw.col(name).cast(types[name]) for name in types) for copy in future)]
    )


def _told_late(rows: Frame, as_of: AsOf) -> Frame:
    return rows.with_columns(delivery_day=nw.lit(as_of.day + timedelta(days=1), dtype=nw.Date()))


def _happened_late(rows: Frame, as_of: AsOf) -> Frame:
    day = as_of.day + timedelta(days=1)
    noon = datetime.combine(day, time(12), UTC)
    moments = [name for name, dtype in rows.collect_schema().items() if dtype == nw.Datetime]
    return rows.with_columns(
        nw.lit(as_of.day, dtype=nw.Date()).alias("delivery_day"),
        *(nw.lit(noon, dtype=nw.Datetime("us", "UTC")).alias(name) for name in moments),
        *(nw.lit(as_of.number + 1, dtype=nw.Int32()).alias(f"{stem(name)}_day") for name in moments),
    )
