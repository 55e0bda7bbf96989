"""What counts as a purchase, and the traits made of purchases."""

from datetime import date, timedelta

import pytest

from customer_profiles.features.consumption import RFM_GROUPS
from customer_profiles.features.purchases import order_lines

D = date(2026, 3, 31)


def ago(days):
    return D - timedelta(days=days)


def line(customer="a", days=5, status="completed", amount=100, after=0, order=None, number=1, **more):
    return {
        "order_id": order or f"{customer}-{days}", "line_number": number, "customer_key": customer,
        "ordered_day": ago(days), "status_day": ago(days - after), "status": status, "amount_minor": amount,
        **more,
    }  # fmt: skip


@pytest.fixture
def consumption(profiles, cleaned, evening):
    return lambda *lines: profiles("consumption", cleaned(orders=list(lines)), evening("orders"))


@pytest.fixture
def bought(on_polars, cleaned, evening):
    def compute(*lines):
        tables = on_polars(cleaned(orders=list(lines)))
        rows = order_lines(tables["orders"], evening("orders")).collect("polars").to_native()
        return rows.select("is_purchase", "net_minor", "given_back_minor").rows()

    return compute


@pytest.mark.parametrize(
    ("status", "refunded", "expected"),
    [
        ("placed", None, (False, 0, 0)),
        ("cancelled", None, (False, 0, 0)),
        ("paid", None, (True, 100, 0)),
        ("shipped", None, (True, 100, 0)),
        ("completed", 30, (True, 70, 30)),
        ("completed", 100, (False, 0, 100)),
        ("refunded", 30, (True, 70, 30)),
        ("refunded", 100, (False, 0, 100)),
        ("refunded", None, (False, 0, 100)),
        ("refunded", 250, (False, 0, 100)),
    ],
)
def test_the_newest_status_decides(status, refunded, expected, bought):
    assert bought(line(), line(status=status, after=2, refunded_minor=refunded)) == [expected]


def test_a_gift_is_a_purchase_of_nothing(bought):
    assert bought(line(amount=0)) == [(True, 0, 0)]


def test_of_two_statuses_of_one_moment_the_later_delivered_counts(bought):
    older, newer = line(status="paid"), line(status="cancelled", delivery_day=ago(2))
    assert bought(newer, older) == [(False, 0, 0)]


def test_a_return_under_the_lines_own_number_takes_from_the_line(bought):
    back = {"status": "returned", "after": 2}
    assert bought(line(), line(**back, amount=-100, quantity=-1)) == [(False, 0, 100)]
    assert bought(line(quantity=2), line(**back, amount=-50, quantity=-1)) == [(True, 50, 50)]


def test_what_came_back_whole_is_no_purchase_whatever_money_stayed(bought):
    back = {"status": "returned", "after": 2, "quantity": -1}
    assert bought(line(amount=0), line(**back, amount=0)) == [(False, 0, 0)]
    assert bought(line(), line(**back, amount=-90)) == [(False, 10, 90)]
    assert bought(line(amount=0, quantity=2), line(**back, amount=0)) == [(True, 0, 0)]


def test_a_line_stays_on_the_day_and_in_the_category_in_which_it_was_sold(consumption):
    back = line(days=2, status="returned", amount=-50, quantity=-1, order="o", category="unknown")
    row = consumption(line(days=40, quantity=2, order="o", category="tea"), back)["a"]
    assert (row["days_since_last_order"], row["spend_minor_30"], row["spend_minor_90"]) == (40, 0, 50)
    assert row["top_category"] == "tea"


def test_a_later_status_undoes_a_return(bought):
    back = line(status="returned", after=2, amount=-100, quantity=-1)
    assert bought(line(), back, line(after=3)) == [(True, 100, 0)]


def test_a_refund_tells_the_money_of_a_return_and_leaves_its_pieces(consumption):
    back = line(status="returned", after=1, amount=-50, quantity=-1)
    refund = line(status="refunded", after=2, quantity=2, refunded_minor=50)
    row = consumption(line(quantity=2), back, refund)["a"]
    assert (row["orders_30"], row["items_per_order"], row["spend_minor_30"]) == (1, 1, 50)


def test_of_a_return_in_another_currency_pieces_count_and_money_is_unknown(consumption):
    back = line(status="returned", after=1, amount=-700, quantity=-1, currency="CNY")
    sale = line(quantity=2, currency="EUR")
    row = consumption(sale, back)["a"]
    assert (row["orders_30"], row["items_per_order"]) == (1, 1)
    assert (row["spend_minor_30"], row["currency"]) == (None, None)
    row = consumption(sale, back, line(quantity=2, currency="EUR", after=2))["a"]
    assert (row["items_per_order"], row["spend_minor_30"], row["currency"]) == (2, 100, "EUR")


