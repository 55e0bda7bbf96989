"""The door: one delivery of one table comes in, typed rows without clear personal data come out."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from customer_profiles.collection.derivation import category_of_searches, e164, language_of, moment_numbers
from customer_profiles.collection.parsing import E_MAIL, parse_rows
from customer_profiles.collection.reading import (
    LINE,
    UNREADABLE,
    Delivery,
    DeliveryError,
    ReadFile,
)
from customer_profiles.collection.rules import broken_rules, circumstances
from customer_profiles.collection.sources.home import Home
from customer_profiles.collection.tables import FILE_COLUMNS
from customer_profiles.contracts import CONTRACTS, Pii
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import (
    delivered_columns,
    key_name,
    match_name,
    raw_columns,
    required_columns,
)
from customer_profiles.privacy.matching import HASH, match_keys
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal, place_of
from customer_profiles.settings import CollectionSettings

ENOUGH_ROWS = 10
"""From how many rows on a column that cannot be read is the file's fault, not a row's."""
LONGEST_SHAPE = 40
ROW_PLACE = ("source", "row_number")
FILTERED_BY = "filtered_by"


@dataclass(frozen=True)
class Door:
    """What every delivery passes: the home that it lies in, the settings, the time zone and the secrets."""

    home: Home
    settings: CollectionSettings
    timezone: str
    pseudonyms: Pseudonyms
    seal: Seal
    partner_secrets: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Received:
    """Rows behind the door: of a whole delivery, or of a piece of one of its parts.

    ``rows`` has the columns of ``raw_columns``; ``personal`` the vault's: ``customer_key``, ``source``,
    ``row_number``, ``attribute``, ``sealed``; ``files`` one row a piece for the ledger of deliveries.
    """

    rows: pl.DataFrame
    personal: pl.DataFrame
    files: pl.DataFrame
    unknown_columns: tuple[str, ...]


def receive(delivery: Delivery, door: Door, categories: Mapping[str, str] | None = None) -> Received:
    """A whole delivery at once: what ``receive_pieces`` yields, as one. See there."""
    pieces = list(receive_pieces(delivery, door, categories))
    rows = pl.concat(piece.rows for piece in pieces)
    return Received(
        rows=rows.with_columns(exact_copy=~pl.col("fingerprint").is_first_distinct()),
        personal=pl.concat(piece.personal for piece in pieces),
        files=pl.concat(piece.files for piece in pieces),
        unknown_columns=tuple(sorted({name for piece in pieces for name in piece.unknown_columns})),
    )


def receive_pieces(
    delivery: Delivery, door: Door, categories: Mapping[str, str] | None = None
) -> Iterator[Received]:
    """Read, type, judge and seal a delivery piece by piece. Nothing is dropped.

    ``exact_copy`` is told within a piece. ``categories`` maps product and category names to categories, for
    searches without one. Raises ``DeliveryError`` if a part is not what it says: for what only all of its
    pieces tell together, after the last of them.
    """
    for part in delivery.parts:
        delivered: set[str] = set()
        unread: list[_Unread] = []
        for file in part.read():
            delivered |= set(file.cells.columns)
            judged = _judged(delivery, file, door)
            unread.append(_unread(delivery, file, judged))
            yield _behind_the_door(delivery, file, judged, door, categories or {})
        _require_columns(delivery, part.source, sorted(delivered))
        _refuse_unreadable(delivery, part.source, unread, door.settings.refuse_above_unparsable_share)


def _judged(delivery: Delivery, file: ReadFile, door: Door) -> pl.DataFrame:
    typed = _typed(delivery, file, door)
    return typed.with_columns(
        broken_rules(typed, CONTRACTS[delivery.table]),
        exact_copy=~pl.col("fingerprint").is_first_distinct(),
    )


def _behind_the_door(
    delivery: Delivery, file: ReadFile, judged: pl.DataFrame, door: Door, categories: Mapping[str, str]
) -> Received:
    sealed = _sealed(delivery, _derived(delivery, judged, door, categories), door)
    return Received(
        rows=sealed.select(column.name for column in raw_columns(delivery.table)),
        personal=_personal(delivery, sealed, door),
        files=pl.DataFrame(
            {
                "source": [file.source],
                "bytes": [file.bytes],
                "sha256": [file.sha256],
                "rows": [file.places.height],
                "filtered": [sum(file.filtered.values())],
                "filtered_by": [[f"{rule}: {rows}" for rule, rows in file.filtered.items()]],
                "known_time_imputed": [file.known_time_imputed],
            },
            schema={column.name: column.dtype for column in FILE_COLUMNS},
        ),
        unknown_columns=tuple(_unknown_columns(delivery, file)),
    )


def _unknown_columns(delivery: Delivery, file: ReadFile) -> list[str]:
    known = delivered_columns(delivery.table)
    return [name for name in file.cells.columns if name not in known]


def _typed(delivery: Delivery, file: ReadFile, door: Door) -> pl.DataFrame:
    """One file's rows in the contract's types, with the delivered cells kept beside them."""
    known, cells = delivered_columns(delivery.table), file.cells
    if not cells.columns:
        cells = pl.DataFrame(schema=dict.fromkeys(known, pl.String)).clear(file.places.height)
    every = sorted(cells.columns)
    extra = [name for name in every if name not in known]
    noted = cells.select(
        fingerprint=_fingerprint(every, door),
        extra=pl.struct(extra).struct.json_encode() if extra else pl.lit(None, pl.String),
    )
    originals = cells if file.originals is None else file.originals
    words = originals.select(delivered=pl.struct(sorted(originals.columns)).struct.json_encode())
    line = pl.when(pl.col(LINE).is_not_null()).then(pl.struct(LINE).struct.json_encode())
    rows = pl.concat(
        [cells.select(name for name in known if name in every), file.places, noted, words], how="horizontal"
    ).with_columns(
        fingerprint=pl.col("fingerprint") ^ _fingerprint([LINE], door),
        delivered=pl.coalesce(line, "delivered"),
    )
    parsed = parse_rows(rows, CONTRACTS[delivery.table], known, door.timezone)
    day_precise = [f"{name}|day_precise" for name in _moments(delivery)]
    return parsed.with_columns(
        pl.lit(delivery.day).alias("delivery_day"),
        *(pl.lit(False).alias(name) for name in day_precise if name not in parsed.columns),
        **circumstances(
            delivery.day,
            door.timezone,
            door.settings.minimum_age,
            door.settings.future_tolerance_minutes,
        ),
    ).select(pl.all().exclude("^.*\\|.*$"), *day_precise)


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


def _require_columns(delivery: Delivery, source: str, delivered: list[str]) -> None:
    """Names are shown only beside a known one: else the first line may be a row, and they are cells."""
    missing = [name for name in required_columns(delivery.table) if name not in delivered]
    if not missing or not delivered:
        return
    known = {_letters(name): name for name in delivered_columns(delivery.table)}
    meant = {known[_letters(name)]: name for name in delivered if _letters(name) in known}
    if meant:
        alike = [f"{meant[name]!r} for {name}" for name in missing if name in meant]
        held = f"it has {sorted(delivered)}" + (f"; did you mean {', '.join(alike)}?" if alike else ".")
    else:
        held = f"none of its {len(delivered)} columns is known: is its first line a header?"
    raise DeliveryError(
        f"{delivery.table} of {delivery.day}: {source}: required columns {missing} are missing; {held} "
        f"Deliver them, or rename its columns"
    )


def _letters(name: str) -> str:
    """A column name without case, spaces and signs: ``Customer ID`` -> ``customerid``."""
    return "".join(filter(str.isalnum, name)).casefold()


def _moments(delivery: Delivery) -> list[str]:
    return _columns_of_kind(delivery, "moment")


def _columns_of_kind(delivery: Delivery, *kinds: str) -> list[str]:
    columns = columns_of(CONTRACTS[delivery.table])
    return [
        name for name in delivered_columns(delivery.table) if (columns[name].metadata or {})["kind"] in kinds
    ]


def _columns_of_told_kind(delivery: Delivery) -> dict[str, str]:
    """Identifiers that can be an e-mail or phone, each with the column that says so."""
    columns = columns_of(CONTRACTS[delivery.table])
    kinds = {name: (column.metadata or {}).get("kind_in") for name, column in columns.items()}
    return {name: kind for name, kind in kinds.items() if kind}


def _columns_that_hold_hashes(delivery: Delivery) -> list[str]:
    columns = columns_of(CONTRACTS[delivery.table])
    return [
        name for name in delivered_columns(delivery.table) if (columns[name].metadata or {}).get("hashed")
    ]


def _columns_of_class(delivery: Delivery, pii: Pii) -> list[str]:
    columns = columns_of(CONTRACTS[delivery.table])
    return [
        name for name in delivered_columns(delivery.table) if (columns[name].metadata or {})["pii"] is pii
    ]


_Unread = tuple[int, dict[str, tuple[int, str]], str]
"""Rows of a piece; by rule, how many cannot be read and how the first such cell is shaped; what to do."""


def _unread(delivery: Delivery, file: ReadFile, rows: pl.DataFrame) -> _Unread:
    rules = {f"{name}|unparsable": name for name in required_columns(delivery.table)} | {UNREADABLE: None}
    found = rows.select(pl.col("broken_rules").list.contains(rule).alias(rule) for rule in rules)
    wrong = {}
    for rule, name in rules.items():
        many, first = int(found[rule].sum()), found[rule].arg_max()
        if many and first is not None:
            wrong[rule] = many, shape(str(file.cells[name][first])) if name else ""
    advice = "deliver it again" if file.originals is None else "mend its mapping in sources.yaml"
    return rows.height, wrong, advice


def shape(cell: str) -> str:
    """How a cell is written, without what it says: ``王芳 1a`` -> ``aa 9a``."""
    return "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in cell[:LONGEST_SHAPE])


def _refuse_unreadable(delivery: Delivery, source: str, unread: list[_Unread], share: float) -> None:
    """A file most of whose rows cannot be read is a wrong file, not a file of bad rows."""
    height = sum(rows for rows, _, _ in unread)
    place = f"{delivery.table} of {delivery.day}: {source}"
    for rule in sorted({rule for _, wrong, _ in unread for rule in wrong}):
        found = [wrong[rule] for _, wrong, _ in unread if rule in wrong]
        many = sum(count for count, _ in found)
        if height < ENOUGH_ROWS or many <= share * height:
            continue
        if rule == UNREADABLE:
            raise DeliveryError(
                f"{place}: {many:,} of {height:,} lines cannot be split into columns; deliver it again"
            )
        raise DeliveryError(
            f"{place}: column {rule.partition('|')[0]}: {many:,} of {height:,} cells cannot be read (shaped "
            f"like {found[0][1]!r}); dates are ISO 8601, numbers plain, values those of the contract; "
            f"{unread[-1][2]}"
        )


def _derived(
    delivery: Delivery, rows: pl.DataFrame, door: Door, categories: Mapping[str, str]
) -> pl.DataFrame:
    """Numbers of moments, and what can be told from personal data before it is sealed."""
    contract = CONTRACTS[delivery.table]
    derived = rows.with_columns(moment_numbers(contract, _moments(delivery), door.timezone))
    for name in _columns_of_kind(delivery, "phone"):
        number = e164(derived[name], door.settings.default_phone_region)
        unknown = derived[name].is_not_null() & number.is_null()
        derived = derived.with_columns(
            number.alias(f"{name}|normal"),
            repairs=pl.when(unknown)
            .then(pl.concat_list("repairs", pl.lit(f"{name}|not_a_number")))
            .otherwise("repairs"),
        )
    for name in _columns_of_kind(delivery, "email"):
        valid = pl.col(name).str.contains(E_MAIL)
        derived = derived.with_columns(pl.when(valid).then(name).alias(f"{name}|normal"))
    for name, kind in _columns_of_told_kind(delivery).items():
        phone = derived.select(pl.when(pl.col(kind).str.to_lowercase() == "phone").then(name)).to_series()
        email = pl.when(pl.col(kind).str.to_lowercase() == "email").then(pl.col(name).str.to_lowercase())
        number = e164(phone, door.settings.default_phone_region)
        derived = derived.with_columns(pl.coalesce(email, number, name).alias(name))
    for name in _columns_that_hold_hashes(delivery):
        is_hash = pl.col(name).str.contains(HASH)
        derived = derived.with_columns(pl.when(is_hash).then(pl.col(name).str.to_lowercase()).otherwise(name))
    for name in _columns_of_kind(delivery, "date"):
        birth = name.removesuffix("_date")
        derived = derived.with_columns(
            pl.col(name).dt.year().cast(pl.Int32).alias(f"{birth}_year"),
            pl.col(name).dt.month().cast(pl.Int32).alias(f"{birth}_month"),
        )
    for name in _columns_of_kind(delivery, "free_text"):
        derived = derived.with_columns(pl.col(name).str.len_chars().cast(pl.Int32).alias(f"{name}_length"))
    if "body" in derived.columns:
        derived = derived.with_columns(pl.coalesce("language", language_of(pl.col("body"))).alias("language"))
    if "search_query" in derived.columns:
        found = category_of_searches(derived["search_query"], categories)
        derived = derived.with_columns(pl.coalesce("category", found).alias("category"))
    return derived


def _sealed(delivery: Delivery, rows: pl.DataFrame, door: Door) -> pl.DataFrame:
    """Keys in place of identifiers; sealed bytes in place of words, extra columns and originals."""
    keyed = rows.with_columns(
        door.pseudonyms.keys(rows[name]).alias(key_name(name))
        for name in _columns_of_class(delivery, Pii.IDENTIFIER)
    ).with_columns(
        made
        for name in _columns_of_kind(delivery, "phone", "email")
        for made in (
            door.pseudonyms.keys(rows[f"{name}|normal"]).alias(key_name(name)),
            match_keys(rows[f"{name}|normal"], door.pseudonyms, door.partner_secrets).alias(match_name(name)),
        )
    )
    broken = pl.col("broken_rules").list.len() > 0
    original = rows.select(pl.when(broken).then("delivered").alias("original"))
    words = {name: rows[name] for name in _columns_of_class(delivery, Pii.SEALED)}
    words |= {"extra": rows["extra"], "original": original["original"]}
    plain = _columns_of_class(delivery, Pii.NONE)
    return keyed.with_columns(
        *(_seal_column(delivery, rows, name, texts, door.seal) for name, texts in words.items()),
        # a broken row may hold a name where a code belongs: its words stand in the sealed original alone
        *(pl.when(~broken).then(name).alias(name) for name in plain if rows.schema[name] == pl.String),
    )


def _seal_column(
    delivery: Delivery, rows: pl.DataFrame, name: str, texts: pl.Series, seal: Seal
) -> pl.Series:
    """Seal the cells that hold something, each to its own place."""
    known = texts.is_not_null()
    places = (
        place_of(delivery.table, delivery.day, source, number, name)
        for source, number in rows.filter(known).select(*ROW_PLACE).iter_rows()
    )
    sealed = pl.Series(seal.seal_all(texts.drop_nulls(), places), dtype=pl.Binary)
    whole = pl.Series(f"{name}_sealed", [None], dtype=pl.Binary).new_from_index(0, rows.height)
    return whole.scatter(known.arg_true(), sealed) if sealed.len() else whole


def _personal(delivery: Delivery, rows: pl.DataFrame, door: Door) -> pl.DataFrame:
    """The vault's rows: names, addresses and birth dates, and the ids behind the keys.

    Rows that break a rule are not opened to the vault: their sealed original is all that is kept.
    """
    attributes = _columns_of_class(delivery, Pii.VAULT)
    schema = {
        "customer_key": pl.String,
        "source": pl.String,
        "row_number": pl.Int64,
        "attribute": pl.String,
        "sealed": pl.Binary,
    }
    if "customer_id" not in rows.columns or delivery.table not in ("customers", "orders"):
        return pl.DataFrame(schema=schema)
    sound = rows.filter(pl.col("broken_rules").list.len() == 0)
    whose = ["customer_key", *ROW_PLACE]
    ids = sound.unique("customer_key", keep="first", maintain_order=True)
    cells = pl.concat(
        frame.select(*whose, pl.lit(name).alias("attribute"), pl.col(name).cast(pl.String).alias("text"))
        for name, frame in [("customer_id", ids), *((name, sound) for name in attributes)]
    ).drop_nulls("text")
    places = (
        place_of(delivery.table, delivery.day, source, number, name)
        for source, number, name in cells.select(*ROW_PLACE, "attribute").iter_rows()
    )
    sealed = pl.Series("sealed", door.seal.seal_all(cells["text"], places), dtype=pl.Binary)
    return cells.drop("text").with_columns(sealed).select(list(schema))
