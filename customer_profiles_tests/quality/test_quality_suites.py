"""Suites derived from the contracts hold on good rows and catch each planted violation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import cleaned_columns
from customer_profiles.quality.claims import ClaimResult, finding_of
from customer_profiles.quality.suites import features_suite, table_suite
from customer_profiles.quality.validation import validate

DAY = date(2026, 1, 5)
MOMENT = datetime(2026, 1, 5, 4, tzinfo=UTC)


def orders(rows: int = 40) -> pl.DataFrame:
    """Orders as they stand in ``cleaned.orders``."""
    values = {
        "delivery_day": [DAY] * rows,
        "source": ["orders/2026-01-05.csv"] * rows,
        "row_number": range(1, rows + 1),
        "order_id": [f"O{number}" for number in range(rows)],
        "line_number": [1] * rows,
        "status_at": [MOMENT + timedelta(minutes=number) for number in range(rows)],
        "status_day": [20_458] * rows,
        "customer_key": [f"{number:032x}" for number in range(rows)],
        "ordered_at": [MOMENT] * rows,
        "ordered_day": [20_458] * rows,
        "ordered_hour": [12] * rows,
        "ordered_weekday": [1] * rows,
        "status": ["paid"] * rows,
        "quantity": [2] * rows,
        "amount_minor": [9_900] * rows,
        "currency": ["CNY"] * rows,
    }
    schema = {column.name: column.dtype for column in cleaned_columns("orders")}
    given = pl.DataFrame(values, schema={name: schema[name] for name in values})
    return given.with_columns(pl.lit(None, kind).alias(n) for n, kind in schema.items() if n not in values)


def broken(frame: pl.DataFrame, suite=None, largest_sample: int = 1_000) -> list[ClaimResult]:
    results = validate(frame, suite or table_suite("orders"), largest_sample=largest_sample, seed=1)
    return [result for result in results if not result.passed]


def first_row(**values: object) -> pl.DataFrame:
    """Plant values in the first row of good orders."""
    frame = orders()
    first = pl.int_range(pl.len()) == 0
    return frame.with_columns(
        pl.when(first).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


@pytest.mark.parametrize("table", CONTRACTS)
def test_every_table_has_a_suite_whose_claims_have_names_of_their_own(table):
    suite = table_suite(table)
    names = [claim.name for claim in suite.claims]

    assert len(set(names)) == len(names) >= 8
    assert set(suite.columns) <= {column.name for column in cleaned_columns(table)}
    assert all(claim.says for claim in suite.claims)
    assert {"rows_arrived"} < set(names)


def test_every_claim_holds_on_good_rows_and_results_come_in_the_suites_order():
    suite = table_suite("orders")
    results = validate(orders(), suite, largest_sample=1_000, seed=1)

    assert [result.claim for result in results] == list(suite.claims)
    assert all(result.passed for result in results)
    assert finding_of(results).passed


@pytest.mark.parametrize(
    ("claim", "planted", "examples"),
    [
        ("customer_key_is_never_null", {"customer_key": None}, ()),
        ("status_is_a_known_value", {"status": "vanished"}, ("va… (8 characters)",)),
        ("ordered_hour_is_in_range", {"ordered_hour": 24}, ("24",)),
        ("ordered_weekday_is_in_range", {"ordered_weekday": 0}, ("0",)),
        ("ordered_day_is_in_range", {"ordered_day": 2_000_000}, ("2000000",)),
        ("discount_minor_is_in_range", {"discount_minor": -1}, ("-1",)),
    ],
)
def test_each_planted_violation_breaks_its_claim_and_no_other(claim, planted, examples):
    (result,) = broken(first_row(**planted))

    assert result.claim.name == claim
    assert (result.unexpected, result.unexpected_share) == (1, 1 / 40)
    assert result.examples == examples


def test_the_same_key_twice_on_a_day_is_caught_and_on_two_days_is_not():
    frame = orders()
    (result,) = broken(pl.concat([frame, frame.head(1)]))

    assert result.claim.name == "order_id_line_number_status_at_is_unique"
    assert result.unexpected == 2
    assert not broken(pl.concat([frame, frame.head(1).with_columns(delivery_day=date(2026, 1, 6))]))


def test_money_in_the_wrong_unit_is_a_warning():
    (result,) = broken(orders().with_columns(amount_minor=pl.lit(9)))
    finding = finding_of([result])

    assert (result.claim.name, result.observed) == ("median_amount_minor_is_plausible", 9.0)
    assert (finding.passed, finding.severity) == (False, "warn")


def test_a_quantile_of_few_rows_says_nothing():
    assert not broken(orders(20).with_columns(amount_minor=pl.lit(9)))


def test_a_day_without_rows_is_a_warning_about_volume_and_nothing_else():
    results = validate(orders().clear(), table_suite("orders"), largest_sample=1_000, seed=1)
    finding = finding_of(results)

    assert [result.claim.name for result in results if not result.passed] == ["rows_arrived"]
    assert (finding.passed, finding.severity) == (False, "warn")
    assert {result.note for result in results if result.passed} == {"no rows"}


def test_volume_counts_every_row_where_the_other_claims_look_at_a_sample():
    suite = table_suite("orders", fewest_rows=41)
    results = validate(orders(), suite, largest_sample=15, seed=1)

    assert (results[0].passed, results[0].observed) == (False, 40)
    assert {result.looked_at for result in results[1:]} == {15}
    assert {result.rows for result in results} == {40}


def test_what_is_sealed_is_neither_shown_nor_read(monkeypatch):
    seen = []
    to_pandas = pl.DataFrame.to_pandas
    monkeypatch.setattr(pl.DataFrame, "to_pandas", lambda frame: seen.append(frame) or to_pandas(frame))
    columns = {column.name: column.dtype for column in cleaned_columns("texts")}
    texts = pl.DataFrame(
        {name: [None, None] if name != "body_sealed" else [b"secret words", None] for name in columns},
        schema=columns,
    )
    results = {r.claim.name: r for r in broken(texts, table_suite("texts"))}

    assert results["body_sealed_is_never_null"].unexpected == 1
    assert seen[0]["body_sealed"].to_list() == [True, None]
    assert "secret" not in repr(results)


def test_a_column_that_is_not_there_breaks_its_claims_and_is_named():
    names = {result.claim.name: result.note for result in broken(orders().drop("status"))}

    assert names == {
        "status_is_never_null": "the table has no column status",
        "status_is_a_known_value": "the table has no column status",
    }


def test_findings_name_broken_claims_first_and_tell_of_the_worst_severity():
    frame = first_row(status="vanished").with_columns(amount_minor=pl.lit(9))
    finding = finding_of(validate(frame, table_suite("orders"), largest_sample=1_000, seed=1))

    assert (finding.passed, finding.value, finding.severity) == (False, 2, "error")
    assert {row["claim"] for row in finding.details[:2]} == {
        "status_is_a_known_value",
        "median_amount_minor_is_plausible",
    }
    assert "status_is_a_known_value (what became of the line): 1 rows, expected placed," in finding.says
    assert "(median of line total paid; negative for returned lines): 9, expected 10 to" in finding.says


TRAITS = [
    ("age_years", "years"),
    ("weekend_share", "share"),
    ("refund_rate", "share"),
    ("orders_30", "orders"),
    ("views_trend", "-1 to 1"),
    ("recency_score", "1 to 5"),
    ("spend_minor_30", "minor units"),
]


def profiles() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "as_of": [DAY] * 3,
            "customer_key": ["a", "b", "c"],
            "age_years": [18, None, 70],
            "weekend_share": [0.0, 1.0, None],
            "refund_rate": [0.0, 1.2, None],
            "orders_30": [0, 4, None],
            "views_trend": [-1.0, 1.0, None],
            "recency_score": [1, 5, None],
            "spend_minor_30": [0, -300, None],
        }
    )


@pytest.mark.parametrize(
    ("claim", "planted"),
    [
        ("customer_key_is_never_null", {"customer_key": ["a", None, "c"]}),
        ("customer_key_is_unique", {"customer_key": ["a", "b", "a"]}),
        ("age_years_is_in_range", {"age_years": [121, 20, 30]}),
        ("weekend_share_is_in_range", {"weekend_share": [0.2, 1.01, 0.5]}),
        ("orders_30_is_in_range", {"orders_30": [1, -1, 0]}),
        ("views_trend_is_in_range", {"views_trend": [0.5, -1.5, 0.0]}),
        ("refund_rate_is_in_range", {"refund_rate": [0.5, -0.5, 0.0]}),
        ("recency_score_is_in_range", {"recency_score": [0, 1, 2]}),
    ],
)
def test_profiles_that_cannot_be_are_caught(claim, planted):
    suite = features_suite(TRAITS)

    assert not broken(profiles(), suite)
    (result,) = broken(profiles().with_columns(**{n: pl.Series(v) for n, v in planted.items()}), suite)
    assert result.claim.name == claim
    assert result.examples == () or "age" not in claim
