"""One factory for all checks: a result per day, then one overall result that names the bad days.

A check never takes its asset as a parameter (that would load every partition); it reads its own
days from the warehouse. Partitioned checks are a preview in Dagster 1.13 and a range run refuses
several results of one name, so the results of single days are logged as events (pinned by
``test_upstream.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import accumulate
from typing import Any

import dagster as dg
import polars as pl

from customer_profiles.orchestration.metadata import picture, rows_as_table
from customer_profiles.orchestration.partitions import days_named
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.claims import Suite, finding_of
from customer_profiles.quality.contract import breaches, contract_finding, wrong_columns
from customer_profiles.quality.drift_table import findings
from customer_profiles.quality.finding import Finding
from customer_profiles.quality.measuring import COURSE, drift_rows, plot_of_day
from customer_profiles.quality.references import World
from customer_profiles.settings import Settings
from customer_profiles.warehouse import Session, Table
from customer_profiles.warehouse.tables import SQL_TYPES

FindDays = Callable[[Platform, list[date]], Mapping[date, Finding]]
FindOnce = Callable[[Platform], Finding | None]
FindWorld = Callable[[Platform, Session], World]
MOST_NAMED = 10
DAYS_LOGGED, MOST_TOLD = 14, 100
"""Newest days of a range that get an event of their own, as every failing day does (an event costs some
10 ms); the others stand in the overall result's table, of at most so many rows."""
DAYS_ONE_BY_ONE = 2
"""Newest days of a range that a suite looks at singly; the days before them are looked at together."""


