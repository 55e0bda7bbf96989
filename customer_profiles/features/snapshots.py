"""Which as-of days are computed and trained on, and which customers never train."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import polars as pl

from customer_profiles.settings import LabelSettings

HEX_DIGITS = 8


def training_snapshots(
    days: Iterable[date], first_day: date, last_day: date, label: LabelSettings
) -> list[date]:
    """As-of days to train, validate and test on, ascending, chosen from the available ``days``.

    The newest is the newest day D with a mature label: the label window ``[t0 + gap, t0 + gap +
    horizon)``, t0 = D + 1, and the days of maturity after it all lie within ``last_day``. Each
    earlier one is the newest available day at least gap + horizon before the next, so that its label
    window ends before the next profile closes. None lies within ``smallest_history_days`` of
    ``first_day``, the first day of which there is a delivery.
    """
    window = timedelta(days=label.gap_days + label.horizon_days)
    earliest = first_day + timedelta(days=label.smallest_history_days)
    latest = last_day - window - timedelta(days=label.maturity_days)
    chosen: list[date] = []
    for day in sorted(set(days), reverse=True):
        if earliest <= day <= latest:
            chosen.append(day)
            latest = day - window
    return chosen[::-1]


def days_to_compute(
    range_days: list[date], first_day: date, label: LabelSettings, recent_days: int
) -> list[date]:
    """As-of days of a range whose profiles are computed: its snapshots and its newest days, ascending.

    ``first_day`` is the first day of which there is a delivery.
    """
    if not range_days:
        return []
    snapshots = training_snapshots(range_days, first_day, max(range_days), label)
    return sorted({*snapshots, *sorted(range_days)[-recent_days:]})


def is_held_out(keys: pl.Series, share: float) -> pl.Series:
    """Whether each customer never trains: the lowest ``share`` of keys by their leading hex digits.

    Keys are HMACs, hence uniform: the same customers are held out in every run, whoever else is there.
    """
    leading = keys.str.slice(0, HEX_DIGITS).str.to_integer(base=16, dtype=pl.Int64)
    return leading < int(share * 16**HEX_DIGITS)
