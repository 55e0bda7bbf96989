"""What one day of a table's sources would become, without storing anything."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from customer_profiles.collection.door import Door, receive
from customer_profiles.collection.reading import LINE, Delivery, DeliveryError, Part, ReadFile
from customer_profiles.collection.refusals import shape
from customer_profiles.collection.sources.cells import UNMAPPED
from customer_profiles.collection.sources.doubts import doubts_of, unknown_words
from customer_profiles.collection.sources.files import rows_of_days
from customer_profiles.collection.sources.finding import delivered_days, find_delivery, lacking_sources
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.sources.schema import SqlSource
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
    by_name = {part.source: part for part in delivery.parts}
    kept = replace(
        delivery, parts=tuple(_read_already(by_name[pieces[0].source], pieces) for pieces in parts)
    )
    # keys and sealed cells are thrown away: the home's own secrets are not touched
    throwaway = Pseudonyms(secrets.token_bytes(32)), Seal(secrets.token_bytes(32))
    table = delivery.table
    try:
        received = receive(kept, Door(home, settings, *throwaway))
    except DeliveryError as error:
        return TableCheck(table, delivery.day, days, str(error), doubts=(*unknown_words(table, files),))
    rows = received.rows
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
        filtered=sum((Counter(file.filtered) for file in files), Counter()),
        quarantined=_counted(broken["broken_rules"]),
        repaired=_counted(sound["repairs"]),
        unknown_columns=received.unknown_columns,
        absent_columns=tuple(name for name in delivered_columns(table) if name not in cells.columns),
        doubts=doubts_of(delivery, home, files, sound),
        sample=masked(cells.filter(split).head(SAMPLE_ROWS), table),
    )


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


def _read_already(part: Part, pieces: list[ReadFile]) -> Part:
    return replace(part, read=lambda: iter(pieces))


def _counted(rules: pl.Series) -> dict[str, int]:
    counts = rules.explode().drop_nulls().value_counts(sort=True, name="rows")
    return dict(counts.iter_rows())


def masked(cells: pl.DataFrame, table: str) -> pl.DataFrame:
    """The table's columns of delivered rows as text; personal data is shown by its shape alone."""
    columns = columns_of(CONTRACTS[table])
    known = [name for name in delivered_columns(table) if name in cells.columns]
    shown = cells.select(pl.col(known).cast(pl.String).str.strip_prefix(UNMAPPED))
    personal = [name for name in known if (columns[name].metadata or {})["pii"] is not Pii.NONE]
    return shown.with_columns(
        pl.col(name).str.slice(0, LONGEST_SHAPE).map_elements(shape, return_dtype=pl.String)
        for name in personal
    )


def missing_columns(check: TableCheck) -> list[str]:
    """Required columns that no source of the table fills."""
    return [name for name in required_columns(check.table) if name in check.absent_columns]
