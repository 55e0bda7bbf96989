from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from customer_profiles.simulation import (
    SimulationSummary,
    TruthError,
    conversion_probability,
    order_probabilities,
)

ReadRows = Callable[[Path], list[dict[str, Any]]]
Buyers = Callable[[pl.DataFrame, date, date], pl.Series]
AS_OF = date(2026, 2, 8)


@pytest.fixture(scope="module")
def events(retailer: SimulationSummary) -> pl.DataFrame:
    local = pl.col("event_at").dt.convert_time_zone("Asia/Shanghai")
    return (
        pl.scan_parquet(retailer.folder / "deliveries" / "events" / "*.parquet")
        .drop_nulls(["event_at", "customer_id"])
        .with_columns(day=local.dt.date(), hour=local.dt.hour())
        .filter(pl.col("day") <= retailer.last_day)
        .collect()
    )


@pytest.fixture(scope="module")
def judged(retailer: SimulationSummary, orders: pl.DataFrame, buyers: Buyers) -> pl.DataFrame:
    """customer_id, probability and whether the customer bought, for 14 days after a gap of one."""
    first = AS_OF + timedelta(days=2)
    bought = buyers(orders, first, first + timedelta(days=13))
    true = conversion_probability(retailer.folder / "truth", AS_OF, 1, 14)
    return true.with_columns(bought=pl.col("customer_id").is_in(bought.implode()))


def truth(retailer: SimulationSummary, name: str) -> pl.DataFrame:
    return pl.read_parquet(retailer.folder / "truth" / f"{name}.parquet")


def test_conversion_is_predictable_but_not_trivially(judged: pl.DataFrame) -> None:
    assert 0.12 < judged["bought"].mean() < 0.27  # type: ignore[operator]
    assert 0.78 < roc_auc_score(judged["bought"], judged["probability"]) < 0.88


