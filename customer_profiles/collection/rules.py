"""Which rules of its contract a parsed row breaks: ``column|rule``, or a rule over the row."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from customer_profiles.collection.reading import LINE, UNREADABLE
from customer_profiles.contracts import Delivered
from customer_profiles.contracts.columns import columns_of

INVALID = "invalid"


def circumstances(
    days: Sequence[date], timezone: str, minimum_age: int, future_tolerance_minutes: int
) -> pl.DataFrame:
    """By ``delivery_day`` the two columns by which a contract's rules know the day (see ``Delivered``)."""
    ends = [datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone)) for day in days]
    tolerance = timedelta(minutes=future_tolerance_minutes)
    years = [(day, day.year - minimum_age) for day in days]
    birthdays = [date(year, day.month, min(day.day, monthrange(year, day.month)[1])) for day, year in years]
    return pl.DataFrame(
        {
            "delivery_day": days,
            # added in UTC: on the clock an hour may be left out, or come twice
            "closes_at": [end.astimezone(UTC) + tolerance for end in ends],
            "adult_born_by": birthdays,
        },
        schema={"delivery_day": pl.Date, "closes_at": pl.Datetime("us", "UTC"), "adult_born_by": pl.Date},
    )


def broken_rules(rows: pl.DataFrame, contract: type[Delivered]) -> pl.Series:
    """Per row, the sorted list of rules that it breaks; empty for a row that keeps them all.

    ``rows`` are parsed rows with their circumstances and ``broken``, what parsing could not read.
    A cell that could not be read is not also reported as absent, and a line that could not be split
    into columns breaks one rule alone.
    """
    schema = columns_of(contract)
    _, failure = contract.filter(
        rows.select(
            pl.int_range(pl.len()).alias(name) if name == "row_number" else pl.col(name).cast(column.dtype)
            for name, column in schema.items()
        )
    )
    details = failure.details()
    rules = [name for name in details.columns if name not in schema]
    breaks = details.select(
        "row_number",
        ruled=pl.concat_list(
            pl.when(pl.col(rule).cast(pl.String) == INVALID).then(pl.lit(_rule_name(rule))) for rule in rules
        ).list.drop_nulls(),
    )
    unread = pl.col("broken").list.eval(pl.element().str.replace(r"\|.*", "|required"))
    numbered = rows.select("broken", LINE, row_number=pl.int_range(pl.len()))
    broken = (
        numbered.join(breaks, on="row_number", how="left")
        # lists of every row would take longer than all rules
        .filter(
            pl.col("ruled").is_not_null() | (pl.col("broken").list.len() > 0) | pl.col(LINE).is_not_null()
        )
        .with_columns(pl.col("ruled").fill_null([]).list.set_difference(unread))
        .select(
            "row_number",
            pl.when(pl.col(LINE).is_not_null())
            .then(pl.lit([UNREADABLE]))
            .otherwise(pl.concat_list("broken", "ruled").list.unique().list.sort())
            .alias("broken_rules"),
        )
    )
    every = numbered.select("row_number").join(broken, on="row_number", how="left", maintain_order="left")
    return every["broken_rules"].fill_null([])


def _rule_name(rule: str) -> str:
    """dataframely's name of a rule -> ours: ``a|nullability`` -> ``a|required``."""
    return rule.replace("|nullability", "|required").replace("|check__", "|")
