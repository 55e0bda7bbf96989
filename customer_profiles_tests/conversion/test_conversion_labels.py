"""Who converted: the label's edges, on both engines."""

from datetime import date, timedelta
from typing import get_args

import duckdb
import narwhals as nw
import polars as pl
import pytest

from customer_profiles.contracts.stored import cleaned_columns
from customer_profiles.conversion.labels import (
    DEFINITIONS,
    contacted,
    converted,
    label_window,
    labelled,
    terms,
)
from customer_profiles.settings import LabelName, LabelSettings

LABEL = LabelSettings(gap_days=1, horizon_days=14, maturity_days=7)
AS_OF = date(2026, 1, 31)
FIRST, LAST, MATURES = date(2026, 2, 2), date(2026, 2, 15), date(2026, 2, 22)
EPOCH = date(1970, 1, 1)
ORDERS = {"ordered_day": pl.Int32, "discount_minor": pl.Int64, "refunded_minor": pl.Int64}


def line(
    customer,
    ordered,
    status="paid",
    *,
    delivered=None,
    order=None,
    number=1,
    amount=100,
    refunded=None,
    status_day=None,
    category="shoes",
    quantity=1,
):
    status_day = status_day or ordered
    return {
        "delivery_day": delivered or status_day,
        "source": "orders.csv",
        "row_number": 1,
        "order_id": order or f"order of {customer}",
        "line_number": number,
        "status_at": status_day,
        "status_day": (status_day - EPOCH).days,
        "customer_key": customer,
        "ordered_day": (ordered - EPOCH).days,
        "status": status,
        "quantity": quantity,
        "amount_minor": amount,
        "currency": "CNY",
        "discount_minor": None,
        "refunded_minor": refunded,
        "category": category,
    }


def who_converted(engine, *lines, category=None):
    frame = pl.DataFrame(lines, schema_overrides=ORDERS)
    return keys_of(engine, frame, lambda orders: converted(orders, AS_OF, LABEL, category))


def keys_of(engine, frame, chosen):
    if engine == "polars":
        return set(chosen(nw.from_native(frame.lazy())).collect()["customer_key"])
    with duckdb.connect() as connection:
        connection.register("rows", frame.to_arrow())
        found = chosen(nw.from_native(connection.sql("select * from rows")))
        return set(found.to_native().pl()["customer_key"])


both_engines = pytest.mark.parametrize("engine", ["polars", "duckdb"])


def test_the_window_opens_after_the_gap_and_is_as_long_as_the_horizon():
    window = label_window(AS_OF, LABEL)
    assert (window.first, window.last, window.matures) == (FIRST, LAST, MATURES)


@both_engines
def test_orders_count_from_the_gaps_end_to_the_horizons_last_day(engine):
    days = {"gap": date(2026, 2, 1), "first": FIRST, "last": LAST, "late": date(2026, 2, 16), "past": AS_OF}
    assert who_converted(engine, *(line(name, day) for name, day in days.items())) == {"first", "last"}


@both_engines
def test_only_paid_or_later_counts(engine):
    statuses = ("placed", "paid", "shipped", "completed", "cancelled", "refunded")
    lines = [line(status, FIRST, status) for status in statuses]
    assert who_converted(engine, *lines) == {"paid", "shipped", "completed"}


@both_engines
def test_what_is_cancelled_by_maturity_does_not_count_and_later_does(engine):
    lines = [
        line("cancelled in time", FIRST),
        line("cancelled in time", FIRST, "cancelled", status_day=MATURES),
        line("cancelled too late", FIRST),
        line("cancelled too late", FIRST, "cancelled", status_day=MATURES + timedelta(days=1)),
    ]
    assert who_converted(engine, *lines) == {"cancelled too late"}


@both_engines
def test_what_was_delivered_after_maturity_is_not_known(engine):
    lines = [
        line("in time", LAST, delivered=MATURES),
        line("too late", LAST, delivered=MATURES + timedelta(days=1)),
        line("paid in time, news of it too late", LAST, "placed"),
        line("paid in time, news of it too late", LAST, status_day=MATURES, delivered=date(2026, 3, 1)),
    ]
    assert who_converted(engine, *lines) == {"in time"}


