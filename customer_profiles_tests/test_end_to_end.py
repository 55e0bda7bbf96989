"""From deliveries to profiles through the command line, in small homes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest
import yaml

from customer_profiles.collection.tables import DELIVERIES
from customer_profiles.conversion.tables import SCORES
from customer_profiles.features.catalogue import TRAITS
from customer_profiles.features.tables import CUSTOMER_FEATURES, FAMILIES, IDENTITIES
from customer_profiles.orchestration.instance import PROCESS_TAG, open_instance
from customer_profiles.orchestration.platform import Platform
from customer_profiles.privacy.secrets import write_demo_secrets
from customer_profiles.profiles.tables import CUSTOMER_PROFILES
from customer_profiles.segments.assets import segmentation
from customer_profiles.segments.service import load_segmentation
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.settings import load_settings
from customer_profiles.warehouse import Table, Warehouse

FIRST, DAYS, CUSTOMERS = date(2026, 1, 1), 17, 600
LAST, BEFORE_LAST = FIRST + timedelta(days=DAYS - 1), FIRST + timedelta(days=DAYS - 2)
SNAPSHOT, BAD_DAY = date(2026, 1, 3), date(2026, 1, 2)
SETTINGS = {
    "label": {"horizon_days": 5, "maturity_days": 2, "smallest_history_days": 2, "holdout_share": 0.5},
    "conversion": {"smallest_positives": 10, "bootstrap_rounds": 50},
    "features": {"recent_days": 2},
}

NAME, LATIN_NAME = "欧阳星河测试", "Ouyang Plantedname"
MAIL, PHONE, ADDRESS = "ouyang.planted@post.example", "13912345678", "No. 7 Plantedstreet"
SEARCH, REVIEW = "gift for ouyang planted", "the planted parcel came late 来得太晚了吧"
BIRTH, CUSTOMER, COOKIE = "1987-06-05", "PLANTED-CUSTOMER-77", "planted-cookie-4711"
PERSONAL = [NAME, LATIN_NAME, MAIL, PHONE, ADDRESS, SEARCH, REVIEW, BIRTH, CUSTOMER, COOKIE]
SIMULATED_ID = re.compile(rb"\bC0000\d{3}\b")

PLANTED = {
    "customers/2026-01-03/planted.csv": "\n".join(
        [
            "customer_id,updated_at,full_name,birth_date,email,phone,home_address",
            f"{CUSTOMER},2026-01-03 09:00:00,{NAME},{BIRTH},{MAIL.title()},139 1234 5678,{ADDRESS}",
            f"{CUSTOMER}-child,2026-01-03 09:00:00,{LATIN_NAME},2019-06-05,{MAIL},{PHONE},{ADDRESS}",
            f"{CUSTOMER}-wrong,{MAIL},{LATIN_NAME},{NAME},{PHONE},{MAIL},{ADDRESS}",
            f"{CUSTOMER}-ragged,2026-01-03 09:00:00,{LATIN_NAME},{BIRTH},{MAIL},{PHONE},{ADDRESS},{NAME},x",
            f"{CUSTOMER}-short,{MAIL}",
        ]
    ),
    "events/2026-01-03/planted.csv": "\n".join(
        [
            "event_id,event_at,event_name,channel,customer_id,anonymous_id,search_query,quantity",
            f"planted-1,2026-01-03 10:00:00,search,web,{CUSTOMER},{COOKIE},{SEARCH},",
            f"planted-2,2026-01-03 10:00:00,search,web,{CUSTOMER},{COOKIE},{SEARCH},{LATIN_NAME}",
            f"planted-3,2026-01-03 10:00:00,{MAIL},{NAME},,{COOKIE},{SEARCH},1",
        ]
    ),
    "texts/2026-01-03/planted.ndjson": "\n".join(
        [
            json.dumps(
                {
                    "text_id": f"planted-{number}",
                    "customer_id": CUSTOMER,
                    "kind": kind,
                    "created_at": "2026-01-03T10:00:00",
                    "body": REVIEW,
                    "signed_by": NAME,
                }
            )
            for number, kind in enumerate(("review", NAME))
        ]
        + [f"no json at all: {PHONE} {REVIEW}"]
    ),
    "orders/2026-01-03/planted.csv": "\n".join(
        [
            "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency",
            f"planted,1,2026-01-03 10:00:00,{CUSTOMER},2026-01-03 10:00:00,paid,1,100,CNY",
            f"planted,2,2026-01-03 10:00:00,{CUSTOMER},2026-01-03 10:00:00,paid,1,{PHONE}x,CNY",
        ]
    ),
    "identity_links/2026-01-03/planted.csv": "\n".join(
        [
            "kind,identifier,customer_id,linked_at,method",
            f"email,{MAIL},{CUSTOMER},2026-01-03 10:00:00,login",
            f"phone,{PHONE},{CUSTOMER},{LATIN_NAME},login",
        ]
    ),
    "partner_attributes/2026-01-03/planted.csv": "\n".join(
        [
            "partner,identifier,attribute,observed_at,value",
            f"acme,{MAIL},income_band,2026-01-03 10:00:00,high",
        ]
    ),
    "social_edges/2026-01-03/planted.csv": "\n".join(
        [
            "source_customer_id,target_customer_id,kind,created_at",
            f"{CUSTOMER},{CUSTOMER}-child,friend,2026-01-03 10:00:00",
        ]
    ),
}
HEADLESS = f"{CUSTOMER},2026-01-02 09:00:00,{NAME},{BIRTH},{MAIL},{PHONE}\n" * 2


def stored(home: Path, table: Table, day: date | None = None, *columns: str) -> pl.DataFrame:
    with Warehouse(home / "warehouse.duckdb").session() as session:
        return session.frame(table, day, day, *columns)


def days_of(home: Path, table: Table) -> list[date]:
    with Warehouse(home / "warehouse.duckdb").session() as session:
        return session.days(table)


def loaded_days(home: Path, table: str) -> list[date]:
    """The days of which a delivery of the table stands in the ledger."""
    ledger = stored(home, DELIVERIES, None, "delivery_day", "table_name")
    return sorted(set(ledger.filter(pl.col("table_name") == table)["delivery_day"]))


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(file.relative_to(folder)): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def plant(deliveries: Path) -> None:
    """Put files with known personal data beside the simulated ones of one day."""
    for place, text in PLANTED.items():
        file = deliveries / place
        whole = next(file.parent.parent.glob(f"{file.parent.name}.*"))
        file.parent.mkdir()
        whole.rename(file.parent / f"simulated{''.join(whole.suffixes)}")
        file.write_text(text, encoding="utf-8")


def says(home: Path, asset: str, day: date) -> str:
    """What the newest materialization of an asset's day says."""
    with open_instance(home / "instance") as instance:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(asset.split("/")), asset_partitions=[str(day)]), limit=1
        ).records
    assert records, f"{asset} of {day} was not recorded"
    materialization = records[0].asset_materialization
    assert materialization is not None
    return str(materialization.metadata["says"].value)


