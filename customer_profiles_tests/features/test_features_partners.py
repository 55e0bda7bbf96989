"""What partners tell reaches a profile only if listed, consented to, in force, and about one customer."""

import json
from datetime import date, timedelta

import narwhals as nw
import polars as pl
import pytest

from customer_profiles.features.identities import Owners, under_one_key
from customer_profiles.features.partners import partners

D = date(2026, 3, 31)
LISTED = ("income", "pets")
NOBODY = Owners(None, None)
"""No two ids are one customer."""


@pytest.fixture
def told(cleaned, evening, on_polars):
    """``told(customers, rows)``: per customer what stands in the profile of D."""

    def compute(
        customers: list[dict], *rows: dict, attributes=LISTED, day: date = D
    ) -> dict[str, dict | None]:
        people = [{"updated_day": D - timedelta(days=9), **customer} for customer in customers]
        tables = on_polars(cleaned(customers=people, partner_attributes=[about(**row) for row in rows]))
        found = partners(under_one_key(tables, NOBODY), evening(day=day), attributes)
        found = found.collect("polars").to_native()
        return {key: json.loads(text) if text else None for key, text in found.iter_rows()}

    return compute


def about(**changes) -> dict:
    return {
        "partner": "bank", "identifier_key": "a", "attribute": "income", "value": "high",
        "observed_day": D - timedelta(days=5), "consent_reference": "form 7",
        "delivery_day": D,
    } | changes  # fmt: skip


A, B = {"customer_key": "a"}, {"customer_key": "b"}


def test_listed_attributes_reach_the_profile_and_others_do_not(told) -> None:
    rows = [{}, {"attribute": "pets", "value": "cat"}, {"attribute": "religion", "value": "x"}]
    assert told([A, B], *rows) == {"a": {"income": "high", "pets": "cat"}, "b": None}
    assert told([A], *rows, attributes=()) == {"a": None}


def test_a_hash_finds_the_customer_whose_newest_address_it_is(told) -> None:
    old = {**A, "email_match_keys": ["old"], "updated_day": D - timedelta(days=9)}
    new = {**A, "email_match_keys": ["new", "n2"], "phone_match_keys": ["tel"], "updated_day": D}
    for identifier, found in [("n2", {"income": "high"}), ("tel", {"income": "high"}), ("old", None)]:
        assert told([old, new, B], {"identifier_key": identifier}) == {"a": found, "b": None}


def test_a_hash_that_two_customers_share_names_neither(told) -> None:
    shared = [{**A, "email_match_keys": ["e"]}, {**B, "email_match_keys": ["e"], "phone_match_keys": ["f"]}]
    assert told(shared, {"identifier_key": "e"}) == {"a": None, "b": None}
    assert told(shared, {"identifier_key": "f"}) == {"a": None, "b": {"income": "high"}}


def test_an_id_that_was_merged_names_the_customer_whose_it_is(cleaned, evening, on_polars) -> None:
    people = [{"customer_key": key, "updated_day": D} for key in ("a", "a2")]
    tables = on_polars(cleaned(customers=people, partner_attributes=[about(identifier_key="a2")]))
    merged = nw.from_native(pl.LazyFrame({"member_key": ["a2"], "profile_key": ["a"]}))
    rows = partners(under_one_key(tables, Owners(merged, None)), evening(), LISTED).collect("polars")
    assert rows.rows() == [("a", '{"income": "high"}')]


def test_a_hash_of_either_merged_ids_newest_address_names_the_customer(cleaned, evening, on_polars) -> None:
    old, new = {"updated_day": D - timedelta(days=9)}, {"updated_day": D}
    people = [
        {"customer_key": "a", "email_match_keys": ["e1"], **old},
        {"customer_key": "a2", "email_match_keys": ["gone"], **old},
        {"customer_key": "a2", "email_match_keys": ["e2"], **new},
    ]
    merged = nw.from_native(pl.LazyFrame({"member_key": ["a2"], "profile_key": ["a"]}))
    for identifier, found in (("e1", '{"income": "high"}'), ("e2", '{"income": "high"}'), ("gone", None)):
        tables = on_polars(cleaned(customers=people, partner_attributes=[about(identifier_key=identifier)]))
        rows = partners(under_one_key(tables, Owners(merged, None)), evening(), LISTED).collect("polars")
        assert rows.rows() == [("a", found)]


def test_nothing_without_a_consent_reference(told) -> None:
    assert told([A], {"consent_reference": None}) == {"a": None}


@pytest.mark.parametrize(("days", "lasts"), [(-1, False), (0, False), (1, True)])
def test_what_expires_is_gone_from_that_day_on(told, days: int, lasts: bool) -> None:
    row = {"expires_day": D + timedelta(days=days)}
    assert told([A], row) == {"a": {"income": "high"} if lasts else None}


def test_the_newest_observation_counts_and_an_expired_one_brings_no_older_one_back(told) -> None:
    older = {"value": "low", "observed_day": D - timedelta(days=8)}
    assert told([A], {}, older) == {"a": {"income": "high"}}
    assert told([A], {"expires_day": D}, older) == {"a": None}


def test_two_partners_agree_to_differ_the_newest_wins(told) -> None:
    other = {"partner": "panel", "value": "low", "observed_day": D - timedelta(days=4)}
    assert told([A], {}, other) == {"a": {"income": "low"}}


@pytest.mark.parametrize(
    "late", [{"observed_day": D + timedelta(days=1)}, {"delivery_day": D + timedelta(days=1)}]
)
def test_what_came_later_is_not_known_yet(told, late: dict) -> None:
    assert told([A], late) == {"a": None}


def test_any_words_make_sound_json(told) -> None:
    words = 'a "b" \\ c\n\t王芳 {$1}'
    name = 'fa"ve'
    row = {"attribute": name, "value": words}
    assert told([A], row, attributes=(name,)) == {"a": {name: words.replace("\n", " ").replace("\t", " ")}}


def test_the_trait_is_equal_on_duckdb(told, cleaned, evening, on_duckdb) -> None:
    people = [
        {**A, "updated_day": D, "email_match_keys": ["e"], "phone_match_keys": []},
        {**B, "updated_day": D, "email_match_keys": None, "phone_match_keys": ["p", "q"]},
    ]
    rows = [{"identifier_key": "e"}, {"identifier_key": "q", "value": 'x"\\y\n'}, {"attribute": "pets"}]
    tables = on_duckdb(cleaned(customers=people, partner_attributes=[about(**row) for row in rows]))
    found = partners(under_one_key(tables, NOBODY), evening(), LISTED).to_native().pl()
    expected = told(people, *rows)
    assert {key: json.loads(text) for key, text in found.iter_rows()} == expected
