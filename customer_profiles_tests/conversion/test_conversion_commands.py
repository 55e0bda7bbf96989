"""``customer-profiles model``, and what becomes of scores when models are deleted or rolled back."""

import hashlib
import json
import re
import shutil
from datetime import date

import numpy as np
import polars as pl
import pytest

from customer_profiles import cli_model
from customer_profiles.conversion import snapshots
from customer_profiles.conversion.artefacts import champion, room, versions
from customer_profiles.conversion.checks import CHECKS
from customer_profiles.conversion.realised import realised_lift
from customer_profiles.conversion.service import train_label
from customer_profiles.conversion.tables import SCORES
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.report import in_service
from customer_profiles.settings import load_settings

SECOND = date(2026, 1, 15)


@pytest.fixture
def model(command):
    """``model(home, "list")``: ``customer-profiles model list --home HOME``."""
    return lambda home, *words: command("model", *words, "--home", home.settings.home)


@pytest.fixture(scope="module")
def made_twice(new_model_home):
    """A home in which two versions were trained; the second serves and has scored."""
    home = new_model_home()
    first = train_label(home.platform.warehouse, home.settings, "purchase", print)
    file = home.settings.home / "settings.yaml"
    file.write_text(file.read_text().replace("conversion:", "conversion:\n  seed: 5"))
    home = type(home)(Platform(load_settings(home.settings.home), {}))
    assert home.materialize("conversion", "conversion_scores").success
    return home, first.version, champion(home.settings.models, "purchase").version


@pytest.fixture
def twice(made_twice, tmp_path):
    """A copy of it, to be changed."""
    home, first, second = made_twice
    copy = shutil.copytree(home.settings.home, tmp_path / "home")
    return type(home)(Platform(load_settings(copy), {})), first, second


def stored_as_another_version_did(folder, name, text):
    """Change a file of a stored version, and its checksum with it."""
    (folder / name).write_text(text)
    sums = json.loads((folder / "manifest.json").read_text())
    sums[name] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(sums))


def scored_by(home):
    with home.platform.warehouse() as session:
        return session.frame(SCORES, home.last, home.last)["model_version"].unique().to_list()


def test_without_a_word_the_page_of_the_champion_is_shown(trained_home, model):
    said = model(trained_home[0])
    assert said.code == 0, said.err
    for words in ("serves", "Contact the 150 highest of 1,500", "By gender", "Known limits", "logistic"):
        assert words in said.out


def test_the_page_is_readable_at_80_columns(trained_home, model, monkeypatch):
    monkeypatch.setattr(cli_model.out, "width", 80)
    lines = model(trained_home[0]).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "…" in line]


def test_a_home_without_model_says_how_to_get_one(command, tmp_path):
    for words in (["model"], ["model", "rollback", "--reason", "why"], ["model", "compare", "abc"]):
        said = command(*words, "--home", tmp_path)
        assert said.code == 1
        assert len(said.err.strip().splitlines()) == 1
    assert "no model of purchase was trained yet" in command("model", "list", "--home", tmp_path).out


def test_a_label_that_is_not_trained_says_where_to_name_it(trained_home, model):
    for said in (
        model(trained_home[0], "list", "--label", "churn").out,
        model(trained_home[0], "--label", "churn").err,
    ):
        assert "label.train names purchase alone; add churn to it in" in said


def test_the_page_tells_what_every_figure_means_and_what_profit_leaves_out(trained_home, model):
    said = " ".join(model(trained_home[0]).out.split())
    assert "by the margin and cost named below, is largest at" in said
    assert "Who would have done it without a contact counts too" in said
    assert "a group is named if its whole interval lies outside 0.9 to 1.1" in said
    assert re.search(r"ece_by_chance 0\.\d+ the ECE that", said), "a bound of chance has no interval"


