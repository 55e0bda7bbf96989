"""Access logs of web servers and logs of applications as events.

A log comes in line by line, as requests: one row a line, as text. ``events_of`` tells what they mean,
by rules that a team states once: who a line is about, what its address stands for, and behind which
lines stands nobody's behaviour.

The line formats are Apache's ``combined``, which nginx writes too, and ``common``
(httpd.apache.org/docs/2.4/logs.html). A virtual host in front, the proxies behind an address, and fields
at the end are allowed: only after a dash in the place of ``identd``, which all servers write today, can
two words before it be told from two words of a user's name. ``w3c`` is W3C's extended format, which IIS and
CloudFront write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, unquote_plus

import polars as pl

from customer_profiles.collection.json_cells import json_row
from customer_profiles.collection.layouts import Ragged, Refuse
from customer_profiles.collection.log_rules import (
    EVENT_COLUMNS,
    LEFT_OUT,
    REQUEST_FIELDS,
    LogRules,
    Page,
    groups_of,
)
from customer_profiles.collection.repeats import Repeats
from customer_profiles.collection.text_files import open_bytes

LINES_AT_ONCE = 100_000
QUOTED = r'(?:[^"\\]|\\.)*'
PROXIES = r"(?:, ?[^\s,]+)*"
COMBINED = (
    rf"^(?:(?:[^\s,]+ )?(?P<address>[^\s,]+){PROXIES} -|(?:\S+:\d+ )?(?P<identified>[^\s,]+){PROXIES} \S+)"
    r" (?P<user>[^\[]+) \[(?P<time>[^\]]+)\] "
    rf'"(?P<request>{QUOTED})" (?P<status>\d{{3}}) (?:\d+|-)'
    rf'(?: "(?P<referrer>{QUOTED})" "(?P<agent>{QUOTED})")?(?: |$)'
)
REQUEST = r"^(?P<method>[A-Za-z]+) (?P<url>\S.*?)(?: HTTP/[\d.]+)?$"
NOBODY = ("-", '""', "")
LOGGED_TIME = r"^(\d{2})/(\w{3})/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{4})$"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH_NUMBERS = {f"-{name}-": f"-{number:02}-" for number, name in enumerate(MONTHS, start=1)}

ORIGIN = r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*"
ID_CHARACTERS = 32

DEVICES = (
    ("tablet", r"(?i)ipad|tablet|kindle"),
    ("phone", r"(?i)mobi|iphone|android|harmony"),
    ("computer", r"(?i)windows|macintosh|linux|cros"),
)
EXTENDED = {
    "address": "c-ip",
    "user": "cs-username",
    "method": "cs-method",
    "url": "cs-uri-stem",
    "status": "sc-status",
    "referrer": "cs(Referer)",
    "agent": "cs(User-Agent)",
}
"""What W3C calls a request's fields (w3.org/TR/WD-logfile)."""
Row = Mapping[str, str | None]
Lines = tuple[pl.Series, pl.DataFrame, Ragged]
"""Sound lines, their cells as text, and the lines that are none, with their numbers."""


def read_access_log(file: Path, longest_line: int, refuse: Refuse) -> Iterator[Lines]:
    """Parts of a combined log, plain or gzip, with ``REQUEST_FIELDS`` as cells.

    Lines count from 1 over the whole file, empty ones are none. Raises what ``refuse`` makes if the file
    holds a line longer than ``longest_line`` bytes.
    """
    for first, texts, readable in _texts(file, longest_line, refuse):
        rows = _split(texts)
        sound = readable & rows["status"].is_not_null()
        yield texts.filter(sound), rows.filter(sound), _ragged(first, texts, sound)


def read_extended_log(file: Path, longest_line: int, refuse: Refuse) -> Iterator[Lines]:
    """Parts of a log of W3C's extended format, plain or gzip, with ``REQUEST_FIELDS`` as cells.

    Its lines that begin with # are no rows; ``#Fields:`` names the cells of those that follow. Lines count
    and files are refused as by ``read_access_log``.
    """
    first, names = 1, list[str]()
    for _, lines, readable in _texts(file, longest_line, refuse):
        texts, rows = list[str](), list[Row | None]()
        for text, whole in zip(lines, readable, strict=True):
            if text.startswith("#"):
                names = text.split()[1:] if text.startswith("#Fields:") else names
                continue
            cells = re.split(r"[ \t]+", text.strip(" \t"))  # other spaces are signs of a cell
            texts.append(text)
            rows.append(dict(zip(names, cells, strict=True)) if whole and len(cells) == len(names) else None)
        sound, table, ragged = _parted(first, pl.Series("line", texts, dtype=pl.String), rows)
        yield sound, _asked(table), ragged
        first += len(texts)


