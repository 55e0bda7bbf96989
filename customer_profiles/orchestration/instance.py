"""The Dagster instance of a home: its folder, and the slots that killed runs left taken."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from sqlalchemy.exc import SQLAlchemyError

from customer_profiles.orchestration.event_log import open_with_kept_engines
from customer_profiles.settings import Mendable

TEMPLATE = Path(__file__).with_name("dagster.yaml")
PROCESS_TAG, ENDED_TAG = "customer_profiles/process", "customer_profiles/ended"
GONE = "its process is gone: it was killed, or the machine went down; run the day again"
NEARLY_NOTHING = 1_000_000
"""Bytes left on a disk that counts as full."""
UNFINISHED = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]


class InstanceError(Mendable, RuntimeError):
    """The Dagster instance cannot be read or written. The message says what to do."""


def prepare_instance(folder: Path) -> Path:
    """The instance folder, with the ``dagster.yaml`` beside this module put there if it has none."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        shutil.copyfile(TEMPLATE, folder / "dagster.yaml")
    return folder


@contextmanager
def open_instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The home's Dagster instance.

    Raises ``InstanceError`` if its files cannot be read or written: a full disk meets them first.
    """
    try:
        with open_with_kept_engines(prepare_instance(folder)) as instance:
            yield instance
    except (SQLAlchemyError, OSError) as error:
        there = next(place for place in folder.parents if place.exists())
        free = shutil.disk_usage(there).free
        full = f"the disk of {there} is full ({free:,} bytes left): free some space"
        reason = str(error).splitlines()[0]
        other = f"{folder} cannot be read and written ({reason}): look at the disk and its rights"
        raise InstanceError(
            f"{full if free < NEARLY_NOTHING else other}, then run again; what was stored before stays"
        ) from error


def noting_process(resource: object) -> dg.ResourceDefinition:
    """A resource that lets each run which asks for it name the process that it runs in."""

    def give(context: dg.InitResourceContext) -> object:
        if context.run and context.instance:
            context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: str(os.getpid())})
        return resource

    return dg.ResourceDefinition(give)


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs whose process is gone as failed and free their slots in the pool. Returns their ids.

    A run that was killed holds its slot for ever, and the next run would wait for it without end. Dagster's
    run monitoring looks after no run that a daemon's own machine started: see ``test_upstream.py``.
    """
    dead = dead_runs(instance)
    for run in dead:
        instance.add_run_tags(run.run_id, {ENDED_TAG: "true"})
        instance.report_run_failed(run, GONE)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Unfinished runs whose process on this machine is gone.

    One that names this process is an earlier process's: when a container starts again, numbers come again.
    """
    runs = instance.get_runs(RunsFilter(statuses=UNFINISHED))
    processes = {run.run_id: process for run in runs if (process := _process_of(instance, run))}
    gone = {run for run, process in processes.items() if process == os.getpid() or not _is_alive(process)}
    return [run for run in runs if run.run_id in gone]


def _process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    """The process that a run names; none if it only copied the name from a run that it repeats."""
    repeated = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    noted = run.tags.get(PROCESS_TAG)
    return int(noted) if noted and not (repeated and repeated.tags.get(PROCESS_TAG) == noted) else None


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
