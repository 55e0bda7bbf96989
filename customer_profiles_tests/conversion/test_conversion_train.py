"""One training from snapshots to a champion, and the library on real tables."""

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from customer_profiles.conversion import ConversionModel, plots
from customer_profiles.conversion.artefacts import champion, load, load_page
from customer_profiles.conversion.baselines import Logistic
from customer_profiles.conversion.examples import assemble, insufficiency, split
from customer_profiles.conversion.leaks import roc_auc
from customer_profiles.conversion.model_card import model_card
from customer_profiles.conversion.page import Circumstances, page_of
from customer_profiles.conversion.sections import sections
from customer_profiles.conversion.service import publish
from customer_profiles.conversion.train import train
from customer_profiles.settings import ConversionSettings, LabelSettings, load_settings

LABEL = LabelSettings(gap_days=1, horizon_days=14, maturity_days=7)
SETTINGS = ConversionSettings(smallest_positives=20, bootstrap_rounds=50)
NUMERIC = ["days_since_last_order", "orders_365", "spend_minor_365", "tenure_days", "never_delivered"]
DAYS = [date(2026, 1, 8) + timedelta(days=15 * place) for place in range(3)]
DATASETS = Path(__file__).parents[3] / "shared" / "datasets"


def snapshot(day, customers=1_000):
    draw = np.random.default_rng(day.toordinal())
    orders = draw.poisson(2, customers)
    frame = pl.DataFrame(
        {
            "customer_key": [f"{n:08x}" for n in range(customers)],
            "days_since_last_order": draw.integers(0, 90, customers),
            "orders_365": orders,
            "spend_minor_365": orders * draw.integers(500, 5_000, customers),
            "tenure_days": draw.integers(0, 900, customers),
            "never_delivered": pl.Series([None] * customers, dtype=pl.Float64),
            "average_order_minor": draw.integers(500, 5_000, customers),
            "city": draw.choice(["北京", "上海", "深圳"], customers),
            "eligible_for_scoring": [True] * customers,
        }
    )
    logit = orders - frame["days_since_last_order"].to_numpy() / 30 - 2
    bought = frame["customer_key"].filter(pl.Series(draw.random(customers) < 1 / (1 + np.exp(-logit))))
    return frame, bought.to_list()


@pytest.fixture(scope="module")
def parts():
    made = {day: snapshot(day) for day in DAYS}
    frames, bought = ({day: pair[place] for day, pair in made.items()} for place in (0, 1))
    return split(
        assemble(frames, bought, lambda keys: keys.str.ends_with("3") | keys.str.ends_with("7")), LABEL
    )


@pytest.fixture(scope="module")
def training(parts):
    return train(parts, numeric=NUMERIC, categories=["city"], conversion=SETTINGS, label=LABEL, epochs=8)


def test_there_is_enough_to_train_on(parts):
    assert insufficiency(parts.test, parts, SETTINGS.smallest_positives) is None


def test_every_model_is_judged_beside_the_network(training):
    expected = {
        "conversion_network",
        "base_rate",
        "rfm_rule",
        "logistic_regression",
        "hist_gradient_boosting",
        "seed_recipe",
    }
    assert set(training.evaluation.metrics["model"]) == expected
    assert training.predictions.height == len(training.parts.test)
    assert "never_delivered" not in training.numeric


def test_a_clean_training_passes_its_canaries_and_learns(training):
    assert all(finding.passed for finding in training.findings.values())
    assert training.evaluation.value("conversion_network", "roc_auc") > 0.7


@pytest.fixture(scope="module")
def page(training):
    told = Circumstances("purchase", date(2026, 3, 1), customers=18_000, sufficiency="Enough.")
    return page_of(training, told, LABEL, SETTINGS)


def test_it_is_published_and_the_champion_predicts_what_was_judged(training, page, tmp_path):
    made, _ = publish(training, page, load_settings(tmp_path), "v1")
    assert made == champion(tmp_path / "models", "purchase")
    assert made is not None
    again = load(made.folder).predict(training.parts.test.features)
    assert np.abs(again - training.predictions[training.chosen].to_numpy()).max() <= 1e-6
    assert load_page(made.folder) == page
    assert made.history[-1].by == "training"


