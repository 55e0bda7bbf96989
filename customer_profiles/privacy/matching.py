"""Hashes of addresses, by which a partner names a customer without telling the address.

Partner and platform normalise an address alike (e-mail: lower case; phone: E.164, with or without its +)
and hash it: SHA-256, or HMAC-SHA-256 under a secret that both agreed on, as hex. A plain hash of a phone
number is undone by trying all numbers, so no hash is stored either: it becomes a keyed pseudonym, once
where a customer's address passes the door and once where a partner's row does, and the two join.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import polars as pl

from customer_profiles.privacy.pseudonyms import Pseudonyms

HASH = r"^[0-9A-Fa-f]{64}$"
"""What 256 bits look like in hex. Upper and lower case are the same hash."""


def hashes_of(address: str, secrets: Sequence[bytes]) -> list[str]:
    """Every hash by which a partner may name a normalised address: plain, and under each secret."""
    forms = dict.fromkeys((address.encode(), address.removeprefix("+").encode()))
    plain = [hashlib.sha256(form).hexdigest() for form in forms]
    agreed = [hmac.new(secret, form, hashlib.sha256).hexdigest() for secret in secrets for form in forms]
    return [*plain, *agreed]


def match_keys(addresses: pl.Series, pseudonyms: Pseudonyms, secrets: Sequence[bytes]) -> pl.Series:
    """Pseudonyms of the hashes of each normalised address: lists, in its order; NULL stays NULL."""
    keys = [
        None if address is None else [pseudonyms.key(found) for found in hashes_of(address, secrets)]
        for address in addresses
    ]
    return pl.Series(keys, dtype=pl.List(pl.String))
