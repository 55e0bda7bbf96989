"""What tests of several rooms share: the command line, and a shop with small deliveries."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from absl.logging import get_absl_handler

from customer_profiles import cli
from customer_profiles.cleaning.clean import clean_days, row_fates
from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.daily import TableDay, before_run, load_days_from
from customer_profiles.collection.door import Door, Received, receive
from customer_profiles.collection.ledger import ledger, record_days
from customer_profiles.collection.loading import Loaded, load_day
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.tables import PERSONAL, RAW
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal, place_of
from customer_profiles.settings import CollectionSettings
from customer_profiles.warehouse import Warehouse


@dataclass(frozen=True)
class Said:
    """What a command came to: its exit code, what it printed, and what it printed as errors."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]

# Dagster sets logging up anew in each run, which closes all handlers. That of absl (TensorFlow's) closes its
# stream too, unless that is stderr at the moment; what pytest captures into is not, while a command runs.
get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(scope="session")
def command() -> Command:
    """``command("run", "--home", home)``: ``customer-profiles run --home HOME``, in this process."""

    def call(*arguments: object) -> Said:
        out, err, code = StringIO(), StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith("CUSTOMER_PROFILES_")]:
                patch.delenv(name)
            patch.setenv("COLUMNS", "200")
            patch.setenv("TERM", "xterm")  # on a dumb one rich takes 80 columns for given
            patch.setattr(sys, "argv", ["customer-profiles", *map(str, arguments)])
            try:
                cli.main()
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else int(left.code is not None)
        return Said(code, out.getvalue(), err.getvalue())

    return call


DAY = date(2026, 3, 3)
NOON = "2026-03-03 12:00:00"
SOUND: dict[str, dict[str, Any]] = {
    "customers": {"customer_id": "C1", "updated_at": NOON},
    "consents": {
        "customer_id": "C1",
        "purpose": "profiling",
        "effective_at": NOON,
        "status": "granted",
    },
    "products": {"product_id": "P1", "valid_from": NOON, "name": "red shoes", "category": "shoes"},
    "events": {
        "event_id": "E1",
        "event_at": NOON,
        "event_name": "page_view",
        "channel": "web",
        "customer_id": "C1",
    },
    "orders": {
        "order_id": "O1",
        "line_number": "1",
        "status_at": NOON,
        "customer_id": "C1",
        "ordered_at": NOON,
        "status": "paid",
        "quantity": "2",
        "amount_minor": "9900",
        "currency": "CNY",
    },
    "texts": {
        "text_id": "T1",
        "customer_id": "C1",
        "kind": "review",
        "created_at": NOON,
        "body": "fast and friendly",
    },
    "social_edges": {
        "source_customer_id": "C1",
        "target_customer_id": "C2",
        "kind": "friend",
        "created_at": NOON,
    },
    "campaign_contacts": {
        "campaign_id": "spring",
        "customer_id": "C1",
        "contacted_at": NOON,
        "arm": "control",
        "randomised": "false",
        "channel": "email",
    },
    "partner_attributes": {
        "partner": "bank",
        "identifier": "C1",
        "attribute": "income",
        "observed_at": NOON,
        "value": "high",
        "consent_reference": "form 12",
    },
    "identity_links": {
        "kind": "cookie",
        "identifier": "abc",
        "customer_id": "C1",
        "linked_at": NOON,
        "method": "login",
    },
}
"""One row of each table that keeps every rule."""

Content = str | bytes | pl.DataFrame | list[Mapping[str, Any]]


