"""Which customer ids are one customer on a day, and whose the anonymous events are."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from customer_profiles.features.as_of import AsOf
from customer_profiles.features.canary import planted_future
from customer_profiles.features.identities import (
    first_seen,
    identities,
    links_in_force,
    owners,
    proving,
    under_one_key,
)
from customer_profiles.settings import IdentitySettings

D = date(2026, 3, 31)
SETTINGS = IdentitySettings()


def ago(days: int) -> date:
    return D - timedelta(days=days)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def link(identifier: str, customer: str, day: date = D, **more: object) -> dict:
    row = {"kind": "cookie", "identifier_key": identifier, "customer_key": customer, "method": "login"}
    return row | {"linked_day": day, "delivery_day": day} | more


def withdrawn(row: dict, day: date, told: date | None = None) -> dict:
    return row | {"unlinked_day": day, "delivery_day": told or day}


def lend(_: str, frame: pl.DataFrame) -> nw.LazyFrame:
    return nw.from_native(frame.lazy())


def resolved(tables, as_of: AsOf, lend=lend, settings: IdentitySettings = SETTINGS) -> pl.DataFrame:
    links = links_in_force(tables["identity_links"], as_of).collect("polars").to_native()
    members = lend("members", proving(links, settings).select("member_key").unique())
    seen = first_seen(tables, as_of, members).collect("polars").to_native()
    return identities(links, seen, settings).sort("member_key", "kind", "identifier_key", "linked_at")


@pytest.fixture
def found(cleaned, evening, on_polars):
    """``found(links)``: the identities of a day; ``found(links, day=..., customers=...)``."""

    def find(links, day=D, settings=SETTINGS, **tables):
        rows = on_polars(cleaned(identity_links=links, **tables))
        return resolved(rows, evening(day=day), lend, settings)

    return find


@pytest.fixture
def keys(found):
    """``keys(links)``: the key under which each linked customer id's profile stands."""
    return lambda *args, **more: dict(found(*args, **more).select("member_key", "customer_key").iter_rows())


def test_a_login_with_the_same_identifier_makes_two_ids_one_customer(keys):
    assert keys([link("c", "a"), link("c", "b"), link("d", "z")]) == {"a": "a", "b": "a", "z": "z"}


@pytest.mark.parametrize("method", ["declared", "import"])
def test_only_a_login_proves_it(keys, method):
    assert keys([link("c", "a"), link("c", "b", method=method)]) == {"a": "a", "b": "b"}


def test_the_same_words_of_two_kinds_are_two_identifiers(keys):
    assert keys([link("c", "a"), link("c", "b", kind="device")]) == {"a": "a", "b": "b"}
    assert keys([link("c", "a"), link("c", "b", kind="Cookie")]) == {"a": "a", "b": "a"}


def test_a_login_with_another_customer_id_makes_the_two_one(keys):
    assert keys([link("a", "b", kind="customer")]) == {"a": "a", "b": "a"}
    assert keys([link("a", "b", kind="customer", method="declared")]) == {"a": "a", "b": "b"}


def test_an_id_that_is_linked_to_itself_is_one_link(found):
    assert found([link("a", "a", kind="customer")]).height == 1
    assert found([link("a", "a", kind="customer"), link("a", "b", kind="customer")]).height == 2


def test_a_declaration_of_the_same_time_hides_no_login_with_another_id(keys):
    declared = link("a", "b", kind="customer", method="declared")
    assert keys([declared, link("a", "c", kind="customer")]) == {"a": "a", "b": "b", "c": "a"}


def test_a_chain_of_logins_is_one_customer(keys):
    links = [link("1", "a"), link("1", "b"), link("2", "b"), link("2", "c"), link("3", "d"), link("3", "e")]
    assert keys(links) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}


def test_the_id_seen_first_keeps_its_key_then_the_smallest(keys):
    links = [link("c", "a"), link("c", "b"), link("c", "z"), link("c", "0")]
    customers = [{"customer_key": key, "updated_day": ago(9)} for key in ("a", "b")]
    orders = [{"customer_key": "z", "ordered_day": ago(12), "status_day": ago(12)}]
    assert set(keys(links, customers=customers).values()) == {"a"}
    assert set(keys(links, customers=customers, orders=orders).values()) == {"z"}
    assert set(keys(links).values()) == {"0"}