def read_application_log(file: Path, longest_line: int, refuse: Refuse) -> Iterator[Lines]:
    """Parts of a log of one JSON object a line, plain or gzip, with its members as cells.

    What a container or syslog writes before the object stands in the line alone. Lines count and files are
    refused as by ``read_access_log``.
    """
    for first, texts, readable in _texts(file, longest_line, refuse):
        yield _parted(
            first,
            texts,
            [
                json_row(text[max(text.find("{"), 0) :].encode()) if whole else None
                for text, whole in zip(texts, readable, strict=True)
            ],
        )


def _parted(first: int, texts: pl.Series, rows: list[Row | None]) -> Lines:
    """Lines and their cells by name; a line that has none is ragged."""
    found = [row for row in rows if row is not None]
    names = dict.fromkeys(name for row in found for name in row)
    sound = pl.Series([row is not None for row in rows], dtype=pl.Boolean)
    cells = pl.DataFrame(found, schema=dict.fromkeys(names, pl.String))
    return texts.filter(sound), cells, _ragged(first, texts, sound)


def _asked(cells: pl.DataFrame) -> pl.DataFrame:
    """The requests of lines of the extended format: their times are UTC, a sign stands for each space."""
    told = {name: cells[field] for name, field in EXTENDED.items() if field in cells.columns}
    if "agent" in told:
        told["agent"] = _unquoted_words(told["agent"])
    if {"date", "time"} <= set(cells.columns):
        told["time"] = cells["date"] + "T" + cells["time"] + "Z"
    if "url" in told and "cs-uri-query" in cells.columns:
        query = cells["cs-uri-query"].fill_null("-")  # of lines whose `#Fields:` name none
        told["url"] += pl.select(pl.when(query == "-").then(pl.lit("")).otherwise("?" + query)).to_series()
    return completed(told, cells.height)


def _texts(file: Path, longest_line: int, refuse: Refuse) -> Iterator[tuple[int, pl.Series, pl.Series]]:
    """Lines that are not empty, some at a time: the number of the first, their text, whether it is text."""
    first = 1
    with open_bytes(file) as stream:
        while lines := _some_lines(stream, longest_line, refuse):
            decoded = [_decoded(line) for line in lines if line.strip()]
            texts = pl.Series("line", [text for text, _ in decoded], dtype=pl.String)
            yield first, texts, pl.Series([whole for _, whole in decoded], dtype=pl.Boolean)
            first += len(decoded)


def _ragged(first: int, texts: pl.Series, sound: pl.Series) -> Ragged:
    return [(first + place, texts[place]) for place in (~sound).arg_true()]


def _some_lines(stream: BinaryIO, longest_line: int, refuse: Refuse) -> list[bytes]:
    lines: list[bytes] = []
    while len(lines) < LINES_AT_ONCE and (line := stream.readline(longest_line + 1)):
        if len(line) > longest_line:
            raise refuse(f"a line is longer than {longest_line:,} bytes; is it a log?")
        lines.append(line)
    return lines


def _decoded(line: bytes) -> tuple[str, bool]:
    """The line's text, and whether it is text: a machine that fell leaves zeros in its log."""
    line = line.rstrip(b"\r\n")
    try:
        return line.decode("utf-8-sig"), b"\0" not in line
    except UnicodeDecodeError:
        return line.decode(errors="backslashreplace"), False


def _split(lines: pl.Series) -> pl.DataFrame:
    parts = pl.DataFrame({"parts": lines.str.extract_groups(COMBINED)}).unnest("parts")
    stamp = pl.col("time").str.replace(LOGGED_TIME, "$3-$2-${1}T$4$5")
    rows = parts.with_columns(
        stamp.str.replace_many(MONTH_NUMBERS).alias("time"),
        pl.coalesce("address", "identified").alias("address"),
        *(pl.col("request").str.extract_groups(REQUEST).struct.field(name) for name in ("method", "url")),
    )
    return completed(rows.drop("request", "identified").to_dict(), lines.len())


def completed(told: Mapping[str, pl.Series], height: int) -> pl.DataFrame:
    """All of ``REQUEST_FIELDS``: NULL where a line does not tell, path and query from the address.

    Nor does it tell a user where servers write a dash or an empty word.
    """
    nothing = pl.repeat(None, height, dtype=pl.String, eager=True)
    address = told.get("url", nothing).str.replace(ORIGIN, "")
    parts = {
        "path": _unquoted(address.str.extract(r"^([^?#]*)", 1)),
        "query": address.str.extract(r"\?([^#]*)", 1),
    }
    found = {**parts, **told}
    rows = pl.DataFrame({name: found.get(name, nothing) for name in REQUEST_FIELDS})
    return rows.with_columns(pl.when(~pl.col("user").is_in(NOBODY)).then("user").alias("user"))


