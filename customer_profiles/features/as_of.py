"""The two clocks of a profile: what had happened, and what we had been told, by the end of a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import narwhals as nw

from customer_profiles.contracts.stored import day_number

Frame = nw.LazyFrame[Any]
Tables = Mapping[str, Frame]

ARRIVAL = ("delivery_day", "source", "row_number")


class EachWhenAsked(Mapping[str, Frame]):
    """Tables by name, each made when it is first asked for: to make all costs as much as a small query."""

    def __init__(self, names: Iterable[str], make: Callable[[str], Frame]) -> None:
        self._names, self._make = list(names), make
        self._made: dict[str, Frame] = {}

    def __getitem__(self, name: str) -> Frame:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class AsOf:
    """The day D on whose evening a profile closes, and the days on which each table was delivered.

    ``delivered`` may name later days and may leave tables out; only days up to D are looked at.
    """

    day: date
    delivered: Mapping[str, frozenset[date]]

    @property
    def number(self) -> int:
        """D as days since 1970-01-01, as the cleaned tables count them."""
        return day_number(self.day)

    def has(self, table: str) -> bool:
        """Whether ``table`` was ever delivered by D."""
        return any(day <= self.day for day in self.delivered.get(table, ()))

    def covers(self, table: str, window_days: int) -> bool:
        """Whether ``table`` was delivered on every day of ``[D - window_days + 1, D]``."""
        days = self.delivered.get(table, frozenset())
        return all(self.day - timedelta(days=ago) in days for ago in range(window_days))


def known_by(facts: Frame, as_of: AsOf, day: str, *others: str, last: int | None = None) -> Frame:
    """Facts that had happened and had been delivered by D, with ``days_ago`` = D - ``day``.

    ``day`` and ``others`` are columns of day numbers: none may lie after D. ``last`` keeps only the
    facts of the window ``[D - last + 1, D]``.
    """
    known = nw.col("delivery_day") <= as_of.day
    for happened in (day, *others):
        known = known & (nw.col(happened) <= as_of.number)
    if last is not None:
        known = known & (nw.col(day) > as_of.number - last)
    return facts.filter(known).with_columns(days_ago=as_of.number - nw.col(day))


def newest(facts: Frame, keys: Sequence[str], order: str | None = None) -> Frame:
    """Newest version per ``keys``: the last by ``order``, then by arrival."""
    by = [*([order] if order else []), *ARRIVAL]
    return facts.unique(list(keys), keep="last", order_by=by)
