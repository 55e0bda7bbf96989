"""Personal data at the door: keys for identifiers, sealed bytes for words, and the vault's rows."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from customer_profiles.collection.tables import PERSONAL
from customer_profiles.contracts import Pii
from customer_profiles.contracts.stored import ROW_PLACE, columns_with, key_name, match_name
from customer_profiles.privacy.matching import match_keys
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.privacy.sealing import Seal, places_of

KNOWN_BY_ID = ("customers", "orders")
"""Tables of which the vault keeps the ids behind the keys."""


def pseudonymised(
    table: str, rows: pl.DataFrame, pseudonyms: Pseudonyms, partner_secrets: Sequence[bytes], seal: Seal
) -> pl.DataFrame:
    """Keys beside identifiers; beside words, unknown columns and originals their sealed bytes.

    The words of a broken row's plain columns are emptied.
    """
    keyed = rows.with_columns(
        *(
            pseudonyms.keys(rows[name]).alias(key_name(name))
            for name in columns_with(table, "pii", Pii.IDENTIFIER)
        ),
        *(
            made
            for name in columns_with(table, "kind", "phone", "email")
            for made in (
                pseudonyms.keys(rows[f"{name}|normal"]).alias(key_name(name)),
                match_keys(rows[f"{name}|normal"], pseudonyms, partner_secrets).alias(match_name(name)),
            )
        ),
    )
    words = (*columns_with(table, "pii", Pii.SEALED), "extra", "original")
    plain = [name for name in columns_with(table, "pii", Pii.NONE) if rows.schema[name] == pl.String]
    sound = pl.col("broken_rules").list.len() == 0
    return keyed.with_columns(
        *(_sealed(table, rows, name, seal) for name in words),
        # a broken row may hold a name where a code belongs: its words stand in the sealed original alone
        *(pl.when(sound).then(name).alias(name) for name in plain),
    )


def _sealed(table: str, rows: pl.DataFrame, name: str, seal: Seal) -> pl.Series:
    """Seal the cells that hold something, each to its own place."""
    known = rows.select(*ROW_PLACE, name).drop_nulls(name)
    places = known.select(places_of(table, pl.lit(name))).to_series()
    sealed = pl.Series(seal.seal_all(known[name].to_list(), places.to_list()), dtype=pl.Binary)
    whole = pl.Series(f"{name}_sealed", [None], dtype=pl.Binary).new_from_index(0, rows.height)
    return whole.scatter(rows[name].is_not_null().arg_true(), sealed) if sealed.len() else whole


def for_the_vault(table: str, rows: pl.DataFrame, seal: Seal) -> pl.DataFrame:
    """Rows of ``PERSONAL``: names, addresses and birth dates, and the ids behind the keys.

    Rows that break a rule are not opened to the vault: their sealed original is all that is kept.
    """
    personal = columns_with(table, "pii", Pii.VAULT)
    if not personal and table not in KNOWN_BY_ID:
        return PERSONAL.schema.to_frame()
    sound = rows.filter(pl.col("broken_rules").list.len() == 0)
    kept = dict.fromkeys(personal, sound)
    if table in KNOWN_BY_ID:
        ids = sound.unique(["delivery_day", "customer_key"], keep="first", maintain_order=True)
        kept = {"customer_id": ids} | kept
    whose = ["customer_key", *ROW_PLACE]
    cells = pl.concat(
        frame.select(*whose, pl.lit(name).alias("attribute"), pl.col(name).cast(pl.String).alias("text"))
        for name, frame in kept.items()
    ).drop_nulls("text")
    places = cells.select(places_of(table, pl.col("attribute"))).to_series()
    sealed = pl.Series("sealed", seal.seal_all(cells["text"].to_list(), places.to_list()), dtype=pl.Binary)
    return cells.with_columns(sealed, table_name=pl.lit(table)).select(list(PERSONAL.schema))
