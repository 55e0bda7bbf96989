"""What a person meets at the terminal when something is not as it should be: one line, no traceback."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from customer_profiles.privacy.pseudonyms import KEY_CHARACTERS
from customer_profiles.privacy.secrets import write_demo_secrets
from customer_profiles.profiles.publication import publish

Command = Callable[..., Any]
HEADER = "order_id,line_number,status_at,customer_id,ordered_at,status,quantity,amount_minor,currency"


def deliver(home: Path) -> None:
    file = home / "deliveries" / "orders" / "2026-01-01.csv"
    file.parent.mkdir(parents=True)
    file.write_text(HEADER)


def the_one_error(said: Any) -> str:
    """The only line that a command printed as an error."""
    assert said.code not in (0, None)
    assert "Traceback" not in said.out + said.err
    lines = [line for line in said.err.splitlines() if line.strip(" ╭─╮╰╯│")]
    errors = [line for line in lines if not line.startswith(("Usage:", "Try ", "╭─ Error"))]
    assert len(errors) == 1, said.err
    return errors[0]


def test_help_names_every_command_in_a_sentence(command: Command) -> None:
    said = command("--help")
    assert said.code == 0
    for name in ("demo", "run", "sources", "model", "simulate", "key", "doctor", "ui"):
        assert f"│ {name} " in said.out


def test_the_module_is_the_command_too() -> None:
    words = [sys.executable, "-m", "customer_profiles.cli", "sources", "--help"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert "Usage: customer-profiles sources" in said


def test_without_a_command_the_help_is_shown(command: Command) -> None:
    assert "Usage: customer-profiles [OPTIONS] COMMAND" in command().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rum"], "No such command 'rum'. Did you mean 'run'?"),
        (["run", "--form", "2026-01-01"], "No such option: --form"),
        (["run", "--from", "1.2.2026"], "Invalid value for '--from': Value error, '1.2.2026' does not match"),
        (["run", "--rebuild", "2026-01-02", "--from", "2026-01-01"], "--rebuild names one day"),
        (
            ["simulate", "--customers", "5"],
            "Invalid value for '--customers': Input should be greater than or equal to 20",
        ),
        (
            ["simulate", "--days", "9", "--drift-day", "2025-12-31"],
            "--drift-day 2025-12-31 is none of the simulated days, 2026-01-01 to 2026-01-09",
        ),
        (["key"], "Missing argument 'customer_id'"),
        (
            ["ui", "--port", "99999"],
            "Invalid value for '--port': Input should be less than or equal to 65535",
        ),
    ],
)
def test_a_slip_at_the_keyboard_is_named(command: Command, arguments: list[str], says: str) -> None:
    said = command(*arguments)
    assert said.code == 2
    assert says in the_one_error(said)


def test_days_are_shown_as_they_are_written(command: Command) -> None:
    assert "[default: (2026-01-01)]" in command("simulate", "--help").out


def test_an_option_misspelt_is_suggested(command: Command) -> None:
    assert "--rebuild" in the_one_error(command("run", "--rebiuld", "2026-01-01"))


def test_an_empty_home_says_how_to_fill_it(command: Command, tmp_path: Path) -> None:
    error = the_one_error(command("run", "--home", tmp_path))
    assert f"no deliveries under {tmp_path / 'deliveries'}" in error
    assert f"customer-profiles simulate --out {tmp_path}" in error
    assert not any(tmp_path.iterdir())


def test_a_range_that_ends_before_it_begins_is_refused(command: Command, tmp_path: Path) -> None:
    deliver(tmp_path)
    error = the_one_error(command("run", "--home", tmp_path, "--from", "2026-01-03", "--to", "2026-01-02"))
    assert error == "error: --from 2026-01-03 lies after --to 2026-01-02"


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--from 2026-01-03", "--from 2026-01-03 lies after the newest delivered day, 2026-01-01"),
        ("--to 2025-12-30", "the first delivered day, 2026-01-01, lies after --to 2025-12-30"),
    ],
)
def test_a_range_beyond_what_was_delivered_names_only_options_that_were_given(
    command: Command, tmp_path: Path, option: str, says: str
) -> None:
    deliver(tmp_path)
    assert the_one_error(command("run", "--home", tmp_path, *option.split())) == f"error: {says}"


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("label: {horizont_days: 3}", ["label.horizont_days: there is no such setting (got 3)"]),
        ("timezone: Asia/Shanghaj", ["timezone", "'Asia/Shanghaj' is not an IANA time zone"]),
        ("timezone: America", ["timezone", "'America' is not an IANA time zone"]),
        ("label: [1, 2", ["cannot be read", "line 1"]),
        ("just words", ["it holds lines of `name: value`"]),
        ("drift: {warn: 0.3, error: 0.1}", ["drift: Value error, warn 0.3 is more than error 0.1"]),
        ("drift: {fall_warn: 0.7}", ["drift: Value error, fall_warn 0.7 is more than fall_error 0.6"]),
        (
            "drift: {columns: {a.b: {warn: 0.3}}}",
            ["drift: Value error, warn 0.3 is more than error 0.25 of a.b"],
        ),
        (
            "segments: {smallest_share: 0.3}",
            ["segments: Value error, smallest_share 0.3 is more than 1 / 4"],
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(
    command: Command, tmp_path: Path, yaml: str, says: list[str]
) -> None:
    (tmp_path / "settings.yaml").write_text(yaml)
    error = the_one_error(command("run", "--home", tmp_path))
    assert all(part in error for part in [*says, str(tmp_path / "settings.yaml")]), error


@pytest.mark.parametrize("damage", [b"no database at all" * 1000, b""])
def test_a_damaged_warehouse_is_named_with_what_to_do(
    command: Command, tmp_path: Path, damage: bytes
) -> None:
    deliver(tmp_path)
    (tmp_path / "warehouse.duckdb").write_bytes(damage or b"\0" * 20_000)
    error = the_one_error(command("run", "--home", tmp_path))
    assert f"{tmp_path / 'warehouse.duckdb'} cannot be opened" in error
    assert "move it away" in error


def test_a_key_is_printed_alone_and_is_the_same_in_two_demo_homes(command: Command, tmp_path: Path) -> None:
    for home in ("one", "two"):
        write_demo_secrets(tmp_path / home / "secrets")
    one, two = (command("key", "C12", "--home", tmp_path / home) for home in ("one", "two"))
    assert one.code == 0
    assert one.out == two.out
    assert len(one.out.strip()) == KEY_CHARACTERS
    assert command("key", "C12", "--home", tmp_path / "three").out != one.out


def test_keys_of_a_list_of_ids_are_printed_as_csv_with_those_of_merged_profiles(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_demo_secrets(tmp_path / "secrets")
    one, two = (command("key", each, "--home", tmp_path).out.strip() for each in ("C1", "C2"))
    merged = pl.DataFrame({"member_key": [two], "customer_key": [one]})
    publish(tmp_path / "published", date(2026, 1, 1), {"merged_ids": merged})
    for ids in ("C1\n\nC2 \n", "\ufeffC1\nC2\n"):
        monkeypatch.setattr("sys.stdin", StringIO(ids))
        assert (
            command("key", "-", "--home", tmp_path).out == f"customer_id,customer_key\nC1,{one}\nC2,{one}\n"
        )
    monkeypatch.setattr("sys.stdin", StringIO("C1\n\udcff\n"))
    assert "not UTF-8" in the_one_error(command("key", "-", "--home", tmp_path))


def test_a_key_of_nothing_is_refused(command: Command, tmp_path: Path) -> None:
    assert "customer id" in the_one_error(command("key", "  ", "--home", tmp_path))


def test_a_secret_that_is_none_is_named_with_how_to_make_one(command: Command, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "vault.key").write_text("hunter2")
    error = the_one_error(command("key", "C12", "--home", tmp_path))
    assert "vault.key" in error
    assert "openssl rand -base64 32" in error
    assert "hunter2" not in error


def test_a_simulation_overwrites_nothing(command: Command, tmp_path: Path) -> None:
    deliver(tmp_path)
    error = the_one_error(command("simulate", "--out", tmp_path, "--customers", "20", "--days", "1"))
    assert "already holds files (such as deliveries/orders/2026-01-01.csv); nothing was written" in error
    assert [file.name for file in tmp_path.iterdir()] == ["deliveries"]


@pytest.mark.parametrize(
    "words",
    ["simulate --customers 20 --days 1 --out", "run --home", "demo --home", "model --home", "doctor --home"],
)
def test_a_home_that_is_a_file_is_named_as_one(command: Command, tmp_path: Path, words: str) -> None:
    (tmp_path / "file").write_text("")
    error = the_one_error(command(*words.split(), tmp_path / "file"))
    assert error == f"error: {tmp_path / 'file'} is a file, and a home is a folder: name another one"


def test_secrets_are_for_their_owner_alone(command: Command, tmp_path: Path) -> None:
    command("key", "C12", "--home", tmp_path)
    files = [*(tmp_path / "secrets").iterdir()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize(
    "words",
    ["key C12", "drift", "model", "model list", "quarantine list", "sources check", "ui --port 3999"],
)
def test_a_home_that_is_not_there_is_named_and_not_made(command: Command, tmp_path: Path, words: str) -> None:
    nowhere = tmp_path / "nowhere"
    error = the_one_error(command(*words.split(), "--home", nowhere))
    assert f"{nowhere}: there is no such folder" in error
    assert not nowhere.exists()


def test_a_port_that_is_taken_is_named_and_no_daemon_started(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.execve", lambda *of: pytest.fail("it was started"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = the_one_error(command("ui", "--home", tmp_path, "--port", str(port)))
    assert error.startswith(f"error: port {port} cannot be used (Address already in use)")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    ["drift", "quarantine list", "quarantine show orders 2026-01-01 --reveal", "quarantine release orders"],
)
def test_looking_at_a_home_in_which_nothing_ran_makes_nothing_there(
    command: Command, tmp_path: Path, words: str
) -> None:
    error = the_one_error(command(*words.split(), "--home", tmp_path))
    assert error == f"error: nothing ran in {tmp_path} yet: customer-profiles run"
    assert not any(tmp_path.iterdir())


def test_the_doctor_ends_with_one_if_anything_is_wrong(command: Command, tmp_path: Path) -> None:
    assert command("doctor", "--home", tmp_path).code == 0
    said = command("doctor", "--home", tmp_path / "nowhere")
    assert said.code == 1
    assert "error home: there is no such folder" in said.out
