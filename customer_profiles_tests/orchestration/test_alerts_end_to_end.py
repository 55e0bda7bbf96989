"""The real sensors, ticked by Dagster's own daemon loop, against a real server that receives the alerts."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration

from customer_profiles.orchestration.destinations import URLS_VARIABLE
from customer_profiles.orchestration.instance import open_instance
from customer_profiles.quality import alerts
from customer_profiles.settings import HOME_VARIABLE

DEFINITIONS = LoadableTargetOrigin(
    executable_path=sys.executable, module_name="customer_profiles.definitions"
)
TICK_IN_A_PROCESS_OF_ITS_OWN = """
from customer_profiles_tests.orchestration.test_alerts_end_to_end import daemon
import sys
with daemon(sys.argv[1]) as tick:
    tick()
"""


@contextmanager
def daemon(home: str | Path, after: int = 0) -> Iterator[Callable[[], None]]:
    """A round of the daemon's sensors at each call, ten minutes after the round before; ``after`` so many."""
    rounds = count(after)
    location = InProcessCodeLocationOrigin(DEFINITIONS)
    with (
        open_instance(Path(home) / "instance") as instance,
        create_test_daemon_workspace_context(InProcessWorkspaceLoadTarget(location), instance) as workspace,
    ):

        def tick() -> None:
            with freeze_time(datetime.now(UTC) + timedelta(minutes=10 * next(rounds))):
                for trouble in execute_sensor_iteration(workspace, logging.getLogger("test"), None, None):
                    assert trouble is None
            ticks = {
                state.name: instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)[0]
                for state in instance.all_instigator_state()
            }
            assert set(ticks) == {"failure_alert", "late_day_alert"}
            assert {each.status.name for each in ticks.values()} == {"SKIPPED"}, ticks

        yield tick


class Receiver:
    """A webhook on 127.0.0.1. It can be down, and it can do something when a message arrives."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.then: Callable[[], None] = lambda: None
        receiver = self

        class Webhook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.messages.append(json.loads(body))
                receiver.then()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *said: Any) -> None:
                """Say nothing."""

        self._webhook = Webhook
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        self.port = self._server.server_address[1]
        self._server.server_close()  # down, but its port is known

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/alerts"

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._webhook)
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def home(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("CUSTOMER_PROFILES_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(URLS_VARIABLE, receiver.url)
    monkeypatch.setattr(alerts, "FIRST_WAIT", timedelta(0))
    return tmp_path


@pytest.fixture
def tick(home: Path) -> Iterator[Callable[[], None]]:
    with daemon(home) as tick:
        yield tick


def report_check(home: Path, day: str, *, passed: bool) -> None:
    with open_instance(home / "instance") as instance:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(["cleaned", "orders"]),
                check_name="contract_holds",
                passed=passed,
                description="3 rows break it: ask 13912345678 or 'Ouyang', ouyang@post.example",
                metadata={"value": 3, "threshold": 0, "day": day},
            )
        )


def test_an_alert_arrives_once_though_its_server_was_down(
    home: Path, tick: Callable[[], None], receiver: Receiver
) -> None:
    report_check(home, "2026-03-03", passed=False)
    for _ in range(3):
        tick()
    receiver.start()
    tick()
    tick()
    (message,) = receiver.messages
    assert message["title"] == "[ERROR] cleaned/orders: contract_holds failed on 2026-03-03"
    assert message["type"] == "failure"
    for line in (
        "value: 3; threshold: 0",
        "since: 2026-03-03, noticed ",
        "owner: team:data",
        "look: http://127.0.0.1:3000/assets/cleaned/orders?view=checks&checkDetail=contract_holds",
    ):
        assert line in message["message"]
    kept = b"".join(file.read_bytes() for file in (home / "alerts").iterdir())
    for word in ("13912345678", "Ouyang", "post.example"):
        assert word not in str(message)
        assert word.encode() not in kept

    report_check(home, "2026-03-04", passed=False)
    tick()
    assert len(receiver.messages) == 1
    report_check(home, "2026-03-05", passed=True)
    tick()
    tick()
    assert [each["title"] for each in receiver.messages[1:]] == [
        "[OK] recovered: cleaned/orders: contract_holds failed on 2 days from 2026-03-03 to 2026-03-04"
    ]


def test_an_alert_cut_off_between_sending_and_noting_it_comes_again_marked_as_a_repeat(
    home: Path, receiver: Receiver
) -> None:
    report_check(home, "2026-03-03", passed=False)
    killed: list[subprocess.Popen[bytes]] = []
    receiver.then = lambda: killed[0].send_signal(signal.SIGKILL) if len(receiver.messages) == 1 else None
    receiver.start()
    script = [sys.executable, "-W", "ignore", "-c", TICK_IN_A_PROCESS_OF_ITS_OWN, str(home)]
    killed.append(subprocess.Popen(script, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL))
    assert killed[0].wait() == -signal.SIGKILL
    with daemon(home, after=1) as tick:
        for _ in range(3):
            tick()
    first, second = (message["title"] for message in receiver.messages)
    assert second == f"{first} (repeat)"
    told = (home / "alerts" / f"{datetime.now(UTC):%Y-%m}.log").read_text()
    assert told.count("contract_holds failed on") == 1