def test_whatever_the_order_of_the_links_the_result_is_the_same(found):
    rng = np.random.default_rng(3)
    links = [link(f"i{rng.integers(30)}", f"{rng.integers(60):02}", ago(int(n % 40))) for n in range(90)]
    columns = ["member_key", "identifier_key", "linked_at"]
    mixed = [links[place] for place in rng.permutation(len(links))]
    assert_frame_equal(found(links).sort(columns), found(mixed).sort(columns), check_column_order=False)


def test_an_identifier_on_more_than_twenty_customers_links_nobody(keys):
    own = link("own", "00")
    twenty = [link("tablet", f"{n:02}") for n in range(20)]
    assert keys([own, *twenty]) == {f"{n:02}": "00" for n in range(20)}
    assert keys([own, *twenty, link("tablet", "20")]) == {"00": "00"}


def test_a_login_told_many_times_is_one_customer_of_its_identifier(found):
    logins = [link("c", customer, ago(n)) for n in range(30) for customer in ("a", "b")]
    assert set(found(logins)["customer_key"]) == {"a"}


def test_nobody_is_merged_where_one_customer_an_identifier_is_allowed(keys):
    assert keys([link("c", "a"), link("c", "b")], settings=IdentitySettings(most_customers=1)) == {}


def test_a_link_counts_from_the_day_on_which_it_was_told(keys):
    links = [link("c", "a", ago(9)), link("c", "b", ago(9), delivery_day=ago(4))]
    assert keys(links, day=ago(5)) == {"a": "a"}
    assert keys(links, day=ago(4)) == {"a": "a", "b": "a"}


def test_a_withdrawn_link_never_was_from_the_day_on_which_we_know_it(keys):
    links = [
        link("c", "a", ago(9)),
        link("c", "b", ago(9)),
        withdrawn(link("c", "b", ago(9)), ago(5), ago(3)),
    ]
    assert keys(links, day=ago(4)) == {"a": "a", "b": "a"}
    assert keys(links, day=ago(3)) == {"a": "a"}


def test_a_withdrawal_undoes_every_earlier_login_but_no_later_one(keys):
    links = [link("c", "a", ago(9)), link("c", "b", ago(9)), link("c", "b", ago(7))]
    links += [withdrawn(link("c", "b", ago(9)), ago(5))]
    assert keys(links) == {"a": "a"}
    assert keys([*links, link("c", "b", ago(4))]) == {"a": "a", "b": "a"}


def test_a_link_withdrawn_before_it_was_made_is_none(keys):
    links = [link("c", "a", ago(9)), withdrawn(link("c", "b", ago(5)), ago(7), ago(5))]
    assert keys(links) == {"a": "a"}


def test_a_withdrawal_taken_back_by_a_newer_row_is_none(keys):
    told = link("c", "b", ago(9))
    links = [link("c", "a", ago(9)), withdrawn(told, ago(5)), told | {"delivery_day": ago(4)}]
    assert keys(links) == {"a": "a", "b": "a"}


@pytest.fixture
def whose(cleaned, on_polars, found):
    """``whose(events, links)``: event -> customer; events of nobody are absent."""

    def find(events, links, settings=SETTINGS):
        who = owners(found(links, settings=settings), lend)
        rows = under_one_key(on_polars(cleaned(events=events)), who)["events"]
        return dict(rows.collect("polars").to_native().select("event_id", "customer_key").iter_rows())

    return find


def seen(name: str, day: date, identifier: str = "c", **more: object) -> dict:
    return {"event_id": name, "event_day": day, "anonymous_key": identifier, "customer_key": None} | more


def test_anonymous_events_are_the_customers_from_thirty_days_before_the_link(whose):
    events = [seen("before", ago(41)), seen("edge", ago(40)), seen("near", ago(11)), seen("after", D)]
    assert whose(events, [link("c", "a", ago(10))]) == {"edge": "a", "near": "a", "after": "a"}
    none_before = IdentitySettings(window_days=0)
    assert whose(events, [link("c", "a", ago(10))], settings=none_before) == {"after": "a"}


def test_an_event_that_names_its_customer_stays_theirs(whose):
    assert whose([seen("named", D, customer_key="z")], [link("c", "a")]) == {"named": "z"}


