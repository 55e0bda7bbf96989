"""What one day of a table's sources would become, without storing anything."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from customer_profiles.collection.door import Door, receive
from customer_profiles.collection.formats import sheet_names
from customer_profiles.collection.reading import LINE, Delivery, DeliveryError, Part, ReadFile
from customer_profiles.collection.sources.files import odd_days, rows_of_days
from customer_profiles.collection.sources.finding import delivered_days, find_delivery, lacking_sources
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.mapping import path_into
from customer_profiles.collection.sources.rows import rows_beside
from customer_profiles.collection.sources.schema import FilesSource, SqlSource
from customer_profiles.contracts import CONTRACTS, Pii
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import delivered_columns, key_columns, required_columns
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal
from customer_profiles.settings import CollectionSettings

SAMPLE_ROWS = 3
ENOUGH_ROWS = 500_000
"""So many rows of a large delivery are looked at, and no more pieces of it."""
LONGEST_SHAPE = 24


@dataclass(frozen=True)
class TableCheck:
    """What a table's sources deliver of a day. ``wrong`` says why nothing can be read, if so.

    ``quarantined`` and ``repaired`` count rows by rule (a row can break several), ``filtered`` those that a
    rule of ``sources.yaml`` leaves out. ``sample`` is text as mapped, personal data masked to its shape.
    ``whole``: all rows were looked at. ``doubts`` name what ``sources.yaml`` may have meant otherwise.
    """

    table: str
    day: date | None
    days: tuple[date, ...]
    wrong: str = ""
    sources: tuple[str, ...] = ()
    received: int = 0
    whole: bool = True
    quarantined_rows: int = 0
    duplicates: int = 0
    filtered: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    repaired: Mapping[str, int] = field(default_factory=dict)
    unknown_columns: tuple[str, ...] = ()
    absent_columns: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)


def check_table(home: Home, settings: CollectionSettings, table: str, day: date | None = None) -> TableCheck:
    """Read a table's delivery of a day and tell what would become of its rows.

    By default of the newest day; of files for all days, whose last days can hold next to nothing, of the
    newest of those with the most rows.
    """
    try:
        days = delivered_days(home, table)
        day = day or _fullest(home, table) or max(days, default=None)
        delivery = find_delivery(home, table, day) if day else None
        if day is None or delivery is None:
            return TableCheck(
                table, day, tuple(days), wrong="" if days else "; ".join(lacking_sources(home, table))
            )
        return _checked(delivery, home, settings, tuple(days))
    except DeliveryError as error:
        return TableCheck(table, day, (), wrong=str(error))


def _odd_days(home: Home, table: str) -> list[str]:
    sources = (source for source in home.tables.get(table, ()) if not isinstance(source, SqlSource))
    return [doubt for source in sources for doubt in odd_days(source, table, home)]


def _fullest(home: Home, table: str) -> date | None:
    rows: Counter[date] = Counter()
    for source in home.tables.get(table, ()):
        if not isinstance(source, SqlSource):
            rows += rows_of_days(source, table, home)
    return max(rows, key=lambda day: (rows[day], day), default=None)


def _checked(
    delivery: Delivery, home: Home, settings: CollectionSettings, days: tuple[date, ...]
) -> TableCheck:
    parts, whole = _first_pieces(delivery)
    files = [piece for pieces in parts for piece in pieces]
    kept = replace(delivery, parts=tuple(_read_already(pieces) for pieces in parts))
    # keys and sealed cells are thrown away: the home's own secrets are not touched
    throwaway = Pseudonyms(secrets.token_bytes(32)), Seal(secrets.token_bytes(32))
    received = receive(kept, Door(home, settings, home.timezone, *throwaway))
    rows, table = received.rows, delivery.table
    broken = rows.filter(~pl.col("exact_copy"), pl.col("broken_rules").list.len() > 0)
    sound = rows.filter(~pl.col("exact_copy"), pl.col("broken_rules").list.len() == 0)
    copies = rows.height - broken.height - sound.select(key_columns(table)).unique().height
    cells = pl.concat([file.cells for file in files], how="diagonal_relaxed")
    split = pl.concat([file.places[LINE] for file in files]).is_null()
    return TableCheck(
        table=table,
        day=delivery.day,
        days=days,
        sources=tuple(dict.fromkeys(file.source for file in files)),
        received=rows.height,
        whole=whole,
        quarantined_rows=broken.height,
        duplicates=copies,
        filtered=_added_up(file.filtered for file in files),
        quarantined=_counted(broken["broken_rules"]),
        repaired=_counted(sound["repairs"]),
        unknown_columns=received.unknown_columns,
        absent_columns=tuple(name for name in delivered_columns(table) if name not in cells.columns),
        doubts=(
            *_names_of_nothing(home, delivery, files),
            *_sheets_left_out(home, delivery),
            *_joined_nowhere(home, delivery),
            *_without_order(home, delivery),
            *_odd_days(home, delivery.table),
            *_holding_nothing(home, delivery, cells.filter(split)),
            *_given_back_in_vain(sound),
        ),
        sample=masked(cells.filter(split).head(SAMPLE_ROWS), table),
    )


def _names_of_nothing(home: Home, delivery: Delivery, files: list[ReadFile]) -> list[str]:
    """Columns that a source names beside its mapping, where a misspelt one fails nothing, but no file has."""
    held = {name for file in files if file.originals is not None for name in file.originals.columns}
    sources = [source for source in home.tables.get(delivery.table, ()) if source.holds(delivery.day)]
    doubts = []
    for key in ("numbers", "ignore"):
        names = [name for source in sources for name in getattr(source, key)]
        if nowhere := [name for name in names if path_into(name, held) is None]:
            doubts.append(f"`{key}` names {', '.join(nowhere)}, but no column is called so")
    return doubts


def _holding_nothing(home: Home, delivery: Delivery, cells: pl.DataFrame) -> list[str]:
    """Optional columns that a source maps, of which no row holds anything: perhaps a misspelt path."""
    sources = [source for source in home.tables.get(delivery.table, ()) if source.holds(delivery.day)]
    mapped = {name: how.column for source in sources for name, how in source.columns.items() if how.column}
    empty = [
        f"{name} ({column})"
        for name, column in mapped.items()
        if name not in required_columns(delivery.table)
        and name in cells.columns
        and cells.height
        and not (cells[name].str.strip_chars() != "").any()
    ]
    return [f"empty in all rows of the day: {', '.join(empty)}"] if empty else []


def _given_back_in_vain(rows: pl.DataFrame) -> list[str]:
    """Refunds above what their line cost: of an order's, told on its first line, only a part would count."""
    if "refunded_minor" not in rows.columns:
        return []
    above = rows.filter(pl.col("refunded_minor") > pl.col("amount_minor").abs()).height
    if not above:
        return []
    return [
        f"refunded_minor is above amount_minor in {above:,} of {rows.height:,} rows, and counts up to it "
        f"alone; spread what a whole order got back: x * line / SUM(line) OVER (PARTITION BY order)"
    ]


