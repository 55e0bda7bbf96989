"""What ``sources.yaml`` can say: every key, its default and its meaning.

The models hold for the file's shape alone; ``load.py`` reads it and names the line of a mistake.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from customer_profiles.collection.log_rules import REQUEST_FIELDS, LogRules
from customer_profiles.collection.sources.places import day_of, days_alone, on_day, tells_days

EPOCHS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
"""Date formats that count from 1970-01-01 UTC, and their ticks a second."""
DAYS_SINCE = "days_since "
"""Begins the date format of numbers that count days, parts of a day included, from the day that it names."""
HOURS_ALONE = ("%H", "%I", "%k", "%l")
"""Signs of a format that tell the hour and no more."""
HOLDS_ALL_OF = {
    "gbk": "gb18030", "gb2312": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "cp950",
}  # fmt: skip
"""What an encoding is read as: files that are said to be of it seldom keep to it."""
CAST_TO_INT = re.compile(r"""('(?:[^']|'')*'|"[^"]*")|(\bAS\s+|::\s*)(?:INT4|INTEGER|INT)\b""", re.IGNORECASE)
"""Words in quotes, and casts to what Polars-SQL holds in 32 bits."""
Format = Literal["csv", "csv.gz", "ndjson", "ndjson.gz", "parquet", "xlsx", "fixed"]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _a_sign(value: Any) -> Any:
    return "\t" if value in ("tab", "\\t") else value


def _an_encoding(name: str) -> str:
    try:
        "a".encode(name)  # which also refuses what is no encoding of text: base64, rot13
        known = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise ValueError(f"{name!r} is not an encoding such as utf-8, gbk or latin-1") from error
    return HOLDS_ALL_OF.get(known, name)


def _a_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # "America" is a folder of zones
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/London") from error
    return name


def _a_path(path: str) -> str:
    if set("{}") & set(on_day(path, date.min)):
        raise ValueError(f"{path!r}: between {{ and }} stands day alone: {{day}}, {{day:%Y%m%d}}")
    return path


def _a_path_that_tells_its_day(path: str) -> str:
    days, some = days_alone(_a_path(path)), date(2026, 11, 23)
    if days and day_of(on_day(days, some), days) != some:
        raise ValueError(
            f"{path!r}: year, month and day must stand in the name, as in {{day:%Y%m%d}}; of files of a week "
            f"or a month write * or ? instead of {{day}}"
        )
    return path


def _a_date_format(form: str) -> str:
    """A fraction of a second is Polars' ``%.f``: its ``%f`` counts billionths, Python's does not."""
    form = form.replace(".%f", "%.f")
    if form.startswith(DAYS_SINCE):
        try:
            date.fromisoformat(form.removeprefix(DAYS_SINCE))
        except ValueError:
            raise ValueError(f"{form!r} names no day; write for instance days_since 1899-12-30") from None
    elif form not in EPOCHS and "%" not in form:
        raise ValueError(f"{form!r} is none of {', '.join(EPOCHS)}, and no strftime format such as %d.%m.%Y")
    elif "%Z" in form:
        raise ValueError(
            f"{form!r}: %Z would pass over the zone's name, and many mean several (CST is Chicago's and "
            f"China's); write the name instead of %Z, and the `timezone` whose it is; %z reads +0800"
        )
    elif not _is_strftime(form):
        raise ValueError(f"{form!r}: a sign behind a % means nothing in strftime; write %d.%m.%Y %H:%M:%S")
    elif not _tells_a_time(form):
        raise ValueError(f"{form!r} tells half a time; write %H:%M:%S, %H:%M or %H, or %I:%M %p")
    return form


def _is_strftime(form: str) -> bool:
    some = pl.Series([datetime(2026, 11, 23, tzinfo=UTC)])
    try:
        some.dt.strftime(form.replace("%#z", "%z"))  # which alone is read and never written
    except pl.exceptions.ComputeError:
        return False
    return True


def _tells_a_time(form: str) -> bool:
    try:
        pl.Series([""]).str.to_datetime(with_minutes(form), strict=False)
    except pl.exceptions.ComputeError:
        return False
    return True


