"""Keyed pseudonyms: the same identifier gives the same key, and no key gives back its identifier.

Customer ids, anonymous ids and link identifiers go through the one function, so that they join.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import polars as pl
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

KEY_CHARACTERS = 32
REMEMBERED = 1 << 18
"""Identifiers whose keys are kept at hand: the pieces of a large file name the same ones again."""


def normalise(identifier: str) -> str:
    """Unicode NFKC without surrounding space. Upper and lower case differ."""
    return unicodedata.normalize("NFKC", identifier).strip()


class Pseudonyms:
    """HMAC-SHA-256 (RFC 2104) of normalised identifiers, cut to 128 bits, as 32 hex characters."""

    def __init__(self, secret: bytes) -> None:
        self._keyed = HMAC(secret, SHA256())
        self._remembered = lru_cache(REMEMBERED)(self.key)

    def key(self, identifier: str) -> str:
        """Key of one identifier."""
        keyed = self._keyed.copy()
        keyed.update(normalise(identifier).encode())
        return keyed.finalize().hex()[:KEY_CHARACTERS]

    def keys(self, identifiers: pl.Series) -> pl.Series:
        """Keys of a column of identifiers, in its order; NULL stays NULL."""
        unique = identifiers.drop_nulls().unique()
        keys = pl.Series([self._remembered(identifier) for identifier in unique], dtype=pl.String)
        return identifiers.replace_strict(unique, keys, default=None, return_dtype=pl.String)
