"""Assets of cleaning, as Dagster runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from customer_profiles.cleaning.assets import cleaned_asset, quarantine_rows
from customer_profiles.cleaning.checks import few_rows_are_quarantined
from customer_profiles.collection.assets import raw_asset
from customer_profiles.orchestration.partitions import DAILY
from customer_profiles.orchestration.platform import Platform
from customer_profiles.settings import load_settings

EVENT = '{{"event_id": "E1", "event_at": "{day} 12:00:00", "event_name": "login", "channel": "web", ' + (
    '"customer_id": "C1"}}\n'
)
DAY, NEXT = "2026-03-03", "2026-03-04"


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(load_settings(tmp_path), {})


def deliver(platform: Platform, day: str) -> None:
    file = platform.settings.deliveries / "events" / f"{day}.ndjson"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(EVENT.format(day=day))


def run(platform: Platform, instance: dg.DagsterInstance, day: str) -> tuple[dict[str, Any], list[str]]:
    """Run ``raw/events`` and ``cleaned/events`` of a day: the cleaned day's metadata, and the warnings."""
    result = dg.materialize(
        [raw_asset("events"), cleaned_asset("events")],
        partition_key=day,
        resources={"platform": platform},
        instance=instance,
    )
    (stored,) = result.asset_materializations_for_node("cleaned__events")
    assert DAILY.has_partition_key(stored.partition or "")
    warnings = [
        entry.user_message for entry in instance.all_logs(result.run_id) if entry.level == 30  # WARNING
    ]  # fmt: skip
    return {name: value.value for name, value in stored.metadata.items()}, warnings


def test_a_late_delivery_tells_which_days_to_run_again(platform: Platform) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        deliver(platform, NEXT)
        metadata, warnings = run(platform, instance, NEXT)
        assert "days to run again" not in metadata
        deliver(platform, DAY)
        metadata, warnings = run(platform, instance, DAY)
        assert metadata["days to run again"] == NEXT
        assert ["run these days again: " in warning for warning in warnings] == [True, True]
        metadata, warnings = run(platform, instance, NEXT)
        assert metadata["dagster/row_count"] == 0
        metadata, warnings = run(platform, instance, DAY)
        assert (metadata["dagster/row_count"], warnings) == (1, [])


def test_a_table_of_which_many_rows_are_in_quarantine_warns_on_that_day(platform: Platform) -> None:
    for day, names in ((DAY, ["login"] * 20), (NEXT, ["login"] * 14 + ["", "", "", "", "", ""])):
        rows = [
            EVENT.format(day=day).replace("login", name).replace("E1", f"{day} {n}")
            for n, name in enumerate(names)
        ]
        deliver(platform, day)
        (platform.settings.deliveries / "events" / f"{day}.ndjson").write_text("".join(rows))
    with dg.DagsterInstance.ephemeral() as instance:
        for day, passed in ((DAY, True), (NEXT, False)):
            result = dg.materialize(
                [raw_asset("events"), cleaned_asset("events"), quarantine_rows, few_rows_are_quarantined()],
                partition_key=day,
                resources={"platform": platform},
                instance=instance,
            )
            (found,) = result.get_asset_check_evaluations()
            assert (found.passed, found.severity) == (passed, dg.AssetCheckSeverity.WARN), day
    assert "events: 6 of 20 rows (30.00%), most under event_name|required" in str(found.description)
