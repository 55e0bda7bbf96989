"""What a trait is, and how the traits of a family are computed from their declarations.

A trait is declared once, with the expression that computes it, in one of the tables of its family:

- a table given to ``totals`` holds traits whose ``value`` is what one fact adds to a sum;
- a table given to ``derived`` holds traits whose ``value`` reads the columns of a customer's row.

``each_window`` turns one declaration into its variants: ``searches`` into ``searches_7`` and so on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import narwhals as nw
import polars as pl
from polars.datatypes import DataType, DataTypeClass

from customer_profiles.features.as_of import AsOf, Frame

Kind = Literal["number", "category", "flag"]
PiiClass = Literal["none", "pseudonymous", "personal", "sensitive"]

ENGINE_TYPES: dict[DataType | DataTypeClass, nw.dtypes.DType] = {
    pl.Int64: nw.Int64(),
    pl.Float64: nw.Float64(),
    pl.String: nw.String(),
    pl.Boolean: nw.Boolean(),
}


@dataclass(frozen=True)
class Trait:
    """One column of the profile.

    ``sources`` are the tables without which it is unknown: each must have been delivered on every
    day of the ``window`` (days), or at all where ``window`` is None. ``beside`` are tables that are
    read too, if they were delivered. ``nothing`` is the value of a customer of whom the sources,
    being complete, tell nothing. ``undefined`` says when it is NULL for a further reason.
    """

    name: str
    definition: str
    unit: str
    value: nw.Expr = field(repr=False, compare=False)
    sources: tuple[str, ...]
    beside: tuple[str, ...] = ()
    window: int | None = None
    nothing: int | None = None
    undefined: str = ""
    kind: Kind = "number"
    dtype: DataType | DataTypeClass = pl.Int64
    pii: PiiClass = "pseudonymous"
    model_input: bool = True

    @property
    def null_means(self) -> str:
        """In words, what NULL says about a customer."""
        tables = " or ".join(self.sources)
        missing = f"{tables}: not delivered on every day of the window" if self.window else ""
        never = f"{tables}: never delivered" if self.sources and not self.window else ""
        return "; ".join(reason for reason in (missing, never, self.undefined) if reason) or "never NULL"

    def observable(self, as_of: AsOf) -> bool:
        """Whether what was delivered by the day is enough to know it."""
        if self.window is None:
            return all(as_of.has(table) for table in self.sources)
        return all(as_of.covers(table, self.window) for table in self.sources)


def count(name: str, definition: str, unit: str, value: nw.Expr, *, source: str) -> Trait:
    """How many, or how much: whole, and 0 where there was nothing."""
    return Trait(name, definition, unit, value, (source,), nothing=0)


def share(
    name: str, definition: str, value: nw.Expr, *, source: str, undefined: str, window: int | None = None
) -> Trait:
    """A part of a whole, usually 0 to 1; NULL where the whole is nothing."""
    return Trait(
        name, definition, "share", value, (source,), window=window, undefined=undefined, dtype=pl.Float64
    )


def category(
    name: str, definition: str, value: nw.Expr, *, source: str, undefined: str, window: int | None = None
) -> Trait:
    """One of several names."""
    return Trait(
        name,
        definition,
        "name",
        value,
        (source,),
        window=window,
        undefined=undefined,
        kind="category",
        dtype=pl.String,
    )


def each_window(windows: Iterable[int | None], *traits: Trait) -> tuple[Trait, ...]:
    """Variants of summed traits: over the facts of the last so many days, or over all (None)."""
    return tuple(_within(trait, days) if days else _lifetime(trait) for trait in traits for days in windows)


def _within(trait: Trait, days: int) -> Trait:
    return replace(
        trait,
        name=f"{trait.name}_{days}",
        definition=f"{trait.definition}, last {days} days",
        window=days,
        value=nw.when(nw.col("days_ago") < days).then(trait.value.cast(nw.Int64())),
    )


def _lifetime(trait: Trait) -> Trait:
    return replace(
        trait,
        name=f"{trait.name}_lifetime",
        definition=f"{trait.definition}, in all that was delivered by the day",
    )


def totals(facts: Frame, traits: Iterable[Trait]) -> Frame:
    """One row per customer with facts: integer sums, which repeat exactly, of the traits' values."""
    return facts.group_by("customer_key").agg(*(total(trait.value).alias(trait.name) for trait in traits))


def total(value: nw.Expr) -> nw.Expr:
    """The sum of whole numbers or of truths. DuckDB sums integers as HUGEINT: cast back."""
    return value.cast(nw.Int64()).sum().cast(nw.Int64())


def beside(customers: Frame, *summaries: Frame) -> Frame:
    """The population's rows, with the columns of summaries that hold at most one row per customer."""
    for summary in summaries:
        customers = customers.join(summary, on="customer_key", how="left")
    return customers


def derived(rows: Frame, traits: Iterable[Trait]) -> Frame:
    """The rows with traits that are computed from a customer's other columns."""
    return rows.with_columns(trait.value.alias(trait.name) for trait in traits)


def observed(rows: Frame, traits: Iterable[Trait], as_of: AsOf) -> Frame:
    """``customer_key`` and the traits, typed: NULL where not observable, ``nothing`` where nothing is."""
    return rows.select("customer_key", *(_observed(trait, as_of) for trait in traits))


def _observed(trait: Trait, as_of: AsOf) -> nw.Expr:
    dtype = ENGINE_TYPES[trait.dtype]
    if not trait.observable(as_of):
        return nw.lit(None, dtype=dtype).alias(trait.name)
    value = nw.col(trait.name)
    if trait.nothing is not None:
        value = value.fill_null(trait.nothing)
    return value.cast(dtype).alias(trait.name)
