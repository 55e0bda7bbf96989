"""Personal data is sealed at the door: keys join, sealed cells open, the vault holds sound rows alone."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from customer_profiles.collection.refusals import shape
from customer_profiles.contracts import CONTRACTS, Delivered, Pii
from customer_profiles.contracts.columns import text

PERSON = {
    "full_name": "王芳",
    "birth_date": "1990-07-31",
    "email": "Fang@Example.com",
    "phone": "138 0013 8000",
}


def test_one_customer_has_one_key_in_every_table(shop) -> None:
    key = shop.keys.key("C1")
    for table, contract in CONTRACTS.items():
        if "customer_id" in contract.column_names():
            assert shop.one(table, customer_id=" Ｃ1 ")["customer_key"] == key
    edge = shop.one("social_edges")
    assert (edge["source_customer_key"], edge["target_customer_key"]) == (key, shop.keys.key("C2"))
    assert shop.one("partner_attributes")["identifier_key"] == key


def test_an_anonymous_id_and_a_link_to_it_have_one_key(shop) -> None:
    event = shop.one("events", anonymous_id="cookie 7")
    link = shop.one("identity_links", kind="cookie", identifier="cookie 7")
    assert event["anonymous_key"] == link["identifier_key"]


@pytest.mark.parametrize(
    ("kind", "identifier", "column"),
    [("email", "FANG@example.com ", "email_key"), ("Phone", "+86 138-0013-8000", "phone_key")],
)
def test_a_link_to_an_address_joins_the_customer_who_has_it(
    shop, kind: str, identifier: str, column: str
) -> None:
    customer = shop.one("customers", **PERSON)
    link = shop.one("identity_links", kind=kind, identifier=identifier)
    assert link["identifier_key"] == customer[column]


@pytest.mark.parametrize(("kind", "other"), [("cookie", "cookie"), ("phone", "email")])
def test_an_identifier_that_is_no_address_is_kept_as_it_is(shop, kind: str, other: str) -> None:
    assert shop.one("identity_links", kind=kind, identifier="ABC")["identifier_key"] == shop.keys.key("ABC")
    assert shop.one("identity_links", kind=other, identifier="x")["identifier_key"] == shop.keys.key("x")


@pytest.mark.parametrize(
    ("cell", "told"),
    [("王芳 1a", "aa 9a"), ("प्रिया", "aaaaaa"), ("Noël ½²Ⅷ", "aaaa 999"), ("x@y.z", "a@a.a")],
)
def test_a_shape_tells_no_letter_and_no_number_of_any_script(cell: str, told: str) -> None:
    assert shape(cell) == told


def test_spellings_of_one_address_have_one_key(shop, sound) -> None:
    shop.deliver(
        "customers",
        [
            sound("customers", email="a@b.cn", phone="13800138000"),
            sound("customers", email=" A@B.cn", phone="+86 138 0013 8000"),
        ],
    )
    rows = shop.receive("customers").rows
    assert rows["email_key"].n_unique() == rows["phone_key"].n_unique() == 1
    assert rows["email_key"].null_count() == 0


def test_no_cell_of_a_person_is_stored_in_clear(shop, sound) -> None:
    secrets = {**PERSON, "customer_id": "C-4711", "nickname": "芳芳"}
    shop.take("customers", [sound("customers", **secrets), sound("customers", **secrets, gender="外星人")])
    shop.take("texts", [sound("texts", customer_id="C-4711", body="call 138 0013 8000, 王芳", rating=9)])
    stored = "".join(
        shop.raw(table).with_columns(pl.col(pl.Binary).bin.encode("hex")).write_json()
        for table in ("customers", "texts")
    )
    for cell in ("王芳", "芳芳", "1990-07-31", "Fang", "fang", "13800138000", "0013 8000", "C-4711"):
        assert cell not in stored


def test_words_open_to_what_was_written(shop) -> None:
    search = shop.one("events", event_name="search", search_query=" red  shoes ")
    assert shop.open("events", search, "search_query", search["search_query_sealed"]) == "red  shoes"
    text = shop.one("texts", body="Ｗrong size…")
    assert shop.open("texts", text, "body", text["body_sealed"]) == "Ｗrong size…"


def test_unknown_columns_are_sealed_and_reported(shop, sound) -> None:
    shop.deliver("orders", [sound("orders", note="ring twice", source="till 4", row_number="77", _line="x")])
    received = shop.receive("orders")
    row = received.rows.row(0, named=True)
    assert received.unknown_columns == ("_line", "note", "row_number", "source")
    assert (row["row_number"], row["source"]) == (1, "orders/2026-03-03.ndjson")
    extra = json.loads(shop.open("orders", row, "extra", row["extra_sealed"]))
    assert extra == {"_line": "x", "note": "ring twice", "row_number": "77", "source": "till 4"}
    assert shop.load("orders").says.endswith(
        "unknown columns kept sealed: ['_line', 'note', 'row_number', 'source']"
    )


@pytest.mark.parametrize(
    "name", ["broken", "repairs", "delivered", "extra", "fingerprint", "closes_at", "a|b"]
)
def test_an_unknown_column_may_have_any_name(shop, sound, name: str) -> None:
    row = shop.one("orders", **{name: "hello"})
    assert (row["broken_rules"], row["repairs"]) == ([], [])
    assert json.loads(shop.open("orders", row, "extra", row["extra_sealed"])) == {name: "hello"}


def test_originals_of_broken_rows_open_to_the_delivered_cells(shop) -> None:
    delivered: dict[str, Any] = {"quantity": " １2.0", "amount_minor": "12元", "note": "ring twice"}
    row = shop.one("orders", **delivered)
    original = json.loads(shop.open("orders", row, "original", row["original_sealed"]))
    assert {name: original[name] for name in delivered} == delivered
    assert original["customer_id"] == "C1"


def test_the_vault_opens_to_the_person(shop, sound) -> None:
    shop.take("customers", [sound("customers", **PERSON)])
    assert shop.personal("customers") == {
        (1, "customer_id"): "C1",
        (1, "full_name"): "王芳",
        (1, "birth_date"): "1990-07-31",
        (1, "email"): "fang@example.com",
        (1, "phone"): "138 0013 8000",
    }


class Members(Delivered):
    """A table with personal data in columns of kinds that hold none in ours."""

    customer_id = text("who", key=True, pii=Pii.IDENTIFIER)
    full_name = text("the name", pii=Pii.VAULT)
    account = text("the account elsewhere", pii=Pii.SEALED)


def test_personal_data_of_any_table_is_sealed_or_in_the_vault(shop, monkeypatch) -> None:
    monkeypatch.setitem(CONTRACTS, "members", Members)
    shop.deliver("members", [{"customer_id": "C1", "full_name": "王芳", "account": " fang_7"}])
    received = shop.receive("members")
    row = received.rows.row(0, named=True)
    assert not {"customer_id", "full_name", "account"} & set(row)
    assert shop.open("members", row, "account", row["account_sealed"]) == "fang_7"
    assert row["account_length"] == 6
    assert received.personal.select("customer_key", "attribute").rows() == [
        (row["customer_key"], "full_name")
    ]


def test_rows_that_break_a_rule_are_not_in_the_vault(shop, sound) -> None:
    child = sound("customers", **PERSON | {"birth_date": "2015-01-01"})
    shop.take("customers", [child, sound("customers", customer_id="C2", full_name="李雷")])
    assert shop.personal("customers") == {(2, "customer_id"): "C2", (2, "full_name"): "李雷"}


def test_ids_of_buyers_are_in_the_vault_once(shop, sound) -> None:
    shop.take("orders", [sound("orders"), sound("orders", line_number="2"), sound("orders", quantity="0")])
    assert shop.personal("orders") == {(1, "customer_id"): "C1"}


def test_a_broken_row_keeps_no_words_in_clear_where_a_name_may_stand_in_the_wrong_column(shop) -> None:
    sound_row = shop.one("orders", category="shoes")
    broken = shop.one("orders", category="王芳", coupon_id="13800138000", quantity="0")
    assert sound_row["category"] == "shoes"
    assert broken["broken_rules"] == ["quantity_is_zero"]
    assert (broken["category"], broken["coupon_id"]) == (None, None)
    assert broken["original_sealed"] is not None


def hashed(text: str, secret: str | None = None) -> str:
    if secret:
        return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("identifier", "column"),
    [
        (hashed("fang@example.com"), "email_match_keys"),
        (hashed("fang@example.com").upper(), "email_match_keys"),
        (hashed("+8613800138000"), "phone_match_keys"),
        (hashed("8613800138000"), "phone_match_keys"),
        (hashed("fang@example.com", "agreed"), "email_match_keys"),
        (hashed("+8613800138000", "agreed"), "phone_match_keys"),
    ],
)
def test_a_partners_hash_joins_the_customer_whose_address_it_is_of(
    shop, identifier: str, column: str
) -> None:
    door = replace(shop.door, partner_secrets=(b"another", b"agreed"))
    customer = shop.one("customers", door=door, **PERSON)
    row = shop.one("partner_attributes", door=door, identifier=identifier)
    assert row["identifier_key"] in customer[column]
    other = shop.one("customers", door=door, email="b@c.cn", phone="13800138001")
    assert row["identifier_key"] not in other[column]


def test_no_hash_of_an_address_is_stored(shop, sound) -> None:
    shop.take(
        "customers", [sound("customers", **PERSON), sound("customers", customer_id="C2", email="no mail")]
    )
    shop.take("partner_attributes", [sound("partner_attributes", identifier=hashed("fang@example.com"))])
    stored = "".join(
        shop.raw(table).with_columns(pl.col(pl.Binary).bin.encode("hex")).write_json()
        for table in ("customers", "partner_attributes")
    )
    assert hashed("fang@example.com") not in stored
    assert hashed("+8613800138000") not in stored
    assert shop.raw("customers")["email_match_keys"].list.len().to_list() == [1, None]
