"""The shape in which a delivered table is stored, derived from its contract.

Delivered and stored differ by what the door does: identifiers become keys, free text is sealed,
personal data goes to the vault, and every moment gains its business-day number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import polars as pl
from polars.datatypes import DataType, DataTypeClass

from customer_profiles.contracts import CIRCUMSTANCES, CONTRACTS, Delivered, Pii
from customer_profiles.contracts.columns import columns_of

PolarsType = DataType | DataTypeClass
Metadata = dict[str, Any]
EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since ``EPOCH``, as columns of business days count them."""
    return (day - EPOCH).days


@dataclass(frozen=True)
class StoredColumn:
    """One column of a stored table."""

    name: str
    dtype: PolarsType
    nullable: bool
    description: str
    values: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


ROW = (
    StoredColumn("delivery_day", pl.Date, False, "day on which the row reached us: the partition"),
    StoredColumn("source", pl.String, False, "origin of the row, as raw/deliveries names it: file or query"),
    StoredColumn("row_number", pl.Int64, False, "place of the row in its origin, from 1"),
)
ROW_PLACE = tuple(column.name for column in ROW)
"""Tells a row of all that were delivered of its table."""
REPAIRS = StoredColumn("repairs", pl.List(pl.String), False, "repairs made at the door: column|repair")
DOOR_NOTES = (
    REPAIRS,
    StoredColumn("broken_rules", pl.List(pl.String), False, "rules that the row breaks: column|rule"),
    StoredColumn("fingerprint", pl.UInt64, True, "keyed hash of the cells as delivered: tells a row again"),
    StoredColumn("exact_copy", pl.Boolean, False, "an earlier row of the day, loaded with it, is the same"),
    StoredColumn("extra_sealed", pl.Binary, True, "columns that the contract does not know, sealed"),
    StoredColumn("original_sealed", pl.Binary, True, "the row as delivered, sealed, if it breaks a rule"),
)


def stem(column: str) -> str:
    """``ordered_at`` -> ``ordered``: what the numbers derived from a moment are named after."""
    return column.removesuffix("_at")


def key_name(column: str) -> str:
    """``customer_id`` -> ``customer_key``: the name of an identifier's pseudonym."""
    return column.removesuffix("_id") + "_key"


def match_name(column: str) -> str:
    """``email`` -> ``email_match_keys``: the name of the pseudonyms of an address's hashes."""
    return f"{column}_match_keys"


def clock(contract: type[Delivered]) -> str | None:
    """The moment that gives a row its hour and weekday, if rows of this table happen."""
    return contract.HAPPENED[0] if contract.HAPPENED else None


def _key(name: str, about: str, nullable: bool, _: Metadata) -> list[StoredColumn]:
    return [StoredColumn(key_name(name), pl.String, nullable, f"pseudonym of {about}")]


def _address(name: str, about: str, nullable: bool, metadata: Metadata) -> list[StoredColumn]:
    hashes = f"pseudonyms of the hashes of {about}, by which partners name it"
    return [
        *_key(name, about, nullable, metadata),
        StoredColumn(match_name(name), pl.List(pl.String), nullable, hashes),
    ]


def _sealed(name: str, about: str, nullable: bool, _: Metadata) -> list[StoredColumn]:
    return [
        StoredColumn(f"{name}_sealed", pl.Binary, nullable, f"{about}, sealed"),
        StoredColumn(f"{name}_length", pl.Int32, nullable, f"characters of {about}", minimum=0),
    ]


def _birth(name: str, about: str, _: bool, __: Metadata) -> list[StoredColumn]:
    part = name.removesuffix("_date")
    return [
        StoredColumn(f"{part}_year", pl.Int32, True, f"year of {about}"),
        StoredColumn(f"{part}_month", pl.Int32, True, f"month of {about}", minimum=1, maximum=12),
    ]


def _nothing(*_: object) -> list[StoredColumn]:
    return []


def _moment(name: str, about: str, nullable: bool, _: Metadata) -> list[StoredColumn]:
    return [
        StoredColumn(name, pl.Datetime("us", "UTC"), nullable, about),
        StoredColumn(f"{stem(name)}_day", pl.Int32, nullable, f"{about}: business day since 1970-01-01"),
    ]