def test_true_probabilities_come_true(judged: pl.DataFrame) -> None:
    fifths = judged.with_columns(fifth=pl.col("probability").rank("ordinal") * 5 // (judged.height + 1))
    for _, part in fifths.group_by("fifth"):
        expected = part["probability"].sum()
        spread = np.sqrt((part["probability"] * (1 - part["probability"])).sum())
        assert abs(part["bought"].sum() - expected) < 4 * spread


def test_probabilities_grow_with_the_horizon_and_need_a_simulated_day(retailer: SimulationSummary) -> None:
    folder = retailer.folder / "truth"
    short, long = (conversion_probability(folder, AS_OF, 1, days)["probability"] for days in (7, 30))
    assert (short < long).all()
    with pytest.raises(TruthError, match="2030-01-01"):
        conversion_probability(folder, date(2030, 1, 1), 1, 14)


def test_daily_order_probabilities_add_up_to_the_orders(
    retailer: SimulationSummary, orders: pl.DataFrame
) -> None:
    expected = order_probabilities(retailer.folder / "truth", retailer.first_day, retailer.last_day)
    total = expected.drop("customer_id").sum_horizontal().sum()
    placed = orders.filter(~pl.col("order_id").str.starts_with("R"))["order_id"].n_unique()
    assert abs(placed - total) < 5 * np.sqrt(total)


def test_the_six_types_can_be_told_apart_by_what_they_do(
    retailer: SimulationSummary, events: pl.DataFrame, orders: pl.DataFrame
) -> None:
    channels = ("web", "app", "mini_program", "store", "call_centre", "email", "social")
    did = events.group_by("customer_id").agg(
        *[(pl.col("hour") // 6 == part).mean().alias(f"daypart_{part}") for part in range(4)],
        *[(pl.col("channel") == name).mean().alias(name) for name in channels],
        pl.col("session_id").n_unique().log1p().alias("visits"),
        (pl.col("event_name") == "social_like").mean().alias("likes"),
        (pl.col("day").dt.weekday() >= 6).mean().alias("weekend"),
    )
    bought = orders.group_by("customer_id").agg(
        pl.col("order_id").n_unique().alias("orders"),
        pl.col("amount_minor").mean().alias("amount"),
        (pl.col("discount_minor").cast(pl.Float64, strict=False) > 0).mean().alias("discounts"),
    )
    kinds = truth(retailer, "customers").select("customer_id", "shopper_type")
    rows = did.join(bought, on="customer_id", how="left").join(kinds, on="customer_id").sort("customer_id")
    habits = rows.drop("customer_id", "shopper_type")
    matrix = StandardScaler().fit_transform(
        habits.with_columns(pl.all().fill_null(pl.all().mean())).to_numpy()
    )
    found = KMeans(6, n_init=5, random_state=0).fit_predict(matrix)
    assert adjusted_rand_score(rows["shopper_type"], found) > 0.4


def test_campaigns_help_most_types_and_put_one_off(
    retailer: SimulationSummary, orders: pl.DataFrame, buyers: Buyers
) -> None:
    kinds = truth(retailer, "customers").select("customer_id", "shopper_type")
    uplift = truth(retailer, "campaign_uplift").join(kinds, on="customer_id")
    by_type = dict(uplift.group_by("shopper_type").agg(pl.col("uplift").mean()).iter_rows())
    assert by_type.pop("premium_loyal") < -0.08
    assert sum(value > 0.01 for value in by_type.values()) >= 4
    for (name, day), _ in truth(retailer, "campaigns").group_by("campaign_id", "day"):
        first = retailer.first_day + timedelta(days=int(str(day)) + 1)
        bought = buyers(orders, first, first + timedelta(days=13)).implode()
        reached = uplift.filter(pl.col("campaign_id") == name).with_columns(
            bought=pl.col("customer_id").is_in(bought)
        )
        for _, part in reached.group_by(pl.col("shopper_type") == "premium_loyal", "treated"):
            arm = "probability_if_treated" if part["treated"][0] else "probability_if_not"
            spread = np.sqrt((part[arm] * (1 - part[arm])).sum())
            assert abs(part["bought"].sum() - part[arm].sum()) < 4.5 * spread


def test_arms_are_drawn_by_chance_among_those_who_agreed(
    retailer: SimulationSummary, read_rows: ReadRows
) -> None:
    contacts = truth(retailer, "campaign_uplift").filter(pl.col("campaign_id") == "spring_sale")
    assert abs(contacts["treated"].mean() - 0.5) < 4 * 0.5 / np.sqrt(contacts.height)  # type: ignore[operator]
    control, treated = (
        contacts.filter(pl.col("treated") == arm)["probability_if_not"].mean() for arm in (False, True)
    )
    assert control == pytest.approx(treated, abs=0.03)
    first = pl.DataFrame(read_rows(retailer.folder / "deliveries/consents/2026-01-01.csv"))
    refused = first.filter(purpose="marketing_email", status="denied")["customer_id"]
    assert contacts["customer_id"].is_in(refused.implode()).mean() < 0.02  # type: ignore[operator]


def test_buying_spreads_among_friends(retailer: SimulationSummary, orders: pl.DataFrame) -> None:
    customers = truth(retailer, "customers")["customer_id"]
    placed = orders.filter(pl.col("ordered_at").dt.date() == AS_OF)["customer_id"].unique()
    ties = truth(retailer, "friends").with_columns(heard=pl.col("friend_id").is_in(placed.implode()))
    heard = customers.is_in(ties.filter("heard")["customer_id"].implode()).to_numpy()
    moods = [truth(retailer, f"days/{AS_OF + timedelta(days=ahead)}")["mood"].to_numpy() for ahead in (0, 1)]
    lift = moods[1] - moods[0]
    assert heard.sum() > 50
    assert lift[heard].mean() > lift[~heard].mean() + 0.1


def test_ratings_follow_the_planted_sentiment_in_both_languages(
    retailer: SimulationSummary, read_rows: ReadRows
) -> None:
    texts = pl.DataFrame(
        [row for file in sorted((retailer.folder / "deliveries/texts").iterdir()) for row in read_rows(file)],
        schema_overrides={"rating": pl.String},
        infer_schema_length=None,
        strict=False,
    ).with_columns(pl.col("rating").cast(pl.Int64, strict=False))
    said = pl.read_parquet(retailer.folder / "truth" / "texts" / "*.parquet")
    reviews = texts.drop_nulls("rating").join(said, on="text_id")
    for language in ("zh", "en"):
        means = dict(
            reviews.filter(language=language).group_by("sentiment").agg(pl.col("rating").mean()).iter_rows()
        )
        assert means[-1] < 2.2 < means[0] < 3.8 < means[1]
    talks = texts.filter(pl.col("kind") == "service_chat")
    assert 0.15 < talks["resolved_at"].is_null().mean() < 0.6  # type: ignore[operator]


def test_a_person_with_two_customer_ids_has_one_name_and_declared_the_other(
    retailer: SimulationSummary, read_rows: ReadRows
) -> None:
    pairs = truth(retailer, "same_person")
    rows = pl.DataFrame(read_rows(retailer.folder / "deliveries/customers/2026-01-01.csv"))
    names = dict(rows.select("customer_id", "full_name").iter_rows())
    links = read_rows(retailer.folder / "deliveries/identity_links/2026-01-01.csv")
    linked = {(row["customer_id"], row["identifier"]) for row in links if row["kind"] == "customer"}
    sound = [pair for pair in pairs.iter_rows() if set(pair) <= set(names)]
    assert len(sound) > 0.9 * pairs.height > 20
    assert all(names[one] == names[other] for one, other in sound)
    assert len(linked & set(pairs.iter_rows())) > 0.9 * pairs.height


def test_logins_with_one_cookie_prove_second_ids_and_some_are_withdrawn(
    retailer: SimulationSummary, read_rows: ReadRows
) -> None:
    links = pl.DataFrame(
        [
            row | {"delivered": date.fromisoformat(file.stem)}
            for file in sorted((retailer.folder / "deliveries/identity_links").iterdir())
            for row in read_rows(file)
        ],
        infer_schema_length=None,
    ).filter(kind="cookie", method="login")
    second = truth(retailer, "second_ids")
    assert second["proven_on"].null_count() == 0
    assert 0 < second["withdrawn_on"].is_not_null().sum() < second.height / 2
    made = links.filter(pl.col("unlinked_at").is_null())
    undone = links.filter(pl.col("unlinked_at").is_not_null()).select(
        "identifier", "customer_id", "delivered"
    )
    for one, other, cookie, proven, withdrawn in second.iter_rows():
        told = made.filter(pl.col("identifier") == cookie).filter(pl.col("delivered") >= proven)
        assert {one, other} <= set(told["customer_id"])
        if withdrawn:
            assert (cookie, other, withdrawn) in set(undone.iter_rows())


def test_one_cookie_is_shared_by_more_than_twenty_customers(
    retailer: SimulationSummary, read_rows: ReadRows
) -> None:
    links = read_rows(retailer.folder / "deliveries/identity_links/2026-01-01.csv")
    assert sum(row["identifier"] == "ck-kiosk-01" for row in links) > 20