class Shop:
    """A home: deliveries go in, the door and the cleaning are at hand, warehouse and vault are open."""

    def __init__(self, home: Path, open_files: ExitStack) -> None:
        self.deliveries = home / "deliveries"
        self.keys = Pseudonyms(b"s" * 32)
        self.seal = Seal(b"k" * 32)
        self._home, self._files = home, open_files
        self.door = self.door_with()

    def door_with(self, timezone: str = "Asia/Shanghai", **settings: Any) -> Door:
        limits = CollectionSettings(**settings)
        home = Home(self.deliveries.parent, timezone, DAY, limits.longest_line_bytes)
        return Door(home, limits, self.keys, self.seal)

    @property
    def warehouse(self) -> Any:
        return self._session("warehouse")

    @property
    def vault(self) -> Any:
        return self._session("vault")

    def _session(self, name: str) -> Any:
        if name not in self.__dict__.setdefault("_open", {}):
            session = Warehouse(self._home / f"{name}.duckdb").session()
            self._open[name] = self._files.enter_context(session)
        return self._open[name]

    def close(self) -> None:
        """Let another process, or a command, open the files."""
        self._files.close()
        self.__dict__.pop("_open", None)

    def deliver(self, table: str, content: Content, *, day: date = DAY, form: str = "csv") -> Path:
        """Write a delivery; a list of rows becomes NDJSON, a frame becomes Parquet."""
        form = {list: "ndjson", pl.DataFrame: "parquet"}.get(type(content), form)
        file = self.deliveries / table / f"{day}.{form}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(file)
        elif isinstance(content, bytes):
            file.write_bytes(content)
        else:
            lines = content if isinstance(content, str) else "\n".join(map(json.dumps, content))
            file.write_bytes(lines.encode())
        return file

    def receive(self, table: str, *, day: date = DAY, door: Door | None = None, **more: Any) -> Received:
        door = door or self.door
        delivery = find_delivery(door.home, table, day)
        assert delivery is not None
        return receive(delivery, door, **more)

    def one(self, table: str, *, door: Door | None = None, **cells: Any) -> dict[str, Any]:
        """What the door makes of one sound row with these cells changed."""
        self.deliver(table, [SOUND[table] | cells])
        return self.receive(table, door=door).rows.row(0, named=True)

    def load(self, table: str, *, day: date = DAY, rebuild: bool = False) -> Loaded:
        known = ledger(self.warehouse, table, day, day)
        return load_day(self.warehouse, self.vault, self.door, table, day, known=known, rebuild=rebuild)

    def run(self, table: str, *days: date, rebuild: bool = False) -> dict[date, TableDay]:
        """What a run over the days makes of a table's deliveries; they are cleaned too."""
        before = before_run(self.warehouse, table, list(days), rebuild=rebuild)
        ran: dict[date, TableDay] = {}
        for day in days:
            if day not in ran:
                ran |= load_days_from(self.warehouse, self.vault, self.door, before, day)
            clean_days(self.warehouse, table, [day])
        record_days(self.warehouse, table, ran)
        return ran

    def take(self, table: str, content: Content, *, day: date = DAY) -> pl.DataFrame:
        """Deliver, load and clean; the cleaned rows of the day."""
        self.deliver(table, content, day=day)
        self.load(table, day=day)
        return self.clean(table, day=day)

    def clean(self, table: str, *, day: date = DAY) -> pl.DataFrame:
        clean_days(self.warehouse, table, [day])
        return self.warehouse.frame(CLEANED[table], day, day)

    def raw(self, table: str, *, day: date = DAY) -> pl.DataFrame:
        return self.warehouse.frame(RAW[table], day, day)

    def personal(self, table: str, *, day: date = DAY) -> dict[tuple[int, str], str]:
        """What the vault holds of a delivery: (row, column) -> the opened cell."""
        rows = self.vault.frame(PERSONAL, day, day).filter(table_name=table)
        return {
            (row["row_number"], row["attribute"]): self.open(table, row, row["attribute"], row["sealed"], day)
            for row in rows.iter_rows(named=True)
        }

    def open(self, table: str, row: Mapping[str, Any], column: str, sealed: bytes, day: date = DAY) -> str:
        return self.seal.open(sealed, place_of(table, day, row["source"], row["row_number"], column))

    def fates(self, table: str, first: date = DAY, last: date = DAY) -> list[dict[str, Any]]:
        return row_fates(self.warehouse, table, first, last).to_dicts()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as files:
        yield Shop(tmp_path, files)


@pytest.fixture(scope="session")
def open_shop() -> Callable[[Path, ExitStack], Shop]:
    """``open_shop(home, files)``: a shop whose files ``files`` closes; for homes that outlive a test."""
    return Shop


@pytest.fixture(scope="session")
def sound() -> Callable[..., dict[str, Any]]:
    """``sound(table, **changes)``: a row that keeps every rule, with some cells changed."""
    return lambda table, **changes: SOUND[table] | changes
