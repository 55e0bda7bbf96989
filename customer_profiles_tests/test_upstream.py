"""What we lean on without a promise from upstream: preview, undocumented or surprising behaviour.

A failing test here says which library changed its mind, and what of ours stood on it.
"""

import gc
import re
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import duckdb
import narwhals as nw
import numpy as np
import polars as pl
import pytest
from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage

from customer_profiles.conversion.trees import grown_in_steps
from customer_profiles.orchestration.destinations import send
from customer_profiles.orchestration.event_log import KeptEnginesEventLog, open_with_kept_engines
from customer_profiles.quality.alerts import Message

DAYS = dg.DailyPartitionsDefinition("2026-01-01")
RANGE = {
    "dagster/asset_partition_range_start": "2026-01-05",
    "dagster/asset_partition_range_end": "2026-01-06",
}
ONE_RUN = dg.BackfillPolicy.single_run()
NUMBERS = dg.AssetKey("numbers")


@dg.asset(partitions_def=DAYS, backfill_policy=ONE_RUN)
def numbers() -> None:
    """An asset with a partition a day."""


@dg.asset(deps=[numbers], partitions_def=DAYS, backfill_policy=ONE_RUN)
def follower() -> None:
    """An asset after it."""


def run_range(instance: dg.DagsterInstance, *definitions: Any) -> dg.ExecuteInProcessResult:
    checks = [each for each in definitions if isinstance(each, dg.AssetChecksDefinition)]
    assets = [each for each in definitions if not isinstance(each, dg.AssetChecksDefinition)]
    jobs = [dg.define_asset_job("everything", executor_def=dg.in_process_executor)]
    job = dg.Definitions(assets=assets, asset_checks=checks, jobs=jobs).resolve_job_def("everything")
    return job.execute_in_process(instance=instance, tags=RANGE, raise_on_error=False)