@pytest.mark.parametrize("harm", ["lists", "cutoff"])
def test_a_page_of_another_version_says_so_and_where_its_card_is(twice, model, harm):
    home, _, second = twice
    folder = room(home.settings.models, "purchase") / second
    page = (folder / "page.json").read_text().replace(f'"{harm}"', '"renamed"')
    stored_as_another_version_did(folder, "page.json", page)
    said = model(home, "show", second)
    assert said.code == 1
    assert "was written by another version of the platform" in said.err
    assert str(folder / "model_card.md") in said.err
    assert "model_card" in {file.stem for file in folder.iterdir()}


def test_a_home_named_before_the_word_is_that_home(trained_home, command):
    home = trained_home[0]
    said = command("model", "--home", home.settings.home, "list")
    assert champion(home.settings.models, "purchase").version in said.out


def test_a_label_that_there_is_not_is_named(trained_home, model):
    said = model(trained_home[0], "list", "--label", "loyalty")
    assert "there is no label 'loyalty'; there are: purchase, first_purchase" in said.err


def test_a_rollback_serves_at_once_and_the_next_training_does_not_undo_it(twice, model):
    home, first, second = twice
    said = model(home, "rollback", "--reason", "the call centre complains")
    assert f"{first} serves again" in said.out
    assert scored_by(home) == [second]
    run = home.materialize("conversion", "conversion_scores")
    assert (
        "stays out: the call centre complains"
        in run.asset_materializations_for_node("models__conversion")[0].metadata["notes"].value
    )
    assert champion(home.settings.models, "purchase").version == first
    assert scored_by(home) == [first]
    listed = model(home, "list").out
    assert "rolled back" in listed
    assert "the call centre complains" in listed
    promoted = model(home, "promote", second[:6], "--reason", "it was the phone line")
    assert f"{second} serves" in promoted.out


def test_a_promotion_wants_a_reason_and_a_version_that_is_there(twice, model):
    home, first, _ = twice
    assert "Missing option '--reason'" in model(home, "promote", first).err
    assert "say why" in model(home, "promote", first, "--reason", " ").err
    assert "no version 'zzz'" in model(home, "promote", "zzz", "--reason", "why").err


@pytest.mark.parametrize("how", ["promote", "rollback"])
def test_a_version_whose_inputs_are_gone_does_not_serve(twice, model, how):
    home, first, second = twice
    folder = room(home.settings.models, "purchase") / first
    names = json.loads((folder / "inputs.json").read_text())
    names["numeric"][0] = "shoe_size"
    stored_as_another_version_did(folder, "inputs.json", json.dumps(names))
    said = model(home, how, *([first] if how == "promote" else []), "--reason", "better")
    assert said.code == 1
    assert f"{first} cannot score today's profiles" in said.err
    assert "shoe_size" in said.err
    assert champion(home.settings.models, "purchase").version == second


@pytest.mark.parametrize("pointer", ["{", '{"version": "v3"}', "[]"])
def test_a_pointer_that_cannot_be_read_leaves_the_versions_to_choose_from(twice, model, pointer):
    home, first, second = twice
    file = room(home.settings.models, "purchase") / "champion.json"
    kept = file.read_text()
    file.write_text(pointer)
    said = model(home, "list")
    assert said.code == 1
    assert all(version in said.out for version in (first, second))
    assert "which names the model in service, cannot be read" in said.err
    assert "Put a stored version into service (customer-profiles model list, model promote)" in said.err
    assert model(home, "promote", first, "--reason", "the pointer was broken").code == 0
    assert champion(home.settings.models, "purchase").version == first
    file.write_text(kept)


def test_two_versions_are_compared_on_the_same_customers(twice, model):
    home, first, second = twice
    said = model(home, "compare", first[:8])
    assert said.code == 0, said.err
    assert f"{first} beside {second} on " in said.out
    assert "insufficient" in said.out
    assert "the same version" in model(home, "compare", second).err


def test_scores_are_the_same_however_many_customers_are_scored_at_once(twice, monkeypatch):
    home, _, _ = twice
    with home.platform.warehouse() as session:
        together = session.frame(SCORES)
    monkeypatch.setattr(snapshots, "CUSTOMERS_AT_ONCE", 100)
    assert home.materialize("conversion_scores").success
    with home.platform.warehouse() as session:
        assert session.frame(SCORES).equals(together)


