"""What every contract says, and what is stored by it."""

from __future__ import annotations

import pytest

from customer_profiles.collection.parsing import PARSERS
from customer_profiles.contracts import CONTRACTS, Delivered, Pii
from customer_profiles.contracts.columns import calendar_date, columns_of
from customer_profiles.contracts.stored import (
    cleaned_columns,
    delivered_columns,
    key_columns,
    raw_columns,
    required_columns,
)

REQUIRED = {
    "customers": "customer_id updated_at",
    "consents": "customer_id purpose effective_at status",
    "products": "product_id valid_from name category",
    "events": "event_id event_at event_name channel",
    "orders": "order_id line_number status_at customer_id ordered_at status quantity amount_minor currency",
    "texts": "text_id customer_id kind created_at body",
    "social_edges": "source_customer_id target_customer_id kind created_at",
    "campaign_contacts": "campaign_id customer_id contacted_at arm randomised channel",
    "partner_attributes": "partner identifier attribute observed_at value",
    "identity_links": "kind identifier customer_id linked_at method",
}
KEYS = {
    "customers": "customer_key updated_at",
    "consents": "customer_key purpose effective_at",
    "products": "product_id valid_from",
    "events": "event_id",
    "orders": "order_id line_number status_at",
    "texts": "text_id",
    "social_edges": "source_customer_key target_customer_key kind created_at",
    "campaign_contacts": "campaign_id customer_key contacted_at",
    "partner_attributes": "partner identifier_key attribute observed_at",
    "identity_links": "kind identifier_key customer_key linked_at",
}
PERSONAL = {
    *("full_name", "birth_date", "email", "phone", "search_query", "body"),
    *("customer_id", "anonymous_id", "identifier", "source_customer_id", "target_customer_id"),
}
TABLES = pytest.mark.parametrize("table", list(CONTRACTS))


def test_the_delivered_tables_are_those_agreed() -> None:
    assert list(CONTRACTS) == list(REQUIRED)


@TABLES
def test_required_columns_and_keys_are_those_agreed(table: str) -> None:
    assert list(required_columns(table)) == REQUIRED[table].split()
    assert list(key_columns(table)) == KEYS[table].split()


@TABLES
def test_every_column_is_described_and_can_be_parsed(table: str) -> None:
    columns = columns_of(CONTRACTS[table])
    for name in delivered_columns(table):
        assert columns[name].description
        assert (columns[name].metadata or {})["kind"] in PARSERS


@TABLES
def test_no_personal_column_is_stored_under_its_own_name(table: str) -> None:
    columns = columns_of(CONTRACTS[table])
    personal = {name for name in delivered_columns(table) if columns[name].metadata["pii"] is not Pii.NONE}
    stored = {column.name for column in (*raw_columns(table), *cleaned_columns(table))}
    assert stored & personal == set()


def test_personal_data_that_nothing_seals_is_no_column(monkeypatch) -> None:
    class Weddings(Delivered):
        """No table of ours."""

        married_on = calendar_date("the day", pii=Pii.SEALED)

    monkeypatch.setitem(CONTRACTS, "weddings", Weddings)
    with pytest.raises(TypeError, match=r"Weddings.married_on: nothing here seals a date of class sealed"):
        cleaned_columns("weddings")


def test_personal_columns_are_classed_as_such() -> None:
    classed = {
        name
        for table, contract in CONTRACTS.items()
        for name in delivered_columns(table)
        if (columns_of(contract)[name].metadata or {})["pii"] is not Pii.NONE
    }
    assert classed == PERSONAL


@TABLES
def test_cleaned_rows_promise_what_raw_rows_only_hold(table: str) -> None:
    raw = {column.name: column for column in raw_columns(table)}
    for column in cleaned_columns(table):
        assert raw[column.name].dtype == column.dtype
    promised = {column.name for column in cleaned_columns(table) if not column.nullable}
    assert {*KEYS[table].split(), "delivery_day", "source", "row_number", "repairs"} <= promised


@TABLES
def test_every_moment_has_its_business_day(table: str) -> None:
    stored = {column.name for column in cleaned_columns(table)}
    moments = [name for name in delivered_columns(table) if name.endswith("_at")]
    assert {f"{name.removesuffix('_at')}_day" for name in moments} <= stored


def test_only_what_happens_once_counts_once() -> None:
    once = [table for table, contract in CONTRACTS.items() if not contract.VERSIONED]
    assert once == ["events", "texts"]
