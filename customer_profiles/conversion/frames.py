"""Tables of other libraries as Polars frames."""

from __future__ import annotations

from typing import Any

import polars as pl

from customer_profiles.settings import Mendable

BEYOND_ARROW = (
    TypeError,
    NotImplementedError,
    OverflowError,
    pl.exceptions.ComputeError,
    pl.exceptions.PanicException,
)
"""What Arrow raises of values that it cannot hold, and Polars of types of Arrow's that it cannot."""


class InputsError(Mendable, ValueError):
    """The table does not hold what the model reads. The message names the columns."""


def as_frame(table: Any) -> pl.DataFrame:
    """Return a pandas, Polars or Arrow table (anything that narwhals reads) as a Polars frame.

    A pandas column that mixes types, or of intervals, is read as text; its index is left out. Raises
    ``InputsError`` for anything else.
    """
    import narwhals as nw

    if isinstance(table, pl.DataFrame):
        return table
    is_pandas = nw.dependencies.is_pandas_dataframe(table)
    named = is_pandas or nw.dependencies.is_pyarrow_table(table)
    names = [str(name) for name in (table.columns if is_pandas else table.column_names)] if named else []
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputsError(f"the table has more than one column {', '.join(twice)}: give each its own name")
    if is_pandas:
        table = _readable(table)
    try:
        frame: pl.DataFrame = nw.from_native(table, eager_only=True).to_polars()
    except BEYOND_ARROW as error:
        if odd := _odd_types(table) if named else []:
            raise InputsError(
                f"no types to learn from: {', '.join(odd)}; convert or drop these columns"
            ) from error
        raise InputsError(
            f"a table is a pandas, Polars or Arrow table in memory, got {type(table).__name__}"
        ) from error
    return frame


def _readable(table: Any) -> Any:
    """Give a pandas table names that are text, and no column that Arrow or Polars could not type."""
    named = table.set_axis([str(name) for name in table.columns], axis=1)
    columns = {name: _typed(named[name]) for name in named.columns}
    return named.assign(**{name: column for name, column in columns.items() if column is not None})


def _typed(column: Any) -> Any:
    """A pandas column of mixed types or intervals as text, one of periods as times; else ``None``."""
    import pandas as pd

    categories = getattr(column.dtype, "categories", None)
    kind = column.dtype if categories is None else categories.dtype
    if isinstance(kind, pd.PeriodDtype):
        return column.astype(kind).dt.to_timestamp()
    words = isinstance(kind, pd.IntervalDtype)
    if not words and pd.api.types.is_object_dtype(column.dtype):
        words = pd.api.types.infer_dtype(column, skipna=True).startswith("mixed")
    return column.astype(object).map(str, na_action="ignore") if words else None


def _odd_types(table: Any) -> list[str]:
    """Columns of a pandas or Arrow table that cannot be held, such as complex, sparse or endless numbers."""
    import pyarrow as pa

    odd = []
    for name in getattr(table, "column_names", None) or table.columns:
        column = table[name]
        try:
            pl.from_arrow(pa.array(column))
        except BEYOND_ARROW:
            odd.append(f"{name} ({getattr(column, 'dtype', None) or column.type})")
    return odd
