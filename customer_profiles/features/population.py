"""Who has a profile on a day."""

from __future__ import annotations

import narwhals as nw

from customer_profiles.features.as_of import ARRIVAL, AsOf, Frame, Tables, known_by, newest

UNDERAGE = "customer_is_underage"
"""The rule of the contract for which a minor's row is quarantined."""


def population(tables: Tables, as_of: AsOf) -> Frame:
    """One row, ``customer_key``, per customer known by D.

    Those whom ``customers`` names, if it was ever delivered by D; else those who ordered or did
    something. Rows of underage customers were quarantined, and ``without_minors`` leaves out the others.
    """
    if as_of.has("customers"):
        named = known_by(tables["customers"], as_of, "updated_day").select("customer_key")
    else:
        ordered = known_by(tables["orders"], as_of, "ordered_day", "status_day").select("customer_key")
        acted = known_by(tables["events"], as_of, "event_day").select("customer_key")
        named = nw.concat([ordered, acted.filter(~nw.col("customer_key").is_null())])
    return named.group_by("customer_key").agg(rows=nw.len()).select("customer_key")


def without_minors(customers: Frame, received: Frame, as_of: AsOf) -> Frame:
    """``cleaned/customers`` without those whom their newest version known by D shows as minors.

    A minor's row is quarantined: without this, an earlier row that told no birth date, or another one,
    would go on making their profile. ``received`` is ``raw/customers``.
    """
    is_minor = nw.col("broken_rules").list.contains(UNDERAGE)
    told = known_by(received.filter(is_minor, ~nw.col("customer_key").is_null()), as_of, "updated_day")
    accepted = known_by(customers.join(told, on="customer_key", how="semi"), as_of, "updated_day")
    columns = ["customer_key", "updated_at", *ARRIVAL]
    both = [
        rows.select(*columns, nw.lit(minor).alias("minor"))
        for rows, minor in ((told, True), (accepted, False))
    ]
    minors = newest(nw.concat(both), ("customer_key",), "updated_at").filter(nw.col("minor"))
    return customers.join(minors, on="customer_key", how="anti")
