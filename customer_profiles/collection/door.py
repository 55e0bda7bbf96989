"""The door: one delivery of one table comes in, typed rows without clear personal data come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from customer_profiles.collection.derivation import category_of_searches, e164, language_of, moment_numbers
from customer_profiles.collection.parsing import E_MAIL, parse_rows
from customer_profiles.collection.reading import LINE, Delivery, DeliveryError, ReadFile, read_file
from customer_profiles.collection.rules import broken_rules, circumstances
from customer_profiles.contracts import CONTRACTS, Pii
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import delivered_columns, key_name, raw_columns, required_columns
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal, place_of
from customer_profiles.settings import CollectionSettings

ENOUGH_ROWS = 10
"""From how many rows on a column that cannot be read is the file's fault, not a row's."""
ROW_PLACE = ("source", "row_number")


@dataclass(frozen=True)
class Door:
    """What every delivery passes: where it lies, the settings, the time zone and the secrets."""

    deliveries: Path
    settings: CollectionSettings
    timezone: str
    pseudonyms: Pseudonyms
    seal: Seal


@dataclass(frozen=True)
class Received:
    """A delivery behind the door.

    ``rows`` has the columns of ``raw_columns``; ``personal`` the vault's: ``customer_key``, ``source``,
    ``row_number``, ``attribute``, ``sealed``; ``files`` one row a file for the ledger of deliveries.
    """

    rows: pl.DataFrame
    personal: pl.DataFrame
    files: pl.DataFrame
    unknown_columns: tuple[str, ...]


def receive(delivery: Delivery, door: Door, categories: Mapping[str, str] | None = None) -> Received:
    """Read, type, judge and seal a delivery. Nothing is dropped.

    ``categories`` maps product and category names to categories, for searches without one.
    Raises ``DeliveryError`` if a file is not what it says.
    """
    files = [
        read_file(delivery, file, door.deliveries, door.settings.longest_line_bytes)
        for file in delivery.files
    ]
    unknown = sorted({name for file in files for name in _unknown_columns(delivery, file)})
    typed = pl.concat([_typed(delivery, file, door) for file in files])
    judged = typed.with_columns(
        broken_rules(typed, CONTRACTS[delivery.table]),
        exact_copy=~pl.col("fingerprint").is_first_distinct(),
    )
    _refuse_unreadable(delivery, files, judged, door.settings.refuse_above_unparsable_share)
    sealed = _sealed(delivery, _derived(delivery, judged, door, categories or {}), door)
    return Received(
        rows=sealed.select(column.name for column in raw_columns(delivery.table)),
        personal=_personal(delivery, sealed, door),
        files=_ledger(delivery, files),
        unknown_columns=tuple(unknown),
    )


def _unknown_columns(delivery: Delivery, file: ReadFile) -> list[str]:
    known = {*delivered_columns(delivery.table), *ROW_PLACE, LINE}
    return [name for name in file.rows.columns if name not in known]


def _typed(delivery: Delivery, file: ReadFile, door: Door) -> pl.DataFrame:
    """One file's rows in the contract's types, with the delivered cells kept beside them."""
    rows = file.rows
    missing = [name for name in required_columns(delivery.table) if name not in rows.columns]
    if missing and not (rows.is_empty() and len(rows.columns) <= len({*ROW_PLACE, LINE})):
        raise DeliveryError(
            f"{delivery.table} of {delivery.day}: {file.source}: required columns {missing} are missing; it "
            f"has {sorted(set(rows.columns) - {*ROW_PLACE, LINE})}; deliver them, or rename its columns"
        )
    if LINE not in rows.columns:
        rows = rows.with_columns(pl.lit(None, pl.String).alias(LINE))
    cells = sorted(name for name in rows.columns if name not in ROW_PLACE)
    extra = _unknown_columns(delivery, file)
    kept = rows.with_columns(
        fingerprint=pl.struct(cells).hash(),
        delivered=pl.struct(cells).struct.json_encode(),
        extra=pl.struct(extra).struct.json_encode() if extra else pl.lit(None, pl.String),
    ).drop(extra)
    parsed = parse_rows(kept, CONTRACTS[delivery.table], delivered_columns(delivery.table), door.timezone)
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


def _moments(delivery: Delivery) -> list[str]:
    return _columns_of_kind(delivery, "moment")


def _columns_of_kind(delivery: Delivery, *kinds: str) -> list[str]:
    columns = columns_of(CONTRACTS[delivery.table])
    return [
        name for name in delivered_columns(delivery.table) if (columns[name].metadata or {})["kind"] in kinds
    ]


def _columns_of_class(delivery: Delivery, pii: Pii) -> list[str]:
    columns = columns_of(CONTRACTS[delivery.table])
    return [
        name for name in delivered_columns(delivery.table) if (columns[name].metadata or {})["pii"] is pii
    ]


def _refuse_unreadable(delivery: Delivery, files: list[ReadFile], rows: pl.DataFrame, share: float) -> None:
    """A required column of which most cells cannot be read is a wrong file, not bad rows."""
    for name in required_columns(delivery.table):
        unread = rows.filter(pl.col("broken_rules").list.contains(f"{name}|unparsable"))
        if rows.height >= ENOUGH_ROWS and unread.height > share * rows.height:
            file = next(file for file in files if file.source == unread["source"][0])
            cell = file.rows.filter(pl.col("row_number") == unread["row_number"][0])[name].cast(pl.String)[0]
            shape = "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in cell[:40])
            raise DeliveryError(
                f"{delivery.table} of {delivery.day}: {file.source}: column {name}: {unread.height:,} of "
                f"{rows.height:,} cells cannot be read (shaped like {shape!r}); dates are ISO 8601, numbers "
                f"plain, values those of the contract; deliver it again"
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
        door.pseudonyms.keys(rows[f"{name}|normal"]).alias(key_name(name))
        for name in _columns_of_kind(delivery, "phone", "email")
    )
    original = rows.select(pl.when(pl.col("broken_rules").list.len() > 0).then("delivered").alias("original"))
    words = {name: rows[name] for name in _columns_of_class(delivery, Pii.SEALED)}
    words |= {"extra": rows["extra"], "original": original["original"]}
    return keyed.with_columns(
        _seal_column(delivery, rows, name, texts, door.seal) for name, texts in words.items()
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


def _ledger(delivery: Delivery, files: list[ReadFile]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "source": [file.source for file in files],
            "bytes": [file.bytes for file in files],
            "sha256": [file.sha256 for file in files],
            "rows": [file.rows.height for file in files],
        },
        schema={"source": pl.String, "bytes": pl.Int64, "sha256": pl.String, "rows": pl.Int64},
    ).with_columns(pl.lit(delivery.day).alias("delivery_day"), pl.lit(delivery.table).alias("table_name"))
