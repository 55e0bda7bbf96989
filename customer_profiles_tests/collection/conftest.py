"""A home with a ``sources.yaml``, and a real PostgreSQL server, for the tests of sources."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from xml.sax.saxutils import escape

import psycopg
import pymysql
import pytest

from customer_profiles.collection.door import Door, Received, receive
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.load import load_home
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal
from customer_profiles.settings import load_settings

PASSWORD = "geheim-5e1f"
MUST_RUN = "TESTS_NEED_DATABASES"
"""Set by ``.ci/run``: there a missing server is a failure, not a reason to skip."""
SERVERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
"""Where servers are installed, of which not every user's PATH knows."""
SHOP_OF_BERLIN = (
    "create database shop character set utf8mb4",
    f"create user shop@'%' identified by '{PASSWORD}'",
    "grant all on shop.* to shop@'%'",
    # Berlin: an hour ahead of UTC, on 2026-03-29 01:00 UTC two
    "insert into time_zone (Time_zone_id) values (1)",
    "insert into time_zone_name (Name, Time_zone_id) values ('Europe/Berlin', 1)",
    "insert into time_zone_transition_type values (1, 0, 3600, 0, 'CET'), (1, 1, 7200, 1, 'CEST')",
    "insert into time_zone_transition values (1, 1761440400, 0), (1, 1774746000, 1)",
)


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        return self.url_with(PASSWORD)

    def url_with(self, password: str) -> str:
        return f"postgresql+psycopg://shop:{password}@127.0.0.1:{self.port}/postgres"

    def execute(self, *statements: str) -> list[Any]:
        """Run statements; the rows of the last one."""
        where = f"host=127.0.0.1 port={self.port} user=shop password={PASSWORD} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            cursors = [connection.execute(statement) for statement in statements]
            return cursors[-1].fetchall() if cursors[-1].description else []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = _binaries()
    if binaries is None:
        _without("initdb", "postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    owner = _owner("postgres")
    (folder / "password").write_text(PASSWORD)
    if owner:
        shutil.chown(folder, owner)
        shutil.chown(folder / "password", owner)
    server = _start(binaries, folder, owner, port := _free_port())
    try:
        _ready(server, partial(Postgres(port).execute, "select 1"), psycopg.OperationalError)
        yield Postgres(port)
    finally:
        server.send_signal(signal.SIGINT)  # what SIGTERM begins waits for every client
        server.wait(30)
        shutil.rmtree(folder)


def _without(program: str, package: str) -> NoReturn:
    if os.environ.get(MUST_RUN):
        pytest.fail(f"no {program} on this machine: apt install {package}")
    pytest.skip(f"no server on this machine ({program} of {package} is not found)")


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else installed[-1].parent if installed else None


def _owner(name: str) -> str | None:
    """Whom a server runs as: as root it would not."""
    if os.geteuid():
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return next(each for each in (name, "nobody") if each in known)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _start(binaries: Path, folder: Path, owner: str | None, port: int) -> subprocess.Popen[bytes]:
    data = folder / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "shop", "--pwfile", folder / "password",
         "-A", "scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-sync"],
        user=owner, check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    return subprocess.Popen(
        [binaries / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"],
        user=owner, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip


def _ready(started: subprocess.Popen[bytes], ask: Callable[[], object], unreachable: type[Exception]) -> None:
    while started.poll() is None:
        try:
            ask()
        except unreachable:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the server ended with {started.returncode}: {started.args!r}")


@dataclass(frozen=True)
class MariaDB:
    """A running server. Of the zones that have names it knows Europe/Berlin alone."""

    port: int

    @property
    def url(self) -> str:
        return f"mysql+pymysql://shop:{PASSWORD}@127.0.0.1:{self.port}/shop"

    def execute(
        self, *statements: str, user: str = "shop", password: str = PASSWORD, base: str = "shop"
    ) -> None:
        with pymysql.connect(
            host="127.0.0.1", port=self.port, user=user, password=password, database=base, autocommit=True
        ) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    programs = [shutil.which(name, path=SERVERS) for name in ("mariadb-install-db", "mariadbd")]
    if None in programs:
        _without("mariadbd", "mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    owner = _owner("mysql")
    if owner:
        shutil.chown(folder, owner)
    said: dict[str, Any] = {
        "user": owner,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": folder,
    }
    data = [f"--datadir={folder / 'data'}"]
    subprocess.run(
        [programs[0], "--no-defaults", *data, "--skip-test-db", "--auth-root-authentication-method=normal"],
        check=True, **said,
    )  # fmt: skip
    server = MariaDB(_free_port())
    started = subprocess.Popen(
        [programs[1], "--no-defaults", *data, f"--port={server.port}", "--bind-address=127.0.0.1",
         f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", "--default-time-zone=-05:00"],
        **said,
    )  # fmt: skip
    try:
        prepare = partial(server.execute, *SHOP_OF_BERLIN, user="root", password="", base="mysql")
        _ready(started, prepare, pymysql.OperationalError)
        yield server
    finally:
        started.terminate()
        started.wait(30)
        shutil.rmtree(folder)


OWN_DAY = date(2026, 3, 3)
SEAL = Seal(b"k" * 32)


class OwnData:
    """A home with a ``sources.yaml``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def says(self, source: dict[str, Any] | list[dict[str, Any]], table: str = "orders") -> None:
        sources = source if isinstance(source, list) else [source]
        self.says_all({table: [{"kind": "files", **one} for one in sources]})

    def says_all(self, tables: dict[str, Any]) -> None:
        (self.folder / "sources.yaml").write_text(json.dumps({"tables": tables}, ensure_ascii=False))

    def put(self, name: str, content: str | bytes) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def home(self, **settings: Any) -> Home:
        settings = {"timezone": "UTC", "first_day": date(2026, 1, 1)} | settings
        return load_home(load_settings(self.folder, **settings), {})

    def door(self, **settings: Any) -> Door:
        home = self.home(**settings)
        limits = load_settings(self.folder).collection
        return Door(home, limits, Pseudonyms(b"s" * 32), SEAL)

    def receive(self, table: str = "orders", day: date = OWN_DAY, **settings: Any) -> Received:
        door = self.door(**settings)
        delivery = find_delivery(door.home, table, day)
        assert delivery is not None
        return receive(delivery, door)

    def rows(self, table: str = "orders", day: date = OWN_DAY, **settings: Any) -> list[dict[str, Any]]:
        return self.receive(table, day, **settings).rows.to_dicts()


@pytest.fixture
def own(tmp_path: Path) -> OwnData:
    return OwnData(tmp_path)


def workbook(file: Path, rows: list[list[str | float]], sheets: Sequence[str] = ("March",)) -> None:
    """The smallest workbook that Excel opens; its sheets are alike."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    kinds = "application/vnd.openxmlformats-package.relationships+xml"

    def cell(value: str | float) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        f'ContentType="{kinds}"/><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{sheet}" xmlns:r="{office}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r1"/>' for n, name in enumerate(sheets, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="sheet.xml"/></Relationships>',
        "xl/sheet.xml": f'<worksheet xmlns="{sheet}"><sheetData>{lines}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(file, "w") as book:
        for name, text in parts.items():
            book.writestr(name, f'<?xml version="1.0"?>{text}')
