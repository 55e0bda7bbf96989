"""Keyed pseudonyms: the same identifier gives the same key, and no key gives back its identifier.

Customer ids, anonymous ids and link identifiers go through the one function, so that they join.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import polars as pl

from customer_profiles.privacy.keyed_hash import KeyedHash

KEY_CHARACTERS = 32
REMEMBERED = 1 << 18
"""Identifiers whose keys are kept at hand: most rows name somebody who was named shortly before."""


def normalise(identifier: str) -> str:
    """Unicode NFKC without surrounding space. Upper and lower case differ."""
    return unicodedata.normalize("NFKC", identifier).strip()


class Pseudonyms:
    """HMAC-SHA-256 (RFC 2104) of normalised identifiers, cut to 128 bits, as 32 hex characters."""

    def __init__(self, secret: bytes) -> None:
        self._hash = KeyedHash(secret)
        self._remembered = lru_cache(REMEMBERED)(self.key)

    def key(self, identifier: str) -> str:
        """Key of one identifier."""
        return self._hash.digest(normalise(identifier).encode()).hex()[:KEY_CHARACTERS]

    def keys(self, identifiers: pl.Series) -> pl.Series:
        """Keys of a column of identifiers, in its order; NULL stays NULL."""
        key = self._remembered
        keys = [None if identifier is None else key(identifier) for identifier in identifiers.to_list()]
        return pl.Series(identifiers.name, keys, dtype=pl.String)
