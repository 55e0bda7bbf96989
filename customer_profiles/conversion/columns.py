"""A table as columns of numbers and of text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from customer_profiles.conversion.frames import InputsError

MISSING = "(missing)"
NOTHING = (
    *("", "?", "-", "--", ".", "\\n", "na", "n/a", "#n/a", "nan"),
    *("null", "none", "nil", "unknown", "missing"),
)
"""Words, in small letters, that stand among numbers or days where there is none."""
FEW = 20
"""Text that reads as numbers is a category all the same if it has no more distinct values than this."""
RARE = 5
"""A category that is seen less often is read by no network."""
MILLISECONDS_A_DAY = 86_400_000
TEXT = (pl.String, pl.Categorical, pl.Enum)
SPELT = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false", "": None}
"""What is written in several ways: truth values by pandas, Polars and Excel, and nothing."""
TRUTH = {"true": "1", "false": "0"}
"""Of a column of numbers that a CSV holds as words."""
CODE = re.compile(r"0\d")
"""How a code begins that loses its leading zeros where it is read as a number."""
FEWEST_READ = 0.5
"""Of the filled cells of a number: where fewer read as one, the table is written in another way."""
MEASURES: dict[str, tuple[type[pl.DataType], ...]] = {
    "time": (pl.Date, pl.Datetime),
    "duration": (pl.Duration,),
    "time of day": (pl.Time,),
}
"""What a column of times measures, by its type."""


def column_kinds(
    frame: pl.DataFrame, numeric: Sequence[str] | None = None, categories: Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """The columns that are read as numbers and as categories: those named, or all of their kind.

    Numbers are numeric, boolean and time columns, and text of which every filled cell reads as a number (or
    says that there is ``NOTHING``), unless it looks like a code: a leading zero, or no more than ``FEW``
    distinct values. Other text is a category; lists, structs and columns without a type are left out.
    """
    numbers: list[str] = []
    categorical: list[str] = []
    for name, dtype in frame.schema.items():
        if dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean:
            numbers.append(name)
        elif dtype in TEXT:
            (numbers if _reads_as_numbers(frame[name]) else categorical).append(name)
    return (
        numbers if numeric is None else _once(numeric),
        categorical if categories is None else _once(categories),
    )


def unread(frame: pl.DataFrame) -> list[str]:
    """The columns that are neither numbers nor categories, each with its type."""
    read = {name for kind in column_kinds(frame) for name in kind}
    return [f"{name} ({dtype})" for name, dtype in frame.schema.items() if name not in read]


def require(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Raise ``InputsError`` naming ``columns`` that the table lacks, or holds as lists, structs or bytes."""
    schema = frame.schema  # made anew at each access
    absent = [name for name in columns if name not in schema]
    if absent:
        raise InputsError(
            f"the table lacks {len(absent)} of the model's {len(columns)} columns: {', '.join(absent)};"
            " deliver them, or train again without them"
        )
    unreadable = [f"{name} ({schema[name]})" for name in columns if not _is_scalar(schema[name])]
    if unreadable:
        raise InputsError(
            f"the model reads numbers and text, but the table holds neither in {', '.join(unreadable)}"
        )


def measures_among(frame: pl.DataFrame, numeric: Sequence[str]) -> dict[str, str]:
    """What those of the ``numeric`` columns that hold something measure: a key of ``MEASURES``, or number."""
    return {name: _measure(frame[name].dtype) for name in numeric if _known(frame[name])}


def require_measures(frame: pl.DataFrame, measures: Mapping[str, str]) -> None:
    """Raise ``InputsError`` naming columns that measure something else than in training: times, numbers.

    ``measures`` are the training's, see ``measures_among``. The days or milliseconds since 1970, or a
    duration, would be read as any number is, and give other chances without a word.
    """
    schema = frame.schema
    now = measures_among(frame, [name for name in measures if name in schema])
    changed = [
        f"{name} ({schema[name]}, was a {measures[name]})"
        for name, what in now.items()
        if what != measures[name]
    ]
    if changed:
        raise InputsError(
            f"columns measure something else than in training: {', '.join(changed)};"
            " give them the type that they had"
        )


