"""How files write numbers, amounts and times, as the door reads them: plain, in minor units, ISO 8601.

Expressions over one column of text. What cannot be read is NULL; of a time or an amount it stays, marked.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

import polars as pl

from customer_profiles.collection.parsing import (
    DATE_ONLY,
    MIDNIGHT,
    NO_DATE,
    PARSERS,
    WHOLE,
    WHOLE_AS_DECIMAL,
    in_zone,
)
from customer_profiles.collection.sources.schema import DAYS_SINCE, EPOCHS, HOURS_ALONE, Column, with_minutes

GAPS = r"[\s'’]"
"""What people write between the digits of an amount."""
NO_THOUSANDS = rf"\d{GAPS}+\d{{1,2}}{GAPS}*([^\d\s'’]|$)"
"""A gap that may stand for the decimal sign: ``12'50``, ``12 50``."""
CURRENCY_CODE = (
    "AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NGN|NOK"
    "|NZD|PEN|PHP|PKR|PLN|RMB|RON|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
CURRENCY = (
    r"(元|円|원|(?:US|CA|AU|NZ|HK|NT|MX|[RSAC])?\p{Sc}|TL|zł|Kč|kr\.?|Ft|Fr\.?|lei|лв\.?|руб\.?|грн\.?|Rs\.?|RM|Rp\.?"
    rf"|{CURRENCY_CODE})"
)
"""What people write at either end of an amount: no ``k``, ``MIO`` or ``CR``, which change what it says."""
CODES = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₫": "VND", "฿": "THB",
    "₴": "UAH", "TL": "TRY", "ZŁ": "PLN", "KČ": "CZK", "RMB": "CNY",
}  # fmt: skip
"""What amounts are written with that means one currency; ``$``, ``¥`` and ``kr`` mean several."""
MAY_BE_DECORATED = r"[^\d.,+-]"
"""Most columns hold numbers alone, and that is found out faster than each is looked at for its currency."""
BEFORE, AFTER = rf"(?i)^([-+(]?){CURRENCY}", rf"(?i){CURRENCY}([-)]?)$"
BEHIND = r"^\((.*)\)$|^([^-+].*)-$"
"""A negative amount as bookkeepers write it: ``(12.50)``, ``12.50-``."""
NO_CENTS = {".": r"\.(--?|–|—)$", ",": r",(--?|–|—)$"}
"""What stands in place of ``.00`` where a price is whole, by its decimal sign: ``12.-``, ``5,–``."""
GROUPED = {
    ".": r"^[+-]?[1-9]\d{0,2}(,\d{2,3})*,\d{3}(\.\d+)?$",
    ",": r"^[+-]?[1-9]\d{0,2}(\.\d{2,3})*\.\d{3}(,\d+)?$",
}
"""A number with thousands set apart, in India lakhs too, by its decimal sign. No thousands begin with a zero:
``0.125`` is a fraction."""
KEPT_AS_TEXT = r"""^\s*(?:="(.*)"|'(\+?\d+)|`([^`]*))\s*$"""
"""How Excel is kept from making numbers of digits: ``="00123"``, ``'00123``, ``'+1617``, a backtick."""
MAY_BE_KEPT_AS_TEXT = r"^\s*[='`]"
"""Few columns hold such cells, and that is found out faster than all are looked at for their groups."""
DECIMAL_COMMA = r"^-?[\d.]+,\d{1,2}$|^-?\d{1,3}(\.\d{3}){2,}$"
"""A number that has a comma before its fraction, or several points between its thousands."""
EXACT_AMOUNT = 2**53
"""Minor units from which on a floating number is no longer exact."""
ISO = r"^\d{4}-\d{1,2}-\d{1,2}"
DAY_AS_WRITTEN = rf"{ISO}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?)?$|{ISO}{MIDNIGHT}"
"""A time without a zone, or a midnight at an offset: nobody means the day before it."""
UNMAPPED = "!"
"""Stands before a time or an amount that cannot be mapped but would be read as another one."""
HOURS = (*HOURS_ALONE, "%T", "%R", "%s", "%X", "%c", "%+", "%r")
FROM_UTC = re.compile(r"%(:{0,2}|#)z|%\+|%s|(UTC|GMT)(?![+-])|(?<!%)Z$")
"""What a format has whose times are not the zone's: an offset, or that they are in UTC."""
DAY_MICROSECONDS = 86_400_000_000
MOST_DAYS = 3_000_000
"""More of them lead past the year 9999."""
NOISE_DIGITS = 6
"""2.675 * 100 is 267.49999999999994 in binary: what lies behind these digits of a minor unit is noise."""


