import gc
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.warehouse import HeldError, Table, Warehouse, WarehouseError
from customer_profiles.warehouse.session import _Handed

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
NUMBERS = Table(
    "raw.numbers",
    (
        StoredColumn("delivery_day", pl.Date, False, "day"),
        StoredColumn("name", pl.String, False, "name"),
        StoredColumn("number", pl.Int64, True, "number"),
    ),
    order=("name",),
    row_hash=True,
)


def rows(day: date, **numbers: int | None) -> pl.DataFrame:
    frame = pl.DataFrame(
        {"number": list(numbers.values()), "name": list(numbers)}, schema_overrides={"number": pl.Int64}
    )
    return frame.with_columns(delivery_day=pl.lit(day))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", lock_wait_seconds=0.2)


def test_replacing_a_day_leaves_the_other_days_alone(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1, b=2))
        session.write(NUMBERS, {"delivery_day": TUESDAY}, rows(TUESDAY, a=3))
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, c=4))
        stored = session.frame(NUMBERS)
    assert stored.select("name", "number").rows() == [("c", 4), ("a", 3)]


def test_columns_are_matched_by_name_and_rows_stored_in_order(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.write(
            NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, b=2, a=1).select("number", "name", "delivery_day")
        )
        assert session.frame(NUMBERS)["name"].to_list() == ["a", "b"]


def test_a_column_in_which_nothing_is_known_needs_no_type(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        untyped = rows(MONDAY, a=1, b=2).with_columns(number=pl.lit(None))
        session.write(NUMBERS, {"delivery_day": MONDAY}, untyped)
        assert session.frame(NUMBERS)["number"].to_list() == [None, None]


def test_the_same_rows_have_the_same_hash_whatever_their_order(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1, b=None))
        before = session.day_hash(NUMBERS, MONDAY)
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, b=None, a=1))
        assert session.day_hash(NUMBERS, MONDAY) == before
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, b=0, a=1))
        assert session.day_hash(NUMBERS, MONDAY) != before


def test_a_lazy_query_is_stored_without_leaving_the_engine(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1, b=2))
        doubled = session.read(NUMBERS, MONDAY, MONDAY).with_columns(
            nw.lit(TUESDAY).alias("delivery_day"), nw.col("number") * 2
        )
        assert session.write(NUMBERS, {"delivery_day": TUESDAY}, doubled) == 2
        assert session.frame(NUMBERS, TUESDAY)["number"].to_list() == [2, 4]


def test_a_day_is_read_in_batches_that_hold_all_of_it(warehouse: Warehouse) -> None:
    many = pl.DataFrame({"name": [f"{n:05}" for n in range(9_000)], "number": range(9_000)})
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, many.with_columns(delivery_day=pl.lit(MONDAY)))
        session.write(NUMBERS, {"delivery_day": TUESDAY}, rows(TUESDAY, a=3))
        batches = list(session.batches(NUMBERS, MONDAY, 2_048))
        assert session.row_counts(NUMBERS) == {MONDAY: 9_000, TUESDAY: 1}
    assert max(batch.height for batch in batches) <= 2_048
    assert pl.concat(batches).select("name", "number").equals(many)


def test_a_failed_transaction_changes_nothing(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1))
        with pytest.raises(RuntimeError, match="half-way"), session.transaction():
            session.replace(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, b=2))
            raise RuntimeError("half-way")
        assert session.frame(NUMBERS)["name"].to_list() == ["a"]


def test_an_error_names_its_own_cause_and_the_session_goes_on(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=2**62, b=2**62))
        summed = session.read(NUMBERS).with_columns(number=nw.col("number").sum().cast(nw.Int64()))
        with pytest.raises(WarehouseError, match=r"raw.numbers of 2026-01-06: .*out of range"):
            session.write(NUMBERS, {"delivery_day": TUESDAY}, summed)
        session.write(NUMBERS, {"delivery_day": TUESDAY}, rows(TUESDAY, c=3))
        assert session.frame(NUMBERS)["name"].to_list() == ["a", "b", "c"]


def test_a_transaction_of_many_pieces_keeps_none_of_them_in_memory(warehouse: Warehouse) -> None:
    with warehouse.session() as session, session.transaction():
        for number in range(3):
            session.append(NUMBERS, rows(MONDAY, a=number))
        handed = [each for each in gc.get_objects() if isinstance(each, _Handed)]
        assert [each for each in handed if each._rows is not None] == []
    assert handed, "DuckDB keeps nothing any more: hand over the frames themselves"


def test_missing_and_unknown_columns_are_named(warehouse: Warehouse) -> None:
    with (
        warehouse.session() as session,
        pytest.raises(WarehouseError, match=r"missing \['number'\].*unknown \['nmber'\]"),
    ):
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1).rename({"number": "nmber"}))


def test_a_new_column_is_added_to_a_table_that_exists(warehouse: Warehouse) -> None:
    wider = Table(
        "raw.numbers",
        (*NUMBERS.columns, StoredColumn("more", pl.Float64, True, "")),
        order=("name",),
        row_hash=True,
    )
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1))
    with warehouse.session() as session:
        session.write(wider, {"delivery_day": TUESDAY}, rows(TUESDAY, a=1).with_columns(more=pl.lit(0.5)))
        assert session.frame(wider)["more"].to_list() == [None, 0.5]


def test_a_column_of_another_type_is_refused_with_the_next_step(warehouse: Warehouse) -> None:
    changed = Table(
        "raw.numbers", (*NUMBERS.columns[:2], StoredColumn("number", pl.String, True, "")), order=("name",)
    )
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1))
    with (
        warehouse.session() as session,
        pytest.raises(WarehouseError, match=r"raw\.numbers\.number is stored as BIGINT.*--rebuild"),
    ):
        session.read(changed)


