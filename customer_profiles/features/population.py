"""Who has a profile on a day."""

from __future__ import annotations

import narwhals as nw

from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by


def population(tables: Tables, as_of: AsOf) -> Frame:
    """One row, ``customer_key``, per customer known by D.

    Those whom ``customers`` names, if it was ever delivered by D; else those who ordered or did
    something. Underage customers were quarantined before and are in neither.
    """
    if as_of.has("customers"):
        named = known_by(tables["customers"], as_of, "updated_day").select("customer_key")
    else:
        ordered = known_by(tables["orders"], as_of, "ordered_day", "status_day").select("customer_key")
        acted = known_by(tables["events"], as_of, "event_day").select("customer_key")
        named = nw.concat([ordered, acted.filter(~nw.col("customer_key").is_null())])
    return named.group_by("customer_key").agg(rows=nw.len()).select("customer_key")
