"""The fate of every raw row of a delivery: accepted, repaired, quarantined or duplicate.

Narwhals expressions, so that they run in the warehouse's engine and on tiny frames alike.

1. A row that equals, cell by cell, an earlier row of its day that was loaded with it is a duplicate.
2. A row that breaks a rule is quarantined, so that a broken copy never displaces a good row.
3. Of the rest, the last row of a key stands; the ones before it are duplicates.
4. A row of a table without versions whose key arrived in an earlier delivery is a duplicate.
5. What stands is repaired if the door mended it, else accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from customer_profiles.contracts.stored import ROW_PLACE

Rows = nw.LazyFrame[Any]


def quarantined(raw: Rows) -> Rows:
    """The raw rows that break a rule."""
    return raw.filter(~nw.col("exact_copy"), nw.col("broken_rules").list.len() > 0)


def standing(raw: Rows, key: Sequence[str]) -> Rows:
    """The valid rows of deliveries, without duplicates within each.

    Only rows of repeated keys are put in order: few are, and ordering all takes twice as long.
    """
    sound, same = _sound(raw), ["delivery_day", *key]
    repeated = sound.group_by(same).agg(rows=nw.len()).filter(nw.col("rows") > 1).select(same)
    once = sound.join(repeated, on=same, how="anti")
    often = sound.join(repeated, on=same, how="semi")
    return nw.concat([once, often.unique(same, keep="last", order_by=["source", "row_number"])])


def displaced(raw: Rows, key: Sequence[str]) -> Rows:
    """Per delivery day: its valid rows, and those of them that a later row of their key displaces.

    Rows of a key that are all the same displace none: they came twice, as a late file and one of the day.
    """
    rows, said = nw.col("rows"), nw.col("fingerprint")
    per_key = (
        _sound(raw)
        .group_by("delivery_day", *key)
        .agg(rows=nw.len(), differ=(said.min() != said.max()).cast(nw.Int64))
    )
    return per_key.group_by("delivery_day").agg(
        rows.sum().cast(nw.Int64),
        (nw.col("differ") * (rows - 1)).sum().cast(nw.Int64).alias("displaced"),
    )


def first_arrivals(rows: Rows, key: Sequence[str], arrived: Rows, *, days: int) -> Rows:
    """Of rows that stand in the deliveries of so many ``days``, those whose key came in no earlier one.

    ``arrived`` holds the key columns of deliveries before these.
    """
    first = rows.unique(list(key), keep="first", order_by=["delivery_day"]) if days > 1 else rows
    return first.join(arrived, on=list(key), how="anti")


def duplicates(raw: Rows, cleaned: Rows, key: Sequence[str], *, versioned: bool) -> Rows:
    """The raw rows that say again what another row says.

    Told by the twin: an exact copy, or a sound row that is not stored while its key is, in the same
    delivery or (unless ``versioned``) an earlier one. A row that was lost has no twin and is not here.
    """
    columns = [*ROW_PLACE, *key]
    copies = raw.filter(nw.col("exact_copy")).select(columns)
    absent = _absent(raw, cleaned, key)
    if versioned:
        twins = absent.join(cleaned.select("delivery_day", *key), on=["delivery_day", *key], how="semi")
    else:
        arrived = cleaned.select(nw.col("delivery_day").alias("arrived"), *key)
        twins = absent.join(arrived, on=list(key)).filter(nw.col("arrived") <= nw.col("delivery_day"))
        # until days run again, a key can stand on two of them
        twins = twins.select(columns).unique(list(ROW_PLACE))
    return nw.concat([copies, twins.select(columns)])


def without_twin(raw: Rows, cleaned: Rows, key: Sequence[str]) -> Rows:
    """The sound raw rows that are not stored although their key did not arrive by their day."""
    first = cleaned.group_by(*key).agg(nw.col("delivery_day").min().alias("arrived"))
    return (
        _absent(raw, cleaned, key)
        .join(first, on=list(key), how="left")
        .filter(nw.col("arrived").is_null() | (nw.col("arrived") > nw.col("delivery_day")))
    )


def _absent(raw: Rows, cleaned: Rows, key: Sequence[str]) -> Rows:
    """Place and key of the sound raw rows that are not stored."""
    sound = _sound(raw).select(*ROW_PLACE, *key)
    return sound.join(cleaned.select(ROW_PLACE), on=list(ROW_PLACE), how="anti")


def _sound(raw: Rows) -> Rows:
    return raw.filter(~nw.col("exact_copy"), nw.col("broken_rules").list.len() == 0)
