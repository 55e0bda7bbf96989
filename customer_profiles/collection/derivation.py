"""What the door derives from parsed cells before personal data is sealed.

Business days, local hours and weekdays of moments; birth year and month; length and language of
texts; normal forms of addresses; the category of a search.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from itertools import groupby

import polars as pl

from customer_profiles.collection.parsing import E_MAIL
from customer_profiles.contracts import CONTRACTS, Pii
from customer_profiles.contracts.columns import columns_of
from customer_profiles.contracts.stored import clock, columns_with, stem
from customer_profiles.privacy.matching import HASH

SCRIPTS = {
    "ja": r"[\p{Hiragana}\p{Katakana}]",
    "ko": r"\p{Hangul}",
    "zh": r"\p{Han}",
    "und-Latn": r"\p{Latin}",
}
"""Language tags by script, the most telling script first (Japanese also writes Han)."""
SHORTEST_SEARCH, LONGEST_SEARCH = 2, 60
"""Characters: a shorter search tells nothing; a longer one is read so far."""
HAN = re.compile("[\u3400-\u9fff]")
BEGIN, END = "\x01", "\x02"
"""Stand around words of Latin letters and digits where a name is looked for in a search."""
PLURALS = ("", "s", "es")


def derived(
    table: str,
    rows: pl.DataFrame,
    timezone: str,
    phone_region: str,
    categories: Mapping[date, Mapping[str, str]],
) -> pl.DataFrame:
    """Numbers of moments, and what can be told from personal data before it is sealed."""
    rows = _addresses(table, rows.with_columns(moment_numbers(table, timezone)), phone_region)
    for name in columns_with(table, "hashed", True):
        is_hash = pl.col(name).str.contains(HASH)
        rows = rows.with_columns(pl.when(is_hash).then(pl.col(name).str.to_lowercase()).otherwise(name))
    for name in columns_with(table, "kind", "date"):
        birth = name.removesuffix("_date")
        rows = rows.with_columns(
            pl.col(name).dt.year().cast(pl.Int32).alias(f"{birth}_year"),
            pl.col(name).dt.month().cast(pl.Int32).alias(f"{birth}_month"),
        )
    for name in columns_with(table, "pii", Pii.SEALED):
        rows = rows.with_columns(pl.col(name).str.len_chars().cast(pl.Int32).alias(f"{name}_length"))
    if "body" in rows.columns:
        rows = rows.with_columns(pl.coalesce("language", language_of(pl.col("body"))).alias("language"))
    if "search_query" in rows.columns:
        rows = rows.with_columns(pl.coalesce("category", _searched(rows, categories)).alias("category"))
    return rows


def _searched(rows: pl.DataFrame, categories: Mapping[date, Mapping[str, str]]) -> pl.Series:
    """Category of each row's search, by the words of its day. Rows lie day by day."""
    days = (of_day for of_day in rows.partition_by("delivery_day", maintain_order=True) if of_day.height)
    found = [
        category_of_searches(pl.concat(of_day["search_query"] for of_day in same), words)
        for words, same in groupby(days, lambda of_day: categories.get(of_day["delivery_day"][0], {}))
    ]
    return pl.concat(found) if found else pl.Series(dtype=pl.String)


def _addresses(table: str, rows: pl.DataFrame, phone_region: str) -> pl.DataFrame:
    """``<column>|normal`` of telephone numbers and e-mail addresses, and identifiers that are either."""
    for name in columns_with(table, "kind", "phone"):
        number = e164(rows[name], phone_region)
        unknown = rows[name].is_not_null() & number.is_null()
        noted = pl.concat_list("repairs", pl.lit(f"{name}|not_a_number"))
        rows = rows.with_columns(
            number.alias(f"{name}|normal"), repairs=pl.when(unknown).then(noted).otherwise("repairs")
        )
    for name in columns_with(table, "kind", "email"):
        valid = pl.col(name).str.contains(E_MAIL)
        rows = rows.with_columns(pl.when(valid).then(name).alias(f"{name}|normal"))
    for name, column in columns_of(CONTRACTS[table]).items():
        told_by = (column.metadata or {}).get("kind_in")
        if told_by:
            kind = pl.col(told_by).str.to_lowercase()
            phone = rows.select(pl.when(kind == "phone").then(name)).to_series()
            email = pl.when(kind == "email").then(pl.col(name).str.to_lowercase())
            rows = rows.with_columns(pl.coalesce(email, e164(phone, phone_region), name).alias(name))
    return rows


def moment_numbers(table: str, timezone: str) -> list[pl.Expr]:
    """Business day of every moment; hour (NULL if day-precise) and weekday of the table's clock."""
    numbers = []
    for name in columns_with(table, "kind", "moment"):
        local = pl.col(name).dt.convert_time_zone(timezone)
        numbers.append(local.dt.date().cast(pl.Int32).alias(f"{stem(name)}_day"))
        if name == clock(CONTRACTS[table]):
            hour = pl.when(~pl.col(f"{name}|day_precise")).then(local.dt.hour())
            numbers += [
                hour.cast(pl.Int32).alias(f"{stem(name)}_hour"),
                local.dt.weekday().cast(pl.Int32).alias(f"{stem(name)}_weekday"),
            ]
    return numbers