def events_of(
    lines: pl.Series, requests: pl.DataFrame, rules: LogRules, seen: Repeats
) -> tuple[pl.DataFrame, pl.Series]:
    """Delivered cells of events, one row a line in their order, and the rule that leaves each out, or NULL.

    ``requests`` has ``REQUEST_FIELDS`` and any of the columns of events: what a line says of an event by
    itself wins over what its address means. The id of an event is a hash of its line, so that it is the
    same event in whatever file it comes; ``seen`` counts the equal lines of one file, which are as many
    events.
    """
    rows = requests.select(REQUEST_FIELDS).with_columns(lines.alias("line"))
    page = [pl.when(_fits(page)).then(number) for number, page in enumerate(rules.pages)]
    rows = rows.with_columns(pl.coalesce(*page, pl.lit(None, pl.Int32)).alias("page"))
    told = rows.select(**_meanings(rules)).with_columns(event_id=_ids(lines, seen))
    own = [requests[name] for name in EVENT_COLUMNS if name in requests.columns]
    events = told.with_columns(
        pl.coalesce(said, told[said.name]) if said.name in told.columns else said for said in own
    )
    return events, rows.select(_first_rule(rules).alias("rule")).to_series()


def _fits(page: Page) -> pl.Expr:
    path = pl.col("path").str.contains(page.path)
    return path & pl.col("method").str.contains(page.method) if page.method else path


def _meanings(rules: LogRules) -> dict[str, pl.Expr]:
    """The columns of an event as its request tells them."""
    shown = pl.when(pl.col("method").fill_null("GET") == "GET").then(pl.lit("page_view"))
    named = [
        pl.when(pl.col("page") == number).then(pl.lit(page.event_name))
        for number, page in enumerate(rules.pages)
    ]
    found: dict[str, list[pl.Expr]] = {}
    for number, page in enumerate(rules.pages):
        here = pl.when(pl.col("page") == number)
        for name in groups_of(page.path):
            if name in EVENT_COLUMNS:
                part = pl.col("path").str.extract_groups(page.path).struct.field(name)
                found.setdefault(name, []).append(here.then(part))
        for name, parameter in page.parameters.items():
            words = pl.col("query").str.extract(rf"(?:^|&){re.escape(parameter)}=([^&]*)", 1)
            found.setdefault(name, []).append(
                here.then(words.map_batches(_unquoted_words, return_dtype=pl.String))
            )
    always = {
        "event_at": pl.col("time"),
        "event_name": pl.coalesce(*named, shown, pl.lit("other")),
        "channel": pl.lit(rules.channel),
        "customer_id": pl.coalesce(_in_line(rules.customer_pattern), "user"),
        "anonymous_id": _in_line(rules.anonymous_pattern),
        "session_id": _in_line(rules.session_pattern),
        "device": pl.coalesce(
            pl.when(pl.col("agent").str.contains(looks)).then(pl.lit(name)) for name, looks in DEVICES
        ),
    }
    of_a_page = {name: pl.coalesce(*values, always.get(name)) for name, values in found.items()}
    return always | of_a_page


def _in_line(pattern: str | None) -> pl.Expr:
    """What a pattern captures in the line; a dash stands for nothing, as everywhere in logs."""
    if pattern is None:
        return pl.lit(None, pl.String)
    found = pl.col("line").str.extract(pattern, 1)
    return pl.when(~found.is_in(["", "-"])).then(found)


def _first_rule(rules: LogRules) -> pl.Expr:
    broken = [
        pl.when(pl.any_horizontal(_looks_like(looks) for looks in LEFT_OUT[name])).then(pl.lit(name))
        for name in rules.leave_out
    ]
    return pl.coalesce(*broken, pl.lit(None, pl.String))


def _looks_like(looks: Mapping[str, str]) -> pl.Expr:
    return pl.all_horizontal(pl.col(field).str.contains(pattern) for field, pattern in looks.items())


def _unquoted(texts: pl.Series) -> pl.Series:
    return _each(texts, unquote, "%")


def _unquoted_words(texts: pl.Series) -> pl.Series:
    return _each(texts, unquote_plus, "%+")


def _each(texts: pl.Series, change: Callable[[str], str], signs: str) -> pl.Series:
    """Texts that hold one of the signs changed, each different one once."""
    quoted = texts.filter(texts.str.contains(f"[{signs}]")).unique()
    if quoted.is_empty():
        return texts
    return texts.replace(quoted, pl.Series([change(text) for text in quoted], dtype=pl.String))


def _ids(lines: pl.Series, seen: Repeats) -> pl.Series:
    """128 bits of SHA-256 of each line, and of how many equal ones came before it."""
    ids = [
        sha256(line.encode(errors="surrogatepass")).hexdigest()[:ID_CHARACTERS] for line in lines.to_list()
    ]
    for place, number in seen.met(ids).items():
        ids[place] = sha256(f"{ids[place]} {number}".encode()).hexdigest()[:ID_CHARACTERS]
    return pl.Series("event_id", ids, dtype=pl.String)
