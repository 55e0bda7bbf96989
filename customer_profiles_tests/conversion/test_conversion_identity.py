"""Merged customers in training: labels as the snapshot knows them, and nobody on both sides of the split."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.conversion.labels import converted
from customer_profiles.features.compute import under_profile_keys
from customer_profiles.features.snapshots import is_held_out
from customer_profiles.features.tables import IDENTITIES
from customer_profiles.features.training import TrainingDays, who_never_trains
from customer_profiles.settings import LabelSettings
from customer_profiles.warehouse import Session, Warehouse

EARLY, LATE = date(2026, 1, 10), date(2026, 2, 10)
LABEL = LabelSettings(horizon_days=5, maturity_days=2)
KEPT, MERGED, ALONE = "f" * 32, "0" * 32, "1" * 32


def merge(session: Session, day: date, member: str, customer: str) -> None:
    """Store that on a day one customer id's profile stands under another's key."""
    row = {"as_of": day, "member_key": member, "customer_key": customer, "kind": "cookie"}
    row |= {"identifier_key": "i", "method": "login", "linked_at": datetime(2026, 1, 1, tzinfo=UTC)}
    rows = pl.DataFrame([row], schema_overrides=IDENTITIES.schema)
    rows = rows.with_columns(
        pl.lit(None, IDENTITIES.schema[name]).alias(name) for name in ("events_from", "events_until")
    )
    session.write(IDENTITIES, {"as_of": day}, rows)


def order(session: Session, customer: str, day: date) -> None:
    """Store a paid order."""
    number = (day - date(1970, 1, 1)).days
    told = {"order_id": customer, "line_number": 1, "customer_key": customer, "status": "paid"}
    told |= {"ordered_day": number, "status_day": number, "amount_minor": 100, "quantity": 1}
    told |= {"status_at": datetime(day.year, day.month, day.day, tzinfo=UTC), "row_number": 1, "repairs": []}
    told |= {"delivery_day": day, "source": customer}
    schema = CLEANED["orders"].schema
    rows = pl.DataFrame([{name: told.get(name) for name in schema}], schema=schema)
    session.write(CLEANED["orders"], {"delivery_day": day}, rows)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Warehouse(tmp_path / "warehouse.duckdb").session() as opened:
        yield opened


def buyers(session: Session, day: date) -> set[str]:
    tables = under_profile_keys(session, {"orders": session.read(CLEANED["orders"])}, day)
    return set(session.collect(converted(tables["orders"], day, LABEL))["customer_key"])


def test_an_order_under_either_id_is_the_customers_if_they_were_one_by_the_snapshot(session: Session) -> None:
    order(session, MERGED, EARLY + timedelta(days=3))
    merge(session, EARLY, MERGED, KEPT)
    assert buyers(session, EARLY) == {KEPT}


def test_who_turns_out_later_to_be_one_customer_is_two_in_an_earlier_label(session: Session) -> None:
    order(session, MERGED, EARLY + timedelta(days=3))
    merge(session, EARLY + timedelta(days=1), MERGED, KEPT)
    assert buyers(session, EARLY) == {MERGED}


@pytest.mark.parametrize("day", [EARLY, LATE])
def test_ids_that_were_ever_one_customer_are_held_out_together(session: Session, day: date) -> None:
    keys = pl.Series([KEPT, MERGED, ALONE])
    assert is_held_out(keys, 0.5).to_list() == [False, True, True]
    merge(session, day, MERGED, KEPT)
    held_out = who_never_trains(session, TrainingDays((EARLY,), LATE, LATE), 0.5)
    assert held_out(keys).to_list() == [True, True, True]


def test_a_chain_of_merges_over_several_days_is_held_out_as_one(session: Session) -> None:
    merge(session, EARLY, KEPT, "8" * 32)
    merge(session, LATE, "8" * 32, MERGED)
    held_out = who_never_trains(session, TrainingDays((EARLY,), LATE, LATE), 0.2)
    assert held_out(pl.Series([KEPT, "8" * 32, MERGED, "9" * 32])).to_list() == [True, True, True, False]


def test_without_merges_everybody_stands_for_themselves(session: Session) -> None:
    held_out = who_never_trains(session, TrainingDays((EARLY,), LATE, LATE), 0.2)
    assert held_out(pl.Series([KEPT, MERGED, ALONE])).to_list() == [False, True, True]