def _sheets_left_out(home: Home, delivery: Delivery) -> list[str]:
    """Sheets of the delivery's workbooks that no source of the table reads."""
    sources = [source for source in home.tables.get(delivery.table, ()) if isinstance(source, FilesSource)]
    named = {name for source in sources for name in source.sheets}
    books = {part.file for part in delivery.parts if part.file and part.file.name.endswith(".xlsx")}
    doubts = []
    for book in sorted(books if "*" not in named else ()):
        left = [name for name in sheet_names(book)[0 if named else 1 :] if name not in named]
        if left:
            doubts.append(f"{book.name}: its sheets {', '.join(left)} are not read; name them in `sheets`")
    return doubts


def _joined_nowhere(home: Home, delivery: Delivery) -> list[str]:
    """Rows of joined files that are joined to nothing, since a later one holds the same of ``on``."""
    sources = [source for source in home.tables.get(delivery.table, ()) if isinstance(source, FilesSource)]
    doubts = []
    for source in sources:
        for join in source.join if source.holds(delivery.day) else ():
            rows = rows_beside(source, join, delivery.table, delivery.day, home).unique()
            on = list(join.on.values())
            if nowhere := rows.height - rows.select(on).unique().height:
                doubts.append(
                    f"join {join.path}: of rows with the same {', '.join(on)} the last is joined, "
                    f"{nowhere:,} of {rows.height:,} are not; if each should be a row of {delivery.table}, "
                    f"make that file the `path` and join this one to it"
                )
    return doubts


def _without_order(home: Home, delivery: Delivery) -> list[str]:
    """Columns that number the rows of a query in the order in which they come, if it states none."""
    sources = [source for source in home.tables.get(delivery.table, ()) if isinstance(source, SqlSource)]
    return [
        f"{name}: `place_in` numbers rows as the database happens to return them; end the query with ORDER BY"
        for source in sources
        if source.holds(delivery.day) and not re.search(r"\border\s+by\b", source.query, re.IGNORECASE)
        for name, column in source.columns.items()
        if column.place_in
    ]


def _first_pieces(delivery: Delivery) -> tuple[list[list[ReadFile]], bool]:
    """Each part's pieces until they are rows enough, and whether these are all."""
    parts: list[list[ReadFile]] = []
    rows = 0
    for part in delivery.parts:
        parts.append([])
        for piece in part.read():
            if rows >= ENOUGH_ROWS:
                return [pieces for pieces in parts if pieces], False
            parts[-1].append(piece)
            rows += piece.places.height
    return parts, True


def _read_already(pieces: list[ReadFile]) -> Part:
    return Part(pieces[0].source, None, lambda: pieces[0].sha256, lambda: iter(pieces))


def _counted(rules: pl.Series) -> dict[str, int]:
    counts = rules.explode().drop_nulls().value_counts(sort=True, name="rows")
    return dict(counts.iter_rows())


def _added_up(counts: Iterator[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for rule, rows in count.items():
            total[rule] = total.get(rule, 0) + rows
    return total


def masked(cells: pl.DataFrame, table: str) -> pl.DataFrame:
    """The table's columns of delivered rows as text; personal data is shown by its shape alone."""
    columns = columns_of(CONTRACTS[table])
    known = [name for name in delivered_columns(table) if name in cells.columns]
    shown = cells.select(pl.col(known).cast(pl.String))
    personal = [name for name in known if (columns[name].metadata or {})["pii"] is not Pii.NONE]
    return shown.with_columns(
        pl.col(name).str.slice(0, LONGEST_SHAPE).str.replace_all(r"\p{L}", "a").str.replace_all(r"\p{N}", "9")
        for name in personal
    )


def missing_columns(check: TableCheck) -> list[str]:
    """Required columns that no source of the table fills."""
    return [name for name in required_columns(check.table) if name in check.absent_columns]
