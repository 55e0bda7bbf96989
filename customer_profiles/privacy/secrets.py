"""The two secrets of a home: one makes pseudonyms, the other seals.

They come from the environment, or are made at first use and kept in the home's ``secrets/`` folder
with mode 0600. A home remembers the fingerprint of the secrets with which it was written, so that
a wrong one is refused before a single row is stored under keys that join with nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from customer_profiles.settings import Mendable

PSEUDONYM_VARIABLE = "CUSTOMER_PROFILES_PSEUDONYM_SECRET"
SEAL_VARIABLE = "CUSTOMER_PROFILES_VAULT_KEY"
DEMO_PSEUDONYM_SECRET = b"DEMO SECRET, never for customers"
DEMO_VAULT_KEY = b"DEMO VAULT KEY, never for people"
FINGERPRINT_FILE = "fingerprint"
LENGTH = 32


class SecretError(Mendable, ValueError):
    """A secret is malformed, or not the one with which the home was written."""


@dataclass(frozen=True)
class Secrets:
    """``pseudonym`` keys the HMAC of identifiers, ``seal`` is the AES-256 key. 32 bytes each."""

    pseudonym: bytes = field(repr=False)
    seal: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Tells two pairs of secrets apart without telling the secrets."""
        return hmac.new(self.pseudonym + self.seal, b"fingerprint", hashlib.sha256).hexdigest()[:16]

    @property
    def are_the_demo(self) -> bool:
        """Whether these are the published secrets of the demo."""
        return self.pseudonym == DEMO_PSEUDONYM_SECRET or self.seal == DEMO_VAULT_KEY


def load_secrets(folder: Path, environ: Mapping[str, str]) -> Secrets:
    """Secrets of the home whose ``secrets/`` folder this is; made there at first use.

    Raises ``SecretError`` if one is malformed, gone, or not the one with which the home was written.
    """
    is_new = not (folder / FINGERPRINT_FILE).exists()
    loaded = Secrets(
        pseudonym=_secret(folder / "pseudonym.secret", PSEUDONYM_VARIABLE, environ, may_make=is_new),
        seal=_secret(folder / "vault.key", SEAL_VARIABLE, environ, may_make=is_new),
    )
    written = _read_or_create(folder / FINGERPRINT_FILE, loaded.fingerprint.encode()).decode()
    if written != loaded.fingerprint:
        raise SecretError(
            f"the pseudonym secret or the vault key is not the one with which {folder.parent} was written "
            f"(fingerprint {loaded.fingerprint}, expected {written}): customers would get other keys. "
            f"Put the old secrets back into {folder}, or into {PSEUDONYM_VARIABLE} and {SEAL_VARIABLE}."
        )
    return loaded


def load_partner_secrets(variables: Sequence[str], environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """The secrets agreed with partners, from the environment variables that hold them, as written.

    Raises ``SecretError`` that names the variables that are not set.
    """
    if missing := [name for name in variables if not environ.get(name)]:
        raise SecretError(
            f"collection.partner_hmac_variables names {', '.join(missing)}, which the environment does not "
            f"hold; set it to the secret agreed with the partner"
        )
    return tuple(environ[name].encode() for name in variables)


def write_demo_secrets(folder: Path) -> None:
    """Give a new home the published demo secrets, so that two clones make equal keys."""
    _read_or_create(folder / "pseudonym.secret", base64.b64encode(DEMO_PSEUDONYM_SECRET))
    _read_or_create(folder / "vault.key", base64.b64encode(DEMO_VAULT_KEY))


def _secret(file: Path, variable: str, environ: Mapping[str, str], *, may_make: bool) -> bytes:
    if variable in environ:
        return _decoded(environ[variable].encode(), variable)
    if not may_make and not file.exists():
        raise SecretError(
            f"{file} is gone, with which the home was written: put it back, or into {variable} if it came "
            f"from there"
        )
    return _decoded(_read_or_create(file, base64.b64encode(secrets.token_bytes(LENGTH))), str(file))


def _decoded(text: bytes, place: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretError(f"{place} is not base64; make one with: openssl rand -base64 {LENGTH}") from error
    if len(secret) != LENGTH:
        raise SecretError(
            f"{place} holds {len(secret)} bytes, not {LENGTH}; make one with: openssl rand -base64 {LENGTH}"
        )
    return secret


def _read_or_create(file: Path, content: bytes) -> bytes:
    """Content of the file; created whole with mode 0600 if absent, also when two processes race."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        try:
            os.link(draft, file)  # unlike a rename, a link never replaces the winner's file
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_bytes()
