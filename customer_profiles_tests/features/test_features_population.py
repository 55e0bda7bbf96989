"""Who has a profile: nobody who is known to be a minor."""

from datetime import date, timedelta

import polars as pl
import pytest

from customer_profiles.features.as_of import AsOf
from customer_profiles.features.catalogue import FAMILY_TRAITS
from customer_profiles.features.compute import cleaned_tables, find_identities, wide_rows
from customer_profiles.features.population import population
from customer_profiles.settings import IdentitySettings

DAY = date(2026, 3, 3)
MINOR, ADULT, UNTOLD = "2012-05-06", "1990-05-06", None


def after(days):
    return DAY + timedelta(days=days)


@pytest.fixture
def delivered(shop, sound):
    """``delivered((day, updated, birth_date), ...)``: whether C1, so told, has a profile as of each day."""

    def has_profile(number):
        as_of = AsOf(after(number), {"customers": frozenset(after(n) for n in range(number + 1))})
        everybody = shop.warehouse.collect(population(cleaned_tables(shop.warehouse, as_of), as_of))
        families = {
            family: shop.warehouse.rows_of(everybody.with_columns(pl.lit(1).alias(t.name) for t in traits))
            for family, traits in FAMILY_TRAITS.items()
        }
        profiles = shop.warehouse.collect(wide_rows(shop.warehouse, families, as_of))["customer_key"]
        assert set(map(shop.keys.key, [f"other {n}" for n in range(number + 1)])) <= set(profiles)
        return shop.keys.key("C1") in profiles

    def deliver(*versions):
        days = sorted({day for day, *_ in versions})
        for day in days:
            told = [
                sound("customers", updated_at=f"{after(updated)} 10:00:00", birth_date=born)
                for arrived, updated, born in versions
                if arrived == day
            ]
            other = sound("customers", customer_id=f"other {day}", updated_at=f"{after(day)} 10:00:00")
            shop.take("customers", [*told, other], day=after(day))
        return [has_profile(day) for day in days]

    return deliver


@pytest.mark.parametrize(
    ("versions", "has_profile"),
    [
        ([(0, 0, UNTOLD), (1, 1, UNTOLD)], [True, True]),
        ([(0, 0, UNTOLD), (1, 1, MINOR)], [True, False]),
        ([(0, 0, ADULT), (1, 1, MINOR), (2, 2, ADULT)], [True, False, True]),
        ([(0, 0, MINOR), (1, 1, ADULT)], [False, True]),
        ([(0, 0, ADULT), (1, -1, MINOR)], [True, True]),
        ([(0, 0, MINOR), (1, 0, ADULT)], [False, True]),
    ],
    ids=[
        "never told",
        "told later",
        "corrected",
        "a mended first row",
        "an older version that comes late",
        "the same version mended",
    ],
)
def test_whom_the_newest_known_version_shows_as_a_minor_has_no_profile(versions, has_profile, delivered):
    assert delivered(*versions) == has_profile


@pytest.mark.parametrize("birth_date", [MINOR, ADULT])
def test_a_minors_id_is_nobody_elses_whoever_shares_a_login(shop, sound, birth_date):
    told = {"C1": ADULT, "child": birth_date}
    shop.take("customers", [sound("customers", customer_id=c, birth_date=b) for c, b in told.items()])
    shop.take("identity_links", [sound("identity_links", customer_id=customer) for customer in told])
    as_of = AsOf(DAY, dict.fromkeys(("customers", "identity_links"), frozenset({DAY})))
    tables = cleaned_tables(shop.warehouse, as_of)
    found = find_identities(shop.warehouse, tables, as_of, IdentitySettings())
    assert found["customer_key"].n_unique() == (2 if birth_date == MINOR else 1)