def require_spelling(frame: pl.DataFrame, levels: Mapping[str, Collection[str]]) -> None:
    """Raise ``InputsError`` naming columns whose categories are those of training in other letters.

    Or truth values, of which training had none. ``levels`` are the training's, by column. ``yes`` where there
    was ``Yes`` would count as a rare category, and so would the numbers that codes become which are read
    without their leading zeros.
    """
    changed, schema = [], frame.schema
    for name, known in levels.items():
        dtype, alike = schema.get(name), {level.casefold(): level for level in known}
        if dtype is not None and dtype.is_numeric() and _known(frame[name]):
            if zeros := [level for level in known if CODE.match(level)]:
                changed.append(f"{name} (numbers, was {min(zeros)!r})")
            continue
        if dtype not in (*TEXT, pl.Boolean):
            continue
        seen: list[str] = words(frame[name].unique()).drop_nulls().unique().sort().to_list()
        others = dtype == pl.Boolean or all(word.casefold() in alike for word in seen)
        if seen and others and not set(seen) & set(known):
            changed.append(f"{name} ({seen[0]!r}, was {alike.get(seen[0].casefold(), min(known))!r})")
    if changed:
        raise InputsError(f"categories are written in another way than in training: {', '.join(changed)}")


def with_numbers(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return ``frame`` with ``columns`` as numbers: times as days since 1970, durations as days.

    A time of the day counts in nanoseconds. Text that is no number becomes NULL. Raises ``InputsError``
    naming the columns in which hardly a filled cell is a number: all others would count as unknown without
    a word.
    """
    schema = frame.schema
    numbers = {name: _numbers(frame[name]) for name in columns if not _counts(schema[name])}
    require_read({name: (frame[name], column) for name, column in numbers.items()}, "numbers")
    return frame.with_columns(numbers.values())


def require_read(columns: Mapping[str, tuple[pl.Series, pl.Series]], what: str) -> None:
    """Raise ``InputsError`` naming columns of text of which too few cells could be read as ``what``.

    ``columns`` holds of each the cells as they came and as they were read; see ``FEWEST_READ``.
    """
    lost = []
    for name, (came, read) in columns.items():
        if came.dtype in TEXT and read.null_count() > len(read) * (1 - FEWEST_READ):
            unread = filled_cells(came.filter(read.is_null()))
            if len(unread) > (1 - FEWEST_READ) * len(filled_cells(came)):
                lost.append(f"{name} (such as {unread[0]!r})")
    if lost:
        raise InputsError(f"the model reads {what}, but the table holds hardly any in {', '.join(lost)}")


def filled_cells(column: pl.Series) -> pl.Series:
    """The cells of a column of text that say something, without spaces around them."""
    text = column.cast(pl.String).str.strip_chars().drop_nulls()
    return text.filter(~text.str.to_lowercase().is_in(NOTHING))


def words(column: pl.Series) -> pl.Series:
    """The column as text, written the same whatever carried it: pandas, Polars, a CSV read as text.

    A whole number is written without ``.0``, which pandas adds where values lack, a truth value in small
    letters, and nothing has spaces around it; what is empty then is missing.
    """
    if column.dtype not in TEXT:
        text = column.cast(pl.String)
        return text.str.strip_suffix(".0") if column.dtype.is_float() else text
    text = column.cast(pl.String).str.strip_chars()
    return text.str.replace(r"^(-?\d+)\.0$", "$1").replace(SPELT)


def texts(column: pl.Series) -> pl.Series:
    """The column as text; what is missing is a category of its own."""
    return words(column).fill_null(MISSING)


def _once(columns: Sequence[str]) -> list[str]:
    """Each name once; one name alone is not taken for a list of letters."""
    return list(dict.fromkeys([columns] if isinstance(columns, str) else columns))


def _is_scalar(dtype: pl.DataType) -> bool:
    """Whether a cell is one value that reads as a number or as text."""
    return not dtype.is_nested() and dtype not in (pl.Binary, pl.Object)


def _counts(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def _numbers(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype in (pl.Date, pl.Datetime):
        return column.cast(pl.Datetime("ms")).dt.epoch("ms") / MILLISECONDS_A_DAY
    if dtype == pl.Duration:
        return column.dt.total_milliseconds() / MILLISECONDS_A_DAY
    if dtype == pl.Time:
        return column.cast(pl.Int64).cast(pl.Float64)
    text = column.cast(pl.String, strict=False).str.strip_chars()
    return text.replace(SPELT).replace(TRUTH).cast(pl.Float64, strict=False)


def _measure(dtype: pl.DataType) -> str:
    return next((name for name, types in MEASURES.items() if dtype in types), "number")


def _known(column: pl.Series) -> bool:
    """Whether any cell is neither missing nor, in text, empty."""
    if column.dtype in TEXT:
        return len(filled_cells(column)) > 0
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column.null_count() < len(column)


def _reads_as_numbers(column: pl.Series) -> bool:
    filled = filled_cells(column)
    if filled.n_unique() <= FEW or filled.str.contains(r"^0\d").any():
        return False
    return filled.cast(pl.Float64, strict=False).null_count() == 0
