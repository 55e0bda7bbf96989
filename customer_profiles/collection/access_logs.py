"""Access logs of web servers and logs of applications as events.

A log comes in line by line, as requests: one row a line, as text. ``events_of`` tells what they mean,
by rules that a team states once: who a line is about, what its address stands for, and behind which
lines stands nobody's behaviour.

The line formats are Apache's ``combined``, which nginx writes too, and ``common``
(httpd.apache.org/docs/2.4/logs.html); a virtual host in front, and fields behind, are allowed.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, BinaryIO, Self
from urllib.parse import unquote, unquote_plus

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from customer_profiles.collection.formats import Ragged, Refuse, json_row
from customer_profiles.contracts import EVENT_NAMES
from customer_profiles.contracts.stored import delivered_columns

LINES_AT_ONCE = 100_000
GZIP = b"\x1f\x8b"
QUOTED = r'"((?:[^"\\]|\\.)*)"'
COMBINED = (
    r"^(?:\S+:\d+ )?(?P<address>\S+) \S+ (?P<user>.+?) \[(?P<time>[^\]]+)\] "
    rf'"(?P<request>{QUOTED[2:-2]})" (?P<status>\d{{3}}) (?:\d+|-)'
    rf'(?: "(?P<referrer>{QUOTED[2:-2]})" "(?P<agent>{QUOTED[2:-2]})")?(?: |$)'
)
REQUEST = r"^(?P<method>[A-Za-z]+) (?P<url>\S+)(?: HTTP/[\d.]+)?$"
LOGGED_TIME = r"^(\d{2})/(\w{3})/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{4})$"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH_NUMBERS = {f"-{name}-": f"-{number:02}-" for number, name in enumerate(MONTHS, start=1)}

ORIGIN = r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*"
ID_CHARACTERS = 32

REQUEST_FIELDS = (
    "address", "user", "time", "method", "url", "path", "query", "status", "referrer", "agent",
)  # fmt: skip
"""What a line can tell of a request. ``path`` and ``query`` are parts of ``url``."""
EVENT_COLUMNS = tuple(delivered_columns("events"))
DEVICES = (
    ("tablet", r"(?i)ipad|tablet|kindle"),
    ("phone", r"(?i)mobi|iphone|android|harmony"),
    ("computer", r"(?i)windows|macintosh|linux|cros"),
)
LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "bots": {
        "agent": r"(?i)(?:^|[^u])bots?\b|crawl|spider|slurp|headless|phantomjs|externalhit|preview|^-?$"
        r"|^(?:curl|wget|python|go-http|java|libwww|apache-httpclient|axios|node|ruby|okhttp/0|scrapy)\b",
        "path": r"^/robots\.txt$",
    },
    "health_checks": {
        "agent": r"(?i)kube-probe|healthcheck|googlehc|uptime|pingdom|statuscake|monitor|dummy connection",
        "path": r"^/(?:health(?:z|_?check)?|live(?:z|ness)?|ready(?:z|ness)?|ping|server-status|metrics)/?$",
    },
    "files_of_a_page": {
        "path": r"(?i)\.(?:css|js|mjs|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|mp4|webmanifest)$"
    },
    "not_served": {"status": r"^(?:30[12378]|[45])"},
    "not_a_visit": {"method": r"^(?:HEAD|OPTIONS|CONNECT|TRACE|PROPFIND)$"},
}
"""Lines behind which stands nobody's behaviour: a rule's name, and what any of these fields looks like."""


def _pattern(pattern: str) -> str:
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        reason = next((line for line in str(error).splitlines() if line.startswith("error: ")), "error: ?")
        raise ValueError(
            f"{pattern!r} is no regular expression of Rust's kind: {reason.removeprefix('error: ')}"
        ) from None
    return pattern


def _capture(pattern: str) -> str:
    if not _groups(_pattern(pattern)):
        raise ValueError(f"{pattern!r} captures nothing: put what is wanted in brackets, as in uid=(\\w+)")
    return pattern


def _groups(pattern: str) -> list[str]:
    """Names of the groups of a pattern; numbers where they have none."""
    dtype = pl.select(pl.lit("").str.extract_groups(pattern)).to_series().dtype
    return [field.name for field in dtype.fields] if isinstance(dtype, pl.Struct) else []


def _rule_name(name: str) -> str:
    if name not in LEFT_OUT:
        raise ValueError(f"there is no such rule; there are {', '.join(LEFT_OUT)}")
    return name


RuleName = Annotated[str, AfterValidator(_rule_name)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Capture = Annotated[str, AfterValidator(_capture)]


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(_Rules):
    """What a request for a page means."""

    path: Pattern = Field(description="regular expression of the path; groups named as columns fill them")
    event_name: str = Field(description="what happened")
    method: Pattern = Field("", description="regular expression of the method")
    parameters: dict[str, str] = Field({}, description="column: parameter of the address that fills it")

    @model_validator(mode="after")
    def _fills_columns_of_events(self) -> Self:
        if self.event_name not in EVENT_NAMES:
            raise ValueError(f"event_name {self.event_name!r} is none of {', '.join(EVENT_NAMES)}")
        named = [name for name in _groups(self.path) if not name.isdecimal()]
        wrong = [name for name in (*named, *self.parameters) if name not in EVENT_COLUMNS]
        if wrong:
            raise ValueError(f"{wrong} are no columns of events, which are {', '.join(EVENT_COLUMNS)}")
        return self


class LogRules(_Rules):
    """How the lines of a log become events. Patterns are searched for in the whole line."""

    customer_pattern: Capture | None = Field(
        None, description="the customer's id, in the line; else the user who had logged in"
    )
    anonymous_pattern: Capture | None = Field(None, description="the cookie or device, in the line")
    session_pattern: Capture | None = Field(None, description="the visit, in the line")
    channel: str = Field("web", description="where it happened")
    pages: tuple[Page, ...] = Field(
        (), description="what a request means, by its `path` and `method`; the first that fits"
    )
    leave_out: tuple[RuleName, ...] = Field(
        tuple(LEFT_OUT),
        description="built-in rules for lines behind which nobody stands, all by default: "
        + ", ".join(LEFT_OUT),
    )


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


def read_application_log(file: Path, longest_line: int, refuse: Refuse) -> Iterator[Lines]:
    """Parts of a log of one JSON object a line, plain or gzip, with its members as cells.

    Lines count and files are refused as by ``read_access_log``.
    """
    for first, texts, readable in _texts(file, longest_line, refuse):
        rows = [
            json_row(text.encode()) if whole else None for text, whole in zip(texts, readable, strict=True)
        ]
        objects = [row for row in rows if row is not None]
        names = dict.fromkeys(name for row in objects for name in row)
        cells = pl.DataFrame(objects, schema=dict.fromkeys(names, pl.String))
        sound = pl.Series([row is not None for row in rows], dtype=pl.Boolean)
        yield texts.filter(sound), cells, _ragged(first, texts, sound)


def _texts(file: Path, longest_line: int, refuse: Refuse) -> Iterator[tuple[int, pl.Series, pl.Series]]:
    """Lines that are not empty, some at a time: the number of the first, their text, whether it is text."""
    first = 1
    with _open(file) as stream:
        while lines := _some_lines(stream, longest_line, refuse):
            decoded = [_decoded(line) for line in lines if line.strip()]
            texts = pl.Series("line", [text for text, _ in decoded], dtype=pl.String)
            yield first, texts, pl.Series([whole for _, whole in decoded], dtype=pl.Boolean)
            first += len(decoded)


def _ragged(first: int, texts: pl.Series, sound: pl.Series) -> Ragged:
    return [(first + place, texts[place]) for place in (~sound).arg_true()]


def _open(file: Path) -> BinaryIO:
    """Rotated logs are often gzip whatever their name says."""
    stream = file.open("rb")
    packed = stream.read(len(GZIP)) == GZIP
    stream.seek(0)
    return gzip.GzipFile(fileobj=stream) if packed else stream  # type: ignore[return-value]


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
        return line.decode(), b"\0" not in line
    except UnicodeDecodeError:
        return line.decode(errors="backslashreplace"), False


def _split(lines: pl.Series) -> pl.DataFrame:
    parts = pl.DataFrame({"parts": lines.str.extract_groups(COMBINED)}).unnest("parts")
    stamp = pl.col("time").str.replace(LOGGED_TIME, "$3-$2-${1}T$4$5")
    rows = parts.with_columns(
        stamp.str.replace_many(MONTH_NUMBERS).alias("time"),
        pl.when(pl.col("user") != "-").then("user").alias("user"),
        *(pl.col("request").str.extract_groups(REQUEST).struct.field(name) for name in ("method", "url")),
    )
    return completed(rows.drop("request").to_dict(), lines.len())


def completed(told: Mapping[str, pl.Series], height: int) -> pl.DataFrame:
    """All of ``REQUEST_FIELDS``: NULL where a line does not tell, path and query from the address."""
    nothing = pl.repeat(None, height, dtype=pl.String, eager=True)
    address = told.get("url", nothing).str.replace(ORIGIN, "")
    parts = {
        "path": _unquoted(address.str.extract(r"^([^?#]*)", 1)),
        "query": address.str.extract(r"\?([^#]*)", 1),
    }
    found = {**parts, **told}
    return pl.DataFrame({name: found.get(name, nothing) for name in REQUEST_FIELDS})


def events_of(
    lines: pl.Series, requests: pl.DataFrame, rules: LogRules, seen: Counter[str]
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
        for name in _groups(page.path):
            if name in EVENT_COLUMNS:
                part = pl.col("path").str.extract_groups(page.path).struct.field(name)
                found.setdefault(name, []).append(here.then(part))
        for name, parameter in page.parameters.items():
            words = pl.col("query").str.extract(rf"(?:^|&){re.escape(parameter)}=([^&]*)", 1)
            found.setdefault(name, []).append(
                here.then(words.map_batches(_unquoted_words, return_dtype=pl.String))
            )
    return {
        "event_at": pl.col("time"),
        "event_name": pl.coalesce(*named, shown, pl.lit("other")),
        "channel": pl.lit(rules.channel),
        "customer_id": pl.coalesce(_in_line(rules.customer_pattern), "user"),
        "anonymous_id": _in_line(rules.anonymous_pattern),
        "session_id": _in_line(rules.session_pattern),
        "device": pl.coalesce(
            pl.when(pl.col("agent").str.contains(looks)).then(pl.lit(name)) for name, looks in DEVICES
        ),
        **{name: pl.coalesce(values) for name, values in found.items()},
    }


def _in_line(pattern: str | None) -> pl.Expr:
    """What a pattern captures in the line; a dash stands for nothing, as everywhere in logs."""
    if pattern is None:
        return pl.lit(None, pl.String)
    found = pl.col("line").str.extract(pattern, 1)
    return pl.when(~found.is_in(["", "-"])).then(found)


def _first_rule(rules: LogRules) -> pl.Expr:
    broken = [
        pl.when(
            pl.any_horizontal(pl.col(field).str.contains(looks) for field, looks in LEFT_OUT[name].items())
        ).then(pl.lit(name))
        for name in rules.leave_out
    ]
    return pl.coalesce(*broken, pl.lit(None, pl.String))


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


def _ids(lines: pl.Series, seen: Counter[str]) -> pl.Series:
    """128 bits of SHA-256 of each line, and of how many equal ones came before it."""
    ids = []
    for line in lines:
        digest = sha256(line.encode(errors="surrogatepass")).hexdigest()[:ID_CHARACTERS]
        seen[digest] += 1
        if seen[digest] > 1:
            digest = sha256(f"{digest} {seen[digest]}".encode()).hexdigest()[:ID_CHARACTERS]
        ids.append(digest)
    return pl.Series("event_id", ids, dtype=pl.String)
