"""Models and scores in Dagster: trained, promoted, blocked where the future leaks in."""

import re
import shutil
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from customer_profiles.conversion import snapshots
from customer_profiles.conversion.artefacts import champion, load_page, versions
from customer_profiles.conversion.examples import Split
from customer_profiles.conversion.findings import champion_is_trusted
from customer_profiles.conversion.labels import terms
from customer_profiles.conversion.sections import sections
from customer_profiles.conversion.service import train_label
from customer_profiles.conversion.snapshots import gather
from customer_profiles.conversion.tables import EVALUATIONS, SCORES
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.orchestration.models import none_trained, shown
from customer_profiles.orchestration.platform import Platform
from customer_profiles.orchestration.report import Report, save_report
from customer_profiles.orchestration.run import not_trained
from customer_profiles.orchestration.screen import show_report
from customer_profiles.profiles import drift
from customer_profiles.settings import LabelSettings, load_settings


def failed_checks(result):
    return {
        found.check_name: found.description
        for found in result.get_asset_check_evaluations()
        if not found.passed
    }


def test_a_sound_training_serves_and_scores_everybody_with_its_version(trained_home):
    home, run = trained_home
    assert run.success
    serving = champion(home.settings.models, "purchase")
    with home.platform.warehouse() as session:
        scores = session.frame(SCORES, home.last, home.last)
    assert scores.height == 1_500
    assert scores["model_version"].unique().to_list() == [serving.version]
    assert scores["label"].unique().to_list() == ["purchase"]


def test_the_page_of_a_training_is_told_in_the_ui(trained_home):
    _, run = trained_home
    told = run.asset_materializations_for_node("models__conversion")[0].metadata
    assert str(told["headline"].value).startswith("Contact the 150 highest of 1,500 customers: expect ")
    for title in (
        "Contact",
        "Ranking",
        "Probabilities",
        "Deciles",
        "By gender",
        "By tenure",
        "Inputs",
        "Canaries",
    ):
        assert title in told
    assert "Chart: deciles" in told
    assert "logistic regression" in told["Ranking"].value


def test_figures_are_kept_for_analysts(trained_home):
    home, _ = trained_home
    with home.platform.warehouse() as session:
        rows = session.frame(EVALUATIONS)
    assert {"conversion_network", "base_rate", "logistic_regression"} <= set(rows["model"])
    assert rows["label"].unique().to_list() == ["purchase"]


def lift_of_label(*names, strength):
    """Put what happens afterwards into traits, blurred."""

    def plant(frame, buyers):
        bought = frame["customer_key"].is_in(buyers).to_numpy()
        draw = np.random.default_rng(len(buyers))
        return frame.with_columns(
            pl.Series(name, 100 * (strength * bought + draw.normal(size=len(bought)))).cast(
                frame.schema[name]
            )
            for name in names
        )

    return plant


def assert_blocked(home, run, *checks):
    failed = failed_checks(run)
    assert set(checks) <= set(failed)
    assert not run.success
    assert not run.asset_materializations_for_node("profiles__conversion_scores")
    assert champion(home.settings.models, "purchase") is None
    assert load_page(
        home.settings.models / "conversion/purchase" / versions(home.settings.models, "purchase")[0]
    ).faults
    return failed


def test_a_trait_that_knows_the_future_stops_the_run_and_is_named(new_model_home):
    home = new_model_home(lift_of_label("degree", strength=4))
    failed = assert_blocked(
        home, home.materialize("conversion", "conversion_scores"), "no_feature_is_too_good"
    )
    assert "degree" in failed["no_feature_is_too_good"]


def test_traits_that_know_the_future_together_stop_the_run(new_model_home):
    names = [f"{kind}_{days}" for kind in ("page_views", "searches", "cart_adds") for days in (7, 30, 90)]
    home = new_model_home(lift_of_label(*names, strength=1.3))
    failed = assert_blocked(
        home, home.materialize("conversion", "conversion_scores"), "model_is_not_too_good"
    )
    assert "no_feature_is_too_good" not in failed
    assert re.search(r"leans most on (page_views|searches|cart_adds), ", failed["model_is_not_too_good"])


def test_test_rows_within_training_stop_the_run(new_model_home, monkeypatch):
    def careless(examples, label):
        newest = examples.as_of == examples.as_of.max()
        return Split(examples.where(newest), examples.where(newest & examples.held_out))

    monkeypatch.setattr(snapshots, "split", careless)
    home = new_model_home()
    run = home.materialize("conversion", "conversion_scores")
    assert_blocked(home, run, "train_and_test_are_apart", "shuffled_labels_are_not_learnt")


