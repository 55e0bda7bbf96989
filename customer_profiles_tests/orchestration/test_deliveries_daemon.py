"""The sensor of deliveries, ticked by Dagster's own daemon loop: every state of a day is queued once."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration

from customer_profiles.orchestration.instance import open_instance
from customer_profiles.settings import HOME_VARIABLE

DEFINITIONS = LoadableTargetOrigin(
    executable_path=sys.executable, module_name="customer_profiles.definitions"
)
HEADER = "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency\n"
ROW = "o1,1,2026-01-01 10:00:00,C1,2026-01-01 10:00:00,paid,1,100,CNY\n"


@pytest.fixture
def queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Let the daemon tick once, a minute after the tick before; the days of all runs that it queued."""
    for name in [name for name in os.environ if name.startswith("CUSTOMER_PROFILES_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    (tmp_path / "deliveries" / "orders").mkdir(parents=True)
    minutes = count()
    target = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(DEFINITIONS))
    with (
        open_instance(tmp_path / "instance") as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        (location,) = workspace.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        instance.start_sensor(repository.get_sensor("deliveries_sensor"))

        def tick() -> list[str]:
            with freeze_time(datetime.now(UTC) + timedelta(minutes=next(minutes))):
                for trouble in execute_sensor_iteration(workspace, logging.getLogger("test"), None, None):
                    assert trouble is None
            return [run.tags["dagster/partition"] for run in reversed(instance.get_runs())]

        yield tick


def test_new_growing_and_renamed_files_are_queued_once_each(
    queued: Callable[[], list[str]], tmp_path: Path
) -> None:
    orders = tmp_path / "deliveries" / "orders"
    (orders / "2026-01-01.csv").write_text(HEADER + ROW)
    assert [queued(), queued(), queued()] == [[], ["2026-01-01"], ["2026-01-01"]]
    growing = orders / "2026-01-02.csv"
    growing.write_text(HEADER)
    for _ in range(2):
        with growing.open("a") as file:
            file.write(ROW)
        assert queued() == ["2026-01-01"]
    sent = orders / "2026-01-03.csv.part"
    sent.write_text(HEADER + ROW)
    assert queued() == ["2026-01-01", "2026-01-02"]
    sent.rename(orders / "2026-01-03.csv")
    assert queued() == ["2026-01-01", "2026-01-02"]
    assert queued() == queued() == ["2026-01-01", "2026-01-02", "2026-01-03"]
