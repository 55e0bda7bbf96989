"""Parsing delivered cells to the contract's types.

A parser per kind of column, all pure Polars expressions over one delivery. A cell that cannot be
read becomes NULL and is named as broken (``column|unparsable``); a cell that was mended on the way
is named as repaired. Nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from functools import cache, partial
from typing import Any

import polars as pl

from customer_profiles.contracts import Delivered
from customer_profiles.contracts.columns import CURRENCY, LATEST_YEAR, NOT_ISO, columns_of, spellings

ABSENT = ("", "NULL", "null", "\\N", "N/A", "NaT")
TRUE, FALSE = ("true", "t", "1", "yes", "y", "是"), ("false", "f", "0", "no", "n", "否")
"""Words of a flag, each with its opposite in the same place."""
WHOLE, WHOLE_AS_DECIMAL = r"^[+-]?\d+$", r"^[+-]?\d+\.0+$"
NON_FINITE = r"(?i)^[+-]?(nan|inf|infinity)$"
AT_UTC, OFFSET = r"( ?UTC|[zZ])$", r" ?([+-]\d{2}(:?\d{2})?)$"
DATE_ONLY, TIME = r"^\d{4}-\d{1,2}-\d{1,2}$", r"[T ]\d{2}:.*$"
IN_A_ZONE = r" ?(UTC|[zZ]|[+-]\d{2}(:?\d{2})?)"
HOURS_IN_A_ZONE = rf"[T ]\d{{2}}:.*{IN_A_ZONE}$"
MIDNIGHT = rf"[T ]0?0:00(:00(\.0+)?)?({IN_A_ZONE})?$"
NO_DATE = r"^0000-"
USUAL_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
BROKEN, REPAIRED = "broken: ", "repaired: "
E_MAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


@dataclass(frozen=True)
class Parsed:
    """What a parser makes of one column: expressions over the delivered text.

    Marks look at the value as ``_value(name)``: Polars would compute the expression again for each of them.
    """

    value: pl.Expr
    broken: Mapping[str, pl.Expr] = field(default_factory=dict)
    repaired: Mapping[str, pl.Expr] = field(default_factory=dict)
    more: Mapping[str, pl.Expr] = field(default_factory=dict)


def parse_rows(
    rows: pl.DataFrame, contract: type[Delivered], names: Sequence[str], timezone: str
) -> pl.DataFrame:
    """Rows of strings or typed cells -> the contract's types.

    Absent columns are NULL. Adds ``broken`` and ``repairs``: lists of ``column|rule``; and, per moment,
    ``<column>|day_precise``. ``names`` are the contract's delivered columns.
    """
    present = tuple(name for name in names if name in rows.columns)
    texts = rows.with_columns(
        *(as_text(rows.schema[name], pl.col(name)).alias(f"{name}|text") for name in present)
    )
    plain = texts.select(
        (pl.col(f"{name}|text").str.len_bytes() == pl.col(f"{name}|text").str.len_chars()).all().alias(name)
        for name in present
    )
    texts = texts.with_columns(
        _normalised(name, contract, ascii_only=plain[name].item()).alias(name) for name in present
    )
    kept = [name for name in rows.columns if name not in present]
    values, marked = _expressions(contract, tuple(names), present, timezone)
    typed = texts.with_columns(values).select(*kept, *marked)
    marks = [name for name in typed.columns if name.startswith((BROKEN, REPAIRED))]
    found = typed.select(pl.col(marks).any()).row(0, named=True) if marks else {}
    return typed.select(
        pl.exclude(marks),
        _marked(BROKEN, found).alias("broken"),
        _marked(REPAIRED, found).list.sort().alias("repairs"),
    )


@cache
def _expressions(
    contract: type[Delivered], names: tuple[str, ...], present: tuple[str, ...], timezone: str
) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """What every column is parsed by: its values, then what is told with them at hand.

    Cached: building them takes longer than a small file.
    """
    columns = columns_of(contract)
    parsed = {
        name: PARSERS[_kind(contract, name)](name, columns[name].metadata or {}, timezone) for name in present
    }
    absent = [
        pl.lit(None, pl.String if column.dtype == pl.Enum else column.dtype).alias(name)
        for name, column in columns.items()
        if name in names and name not in present
    ]
    tidied = {name for name in present if _kind(contract, name) != "free_text"}
    values = [made.value.alias(f"{name}|value") for name, made in parsed.items()]
    return values, [
        *(_value(name).alias(name) for name in parsed),
        *absent,
        *(e.alias(f"{n}|{more}") for n, made in parsed.items() for more, e in made.more.items()),
        *(e.alias(f"{BROKEN}{n}|{rule}") for n, made in parsed.items() for rule, e in made.broken.items()),
        *(
            e.alias(f"{REPAIRED}{n}|{rule}")
            for n, made in parsed.items()
            for rule, e in made.repaired.items()
        ),
        *((pl.col(n) != pl.col(f"{n}|text")).alias(f"{REPAIRED}{n}|normalised") for n in sorted(tidied)),
    ]


def _value(name: str) -> pl.Expr:
    """What was made of a column's cells."""
    return pl.col(f"{name}|value")