@dg.asset_check(asset=numbers, blocking=True)
def days_are_good(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Logs a result for each day, then returns one."""
    for day, passed in (("2026-01-05", False), ("2026-01-06", True)):
        evaluation: Any = dg.AssetCheckEvaluation(
            asset_key=NUMBERS, check_name="days_are_good", passed=passed, metadata={}, partition=day
        )
        context.op_execution_context.log_event(evaluation)
    return dg.AssetCheckResult(passed=False)


def test_dagster_keeps_a_check_result_of_each_day_beside_the_one_that_blocks() -> None:
    with dg.instance_for_test() as instance:
        done = run_range(instance, numbers, follower, days_are_good)
        found = [
            (data.partition, data.passed)
            for entry in instance.all_logs(done.run_id)
            if entry.dagster_event
            and entry.dagster_event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
            for data in [entry.dagster_event.asset_check_evaluation_data]
        ]
        followed = instance.get_materialized_partitions(follower.key)
    assert found == [("2026-01-05", False), ("2026-01-06", True), (None, False)]
    assert followed == set()
    assert not done.success


def test_dagster_refuses_one_partition_key_to_a_check_of_a_range() -> None:
    """Why the factory asks for ``partition_keys``."""
    seen = []

    @dg.asset_check(asset=numbers)
    def looks(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        op = context.op_execution_context
        seen.append(list(op.partition_keys))
        with pytest.raises(Exception, match="partition"):
            _ = op.partition_key
        return dg.AssetCheckResult(passed=True)

    with dg.instance_for_test() as instance:
        assert run_range(instance, numbers, looks).success
    assert seen == [["2026-01-05", "2026-01-06"]]


def test_dagster_tells_the_range_to_an_asset_without_partitions_too() -> None:
    seen: list[Any] = []

    @dg.asset(deps=[numbers])
    def model(context: dg.AssetExecutionContext) -> None:
        op = context.op_execution_context
        seen.append(
            (op.has_partition_key_range, list(op.partition_keys), op.run.tags.items() >= RANGE.items())
        )

    with dg.instance_for_test() as instance:
        assert run_range(instance, numbers, model).success
        records = instance.fetch_materializations(model.key, limit=9).records
    assert seen == [(True, ["2026-01-05", "2026-01-06"], True)]
    assert [record.partition_key for record in records] == [None]


def test_dagster_keeps_metadata_of_each_day_of_a_range() -> None:
    @dg.asset(partitions_def=DAYS, backfill_policy=ONE_RUN)
    def counted(context: dg.AssetExecutionContext) -> None:
        for day in context.partition_keys:
            context.add_asset_metadata({"rows": int(day[-2:])}, partition_key=day)

    with dg.instance_for_test() as instance:
        run_range(instance, counted)
        records = instance.fetch_materializations(counted.key, limit=9).records
    rows = {record.partition_key: record.asset_materialization.metadata["rows"].value for record in records}  # type: ignore[union-attr]
    assert rows == {"2026-01-05": 5, "2026-01-06": 6}


def test_dagster_replaces_partitions_of_specs_and_keeps_what_else_they_hold() -> None:
    weekly = dg.WeeklyPartitionsDefinition("2026-01-01")
    (mapped,) = dg.map_asset_specs(lambda spec: spec.replace_attributes(partitions_def=weekly), [follower])
    assert mapped.partitions_def == weekly
    assert mapped.backfill_policy == ONE_RUN
    assert {dep.asset_key for spec in mapped.specs for dep in spec.deps} == {NUMBERS}


def test_dagster_frees_the_slots_of_one_run_alone() -> None:
    with dg.instance_for_test() as instance:
        log = instance.event_log_storage
        log.set_concurrency_slots("warehouse", 2)
        for run_id in ("dead", "alive"):
            assert log.claim_concurrency_slot("warehouse", run_id, "step").is_claimed
        log.free_concurrency_slots_for_run("dead")
        info = log.get_concurrency_info("warehouse")
    assert info.active_run_ids == {"alive"}


def test_dagster_does_not_see_that_the_process_of_a_run_which_its_daemon_started_is_gone() -> None:
    with dg.instance_for_test() as instance:
        assert not instance.run_launcher.supports_check_run_worker_health


def test_dagster_keeps_evaluations_and_ends_of_runs_of_all_runs_in_one_order() -> None:
    """What the alerts read, by storage id; planned evaluations are of a type of their own."""
    evaluation, failure = dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.RUN_FAILURE
    planned = dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    with dg.instance_for_test() as instance:
        runs = [run_range(instance, numbers, days_are_good).run_id for _ in range(2)]
        log = instance.event_log_storage
        found = {
            number: (entry.run_id, kind)
            for kind in (evaluation, failure)
            for number, entry in log.get_logs_for_all_runs_by_log_id(0, kind, 100).items()
        }
        assert log.get_logs_for_all_runs_by_log_id(0, planned, 100)
        first_half = log.get_logs_for_all_runs_by_log_id(0, evaluation, 3)
        assert len(log.get_logs_for_all_runs_by_log_id(max(first_half), evaluation, 9)) == 3
        assert log.get_maximum_record_id() >= max(found)
        name = instance.run_storage.get_run_storage_id()  # type: ignore[attr-defined]
        assert name == instance.run_storage.get_run_storage_id() != ""  # type: ignore[attr-defined]
    assert [found[number] for number in sorted(found)] == [
        (run, kind) for run in runs for kind in (evaluation, evaluation, evaluation, failure)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}")
    return tmp_path


def its_own(folder: Path) -> DagsterInstance:
    """The instance as the webserver opens it."""
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(folder)))


def events(instance: DagsterInstance, run_id: str) -> list[str]:
    return [
        entry.dagster_event.event_type_value for entry in instance.all_logs(run_id) if entry.dagster_event
    ]


def test_dagsters_own_event_log_reads_what_ours_wrote_and_the_other_way(folder: Path) -> None:
    with open_with_kept_engines(folder) as ours:
        assert isinstance(ours.event_log_storage, KeptEnginesEventLog)
        first = run_range(ours, numbers).run_id
        written = events(ours, first)
    with its_own(folder) as own:
        assert type(own.event_log_storage) is SqliteEventLogStorage
        assert events(own, first) == written
        assert own.get_materialized_partitions(NUMBERS) == {"2026-01-05", "2026-01-06"}
        second = run_range(own, numbers).run_id
    with open_with_kept_engines(folder) as ours:
        assert events(ours, second)[-1] == "PIPELINE_SUCCESS"
        assert {run.run_id for run in ours.get_runs()} == {first, second}


def test_dagster_opens_its_event_log_through_the_hook_that_we_replace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = []
    hook = KeptEnginesEventLog._connect

    def watched(self: KeptEnginesEventLog, shard: str) -> Any:
        shards.append(shard)
        return hook(self, shard)

    monkeypatch.setattr(KeptEnginesEventLog, "_connect", watched)
    with open_with_kept_engines(folder) as instance:
        run_id = run_range(instance, numbers).run_id
        engines = len(instance.event_log_storage._engines)  # type: ignore[attr-defined]
    assert {"index", run_id} <= set(shards)
    assert len(shards) > 10 * engines


def stored_in(instance: DagsterInstance, run_id: str) -> dict[str, Any]:
    """What Dagster's own storage tells of a run's events, its asset and its check."""
    days = instance.fetch_materializations(NUMBERS, limit=9).records
    entry = instance.get_asset_records([NUMBERS])[0].asset_entry
    checks = instance.event_log_storage.get_asset_check_execution_history(days_are_good.check_key, limit=9)
    return {
        "events": events(instance, run_id),
        "days": [(day.partition_key, day.asset_materialization.tags.keys()) for day in days],  # type: ignore[union-attr]
        "last day": entry.last_materialization_record.partition_key,  # type: ignore[union-attr]
        "last run": entry.last_run_id == run_id,
        "tagged": instance.get_event_tags_for_asset(NUMBERS)[0].keys(),
        "checks": [(each.partition, each.status.value) for each in checks],
    }


def test_a_batch_of_events_leaves_what_dagster_stores_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for size in ("0", "3", "1000"):
        folder = tmp_path / size
        folder.mkdir()
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        with open_with_kept_engines(folder) as ours:
            run_id = run_range(ours, numbers, days_are_good).run_id
        with its_own(folder) as own:
            found.append(stored_in(own, run_id))
    one_by_one, in_threes, at_once = found
    assert len(one_by_one["days"]) == 2
    assert len(one_by_one["checks"]) == 3
    assert in_threes == one_by_one
    assert at_once == one_by_one


def test_a_batch_that_fails_is_stored_one_by_one_and_nothing_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_once(*_: Any) -> None:
        monkeypatch.delattr(KeptEnginesEventLog, "_store_asset_event_tags")  # Dagster's own is there again
        raise OSError("disk is full")

    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    with open_with_kept_engines(folder) as ours:
        monkeypatch.setattr(KeptEnginesEventLog, "_store_asset_event_tags", full_once)
        run_id = run_range(ours, numbers).run_id
    assert "disk is full" in capsys.readouterr().err
    with its_own(folder) as own:
        told = events(own, run_id)
    assert told.count("ASSET_MATERIALIZATION_PLANNED") == told.count("ASSET_MATERIALIZATION") == 2


def test_a_check_that_fails_to_run_stays_planned_for_the_first_day(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster plans a check without partitions for every day, with a copy of its event each."""
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")

    @dg.asset_check(asset=numbers)
    def breaks() -> dg.AssetCheckResult:
        raise ValueError("broken")

    with open_with_kept_engines(folder) as ours:
        run_range(ours, numbers, breaks)
    with its_own(folder) as own:
        log = own.event_log_storage
        (only,) = log.get_asset_check_execution_history(breaks.check_key, limit=9)
        (newest,) = log.get_latest_asset_check_execution_by_key([breaks.check_key]).values()
    assert (only.partition, only.status.value) == ("2026-01-05", "PLANNED")
    assert newest.id == only.id


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def test_duckdb_names_the_process_that_holds_a_file(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    script = f"import duckdb; c = duckdb.connect({str(file)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(duckdb.IOException) as refused:
            duckdb.connect(str(file))
        holder.communicate("\n")
    named = re.search(r"held in (.+?) \(PID (\d+)\)", str(refused.value))
    assert "lock" in str(refused.value)
    assert named
    assert int(named[2]) == holder.pid


def test_duckdb_inserts_by_name_and_refuses_a_name_that_it_does_not_know(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("create table t (a integer, b varchar)")
    connection.execute("insert into t by name select 'x' as b, 1 as a")
    assert connection.execute("select a, b from t").fetchall() == [(1, "x")]
    with pytest.raises(duckdb.Error):
        connection.execute("insert into t by name select 1 as a, 2 as c")


def test_duckdb_keeps_the_old_rows_if_a_replacement_is_rolled_back(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("create table t as select 1 as a")
    connection.execute("begin")
    connection.execute("delete from t")
    with pytest.raises(duckdb.Error):
        connection.execute("insert into t by name select 'no number' as a")
    connection.execute("rollback")
    assert connection.execute("select a from t").fetchall() == [(1,)]


VERSIONS = {"key": ["a", "a", "b"], "told": [2, 1, 5], "value": ["new", "old", "only"]}


def test_duckdb_keeps_what_was_registered_until_the_transaction_ends(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Why ``Session`` hands rows over in a wrapper that lets go of them (``warehouse._Handed``)."""
    rows = pl.DataFrame({"number": [1]}).to_arrow()
    kept = weakref.ref(rows)
    connection.execute("begin")
    connection.register("incoming", rows)
    connection.execute("select * from incoming").fetchall()
    connection.unregister("incoming")
    del rows
    gc.collect()
    assert kept() is not None
    connection.execute("commit")
    assert kept() is None


@pytest.mark.parametrize("keep", ["first", "last"])
def test_narwhals_keeps_the_row_that_an_order_names_on_duckdb_as_on_polars(
    connection: duckdb.DuckDBPyConnection, keep: Any
) -> None:
    frame = pl.DataFrame(VERSIONS)
    connection.register("frame", frame.to_arrow())
    engines = [nw.from_native(frame.lazy()), nw.from_native(connection.table("frame"))]
    kept = [
        sorted(nw_rows.unique(["key"], keep=keep, order_by=["told"]).collect("polars").to_native()["value"])
        for nw_rows in engines
    ]
    assert kept[0] == kept[1] == [{"first": "old", "last": "new"}[keep], "only"]


def test_narwhals_sums_integers_as_wide_as_duckdb_does(connection: duckdb.DuckDBPyConnection) -> None:
    """Why sums are cast before they are stored."""
    connection.execute("create table t as select 1::bigint as a")
    summed = nw.from_native(connection.table("t")).select(nw.col("a").sum())
    assert summed.collect_schema()["a"] == nw.Int128
    assert summed.select(nw.col("a").cast(nw.Int64)).collect_schema()["a"] == nw.Int64


def test_narwhals_calls_a_sum_of_nothing_zero_and_a_mean_of_nothing_null(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Why windows without a delivery are made NULL by hand."""
    connection.execute("create table t (a bigint)")
    rows = nw.from_native(connection.table("t"))
    told = rows.select(total=nw.col("a").sum(), mean=nw.col("a").mean()).collect("polars").to_native()
    assert told.row(0) == (0, None)


def test_polars_hashes_cells_as_the_fingerprints_that_warehouses_hold() -> None:
    """Polars promises equal hashes within a version alone. If they change, rows of files that change after an
    upgrade are taken for new: events stay counted once, versions stand twice with equal content."""
    assert pl.Series(["红 shoes", ""]).hash(7).to_list() == [13116181338454089038, 1516461450600733789]
    assert pl.Series([1, -5]).hash(7).to_list() == [1448548206109210029, 13294964565268455369]


def test_polars_names_what_looks_at_other_rows_in_the_json_of_an_expression() -> None:
    """``meta.is_row_separable`` would tell, but cannot where an operator's types are not known yet."""
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        pl.sql_expr("a * 2").meta.is_row_separable()
    told = {
        "COUNT(*)": "Len",
        "MAX(a)": "Agg",
        "FIRST(a) OVER (PARTITION BY b)": "Over",
        "a * 2": "Sql",
    }
    for expression, name in told.items():
        assert f'"{name}"' in pl.sql_expr(expression).meta.serialize(format="json")


def test_great_expectations_carries_our_names_and_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results come in an order of their own: a claim is found again by its ``meta``."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", "y", "y"]}).to_pandas()
    context = gx.get_context(mode="ephemeral")
    batch = (
        context.data_sources.add_pandas("numbers")
        .add_dataframe_asset("numbers")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": frame})
    )
    claims = {
        "a_is_known": gxe.ExpectColumnValuesToNotBeNull(column="a", meta={"claim": "a_is_known"}),
        "b_is_unique": gxe.ExpectColumnValuesToBeUnique(column="b", meta={"claim": "b_is_unique"}),
        "c_is_there": gxe.ExpectColumnToExist(column="a", meta={"claim": "c_is_there"}),
    }
    suite = gx.ExpectationSuite("numbers", expectations=list(claims.values()))
    results = batch.validate(suite).results
    found = {each.expectation_config.meta["claim"]: bool(each.success) for each in results}
    assert found == {"a_is_known": False, "b_is_unique": False, "c_is_there": True}
    assert not any(tmp_path.iterdir())


def test_apprise_tells_a_refused_connection_from_one_that_was_cut_off() -> None:
    """Only then is a message sent again without being called a repeat."""
    message = Message("title", "body", "warn", recovered=False)

    def hang_up() -> None:
        connection, _ = server.accept()
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        Thread(target=hang_up, daemon=True).start()
        cut_off = send(f"json://127.0.0.1:{port}", message)
    refused = send(f"json://127.0.0.1:{port}", message)
    assert cut_off is not None
    assert refused is not None
    assert (cut_off.perhaps_arrived, refused.perhaps_arrived) == (True, False)
    assert "127.0.0.1" in refused.reason


def test_trees_grown_in_steps_are_scikit_learns_own_and_no_step_repeats_anothers_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is overridden is private to scikit-learn."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from threadpoolctl import threadpool_limits

    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(2_000, 4))
    label = matrix[:, 0] + draw.normal(size=2_000) > 0
    cuts, fit = [], _BinMapper.fit
    asked, predict = [], TreePredictor.predict_binned
    growth = {"max_leaf_nodes": 8, "max_features": 0.5, "early_stopping": False, "warm_start": True}
    original = HistGradientBoostingClassifier(**growth, random_state=3)
    in_steps = grown_in_steps()(**growth, random_state=3)
    other = draw.normal(size=(500, 4))
    with threadpool_limits(1):
        for trees in (10, 20, 30):
            original.set_params(max_iter=trees).fit(matrix, label)
        monkeypatch.setattr(_BinMapper, "fit", lambda *rows, **how: cuts.append(1) or fit(*rows, **how))
        monkeypatch.setattr(
            TreePredictor, "predict_binned", lambda *rows, **how: asked.append(1) or predict(*rows, **how)
        )
        stages = []
        for trees in (10, 20, 30):
            stages.append(in_steps.set_params(max_iter=trees).fit(matrix, label).newest_stages(other))
        assert np.array_equal(in_steps.decision_function(matrix), original.decision_function(matrix))
        expected = [np.ravel(logit) for logit in original.staged_decision_function(other)]
        assert np.array_equal(np.concatenate(stages), expected)
    assert (len(cuts), len(asked)) == (1, 20)
