"""Every family gives equal rows in DuckDB and on Polars, whatever the tables hold."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from customer_profiles.contracts import CHANNELS, EVENT_NAMES, PURPOSES, STATUSES
from customer_profiles.features.as_of import AsOf, EachWhenAsked
from customer_profiles.features.canary import planted_future
from customer_profiles.features.catalogue import COMPUTED_BY, FAMILY_TRAITS, TRAITS
from customer_profiles.features.customer_features import customer_features
from customer_profiles.features.identities import Owners, under_one_key
from customer_profiles.features.partners import partners
from customer_profiles.features.population import TOLD_BY

D = date(2026, 3, 31)
NOBODY = Owners(None, None)
"""No two ids are one customer."""
FAMILIES = COMPUTED_BY | {
    "partners": lambda tables, as_of: partners(under_one_key(tables, NOBODY), as_of, ("income", "pets"))
}


def _random_rows(seed: int) -> dict[str, list[dict]]:
    """Tables full of ties, gaps, late rows, newer versions, returns and future facts."""
    rng = np.random.default_rng(seed)
    people = [f"{n:032x}" for n in range(30)]

    def pick(choices, empty=0.0):
        return None if rng.random() < empty else choices[int(rng.integers(len(choices)))]

    def day(back=120, ahead=3):
        return D - timedelta(days=int(rng.integers(-ahead, back)))

    def late(happened):
        return happened + timedelta(days=int(rng.choice([0, 0, 0, 0, 1, 5])))

    customers = [
        {
            "customer_key": pick(people), "updated_day": (updated := day()), "delivery_day": late(updated),
            "birth_year": pick([1950, 1980, 2007], 0.2), "birth_month": pick([1, 3, 4, 12], 0.1),
            "gender": pick(["male", "female", "unknown"], 0.2), "city": pick(["北京", "Berlin"], 0.3),
            "province": pick(["北京", "Hessen"], 0.3), "language": pick(["zh", "de"], 0.3),
            "signup_channel": pick(["web", "store"], 0.3), "loyalty_tier": pick(["gold", "silver"], 0.3),
            "registered_day": updated - timedelta(days=3), "is_test": pick([True, False], 0.5),
        }
        for _ in range(50)
    ]  # fmt: skip
    events = [
        {
            "event_id": str(n), "customer_key": pick(people, 0.1), "anonymous_key": "a",
            "event_day": (happened := day()), "delivery_day": late(happened),
            "event_hour": pick([0, 5, 6, 13, 23], 0.2), "event_name": pick(EVENT_NAMES),
            "channel": pick(CHANNELS), "session_id": pick(["s", "t", "u"], 0.3),
            "product_id": pick(["p", "q", "r"], 0.3), "category": pick(["tea", "books", "鞋"], 0.4),
        }
        for n in range(600)
    ]  # fmt: skip
    orders = [
        {
            "order_id": str(order := int(rng.integers(80))), "line_number": int(rng.integers(1, 4)),
            "customer_key": people[order % 25], "ordered_day": D - timedelta(days=order),
            "status_day": (reached := D - timedelta(days=order - int(rng.integers(0, 6)))),
            "delivery_day": late(reached), "status": (status := pick(STATUSES)),
            "quantity": (sign := -1 if status == "returned" else 1) * int(rng.integers(1, 4)),
            "amount_minor": sign * int(rng.integers(0, 5)) * 100, "discount_minor": pick([0, 50], 0.5),
            "refunded_minor": pick([100, 200], 0.6), "category": pick(["tea", "books", "鞋"], 0.2),
            "currency": "USD" if order % 25 == 7 and order > 20 else "CNY",
        }
        for _ in range(300)
    ]  # fmt: skip
    consents = [
        {
            "customer_key": pick(people), "purpose": pick(PURPOSES), "effective_day": (decided := day()),
            "delivery_day": late(decided), "status": pick(["granted", "granted", "denied", "withdrawn"]),
            "expires_day": pick([D, D + timedelta(days=1)], 0.7),
        }
        for _ in range(120)
    ]  # fmt: skip
    edges = [
        {
            "source_customer_key": pick(people), "target_customer_key": pick(people),
            "created_day": (made := day()), "delivery_day": late(made),
            "kind": pick(["friend", "follow", "referral", "share", "gift"]),
            "ended_day": pick([D, D + timedelta(days=1)], 0.8),
        }
        for _ in range(300)
    ]  # fmt: skip
    contacts = [
        {
            "campaign_id": pick(["c", "d"]), "customer_key": pick(people), "contacted_day": (made := day()),
            "delivery_day": late(made), "arm": pick(["treatment", "control"]),
            "channel": pick(["Email", "sms", "post"], 0.2),
            "opened_day": pick([made, D, D + timedelta(days=1)], 0.5), "clicked_day": pick([D], 0.8),
        }
        for _ in range(120)
    ]  # fmt: skip
    attributes = [
        {
            "partner": pick(["bank", "panel"]), "identifier_key": pick(people),
            "attribute": pick(["income", "pets"]),
            "value": pick(["low", 'say "hi"\\']), "consent_reference": pick(["form 7"], 0.2),
            "observed_day": (seen := day()), "delivery_day": late(seen),
            "expires_day": pick([D, D + timedelta(days=1)], 0.5),
        }
        for _ in range(200)
    ]  # fmt: skip
    return {
        "customers": customers, "events": events, "orders": orders, "consents": consents,
        "social_edges": edges, "campaign_contacts": contacts, "partner_attributes": attributes,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_equal_on_both_engines(family, seed, cleaned, evening, on_polars, on_duckdb):
    tables = cleaned(**_random_rows(seed))
    as_of = (
        evening()
        if seed % 2
        else evening("orders", "events", "social_edges", "campaign_contacts", "consents")
    )
    here, there = (
        FAMILIES[family](engine(tables), as_of).collect("polars").to_native().sort("customer_key")
        for engine in (on_polars, on_duckdb)
    )
    assert here.height > 20
    assert_frame_equal(here, there, check_exact=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_its_traits_with_their_types(family, cleaned, evening, on_duckdb):
    rows = FAMILIES[family](on_duckdb(cleaned(**_random_rows(1))), evening()).to_native().pl()
    expected = {"customer_key": pl.String} | {trait.name: trait.dtype for trait in FAMILY_TRAITS[family]}
    assert dict(rows.schema) == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_no_trait_is_the_same_for_everybody(family, cleaned, evening, on_polars):
    """Else the tests here say nothing of it: let ``_random_rows`` fill the columns that it reads."""
    rows = FAMILIES[family](on_polars(cleaned(**_random_rows(1))), evening()).collect("polars").to_native()
    assert [name for name in rows.columns if rows[name].n_unique() == 1] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_reads_no_table_that_its_traits_do_not_name(family, cleaned, evening, on_polars):
    """Else its asset does not wait for the table, and NULL does not say that it is missing."""
    tables, read = on_polars(cleaned()), set()

    def reading(table):
        read.add(table)
        return tables[table]

    FAMILIES[family](EachWhenAsked(tables, reading), evening())
    named = {table for trait in FAMILY_TRAITS[family] for table in (*trait.sources, *trait.beside)}
    assert read - TOLD_BY <= named


@pytest.mark.parametrize("seed", range(4))
def test_facts_planted_after_the_day_change_nothing(seed, cleaned, evening, on_polars):
    tables, as_of = on_polars(cleaned(**_random_rows(seed))), evening()
    planted = planted_future(tables, as_of)
    for compute in FAMILIES.values():
        before, after = (
            compute(facts, as_of).collect("polars").to_native().sort("customer_key")
            for facts in (tables, planted)
        )
        assert_frame_equal(before, after, check_exact=True)


def test_facts_can_be_planted_in_duckdb_too(cleaned, evening, on_polars, on_duckdb):
    as_of = evening()
    here, there = (
        FAMILIES["consumption"](planted_future(engine(cleaned(**_random_rows(1))), as_of), as_of)
        for engine in (on_polars, on_duckdb)
    )
    frames = (rows.collect("polars").to_native().sort("customer_key") for rows in (here, there))
    assert_frame_equal(*frames, check_exact=True)


def test_planted_facts_have_ids_that_nobody_knew(cleaned, evening, on_polars):
    tables = on_polars(cleaned(orders=[{"customer_key": "a", "coupon_id": "c", "ordered_day": D}]))
    coupons = planted_future(tables, evening())["orders"].collect("polars").to_native()["coupon_id"]
    assert set(coupons) == {"c", "c-planted"}


def test_the_planted_facts_would_change_every_family_if_they_leaked(cleaned, evening, on_polars):
    tables, as_of = on_polars(cleaned(**_random_rows(1))), evening()
    planted = planted_future(tables, as_of)
    later = AsOf(D + timedelta(days=1), as_of.delivered)
    for name, compute in FAMILIES.items():
        before, after = (
            compute(facts, later).collect("polars").to_native().sort("customer_key")
            for facts in (tables, planted)
        )
        assert not before.equals(after), name


def test_the_wide_row_holds_every_trait_once_for_every_customer(cleaned, evening, on_duckdb):
    tables, as_of = on_duckdb(cleaned(**_random_rows(1))), evening()
    families = {name: compute(tables, as_of) for name, compute in FAMILIES.items()}
    wide = customer_features(families, as_of).collect("polars").to_native()
    assert wide.columns == ["as_of", "customer_key", *TRAITS]
    assert wide["as_of"].dtype == pl.Date
    assert set(wide["as_of"]) == {D}
    assert wide.height == families["personal"].collect("polars").to_native().height
