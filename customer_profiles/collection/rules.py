"""Which rules of its contract a parsed row breaks: ``column|rule``, or a rule over the row."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from customer_profiles.collection.reading import LINE, UNREADABLE
from customer_profiles.contracts import Delivered
from customer_profiles.contracts.columns import columns_of

INVALID = "invalid"


def circumstances(
    day: date, timezone: str, minimum_age: int, future_tolerance_minutes: int
) -> dict[str, pl.Expr]:
    """The two columns by which a contract's rules know the delivery's day (see ``Delivered``)."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone))
    closes = midnight + timedelta(minutes=future_tolerance_minutes)
    year = day.year - minimum_age
    birthday = date(year, day.month, min(day.day, monthrange(year, day.month)[1]))
    return {
        "closes_at": pl.lit(closes.astimezone(ZoneInfo("UTC"))).cast(pl.Datetime("us", "UTC")),
        "adult_born_by": pl.lit(birthday),
    }


def broken_rules(rows: pl.DataFrame, contract: type[Delivered]) -> pl.Series:
    """Per row, the sorted list of rules that it breaks; empty for a row that keeps them all.

    ``rows`` are parsed rows with their circumstances and ``broken``, what parsing could not read.
    A cell that could not be read is not also reported as absent, and a line that could not be split
    into columns breaks one rule alone.
    """
    schema = columns_of(contract)
    _, failure = contract.filter(rows.select(pl.col(name).cast(c.dtype) for name, c in schema.items()))
    details = failure.details()
    rules = [name for name in details.columns if name not in schema]
    breaks = details.select(
        "source",
        "row_number",
        ruled=pl.concat_list(
            pl.when(pl.col(rule).cast(pl.String) == INVALID).then(pl.lit(_rule_name(rule))) for rule in rules
        ).list.drop_nulls(),
    )
    unread = pl.col("broken").list.eval(pl.element().str.replace(r"\|.*", "|required"))
    every = (
        rows.select("source", "row_number", "broken", LINE)
        .join(breaks, on=["source", "row_number"], how="left", maintain_order="left")
        .with_columns(pl.col("ruled").fill_null([]).list.set_difference(unread))
    )
    return every.select(
        pl.when(pl.col(LINE).is_not_null())
        .then(pl.lit([UNREADABLE]))
        .otherwise(pl.concat_list("broken", "ruled").list.unique().list.sort())
        .alias("broken_rules")
    ).to_series()


def _rule_name(rule: str) -> str:
    """dataframely's name of a rule -> ours: ``a|nullability`` -> ``a|required``."""
    return rule.replace("|nullability", "|required").replace("|check__", "|")