def test_an_event_between_two_links_is_the_earlier_customers_and_counted_once(whose):
    links = [link("c", "a", ago(20), method="declared"), link("c", "b", ago(10), method="import")]
    events = [seen("first", ago(25)), seen("second", ago(11)), seen("third", ago(10)), seen("none", D, "d")]
    assert whose(events, links) == {"first": "a", "second": "a", "third": "b"}
    assert whose(events, [*links, link("c", "a", ago(20), kind="device", method="import")])["first"] == "a"


def test_the_anonymous_events_of_a_merged_customer_stand_under_their_one_key(whose):
    links = [link("c", "a", ago(9)), link("d", "a", ago(9)), link("d", "b", ago(9)), link("e", "b", ago(9))]
    assert whose([seen("1", D), seen("2", D, "d"), seen("3", D, "e")], links) == dict.fromkeys("123", "a")


def test_every_table_names_the_merged_customer(cleaned, on_polars, found):
    rows = {
        "customers": [{"customer_key": "b", "updated_day": D}],
        "orders": [{"customer_key": "b", "ordered_day": D, "status_day": D}],
        "social_edges": [
            {"source_customer_key": "b", "target_customer_key": other, "created_day": D}
            for other in ("a", "f")
        ],
    }
    who = owners(found([link("c", "a"), link("c", "b")]), lend)
    tables = {
        name: table.collect("polars").to_native()
        for name, table in under_one_key(on_polars(cleaned(**rows)), who).items()
    }
    assert tables["customers"]["customer_key"].to_list() == ["a"]
    assert tables["orders"]["customer_key"].to_list() == ["a"]
    ties = tables["social_edges"].select("source_customer_key", "target_customer_key").rows()
    assert ties == [("a", "f")], "a tie between two ids of one customer is none"


def _random_tables(seed: int) -> dict[str, list[dict]]:
    rng = np.random.default_rng(seed)

    def some(prefix: str, most: int) -> str:
        return f"{prefix}{rng.integers(most):02}"

    links = []
    for _ in range(150):
        row = link(some("i", 25), some("k", 40), ago(int(rng.integers(-2, 60))))
        row |= {
            "method": str(rng.choice(["login", "declared"])),
            "kind": str(rng.choice(["cookie", "device", "customer"])),
        }
        row |= {"identifier_key": some("k", 40)} if row["kind"] == "customer" else {}
        row |= {"delivery_day": row["linked_day"] + timedelta(days=int(rng.choice([0, 0, 3])))}
        links.append(row)
        if rng.random() < 0.2:
            links.append(withdrawn(row, row["delivery_day"] + timedelta(days=int(rng.integers(0, 9)))))
    links += [link("tablet", f"k{n:02}", ago(50)) for n in range(25)]
    customers = [{"customer_key": f"k{n:02}", "updated_day": ago(int(rng.integers(60)))} for n in range(40)]
    events = [
        seen(
            str(n),
            ago(int(rng.integers(0, 90))),
            some("i", 30),
            customer_key=rng.choice([None, "k01", "k07"]),
        )
        for n in range(400)
    ]
    return {"identity_links": links, "customers": customers, "events": events}


def borrow(engine, name: str, frame: pl.DataFrame) -> nw.LazyFrame:
    return engine({name: frame})[name]


@pytest.mark.parametrize("seed", range(3))
def test_both_engines_find_the_same(cleaned, evening, on_polars, on_duckdb, seed):
    tables, results = cleaned(**_random_tables(seed)), []
    for engine in (on_polars, on_duckdb):
        rows = engine(tables)
        into = partial(borrow, engine)
        who = resolved(rows, evening(), into)
        merged = under_one_key(rows, owners(who, into))["events"]
        results.append((who, merged.collect("polars").to_native().sort("event_id")))
    (here, mine), (there, theirs) = results
    assert_frame_equal(here, there, check_column_order=False)
    assert_frame_equal(mine, theirs)
    assert mine["event_id"].is_unique().all()
    assert (here["member_key"] != here["customer_key"]).any()
    assert "tablet" not in here["identifier_key"]


@pytest.mark.parametrize("seed", range(3))
def test_links_planted_after_the_day_change_nothing_that_day_and_much_the_next(
    cleaned, evening, on_polars, seed
):
    tables, as_of = on_polars(cleaned(**_random_tables(seed))), evening()
    planted = planted_future(tables, as_of)
    assert_frame_equal(resolved(tables, as_of), resolved(planted, as_of))
    later = AsOf(D + timedelta(days=1), as_of.delivered)
    assert not resolved(tables, later).equals(resolved(planted, later))
