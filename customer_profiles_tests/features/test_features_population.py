"""Who has a profile: nobody who is known to be a minor."""

from datetime import date, timedelta

import pytest

from customer_profiles.features.as_of import AsOf
from customer_profiles.features.compute import cleaned_tables
from customer_profiles.features.population import population

DAY = date(2026, 3, 3)
MINOR, ADULT, UNTOLD = "2012-05-06", "1990-05-06", None


def after(days):
    return DAY + timedelta(days=days)


@pytest.fixture
def known(shop, sound):
    """``known((day, updated, birth_date), ...)``: whether C1, so delivered, has a profile as of each day."""

    def deliver(*versions):
        for number in sorted({number for number, *_ in versions}):
            told = [
                sound("customers", updated_at=f"{after(updated)} 10:00:00", birth_date=born)
                for day, updated, born in versions
                if day == number
            ]
            other = sound("customers", customer_id=f"other {number}", updated_at=f"{after(number)} 10:00:00")
            shop.take("customers", [*told, other], day=after(number))
        return [profiles(number) for number in sorted({number for number, *_ in versions})]

    def profiles(number):
        as_of = AsOf(after(number), {"customers": frozenset(after(n) for n in range(number + 1))})
        rows = shop.warehouse.collect(population(cleaned_tables(shop.warehouse, as_of), as_of))
        others = rows.filter(rows["customer_key"] != shop.keys.key("C1")).height
        assert others == number + 1
        return rows.height > others

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
def test_whom_the_newest_known_version_shows_as_a_minor_has_no_profile(versions, has_profile, known):
    assert known(*versions) == has_profile
