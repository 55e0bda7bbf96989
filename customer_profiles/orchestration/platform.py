"""The one resource of every asset and check: a home, with its warehouse, vault and secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property, lru_cache

from pydantic import ByteSize, TypeAdapter

from customer_profiles.collection.door import Door
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.load import FILE, load_home
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal
from customer_profiles.privacy.secrets import Secrets, load_partner_secrets, load_secrets
from customer_profiles.settings import Mendable, Settings
from customer_profiles.warehouse import Session, Warehouse

WORTH_A_THREAD, IN_MEMORY = 64_000_000, 1 / 4
"""Bytes of a warehouse from which on its queries take longer than they are built, and the share of the memory
limit up to which it fits into memory: its rows are stored compressed."""
ZONE_NOTE = "timezone"


class ZoneError(Mendable, ValueError):
    """Business time is not the one in which the home was written."""


class Platform:
    """A home and what works on it. Nothing is opened or read before it is asked for.

    ``progress`` is told the asset, how many of its days are done, and how many there are.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.settings = settings
        self.progress = progress or (lambda asset, done, days: None)
        self.variables = environ
        limits = settings.warehouse
        self._warehouse, self._vault = (
            Warehouse(
                file,
                memory_limit=limits.memory_limit,
                threads=limits.threads,
                lock_wait_seconds=limits.lock_wait_seconds,
            )
            for file in (settings.warehouse_file, settings.vault_file)
        )

    def require_order(self) -> None:
        """Refuse early what would make every step fail: a wrong secret or zone, a damaged or locked file.

        Raises ``SecretError``, ``ZoneError`` or ``WarehouseError``.
        """
        keep_zone(self.settings)
        load_secrets(self.settings.secrets, self.variables)
        load_partner_secrets(self.settings.collection.partner_hmac_variables, self.variables)
        with self.warehouse(), self.vault():
            return

    def warehouse(self) -> AbstractContextManager[Session]:
        """The warehouse, held while inside."""
        return self._warehouse.session()

    def vault(self) -> AbstractContextManager[Session]:
        """The vault, held while inside."""
        return self._vault.session()

    @property
    def days_at_once(self) -> int:
        """How many days' queries may run side by side.

        One, if the warehouse would not fit into memory. One too if it is tiny: days whose queries are built
        side by side wait for each other, and DuckDB binds what is built anew after each write of another.
        """
        limits, file = self.settings.warehouse, self.settings.warehouse_file
        most = TypeAdapter(ByteSize).validate_python(limits.memory_limit) * IN_MEMORY
        size = file.stat().st_size if file.exists() else 0
        return limits.threads if WORTH_A_THREAD <= size <= most else 1

    @cached_property
    def secrets(self) -> Secrets:
        """The home's secrets; made at first use."""
        return load_secrets(self.settings.secrets, self.variables)

    @cached_property
    def home(self) -> Home:
        """The home with the sources that its ``sources.yaml`` names; read at first use."""
        return load_home(self.settings, self.variables)

    @cached_property
    def door(self) -> Door:
        """The door through which the home's deliveries come."""
        keep_zone(self.settings)
        return Door(
            self.home,
            self.settings.collection,
            Pseudonyms(self.secrets.pseudonym),
            Seal(self.secrets.seal),
            load_partner_secrets(self.settings.collection.partner_hmac_variables, self.variables),
        )


def keep_zone(settings: Settings) -> None:
    """Note the business time of a home that is first written; raise ``ZoneError`` if it was another one."""
    require_zone(settings)
    if not _zone_written(settings):
        note = settings.home / ZONE_NOTE
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{settings.timezone}\n")


def require_zone(settings: Settings) -> None:
    """Raise ``ZoneError`` if a home was written in another business time: its rows hold days of that one."""
    written = _zone_written(settings)
    if written and written != settings.timezone:
        raise ZoneError(
            f"timezone is {settings.timezone}, but {settings.home} was written in {written}: the days and "
            f"hours of its rows would be of two zones. Say timezone: {written} in settings.yaml, or move "
            f"warehouse.duckdb, vault.duckdb, models/, published/, alerts/, instance/ and last_run.json away "
            f"and load everything anew"
        )


def _zone_written(settings: Settings) -> str:
    """The business time in which a home was written; nothing if it was not."""
    note = settings.home / ZONE_NOTE
    return note.read_text().strip() if note.is_file() and settings.warehouse_file.is_file() else ""


def mapping_of(settings: Settings) -> str:
    """The hash of ``sources.yaml`` as it stands now."""
    file = settings.home / FILE
    return hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest()[:16]


def watched_home(platform: Platform) -> Home:
    """The home for those who look every few minutes: the same as long as ``sources.yaml`` stays as it is.

    The platform's own keeps the sources that it first read. Who has looked puts the rows away, since this one
    lives for weeks.
    """
    return _home(platform, mapping_of(platform.settings))


@lru_cache(maxsize=1)
def _home(platform: Platform, mapping: str) -> Home:
    return load_home(platform.settings, platform.variables)
