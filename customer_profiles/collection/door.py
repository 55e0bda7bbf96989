"""The door: deliveries of one table come in, typed rows without clear personal data come out."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import polars as pl

from customer_profiles.collection.derivation import derived
from customer_profiles.collection.parsing import parse_rows
from customer_profiles.collection.personal import for_the_vault, pseudonymised
from customer_profiles.collection.pieces import ROWS
from customer_profiles.collection.reading import LINE, Delivery, DeliveryError, Part, ReadFile
from customer_profiles.collection.refusals import Tally, require_right, tally
from customer_profiles.collection.repeats import Met
from customer_profiles.collection.rules import broken_rules, circumstances
from customer_profiles.collection.sources.deliveries import state_of_file
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.tables import FILE_COLUMNS
from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import columns_with, delivered_columns, raw_columns
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal
from customer_profiles.settings import CollectionSettings

Piece = list[tuple[Delivery, ReadFile]]
"""Files that pass together, each with its delivery: of one table, with the same columns."""
FILES = {
    "delivery_day": pl.Date,
    "unknown_columns": pl.List(pl.String),
    **{column.name: column.dtype for column in FILE_COLUMNS},
}


@dataclass(frozen=True)
class Door:
    """What every delivery passes: the home that it lies in, the settings and the secrets."""

    home: Home
    settings: CollectionSettings
    pseudonyms: Pseudonyms
    seal: Seal
    partner_secrets: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Received:
    """Rows behind the door: of whole deliveries, or of a piece of one of their parts.

    ``rows`` has the columns of ``raw_columns``; ``personal`` those of ``PERSONAL``; ``files`` one row
    for each part of a day in it, for the ledger of deliveries: see ``FILES``.
    """

    rows: pl.DataFrame
    personal: pl.DataFrame
    files: pl.DataFrame

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Delivered columns that the contract does not know."""
        return tuple(self.files["unknown_columns"].explode().drop_nulls().unique().sort())


def receive(delivery: Delivery, door: Door, categories: Mapping[str, str] | None = None) -> Received:
    """A whole delivery at once: what ``receive_pieces`` yields, as one. See there."""
    pieces = list(receive_pieces([delivery], door, {delivery.day: categories or {}}))
    return Received(
        rows=pl.concat(piece.rows for piece in pieces),
        personal=pl.concat(piece.personal for piece in pieces),
        files=pl.concat(piece.files for piece in pieces),
    )


def receive_pieces(
    deliveries: Sequence[Delivery], door: Door, categories: Mapping[date, Mapping[str, str]]
) -> Iterator[Received]:
    """Read, type, judge and seal deliveries of one table piece by piece. Nothing is dropped.

    Small files of the same columns pass together, in the order of the deliveries: what a day costs beside
    its rows is paid once for all of them.
    ``categories`` maps, for each day, product and category names to categories, for searches without one.
    Raises ``DeliveryError`` if a part is not what it says: for what only all of its pieces tell together,
    after the last piece.
    """
    tallies: dict[tuple[date, str], Tally] = {}
    met = Met()
    for piece in _pieces(deliveries):
        judged = _judged(piece, door)
        _tally(tallies, piece, judged)
        judged = judged.with_columns(exact_copy=_copies(judged, met))
        yield _behind_the_door(piece, judged, door, categories)
    for delivery in deliveries:
        for part in delivery.parts:
            if told := tallies.get((delivery.day, part.source)):
                _require_right(told, part, door)


def _tally(tallies: dict[tuple[date, str], Tally], piece: Piece, judged: pl.DataFrame) -> None:
    first = 0
    for delivery, file in piece:
        told = tallies.setdefault((delivery.day, file.source), Tally(delivery, file.source))
        tally(told, file, judged[first : first + file.places.height])
        first += file.places.height


def _require_right(told: Tally, part: Part, door: Door) -> None:
    """Raise ``DeliveryError`` if a part is wrong as a whole; a file for all days is judged by all of them.

    Its rows whose time cannot be read gather on one day, where they are most, of however few in the file.
    """
    share = door.settings.refuse_above_unparsable_share
    try:
        require_right(told, share)
    except DeliveryError:
        if part.whole is None or part.file is None:
            raise
        require_right(_tally_of_file(told, part.file, part.whole, door), share)


def _tally_of_file(told: Tally, file: Path, whole: Callable[[], Part], door: Door) -> Tally:
    """What all rows of a file for all days tell; kept, since each of its days may ask."""
    key = told.delivery.table, told.source, state_of_file(file, door.home)
    if key not in door.home.tallies:
        part = whole().renamed(told.source)
        tallies: dict[tuple[date, str], Tally] = {}
        for piece in _pieces([replace(told.delivery, parts=(part,))]):
            _tally(tallies, piece, _judged(piece, door))
        door.home.tallies[key] = tallies[told.delivery.day, told.source]
    of_file: Tally = door.home.tallies[key]
    return of_file


def _pieces(deliveries: Sequence[Delivery]) -> Iterator[Piece]:
    """Files in the order in which they are read, neighbours of the same columns together."""
    piece: Piece = []
    height = 0
    for delivery in deliveries:
        for part in delivery.parts:
            for file in part.read():
                height += file.places.height
                if piece and (height > ROWS or _columns(file) != _columns(piece[0][1])):
                    yield piece
                    piece, height = [], file.places.height
                piece.append((delivery, file))
    if piece:
        yield piece


