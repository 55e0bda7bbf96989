"""HMAC-SHA-256 (RFC 2104) of many short messages under one key."""

from __future__ import annotations

from hashlib import sha256

BLOCK_BYTES = 64
INNER, OUTER = 0x36, 0x5C


class KeyedHash:
    """The hash under one key.

    The two states that the key alone determines are made once, as section 4 of the RFC advises:
    ``hmac.digest`` makes them for every message, which takes longer than hashing a short one.
    """

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= BLOCK_BYTES else sha256(key).digest()).ljust(BLOCK_BYTES, b"\0")
        self._inner, self._outer = (sha256(bytes(byte ^ pad for byte in block)) for pad in (INNER, OUTER))

    def digest(self, message: bytes) -> bytes:
        """The 32 bytes of a message."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()