@both_engines
def test_the_newest_status_counts_whatever_the_order_of_arrival(engine):
    lines = [
        line("kept", FIRST, "completed", status_day=date(2026, 2, 5), delivered=date(2026, 2, 5)),
        line("kept", FIRST, "placed", status_day=date(2026, 2, 2), delivered=date(2026, 2, 9)),
    ]
    assert who_converted(engine, *lines) == {"kept"}


@both_engines
def test_a_full_refund_undoes_a_conversion_and_a_partial_one_does_not(engine):
    lines = [
        line("half, still completed", FIRST, "completed", refunded=50),
        line("whole, still completed", FIRST, "completed", refunded=100),
        line("half, refunded", FIRST, "refunded", refunded=50),
        line("refunded, amount unknown", FIRST, "refunded"),
        line("free of charge", FIRST, "completed", amount=0, refunded=0),
    ]
    expected = {"half, still completed", "half, refunded", "free of charge"}
    assert who_converted(engine, *lines) == expected


@both_engines
def test_one_standing_line_is_enough(engine):
    lines = [line("a", FIRST, "cancelled", number=1), line("a", FIRST, "paid", number=2)]
    assert who_converted(engine, *lines) == {"a"}


@both_engines
def test_a_returned_line_undoes_the_line_that_it_was_and_no_other(engine):
    lines = [
        line("one of two", FIRST, number=1),
        line("one of two", FIRST, "returned", number=1, amount=-100, status_day=LAST),
        line("one of two", FIRST, number=2, amount=30),
        line("all", FIRST),
        line("all", FIRST, "returned", amount=-100, status_day=LAST),
    ]
    assert who_converted(engine, *lines) == {"one of two"}


@both_engines
def test_a_line_of_which_some_came_back_stands(engine):
    lines = [
        line("some", FIRST, amount=300, quantity=3),
        line("some", FIRST, "returned", amount=-100, quantity=-1, status_day=LAST),
        line("nothing yet", FIRST, "refunded", refunded=0),
        line("dated anew", LAST, quantity=2),
        line("dated anew", MATURES, "returned", amount=-50, quantity=-1),
    ]
    assert who_converted(engine, *lines) == {"some", "nothing yet", "dated anew"}


@both_engines
def test_of_a_free_order_the_pieces_tell_whether_all_came_back(engine):
    lines = [
        line("some", FIRST, amount=0, quantity=2),
        line("some", LAST, "returned", number=2, amount=0, quantity=-1),
        line("all", FIRST, amount=0, quantity=2),
        line("all", LAST, "returned", number=2, amount=0, quantity=-2),
        line("all of the line", FIRST, amount=0),
        line("all of the line", FIRST, "returned", amount=0, quantity=-1, status_day=LAST),
    ]
    assert who_converted(engine, *lines) == {"some"}


@both_engines
def test_return_lines_that_name_the_order_undo_it_once_they_take_all_of_it_back(engine):
    lines = [
        line("all", FIRST, number=1),
        line("all", LAST + timedelta(days=2), "returned", number=2, amount=-100),
        line("half", FIRST, number=1),
        line("half", LAST, "returned", number=2, amount=-50),
        line("another order", FIRST),
        line("another order", LAST, "returned", order="unknown", amount=-100),
    ]
    assert who_converted(engine, *lines) == {"half", "another order"}


@both_engines
def test_a_customer_with_two_orders_counts_once(engine):
    assert who_converted(engine, line("a", FIRST, order="1"), line("a", LAST, order="2")) == {"a"}


@both_engines
def test_a_category_counts_its_own_lines_and_returns_that_name_none(engine):
    lines = [
        line("shoes", FIRST),
        line("hats", FIRST, category="hats"),
        line("both", FIRST, number=1, category="hats"),
        line("both", FIRST, number=2, category="shoes"),
        line("given back", FIRST, number=1),
        line("given back", LAST, "returned", number=2, amount=-100, category=None),
    ]
    assert who_converted(engine, *lines, category="shoes") == {"shoes", "both"}