def test_the_card_tells_definition_data_metrics_and_limits(page):
    card = model_card(page, "v1")
    assert "2026-02-02 to 2026-02-15" in card
    assert "2026-01-08, 2026-01-23" in card
    told = r"Contact the 1,800 highest of 18,000 customers: expect [\d,]+ buyers \([\d,]+ to [\d,]+\) in 14 d"
    assert re.search(told, card)
    assert "| seed recipe |" in card
    assert "## Known limits" in card


def test_the_card_tells_what_the_answer_is_made_of_and_what_a_buyer_is_worth(training, page):
    weights = training.models["conversion_network"].weights_
    assert weights == {"detailed": 0.5, "stepped": 0.5}
    card = model_card(page, "v1")
    assert "The answer is 50% a Keras network's and 50% boosted trees'." in card
    assert "Profit counts 20.00 for each who does it and takes 1.00 off for each contact" in card


def test_the_card_tells_where_the_list_is_and_that_its_chances_are_not_those_of_the_test(page):
    contact = sections(page)[0].says
    assert "Highest: by this version's conversion_probability, in profiles/conversion_scores" in contact
    assert "From: the lowest chance on the test's list; today's differs" in contact


def test_who_never_pays_is_not_to_be_contacted(page):
    lists = [{**row, "profit_minor": -1} for row in page.tables["lists"]]
    poor = replace(page, tables={**page.tables, "lists": lists})
    assert "is nowhere above 0: contact nobody for it." in sections(poor)[0].says


def test_of_clicks_the_page_tells_no_order_and_nobody_who_clicks_without_a_contact(training):
    told = Circumstances("campaign_response", date(2026, 3, 1), customers=18_000, sufficiency="Enough.")
    clicks = page_of(training, told, LABEL, SETTINGS)
    assert "without a contact" not in sections(clicks)[0].says
    assert "An order" not in clicks.predicts
    assert "A contact of these days counts if it is clicked within them or 7 days after." in clicks.predicts


def test_the_verdict_beside_an_uplift_says_of_what_it_is(page):
    trial = {"campaign": "spring", "says": "insufficient evidence"}
    uplift = next(
        each
        for each in sections(replace(page, tables={**page.tables, "uplift": [trial]}))
        if each.title == "Uplift"
    )
    assert uplift.rows == [{"campaign": "spring", "verdict": "insufficient evidence"}]
    assert "the verdict is of Qini alone" in uplift.says


@pytest.mark.parametrize(
    ("currencies", "unit", "counts", "part"),
    [
        (["JPY"], "JPY", "2,000 for each who does it and takes 100 off", 1),
        (["CNY"], "CNY", "20.00 for each who does it and takes 1.00 off", 100),
        (["KWD"], "KWD", "2.000 for each who does it and takes 0.100 off", 1_000),
        (["CNY", "EUR"], "currency units", "20.00 for each who does it and takes 1.00 off", 100),
        (["EUR", "JPY"], "minor units", "2,000 for each who does it and takes 100 off", 1),
        ([], "currency units", "20.00 for each who does it and takes 1.00 off", 100),
    ],
)
def test_money_is_told_in_the_unit_of_its_currency(training, currencies, unit, counts, part):
    """A yen has no hundredths: profits in yen were told a hundred times too small."""
    told = Circumstances("purchase", date(2026, 3, 1), 18_000, "Enough.", currencies=currencies)
    made = page_of(training, told, LABEL, SETTINGS)
    assert f"Profit counts {counts} for each contact" in made.predicts
    contact = sections(made)[0]
    assert f"Profit, in {unit} by the margin and cost" in contact.says
    profit = made.tables["lists"][-1]["profit_minor"] / part
    assert contact.rows[-1]["profit"].startswith(f"{profit:,.0f} (")