def test_customers_under_two_ids_stop_the_run(new_model_home):
    def doubled(frame, buyers):
        originals = frame["customer_key"].sort()[: frame.height // 2]
        copies = frame.filter(pl.col("customer_key").is_in(originals.implode()))
        return pl.concat([copies, copies.with_columns(pl.col("customer_key").str.reverse())])

    home = new_model_home(doubled)
    run = home.materialize("conversion", "conversion_scores")
    failed = assert_blocked(home, run, "train_and_test_are_apart")
    assert "one person under two ids" in failed["train_and_test_are_apart"]


def test_too_few_positives_are_told_and_nothing_is_trained(new_model_home):
    home = new_model_home(conversion={"smallest_positives": 5_000})
    run = home.materialize("conversion", "conversion_scores")
    assert run.success
    says = run.asset_materializations_for_node("models__conversion")[0].metadata["says"].value
    assert "at least 5000 are needed" in says
    assert "500 would give 0.40" in says
    assert versions(home.settings.models, "purchase") == []


def test_a_category_that_nobody_bought_of_is_told_with_those_that_there_are(new_model_home):
    home = new_model_home(label={"train": ["category_purchase"], "category": "shoos"})
    with home.platform.warehouse() as session:
        says = gather(session, home.settings, "category_purchase")
    assert says == "No model yet: nobody bought of the category 'shoos'; the orders name shoes."


@pytest.mark.parametrize("without", [1, 2])
def test_days_of_which_a_label_is_about_nobody_are_left_out(new_model_home, without):
    """Campaigns do not reach somebody in every window; the others are enough to learn from."""

    def nobody_bought_before(frame, buyers):
        first = frame["as_of"][0] in frame_days[:without]
        return frame.with_columns(orders_lifetime=pl.lit(0)) if first else frame

    home = new_model_home()
    with home.platform.warehouse() as session:
        frame_days = session.days(CUSTOMER_FEATURES)
        found = [gather(session, home.settings, "repeat_purchase")]
    home = new_model_home(nobody_bought_before)
    with home.platform.warehouse() as session:
        found.append(gather(session, home.settings, "repeat_purchase"))
    if without == 1:
        assert found[1].days.train == found[0].days.train[1:]
        assert found[1].days.test == found[0].days.test
    else:
        assert "repeat_purchase is about somebody on 1 of the days 2026-01-09, 2026-01-15," in found[1]


@pytest.fixture(scope="module")
def several(new_model_home):
    home = new_model_home(label={"train": ["churn", "repeat_purchase", "campaign_response"]})
    return home, home.materialize("conversion", "conversion_scores", first=home.last - timedelta(days=2))


def test_each_label_has_its_own_champion_and_scores_those_whom_it_is_about(several):
    home, run = several
    assert run.success
    with home.platform.warehouse() as session:
        scores = session.frame(SCORES, home.last, home.last)
    counts = dict(scores["label"].value_counts().iter_rows())
    profiles = home.profiles(home.last)
    assert counts == {
        "churn": (profiles["days_since_last_order"] < 90).sum(),
        "repeat_purchase": (profiles["orders_lifetime"] > 0).sum(),
    }
    for label in counts:
        serving = champion(home.settings.models, label)
        assert scores.filter(label=label)["model_version"].unique().to_list() == [serving.version]


def test_nobody_brings_a_margin_by_leaving(several):
    home, _ = several
    page = {
        label: load_page(champion(home.settings.models, label).folder)
        for label in ("churn", "repeat_purchase")
    }
    lists = {label: sections(each)[0] for label, each in page.items()}
    assert "profit" not in lists["churn"].rows[0]
    assert "nobody brings a margin by leaving" in lists["churn"].says
    assert "Profit counts" not in page["churn"].predicts
    assert "profit" in lists["repeat_purchase"].rows[0]
    metrics = {
        label: {row["metric"] for section in sections(each) for row in section.rows if "metric" in row}
        for label, each in page.items()
    }
    cut_off = {"precision_at_cutoff", "recall_at_cutoff"}
    assert metrics["repeat_purchase"] - metrics["churn"] == cut_off, "nothing says from where on it pays"


def test_a_champion_of_a_label_that_means_something_else_by_now_is_told_and_is_no_rival(several, tmp_path):
    """A month's chances under the name of a week's are wrong numbers."""
    copy = shutil.copytree(several[0].settings.home, tmp_path / "home")
    settings = load_settings(copy)
    serving = champion(settings.models, "churn")
    page = load_page(serving.folder)
    assert page.other_terms(settings.label) == ""
    file = copy / "settings.yaml"
    file.write_text(file.read_text().replace("horizon_days: 5", "horizon_days: 4"))
    settings = load_settings(copy)
    changed = page.other_terms(settings.label)
    assert changed == "label.horizon_days is 4 and was 5"
    found = champion_is_trusted(serving, serving.trained_through, 90, changed)
    assert (found.passed, found.severity) == (False, "warn")
    assert f"{changed}: train again" in found.says
    assert f"{changed}. Train again: customer-profiles run" in shown(settings, "churn", None).note
    trained = train_label(Platform(settings, {}).warehouse, settings, "churn", print)
    assert any(changed in note for note in trained.notes)
    assert "champion" not in trained.training.predictions.columns
    assert champion(settings.models, "churn").version == trained.version
    assert shown(settings, "churn", None).note == ""
    file.write_text(re.sub(r"train:(\n *- \w+)+", "train: [purchase]", file.read_text()))
    note = shown(load_settings(copy), "churn", None).note
    assert note == "Nobody is scored by it any more: label.train names purchase alone"


def test_a_category_that_changed_is_another_label_for_its_own_model_alone():
    shoes, hats = LabelSettings(category="shoes"), LabelSettings(category="hats")
    assert terms("category_purchase", shoes) != terms("category_purchase", hats)
    assert terms("purchase", shoes) == terms("purchase", hats)


def test_a_label_whose_source_is_missing_says_so_beside_the_others(several):
    _, run = several
    told = run.asset_materializations_for_node("models__conversion")[0].metadata
    assert "no campaign_contacts" in told["campaign_response: says"].value
    assert "customers who leave" in told["churn: headline"].value


def test_drift_holds_the_inputs_against_the_days_on_which_the_models_own_label_was_told(several, monkeypatch):
    """No contacts were delivered: orders alone tell nobody on which days a click was known."""
    settings = several[0].settings
    serving = champion(settings.models, "churn")
    monkeypatch.setattr(drift, "champion", lambda models, label: serving)
    days = {}
    with several[0].platform.warehouse() as session:
        for name in ("churn", "campaign_response"):
            label = settings.label.model_copy(update={"train": [name]})
            days[name] = drift.models_in_service(session, settings.model_copy(update={"label": label})).days
    assert days["churn"].known_through == serving.trained_through
    assert days["campaign_response"] is None


def test_a_run_tells_why_a_label_beside_others_has_no_new_model(several, monkeypatch, capsys):
    home, run = several
    reasons = not_trained(run)
    assert list(reasons) == ["conversion: campaign_response"]
    report = Report("f", "r", "", "", True, [], {}, 3, [], "it 1 (churn)", [], [], 0, {}, not_trained=reasons)
    save_report(home.settings.home, report)
    assert "there are no campaign_contacts" in none_trained(home.settings, "campaign_response")
    show_report(Console(width=400), home.settings, report)
    said = capsys.readouterr().out
    assert "no new model of campaign_response: No model yet: there are no" in said
    assert "serving: it 1 (churn)" in said, "though the first label has no figures"


def test_the_report_says_whom_to_contact_and_what_its_figures_mean(capsys, tmp_path):
    rows = [{"model": "conversion_network", "metric": "roc_auc", "value": 0.8, "low": 0.7, "high": 0.9}]
    told = "Contact the 1 highest of 10 customers: expect 1 buyers (0 to 1) in 14 days."
    able = "Of the 1 highest, 0 consent to marketing (0 by e-mail, 0 by SMS, 0 by push)."
    late = {"run_again": ["2026-01-02", "2026-01-04"]}
    report = Report(
        "f", "r", "", "", True, [], {}, 3, [], "it 1", rows, [], 0, {}, contact=told, reach=able, **late
    )
    show_report(Console(width=400), load_settings(tmp_path), report)
    said = capsys.readouterr().out
    assert f"{told}\n{able}" in said
    assert f"customer-profiles run --home {tmp_path} --from 2026-01-02 --to 2026-01-04" in said
    assert "Lift@10 %: how many times more do it in the highest tenth" in said
    assert f"or customer-profiles model --home {tmp_path}" in said
