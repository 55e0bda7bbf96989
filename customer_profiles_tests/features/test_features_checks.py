"""The checks of features see what they are there to see."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from customer_profiles.cleaning.clean import clean_days
from customer_profiles.collection.ledger import delivered, ledger
from customer_profiles.collection.loading import load_day
from customer_profiles.features.as_of import AsOf
from customer_profiles.features.catalogue import FAMILY_TRAITS, TRAITS
from customer_profiles.features.checks import (
    partners_name_customers,
    shared_identifiers_are_few,
    the_future_changes_nothing,
    traits_suite,
)
from customer_profiles.features.compute import compute_customer_features, compute_family, compute_identities
from customer_profiles.features.tables import CUSTOMER_FEATURES, IDENTITIES
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.suites import NO_RANGE, UNIT_RANGES
from customer_profiles.settings import load_settings

DAY = date(2026, 3, 3)
AT = "2026-03-03 10:00:00"
CUSTOMERS = "customer_id,updated_at\n" + "".join(f"C{n},{AT}\n" for n in range(30))
LINKS = "kind,identifier,customer_id,linked_at,method\n"
TWO_IDS = f"{LINKS}cookie,k,C1,{AT},login\ncookie,k,C2,{AT},login\n"


def loaded(home: Path, **deliveries: str) -> Platform:
    """A home with one day's deliveries, loaded and cleaned."""
    platform = Platform(load_settings(home), {})
    for table, content in deliveries.items():
        file = home / "deliveries" / table / f"{DAY}.csv"
        file.parent.mkdir(parents=True)
        file.write_text(content)
    with platform.warehouse() as warehouse, platform.vault() as vault:
        for table in deliveries:
            known = ledger(warehouse, table, DAY, DAY)
            load_day(warehouse, vault, platform.door, table, DAY, known=known)
            clean_days(warehouse, table, [DAY])
    return platform


@pytest.fixture(scope="module")
def two_ids(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A home whose one day's profiles are stored; two customer ids are one customer."""
    platform = loaded(tmp_path_factory.mktemp("home"), customers=CUSTOMERS, identity_links=TWO_IDS)
    with platform.warehouse() as warehouse:
        as_of = AsOf(DAY, delivered(warehouse))
        compute_identities(warehouse, as_of, platform.settings.identity)
        for family in FAMILY_TRAITS:
            compute_family(warehouse, family, as_of, platform.settings)
        compute_customer_features(warehouse, DAY)
    return platform


def test_two_ids_of_one_customer_are_one_row_of_features(two_ids: Platform) -> None:
    one, other = (two_ids.door.pseudonyms.key(customer) for customer in ("C1", "C2"))
    with two_ids.warehouse() as warehouse:
        keys = set(warehouse.frame(CUSTOMER_FEATURES, DAY, DAY)["customer_key"])
    assert len(keys) == 29
    assert min(one, other) in keys
    assert max(one, other) not in keys


def test_the_future_changes_no_profile_but_identities_out_of_nowhere_are_found(two_ids: Platform) -> None:
    assert the_future_changes_nothing(two_ids, [DAY])[DAY].passed
    with two_ids.warehouse() as warehouse:
        rows = warehouse.frame(IDENTITIES, DAY, DAY)
        warehouse.write(IDENTITIES, {"as_of": DAY}, rows.with_columns(customer_key=pl.col("member_key")))
    finding = the_future_changes_nothing(two_ids, [DAY])[DAY]
    with two_ids.warehouse() as warehouse:
        warehouse.write(IDENTITIES, {"as_of": DAY}, rows)
    assert not finding.passed
    assert "features/identities" in finding.says


@pytest.mark.parametrize(("tills", "passed"), [(10, True), (11, False)])
def test_more_than_a_few_identifiers_that_link_nobody_are_told(
    tmp_path: Path, tills: int, passed: bool
) -> None:
    shared = "".join(f"till,t{till},C{n},{AT},login\n" for till in range(tills) for n in range(21))
    platform = loaded(tmp_path, identity_links=LINKS + shared)
    finding = shared_identifiers_are_few(platform, [DAY])[DAY]
    assert (finding.passed, finding.value, finding.severity) == (passed, tills, "warn")


def test_without_links_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert shared_identifiers_are_few(loaded(tmp_path, customers=CUSTOMERS), [DAY]) == {}


@pytest.mark.parametrize(
    ("known", "passed", "says"),
    [(1, True, "1 of 4 identifiers of bank name a customer"), (0, False, "0 of 4 identifiers of bank")],
)
def test_a_partner_whose_identifiers_name_nobody_is_told(
    tmp_path: Path, known: int, passed: bool, says: str
) -> None:
    (tmp_path / "settings.yaml").write_text("features: {partner_attributes: [income]}")
    rows = [f"bank,{'C' if n < known else 'X'}{n},income,{AT},high,form 7\n" for n in range(4)]
    rows += [f"bank,X{n},pets,{AT},cat,form 7\n" for n in range(9)]
    header = "partner,identifier,attribute,observed_at,value,consent_reference\n"
    platform = loaded(tmp_path, customers=CUSTOMERS, partner_attributes=header + "".join(rows))
    finding = partners_name_customers(platform, [DAY])[DAY]
    assert (finding.passed, finding.severity) == (passed, "warn")
    assert finding.says.startswith(says)


def test_of_partners_who_told_nothing_that_is_listed_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert partners_name_customers(loaded(tmp_path, customers=CUSTOMERS), [DAY]) == {}


def test_every_trait_is_looked_at_by_the_range_of_its_unit() -> None:
    assert {trait.unit for trait in TRAITS.values()} - set(UNIT_RANGES) == set()
    ranged = {claim.name for claim in traits_suite().claims if claim.name.endswith("_is_in_range")}
    assert ranged == {f"{trait.name}_is_in_range" for trait in TRAITS.values() if trait.unit not in NO_RANGE}
