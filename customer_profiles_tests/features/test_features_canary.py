"""The canary of features: a query that sees the future is caught, and stops what follows."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import narwhals as nw
import polars as pl
import pytest

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.tables import DELIVERIES
from customer_profiles.features import purchases
from customer_profiles.features.as_of import AsOf, known_by
from customer_profiles.features.assets import FAMILY_TRAITS
from customer_profiles.features.canary import planted_future
from customer_profiles.features.checks import CHECKS
from customer_profiles.features.compute import compute_customer_features, compute_family
from customer_profiles.orchestration.partitions import DAILY
from customer_profiles.orchestration.platform import Platform
from customer_profiles.settings import load_settings

NAME = "the_future_changes_nothing"


@pytest.fixture
def home(cleaned, evening, tmp_path):
    """A platform with an order of the day before, and a function that computes the day's profiles."""
    platform, as_of = Platform(load_settings(tmp_path), {}), evening("orders")
    before = as_of.day - timedelta(days=1)
    tables = cleaned(
        orders=[{"customer_key": "a", "ordered_day": before, "status_day": before, "amount_minor": 5}]
    )
    file = {
        "delivery_day": before,
        "table_name": "orders",
        "source": "f",
        "bytes": 1,
        "sha256": "",
        "rows": 1,
    }
    with platform.warehouse() as session:
        session.write(CLEANED["orders"], {"delivery_day": before}, tables["orders"])
        partition = {"delivery_day": before, "table_name": "orders"}
        session.write(DELIVERIES, partition, pl.DataFrame([file], schema=DELIVERIES.schema))

    def compute():
        with platform.warehouse() as session:
            for family in FAMILY_TRAITS:
                told = AsOf(as_of.day, {"orders": frozenset({before})})
                compute_family(session, family, told, platform.settings)
            assert compute_customer_features(session, as_of.day) == 1
        return platform, as_of.day

    return compute


def checked(platform, day):
    """The canary as it runs in a job, followed by a step that must not run if it fails."""

    @dg.asset(key=["features", "customer_features"], partitions_def=DAILY)
    def features() -> None:
        """Stored before."""

    @dg.asset(deps=[features], partitions_def=DAILY)
    def what_follows() -> None:
        """Reads the profiles."""

    canary = next(check for check in CHECKS if check.check_key.name == NAME)
    result = dg.materialize(
        [features, canary, what_follows],
        resources={"platform": platform},
        partition_key=str(day),
        raise_on_error=False,
    )
    (found,) = result.get_asset_check_evaluations()
    return found, bool(result.asset_materializations_for_node("what_follows"))


def test_profiles_that_know_no_future_pass(home):
    found, followed = checked(*home())
    assert found.passed
    assert "change no profile of 1" in found.description
    assert followed


def test_a_table_whose_moments_have_another_ending_is_planted_beyond_both_clocks_too(
    cleaned, evening, on_polars
):
    as_of = evening()
    price = {"valid_from": datetime(2026, 3, 1, tzinfo=UTC), "valid_from_day": as_of.number - 30}
    planted = planted_future(on_polars(cleaned(products=[price])), as_of)["products"]
    known = known_by(planted, as_of, "valid_from_day").collect().to_native()
    assert (planted.collect().shape[0], known["product_id"].to_list()) == (5, ["x"])


def test_a_query_that_sees_later_deliveries_is_caught_and_nothing_follows(home, monkeypatch):
    def careless(facts, as_of, day, *others, last=None):
        return facts.with_columns(days_ago=as_of.number - nw.col(day))

    monkeypatch.setattr(purchases, "known_by", careless)
    found, followed = checked(*home())
    assert not found.passed
    assert "orders_lifetime" in found.description or "spend_minor_lifetime" in found.description
    assert not followed
