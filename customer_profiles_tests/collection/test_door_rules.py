"""Every rule of the contracts, on one row that breaks it and one that just does not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from customer_profiles.collection.rules import circumstances
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import delivered_columns, required_columns

DAY = date(2026, 3, 3)
HAPPENED = [(table, column) for table, contract in CONTRACTS.items() for column in contract.HAPPENED]


@pytest.mark.parametrize("table", list(CONTRACTS))
def test_a_sound_row_breaks_no_rule_and_needs_no_repair(shop, table: str) -> None:
    row = shop.one(table)
    assert (row["broken_rules"], row["repairs"], row["original_sealed"]) == ([], [], None)


@pytest.mark.parametrize("table", list(CONTRACTS))
def test_a_required_value_that_is_absent_breaks_its_rule(shop, sound, table: str) -> None:
    absent = [(name, cell) for name in required_columns(table) for cell in (None, "", "  ", "NULL")]
    shop.deliver(table, [sound(table, **{name: cell}) for name, cell in absent])
    broken = shop.receive(table).rows["broken_rules"].to_list()
    assert broken == [[f"{name}|required"] for name, _ in absent]


BAD_MOMENTS = {
    "0000-00-00": "impossible_date",
    "0000-00-00 00:00:00": "impossible_date",
    "9999-12-31": "impossible_date",
    "9999-12-31T23:59:59Z": "impossible_date",
    "1899-12-31 12:00:00": "impossible_date",
    "2026-02-30": "unparsable",
    "03/03/2026": "unparsable",
    "yesterday": "unparsable",
    "2026-03-03 25:00:00": "unparsable",
}


@pytest.mark.parametrize("table", list(CONTRACTS))
def test_an_impossible_or_unreadable_moment_breaks_its_rule_alone(shop, sound, table: str) -> None:
    moments = [name for name in delivered_columns(table) if name.endswith(("_at", "_from"))]
    bad = [(name, cell) for name in moments for cell in BAD_MOMENTS]
    shop.deliver(table, [sound(table, **{name: cell}) for name, cell in bad])
    broken = shop.receive(table).rows["broken_rules"].to_list()
    assert broken == [[f"{name}|{BAD_MOMENTS[cell]}"] for name, cell in bad]


@pytest.mark.parametrize("cell", ["0000-00-00", "9999-12-31"])
def test_an_impossible_birth_date_breaks_its_rule(shop, cell: str) -> None:
    broken = shop.one("customers", birth_date=cell)["broken_rules"]
    assert "birth_date|impossible_date" in broken


@pytest.mark.parametrize("cell", ["1990-13-01", "1.3.1990", "1990-01-01 or so", "1990-01-01x"])
def test_an_unreadable_birth_date_breaks_its_rule(shop, cell: str) -> None:
    assert shop.one("customers", birth_date=cell)["broken_rules"] == ["birth_date|unparsable"]


FUTURE = {
    "2026-03-04 00:05:00": [],
    "2026-03-04 00:05:01": ["event_in_future"],
    "2026-03-03T16:05:00Z": [],
    "2026-03-03T16:05:01Z": ["event_in_future"],
}


@pytest.mark.parametrize(("table", "column"), HAPPENED)
def test_what_happened_cannot_lie_over_five_minutes_past_the_days_end(
    shop, sound, table: str, column: str
) -> None:
    shop.deliver(table, [sound(table, **{column: cell}) for cell in FUTURE])
    assert shop.receive(table).rows["broken_rules"].to_list() == list(FUTURE.values())


def test_the_days_end_is_that_of_business_time(shop) -> None:
    berlin = shop.door_with("Europe/Berlin")
    assert shop.one("events", door=berlin, event_at="2026-03-03T23:05:00Z")["broken_rules"] == []
    late = shop.one("events", door=berlin, event_at="2026-03-03T23:05:01Z")
    assert late["broken_rules"] == ["event_in_future"]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("consents", "effective_at"),
        ("consents", "expires_at"),
        ("products", "valid_from"),
        ("partner_attributes", "expires_at"),
    ],
)
def test_what_is_announced_can_lie_in_the_future(shop, table: str, column: str) -> None:
    assert shop.one(table, **{column: "2027-01-01"})["broken_rules"] == []


RULES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "negative amount": ("orders", {"amount_minor": "-1"}, ["negative_but_not_returned"]),
    "negative quantity": ("orders", {"quantity": "-1"}, ["negative_but_not_returned"]),
    "negative but returned": ("orders", {"status": "returned", "quantity": "-1", "amount_minor": "-9"}, []),
    "zero quantity": ("orders", {"quantity": "0"}, ["quantity_is_zero"]),
    "zero quantity, returned": ("orders", {"status": "returned", "quantity": "0"}, ["quantity_is_zero"]),
    "a free line": ("orders", {"amount_minor": "0"}, []),
    "amount not a number": ("orders", {"amount_minor": "NaN"}, ["amount_minor|non_finite"]),
    "infinite amount": ("orders", {"amount_minor": "-inf"}, ["amount_minor|non_finite"]),
    "infinite, returned": (
        "orders",
        {"status": "returned", "amount_minor": "inf"},
        ["amount_minor|non_finite"],
    ),
    "infinite quantity": ("orders", {"quantity": "Infinity"}, ["quantity|non_finite"]),
    "amount with a fraction": ("orders", {"amount_minor": "12.5"}, ["amount_minor|unparsable"]),
    "amount with a unit": ("orders", {"amount_minor": "99元"}, ["amount_minor|unparsable"]),
    "amount too large": ("orders", {"amount_minor": "9" * 20}, ["amount_minor|unparsable"]),
    "amount of which no sum could be stored": (
        "orders",
        {"amount_minor": str(2**63 - 1)},
        ["amount_minor|out_of_range"],
    ),
    "as much, given back": (
        "orders",
        {"status": "returned", "amount_minor": str(-(2**63))},
        ["amount_minor|out_of_range"],
    ),
    "as many pieces": ("orders", {"quantity": str(2**63 - 1)}, ["quantity|out_of_range"]),
    "as large a discount": ("orders", {"discount_minor": str(2**63 - 1)}, ["discount_minor|out_of_range"]),
    "negative discount": ("orders", {"discount_minor": "-1"}, ["discount_minor|out_of_range"]),
    "negative refund": ("orders", {"refunded_minor": "-1"}, ["refunded_minor|out_of_range"]),
    "unknown status": ("orders", {"status": "vanished"}, ["status|unparsable"]),
    "a currency's name": ("orders", {"currency": "Euro"}, ["currency|unparsable"]),
    "a currency's sign": ("orders", {"currency": "€"}, ["currency|unparsable"]),
    "two rules": ("orders", {"quantity": "0", "currency": ""}, ["currency|required", "quantity_is_zero"]),
    "three rules": (
        "orders",
        {"ordered_at": "0000-00-00", "amount_minor": "x", "customer_id": None},
        ["amount_minor|unparsable", "customer_id|required", "ordered_at|impossible_date"],
    ),
    "unknown channel": ("events", {"channel": "pigeon"}, ["channel|unparsable"]),
    "negative dwell": ("events", {"dwell_ms": "-1"}, ["dwell_ms|out_of_range"]),
    "nothing into the cart": ("events", {"quantity": "0"}, ["quantity|out_of_range"]),
    "nobody did it": ("events", {"customer_id": None}, ["somebody_did_it"]),
    "a cookie did it": ("events", {"customer_id": None, "anonymous_id": "abc"}, []),
    "no stars": ("texts", {"rating": 0}, ["rating|out_of_range"]),
    "one star": ("texts", {"rating": 1}, []),
    "five stars": ("texts", {"rating": 5}, []),
    "six stars": ("texts", {"rating": 6}, ["rating|out_of_range"]),
    "a friend of oneself": ("social_edges", {"target_customer_id": "C1"}, ["tie_to_oneself"]),
    "infinite weight": ("social_edges", {"weight": "1e400"}, ["weight|non_finite"]),
    "weight in words": ("social_edges", {"weight": "heavy"}, ["weight|unparsable"]),
    "negative weight": ("social_edges", {"weight": "-0.1"}, ["weight|out_of_range"]),
    "chance over one": (
        "campaign_contacts",
        {"assignment_probability": "1.01"},
        ["assignment_probability|out_of_range"],
    ),
    "randomised without its chance": (
        "campaign_contacts",
        {"randomised": "true"},
        ["assignment_probability_absent"],
    ),
    "randomised with its chance": (
        "campaign_contacts",
        {"randomised": "是", "assignment_probability": "0.5"},
        [],
    ),
    "no consent reference": (
        "partner_attributes",
        {"consent_reference": None},
        ["consent_reference_absent"],
    ),
    "unknown purpose": ("consents", {"purpose": "world domination"}, ["purpose|unparsable"]),
    "unknown decision": ("consents", {"status": "maybe"}, ["status|unparsable"]),
    "negative price": ("products", {"list_price_minor": "-1"}, ["list_price_minor|out_of_range"]),
    "unknown method": ("identity_links", {"method": "telepathy"}, ["method|unparsable"]),
    "flag that is none": ("customers", {"is_test": "perhaps"}, ["is_test|unparsable"]),
}


@pytest.mark.parametrize("claim", list(RULES))
def test_a_row_breaks_exactly_its_rules(shop, claim: str) -> None:
    table, cells, rules = RULES[claim]
    assert shop.one(table, **cells)["broken_rules"] == rules


@pytest.mark.parametrize(
    ("born", "broken"),
    [
        ("2008-03-03", []),
        ("2008-03-04", ["customer_is_underage"]),
        ("2008-03-02", []),
        ("2020-01-01", ["customer_is_underage"]),
        (None, []),
    ],
)
def test_eighteen_on_the_delivery_day_is_of_age_and_unknown_age_stays(
    shop, born: str | None, broken: list[str]
) -> None:
    assert shop.one("customers", birth_date=born)["broken_rules"] == broken


@pytest.mark.parametrize(
    ("day", "age", "adult_born_by"),
    [
        (date(2026, 2, 28), 18, date(2008, 2, 28)),
        (date(2028, 2, 29), 18, date(2010, 2, 28)),
        (date(2028, 2, 29), 20, date(2008, 2, 29)),
        (date(2026, 3, 31), 16, date(2010, 3, 31)),
    ],
)
def test_the_latest_birth_date_of_age_knows_leap_years(day: date, age: int, adult_born_by: date) -> None:
    found = circumstances([day], "Asia/Shanghai", age, 5)
    assert found["adult_born_by"].item() == adult_born_by


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 10, 24), DAY])
def test_the_tolerance_is_as_long_in_a_night_in_which_clocks_change(day: date) -> None:
    none, three_hours = (
        circumstances([day], "Europe/Berlin", 18, minutes)["closes_at"].item() for minutes in (0, 180)
    )
    assert three_hours - none == timedelta(hours=3)


def test_minimum_age_and_tolerance_are_settings(shop) -> None:
    strict = shop.door_with(minimum_age=21, future_tolerance_minutes=0)
    assert shop.one("customers", door=strict, birth_date="2005-03-04")["broken_rules"] == [
        "customer_is_underage"
    ]
    assert shop.one("events", door=strict, event_at="2026-03-04 00:00:01")["broken_rules"] == [
        "event_in_future"
    ]


def test_test_customers_are_kept_and_flagged(shop, sound) -> None:
    rows = [sound("customers", is_test="是"), sound("customers", customer_id="C2", is_test="no")]
    assert shop.take("customers", rows)["is_test"].to_list() == [True, False]


REPAIRS: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[str]]] = {
    "full-width digits": ("orders", {"quantity": "１２"}, {"quantity": 12}, ["quantity|normalised"]),
    "whole written with a point": (
        "orders",
        {"quantity": "12.0"},
        {"quantity": 12},
        ["quantity|decimal_to_whole"],
    ),
    "surrounding space": ("orders", {"currency": " CNY\t"}, {"currency": "CNY"}, ["currency|normalised"]),
    "a name that is no code": ("orders", {"currency": "RMB"}, {"currency": "CNY"}, ["currency|iso_code"]),
    "small letters": ("orders", {"currency": "eur"}, {"currency": "EUR"}, ["currency|upper_cased"]),
    "full-width date": (
        "orders",
        {"ordered_at": "２０２６-03-03 12:00:00"},
        {"ordered_at": datetime(2026, 3, 3, 4, tzinfo=UTC)},
        ["ordered_at|normalised"],
    ),
    "unknown event": (
        "events",
        {"event_name": "teleport"},
        {"event_name": "other"},
        ["event_name|unknown_value"],
    ),
    "unknown gender": ("customers", {"gender": "外星人"}, {"gender": "unknown"}, ["gender|unknown_value"]),
    "known gender": ("customers", {"gender": "女"}, {"gender": "female"}, []),
    "value in capitals": ("consents", {"status": "GRANTED"}, {"status": "granted"}, []),
    "plus sign": ("orders", {"quantity": "+3"}, {"quantity": 3}, []),
    "no phone": ("customers", {"phone": "call me"}, {"phone_key": None}, ["phone|not_a_number"]),
    "no e-mail": ("customers", {"email": "at home"}, {"email_key": None}, ["email|not_an_address"]),
    "e-mail in capitals": ("customers", {"email": "A@B.CN"}, {}, ["email|lower_cased"]),
}  # fmt: skip


@pytest.mark.parametrize("claim", list(REPAIRS))
def test_what_can_be_mended_is_mended_and_named(shop, claim: str) -> None:
    table, cells, means, repairs = REPAIRS[claim]
    row = shop.one(table, **cells)
    assert row["broken_rules"] == []
    assert row["repairs"] == repairs
    assert {name: row[name] for name in means} == means