def test_a_corrupt_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    file.write_bytes(os.urandom(20_000))
    with (
        pytest.raises(WarehouseError, match=r"warehouse\.duckdb cannot be opened.*mv .*rebuilt"),
        Warehouse(file).session(),
    ):
        pass


def test_a_file_that_may_not_be_written_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "warehouse.duckdb"
    file.write_bytes(os.urandom(20_000))
    monkeypatch.setattr(os, "access", lambda path, mode: path != file)  # root may write everything
    with pytest.raises(WarehouseError, match=r"may not be written\. Give this user the right"):
        Warehouse(file).session().__enter__()


HOLD = """
import sys, time
from pathlib import Path
from customer_profiles.warehouse import Warehouse
with Warehouse(Path(sys.argv[1])).session():
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(file: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    with holder(file, 1), Warehouse(file, lock_wait_seconds=30).session() as session:
        assert session.days(NUMBERS) == []


def test_after_the_wait_the_process_that_holds_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    with holder(file, 30) as process:
        try:
            with (
                pytest.raises(HeldError, match=rf"held by process {process.pid} .*; waited 0\.3 s\. Let"),
                Warehouse(file, lock_wait_seconds=0.3).session(),
            ):
                pass
        finally:
            process.kill()


def test_a_file_damaged_in_a_block_is_not_taken_for_one_that_is_held(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1))
    damaged = bytearray(warehouse.file.read_bytes())
    damaged[100] ^= 0xFF
    warehouse.file.write_bytes(damaged)
    with pytest.raises(WarehouseError, match=r"block at location.*move it away"), warehouse.session():
        pass


def test_a_column_that_changed_its_type_is_refused_each_time(warehouse: Warehouse) -> None:
    retyped = Table(NUMBERS.name, (*NUMBERS.columns[:-1], StoredColumn("number", pl.String, True, "")), ())
    with warehouse.session() as session:
        session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1))
    with warehouse.session() as session:
        for day in (MONDAY, TUESDAY):  # a run goes on to its next day in the same session
            with pytest.raises(WarehouseError, match=r"number is stored as BIGINT but is VARCHAR now"):
                session.write_days(retyped, day, day, rows(day, a=2).cast({"number": pl.String}))


def test_a_table_whose_transaction_could_not_be_committed_is_made_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        """A connection whose next commit fails, as DuckDB's does: the transaction is rolled back."""

        def __init__(self, connection: Any) -> None:
            self.connection, self.full = connection, True

        def __getattr__(self, name: str) -> Any:
            return getattr(self.connection, name)

        def execute(self, query: str, *more: Any) -> Any:
            if query == "commit" and self.full:
                self.full = False
                self.connection.execute("rollback")
                raise duckdb.IOException("No space left on device")
            return self.connection.execute(query, *more)

    with warehouse.session() as session:
        monkeypatch.setattr(session, "_connection", FullDisk(session._connection))
        with pytest.raises(WarehouseError, match="the disk is full"):
            session.write(NUMBERS, {"delivery_day": MONDAY}, rows(MONDAY, a=1))
        session.write(NUMBERS, {"delivery_day": TUESDAY}, rows(TUESDAY, a=1))
        assert session.days(NUMBERS) == [TUESDAY]


WRITE_FOR_EVER = """
import sys
from datetime import date
from pathlib import Path
import polars as pl
from customer_profiles.contracts.stored import StoredColumn
from customer_profiles.warehouse import Table, Warehouse
table = Table("raw.versions", (
    StoredColumn("delivery_day", pl.Date, False, ""), StoredColumn("row", pl.Int64, False, ""),
    StoredColumn("version", pl.Int64, False, "")), order=("row",))
day, version = date(2026, 1, 5), int(sys.argv[2])
while True:
    version += 1
    print(version, flush=True)
    rows = pl.select(row=pl.int_range(20_000), version=pl.lit(version, pl.Int64), delivery_day=pl.lit(day))
    with Warehouse(Path(sys.argv[1])).session() as session:
        session.write(table, {"delivery_day": day}, rows)
"""
VERSIONS = Table(
    "raw.versions",
    tuple(
        StoredColumn(name, kind, False, "")
        for name, kind in [("delivery_day", pl.Date), ("row", pl.Int64), ("version", pl.Int64)]
    ),
    order=("row",),
)


def test_a_writer_killed_at_any_moment_leaves_the_old_partition_or_the_new_one(tmp_path: Path) -> None:
    file, script, chance = tmp_path / "warehouse.duckdb", tmp_path / "writer.py", random.Random(1)
    script.write_text(WRITE_FOR_EVER)
    last, cut_off, takes = 0, 0, 0.1
    for _ in range(9):
        process = subprocess.Popen(
            [sys.executable, str(script), str(file), str(last)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        begun = int(process.stdout.readline())
        if chance.random() < 0.5:
            began = time.monotonic()
            begun = int(process.stdout.readline())
            takes = time.monotonic() - began
        time.sleep(chance.uniform(0, takes))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Warehouse(file).session() as session:
            stored = session.frame(VERSIONS)
        assert stored.height in (0, 20_000)
        assert stored["row"].n_unique() == stored.height
        assert stored["version"].n_unique() <= 1
        last = stored["version"].max() or 0
        assert last >= begun - 1
        cut_off += last == begun - 1
    assert cut_off  # some kills really fell into a write
