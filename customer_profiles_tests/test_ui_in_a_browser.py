"""What a person sees in a browser: the asset graph, and the check that an alert's link leads to."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from urllib.request import urlopen

import dagster as dg
import pytest
from websockets.sync.client import ClientConnection, connect

from customer_profiles.definitions import ANCESTORS, build
from customer_profiles.orchestration.alerts import tell
from customer_profiles.orchestration.instance import open_instance
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.run import QUIET
from customer_profiles.settings import HOME_VARIABLE, load_settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120
DAY = "2026-01-01"
ORDERS = [(f"O{number}", "C1" if number == 1 else "C2") for number in range(1, 7)]
DELIVERIES = {
    "customers": "customer_id,updated_at\nC1,2026-01-01 09:00:00\n",
    "orders": "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency\n"
    + "".join(f"{o},1,{DAY} 12:00:00,{c},{DAY} 12:00:00,paid,1,9900,CNY\n" for o, c in ORDERS),
}
STORED = {dg.AssetKey([layer, table]) for layer in ("raw", "cleaned") for table in DELIVERIES}
CHECK = dg.AssetCheckKey(dg.AssetKey(["cleaned", "orders"]), "customers_are_known")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="chromium is not installed: apt install chromium"
)


class Page:
    """A page in Chromium, by its DevTools protocol (https://chromedevtools.github.io/devtools-protocol)."""

    def __init__(self, devtools: ClientConnection) -> None:
        self._socket = devtools
        self._numbers = count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE))
            if answer.get("id") == number:
                result: dict[str, Any] = answer["result"]
                return result

    def text(self) -> str:
        """What is to be read on the page."""
        found = self.call("Runtime.evaluate", expression="document.body ? document.body.innerText : ''")
        return str(found["result"].get("value", ""))

    def shows(self, url: str, *words: str) -> str:
        """Open a page, wait until all of the words are to be read on it, and return its text."""
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + PATIENCE
        while not all(word in (text := self.text()) for word in words):
            assert time.monotonic() < deadline, f"{[w for w in words if w not in text]} not in:\n{text}"
            time.sleep(0.2)
        return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(*command: str, **environment: str) -> Iterator[None]:
    """A program, until the block ends."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **environment}, **quiet) as program:  # type: ignore[call-overload]
        try:
            yield
        finally:
            program.terminate()


def wait_for(url: str) -> bytes:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(url) as answer:
                return bytes(answer.read())
        except OSError:
            assert time.monotonic() < deadline, f"nobody answers at {url}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert CHROMIUM, "chromium is needed under CI"
    port = free_port()
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000"]
    profile = f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"
    with running(*command, profile, f"--remote-debugging-port={port}", "about:blank"):
        wait_for(f"http://127.0.0.1:{port}/json/version")
        pages = json.loads(wait_for(f"http://127.0.0.1:{port}/json/list"))
        address = next(each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page")
        with connect(address, max_size=None) as devtools:
            yield Page(devtools)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of the UI of a home with a day of orders and customers, and the alert that the day made."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    for table, content in DELIVERIES.items():
        file = home / "deliveries" / table / f"{DAY}.csv"
        file.parent.mkdir(parents=True)
        file.write_text(content)
    settings = load_settings(home, alerts={"ui_url": f"http://127.0.0.1:{port}"})
    platform = Platform(settings, {})
    with ExitStack() as stack, open_instance(settings.instance) as instance:
        everything = build(settings, {"platform": platform}).resolve_implicit_global_asset_job_def()
        job = everything.get_subset(asset_selection=STORED, asset_check_selection={CHECK})
        job.execute_in_process(instance=instance, partition_key=DAY, run_config=QUIET)
        tell(settings, {}, instance, ANCESTORS)
        (told,) = (home / "alerts").glob("*.log")
        webserver = [sys.executable, "-W", "ignore", "-m", "dagster_webserver"]
        definitions = ["-m", "customer_profiles.definitions"]
        environment = {"DAGSTER_HOME": str(settings.instance), HOME_VARIABLE: str(home)}
        stack.enter_context(running(*webserver, "-p", str(port), *definitions, **environment))
        wait_for(f"http://127.0.0.1:{port}/server_info")
        yield f"http://127.0.0.1:{port}", told.read_text(encoding="utf-8")


def test_the_graph_shows_the_layers_from_deliveries_to_profiles(page: Page, ui: tuple[str, str]) -> None:
    address, _ = ui
    text = page.shows(f"{address}/asset-groups", "raw", "cleaned", "profiles")
    assert "Failed to load" not in text


def test_the_link_of_an_alert_opens_its_check(page: Page, ui: tuple[str, str]) -> None:
    _, alert = ui
    blocks = [block for block in alert.split("\n\n") if "cleaned/orders: customers_are_known" in block]
    (link,) = re.findall(r"^look: (\S+)$", blocks[0], flags=re.MULTILINE)
    text = page.shows(link, "customers_are_known", "5 of 6 rows (83.33%) name an unknown customer")
    assert "threshold" in text
