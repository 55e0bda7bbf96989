"""Stored models: whole or not at all, put into service with a history, and rolled back."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from customer_profiles.conversion.artefacts import (
    champion,
    crown,
    find,
    load,
    load_page,
    roll_back,
    room,
    store,
    taken_out,
    version_of,
    versions,
)
from customer_profiles.conversion.baselines import BaseRate, Logistic
from customer_profiles.conversion.page import Page
from customer_profiles.warehouse.artefacts import ArtefactError, put_into_service, serving, store_version

LABEL = "purchase"


def table(rows=400):
    draw = np.random.default_rng(1)
    frame = pl.DataFrame({"spend": draw.normal(size=rows), "city": draw.choice(["a", "b"], rows)})
    return frame, (draw.random(rows) < 1 / (1 + np.exp(-frame["spend"].to_numpy()))).astype(int)


def logistic():
    return Logistic(["spend"], ["city"]).fit(*table())


def page(day=1):
    metric = {"model": "logistic_regression", "metric": "lift_10", "value": 3.0, "low": 2.5, "high": 3.5}
    return Page(
        label=LABEL,
        model="logistic_regression",
        trained_through=date(2026, 3, day),
        trained_at=f"2026-03-{day:02}T08:00:00+00:00",
        predicts="",
        decision="it serves",
        contact="",
        sufficiency="",
        faults=(),
        tables={"metrics": [metric]},
    )


@pytest.fixture
def three(tmp_path):
    """Three versions, promoted one after the other."""
    for day in (1, 2, 3):
        store(logistic(), tmp_path, LABEL, f"v{day}", page(day))
        crown(tmp_path, LABEL, f"v{day}", by="training", reason="it earned it")
    return tmp_path


def serves(models):
    serving = champion(models, LABEL)
    return serving.version if serving else None


def test_a_stored_model_comes_back_and_serves(tmp_path):
    stored = store(logistic(), tmp_path, LABEL, "v1", page(), {"card.md": "# 卡"})
    assert (stored / "card.md").read_text(encoding="utf-8") == "# 卡"
    assert champion(tmp_path, LABEL) is None
    made = crown(tmp_path, LABEL, "v1", by="training", reason="it earned it")
    found = champion(tmp_path, LABEL)
    assert found == made
    assert (found.kind, found.trained_through) == ("logistic_regression", date(2026, 3, 1))
    assert load_page(found.folder).metrics() == {"lift_10": 3.0}
    assert (load(found.folder).predict(table()[0]) == logistic().predict(table()[0])).all()


def test_storing_a_version_again_leaves_it_as_it_is(tmp_path):
    first = store(logistic(), tmp_path, LABEL, "v1", page())
    before = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
    store(logistic(), tmp_path, LABEL, "v1", page())
    assert {path.name: path.stat().st_mtime_ns for path in first.iterdir()} == before


def test_every_change_is_kept_with_who_when_and_why(three):
    roll_back(three, LABEL, by="mei", reason="strange scores")
    told = [
        (change.act, change.version, change.replaced, change.by) for change in champion(three, LABEL).history
    ]
    assert told == [
        ("promoted", "v1", None, "training"),
        ("promoted", "v2", "v1", "training"),
        ("promoted", "v3", "v2", "training"),
        ("rolled back", "v2", "v3", "mei"),
    ]
    assert champion(three, LABEL).history[-1].reason == "strange scores"


def test_rolling_back_twice_goes_further_back_and_then_there_is_nothing(three):
    for expected in ("v2", "v1"):
        assert roll_back(three, LABEL, by="mei", reason="why").version == expected
    with pytest.raises(ArtefactError, match="no other version of purchase served before v1"):
        roll_back(three, LABEL, by="mei", reason="why")
    assert serves(three) == "v1"
    assert set(taken_out(champion(three, LABEL).history)) == {"v2", "v3"}


def test_what_was_rolled_back_can_be_promoted_by_hand_and_counts_again(three):
    roll_back(three, LABEL, by="mei", reason="why")
    crown(three, LABEL, "v3", by="mei", reason="it was the data")
    assert serves(three) == "v3"
    assert taken_out(champion(three, LABEL).history) == {}
    assert roll_back(three, LABEL, by="mei", reason="no, it was not").version == "v2"


def test_promoting_the_one_that_serves_changes_nothing(three):
    before = champion(three, LABEL)
    assert crown(three, LABEL, "v3", by="training", reason="again") == before


def test_a_version_is_found_by_its_first_letters_if_they_are_enough(three):
    store(logistic(), three, LABEL, "abc", page())
    assert find(three, LABEL, "a").name == "abc"
    with pytest.raises(
        ArtefactError, match=r"more than one version 'v' of purchase; there are: v1, abc, v2, v3"
    ):
        find(three, LABEL, "v")
    with pytest.raises(ArtefactError, match="no version 'x'"):
        find(three, LABEL, "x")


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from customer_profiles.conversion.artefacts import store
    from customer_profiles.conversion.baselines import BaseRate

    class Killed(BaseRate):
        def save(self, folder):
            (folder / "half.npz").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    store(Killed(), Path(sys.argv[1]), "purchase", "v4", None)
"""