def contact(customer, day, arm="treatment", *, clicked=None, delivered=None, number=1):
    return {
        "delivery_day": delivered or clicked or day,
        "source": "contacts.csv",
        "row_number": number,
        "campaign_id": "spring",
        "customer_key": customer,
        "contacted_at": day,
        "contacted_day": (day - EPOCH).days,
        "arm": arm,
        "clicked_day": (clicked - EPOCH).days if clicked else None,
    }


@both_engines
def test_a_response_is_a_click_on_a_contact_of_the_window_known_by_maturity(engine):
    contacts = pl.DataFrame(
        [
            contact("clicked", FIRST),
            contact("clicked", FIRST, clicked=MATURES),
            contact("clicked too late", LAST),
            contact("clicked too late", LAST, clicked=MATURES + timedelta(days=1)),
            contact("ignored it", LAST),
            contact("in control", FIRST, "control"),
            contact("in control too", FIRST, "Control"),
            contact("before", AS_OF, clicked=FIRST),
        ],
        schema_overrides={"clicked_day": pl.Int32, "contacted_day": pl.Int32},
    )

    def reached(rows):
        return contacted(rows, AS_OF, LABEL)

    def clicked(rows):
        return reached(rows).filter(~nw.col("clicked_day").is_null())

    assert keys_of(engine, contacts, reached) == {"clicked", "clicked too late", "ignored it"}
    assert keys_of(engine, contacts, clicked) == {"clicked"}


PROFILES = pl.DataFrame(
    {
        "customer_key": ["new, buys", "new", "old, buys", "old", "long gone"],
        "orders_lifetime": [0, 0, 3, 2, 5],
        "days_since_last_order": [None, None, 10, 30, 200],
    }
)


@pytest.mark.parametrize(
    ("name", "about", "ones"),
    [
        ("purchase", set(PROFILES["customer_key"]), {"new, buys", "old, buys"}),
        ("first_purchase", {"new, buys", "new"}, {"new, buys"}),
        ("repeat_purchase", {"old, buys", "old", "long gone"}, {"old, buys"}),
        ("churn", {"old, buys", "old"}, {"old"}),
    ],
)
def test_a_definition_says_whom_it_is_about_and_who_is_a_one(name, about, ones):
    orders = pl.DataFrame(
        [line("new, buys", FIRST), line("old, buys", LAST)],
        schema_overrides=ORDERS,
    )
    tables = {"orders": nw.from_native(orders.lazy())}
    chosen, positives = labelled(
        PROFILES, name, tables, AS_OF, LABEL, lambda rows: rows.collect().to_native()
    )
    assert set(chosen["customer_key"]) == about
    assert positives & about == ones


def test_every_name_of_the_settings_has_a_definition():
    assert set(DEFINITIONS) == set(get_args(LabelName))


class Noting:
    """Settings that note what is read of them."""

    def __init__(self, label):
        self.label, self.read = label, set()

    def __getattr__(self, name):
        self.read.add(name)
        return getattr(self.label, name)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_names_the_tables_and_settings_that_it_reads(name):
    """Else training does not wait for the table, or a model goes on serving that answers another question."""
    definition, label = DEFINITIONS[name], Noting(LABEL)
    empty = {
        table: pl.DataFrame(schema={column.name: column.dtype for column in cleaned_columns(table)})
        for table in definition.sources
    }
    tables = {table: nw.from_native(rows.lazy()) for table, rows in empty.items()}
    for tell in filter(None, (definition.did, definition.asked)):
        assert tell(tables, AS_OF, label).collect().is_empty()
    assert label.read <= set(terms(name, LABEL))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"train": ["churn", "churn"]}, "names a label twice"),
        ({"train": ["category_purchase"]}, "category must name a category"),
        ({"train": []}, "at least 1 item"),
        ({"train": ["loyalty"]}, "'purchase', 'first_purchase'"),
        ({"maturity_days": 100_000_000}, "less than or equal to 36500"),
    ],
)
def test_labels_that_cannot_be_told_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        LabelSettings(**wrong)
