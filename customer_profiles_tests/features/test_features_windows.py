"""What a profile may know: two clocks, windows and missing deliveries."""

from datetime import date, timedelta

import pytest

from customer_profiles.features.as_of import AsOf
from customer_profiles.features.catalogue import COMPUTED_BY, FAMILY_TRAITS, TRAITS, catalogue

D = date(2026, 3, 31)


def ago(days):
    return D - timedelta(days=days)


def view(customer, day, **more):
    return {
        "event_id": str(day),
        "customer_key": customer,
        "event_day": day,
        "event_name": "product_view",
        **more,
    }


def bought(customer, day, **more):
    order = {"order_id": f"{customer}{day}", "customer_key": customer, "ordered_day": day, "status_day": day}
    return order | {"line_number": 1, "amount_minor": 100} | more


def test_the_day_before_the_window_does_not_count(profiles, cleaned, evening):
    events = [view("first day", ago(29)), view("day before", ago(30)), view("last day", D)]
    rows = profiles("behaviour", cleaned(events=events), evening("events"))
    assert {key: row["product_views_30"] for key, row in rows.items()} == {
        "first day": 1,
        "day before": 0,
        "last day": 1,
    }


def test_what_was_done_last_counts_from_its_own_newest_event(profiles, cleaned, evening):
    """However long ago; what was never done is unknown."""
    events = [view("a", D), view("a", ago(5), event_name="add_to_cart"), view("b", ago(1))]
    events += [view("a", ago(3), event_name="add_to_cart"), view("a", ago(200), event_name="search")]
    rows = profiles("behaviour", cleaned(events=events), evening("events"))
    since = [f"days_since_last_{what}" for what in ("visit", "cart", "search")]
    assert [[rows[key][name] for name in since] for key in "ab"] == [[0, 3, 200], [1, None, None]]


def test_orders_keep_the_same_edges(profiles, cleaned, evening):
    rows = profiles(
        "consumption", cleaned(orders=[bought("a", ago(29)), bought("b", ago(30))]), evening("orders")
    )
    assert (rows["a"]["orders_30"], rows["b"]["orders_30"], rows["b"]["orders_90"]) == (1, 0, 1)


def test_an_event_delivered_after_the_day_is_unknown(profiles, cleaned, evening):
    events = [view("a", ago(3)), view("a", ago(2), delivery_day=D + timedelta(days=1))]
    assert profiles("behaviour", cleaned(events=events), evening("events"))["a"]["product_views_7"] == 1


def test_an_event_after_the_day_is_unknown_even_if_it_claims_to_be_delivered(profiles, cleaned, evening):
    events = [view("a", ago(3)), view("a", D + timedelta(days=1), delivery_day=D)]
    row = profiles("behaviour", cleaned(events=events), evening("events"))["a"]
    assert (row["product_views_7"], row["days_since_last_visit"]) == (1, 3)


def test_a_late_row_counts_once_it_was_delivered(profiles, cleaned, evening):
    events = [view("a", ago(3)), view("a", ago(2), delivery_day=D + timedelta(days=1))]
    later = evening("events", day=D + timedelta(days=1))
    assert profiles("behaviour", cleaned(events=events), later)["a"]["product_views_7"] == 2


def test_a_status_reached_or_delivered_after_the_day_is_ignored(profiles, cleaned, evening):
    tomorrow = D + timedelta(days=1)
    orders = [
        bought("a", ago(3)),
        bought("a", ago(3), status="cancelled", status_day=tomorrow),
        bought("b", ago(3)),
        bought("b", ago(3), status="cancelled", status_day=D, delivery_day=tomorrow),
        bought("c", ago(3)),
        bought("c", ago(3), status="cancelled", status_day=D),
    ]
    rows = profiles("consumption", cleaned(orders=orders), evening("orders"))
    assert [rows[key]["orders_30"] for key in "abc"] == [1, 1, 0]


def test_a_missing_delivery_hides_the_windows_that_need_it_and_no_others(profiles, cleaned, evening):
    as_of = evening("events", missing=(ago(10),))
    row = profiles("behaviour", cleaned(events=[view("a", ago(1))]), as_of)["a"]
    assert row["product_views_7"] == 1
    assert row["product_views_30"] is None
    assert row["channel_share_web"] is None
    assert row["days_since_last_visit"] == 1


def test_nothing_in_a_complete_window_is_zero_not_null(profiles, cleaned, evening):
    tables = cleaned(customers=[{"customer_key": "quiet", "updated_day": ago(9)}])
    row = profiles("behaviour", tables, evening("customers", "events"))["quiet"]
    assert row["sessions_90"] == 0
    assert row["days_since_last_visit"] is None
    assert row["cart_abandonment_rate"] is None


@pytest.mark.parametrize("family", ["personal", "behaviour", "times", "social", "campaigns"])
def test_an_absent_table_leaves_its_family_null_and_loses_nobody(family, profiles, cleaned, evening):
    tables = cleaned(orders=[bought("a", ago(1)), bought("b", ago(40))])
    rows = profiles(family, tables, evening("orders"))
    assert set(rows) == {"a", "b"}
    assert all(rows["a"][trait.name] is None for trait in FAMILY_TRAITS[family])


def test_the_population_is_whom_customers_names_once_it_was_delivered(profiles, cleaned, evening):
    tables = cleaned(
        customers=[
            {"customer_key": "named", "updated_day": ago(5)},
            {"customer_key": "named", "updated_day": ago(2)},
            {"customer_key": "named tomorrow", "updated_day": ago(2), "delivery_day": D + timedelta(days=1)},
        ],
        orders=[bought("stranger", ago(1))],
        events=[view("visitor", ago(1)), view(None, ago(1), anonymous_key="cookie")],
    )
    assert set(profiles("personal", tables, evening())) == {"named"}
    assert set(profiles("personal", tables, evening("orders", "events"))) == {"stranger", "visitor"}


@pytest.mark.parametrize("family", COMPUTED_BY)
def test_no_deliveries_at_all_give_no_customers(family, profiles, cleaned):
    assert profiles(family, cleaned(), AsOf(D, {})) == {}


def test_a_window_is_covered_from_its_first_day_to_its_last():
    days = frozenset({ago(2), ago(1), D})
    as_of = AsOf(D, {"orders": days})
    assert as_of.number == 20543
    assert as_of.covers("orders", 3)
    assert not as_of.covers("orders", 4)
    assert not as_of.covers("events", 1)
    assert not AsOf(ago(3), {"orders": days}).has("orders")
    assert AsOf(ago(2), {"orders": days}).has("orders")


def test_every_trait_has_a_line_in_the_catalogue():
    lines = catalogue()
    assert lines["trait"].to_list() == list(TRAITS)
    assert lines.height == sum(len(traits) for traits in FAMILY_TRAITS.values()) >= 60
    for column in ("definition", "unit", "null_means", "sources", "pii", "kind"):
        assert (lines[column].str.len_chars() > 0).all(), column
