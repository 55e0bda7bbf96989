"""The kinds of column that a delivered table is made of.

Each function returns a dataframely column. What the door, the warehouse, the GX suites and the
documentation need beyond the type stands in its metadata, so that all of them derive from one line:

- ``kind``: how a delivered cell is parsed (see ``collection/parsing.py``),
- ``pii``: what becomes of personal data at the door (see ``Pii``),
- ``unit``, ``synonyms``, ``fallback``: how a value is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar

import dataframely as dy
import polars as pl

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
CURRENCY = r"^[A-Z]{3}$"
"""An ISO 4217 code: three letters, which of them is not asked, since old accounts hold old currencies."""
NOT_ISO = {"RMB": "CNY"}
"""What people write in place of a code, and would be a currency beside the code's own."""
LARGEST_NUMBER = 10**15
"""Whole numbers beyond it are broken: a customer's sum of thousands of them has to fit into 64 bits."""
NO_CURRENCY = "XXX"
"""ISO 4217's code of what has no currency: orders of which no money is told."""
MINOR_DIGITS = {
    currency: digits
    for digits, currencies in (
        (0, ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW")),
        (0, ("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")),
        (3, ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")),
    )
    for currency in currencies
}
"""Digits of the minor unit of ISO 4217's currencies that have not 2: a yen has none."""


class Pii(StrEnum):
    """What becomes of a column at the door."""

    NONE = "none"  # stored as delivered
    IDENTIFIER = "identifier"  # stored as a keyed pseudonym: customer_id -> customer_key
    SEALED = "sealed"  # stored encrypted beside its row: body -> body_sealed
    VAULT = "vault"  # encrypted in the vault alone, never in an analytical table


def _metadata(kind: str, pii: Pii = Pii.NONE, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "pii": pii, **more}


def text(
    description: str,
    *,
    required: bool = False,
    key: bool = False,
    pii: Pii = Pii.NONE,
    kind_in: str | None = None,
    hashed: bool = False,
) -> dy.String:
    """Short text: identifiers, names, codes. Normalised (NFKC, trimmed) at the door.

    ``kind_in`` names the column that tells the kind of an identifier: one of kind ``email`` or ``phone``
    is normalised as such an address is, so that their keys join. One that may be ``hashed`` can hold a hash
    in hex, upper or lower case.
    """
    return dy.String(
        nullable=not (required or key),
        description=description,
        metadata=_metadata("text", pii, key=key, kind_in=kind_in, hashed=hashed),
    )


def address(description: str, kind: str) -> dy.String:
    """An ``email`` or ``phone``: in the vault, and as a pseudonym of its normalised form."""
    return dy.String(nullable=True, description=description, metadata=_metadata(kind, Pii.VAULT))


def free_text(description: str, *, required: bool = False) -> dy.String:
    """Words that a person wrote. Sealed beside the row; length and language are noted."""
    return dy.String(
        nullable=not required, description=description, metadata=_metadata("free_text", Pii.SEALED)
    )


def choice(
    description: str,
    values: tuple[str, ...],
    *,
    required: bool = False,
    key: bool = False,
    synonyms: Mapping[str, str] | None = None,
    fallback: str | None = None,
) -> dy.Enum:
    """One of a few values. ``synonyms`` maps other spellings (lower case) to them.

    A value that is neither is repaired to ``fallback``; without a fallback it is unparsable.
    """
    return dy.Enum(
        values,
        nullable=not (required or key),
        description=description,
        metadata=_metadata(
            "choice", key=key, values=values, synonyms=dict(synonyms or {}), fallback=fallback
        ),
    )


def spellings(choice: Mapping[str, Any]) -> dict[str, str]:
    """What may be written (in lower case) for the values of a ``choice``, by its metadata."""
    return {**{value: value for value in choice["values"]}, **choice["synonyms"]}


def moment(description: str, *, required: bool = False, key: bool = False) -> dy.Datetime:
    """A point in time: ISO 8601; without a zone it is business time. Stored in UTC."""
    return dy.Datetime(
        nullable=not (required or key),
        time_zone="UTC",
        description=description,
        metadata=_metadata("moment", key=key, unit="UTC"),
        check={"impossible_date": lambda c: c.dt.year().is_between(EARLIEST_YEAR, LATEST_YEAR)},
    )


def calendar_date(description: str, *, pii: Pii = Pii.NONE) -> dy.Date:
    """A calendar date, ``YYYY-MM-DD``."""
    return dy.Date(
        nullable=True,
        description=description,
        metadata=_metadata("date", pii),
        check={"impossible_date": lambda c: c.dt.year().is_between(EARLIEST_YEAR, LATEST_YEAR)},
    )


def whole(
    description: str,
    unit: str,
    *,
    required: bool = False,
    key: bool = False,
    minimum: int | None = None,
    maximum: int | None = None,
) -> dy.Int64:
    """A whole number."""
    return dy.Int64(
        nullable=not (required or key),
        description=description,
        metadata=_metadata("whole", key=key, unit=unit, minimum=minimum, maximum=maximum),
        check=_range_check(
            -LARGEST_NUMBER if minimum is None else minimum, LARGEST_NUMBER if maximum is None else maximum
        ),
    )


def money(description: str, *, required: bool = False, minimum: int | None = None) -> dy.Int64:
    """An amount of money in integer minor units (fen, cent) of the row's currency."""
    return whole(description, "minor units", required=required, minimum=minimum)


def currency_code(description: str, *, required: bool = False) -> dy.String:
    """An ISO 4217 code of three letters; what is written in small ones is repaired."""
    return dy.String(nullable=not required, description=description, metadata=_metadata("currency"))


def decimal(
    description: str, unit: str, *, minimum: float | None = None, maximum: float | None = None
) -> dy.Float64:
    """A number with a fraction."""
    return dy.Float64(
        nullable=True,
        description=description,
        metadata=_metadata("decimal", unit=unit, minimum=minimum, maximum=maximum),
        check=_range_check(minimum, maximum),
    )


def flag(description: str, *, required: bool = False) -> dy.Bool:
    """True or false: also 1/0, yes/no, y/n, t/f, 是/否."""
    return dy.Bool(nullable=not required, description=description, metadata=_metadata("flag"))


def _range_check(minimum: float | None, maximum: float | None) -> Any:
    if minimum is None and maximum is None:
        return None
    low = float("-inf") if minimum is None else minimum
    high = float("inf") if maximum is None else maximum
    return {"out_of_range": lambda c: c.is_between(pl.lit(low), pl.lit(high))}


CIRCUMSTANCES = ("closes_at", "adult_born_by")


class Delivered(dy.Schema):
    """What the door knows about every row of one delivery: base of all contracts.

    The two circumstances (``closes_at``, ``adult_born_by``) are the same in every row of a
    delivery. They are columns because a dataframely rule sees nothing else, and they are not stored.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ()
    """Columns whose moment cannot lie in the future. The first is the table's clock."""
    VERSIONED: ClassVar[bool] = False
    """Whether a key can come again as a newer version. If not, its first arrival alone counts."""

    delivery_day = dy.Date(description="day on which the delivery reached us: the partition")
    source = dy.String(description="origin of the row, as raw/deliveries names it: file or query")
    row_number = dy.Int64(description="place of the row in its origin, from 1")
    closes_at = dy.Datetime(time_zone="UTC", description="end of the delivery day, with tolerance")
    adult_born_by = dy.Date(description="latest birth date that is of age on the delivery day")

    @classmethod
    def about(cls) -> str:
        """What the table holds, in one sentence."""
        return (cls.__doc__ or "").splitlines()[0]

    @dy.rule()
    def event_in_future(cls) -> pl.Expr:
        """No moment at which something happened lies after the delivery day's end."""
        return pl.all_horizontal(
            pl.lit(True),
            *(
                (pl.col(name) <= pl.col("closes_at")).fill_null(True)
                | (pl.col(name).dt.year() > LATEST_YEAR)  # already an impossible date
                for name in cls.HAPPENED
            ),
        )


@cache
def columns_of(contract: type[Delivered]) -> dict[str, dy.Column]:
    """The columns of a contract; dataframely collects them anew at every call."""
    return contract.columns()
