"""Which stored profiles models may learn from, and on which they are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from customer_profiles.collection.ledger import delivered
from customer_profiles.features.as_of import AsOf
from customer_profiles.features.identities import tied_together
from customer_profiles.features.snapshots import is_held_out, training_snapshots
from customer_profiles.features.tables import CUSTOMER_FEATURES, IDENTITIES
from customer_profiles.settings import LabelSettings
from customer_profiles.warehouse import Session


@dataclass(frozen=True)
class TrainingDays:
    """As-of days to learn from, ascending; the later one to judge on; the last day known by then."""

    train: tuple[date, ...]
    test: date
    known_through: date

    @property
    def all(self) -> tuple[date, ...]:
        """Train and test days, ascending."""
        return (*self.train, self.test)


def training_days(
    stored: list[date],
    deliveries: Mapping[str, frozenset[date]],
    label: LabelSettings,
    sources: Sequence[str] = ("orders",),
) -> TrainingDays | str:
    """Choose snapshots from the ``stored`` as-of days, or say in a sentence why there are too few.

    A snapshot counts only if the label's ``sources`` were delivered on every day from which it is
    told: where a delivery of orders is missing, who bought is unknown.
    """
    undelivered = [table for table in sources if not deliveries.get(table)]
    if undelivered or not stored:
        return f"No model yet: there are no {' and no '.join(undelivered) or 'profiles'} to learn from."
    first = min(min(days) for days in deliveries.values() if days)
    last = min(max(deliveries[table]) for table in sources)
    told = [day for day in stored if label_is_told(day, deliveries, label, sources)]
    snapshots = training_snapshots(told, first, last, label)
    if len(snapshots) < 2:
        window = label.gap_days + label.horizon_days
        enough = first + timedelta(days=label.smallest_history_days + 2 * window + label.maturity_days)
        return (
            f"No model yet: {'one as-of day has' if snapshots else 'no as-of day has'} a matured label "
            f"({' and '.join(sources)} delivered on each of its days), two are needed that lie "
            f"{window} days apart; deliveries from {first} to {max(enough, last)} would give them."
        )
    return TrainingDays(tuple(snapshots[:-1]), snapshots[-1], last)


def label_is_told(
    day: date,
    deliveries: Mapping[str, frozenset[date]],
    label: LabelSettings,
    sources: Sequence[str] = ("orders",),
) -> bool:
    """Whether all days were delivered from which the label of a profile as of ``day`` is told."""
    told_by = label.gap_days + label.horizon_days + label.maturity_days
    window = AsOf(day + timedelta(days=told_by), deliveries)
    return all(window.covers(table, told_by) for table in sources)


@dataclass(frozen=True)
class TrainingRows:
    """Feature rows that models may learn from, the days that they come from, and the data's versions."""

    rows: pl.DataFrame
    days: TrainingDays
    data: dict[str, str]


def training_rows(session: Session, label: LabelSettings, *, newest: bool = False) -> TrainingRows | str:
    """Rows of the training snapshots, or of the newest one; or a sentence that says why there are none.

    Eligible customers who are not held out: whoever judges a model is in none of them.
    """
    days = training_days(session.days(CUSTOMER_FEATURES), delivered(session), label)
    if isinstance(days, str):
        return days
    chosen = days.train[-1:] if newest else days.train
    frames = [session.frame(CUSTOMER_FEATURES, day, day) for day in chosen]
    rows = pl.concat(frame.filter(pl.col("eligible_for_scoring")) for frame in frames)
    held_out = who_never_trains(session, days, label.holdout_share)
    rows = rows.filter(~held_out(rows["customer_key"]))
    return TrainingRows(rows, days, data_versions(session, chosen))


def who_never_trains(session: Session, days: TrainingDays, share: float) -> Callable[[pl.Series], pl.Series]:
    """Tells for a series of keys who is held out, a customer as a whole.

    A customer's key can differ between snapshots, as ids turn out to be one customer or two. Keys that
    were one customer on any of the days are held out together: nobody trains under one key and is
    judged under another.
    """
    same = [session.frame(IDENTITIES, day, day, "member_key", "customer_key") for day in days.all]
    groups = tied_together(pl.concat(same).rename({"customer_key": "other_key"}))
    first = groups.select("member_key", pl.col("member_key").min().over("component").alias("first"))

    def held_out(keys: pl.Series) -> pl.Series:
        return is_held_out(keys.replace(first["member_key"], first["first"]), share)

    return held_out


def data_versions(session: Session, days: tuple[date, ...]) -> dict[str, str]:
    """For each as-of day a hash of its feature rows: equal only if all rows are."""
    return {str(day): session.day_hash(CUSTOMER_FEATURES, day) for day in days}
