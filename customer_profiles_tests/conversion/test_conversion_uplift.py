"""Uplift: what contacts changed, where chance chose whom to contact, and refused elsewhere."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.tables import DELIVERIES
from customer_profiles.conversion.trials import read_trials
from customer_profiles.conversion.uplift import Refusal, Trial, judged, unlike_chance, uplift, uplift_table
from customer_profiles.features.snapshots import is_held_out
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import TrainingDays
from customer_profiles.settings import LabelSettings
from customer_profiles.warehouse import Warehouse

LABEL = LabelSettings(gap_days=1, horizon_days=5, maturity_days=2)
EVE, LAST = date(2026, 2, 9), date(2026, 2, 28)
CONTACTED = EVE + timedelta(days=1)
DAYS = TrainingDays((date(2026, 1, 20),), date(2026, 2, 1), LAST)
KEYS = pl.Series([f"{number:032x}" for number in range(1_500)])
HELD_OUT = KEYS.filter(is_held_out(KEYS, LABEL.holdout_share)).to_list()


def trial(score, label, treated, chance=0.5):
    rows = len(label)
    keys = np.array([f"c{number}" for number in range(rows)])
    chances = np.broadcast_to(chance, rows).astype(float)
    made = Trial("spring", pl.DataFrame(), keys, np.array(label), np.array(treated, bool), chances)
    return made, np.array(score, float)


def planted(rows=4_000, seed=0):
    """A contact helps those with a high score alone: by 0.4 in the upper half, by nothing in the lower."""
    draw = np.random.default_rng(seed)
    score, treated = draw.random(rows), draw.random(rows) < 0.5
    label = draw.random(rows) < 0.1 + 0.4 * (score > 0.5) * treated
    return trial(score, label.astype(int), treated)


def test_the_effect_and_the_uplift_of_the_highest_are_those_that_were_planted():
    found = uplift(*planted())
    assert found["effect_low"] < 0.2 < found["effect_high"]
    assert found["uplift_30"] == pytest.approx(0.4, abs=0.07)
    assert found["uplift_30_low"] < 0.4 < found["uplift_30_high"]
    assert found["says"] == "the highest gain most from a contact, beyond noise"


def test_a_ranking_upside_down_is_told_and_one_by_chance_is_not_believed():
    made, score = planted()
    assert uplift(made, -score)["says"] == "the highest gain least from a contact, beyond noise"
    assert uplift(made, np.random.default_rng(5).random(len(score)))["says"] == "insufficient evidence"


def test_qini_is_the_area_of_the_curve_by_hand():
    """Contacted buyer, other, control buyer, contacted other: the curve is 1, 1, 1 - 1 x 1/2, 1 - 1 x 2/2."""
    made, score = trial([4, 3, 2, 1], [1, 0, 1, 0], [True, False, False, True])
    curve, best = [0, 1, 1, 1 - 1 * 1 / 2, 1 - 1 * 2 / 2], [0, 1, 1, 1, 0]
    area, most = (np.trapezoid(points) - 0 for points in (curve, best))
    assert uplift(made, score, rounds=5)["qini"] == pytest.approx(area / most)


def test_customers_with_unequal_chances_weigh_the_inverse():
    """The eager buy anyway and are contacted nine times of ten: without weights a contact seems to work."""
    draw = np.random.default_rng(1)
    eager = draw.random(6_000) < 0.5
    chance = np.where(eager, 0.9, 0.1)
    treated = draw.random(6_000) < chance
    label = (draw.random(6_000) < np.where(eager, 0.6, 0.1)).astype(int)
    made, score = trial(draw.random(6_000), label, treated, np.where(treated, chance, 1 - chance))
    assert uplift(made, score)["effect"] == pytest.approx(0, abs=0.05)
    assert uplift(replace(made, chance=np.full(6_000, 0.5)), score)["effect"] > 0.3


def test_a_small_control_arm_is_as_uncertain_as_it_is():
    """A bootstrap of 70 in control, 7 of them among the highest, covered the truth 78 times of 100."""
    draw, covered = np.random.default_rng(3), {"effect": 0, "uplift_10": 0}
    for _ in range(300):
        treated = draw.random(700) < 0.9
        label = draw.random(700) < 0.1 + 0.1 * treated
        found = uplift(
            *trial(draw.random(700), label.astype(int), treated, np.where(treated, 0.9, 0.1)), rounds=2
        )
        for name in covered:
            covered[name] += found[f"{name}_low"] <= 0.1 <= found[f"{name}_high"]
    assert min(covered.values()) >= 0.92 * 300, covered


def test_that_nobody_of_the_highest_did_it_does_not_say_that_nobody_ever_will():
    label, treated = np.arange(500) < 50, np.arange(500) % 2 == 0
    found = uplift(*trial(np.arange(500), label.astype(int), treated))
    assert found["uplift_10"] == 0
    assert found["uplift_10_low"] < -0.05
    assert found["uplift_10_high"] > 0.05


class ByScore:
    """Takes the chance from a column."""

    def predict(self, frame):
        return frame["score"].to_numpy()


def test_a_rule_that_is_called_random_is_refused():
    draw = np.random.default_rng(4)
    score = draw.random(1_000)
    features = pl.DataFrame({"score": score})
    label = (draw.random(1_000) < score).astype(int)

    def says(treated, chance):
        made = replace(trial(score, label, treated, chance)[0], features=features)
        (row,) = uplift_table([made], ByScore())
        return row["says"], "effect" in row

    assert says(draw.random(1_000) < 0.5, 0.5)[1]
    by_rule = says(draw.random(1_000) < 0.3 + 0.4 * score, 0.5)
    assert by_rule[0].startswith("refused: called randomised, but by their profiles from before it")
    many = draw.random(1_000) < 0.7
    assert says(many, np.where(many, 0.7, 0.3))[1]
    half = says(many, 0.5)
    assert half[0].endswith("are not what their assignment probabilities give")
    assert not half[1]
    assert not by_rule[1]


def test_chance_is_not_taken_for_a_rule():
    """Of a thousand sound trials one or two may be."""
    refused = 0
    for seed in range(300):
        made, score = planted(400, seed)
        refused += unlike_chance(made, score) is not None
    assert refused <= 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"chance": np.full(4_000, np.nan)}, "the assignment probability is not told"),
        ({"treated": np.arange(4_000) < 10}, "too few to tell: 10 contacted, 3990 in control"),
        ({"label": np.zeros(4_000)}, "too few to tell: 0 of 4000 did"),
    ],
)
def test_without_chance_or_numbers_nothing_is_told(change, says):
    refused = judged(replace(planted()[0], **change))
    assert isinstance(refused, Refusal)
    assert says in refused.says


def test_equal_scores_give_equal_figures_again():
    made, _ = planted(600)
    same = np.zeros(600)
    assert uplift(made, same) == uplift(made, same)


@pytest.fixture
def session(tmp_path):
    """Everybody has a profile as of the eve; the held-out ones in treatment all buy, in control nobody."""
    with Warehouse(tmp_path / "warehouse.duckdb").session() as opened:
        for day in (date(2026, 1, 1) + timedelta(days=place) for place in range(59)):
            file = {"source": "orders.csv", "bytes": 1, "sha256": "", "rows": 1}
            put(opened, DELIVERIES, {"delivery_day": day, "table_name": "orders"}, file)
        put(opened, CUSTOMER_FEATURES, {"as_of": EVE}, {"customer_key": KEYS, "eligible_for_scoring": True})
        bought = {"customer_key": KEYS.gather_every(2), "order_id": KEYS.gather_every(2), "line_number": 1}
        bought |= dict.fromkeys(("ordered_day", "status_day"), number(CONTACTED) + 2)
        bought |= {"status": "paid", "quantity": 1, "amount_minor": 100}
        put(opened, CLEANED["orders"], {"delivery_day": CONTACTED + timedelta(days=2)}, bought)
        yield opened


def number(day):
    return (day - date(1970, 1, 1)).days


def put(session, table, partition, columns):
    """Write rows of which only ``columns`` are known."""
    known = pl.select(**{name: pl.lit(value) for name, value in columns.items()})
    day = next(iter(partition.values()))
    known = known.with_columns(
        *(pl.lit(value).alias(name) for name, value in partition.items()),
        status_at=pl.lit(datetime.combine(day, time(), UTC)),
        row_number=pl.int_range(pl.len()),
        source=pl.lit("orders.csv"),
        repairs=pl.lit([], pl.List(pl.String)),
    )
    rows = known.select(
        (pl.col(name) if name in known.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in table.schema.items()
    )
    session.write(table, partition, rows)


def contacts(
    session, day=CONTACTED, randomised=True, chance=0.5, arms=("Treatment", "Control"), keys=KEYS, **more
):
    arm = pl.Series(list(arms) * (len(keys) // len(arms)))
    told = {"campaign_id": "spring", "customer_key": keys, "arm": arm, "randomised": randomised}
    told |= {"contacted_day": number(day), "contacted_at": datetime.combine(day, time(12), UTC)}
    put(
        session,
        CLEANED["campaign_contacts"],
        {"delivery_day": day},
        told | {"assignment_probability": chance} | more,
    )


def test_a_randomised_campaign_is_read_with_the_profiles_of_the_eve(session):
    contacts(session)
    (found,) = read_trials(session, "purchase", DAYS, LABEL)
    assert isinstance(found, Trial)
    assert found.customer_key.tolist() == sorted(HELD_OUT)
    assert (found.label == found.treated).all()
    assert uplift(found, np.zeros(len(found.label)))["effect"] == 1


def test_of_those_who_may_leave_uplift_tells_who_stays(session):
    """Their label is 1 if they leave; whoever gains from a contact must not read as one who loses."""
    here = {"customer_key": KEYS, "eligible_for_scoring": True, "days_since_last_order": 5}
    put(session, CUSTOMER_FEATURES, {"as_of": EVE}, here)
    contacts(session)
    (found,) = read_trials(session, "churn", DAYS, LABEL)
    assert uplift(found, np.zeros(len(found.label)))["effect"] == 1


def test_of_several_arms_each_is_held_against_the_control_arm(session):
    """Together, weighed by their chances, a rare arm counted as much as one that most were in."""
    contacts(session, arms=("Big coupon", "Control", "Small coupon", "Control"))
    found = read_trials(session, "purchase", DAYS, LABEL)
    assert [each.campaign for each in found] == ["spring: big coupon", "spring: small coupon"]
    assert len({tuple(each.customer_key[~each.treated]) for each in found}) == 1
    assert sum(int(each.treated.sum()) for each in found) == len(set(HELD_OUT) & set(KEYS.gather_every(2)))


def test_of_several_contacts_of_a_customer_the_first_one_tells_the_chance(session):
    evening, noon = ([datetime.combine(CONTACTED, time(hour), UTC)] * len(KEYS) for hour in (18, 12))
    chance = pl.Series([0.9] * len(KEYS) + [0.5] * len(KEYS))
    both = {"keys": pl.concat([KEYS, KEYS]), "contacted_at": pl.Series(evening + noon)}
    contacts(session, chance=chance, **both)
    (found,) = read_trials(session, "purchase", DAYS, LABEL)
    assert isinstance(found, Trial)
    assert set(found.chance.tolist()) == {0.5}


@pytest.mark.parametrize(
    ("contact", "says"),
    [
        (
            {"arms": ("Mail", "Holdout")},
            "no arm is called control, which was not contacted; there are holdout, mail",
        ),
        ({"randomised": False}, "was not drawn at random"),
        ({"chance": None}, "assignment probability is not told"),
        ({"day": date(2026, 2, 26)}, "no profiles are stored of 2026-02-25"),
        ({"day": date(2026, 2, 23)}, "not settled: its label is told by deliveries up to 2026-03-02"),
    ],
)
def test_what_is_no_trial_is_refused_with_the_reason(session, contact, says):
    contacts(session, **contact)
    (found,) = read_trials(session, "purchase", DAYS, LABEL)
    assert isinstance(found, Refusal)
    assert says in found.says


def test_without_campaigns_and_of_clicks_uplift_is_refused(session):
    (nothing,) = read_trials(session, "purchase", DAYS, LABEL)
    (clicks,) = read_trials(session, "campaign_response", DAYS, LABEL)
    assert "no campaign was delivered" in nothing.says
    assert "a control arm, which was not contacted" in clicks.says
