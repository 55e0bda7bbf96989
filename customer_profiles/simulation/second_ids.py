"""People with two customer ids: when a login proves it, and when the link is withdrawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from customer_profiles.simulation.relations import link_rows
from customer_profiles.simulation.shoppers import DAY_SECONDS, Population
from customer_profiles.simulation.visits import cookies

LOGINS = (0, 3)
"""Days after the first on which a person logs in with both ids in the same browser."""
WITHDRAWN_SHARE, SOONEST_WITHDRAWAL = 0.15, 5
NEVER = -1
EVENING = 20 * 3600


@dataclass(frozen=True)
class SecondIds:
    """An array each over people with two ids; days are numbered from 0."""

    one: np.ndarray
    other: np.ndarray
    proven: np.ndarray
    withdrawn: np.ndarray  # or NEVER

    @property
    def browser(self) -> pl.Series:
        """The cookie with which both ids log in."""
        return cookies(self.one)


def plan_second_ids(people: Population, days: int, rng: np.random.Generator) -> SecondIds:
    """A third is proven on the first day, the others within two thirds of the days."""
    one = np.flatnonzero(people.other_self >= 0)
    proven = np.where(rng.random(one.size) < 1 / 3, 0, rng.integers(0, max(1, days * 2 // 3), one.size))
    parts = rng.random(one.size) < WITHDRAWN_SHARE
    later = proven + SOONEST_WITHDRAWAL + rng.integers(0, max(1, days // 3), one.size)
    return SecondIds(one, people.other_self[one], proven, np.where(parts, later, NEVER))


def second_id_links(people: Population, second: SecondIds, number: int, first_day: int) -> pl.DataFrame:
    """Rows of ``identity_links`` on a day: logins with both ids, and withdrawals of the second id's."""
    at = (first_day + number) * DAY_SECONDS + EVENING
    logins = np.flatnonzero(np.isin(number - second.proven, LOGINS))
    browser = second.browser.gather(logins)
    both = [
        link_rows(people, "cookie", browser, who[logins], np.full(logins.size, at + later), "login")
        for later, who in enumerate((second.one, second.other))
    ]
    ends = np.flatnonzero(second.withdrawn == number)
    told = (first_day + second.proven[ends]) * DAY_SECONDS + EVENING + 1
    parted = link_rows(people, "cookie", second.browser.gather(ends), second.other[ends], told, "login")
    return pl.concat([*both, parted.with_columns(unlinked_at=pl.lit(at, pl.Int64))])


def truth_of_second_ids(people: Population, second: SecondIds, first_day: int, days: int) -> pl.DataFrame:
    """Both ids, the cookie, ``proven_on`` and ``withdrawn_on``: NULL for what is not told in these days."""
    names = people.identity["customer_id"]
    frame = pl.DataFrame(
        {
            "customer_id": names.gather(second.one),
            "other_customer_id": names.gather(second.other),
            "identifier": second.browser,
            "proven_on": second.proven,
            "withdrawn_on": second.withdrawn,
        }
    )
    told = pl.col("proven_on", "withdrawn_on").is_between(0, days - 1)
    day = (pl.col("proven_on", "withdrawn_on") + first_day).cast(pl.Int32).cast(pl.Date)
    return frame.with_columns(pl.when(told).then(day))