def _columns(file: ReadFile) -> list[set[tuple[str, pl.DataType]]]:
    return [set(frame.schema.items()) for frame in (file.cells, file.originals) if frame is not None]


def _judged(piece: Piece, door: Door) -> pl.DataFrame:
    """A piece's rows in the contract's types, with the rules that each breaks; a broken one's original."""
    table = piece[0][0].table
    cells = _one_frame([_cells(file, table) for _, file in piece])
    originals = [file.originals for _, file in piece if file.originals is not None]
    rows = _typed(piece, cells, door)
    broken = broken_rules(rows, CONTRACTS[table])
    return rows.with_columns(
        broken,
        _original(_one_frame(originals) if originals else cells, rows[LINE], broken),
    )


def _copies(rows: pl.DataFrame, met: Met) -> pl.Series:
    """Whether an earlier row of its day is the same."""
    of_the_day = pl.col("fingerprint") ^ pl.col("delivery_day").hash()
    return pl.Series(met.again(rows.select(of_the_day).to_series().to_numpy()))


def _cells(file: ReadFile, table: str) -> pl.DataFrame:
    """The cells of a file; of one in which no line could be split, cells that hold nothing."""
    if file.cells.columns:
        return file.cells
    nothing = pl.DataFrame(schema=dict.fromkeys(delivered_columns(table), pl.String))
    return nothing.clear(file.places.height)


def _one_frame(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frame.select(frames[0].columns) for frame in frames)


def _typed(piece: Piece, cells: pl.DataFrame, door: Door) -> pl.DataFrame:
    table = piece[0][0].table
    known, every = delivered_columns(table), sorted(cells.columns)
    extra = [name for name in every if name not in known]
    noted = cells.select(
        fingerprint=_fingerprint(every, door),
        extra=pl.struct(extra).struct.json_encode() if extra else pl.lit(None, pl.String),
    )
    places = _one_frame([file.places.with_columns(delivery_day=delivery.day) for delivery, file in piece])
    delivered = cells.select(name for name in known if name in every)
    parsed = parse_rows(
        pl.concat([delivered, places, noted], how="horizontal"), CONTRACTS[table], known, door.home.timezone
    )
    day_precise = [f"{name}|day_precise" for name in columns_with(table, "kind", "moment")]
    absent = [name for name in day_precise if name not in parsed.columns]
    days = sorted({delivery.day for delivery, _ in piece})
    settings = door.settings
    known_by_day = circumstances(
        days, door.home.timezone, settings.minimum_age, settings.future_tolerance_minutes
    )
    return (
        parsed.with_columns(
            *(pl.lit(False).alias(name) for name in absent),
            fingerprint=pl.col("fingerprint") ^ _fingerprint([LINE], door),
        )
        .join(known_by_day, on="delivery_day", how="left", maintain_order="left")
        .select(pl.all().exclude("^.*\\|.*$"), *day_precise)
    )


def _fingerprint(names: list[str], door: Door) -> pl.Expr:
    """Tells a row again, whatever the order of its columns: empty ones say nothing.

    Keyed, so that nobody confirms a guess by it. Polars promises equal hashes within a version alone:
    ``test_upstream.py`` pins those that stored fingerprints have.
    """
    seeds = (int(door.pseudonyms.key(f"fingerprint of {name}")[:16], 16) for name in names)
    hashes = [_hash(name, seed) for name, seed in zip(names, seeds, strict=True)]
    return pl.reduce(operator.xor, hashes)


def _hash(name: str, seed: int) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash(seed)).otherwise(0)


def as_sealed(delivered: pl.DataFrame, lines: pl.Series) -> pl.Series:
    """Delivered rows as the JSON that is sealed: the cells, or a line that could not be split."""
    cells = pl.struct(sorted(delivered.columns) or LINE).struct.json_encode()
    line = pl.when(pl.col(LINE).is_not_null()).then(pl.struct(LINE).struct.json_encode())
    return delivered.with_columns(lines).select(line.otherwise(cells)).to_series()


def _original(delivered: pl.DataFrame, lines: pl.Series, broken: pl.Series) -> pl.Series:
    """The broken rows as they were delivered, as JSON."""
    rows = (broken.list.len() > 0).arg_true()
    nothing = pl.Series("original", [None], dtype=pl.String).new_from_index(0, broken.len())
    return nothing.scatter(rows, as_sealed(delivered[rows], lines.gather(rows)))


def _behind_the_door(
    piece: Piece, judged: pl.DataFrame, door: Door, categories: Mapping[date, Mapping[str, str]]
) -> Received:
    table = piece[0][0].table
    told = derived(table, judged, door.home.timezone, door.settings.default_phone_region, categories)
    sealed = pseudonymised(table, told, door.pseudonyms, door.partner_secrets, door.seal)
    return Received(
        rows=sealed.select(column.name for column in raw_columns(table)),
        personal=for_the_vault(table, sealed, door.seal),
        files=pl.DataFrame([_entry(*each) for each in piece], schema=FILES),
    )


def _entry(delivery: Delivery, file: ReadFile) -> dict[str, object]:
    known = delivered_columns(delivery.table)
    return {
        "delivery_day": delivery.day,
        "unknown_columns": sorted(set(file.cells.columns) - set(known)),
        "source": file.source,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "rows": file.places.height,
        "filtered": sum(file.filtered.values()),
        "filtered_by": [f"{rule}: {rows}" for rule, rows in file.filtered.items()],
        "known_time_imputed": file.known_time_imputed,
    }