def bare(cells: pl.Series) -> pl.Series:
    """Cells of text without spaces around them and the signs that keep Excel from making numbers of them."""
    if cells.str.contains(MAY_BE_KEPT_AS_TEXT).any():
        cells = cells.str.replace(KEPT_AS_TEXT, "$1$2$3")
    return cells.str.strip_chars()


def undecorated(cells: pl.Series) -> pl.Series:
    """Amounts without their currency and the gaps between their digits."""
    if cells.str.contains(MAY_BE_DECORATED).any():
        closed = cells.str.replace_all(GAPS, "").str.replace(BEFORE, "$1").str.replace(AFTER, "$2")
        cells = cells.zip_with(cells.str.contains(NO_THOUSANDS), closed)
    return cells


def has_decimal_comma(cells: pl.Series) -> bool:
    """Whether amounts are written with a comma before their fraction."""
    return bool(undecorated(cells).str.contains(DECIMAL_COMMA).any())


def currencies(cells: pl.Series) -> set[str]:
    """What amounts say of their currency."""
    bare_amounts = cells.str.replace_all(GAPS, "")
    said = pl.concat([bare_amounts.str.extract(BEFORE, 2), bare_amounts.str.extract(AFTER, 1)])
    return set(said.drop_nulls().str.to_uppercase())


def currency_code(said: str) -> str | None:
    """The ISO 4217 code of what an amount says of its currency; None if it may be several."""
    return CODES.get(said) or (said if re.fullmatch("[A-Z]{3}", said) else None)


def plain_number(cell: pl.Expr, decimal: str) -> pl.Expr:
    """A number without signs around it and thousands set apart, its fraction after a point."""
    bare_number = cell.map_batches(undecorated, pl.String).str.replace(NO_CENTS[decimal], "")
    signed = bare_number.str.replace(BEHIND, "-$1$2")
    grouped = signed.str.contains(GROUPED[decimal])
    thousands = "," if decimal == "." else "."
    digits = pl.when(grouped).then(signed.str.replace_all(thousands, "", literal=True)).otherwise(signed)
    if decimal == ",":
        digits = digits.str.replace(",", ".", literal=True)
        unclear = ~grouped & signed.str.contains(".", literal=True)
        digits = pl.when(~unclear).then(digits)
    return pl.when(digits.cast(pl.Float64, strict=False).is_not_null()).then(digits)


def as_number(cell: pl.Expr, decimal: str) -> pl.Expr:
    """The same as a floating number."""
    return plain_number(cell, decimal).cast(pl.Float64, strict=False)


def whole_minor_units(amount: pl.Expr, digits: int) -> pl.Expr:
    """A decimal amount in whole minor units, halves to the even one; NULL if too large or not finite."""
    minor = (amount * 10**digits).round(NOISE_DIGITS).round(0, mode="half_to_even")
    return pl.when(minor.abs() <= EXACT_AMOUNT).then(minor).cast(pl.Int64, strict=False)


def amount(cell: pl.Expr, decimal: str, digits: int) -> pl.Expr:
    """A decimal amount in minor units of so many digits."""
    minor = whole_minor_units(as_number(cell, decimal), digits).cast(pl.String)
    misread = cell.str.contains(WHOLE) | cell.str.contains(WHOLE_AS_DECIMAL)
    return pl.coalesce(minor, pl.when(misread).then(pl.lit(UNMAPPED) + cell).otherwise(cell))