def test_a_training_killed_while_it_stores_leaves_the_champion_and_the_next_one_succeeds(three):
    script = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLED), str(three)]
    done = subprocess.run(script, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (room(three, LABEL) / "v4.unfinished" / "half.npz").exists()
    assert serves(three) == "v3"
    assert versions(three, LABEL) == ["v1", "v2", "v3"]
    load(champion(three, LABEL).folder)
    with pytest.raises(ArtefactError, match="no version 'v4'"):
        crown(three, LABEL, "v4", by="training", reason="why")
    store(logistic(), three, LABEL, "v4", page(4))
    assert crown(three, LABEL, "v4", by="training", reason="why").version == "v4"


class Interrupted(BaseRate):
    def save(self, folder):
        (folder / "half.npz").write_bytes(b"half")
        raise KeyboardInterrupt


def test_an_interrupted_training_leaves_the_champion(three):
    with pytest.raises(KeyboardInterrupt):
        store(Interrupted(), three, LABEL, "v4", page(4))
    assert serves(three) == "v3"


@pytest.mark.parametrize("harm", ["truncate", "delete"])
def test_a_damaged_artefact_is_named_and_never_served(tmp_path, harm):
    folder = store(logistic(), tmp_path, LABEL, "v1", page())
    file = folder / "coefficients.npz"
    file.write_bytes(file.read_bytes()[:40]) if harm == "truncate" else file.unlink()
    for use in (load, load_page):
        with pytest.raises(ArtefactError, match=r"coefficients\.npz.*model promote"):
            use(folder)
    with pytest.raises(ArtefactError, match=r"coefficients\.npz"):
        crown(tmp_path, LABEL, "v1", by="mei", reason="why")
    store(logistic(), tmp_path, LABEL, "v1", page())
    load(folder)


def test_a_version_that_is_damaged_cannot_be_rolled_back_to(three):
    (room(three, LABEL) / "v2" / "page.json").write_text("{")
    with pytest.raises(ArtefactError, match=r"v2 is damaged.*page\.json differs"):
        roll_back(three, LABEL, by="mei", reason="why")
    assert serves(three) == "v3"


def test_a_version_under_the_name_of_another_is_refused(three):
    shutil.rmtree(room(three, LABEL) / "v3")
    (room(three, LABEL) / "v2").rename(room(three, LABEL) / "v3")
    with pytest.raises(ArtefactError, match=r"v3 is damaged or not whole \(it holds version v2\)"):
        load(champion(three, LABEL).folder)


def test_a_model_of_another_label_is_refused(three):
    """Copied from there it is whole, and would rank this label's customers by that one."""
    folder = store(logistic(), three, "churn", "v4", replace(page(4), label="churn"))
    shutil.copytree(folder, room(three, LABEL) / "v4")
    for use in (load, load_page):
        with pytest.raises(ArtefactError, match=r"v4 is damaged or not whole \(it was trained for churn\)"):
            use(room(three, LABEL) / "v4")
    with pytest.raises(ArtefactError, match="it was trained for churn"):
        crown(three, LABEL, "v4", by="mei", reason="why")
    assert serves(three) == "v3"


@pytest.mark.parametrize("version", ["../churn/v4", "/etc", "v3/.."])
def test_a_pointer_to_another_room_is_damaged(three, version):
    pointer = room(three, LABEL) / "champion.json"
    notes = json.loads(pointer.read_text()) | {"version": version}
    pointer.write_text(json.dumps(notes))
    with pytest.raises(ArtefactError, match=r"cannot be read.*is no version.*model promote"):
        champion(three, LABEL)


def test_a_history_that_begins_with_a_rollback_leads_nowhere(three):
    pointer = room(three, LABEL) / "champion.json"
    notes = json.loads(pointer.read_text())
    notes["history"] = [notes["history"][-1] | {"act": "rolled back"}]
    pointer.write_text(json.dumps(notes))
    with pytest.raises(ArtefactError, match="no other version of purchase served before v3"):
        roll_back(three, LABEL, by="mei", reason="why")


@pytest.mark.parametrize("sums", ["", "[]", "{}", None])
def test_a_version_whose_checksums_say_nothing_is_damaged(three, sums):
    manifest = room(three, LABEL) / "v3" / "manifest.json"
    manifest.unlink()
    manifest.mkdir() if sums is None else manifest.write_text(sums)
    with pytest.raises(ArtefactError, match=r"manifest\.json (is not JSON|names no file)"):
        load(champion(three, LABEL).folder)
    assert roll_back(three, LABEL, by="mei", reason="it is damaged").version == "v2"


def test_a_folder_in_the_place_of_a_file_is_damage(three):
    file = room(three, LABEL) / "v3" / "coefficients.npz"
    file.unlink()
    file.mkdir()
    with pytest.raises(ArtefactError, match=r"coefficients\.npz differs"):
        load(champion(three, LABEL).folder)


@pytest.mark.parametrize("description", ["", "[1]", "{}", '{"kind": "magic"}', '{"kind": []}'])
def test_what_another_version_stored_whole_is_not_put_into_service(three, description):
    """Its checksums are right; that it cannot score must not be found out after the promotion."""
    folder = room(three, LABEL) / "v2"
    (folder / "model.json").write_text(description)
    sums = json.loads((folder / "manifest.json").read_text())
    sums["model.json"] = hashlib.sha256(description.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(sums))
    for change in (
        lambda: roll_back(three, LABEL, by="mei", reason="why"),
        lambda: crown(three, LABEL, "v2", by="mei", reason="why"),
    ):
        with pytest.raises(ArtefactError, match=r"written by another version|this version knows"):
            change()
    assert serves(three) == "v3"


def test_a_page_without_figures_is_of_another_version(three):
    folder = room(three, LABEL) / "v2"
    told = (folder / "page.json").read_text().replace('"metrics"', '"figures"')
    (folder / "page.json").write_text(told)
    sums = json.loads((folder / "manifest.json").read_text())
    sums["page.json"] = hashlib.sha256(told.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(sums))
    with pytest.raises(ArtefactError, match="was written by another version"):
        load_page(folder)


def test_a_page_that_is_no_page_is_of_the_oldest_version(three):
    (room(three, LABEL) / "v3" / "page.json").write_text("[]")
    assert versions(three, LABEL) == ["v3", "v1", "v2"]


def test_a_damaged_pointer_says_what_to_do_and_the_next_promotion_mends_it(three):
    pointer = room(three, LABEL) / "champion.json"
    for damage in ("{", json.dumps({"version": "v3"}), json.dumps({"version": 5})):
        pointer.write_text(damage)
        with pytest.raises(ArtefactError, match="train again"):
            champion(three, LABEL)
    crown(three, LABEL, "v2", by="mei", reason="the pointer was damaged")
    assert serves(three) == "v2"


@pytest.mark.parametrize("notes", [{}, {"available_from": "soon"}, {"available_from": 3}])
def test_a_pointer_of_another_room_that_tells_no_day_says_what_to_do(tmp_path, notes):
    place = store_version(
        tmp_path / "projection" / "v1", lambda folder: BaseRate().fit(*table()).save(folder)
    )
    put_into_service(place, notes)
    with pytest.raises(ArtefactError, match=r"champion\.json cannot be read.*delete it and train again"):
        serving(tmp_path, "projection", BaseRate.load)


def test_a_version_follows_data_and_settings_and_nothing_else():
    data, settings = {"2026-01-08": "abc"}, {"seed": 1}
    assert version_of(data, settings) == version_of(dict(data), json.loads(json.dumps(settings)))
    assert version_of(data, settings) != version_of({"2026-01-08": "abd"}, settings)
    assert version_of(data, settings) != version_of(data, {"seed": 2})