def _marked(kind: str, found: Mapping[str, bool | None]) -> pl.Expr:
    """A list column of the rules whose mark is true; only marks that are true somewhere are looked at."""
    marks = [
        pl.when(pl.col(mark)).then(pl.lit(mark.removeprefix(kind)))
        for mark, anywhere in found.items()
        if anywhere and mark.startswith(kind)
    ]
    return pl.concat_list(marks).list.drop_nulls() if marks else pl.lit([], pl.List(pl.String))


def _kind(contract: type[Delivered], name: str) -> str:
    return str((columns_of(contract)[name].metadata or {})["kind"])


def as_text(dtype: pl.DataType, cell: pl.Expr) -> pl.Expr:
    """A typed cell (Parquet) as the text that parses to the same value."""
    if isinstance(dtype, pl.Datetime):
        return cell.dt.to_string("iso:strict" if dtype.time_zone else "%Y-%m-%dT%H:%M:%S%.f")
    if dtype == pl.Binary:
        return cell.bin.encode("hex")
    return cell.cast(pl.String)


def as_texts(cells: pl.DataFrame) -> pl.DataFrame:
    """Every cell as text."""
    return cells.select(as_text(dtype, pl.col(name)).alias(name) for name, dtype in cells.schema.items())


def _normalised(name: str, contract: type[Delivered], *, ascii_only: bool) -> pl.Expr:
    """Trimmed NFKC, empty words as NULL. ASCII is its own NFKC, and finding that out is cheaper."""
    text = pl.col(f"{name}|text")
    as_is = ascii_only or _kind(contract, name) == "free_text"
    beyond_ascii = pl.when(text.str.len_bytes() != text.str.len_chars()).then(text)
    tidy = text if as_is else pl.coalesce(beyond_ascii.str.normalize("NFKC"), text)
    trimmed = tidy.str.strip_chars()
    return pl.when(~trimmed.is_in(ABSENT)).then(trimmed)


def _unread(name: str) -> pl.Expr:
    """Whether a cell that holds something has no value."""
    return pl.col(name).is_not_null() & _value(name).is_null()


def _text(name: str, _: Mapping[str, Any], __: str) -> Parsed:
    return Parsed(pl.col(name))


def _whole(name: str, _: Mapping[str, Any], __: str) -> Parsed:
    cell = pl.col(name)
    as_decimal = cell.str.contains(WHOLE_AS_DECIMAL)
    digits = pl.when(as_decimal).then(cell.str.replace(r"\.0+$", "")).otherwise(cell)
    value = pl.when(digits.str.contains(WHOLE)).then(digits).cast(pl.Int64, strict=False)
    non_finite = cell.str.contains(NON_FINITE)
    return Parsed(
        value,
        broken={"non_finite": non_finite, "unparsable": _unread(name) & ~non_finite},
        repaired={"decimal_to_whole": as_decimal},
    )


def _decimal(name: str, _: Mapping[str, Any], __: str) -> Parsed:
    cell = pl.col(name)
    value = cell.cast(pl.Float64, strict=False)
    non_finite = (~value.is_finite()).fill_null(value=False)
    return Parsed(
        pl.when(~non_finite).then(value),
        broken={"non_finite": non_finite, "unparsable": cell.is_not_null() & value.is_null() & ~non_finite},
    )


def _moment(name: str, _: Mapping[str, Any], timezone: str) -> Parsed:
    cell = pl.col(name)
    impossible = cell.str.contains(NO_DATE)
    return Parsed(
        cell.map_batches(partial(_moments, timezone=timezone), return_dtype=pl.Datetime("us", "UTC")),
        broken={"impossible_date": impossible, "unparsable": _unread(name) & ~impossible},
        more={"day_precise": cell.str.contains(DATE_ONLY)},
    )


def _moments(cells: pl.Series, timezone: str) -> pl.Series:
    """What cells say, in UTC; NULL for one that is no moment.

    Most are written alike, which Polars reads in a tenth of the time that all forms together take.
    """
    rows = pl.DataFrame({"cell": cells})
    spaced = pl.col("cell").str.replace("T", " ", literal=True)
    usual = pl.when(spaced.str.contains(USUAL_MOMENT)).then(spaced)
    local = usual.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    read = rows.select(_on_the_clock(local, timezone).dt.convert_time_zone("UTC")).to_series()
    rest = (cells.is_not_null() & read.is_null()).arg_true()
    return read.scatter(rest, rows[rest].select(_in_any_form(pl.col("cell"), timezone)).to_series())


