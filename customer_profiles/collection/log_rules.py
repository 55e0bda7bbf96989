"""What a team states once about a log: whose a line is, what a request means, which lines are nobody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from customer_profiles.contracts import EVENT_NAMES
from customer_profiles.contracts.stored import delivered_columns

REQUEST_FIELDS = (
    "address", "user", "time", "method", "url", "path", "query", "status", "referrer", "agent",
)  # fmt: skip
"""What a line can tell of a request. ``path`` and ``query`` are parts of ``url``."""
EVENT_COLUMNS = tuple(delivered_columns("events"))
LEFT_OUT: Mapping[str, Sequence[Mapping[str, str]]] = {
    "bots": (
        {
            "agent": r"(?i)(?:^|[^u])bots?\b|crawl|spider|slurp|headless|phantomjs|externalhit|preview|^-?$"
            r"|^(?:curl|wget|python|go-http|java|libwww|apache-httpclient|axios|node|ruby|okhttp/0|scrapy)\b"
        },
        {"path": r"^/robots\.txt$"},
    ),
    "health_checks": (
        {"agent": r"(?i)kube-probe|healthcheck|googlehc|uptime|pingdom|statuscake|monitor|dummy connection"},
        {"path": r"^/(?:health(?:z|_?check)?|(?:live|ready)(?:z|ness)?|ping|server-status|metrics)/?$"},
    ),
    "files_of_a_page": (
        {"path": r"(?i)\.(?:css|js|mjs|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|mp4|webmanifest)$"},
    ),
    # a form that was taken (POST) is answered with 302 or 303, too: the browser goes on to another page
    "not_served": ({"status": r"^(?:30[178]|[45])"}, {"status": "^30[23]", "method": "^(?:GET|HEAD)$"}),
    "not_a_visit": ({"method": r"^(?:HEAD|OPTIONS|CONNECT|TRACE|PROPFIND)$"},),
}
"""Lines behind which stands nobody's behaviour: a rule's name, and what such lines look like in all of the
named fields, in one way or another."""


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
    if not groups_of(_pattern(pattern)):
        raise ValueError(f"{pattern!r} captures nothing: put what is wanted in brackets, as in uid=(\\w+)")
    return pattern


def groups_of(pattern: str) -> list[str]:
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
        named = [name for name in groups_of(self.path) if not name.isdecimal()]
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