def _choice(name: str, about: str, nullable: bool, metadata: Metadata) -> list[StoredColumn]:
    return [StoredColumn(name, pl.String, nullable, about, values=metadata["values"])]


STORED_AS: dict[tuple[str, Pii], Callable[[str, str, bool, Metadata], list[StoredColumn]]] = {
    ("text", Pii.IDENTIFIER): _key,
    ("text", Pii.SEALED): _sealed,
    ("free_text", Pii.SEALED): _sealed,
    ("date", Pii.VAULT): _birth,
    ("email", Pii.VAULT): _address,
    ("phone", Pii.VAULT): _address,
    ("text", Pii.VAULT): _nothing,
    ("moment", Pii.NONE): _moment,
    ("choice", Pii.NONE): _choice,
}
"""What becomes of a column, by kind and class of personal data. All others are stored as delivered: none
of them may be personal."""


def _stored(contract: type[Delivered], name: str) -> list[StoredColumn]:
    column = columns_of(contract)[name]
    metadata, about = column.metadata or {}, column.description or ""
    stored_as = STORED_AS.get((metadata["kind"], metadata["pii"]))
    if stored_as is None and metadata["pii"] is not Pii.NONE:
        raise TypeError(
            f"{contract.__name__}.{name}: nothing here seals a {metadata['kind']} of class "
            f"{metadata['pii']}; say in STORED_AS what is stored of it"
        )
    if stored_as is None:
        bounds = metadata.get("minimum"), metadata.get("maximum")
        return [StoredColumn(name, column.dtype, column.nullable, about, None, *bounds)]
    columns = stored_as(name, about, column.nullable, metadata)
    if name == clock(contract):
        hour, weekday = f"{stem(name)}_hour", f"{stem(name)}_weekday"
        columns += [
            StoredColumn(hour, pl.Int32, True, f"{about}: local hour", minimum=0, maximum=23),
            StoredColumn(
                weekday, pl.Int32, column.nullable, f"{about}: Monday 1 to Sunday 7", minimum=1, maximum=7
            ),
        ]
    return columns


@cache
def delivered_columns(table: str) -> tuple[str, ...]:
    """Names of the columns that a delivery of ``table`` can hold, in the contract's order."""
    own = {column.name for column in ROW} | set(CIRCUMSTANCES)
    return tuple(name for name in columns_of(CONTRACTS[table]) if name not in own)


@cache
def required_columns(table: str) -> tuple[str, ...]:
    """Names of the columns without which a delivery of ``table`` is refused."""
    columns = columns_of(CONTRACTS[table])
    return tuple(name for name in delivered_columns(table) if not columns[name].nullable)


@cache
def columns_with(table: str, attribute: str, *values: object) -> tuple[str, ...]:
    """Delivered columns of which an attribute is one of the values: ``("orders", "kind", "moment")``."""
    columns = columns_of(CONTRACTS[table])
    return tuple(
        name for name in delivered_columns(table) if (columns[name].metadata or {}).get(attribute) in values
    )


@cache
def cleaned_columns(table: str) -> tuple[StoredColumn, ...]:
    """Columns of ``cleaned.<table>``."""
    contract = CONTRACTS[table]
    values = [stored for name in delivered_columns(table) for stored in _stored(contract, name)]
    return (*ROW, *values, REPAIRS)


@cache
def raw_columns(table: str) -> tuple[StoredColumn, ...]:
    """Columns of ``raw.<table>``: as cleaned, but nothing is promised, and with the door's notes."""
    promised = {column.name for column in ROW}
    values = [
        StoredColumn(column.name, column.dtype, column.name not in promised, column.description)
        for column in cleaned_columns(table)
        if column is not REPAIRS
    ]
    return (*values, *DOOR_NOTES)


@cache
def key_columns(table: str) -> tuple[str, ...]:
    """Stored names of the columns that identify a row (a version of it, if the table has them)."""
    columns = columns_of(CONTRACTS[table])
    return tuple(
        key_name(name) if metadata["pii"] is Pii.IDENTIFIER else name
        for name in delivered_columns(table)
        if (metadata := columns[name].metadata or {}).get("key")
    )
