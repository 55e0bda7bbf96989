"""Freshness, day by day: a backfilled old day makes no newer one fresh."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from customer_profiles.quality.finding import Finding

CLOSED = "windows that hold the day are NULL; if nothing happened on it, deliver its header alone"


def expected_were_delivered(
    day: date, expected: Sequence[str], delivered: Mapping[str, Collection[date]]
) -> Finding:
    """Hold that every expected table has a delivery of the day; ``delivered`` maps a table to its days."""
    absent = [table for table in expected if day not in delivered.get(table, ())]
    newest = [
        {"table": table, "delivered": table not in absent, "newest": str(max(days, default="never"))}
        for table in expected
        for days in [[each for each in delivered.get(table, ()) if each <= day]]
    ]
    says = f"all of {len(expected)} expected tables were delivered"
    return Finding(
        passed=not absent,
        value=len(absent),
        threshold=0,
        says=f"no delivery of {', '.join(absent)}; {CLOSED}" if absent else says,
        severity="warn",
        details=newest,
    )


def late_days(due: Sequence[date], there: Collection[date]) -> list[date]:
    """The newest of the ascending ``due`` days that are all absent: a gap before them is no news."""
    late: list[date] = []
    for day in reversed(due):
        if day in there:
            break
        late.append(day)
    return late[::-1]
