"""``examples/complete_journey``: tills in another zone, campaigns and a survey, by configuration alone."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from customer_profiles.collection.sources.check import TableCheck, check_table
from customer_profiles.collection.sources.finding import find_delivery
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.load import load_home
from customer_profiles.settings import Settings, load_settings

DAY = date(2017, 1, 1)
EVENING = "2017-01-02 01:30:00"
"""In UTC; in the shop it is still the day before."""


@pytest.fixture
def journey(tmp_path: Path) -> tuple[Home, Settings]:
    """The example's home with a handful of invented rows."""
    shutil.copytree(Path(__file__).parent.parent / "examples" / "complete_journey", tmp_path / "home")
    lines = {
        "household_id": [1, 1, 2],
        "store_id": [7, 7, 7],
        "basket_id": [10, 10, 20],
        "product_id": [5, 6, 99],
        "quantity": [2, 9000, 0],
        "sales_value": [2.5, 30.1, 0.0],
        "retail_disc": [0.1, 0.0, 0.0],
        "coupon_disc": [0.2, 0.0, 0.0],
        "coupon_match_disc": [0.0, 0.0, 0.0],
        "week": [1, 1, 1],
        "transaction_timestamp": [EVENING] * 3,
    }
    goods = {"product_id": [5, 6], "department": ["GROCERY", "FUEL"], "brand": ["National", "Private"]}
    goods |= {"product_category": ["BREAD", None], "product_type": [None, None]}
    survey = {"household_id": [1], "age": ["45-54"], "income": [None], "household_size": ["2"]}
    survey |= {"household_comp": [None], "home_ownership": ["Renter"], "marital_status": [None]}
    start = {"campaign_id": [3], "start_date": ["2017-01-01 00:00:00"]}
    coupon = {
        "household_id": [2],
        "coupon_upc": [4],
        "campaign_id": [3],
        "redemption_date": ["2017-01-01 00:00:00"],
    }
    files = {
        "transactions": lines,
        "products": goods,
        "demographics": survey | {"kids_count": ["1"]},
        "campaigns": {"campaign_id": [3, 3], "household_id": [1, 2]},
        "campaign_descriptions": start,
        "coupon_redemptions": coupon,
    }
    for name, columns in files.items():
        pl.DataFrame(columns).write_parquet(tmp_path / "home" / f"{name}.parquet")
    settings = load_settings(tmp_path / "home")
    return load_home(settings, {}), settings


def checked(journey: tuple[Home, Settings], table: str) -> TableCheck:
    home, settings = journey
    return check_table(home, settings.collection, table, DAY)


def test_an_evenings_lines_arrive_on_the_shops_own_day(journey: tuple[Home, Settings]) -> None:
    orders = checked(journey, "orders")
    assert (orders.wrong, orders.days, orders.received) == ("", (DAY,), 3)
    assert orders.quarantined == {"quantity_is_zero": 1}
    assert orders.sample["quantity"].to_list() == ["2", "1", "0"]
    assert orders.sample["amount_minor"].to_list() == ["250", "3010", "0"]
    assert orders.sample["discount_minor"].to_list() == ["30", "0", "0"]
    assert orders.sample["category"].to_list() == ["BREAD", "FUEL", None]


def test_answers_become_attributes_and_coupons_the_contacts_answer(journey: tuple[Home, Settings]) -> None:
    answers = checked(journey, "partner_attributes")
    assert (answers.received, answers.filtered) == (4, {"no answer": 3})
    home, _ = journey
    delivery = find_delivery(home, "campaign_contacts", DAY)
    assert delivery is not None
    cells = pl.concat([file.cells for part in delivery.parts for file in part.read()], how="diagonal")
    told = cells.select("customer_id", "contacted_at", "clicked_at").rows()
    assert told == [("1", "2017-01-01", None), ("2", "2017-01-01", None), ("2", "2017-01-01", "2017-01-01")]


def test_all_who_bought_are_customers(journey: tuple[Home, Settings]) -> None:
    customers = checked(journey, "customers")
    assert (customers.received, customers.quarantined_rows, customers.duplicates) == (3, 0, 1)
    assert datetime.fromisoformat(customers.sample["updated_at"][0]) == datetime(
        2017, 1, 2, 1, 30, tzinfo=UTC
    )
