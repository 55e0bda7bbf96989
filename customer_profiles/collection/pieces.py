"""Large files piece by piece, so that memory stays flat however long they are.

Each yields the same cells and ragged lines as ``formats.READERS`` reads at once; ragged lines are numbered by
their place in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from customer_profiles.collection.formats import (
    UNREAD,
    as_meant,
    csv_options,
    fixed_lines,
    ndjson_parts,
    no_parquet,
    of_arrow,
    plain,
    require_one_order,
    split_fixed,
    tidy_names,
)
from customer_profiles.collection.layouts import Layout, Ragged, Refuse
from customer_profiles.collection.text_files import open_text, require_closed, survey_text

LARGE_FILE = 48_000_000
"""Bytes from which on a file is read piece by piece."""
ROWS, BLOCK = 250_000, 16_000_000
"""Rows of a piece; bytes of a piece of CSV."""

Piece = tuple[pl.DataFrame, Ragged]


def _csv_pieces(file: Path, layout: Layout, refuse: Refuse) -> Iterator[Piece]:
    import pyarrow as pa
    from pyarrow import csv

    survey = survey_text(file, layout, refuse)
    ragged: Ragged = []
    before = layout.skip_lines + (not layout.header)

    def keep(row: Any) -> str:
        ragged.append((row.number - before, row.text))
        return "skip"

    place = 0
    try:
        with (
            open_text(file, layout) as stream,
            csv.open_csv(stream, **csv_options(layout, max(BLOCK, 2 * survey.longest), keep)) as batches,
        ):
            names = tidy_names(batches.schema.names, refuse)
            rows = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
            for batch in batches:
                rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]).rename_columns(names)))
                here = _within(ragged, place, rows.height)
                del ragged[: len(here)]
                place += rows.height + len(here)
                require_one_order(rows, refuse)
                yield as_meant(rows, here, layout)
    except pa.ArrowInvalid:
        # the cause is left out: it may quote a row
        raise refuse(
            f"it cannot be split into rows after row {place}: a quotation mark is never closed, or a line "
            f"has no end; deliver it again"
        ) from None
    if survey.has_lines_in_cells(before + place + len(ragged)):
        require_closed(file, layout, refuse)
    if ragged:
        yield as_meant(rows.clear(), ragged, layout)


def _within(ragged: Ragged, place: int, height: int) -> Ragged:
    """The ragged lines among the ``height`` rows after ``place``, and those that follow at once.

    The reader may already have met lines of the next piece.
    """
    end, here = place + height, 0
    while here < len(ragged) and ragged[here][0] <= end + 1:
        end, here = end + 1, here + 1
    return ragged[:here]


def _ndjson_pieces(file: Path, layout: Layout, refuse: Refuse) -> Iterator[Piece]:
    return ndjson_parts(file, layout, refuse, ROWS)


def _fixed_pieces(file: Path, layout: Layout, refuse: Refuse) -> Iterator[Piece]:
    survey_text(file, layout, refuse)
    with open_text(file, layout) as stream:
        lines, first = fixed_lines(stream, layout), 1
        while some := list(islice(lines, ROWS)):
            yield split_fixed(some, layout, first)
            first += len(some)


def _parquet_pieces(file: Path, layout: Layout, refuse: Refuse) -> Iterator[Piece]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file, pre_buffer=False) as whole:
            for batch in whole.iter_batches(ROWS):
                rows = of_arrow(pa.Table.from_batches([batch]))
                rows.columns = tidy_names(rows.columns, refuse)
                yield rows.with_columns(plain(rows[name], layout.decimal) for name in rows.columns), []
    except (pa.ArrowException, *UNREAD) as error:
        raise refuse(no_parquet(error)) from error


PIECES: dict[str, Callable[[Path, Layout, Refuse], Iterator[Piece]]] = {
    "csv": _csv_pieces,
    "csv.gz": _csv_pieces,
    "ndjson": _ndjson_pieces,
    "ndjson.gz": _ndjson_pieces,
    "parquet": _parquet_pieces,
    "fixed": _fixed_pieces,
}
"""Reads a large file by its format. Others are read at once."""