def language_of(text: pl.Expr) -> pl.Expr:
    """Language tag told from the script of the words; NULL for digits and signs alone."""
    return pl.coalesce(
        pl.when(text.str.contains(script)).then(pl.lit(tag)) for tag, script in SCRIPTS.items()
    )


def e164(phones: pl.Series, region: str) -> pl.Series:
    """Telephone numbers as E.164; NULL where it is not a possible number of ``region``."""
    unique = phones.drop_nulls().unique()
    numbers = pl.Series([_e164(phone, region) for phone in unique], dtype=pl.String)
    return phones.replace_strict(unique, numbers, default=None, return_dtype=pl.String)


def _e164(phone: str, region: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def category_of_searches(searches: pl.Series, categories: Mapping[str, str]) -> pl.Series:
    """Category of each search, from the words that it shares with the catalogue; NULL if none.

    ``categories`` maps product and category names to categories. A search that contains a name takes
    the category of the longest one; else the longest of its parts that stands in names tells, by their
    commonest category. Latin letters and digits are contained as whole words or their plurals, other
    scripts, which do not part their words, anywhere. Both directions are one Aho-Corasick pass, linear in
    the text.
    """
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, searches.len())
    unique = searches.drop_nulls().unique().sort()
    if not categories or unique.is_empty():
        return nothing
    lower = {name.lower(): category for name, category in sorted(categories.items())}
    found = pl.DataFrame({"search": unique, "words": unique.str.to_lowercase()})
    names = _names_as_words(list(lower))
    holds = (
        found.with_columns(
            mark=_as_words("words").str.extract_many(names["mark"].to_list(), overlapping=True)
        )
        .select("search", pl.col("mark").list.unique())
        .explode("mark")
        .join(names, on="mark")
        .sort(pl.col("name").str.len_chars(), "name", descending=[True, False])
        .unique("search", keep="first", maintain_order=True)
        .with_columns(category=pl.col("name").replace_strict(lower, return_dtype=pl.String))
    )
    rest = found.join(holds, on="search", how="anti").filter(
        pl.col("words").str.len_chars() >= SHORTEST_SEARCH
    )
    known = pl.concat([holds.select("search", "category"), _parts_of_names(rest, lower)])
    return searches.replace_strict(known["search"], known["category"], default=None, return_dtype=pl.String)


def _as_words(name: str) -> pl.Expr:
    """Text with marks around words of Latin letters and digits; digits may follow a word: "levis501"."""
    words = pl.col(name).str.replace_all(r"((?:\p{Latin}\p{M}*|\p{Nd})+)", f"{BEGIN}${{1}}{END}")
    return words.str.replace_all(r"(\p{Latin}\p{M}*)(\p{Nd})", f"${{1}}{END}${{2}}")


def _names_as_words(names: list[str]) -> pl.DataFrame:
    """Each name with what marks it, and its plurals, in marked text: name, mark."""
    marked = pl.DataFrame({"name": names}).with_columns(mark=_as_words("name"))
    as_words = pl.col("mark").str.ends_with(END)
    plurals = pl.concat_list(pl.col("mark").str.strip_suffix(END) + ending + END for ending in PLURALS)
    return marked.with_columns(
        mark=pl.when(as_words).then(plurals).otherwise(pl.concat_list("mark"))
    ).explode("mark")


def _parts_of_names(searches: pl.DataFrame, categories: Mapping[str, str]) -> pl.DataFrame:
    if searches.is_empty():
        return pl.DataFrame(schema={"search": pl.String, "category": pl.String})
    parts = searches.with_columns(
        part=pl.col("words").map_elements(_parts, return_dtype=pl.List(pl.String))
    ).explode("part")
    patterns = parts["part"].unique().to_list()
    names = pl.DataFrame({"name": list(categories), "category": list(categories.values())})
    held = pl.format(" {} ", "name").str.extract_many(patterns, overlapping=True).list.unique()
    counted = (
        names.with_columns(part=held).explode("part").drop_nulls("part").group_by("part", "category").len()
    )
    return (
        parts.join(counted, on="part")
        .sort(
            pl.col("part") == pl.col("words"),
            pl.col("part").str.strip_chars().str.len_chars(),
            "len",
            "category",
            descending=[True, True, True, False],
        )
        .unique("search", keep="first", maintain_order=True)
        .select("search", "category")
    )


def _parts(words: str) -> list[str]:
    """A search as a whole, its runs of whole words (between spaces), and what its Chinese words hold.

    Chinese does not part its words: every stretch of two characters or more is tried.
    """
    tokens = words[:LONGEST_SEARCH].split()
    ends = range(len(tokens) + 1)
    runs = [f" {' '.join(tokens[start:end])} " for end in ends for start in range(end)]
    stretches = [
        token[start:end]
        for token in tokens
        if HAN.search(token)
        for end in range(SHORTEST_SEARCH, len(token) + 1)
        for start in range(end - SHORTEST_SEARCH + 1)
    ]
    return [words, *runs, *stretches]