def test_a_return_without_its_order_is_negative_money_and_no_order(consumption):
    row = consumption(
        line(days=40, amount=300), line(days=3, status="returned", amount=-100, quantity=-1, order="r")
    )["a"]
    assert (row["orders_lifetime"], row["spend_minor_lifetime"], row["spend_minor_30"]) == (1, 200, -100)
    assert row["refund_rate"] == pytest.approx(1 / 3)
    assert row["days_since_last_order"] == 40


def test_lines_of_an_order_are_one_order(consumption):
    row = consumption(line(number=1, quantity=2), line(number=2, amount=50))["a"]
    assert (row["orders_30"], row["spend_minor_30"], row["items_per_order"]) == (1, 150, 3)
    assert row["average_order_minor"] == 150


def test_the_gap_is_between_days_with_a_purchase(consumption):
    row = consumption(
        line(days=30), line(days=30, order="same day"), line(days=10), line(days=2, status="cancelled")
    )["a"]
    assert (row["orders_lifetime"], row["mean_days_between_orders"]) == (3, 20)
    assert (row["days_since_last_order"], row["overdue_ratio"]) == (10, 0.5)


def test_one_purchase_has_no_gap(consumption):
    row = consumption(line())["a"]
    assert (row["mean_days_between_orders"], row["overdue_ratio"]) == (None, None)


def test_a_discount_never_told_is_unknown_not_zero(consumption):
    rows = consumption(line("told", amount=80, discount_minor=20), line("untold"))
    assert rows["told"]["discount_share"] == 0.2
    assert rows["untold"]["discount_share"] is None


def test_what_was_given_back_is_no_discount(consumption):
    row = consumption(line(status="refunded", amount=80, discount_minor=20, refunded_minor=60))["a"]
    assert row["discount_share"] == 0.2


def test_categories_of_purchases(consumption):
    rows = consumption(
        line(number=1, category="tea"), line(number=2, category="books"), line(number=3, category="tea"),
        line(number=4, category="books"), line(number=5, category="toys", status="cancelled"), line("untold"),
    )  # fmt: skip
    row = rows["a"]
    assert (row["distinct_categories"], row["top_category"], row["top_category_share"]) == (2, "books", 0.5)
    assert row["category_entropy"] == pytest.approx(0.693147)
    assert rows["untold"]["distinct_categories"] is None


def test_currencies_do_not_add_up(consumption):
    rows = consumption(
        line("mixed", 5),
        line("mixed", 6, currency="USD"),
        line("one", 5),
        line("buyer of nothing", status="placed"),
    )
    row = rows["mixed"]
    assert [
        row[name] for name in ("spend_minor_30", "average_order_minor", "monetary_score", "currency")
    ] == [None] * 4
    assert row["orders_30"] == 2
    assert (rows["one"]["spend_minor_30"], rows["one"]["currency"]) == (100, "CNY")


def test_orders_without_money_have_counts_and_no_money_traits(consumption):
    row = consumption(line(days=5, amount=0, currency="XXX"), line(days=6, amount=0, currency="XXX"))["a"]
    money = ("spend_minor_30", "spend_minor_lifetime", "average_order_minor", "refund_rate", "monetary_score")
    assert [row[name] for name in (*money, "currency")] == [None] * 6
    assert row["orders_lifetime"] == 2
    assert row["rfm_group"] is not None


def test_equal_frequencies_share_a_dense_rank(consumption):
    lines = [line("most", day) for day in (1, 2, 3)]
    lines += [line(key, day) for key in ("b", "c") for day in (1, 2)] + [line("least", 1)]
    rows = consumption(*lines, line("never", status="placed"))
    ranks = {key: row["frequency_rank"] for key, row in rows.items()}
    assert ranks == {"most": 1, "b": 2, "c": 2, "least": 3, "never": None}


def test_scores_are_fifths_of_the_buyers_with_ties_broken_by_key(consumption):
    lines = [line(f"{n}", days=20 - n, amount=100) for n in range(10)]
    rows = consumption(*lines, line("never", status="cancelled"))
    assert [rows[f"{n}"]["recency_score"] for n in range(10)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [rows[f"{n}"]["monetary_score"] for n in range(10)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert rows["9"]["rfm_group"] == "champions"
    assert rows["0"]["rfm_group"] == "hibernating"
    assert (rows["never"]["recency_score"], rows["never"]["rfm_group"]) == (None, None)
    assert rows["never"]["orders_lifetime"] == 0


def test_whose_money_is_unknown_is_not_among_those_who_spent_least(consumption):
    unknown = [line(f"unknown {n}", amount=0, currency="XXX") for n in range(5)]
    rows = consumption(*(line(f"{n}", amount=100 + n) for n in range(5)), *unknown)
    assert [rows[f"{n}"]["monetary_score"] for n in range(5)] == [1, 2, 3, 4, 5]
    assert rows["unknown 0"]["monetary_score"] is None


def test_every_pair_of_scores_has_a_group():
    pairs = {(r, f) for _, recency, frequency in RFM_GROUPS for r in recency for f in frequency}
    assert pairs == {(r, f) for r in range(1, 6) for f in range(1, 6)}