def with_minutes(form: str) -> str:
    """The format with minutes behind it, if it has hours alone: Polars reads none without them."""
    alone = any(hour in form for hour in HOURS_ALONE) and "%M" not in form
    return form + ":%M" if alone else form


def _a_day_or_names(value: Any) -> Any:
    """What begins with a digit is a day: no column does."""
    if not isinstance(value, str) or not value[:1].isdigit():
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day; write one as 2026-03-31") from None


def _pairs(value: Any) -> Any:
    """``a`` and ``[a, b]`` are short for ``{a: a}`` and ``{a: a, b: b}``."""
    names = _listed(value)
    return dict(zip(names, names, strict=True)) if isinstance(names, list) else names


def _in_64_bits(text: str) -> str:
    """An INT is read as BIGINT: of a product beyond 32 bits Polars makes another number, silently."""
    return CAST_TO_INT.sub(lambda found: found[1] or f"{found[2]}BIGINT", text)


def _an_expression(text: str) -> str:
    try:
        pl.sql_expr(text)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{text!r} is not a Polars-SQL expression: {reason}; a column's name of more than letters, "
            f"digits and _, or that is a word of SQL such as user, stands in double quotes"
        ) from error
    return _in_64_bits(text)


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Formats = Annotated[tuple[Annotated[str, AfterValidator(_a_date_format)], ...], BeforeValidator(_listed)]
DayOrNames = Annotated[date | Names, Field(union_mode="left_to_right"), BeforeValidator(_a_day_or_names)]
DayPath = Annotated[str, AfterValidator(_a_path_that_tells_its_day)]
Zone = Annotated[str, AfterValidator(_a_zone)]
Expression = Annotated[str, AfterValidator(_an_expression)]
NameOrExpression = Annotated[str, AfterValidator(_in_64_bits)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """How one column of a table is made from a row. ``order_id: No`` is short for ``{column: No}``."""

    column: str | None = Field(
        None, min_length=1, description="the file's column; in NDJSON a path such as `buyer.id`"
    )
    constant: str | None = Field(
        None, description="the same value in every row; `{day}` in it is the day that the file's path tells"
    )
    expression: Expression | None = Field(
        None,
        description="Polars-SQL over the file's columns, all of them text but those under `numbers`; "
        "`{day}` as in a constant",
    )
    place_in: Names = Field(
        (),
        description="number rows 1, 2, ... within these columns, those that `drop` leaves out too: lines of "
        "an order",
    )
    hash_of: Names = Field((), description="a key made from these columns, where the file has none")
    date_format: Formats = Field(
        (),
        description="strftime formats tried in turn (`%z` is an offset; one that says UTC, GMT or ends in Z "
        "is in UTC), `epoch_s`, `epoch_ms`, `epoch_us`, or `days_since 1899-12-30` for Excel's numbers; "
        "ISO 8601 needs none; a birth in a year of two digits (`%y`) that is still to come was a century "
        "before",
    )
    day_precise: bool = Field(False, description="the hours say nothing: keep the day alone")
    timezone: Zone | None = Field(None, description="zone of times without one; else the source's")
    minor_units: int | None = Field(
        None, ge=0, le=6, description="a decimal amount: digits of its minor unit (2 for cents), half to even"
    )
    values: Mapping[str, str] = Field(
        default_factory=dict, description="file's value: table's value; others stay as they are"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = ("column", "constant", "expression", "place_in", "hash_of")
        given = [name for name in origins if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(origins)}; here are {given or 'none'}")
        return self


class _Mapped(_Strict):
    """What every kind of source says about its rows."""

    columns: Mapping[str, Column] = Field(
        default_factory=dict,
        description="table's column: file's column, or how it is made; one of the same name needs no line",
    )
    numbers: Names = Field((), description="file's columns that expressions see as numbers, not as text")
    decimal: Literal[".", ","] = Field(
        ".",
        description="the sign between whole part and fraction in text; a file's own numbers need none",
    )
    timezone: Zone | None = Field(None, description="zone of times without one; by default business time")
    drop: Mapping[str, Expression] = Field(
        default_factory=dict, description="rule's name: rows for which it holds are left out, and counted"
    )
    ignore: Names = Field((), description="file's columns that are not kept; others are kept sealed")
    first_day: date | None = Field(
        None, description="the first day that is read so: an export that changed is two sources"
    )
    last_day: date | None = Field(
        None, description="the last one; of a database that is still fed, yesterday by default"
    )

    def holds(self, day: date) -> bool:
        """Whether the source tells how this day is read."""
        return (self.first_day or date.min) <= day <= (self.last_day or date.max)

    @model_validator(mode="after")
    def _days_belong_to_a_path_that_tells_them(self) -> Self:
        if (self.first_day or self.last_day) and "{day" not in getattr(self, "path", "{day"):
            raise ValueError(
                "first_day and last_day need a path with {day}; `drop` leaves rows of a file out"
            )
        if self.columns_of_a_day() and not tells_days(getattr(self, "path", "")):
            raise ValueError("columns name {day}, and so has to do the `path` of files; it does not")
        return self

    def columns_of_a_day(self) -> dict[str, Column]:
        """The columns in whose constant or expression ``{day}`` stands for the day of a file."""
        return {
            name: column
            for name, column in self.columns.items()
            if tells_days(column.constant or column.expression or "")
        }


class _LaidOut(_Strict):
    """How a file is laid out."""

    format: Format | None = Field(None, description="by default told by the ending of the name")
    encoding: Annotated[str, AfterValidator(_an_encoding)] = Field(
        "utf-8", description="of text: utf-8, gbk, latin-1, ..."
    )
    delimiter: Annotated[str, BeforeValidator(_a_sign)] = Field(
        ",", min_length=1, description="of CSV, one sign or several; `tab` for a tab"
    )
    quote: str = Field('"', pattern=r"^[!-~]?$", description='of CSV; "" for none')
    escape: Literal["", "\\"] = Field(
        "",
        description="of CSV: `\\` if it takes the meaning from the sign behind it; `\\N` is NULL then",
    )
    header: Names = Field((), description="names of the columns of a CSV that has no header line")
    skip_lines: int = Field(0, ge=0, description="lines before the header, or before the rows")
    fixed: Mapping[str, tuple[int, int]] = Field(
        default_factory=dict, description="column: [first, last] character of a fixed-width line, from 1"
    )
    sheets: Names = Field((), description="of xlsx; by default the first; '*' for all")

    @model_validator(mode="after")
    def _fixed_columns_have_their_places(self) -> Self:
        if wrong := [name for name, (first, last) in self.fixed.items() if not 1 <= first <= last]:
            raise ValueError(f"fixed: {wrong}: the first character is 1 or more, the last not before it")
        return self


class Join(_LaidOut):
    """A file whose columns stand beside those of the rows, such as the orders of order lines.

    What it does not say of its layout is as the source's.
    """

    path: Annotated[str, AfterValidator(_a_path)] = Field(description="as of a source")
    on: Annotated[Mapping[NameOrExpression, NameOrExpression], BeforeValidator(_pairs)] = Field(
        min_length=1,
        description="columns that both files have, or `{the rows': the joined file's}`, paths and "
        "expressions too: `{LOWER(Email): LOWER(mail)}`; of rows alike in them the last one counts; where "
        "all are empty, none is joined",
    )
    prefix: str = Field(
        "", description="stands before the names of its columns; without one, the rows' own of a name stay"
    )
    drop: Mapping[str, Expression] = Field(
        default_factory=dict,
        description="rule's name: its rows for which it holds are not joined",
    )


class FilesSource(_Mapped, _LaidOut):
    """Files: one or more a day, or one for all days."""

    kind: Literal["files"]
    path: DayPath = Field(
        description="glob, from the home or absolute; `{day}` is 2026-03-01 (`{day:%Y%m%d}`)"
    )
    rows_of: Names = Field(
        (),
        description="a list within each row, such as `items`: every entry becomes a row (`items.sku`, and "
        "`items.#` for its place in the list); `[items, items.taxes]` goes on to a list within the entries",
    )
    fill_down: Names = Field(
        (), description="file's columns whose empty cells repeat the one above: merged cells of a sheet"
    )
    path_column: str | None = Field(
        None,
        min_length=1,
        description="a name under which `columns` and `drop` find the file's path, where folders tell a shop "
        "or a channel: `SPLIT_PART(file, '/', 2)`",
    )
    join: tuple[Join, ...] = Field(
        (), description="files whose columns are joined to each row; NULL where none is alike"
    )
    delivery_day: DayOrNames = Field(
        (),
        description="of a path without {day}: the table's columns of which the latest tells the day on which "
        "a row arrived (by default all its times), or the day on which the whole file did",
    )

    @model_validator(mode="after")
    def _fixed_columns_are_named(self) -> Self:
        if self.format == "fixed" and not self.fixed:
            raise ValueError("format: fixed needs `fixed: {column: [first, last], ...}`")
        return self

    @model_validator(mode="after")
    def _joined_files_have_the_days_of_their_own(self) -> Self:
        if "{day" not in self.path and any("{day" in join.path for join in self.join):
            raise ValueError("a joined file has {day} in its path, but `path` has none")
        return self


class LogSource(_Mapped, LogRules):
    """Logs of a web server or an application, which become events.

    ``columns`` and ``drop`` see the columns of events, what a line tells of a request (``address``, ``user``,
    ``time``, ``method``, ``url``, ``path``, ``status``, ``referrer``, ``agent``) and, of NDJSON, its own.
    """

    kind: Literal["log"]
    path: DayPath = Field(
        description="glob, from the home or absolute; `{day}` is 2026-03-01 (`{day:%Y%m%d}`)"
    )
    format: Literal["combined", "w3c", "ndjson"] = Field(
        "combined", description="`combined`: Apache's and nginx's; `w3c`: of IIS and CloudFront; or `ndjson`"
    )
    fields: Mapping[str, str] = Field(
        default_factory=dict,
        description="of NDJSON, paths of what tells of a request: "
        "`agent`, `url`, `method`, `status`, `time`, `user`",
    )

    @model_validator(mode="after")
    def _fields_are_a_requests(self) -> Self:
        if wrong := [name for name in self.fields if name not in REQUEST_FIELDS]:
            raise ValueError(f"fields names {wrong}; a request has {', '.join(REQUEST_FIELDS)}")
        if self.fields and self.format != "ndjson":
            raise ValueError(f"fields are those of format: ndjson; in {self.format} they have their places")
        return self


class SqlSource(_Mapped):
    """A query."""

    kind: Literal["sql"]
    url_variable: str = Field(description="the environment variable that holds the SQLAlchemy URL")
    query: str = Field(
        description="asked for each day, with `:day_start` and `:day_end`, the next day's start"
    )
    batch_rows: int = Field(50_000, ge=1, description="rows fetched at once")
    delivery_day: date | None = Field(
        None,
        description="of a table that knows no times: the one day on which the query is asked, without "
        "bounds, and all of its rows arrive",
    )

    @model_validator(mode="after")
    def _the_url_stands_elsewhere(self) -> Self:
        if not self.url_variable.isidentifier():  # not quoted: it may be the URL itself
            raise ValueError(
                "url_variable is the name of an environment variable, such as SHOP_URL; the URL itself "
                "never stands in this file"
            )
        return self


Source = Annotated[FilesSource | LogSource | SqlSource, Field(discriminator="kind")]


class SourcesFile(_Strict):
    """``sources.yaml``: the sources of each table; a table without any is read from ``deliveries/``."""

    tables: Mapping[str, tuple[Source, ...]] = Field(description="table: its sources")

    @model_validator(mode="after")
    def _logs_are_events(self) -> Self:
        for table, sources in self.tables.items():
            if table != "events" and any(source.kind == "log" for source in sources):
                raise ValueError(f"a log becomes events, not {table}; NDJSON of other tables is kind: files")
        return self
