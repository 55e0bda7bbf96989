"""An error in the model's inputs holds the new scores back; a warning and an older day's error do not."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from rich.console import Console

from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.doctor import examine
from customer_profiles.orchestration.drift_report import NoDriftError, drift_of
from customer_profiles.orchestration.partitions import DAILY, RANGE_END, RANGE_START
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.screen import show_drift
from customer_profiles.profiles.checks import CHECKS, complete
from customer_profiles.profiles.drift import TRAITS_OF, Models, store_counts
from customer_profiles.profiles.publication import MANIFEST, publish
from customer_profiles.profiles.tables import COUNTS, CUSTOMER_PROFILES, DRIFT
from customer_profiles.quality.drift import Drift
from customer_profiles.quality.drift_table import rows_of
from customer_profiles.settings import load_settings
from customer_profiles.warehouse import Session

YESTERDAY, TODAY = date(2026, 1, 9), date(2026, 1, 10)
(KNOWS_ITS_WORLD,) = [each for each in CHECKS if "model_still_knows" in next(iter(each.check_keys)).name]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(load_settings(tmp_path), {})


def told(verdict: str) -> Drift:
    return Drift(
        TRAITS_OF, "spend_minor_30", "number", "frozen", verdict, "psi", 0.6, 0.1, 0.25, 1e-9, 1e-8, 900, 9000
    )


def run(platform: Platform, verdicts: dict[date, str]) -> dg.ExecuteInProcessResult:
    """Both days in one run: drift as given, the real check, and a publication after it."""

    @dg.asset(key=["profiles", "drift"], partitions_def=DAILY, backfill_policy=dg.BackfillPolicy.single_run())
    def drift(platform: dg.ResourceParam[Platform]) -> None:
        with platform.warehouse() as warehouse:
            for day, verdict in verdicts.items():
                warehouse.write(DRIFT, {DRIFT.day: day}, rows_of([told(verdict)], day, DRIFT))

    @dg.asset(deps=[drift], partitions_def=DAILY, backfill_policy=dg.BackfillPolicy.single_run())
    def publication(platform: dg.ResourceParam[Platform]) -> None:
        publish(platform.settings.published, TODAY, {"customer_profiles": pl.DataFrame({"score": [0.9]})})

    publish(platform.settings.published, YESTERDAY, {"customer_profiles": pl.DataFrame({"score": [0.1]})})
    definitions = dg.Definitions(
        assets=[drift, publication],
        asset_checks=[KNOWS_ITS_WORLD],
        resources={"platform": platform},
        jobs=[dg.define_asset_job("everything", executor_def=dg.in_process_executor)],
    )
    with dg.instance_for_test() as instance:
        return definitions.resolve_job_def("everything").execute_in_process(
            instance=instance,
            tags={RANGE_START: str(YESTERDAY), RANGE_END: str(TODAY)},
            raise_on_error=False,
        )


def published(platform: Platform) -> str:
    manifest = json.loads((platform.settings.published / MANIFEST).read_text(encoding="utf-8"))
    return manifest["as_of"]


@pytest.mark.parametrize(
    ("verdicts", "stays"),
    [
        ({YESTERDAY: "stable", TODAY: "error"}, YESTERDAY),
        ({YESTERDAY: "stable", TODAY: "warn"}, TODAY),
        ({YESTERDAY: "error", TODAY: "stable"}, TODAY),
    ],
    ids=["an error today", "a warning today", "an error yesterday"],
)
def test_only_an_error_of_the_newest_day_holds_back_what_is_published(platform, verdicts, stays):
    result = run(platform, verdicts)
    assert published(platform) == str(stays)
    assert result.success == (stays == TODAY)


def test_the_drift_of_a_day_is_there_to_read_worst_first_and_other_days_are_named(platform):
    run(platform, {YESTERDAY: "stable", TODAY: "warn"})
    day, rows = drift_of(platform, None)
    assert (day, [row["verdict"] for row in rows]) == (TODAY, ["warn"])
    assert rows[0] == asdict(told("warn"))
    with pytest.raises(NoDriftError, match="measured were 2026-01-09 to 2026-01-10; if 2026-01-11 was deliv"):
        drift_of(platform, TODAY + timedelta(days=1))


def test_on_80_columns_the_drift_of_a_day_names_its_columns_whole_and_in_the_words_of_its_checks(platform):
    run(platform, {TODAY: "warn"})
    said = StringIO()
    show_drift(Console(file=said, width=80), *drift_of(platform, TODAY), everything=False)
    body = said.getvalue()
    assert "…" not in body
    assert "frozen" not in body
    assert "trailing" not in body
    assert "chance: above its threshold, but no more than sampling" in " ".join(body.split())


def test_the_doctor_names_thresholds_of_columns_that_nobody_measured(platform):
    mistyped = {"customer_features.spend_minor_30": {"warn": 0.2}, "customer_features.spent": {"warn": 0.2}}
    settings = load_settings(platform.settings.home, drift={"columns": mistyped})

    def told():
        return [line.says for line in examine(settings, {}) if line.about == "drift.columns"]

    with platform.warehouse():
        assert told() == []
    run(platform, {TODAY: "stable"})
    assert told() == [
        "no drift was ever measured of customer_features.spent: correct the name, a table's and a column's"
    ]


def test_where_no_drift_was_measured_a_run_is_named(platform):
    with pytest.raises(NoDriftError, match="no drift was measured yet: customer-profiles run"):
        drift_of(platform, None)


def test_the_scores_of_each_label_are_counted_apart(tmp_path):
    settings = load_settings(tmp_path, label={"train": ["purchase", "churn"]})
    chances = {"purchase": [0.1, 0.2], "churn": [0.8]}
    rows = pl.DataFrame(
        [
            {"as_of": TODAY, "customer_key": f"{n}", "label": label, "conversion_probability": chance}
            | {"decile": 1, "expected_value_minor": None, "model_version": label}
            for label, of_label in chances.items()
            for n, chance in enumerate(of_label)
        ]
    )
    with Platform(settings, {}).warehouse() as warehouse:
        warehouse.write(SCORES, {"as_of": TODAY}, rows.cast(dict(SCORES.schema)))
        store_counts(warehouse, [TODAY], Models(None, None, None, None), settings.label)
        counts = warehouse.frame(COUNTS).filter(kind="rows")
    stored = counts.select("table_name", "model_version", "rows").rows()
    assert {("conversion_scores", "purchase", 2), ("conversion_scores of churn", "churn", 1)} <= set(stored)


def test_a_day_that_was_held_back_lacks_no_profiles_in_a_run_that_does_not_compute_it(tmp_path, monkeypatch):
    rows = {CUSTOMER_FEATURES: {YESTERDAY: 9, TODAY: 9}, CUSTOMER_PROFILES: {TODAY: 9}}
    monkeypatch.setattr(Session, "row_counts", lambda _, table: rows[table])

    def found(**settings):
        each = complete(Platform(load_settings(tmp_path, **settings), {}), [YESTERDAY, TODAY])
        return {day: (finding.passed, finding.value) for day, finding in each.items()}

    newest_alone = {"features": {"recent_days": 1}}
    assert found() == {YESTERDAY: (False, 0), TODAY: (True, 9)}
    assert found(**newest_alone) == {TODAY: (True, 9)}
    rows[CUSTOMER_PROFILES] = {YESTERDAY: 8}
    assert found(**newest_alone) == {YESTERDAY: (False, 8), TODAY: (False, 0)}
