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