def _in_any_form(cell: pl.Expr, timezone: str) -> pl.Expr:
    day_precise = cell.str.contains(DATE_ONLY)
    text = cell.str.replace(AT_UTC, "+0000").str.replace("T", " ", literal=True).str.replace(OFFSET, "$1")
    zoned = text.str.contains(OFFSET) & ~day_precise
    local = pl.coalesce(
        text.str.to_datetime(form, time_unit="us", strict=False)
        for form in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
    )
    with_offset = pl.coalesce(
        text.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC")
        for form in ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z")
    )
    return pl.when(zoned).then(with_offset).otherwise(in_zone(local, timezone).dt.convert_time_zone("UTC"))


def in_zone(local: pl.Expr, timezone: str) -> pl.Expr:
    """Local times as moments. A day that has no midnight begins at one; no other lost hour has a moment."""
    times = _on_the_clock(local, timezone)
    if not _leaves_out_midnights(timezone):
        return times
    midnight = pl.when(times.is_null() & (local.dt.time() == time())).then(local)
    return pl.coalesce(times, _on_the_clock(midnight.dt.offset_by("1h"), timezone))


def _on_the_clock(local: pl.Expr, timezone: str) -> pl.Expr:
    return local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")


@cache
def _leaves_out_midnights(timezone: str) -> bool:
    """Whether clocks of the zone go forward at midnight, since 1970: such a day begins at one o'clock."""
    days = pl.datetime_range(date(1970, 1, 1), date(LATEST_YEAR, 1, 1), "1d", eager=True)
    return pl.select(_on_the_clock(pl.lit(days), timezone)).to_series().has_nulls()


def _date(name: str, _: Mapping[str, Any], timezone: str) -> Parsed:
    cell = pl.col(name)
    written = cell.str.replace(TIME, "").str.to_date("%Y-%m-%d", strict=False)
    # a local midnight told in UTC is of another day; one at an offset is of the day that is written
    elsewhere = pl.when(cell.str.contains(HOURS_IN_A_ZONE) & ~cell.str.contains(MIDNIGHT)).then(cell)
    moments = elsewhere.map_batches(
        partial(_moments, timezone=timezone), return_dtype=pl.Datetime("us", "UTC")
    )
    told = moments.dt.convert_time_zone(timezone).dt.date()
    value = pl.when(elsewhere.is_null()).then(written).otherwise(told)
    impossible = cell.str.contains(NO_DATE)
    return Parsed(value, broken={"impossible_date": impossible, "unparsable": _unread(name) & ~impossible})


def _choice(name: str, metadata: Mapping[str, Any], _: str) -> Parsed:
    cell = pl.col(name).str.to_lowercase()
    value = cell.replace_strict(spellings(metadata), default=None, return_dtype=pl.String)
    unknown = cell.is_not_null() & value.is_null()
    if metadata["fallback"] is None:
        return Parsed(value, broken={"unparsable": _unread(name)})
    return Parsed(
        pl.when(unknown).then(pl.lit(metadata["fallback"])).otherwise(value),
        repaired={"unknown_value": unknown},
    )


def _flag(name: str, _: Mapping[str, Any], __: str) -> Parsed:
    cell = pl.col(name).str.to_lowercase()
    value = pl.when(cell.is_in(TRUE)).then(True).when(cell.is_in(FALSE)).then(False)
    return Parsed(value, broken={"unparsable": _unread(name)})


def _email(name: str, _: Mapping[str, Any], __: str) -> Parsed:
    cell = pl.col(name)
    lower = cell.str.to_lowercase()
    return Parsed(
        lower,
        repaired={"lower_cased": cell != lower, "not_an_address": ~lower.str.contains(E_MAIL)},
    )


def _currency(name: str, _: Mapping[str, Any], __: str) -> Parsed:
    cell = pl.col(name)
    said = cell.str.to_uppercase()
    is_code = said.str.contains(CURRENCY)
    return Parsed(
        pl.when(is_code).then(said.replace(NOT_ISO)),
        broken={"unparsable": _unread(name)},
        repaired={"upper_cased": is_code & (said != cell), "iso_code": is_code & (_value(name) != said)},
    )


PARSERS: dict[str, Callable[[str, Mapping[str, Any], str], Parsed]] = {
    "text": _text,
    "free_text": _text,
    "phone": _text,
    "email": _email,
    "whole": _whole,
    "decimal": _decimal,
    "currency": _currency,
    "moment": _moment,
    "date": _date,
    "choice": _choice,
    "flag": _flag,
}
"""The parser of every kind of column."""