@pytest.fixture(scope="session")
def deliveries(command: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated retailer's deliveries with known personal data in them."""
    folder = tmp_path_factory.mktemp("retailer")
    done = command("simulate", "--out", folder, "--customers", CUSTOMERS, "--days", DAYS)
    assert done.code == 0, done.err
    plant(folder / "deliveries")
    return folder / "deliveries"


def new_home(folder: Path, deliveries: Path | None = None, last: date = LAST) -> Path:
    """A home with the demo's secrets and the deliveries up to a day."""
    folder.mkdir()
    (folder / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    write_demo_secrets(folder / "secrets")
    for entry in deliveries.glob("*/*") if deliveries else ():
        if entry.name[:10] <= str(last):
            target = folder / "deliveries" / entry.parent.name / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if entry.is_dir() else shutil.copy)(entry, target)
    return folder


@pytest.fixture(scope="session")
def home(
    command: Callable[..., Any], deliveries: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A home in which everything was run, and what the run said."""
    folder = new_home(tmp_path_factory.mktemp("homes") / "all", deliveries)
    return folder, command("run", "--home", folder)


@pytest.fixture(scope="session")
def early(
    command: Callable[..., Any], home: tuple[Path, Any], deliveries: Path, tmp_path_factory: Any
) -> dict[str, Any]:
    """A home that knows the first days alone; one delivery was bad at first and mended later."""
    folder = new_home(tmp_path_factory.mktemp("homes") / "early", deliveries, SNAPSHOT)
    bad = folder / "deliveries" / "customers" / f"{BAD_DAY}.csv"
    good = bad.read_bytes()
    bad.write_text(HEADLESS, encoding="utf-8")
    other = state(home[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        failed = command("run", "--home", folder)
        days = {name: loaded_days(folder, name) for name in ("customers", "orders")}
        with open_instance(folder / "instance") as instance:
            recorded = instance.get_materialized_partitions(dg.AssetKey(["raw", "customers"]))
        report = json.loads((folder / "last_run.json").read_text())
        bad.write_bytes(good)
        mended = command("run", "--home", folder)
        strewn = list(Path.cwd().iterdir())
    return {
        "home": folder,
        "failed": failed,
        "days": days,
        "recorded": recorded,
        "report": report,
        "mended": mended,
        "strewn": strewn,
        "other_home_before": other,
        "other_home_after": state(home[0]),
    }


def test_a_run_over_all_days_succeeds(home: tuple[Path, Any]) -> None:
    assert home[1].code == 0, home[1].out + home[1].err


def test_every_received_row_has_one_fate(home: tuple[Path, Any]) -> None:
    report = json.loads((home[0] / "last_run.json").read_text())
    files = stored(home[0], DELIVERIES)
    for table, counts in report["rows"].items():
        fates = {name: rows for name, rows in counts.items() if name != "received"}
        assert counts["received"] == sum(fates.values()) > 0, table
        assert counts["received"] == files.filter(pl.col("table_name") == table)["rows"].sum(), table


def test_what_a_check_says_of_a_day_names_the_day(home: tuple[Path, Any]) -> None:
    failed = json.loads((home[0] / "last_run.json").read_text())["checks_failed"]
    lines, told = home[1].out.splitlines(), [check for check in failed if check["day"]]
    assert told
    for check in told:
        assert any(f"{check['asset']} {check['name']} on {check['day']}: " in line for line in lines)


def test_running_again_changes_no_file_and_says_so(home: tuple[Path, Any], command: Any) -> None:
    before = state(home[0])
    again = command("run", "--home", home[0])
    assert again.code == 0
    assert "nothing has changed since this run" in again.out
    assert state(home[0]) == before


def test_the_newest_day_is_published_with_a_row_for_every_customer(home: tuple[Path, Any]) -> None:
    published = home[0] / "published"
    manifest = json.loads((published / "manifest.json").read_text())
    rows = pl.read_parquet(published / "current" / "customer_profiles.parquet")
    assert manifest["as_of"] == str(LAST)
    assert manifest["files"]["customer_profiles"]["rows"] == rows.height
    assert rows["customer_key"].is_unique().all()
    assert set(rows["customer_key"]) == set(stored(home[0], FAMILIES["personal"], LAST)["customer_key"])
    assert rows.height > 0.7 * CUSTOMERS
    told = pl.read_parquet(published / "current" / "traits.parquet")["trait"]
    assert set(told) == set(TRAITS) & set(rows.columns)
    assert len(told) >= 60


def test_a_champion_scores_or_the_report_says_that_none_does(home: tuple[Path, Any]) -> None:
    report = json.loads((home[0] / "last_run.json").read_text())
    scores = stored(home[0], SCORES)
    assert {row["model"] for row in report["models"]} > {"base_rate", "logistic_regression", "rfm_rule"}
    if report["serves"]:
        assert scores["conversion_probability"].is_between(0, 1).all()
        eligible = stored(home[0], CUSTOMER_FEATURES, LAST).filter("eligible_for_scoring")
        assert set(scores["customer_key"]) == set(eligible["customer_key"])
    else:
        assert scores.is_empty()
        assert "nobody is scored" in says(home[0], "profiles/conversion_scores", LAST)


@pytest.mark.parametrize("asset", ["features/principal_components", "profiles/segments"])
def test_what_a_model_makes_is_absent_before_its_training_day(home: tuple[Path, Any], asset: str) -> None:
    table = Table(asset.replace("/", "."), (), (), partition=("as_of",))
    assert days_of(home[0], table) == [LAST]
    assert re.search(f"absent before .* training day: .*{LAST}", says(home[0], asset, BEFORE_LAST))


def test_segments_part_all_customers(home: tuple[Path, Any]) -> None:
    segments = stored(home[0], SEGMENTS, LAST)
    assert segments["segment"].n_unique() >= 4
    assert segments.height == stored(home[0], CUSTOMER_PROFILES, LAST).height


def test_a_bad_delivery_stops_neither_other_tables_nor_other_days(early: dict[str, Any]) -> None:
    every = [FIRST + timedelta(days=n) for n in range(3)]
    assert early["failed"].code == 1
    assert early["days"]["orders"] == every
    assert early["days"]["customers"] == [day for day in every if day != BAD_DAY]
    assert early["recorded"] == {str(day) for day in every}


def test_the_good_days_of_a_table_with_a_bad_file_are_cleaned_and_add_up(early: dict[str, Any]) -> None:
    counts = early["report"]["rows"]["customers"]
    assert counts["received"] == sum(rows for fate, rows in counts.items() if fate != "received") > 0
    assert early["report"]["checks_passed"] > 50
    failed = [(check["asset"], check["name"]) for check in early["report"]["checks_failed"]]
    assert ("raw/deliveries", "every_delivery_was_read") in failed


def test_a_failed_run_names_table_day_and_file_once(early: dict[str, Any]) -> None:
    told = [line for line in early["failed"].out.splitlines() if f"customers/{BAD_DAY}.csv" in line]
    assert len(told) == 1
    assert f"customers of {BAD_DAY}" in told[0]
    assert "Traceback" not in early["failed"].out + early["failed"].err


def test_the_next_run_picks_up_what_was_mended(early: dict[str, Any]) -> None:
    assert early["mended"].code == 0, early["mended"].out
    assert BAD_DAY in loaded_days(early["home"], "customers")


def test_a_profile_is_the_same_whatever_is_delivered_later(
    home: tuple[Path, Any], early: dict[str, Any]
) -> None:
    knowing_more, at_the_time = (
        stored(folder, CUSTOMER_FEATURES, SNAPSHOT) for folder in (home[0], early["home"])
    )
    assert knowing_more.height > 0.7 * CUSTOMERS
    assert at_the_time.equals(knowing_more)


def test_who_is_whom_on_a_day_is_the_same_whatever_is_delivered_later(
    home: tuple[Path, Any], early: dict[str, Any]
) -> None:
    knowing_more, at_the_time = (stored(folder, IDENTITIES, SNAPSHOT) for folder in (home[0], early["home"]))
    assert (at_the_time["member_key"] != at_the_time["customer_key"]).any()
    assert at_the_time.equals(knowing_more)
    assert not stored(home[0], IDENTITIES, LAST).drop("as_of").equals(knowing_more.drop("as_of"))


def test_ids_that_a_login_proved_to_be_one_customer_have_one_published_profile(
    home: tuple[Path, Any], deliveries: Path, command: Any
) -> None:
    published = home[0] / "published" / "current"
    profiles = set(pl.read_parquet(published / "customer_profiles.parquet")["customer_key"])
    merged = pl.read_parquet(published / "merged_ids.parquet")
    assert not profiles & set(merged["member_key"])
    assert set(merged["customer_key"]) <= profiles
    second = pl.read_parquet(deliveries.parent / "truth" / "second_ids.parquet")
    proven = second.filter(pl.col("proven_on").is_not_null(), pl.col("withdrawn_on").is_null())
    told = [
        [command("key", customer, "--home", home[0]).out.split()[0] for customer in pair]
        for pair in proven.select("customer_id", "other_customer_id").iter_rows()
    ]
    pairs = {frozenset(row) for row in merged.iter_rows()}
    assert pairs <= {frozenset(keys) for keys in told}, "nobody else is merged"
    assert len(pairs) >= 0.8 * len(told) > 2, "a dirty link may be lost"
    member = next(key for key in told if frozenset(key) in pairs)
    said = [command("key", c, "--home", home[0]).out for c in proven.row(told.index(member))[:2]]
    profile = next(iter(set(member) & profiles))
    assert sorted(profile in line.splitlines()[-1] for line in said) == [True, True]


def test_two_homes_never_touch(early: dict[str, Any]) -> None:
    assert early["other_home_after"] == early["other_home_before"]
    assert early["strewn"] == []


@pytest.mark.parametrize("place", ["all", "early"])
def test_personal_data_stands_nowhere_in_clear(
    home: tuple[Path, Any], early: dict[str, Any], place: str
) -> None:
    folder = home[0] if place == "all" else early["home"]
    printed = home[1] if place == "all" else early["failed"]
    assert found_in_texts({"terminal": (printed.out + printed.err).encode()}) == []
    assert found_in_texts(contents(folder)) == []
    assert found_in_tables(folder) == []


def test_the_search_for_personal_data_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text(json.dumps({"name": NAME}))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create table people as select ? as born, ? as said", [date(1987, 6, 5), [SEARCH]])
    pl.DataFrame({"mail": [MAIL.upper()] * 1000}).write_parquet(tmp_path / "rows.parquet")
    assert {what for _, what in found_in_texts(contents(tmp_path))} >= {NAME, MAIL}
    assert {what for _, what in found_in_tables(tmp_path)} == {BIRTH, SEARCH}


def contents(home: Path) -> dict[str, bytes]:
    """Bytes of every file of a home but its deliveries; Parquet and zip archives are unpacked too."""
    found = {}
    for file in home.rglob("*"):
        if not file.is_file() or file.is_relative_to(home / "deliveries"):
            continue
        name = str(file.relative_to(home))
        found[name] = file.read_bytes()
        if file.suffix == ".parquet":
            found[f"{name}, read"] = pl.read_parquet(file).cast(pl.String).write_csv().encode()
        elif zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                found |= {f"{name}, {part}": archive.read(part) for part in archive.namelist()}
    return found


def found_in_texts(texts: dict[str, bytes]) -> list[tuple[str, str]]:
    """Where known personal data stands: as UTF-8, or escaped as JSON does it, in any case of letters."""
    known = {form: what for what in PERSONAL for form in _forms(what)}
    found = [
        (place, what)
        for place, content in texts.items()
        for lower in [content.lower()]
        for form, what in known.items()
        if form in lower
    ]
    found += [(place, "a simulated id") for place, content in texts.items() if SIMULATED_ID.search(content)]
    return found


def _forms(what: str) -> set[bytes]:
    return {what.lower().encode(), json.dumps(what)[1:-1].lower().encode()}


def found_in_tables(home: Path) -> list[tuple[str, str]]:
    """The same in every cell of every table of the home's DuckDB files, whatever its type."""
    found = []
    for file in home.glob("*.duckdb"):
        with duckdb.connect(str(file), read_only=True) as connection:
            tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            for schema, table in tables:
                rows = connection.sql(f'select lower(rows::varchar) as row from "{schema}"."{table}" as rows')
                text = rows.pl()["row"].str.join("\n").item().encode() if rows else b""
                found += found_in_texts({f"{schema}.{table}": text})
                if re.search(rb"\bc0000\d{3}\b", text):
                    found.append((f"{schema}.{table}", "a simulated id"))
    return found


ORDER = "o{day}-{n},1,2026-01-0{day} 1{n}:00:00,shopper {n},2026-01-0{day} 1{n}:00:00,completed,1,{n}900,CNY"


def orders_of_five_days(home: Path) -> None:
    """Five days of orders and no other table."""
    folder = home / "deliveries" / "orders"
    folder.mkdir(parents=True)
    for day in range(1, 6):
        lines = [ORDER.format(day=day, n=n) for n in range(day, 9)]
        columns = (
            "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency"
        )
        (folder / f"2026-01-0{day}.csv").write_text("\n".join([columns, *lines]), encoding="utf-8")


@pytest.fixture(scope="session")
def orders_alone(command: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A home of five days and one table, whose first run was killed while it held the warehouse."""
    folder = tmp_path_factory.mktemp("homes") / "orders"
    folder.mkdir()
    orders_of_five_days(folder)
    (folder / "settings.yaml").write_text("features: {recent_days: 2}")
    killed = _run_and_kill(folder)
    done = command("run", "--home", folder)
    with open_instance(folder / "instance") as instance:
        runs = {int(run.tags[PROCESS_TAG]): run.status for run in instance.get_runs()}
        slots = instance.event_log_storage.get_concurrency_info("warehouse").active_slot_count
    return {"home": folder, "killed": killed, "said": done, "runs": runs, "slots": slots}


def _run_and_kill(home: Path) -> int:
    """Start a run, kill it once a step of it holds the pool's slot, and return its process."""
    program = [sys.executable, "-W", "ignore", "-c", "from customer_profiles.cli import main; main()"]
    with subprocess.Popen(
        [*program, "run", "--home", str(home)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(sqlite3.OperationalError):  # the file or the table is not there yet
                if _holds_a_slot(home):
                    break
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "the run ended before it was killed"
    assert _holds_a_slot(home)
    return process.pid


def _holds_a_slot(home: Path) -> bool:
    """Asked of the file itself: Dagster must not open an instance that another process just makes."""
    file = home / "instance" / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("select 1 from concurrency_slots where run_id is not null").fetchone())


def test_a_killed_run_is_marked_as_failed_and_the_next_one_completes(orders_alone: dict[str, Any]) -> None:
    assert orders_alone["runs"][orders_alone["killed"]] == dg.DagsterRunStatus.FAILURE
    assert orders_alone["runs"][os.getpid()] == dg.DagsterRunStatus.SUCCESS
    assert orders_alone["slots"] == 0


def test_five_days_of_orders_alone_are_green_and_say_that_there_is_no_model(
    orders_alone: dict[str, Any],
) -> None:
    said = orders_alone["said"]
    assert said.code == 0, said.out + said.err
    assert " 0 failed" in said.out, said.out
    assert "conversion model: No model yet: no as-of day has a matured label" in said.out
    assert "segments: No model yet" in said.out


def test_what_no_source_tells_is_unknown_and_not_zero(orders_alone: dict[str, Any]) -> None:
    profiles = stored(orders_alone["home"], CUSTOMER_PROFILES, date(2026, 1, 5))
    untold = ["sessions_30", "degree", "contacts_90", "shares_90", "age_years", "conversion_probability"]
    assert profiles.height == 8
    assert profiles.select(pl.col(untold).null_count()).row(0) == (8,) * len(untold)
    assert profiles["orders_lifetime"].null_count() == 0


def test_segments_that_are_fitted_anew_say_who_moved_since_the_last_fit(
    home: tuple[Path, Any], tmp_path: Path
) -> None:
    folder = shutil.copytree(home[0], tmp_path / "home")

    def fit(**settings: Any) -> Mapping[str, Any]:
        resources = {"platform": Platform(load_settings(folder, segments=settings), {})}
        (told,) = dg.materialize([segmentation], resources=resources).asset_materializations_for_node(
            "models__segmentation"
        )
        return told.metadata

    before = load_segmentation(folder / "models")
    assert "migration" not in fit()  # the same data, settings and code: the same segments
    moved = str(fit(fewest=2, most=3)["migration"].value)
    after = load_segmentation(folder / "models")
    assert before is not None
    assert after is not None
    assert all(f"| {name} |" in moved for name in (*before.model.names_, *after.model.names_))
    pointer = folder / "models" / "segmentation" / "champion.json"
    pointer.write_text("{")
    assert "cannot be read" in str(fit()["migration"].value)
