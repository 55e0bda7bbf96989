"""Where settings come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer_profiles.settings import DEFAULT_HOME, HOME_VARIABLE, SettingsError, load_settings

HORIZON = "CUSTOMER_PROFILES_LABEL__HORIZON_DAYS"
DEFAULT, IN_THE_FILE, IN_THE_ENVIRONMENT, SAID = 30, 13, 12, 11


def test_what_is_said_comes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(tmp_path).label.horizon_days == DEFAULT
    (tmp_path / "settings.yaml").write_text(f"label: {{horizon_days: {IN_THE_FILE}, gap_days: 2}}")
    assert load_settings(tmp_path).label.horizon_days == IN_THE_FILE
    monkeypatch.setenv(HORIZON, str(IN_THE_ENVIRONMENT))
    label = load_settings(tmp_path).label
    assert (label.horizon_days, label.gap_days) == (IN_THE_ENVIRONMENT, 2)
    assert load_settings(tmp_path, label={"horizon_days": SAID}).label.horizon_days == SAID


def test_an_empty_variable_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, "")
    monkeypatch.setenv(HORIZON, "")
    settings = load_settings()
    assert settings.home == tmp_path / DEFAULT_HOME
    assert settings.label.horizon_days == DEFAULT


def test_the_settings_of_the_home_that_the_environment_names_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.yaml").write_text(f"label: {{horizon_days: {IN_THE_FILE}}}")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    settings = load_settings()
    assert (settings.home, settings.label.horizon_days) == (tmp_path, IN_THE_FILE)


@pytest.mark.parametrize("name", ["settings", "sources"])
def test_a_file_that_its_ending_keeps_from_being_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.yml").write_text("{}")
    with pytest.raises(SettingsError, match=rf"{name}\.yml is not read: name it {name}\.yaml"):
        load_settings(tmp_path)
    (tmp_path / f"{name}.yaml").write_text("{}")
    assert load_settings(tmp_path).home == tmp_path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("label: {horizon_days: 60}\nlabel: {gap_days: 2}\n", "line 2: label stands in line 1 already"),
        ("label:\n  gap_days: 1\n  gap_days: 2\n", "line 3: gap_days stands in line 2 already"),
        ("1: 2\n", "line 1: '1' is no name of a setting"),
        ("collection: {default_phone_region: UK}\n", "there is no such region; ISO 3166 names them"),
    ],
)
def test_what_a_file_says_twice_or_wrongly_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(SettingsError, match=says):
        load_settings(tmp_path)


def test_a_clock_needs_no_quotes_and_a_region_no_capitals(tmp_path: Path) -> None:
    text = "alerts: {quiet_from: 22:00, quiet_until: 07:30}\ncollection: {default_phone_region: de}\n"
    (tmp_path / "settings.yaml").write_text(text)
    settings = load_settings(tmp_path)
    assert (settings.alerts.quiet_from, settings.alerts.quiet_until) == ("22:00", "07:30")
    assert settings.collection.default_phone_region == "DE"


def test_a_variable_that_cannot_be_read_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMER_PROFILES_LABEL__TRAIN", "churn")
    with pytest.raises(SettingsError, match=r"^a CUSTOMER_PROFILES_\* variable cannot be read"):
        load_settings(tmp_path)
