"""The door: one delivery of one table comes in, typed rows without clear personal data come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
    files = [file for part in delivery.parts for file in part.read()]
    unknown = sorted({name for file in files for name in _unknown_columns(delivery, file)})
    typed = pl.concat((_typed(delivery, file, door) for file in files), how="diagonal")
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
    known = delivered_columns(delivery.table)
    return [name for name in file.cells.columns if name not in known]


def _typed(delivery: Delivery, file: ReadFile, door: Door) -> pl.DataFrame:
    """One file's rows in the contract's types, with the delivered cells kept beside them."""
    known, cells = delivered_columns(delivery.table), file.cells
    if not cells.columns:
        cells = pl.DataFrame(schema=dict.fromkeys(known, pl.String))
    _require_columns(delivery, file, cells.columns)
    every = sorted(cells.columns)
    extra = [name for name in every if name not in known]
    noted = cells.select(
        fingerprint=pl.struct(every).hash(),
        extra=pl.struct(extra).struct.json_encode() if extra else pl.lit(None, pl.String),
    )
    originals = cells if file.originals is None else file.originals
    words = originals.select(delivered=pl.struct(sorted(originals.columns)).struct.json_encode())
    line = pl.when(pl.col(LINE).is_not_null()).then(pl.struct(LINE).struct.json_encode())
    rows = pl.concat(
        [cells.select(name for name in known if name in every), file.places, noted, words], how="horizontal"
    ).with_columns(
        fingerprint=pl.struct("fingerprint", LINE).hash(), delivered=pl.coalesce(line, "delivered")
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


def _require_columns(delivery: Delivery, file: ReadFile, delivered: list[str]) -> None:
    """Names are shown only beside a known one: else the first line may be a row, and they are cells."""
    missing = [name for name in required_columns(delivery.table) if name not in delivered]
    if not missing:
        return
    known = {_letters(name): name for name in delivered_columns(delivery.table)}
    meant = {known[_letters(name)]: name for name in delivered if _letters(name) in known}
    if meant:
        alike = [f"{meant[name]!r} for {name}" for name in missing if name in meant]
        held = f"it has {sorted(delivered)}" + (f"; did you mean {', '.join(alike)}?" if alike else ".")
    else:
        held = f"none of its {len(delivered)} columns is known: is its first line a header?"
    raise DeliveryError(
        f"{delivery.table} of {delivery.day}: {file.source}: required columns {missing} are missing; {held} "
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


def _refuse_unreadable(delivery: Delivery, files: list[ReadFile], rows: pl.DataFrame, share: float) -> None:
    """A file most of whose rows cannot be read is a wrong file, not a file of bad rows."""
    rules = {f"{name}|unparsable": name for name in required_columns(delivery.table)} | {UNREADABLE: None}
    breaks = pl.col("broken_rules").list.contains
    unread = rows.group_by("source").agg(
        pl.len().alias("rows"), *(breaks(rule).sum().alias(rule) for rule in rules)
    )
    for count in unread.sort("source").iter_rows(named=True):
        wrong = next((rule for rule in rules if count[rule] > share * count["rows"]), None)
        if wrong is None or count["rows"] < ENOUGH_ROWS:
            continue
        place = f"{delivery.table} of {delivery.day}: {count['source']}"
        many = f"{count[wrong]:,} of {count['rows']:,}"
        name = rules[wrong]
        if name is None:
            raise DeliveryError(f"{place}: {many} lines cannot be split into columns; deliver it again")
        number = rows.filter(breaks(wrong), source=count["source"])["row_number"][0]
        held = (file for file in files if file.source == count["source"])
        file = next(file for file in held if number in file.places["row_number"])
        cell = file.cells.filter(file.places["row_number"] == number)[name].cast(pl.String)[0]
        advice = "deliver it again" if file.originals is None else "mend its mapping in sources.yaml"
        shape = "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in cell[:40])
        raise DeliveryError(
            f"{place}: column {name}: {many} cells cannot be read (shaped like {shape!r}); dates are ISO "
            f"8601, numbers plain, values those of the contract; {advice}"
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


def _ledger(delivery: Delivery, files: list[ReadFile]) -> pl.DataFrame:
    """One row a file; what was read piece by piece is one file too."""
    pieces = pl.DataFrame(
        {
            "source": [file.source for file in files],
            "bytes": [file.bytes for file in files],
            "sha256": [file.sha256 for file in files],
            "rows": [file.places.height for file in files],
            "filtered": [sum(file.filtered.values()) for file in files],
            "known_time_imputed": [file.known_time_imputed for file in files],
        },
        schema_overrides={column.name: column.dtype for column in FILE_COLUMNS if column.name != FILTERED_BY},
    )
    whole = pieces.group_by("source", maintain_order=True).agg(
        pl.col("sha256", "known_time_imputed").last(), pl.col("bytes", "rows", "filtered").sum()
    )
    return whole.with_columns(
        pl.Series(FILTERED_BY, [_filtered_by(files, name) for name in whole["source"]], pl.List(pl.String)),
        pl.lit(delivery.day).alias("delivery_day"),
        pl.lit(delivery.table).alias("table_name"),
    )


def _filtered_by(files: list[ReadFile], source: str) -> list[str]:
    counts: Counter[str] = Counter()
    for file in files:
        counts.update(file.filtered if file.source == source else {})
    return [f"{rule}: {rows}" for rule, rows in sorted(counts.items())]
