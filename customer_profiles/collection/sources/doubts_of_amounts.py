"""What is doubtful about the amounts that sources map: their currency, their digits, their signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from customer_profiles.collection.sources.cells import (
    GROUPED,
    as_number,
    currencies,
    currency_code,
    undecorated,
)
from customer_profiles.collection.sources.mapping import path_into
from customer_profiles.collection.sources.schema import Column, FilesSource, Source

FEW_PARTED = 5
"""So many amounts may have three digits behind the sign by chance."""
MANY_UNLIKE = 20
"""So many amounts are whole by chance in no currency that has cents."""
MOST_ROUNDED = 0.01
"""Share of what amounts say that may go by being rounded."""


def doubts_of_amounts(sources: Sequence[Source], held: Sequence[pl.DataFrame]) -> tuple[str, ...]:
    """What is doubtful about amounts, by the cells that the files of ``sources`` ``held``."""
    return (
        *_in_other_currencies(sources, held),
        *_rounded_off(sources, held),
        *_whole_throughout(sources, held),
        *_in_thousands(sources, held),
    )


def _in_other_currencies(sources: Sequence[Source], held: Sequence[pl.DataFrame]) -> Iterator[str]:
    """Amounts that are written in unlike currencies, or in another one, where one is said of all rows."""
    of_all = [
        source for source in sources if "currency" in source.columns and source.columns["currency"].constant
    ]
    said = {currency_code(str(source.columns["currency"].constant).upper()) for source in of_all}
    for name in dict.fromkeys(
        str(how.column)
        for source in of_all
        for how in source.columns.values()
        if how.column and how.minor_units is not None
    ):
        amounts = (cells[name] for cells in held if name in cells.columns)
        written = sorted(set().union(*map(currencies, amounts)))
        if len(written) > 1:
            yield (
                f"{name} is written in {', '.join(written)}, but `currency` is the same in every row; say "
                f"by `expression` which row is in which"
            )
        elif written and (code := currency_code(written[0])) and code not in said:
            yield f"{name} is written in {written[0]}, but `currency` is {', '.join(map(str, said))}"


def _rounded_off(sources: Sequence[Source], held: Sequence[pl.DataFrame]) -> Iterator[str]:
    """Amounts with more digits than their mapping keeps: prices as parts of 1, or in thousands."""
    for name, how, number in _amounts(sources, held):
        lost, told = float((number - number.round()).abs().sum()), float(number.abs().sum())
        if lost > MOST_ROUNDED * told:
            yield (
                f"{name}: rounded to `minor_units: {how.minor_units}`, what {how.column} says is "
                f"{lost / told:.1%} off; say more digits, in all sources of the table alike"
            )


def _whole_throughout(sources: Sequence[Source], held: Sequence[pl.DataFrame]) -> Iterator[str]:
    """Amounts none of which has a fraction, though their mapping gives them one: cents, or yen."""
    for name, how, number in _amounts(sources, held):
        unit = 10 ** int(how.minor_units or 0)
        if unit > 1 and number.n_unique() >= MANY_UNLIKE and (number % unit == 0).all():
            yield (
                f"{name}: {how.column} has no fraction in any row, and `minor_units: {how.minor_units}` "
                f"makes {unit:,} of each 1; if it is in minor units (cents) already, or its currency has no "
                f"smaller unit (JPY), leave `minor_units` out"
            )


def _amounts(
    sources: Sequence[Source], held: Sequence[pl.DataFrame]
) -> Iterator[tuple[str, Column, pl.Series]]:
    """The decimal amounts that sources map, before they are rounded to minor units."""
    for source in sources:
        for name, how in source.columns.items():
            if how.column and how.minor_units is not None:
                cells = _cells_of(how.column, held)
                number = as_number(pl.col(cells.name), source.decimal) * 10**how.minor_units
                yield name, how, cells.to_frame().select(number).to_series().drop_nulls()


def _cells_of(column: str, held: Sequence[pl.DataFrame]) -> pl.Series:
    """The cells of a file's column, or of a path, before the mapping."""
    said = pl.Series("cell", dtype=pl.String)
    for cells in held:
        if (path := path_into(column, cells.columns)) is not None:
            said = said.append(cells.select(path.cast(pl.String)).to_series())
    return said


def _in_thousands(sources: Sequence[Source], held: Sequence[pl.DataFrame]) -> Iterator[str]:
    """Amounts such as 15.000, of which the point may be no decimal sign."""
    for source in (each for each in sources if isinstance(each, FilesSource)):
        other = {".": ",", ",": "."}[source.decimal]
        mapped = [how.column for how in source.columns.values() if how.column and how.minor_units is not None]
        for column in dict.fromkeys((*mapped, *source.numbers)):
            cells = undecorated(_cells_of(column, held).str.strip_chars())
            parted = cells.filter(cells.str.contains(source.decimal, literal=True))
            if parted.len() > FEW_PARTED and parted.str.contains(GROUPED[other]).all():
                yield (
                    f"{column} has three digits behind each {source.decimal!r}, as 15{source.decimal}000, "
                    f"which counts as 15; if the sign sets thousands apart, say `decimal: {other!r}`"
                )
