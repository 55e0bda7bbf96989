"""The asset graph as Dagster sees it."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from customer_profiles.contracts import CONTRACTS
from customer_profiles.definitions import build
from customer_profiles.orchestration.code_version import code_version
from customer_profiles.quality.alerts import MEANINGS
from customer_profiles.settings import HOME_VARIABLE, load_settings

POPULATION = {"cleaned/customers", "cleaned/events", "cleaned/orders", "features/identities"}
FAMILIES = {
    "features/behaviour": POPULATION,
    "features/campaigns": {*POPULATION, "cleaned/campaign_contacts", "cleaned/consents"},
    "features/consumption": POPULATION,
    "features/eligibility": {*POPULATION, "cleaned/consents"},
    "features/partners": {*POPULATION, "cleaned/partner_attributes"},
    "features/personal": POPULATION,
    "features/social": {*POPULATION, "cleaned/social_edges"},
    "features/times": POPULATION,
}
MODELS = {
    "models/projection": {"features/customer_features"},
    "models/conversion": {
        "features/customer_features",
        "models/projection",
        "models/segmentation",
        "cleaned/orders",
        "cleaned/campaign_contacts",
    },
    "models/segmentation": {"features/customer_features"},
}
GRAPH = {
    **{f"raw/{table}": set() for table in CONTRACTS},
    "raw/events": {"raw/products"},
    "raw/deliveries": {f"raw/{table}" for table in CONTRACTS},
    **{f"cleaned/{table}": {f"raw/{table}"} for table in CONTRACTS},
    "quarantine/rows": {f"raw/{table}" for table in CONTRACTS},
    "features/identities": {"cleaned/identity_links", "cleaned/customers", "cleaned/orders"},
    "cleaned/drift": {f"cleaned/{table}" for table in CONTRACTS},
    **FAMILIES,
    "features/customer_features": set(FAMILIES),
    "features/summary": {"features/customer_features"},
    **MODELS,
    "features/principal_components": {"features/customer_features", "models/projection"},
    "profiles/conversion_scores": {"features/customer_features", "models/conversion"},
    "profiles/segments": {
        "features/customer_features",
        "features/principal_components",
        "models/segmentation",
    },
    "profiles/drift": {
        "features/customer_features",
        "features/principal_components",
        "profiles/conversion_scores",
        "profiles/segments",
    },
    "profiles/customer_profiles": {
        "features/customer_features",
        "profiles/conversion_scores",
        "profiles/segments",
        "profiles/drift",
    },
}
BLOCKING_EVERYWHERE = {"rows_reconcile", "contract_holds"}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    settings = load_settings(
        tmp_path_factory.mktemp("home"),
        first_day=date(2026, 2, 1),
        timezone="Europe/Berlin",
        owner="team:crm",
    )
    return build(settings)


@pytest.fixture(scope="module")
def assets(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_the_graph_is_the_one_that_was_drawn(assets: dict[str, dg.AssetSpec]) -> None:
    drawn = {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in assets.items()}
    assert drawn == GRAPH


def test_all_but_the_models_have_a_partition_a_day_of_this_home(assets: dict[str, dg.AssetSpec]) -> None:
    daily = dg.DailyPartitionsDefinition("2026-02-01", timezone="Europe/Berlin")
    assert {name: spec.partitions_def for name, spec in assets.items()} == {
        name: None if name in MODELS else daily for name in GRAPH
    }


def test_every_asset_says_what_it_is_and_whose(assets: dict[str, dg.AssetSpec]) -> None:
    for name, spec in assets.items():
        assert spec.description, name
        assert spec.kinds, name
        assert spec.group_name == name.split("/")[0]
        assert spec.owners == ["team:crm"]
        assert spec.code_version == code_version()


def test_every_table_shows_its_columns_with_descriptions(assets: dict[str, dg.AssetSpec]) -> None:
    for name, spec in assets.items():
        if name in ("models/projection", "models/segmentation"):
            continue
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema), name
        assert schema.columns, name
        assert all(column.type and column.description for column in schema.columns), name


def test_every_step_waits_for_the_warehouse(definitions: dg.Definitions) -> None:
    pools = {asset.op.pool for asset in definitions.resolve_asset_graph().assets_defs if asset.keys}
    assert pools == {"warehouse"}


def test_every_cleaned_table_is_guarded_by_blocking_checks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for table in CONTRACTS:
        key = dg.AssetKey(["cleaned", table])
        checks = {each.name: graph.get_check_spec(each) for each in graph.get_check_keys_for_assets({key})}
        assert set(checks) >= {"rows_reconcile", "contract_holds", "expectations_are_met"}, table
        assert {name for name, spec in checks.items() if spec.blocking} == BLOCKING_EVERYWHERE, table
        assert all(spec.description for spec in checks.values()), table


def test_what_a_failure_may_mean_is_told_of_checks_that_there_are(definitions: dg.Definitions) -> None:
    checks = {key.name for key in definitions.resolve_asset_graph().asset_check_keys}
    assert set(MEANINGS) - checks == set()


def test_jobs_and_schedules_are_there_to_start(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {"daily_profiles", "conversion_training", "everything"} <= set(repository.job_names)
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "daily_profiles_schedule",
        "conversion_training_schedule",
    }
    assert {sensor.name for sensor in repository.sensor_defs} >= {"deliveries_sensor"}
    trained = repository.get_job("conversion_training").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in trained} == set(MODELS)
    daily = repository.get_job("daily_profiles").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in daily} == set(GRAPH) - set(MODELS)


def test_whatever_is_materialized_by_hand_runs_in_one_process_as_the_jobs_do(
    definitions: dg.Definitions,
) -> None:
    repository = definitions.get_repository_def()
    by_hand = definitions.resolve_implicit_global_asset_job_def()
    jobs = [by_hand, *(repository.get_job(name) for name in repository.job_names)]
    assert {job.name: job.executor_def for job in jobs} == {job.name: dg.in_process_executor for job in jobs}


def test_the_alert_sensors_are_on_from_the_start(definitions: dg.Definitions) -> None:
    sensors = definitions.get_repository_def().sensor_defs
    alerts = {sensor.name: sensor.default_status for sensor in sensors if sensor.name.endswith("_alert")}
    running = dg.DefaultSensorStatus.RUNNING
    assert alerts == {"failure_alert": running, "late_day_alert": running}


def test_dagster_finds_the_definitions_of_the_home_in_the_environment(tmp_path: Path) -> None:
    environment = {**os.environ, HOME_VARIABLE: str(tmp_path), "DAGSTER_HOME": ""}
    validate = [sys.executable, "-W", "ignore", "-m", "dagster", "definitions", "validate"]
    done = subprocess.run(
        [*validate, "--module-name", "customer_profiles.definitions"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not any(tmp_path.iterdir())
