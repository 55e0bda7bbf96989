import base64
import stat
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from customer_profiles.privacy.pseudonyms import KEY_CHARACTERS, Pseudonyms
from customer_profiles.privacy.sealing import Seal, SealError, place_of, places_of
from customer_profiles.privacy.secrets import (
    PSEUDONYM_VARIABLE,
    SEAL_VARIABLE,
    SecretError,
    load_partner_secrets,
    load_secrets,
    write_demo_secrets,
)

KEYS = Pseudonyms(b"s" * 32)
SEAL = Seal(b"k" * 32)
PLACE = place_of("texts", "2026-01-05", "texts/2026-01-05.csv", 7, "body")


def test_spellings_of_one_identifier_have_one_key() -> None:
    assert KEYS.key(" Ｃ１２ ") == KEYS.key("C12")
    assert KEYS.key("C12") != KEYS.key("c12")


def test_keys_depend_on_the_secret_and_do_not_hold_the_identifier() -> None:
    key = KEYS.key("C12")
    assert key != Pseudonyms(b"t" * 32).key("C12")
    assert len(key) == KEY_CHARACTERS
    assert "C12" not in key


def test_a_column_of_identifiers_keeps_its_order_and_its_gaps() -> None:
    keys = KEYS.keys(pl.Series(["b", None, "a", "b"]))
    assert keys.to_list() == [KEYS.key("b"), None, KEYS.key("a"), KEYS.key("b")]


def test_what_is_sealed_opens_at_its_place_alone() -> None:
    sealed = SEAL.seal("退货太慢", PLACE)
    assert "退货太慢".encode() not in sealed
    assert SEAL.open(sealed, PLACE) == "退货太慢"
    with pytest.raises(SealError, match="does not open"):
        SEAL.open(sealed, PLACE.replace("/7/", "/8/"))
    with pytest.raises(SealError, match="does not open"):
        Seal(b"x" * 32).open(sealed, PLACE)


def test_sealing_again_gives_equal_bytes_and_equal_words_elsewhere_other_bytes() -> None:
    assert SEAL.seal("red shoes", PLACE) == SEAL.seal("red shoes", PLACE)
    elsewhere = place_of("texts", "2026-01-05", "texts/2026-01-05.csv", 8, "body")
    assert SEAL.seal("red shoes", PLACE)[12:] != SEAL.seal("red shoes", elsewhere)[12:]


def test_keys_and_seals_stay_as_homes_have_stored_them() -> None:
    assert KEYS.key("C1") == "a01bdb1668678fc1a2b1b54dc1d88e07"
    assert SEAL.seal("red shoes", "a/b/c").hex() == (
        "4a7f750f0ec63e82fb242648e21bf3b09380898806326789717a7972948624ba67702d372e"
    )


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    made = load_secrets(tmp_path / "secrets", {})
    assert load_secrets(tmp_path / "secrets", {}) == made
    for name in ("pseudonym.secret", "vault.key"):
        assert stat.S_IMODE((tmp_path / "secrets" / name).stat().st_mode) == 0o600
    assert load_secrets(tmp_path / "other", {}) != made
    assert "pseudonym" not in repr(made)


def test_secrets_come_from_the_environment(tmp_path: Path) -> None:
    environ = {
        PSEUDONYM_VARIABLE: base64.b64encode(b"p" * 32).decode(),
        SEAL_VARIABLE: base64.b64encode(b"v" * 32).decode(),
    }
    assert load_secrets(tmp_path, environ).pseudonym == b"p" * 32
    assert not (tmp_path / "vault.key").exists()


def test_another_secret_than_the_home_was_written_with_is_refused(tmp_path: Path) -> None:
    load_secrets(tmp_path, {})
    with pytest.raises(SecretError, match="not the one with which"):
        load_secrets(tmp_path, {SEAL_VARIABLE: base64.b64encode(b"v" * 32).decode()})


def test_a_secret_that_is_gone_is_named_and_none_is_made_in_its_place(tmp_path: Path) -> None:
    load_secrets(tmp_path, {})
    (tmp_path / "vault.key").unlink()
    with pytest.raises(SecretError, match=rf"vault.key is gone.*{SEAL_VARIABLE}"):
        load_secrets(tmp_path, {})
    assert not (tmp_path / "vault.key").exists()


@pytest.mark.parametrize(("wrong", "says"), [("not base64!", "is not base64"), ("YWJj", "holds 3 bytes")])
def test_a_malformed_secret_is_named_with_how_to_make_one(tmp_path: Path, wrong: str, says: str) -> None:
    with pytest.raises(SecretError, match=f"{SEAL_VARIABLE} {says}.*openssl rand"):
        load_secrets(tmp_path, {SEAL_VARIABLE: wrong})


def test_two_demo_homes_make_equal_keys(tmp_path: Path) -> None:
    for home in ("one", "two"):
        write_demo_secrets(tmp_path / home)
    one, two = (load_secrets(tmp_path / home, {}) for home in ("one", "two"))
    assert one == two
    assert one.are_the_demo
    assert b"DEMO" in one.pseudonym


def test_secrets_agreed_with_partners_come_from_the_environment_alone() -> None:
    assert load_partner_secrets(["BANK", "PANEL"], {"BANK": "a b", "PANEL": "键"}) == (b"a b", "键".encode())
    with pytest.raises(SecretError, match="names PANEL, which the environment does not hold"):
        load_partner_secrets(["BANK", "PANEL"], {"BANK": "a b", "PANEL": ""})


def test_places_of_a_column_are_those_of_its_cells() -> None:
    rows = pl.DataFrame(
        {"delivery_day": [date(2026, 1, 5)] * 2, "source": ["texts/a{}.csv", "é"], "row_number": [7, 10_000]}
    )
    places = rows.select(body=places_of("texts", pl.lit("body")), each=places_of("texts", pl.col("source")))
    assert places["body"].to_list() == [place_of("texts", *row, "body") for row in rows.iter_rows()]
    assert places["each"].to_list() == [place_of("texts", *row, row[1]) for row in rows.iter_rows()]