def day_check(
    asset: Sequence[str],
    name: str,
    description: str,
    find: FindDays,
    *,
    blocking: bool = False,
    after: Sequence[Sequence[str]] = (),
    newest_decides: bool = False,
) -> dg.AssetChecksDefinition:
    """A check with a finding per day. ``find`` may leave out days about which there is nothing to say.

    ``after`` names assets that must have been stored before the check runs. With ``newest_decides`` the
    overall result is the newest day's: what follows concerns that day alone.
    """

    @dg.asset_check(
        asset=dg.AssetKey(asset),
        name=name,
        description=description,
        blocking=blocking,
        additional_deps=[dg.AssetKey(key) for key in after],
    )
    def check(
        context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> dg.AssetCheckResult:
        days = days_named(context) or _newest_day(context, dg.AssetKey(asset))
        findings = find(platform, days) if days else {}
        if len(findings) > 1:
            newest = sorted(findings)[-DAYS_LOGGED:]
            logged = {day: f for day, f in findings.items() if day in newest or not f.passed}
            _log_days(context, dg.AssetKey(asset), name, logged)
        return overall(findings, newest_decides=newest_decides)

    return check


def _newest_day(context: dg.AssetCheckExecutionContext, asset: dg.AssetKey) -> list[date]:
    """The newest stored day of an asset, if any: what "Execute" on the page of a check is about.

    It starts the check alone, and lets nobody choose a day.
    """
    stored = context.op_execution_context.instance.get_materialized_partitions(asset)
    return [date.fromisoformat(max(stored))] if stored else []


def contract_check(table: Table, key: Sequence[str]) -> dg.AssetChecksDefinition:
    """The stored rows of a table keep its contract; blocking."""

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        with platform.warehouse() as warehouse:
            rows = warehouse.read(table, days[0], days[-1])
            counted = warehouse.collect(breaches(rows, table.columns, key, table.day).sort(table.day))
            wrong = wrong_columns(
                warehouse.stored_columns(table), {c.name: SQL_TYPES[c.dtype] for c in table.columns}
            )
        return {
            row[table.day]: contract_finding(row, wrong)
            for row in counted.iter_rows(named=True)
            if row[table.day] in days
        }

    return day_check(
        table.name.split("."),
        "contract_holds",
        "types, required values, known values, bounds and the key are as promised, in every row",
        find,
        blocking=True,
    )


def suite_check(table: Table, suite_of: Callable[[Settings], Suite]) -> dg.AssetChecksDefinition:
    """A Great Expectations suite holds. Of a long range the newest days are looked at one by one.

    The days before them are looked at together, from the newest back, up to the largest sample: memory
    stays flat, and the contract's check covers every row. Days of a long range for which no profile was
    computed have nothing to expect of.
    """

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        from customer_profiles.quality.validation import validate

        suite = suite_of(platform.settings)
        columns = list(dict.fromkeys((table.day, *suite.columns)))
        older, newest = days[:-DAYS_ONE_BY_ONE], days[-DAYS_ONE_BY_ONE:]
        size, findings = platform.settings.quality.largest_sample, {}
        with platform.warehouse() as warehouse:
            together = _newest_within(older, warehouse.row_counts(table), size)
            for group in [*([day] for day in newest), *([together] if together else [])]:
                rows = warehouse.frame(table, group[0], group[-1], *columns)
                if rows.is_empty() and table.day == "as_of" and group[-1] < days[-1]:
                    continue
                results = validate(rows, suite, largest_sample=size, seed=0)
                finding = finding_of(results)
                if len(group) > 1:
                    finding = replace(finding, says=f"{group[0]} to {group[-1]} together: {finding.says}")
                findings[group[-1]] = finding
        return findings

    promise = "rows, values and their ranges are as the contract promises (Great Expectations)"
    return day_check(table.name.split("."), "expectations_are_met", promise, find)


def drift_check(
    asset: Sequence[str],
    name: str,
    description: str,
    counts: Table,
    drift: Table,
    world: FindWorld,
    tables: Sequence[str],
    *,
    blocking: bool = False,
) -> dg.AssetChecksDefinition:
    """Nothing of ``tables`` has drifted, told from the rows of a table of drift; the worst are drawn."""

    def find(platform: Platform, days: list[date]) -> Mapping[date, Finding]:
        with platform.warehouse() as warehouse:
            first = min(days[0], days[-1] - COURSE)
            rows = drift_rows(warehouse, drift, tables, first, days[-1])
            found = findings(rows.filter(pl.col(drift.day).is_in(days)), drift.day)
            if found:
                known, settings = world(platform, warehouse), platform.settings.drift
                for day in {max(found), deciding(found, newest_decides=blocking)}:
                    plot = plot_of_day(warehouse, counts, rows, day, known, settings)
                    found[day] = replace(found[day], plot=plot)
        return found

    measured = drift.name.split(".")
    after = [] if list(asset) == measured else [measured]
    return day_check(asset, name, description, find, blocking=blocking, after=after, newest_decides=blocking)


def _newest_within(days: Sequence[date], rows: Mapping[date, int], most: int) -> list[date]:
    """The newest of the ascending ``days`` that hold at most so many rows together; at least one."""
    running = list(accumulate(rows.get(day, 0) for day in reversed(days)))
    kept = max(sum(total <= most for total in running), 1)
    return list(days[-kept:]) if days else []


def model_check(
    asset: Sequence[str], name: str, description: str, find: FindOnce
) -> dg.AssetChecksDefinition:
    """A check of an asset without partitions. ``find`` gives nothing while there is no model."""

    @dg.asset_check(asset=dg.AssetKey(asset), name=name, description=description)
    def check(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
        finding = find(platform)
        return result_of(finding) if finding else overall({})

    return check


def overall(findings: Mapping[date, Finding], *, newest_decides: bool = False) -> dg.AssetCheckResult:
    """One result for all days: that of the worst, newest day, with the failing days named."""
    if not findings:
        return dg.AssetCheckResult(passed=True, metadata={"says": "there is nothing to check yet"})
    failing = _failing(findings)
    shown = deciding(findings, newest_decides=newest_decides)
    named = ", ".join(str(day) for day in failing[:MOST_NAMED])
    unnamed = len(failing) - MOST_NAMED
    more = f" and {unnamed} more, the last {failing[-1]}" if unnamed > 0 else ""
    days = {
        "day": str(shown),
        "days": str(len(findings)),
        "newest_day": str(max(findings)),
        "failing_days": (named + more) or "none",
    }
    courses = [
        {"day": str(day), "passed": finding.passed, "value": str(finding.value), "says": finding.says}
        for day, finding in sorted(findings.items())
    ]
    return result_of(findings[shown], {**days, "each_day": rows_as_table(courses[-MOST_TOLD:])})


def deciding(findings: Mapping[date, Finding], *, newest_decides: bool) -> date:
    """The day whose finding stands for all: the newest, or the worst and of these the newest."""
    failing = [] if newest_decides else _failing(findings)
    serious = [day for day in failing if findings[day].severity == "error"]
    return max(serious or failing or findings)


def _failing(findings: Mapping[date, Finding]) -> list[date]:
    return sorted(day for day, finding in findings.items() if not finding.passed)


def result_of(
    finding: Finding, more: Mapping[str, Any] | None = None, check_name: str | None = None
) -> dg.AssetCheckResult:
    """A finding as Dagster's check result."""
    return dg.AssetCheckResult(
        check_name=check_name,
        passed=finding.passed,
        severity=_severity(finding),
        description=finding.says,
        metadata={**metadata_of(finding), **(more or {})},
    )


def metadata_of(finding: Finding) -> dict[str, Any]:
    """Value, threshold and details of a finding for the UI."""
    metadata = {"value": _readable(finding.value), "threshold": _readable(finding.threshold)}
    if finding.details:
        metadata["details"] = rows_as_table(finding.details)
    if finding.plot:
        metadata["plot"] = picture(finding.plot)
    return metadata


def _readable(value: Any) -> Any:
    """The UI hides a dictionary behind a link; a sentence is there to read."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return value


def _severity(finding: Finding) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if finding.severity == "error" else dg.AssetCheckSeverity.WARN


def _log_days(
    context: dg.AssetCheckExecutionContext,
    asset: dg.AssetKey,
    name: str,
    findings: Mapping[date, Finding],
) -> None:
    for day, finding in findings.items():
        evaluation: Any = dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=name,
            passed=finding.passed,
            severity=_severity(finding),
            description=finding.says,
            metadata=metadata_of(finding),
            partition=str(day),
        )
        context.op_execution_context.log_event(evaluation)