def test_without_a_gap_the_window_begins_as_the_profile_closes(training):
    told = Circumstances("purchase", date(2026, 3, 1), customers=18_000, sufficiency="Enough.")
    label = LabelSettings(gap_days=0, horizon_days=14, maturity_days=7)
    says = page_of(training, told, label, SETTINGS).predicts
    assert "in 14 days that begin as the profile closes. An order stands if" in says
    assert "looks at 2026-02-01 to 2026-02-14" in says


def test_one_day_is_no_days(training):
    told = Circumstances("purchase", date(2026, 3, 1), customers=18_000, sufficiency="Enough.")
    made = page_of(training, told, LabelSettings(gap_days=1, horizon_days=1, maturity_days=1), SETTINGS)
    assert made.contact.endswith(") in 1 day.")
    assert "in 1 day that begins 1 day after the profile closes." in made.predicts
    assert "returned within 1 day. For example" in made.predicts


def test_a_marketer_reads_what_every_model_set_and_input_is(page):
    told = {section.title: section for section in sections(page)}
    others = {row["model"] for row in page.tables["metrics"]} - {page.model}
    assert all(f"{model.replace('_', ' ')}, " in told["Ranking"].says for model in others)
    assert [row["customers"] for row in told["Predicts"].rows] == ["learnt from", "judged on"]
    inputs = {row["input"]: row for row in told["Inputs"].rows}
    assert inputs["orders"]["what it is"] == "orders with a purchase"
    assert inputs["city"]["ROC-AUC lost"].endswith(" noise")


def test_the_page_says_which_inputs_matter(page):
    inputs = {row["input"]: row for row in page.tables["inputs"]}
    assert inputs["orders"]["low"] > 0
    assert inputs["city"]["low"] < 0 < inputs["city"]["high"]


def test_the_next_training_is_judged_against_the_champion(training, page, parts):
    again = train(
        parts,
        numeric=NUMERIC,
        categories=["city"],
        conversion=SETTINGS,
        label=LABEL,
        epochs=8,
        champion=training.models["conversion_network"],
    )
    told = Circumstances("purchase", date(2026, 3, 8), 18_000, "", before=("v1", page))
    changes = {row["what"]: row for row in page_of(again, told, LABEL, SETTINGS).tables["changes"]}
    assert changes["version"]["champion"] == "v1"
    assert "insufficient evidence" in changes["roc_auc"]["difference"]
    assert "in common" in changes["on the list"]["difference"]
    assert again.decision.serve == training.decision.serve
    assert again.evaluation.verdicts("conversion_network", "champion", ["roc_auc"]) == [
        "insufficient evidence"
    ]


def test_a_champion_whose_inputs_are_gone_is_no_rival(parts):
    class Gone(Logistic):
        def predict(self, frame):
            return super().predict(frame.drop("tenure_days"))

    told = []
    found = train(
        parts,
        numeric=NUMERIC,
        categories=[],
        conversion=SETTINGS,
        label=LABEL,
        epochs=1,
        champion=Gone(NUMERIC[:4]).fit(parts.train.features, parts.train.label),
        report=told.append,
    )
    assert "champion" not in found.predictions.columns
    assert any("cannot be judged" in line and "tenure_days" in line for line in told)


def test_the_charts_are_pictures_and_of_those_who_leave_none_is_of_profit(training):
    suited = plots.charts_of("purchase", "EUR", 2)
    charts = [chart(training.evaluation, "conversion_network") for chart in suited.values()]
    assert len(charts) == 6
    assert all(chart.startswith(b"\x89PNG") for chart in charts)
    assert suited.keys() - plots.charts_of("churn", "EUR", 2).keys() == {"Chart: profit by cut-off"}


def test_hillstrom_visits_are_predicted_as_a_library():
    file = DATASETS / "hillstrom.parquet"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    frame = pl.read_parquet(file).sample(8_000, seed=1)
    features = frame.drop("visit", "conversion", "spend", "segment")
    model = ConversionModel(seed=1, epochs=5).fit(features.head(5_000), frame["visit"].head(5_000))
    assert roc_auc(frame["visit"].tail(3_000).to_numpy(), model.predict(features.tail(3_000))) > 0.6