@pytest.mark.parametrize("harm", ["delete", "corrupt"])
def test_a_champion_that_is_gone_stops_scoring_and_old_scores_stay(twice, model, harm):
    home, first, second = twice
    folder = room(home.settings.models, "purchase") / second
    if harm == "delete":
        shutil.rmtree(folder)
    else:
        (folder / "coefficients.npz").write_bytes(b"half")
    assert not home.materialize("conversion_scores").success
    assert scored_by(home) == [second]
    said = model(home)
    assert said.code == 1
    assert "is damaged or not whole" in said.err
    assert "Traceback" not in said.err
    assert model(home, "list").code == 0
    assert model(home, "rollback", "--reason", "it is gone").code == 0
    assert home.materialize("conversion_scores").success
    assert scored_by(home) == [first]


def test_a_run_sees_that_a_model_was_rolled_back_deleted_or_damaged(twice, model):
    home, first, _ = twice
    states = [in_service(home.settings)]
    assert in_service(home.settings) == states[0]
    model(home, "rollback", "--reason", "why")
    states.append(in_service(home.settings))
    shutil.rmtree(room(home.settings.models, "purchase") / first)
    states.append(in_service(home.settings))
    (room(home.settings.models, "purchase") / "champion.json").write_text("{")
    states.append(in_service(home.settings))
    assert len(set(states)) == 4


def test_a_list_of_nothing_does_not_deny_what_served(twice, model):
    home, _, second = twice
    for version in versions(home.settings.models, "purchase"):
        shutil.rmtree(room(home.settings.models, "purchase") / version)
    said = model(home, "list").out
    assert f"no version of purchase is stored any more, {second} served: customer-profiles run" in said
    assert f"promoted {second}" in said


def test_a_training_mends_what_was_deleted(twice):
    home, _, second = twice
    shutil.rmtree(room(home.settings.models, "purchase") / second)
    assert home.materialize("conversion", "conversion_scores").success
    assert champion(home.settings.models, "purchase").version == second
    assert second in versions(home.settings.models, "purchase")


def test_a_version_that_leaks_cannot_be_promoted_by_hand(new_model_home, model):
    def leak(frame, buyers):
        bought = frame["customer_key"].is_in(buyers)
        return frame.with_columns(pl.Series("degree", 10 * bought.cast(pl.Int64) + frame["sessions_30"] % 2))

    home = new_model_home(leak)
    home.materialize("conversion")
    version = versions(home.settings.models, "purchase")[0]
    said = model(home, "promote", version, "--reason", "I want it")
    assert "may not serve: too good to be true" in said.err
    assert "degree" in said.err
    assert champion(home.settings.models, "purchase") is None


def test_the_lift_of_published_scores_is_told_once_their_labels_mature(trained_home):
    home, _ = trained_home
    version = champion(home.settings.models, "purchase").version
    profiles = home.profiles(SECOND)
    good = 1 / (1 + np.exp(1.5 - 0.9 * profiles["orders_lifetime"].to_numpy()))
    found = {}
    with home.platform.warehouse() as session:
        for name, probability in {"good": good, "upside down": 1 - good}.items():
            rows = profiles.select("as_of", "customer_key").with_columns(
                label=pl.lit("purchase"),
                conversion_probability=pl.Series(probability),
                decile=pl.lit(1),
                expected_value_minor=None,
                model_version=pl.lit(version),
            )
            session.write(SCORES, {"as_of": SECOND}, rows)
            found[name] = realised_lift(session, home.settings, "purchase")
        session.delete(SCORES, {"as_of": SECOND})
        assert realised_lift(session, home.settings, "purchase") is None
    assert found["good"].passed
    assert not found["upside down"].passed
    assert "scores of 2026-01-15" in found["upside down"].says


def test_the_checks_of_scores_warn_and_block_as_they_should():
    blocking = {
        check.check_key.name: check.get_spec_for_check_key(check.check_key).blocking for check in CHECKS
    }
    assert blocking == {
        "contract_holds": True,
        "eligible_customers_are_scored": True,
        "champion_is_trusted": False,
        "published_lift_holds": False,
    }