def iso_time(name: str, column: Column, kind: str, decimal: str, zone: str, business_zone: str) -> pl.Expr:
    """A time as ISO 8601: in UTC if it has hours, else the day alone."""
    cell = pl.col(name)
    day_alone = column.day_precise or kind == "date"
    if not column.date_format and not day_alone and zone == business_zone:
        return cell  # as the door reads it
    if column.date_format:
        today = datetime.now(ZoneInfo(business_zone)).date()
        by_form = {form: _by_format(cell, form, decimal, zone, day_alone) for form in column.date_format}
        mapped = pl.coalesce(
            _already_born(time, today) if kind == "date" and "%y" in form else _with_its_century(cell, time)
            for form, time in by_form.items()
        )
    else:
        times = PARSERS["moment"](name, {}, zone).value
        written = cell.str.contains(DAY_AS_WRITTEN if day_alone else DATE_ONLY)  # midnight can lie in a gap
        dates = pl.when(written).then(cell.str.to_date("%Y-%m-%d", exact=False, strict=False).cast(pl.String))
        mapped = pl.coalesce(dates, _time_text(times, zone, day_alone))
    misread = cell.str.contains(ISO) & ~cell.str.contains(NO_DATE)
    return pl.coalesce(mapped, pl.when(misread).then(pl.lit(UNMAPPED) + cell).otherwise(cell))


def _by_format(cell: pl.Expr, form: str, decimal: str, zone: str, day_alone: bool) -> pl.Expr:
    if form.startswith(DAYS_SINCE):
        first = date.fromisoformat(form.removeprefix(DAYS_SINCE))
        return _days_since(as_number(cell, decimal), first, zone, day_alone)
    if form in EPOCHS:
        ticks = as_number(cell, decimal) * (1_000_000 // EPOCHS[form])
        near = pl.when(ticks.abs() < MOST_DAYS * DAY_MICROSECONDS).then(ticks)
        times = pl.from_epoch(near.cast(pl.Int64, strict=False), "us").dt.replace_time_zone("UTC")
        return _time_text(times, zone, day_alone)
    if not any(hour in form for hour in HOURS):
        return cell.str.to_date(form, strict=False).cast(pl.String)
    if (read := with_minutes(form)) != form:
        cell, form = cell + ":00", read
    if FROM_UTC.search(form):
        times = cell.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC")
    else:
        local = cell.str.to_datetime(form, time_unit="us", strict=False)
        if day_alone:
            return local.dt.date().cast(pl.String)
        times = in_zone(local, zone)
    return _time_text(times, zone, day_alone)


def _with_its_century(cell: pl.Expr, time: pl.Expr) -> pl.Expr:
    """A time unless its year is one of two digits, of which ``%Y`` makes one of antiquity."""
    year = time.str.slice(0, 4)
    return pl.when(~year.str.starts_with("00") | cell.str.contains(year, literal=True)).then(time)


def _already_born(time: pl.Expr, today: date) -> pl.Expr:
    """A day of birth; one still to come, of a year of two digits, was a century before: 65 is not 2065."""
    day = time.str.to_date(strict=False)
    return pl.when(day > today).then(day.dt.offset_by("-100y").cast(pl.String)).otherwise(time)


def _days_since(number: pl.Expr, first: date, zone: str, day_alone: bool) -> pl.Expr:
    """A number of days; one without a part of a day tells no hour. To the millisecond: so exact are they."""
    days = pl.when(number.abs() < MOST_DAYS).then(number)
    passed = (days * DAY_MICROSECONDS / 1000).round(0).cast(pl.Int64, strict=False) * 1000
    local = pl.lit(first).cast(pl.Datetime("us")) + passed.cast(pl.Duration("us"))
    whole = days == days.floor()
    if day_alone:
        return local.dt.date().cast(pl.String)
    times = in_zone(local, zone)
    return pl.when(whole).then(local.dt.date().cast(pl.String)).otherwise(_time_text(times, zone, day_alone))


def _time_text(times: pl.Expr, zone: str, day_alone: bool) -> pl.Expr:
    if day_alone:
        return times.dt.convert_time_zone(zone).dt.date().cast(pl.String)
    return times.dt.convert_time_zone("UTC").dt.to_string("iso:strict")
