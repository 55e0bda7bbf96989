"""Who is whom on a day: customer ids that are one customer, and whose the anonymous events are.

The delivered ``identity_links`` tie identifiers (cookies, devices, addresses, other customer ids) to
customer ids. As of a day D those count that were made and told by D and not withdrawn by D; a link
that is withdrawn counts as if it had never been. Then:

1. An identifier on more than so many customer ids links nobody: a till, a tablet in a shop.
2. Customer ids that logged in with the same identifier are one customer, but for a minor's. All stand
   under one key: that of the id seen first, the smallest key among equals.
3. An anonymous event belongs to the customer whom its identifier was linked to last before it; before
   the first link, to the first customer, as far back as the window reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import narwhals as nw
import polars as pl

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import cleaned_columns
from customer_profiles.features.as_of import AsOf, EachWhenAsked, Frame, Tables, known_by, newest
from customer_profiles.settings import IdentitySettings

IDENTIFIER = ("kind", "identifier_key")
LINK = (*IDENTIFIER, "member_key")
PROVEN = "login"
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
CUSTOMER = "customer"
"""The kind of an identifier that is itself a customer id."""
COLUMNS = {table: [column.name for column in cleaned_columns(table)] for table in CONTRACTS}
CUSTOMER_KEYS = {
    table: [name for name in names if name.endswith("customer_key")] for table, names in COLUMNS.items()
} | {"partner_attributes": ["identifier_key"]}
"""Per cleaned table the columns that name a customer; a partner's identifier can be a customer's id."""


def links_in_force(told: Frame, as_of: AsOf) -> Frame:
    """Links that hold as of D: ``LINK``, ``linked_at``, ``method``, and ``customers``.

    ``told`` is ``cleaned/identity_links``. ``member_key`` is the linked customer id's own key,
    ``customers`` how many of them the identifier has. A withdrawal undoes all earlier links of its
    identifier with its customer, however often they were told. A link between two customer ids
    appears with either as the member.
    """
    named = told.with_columns(nw.col("kind").str.to_lowercase()).rename({"customer_key": "member_key"})
    versions = newest(known_by(named, as_of, "linked_day"), (*LINK, "linked_at"))
    undone = nw.when(nw.col("unlinked_day") <= as_of.number).then(nw.col("unlinked_at"))
    held = versions.with_columns(undone_at=undone, withdrawn_at=undone.max().over(*LINK)).filter(
        nw.col("undone_at").is_null(),
        nw.col("withdrawn_at").is_null() | (nw.col("linked_at") > nw.col("withdrawn_at")),
    )
    links = held.select(*LINK, "linked_at", "method")
    links = _each_once(nw.concat([links, _seen_from_the_other_id(links)]))
    members = links.select(*LINK).unique().group_by(*IDENTIFIER).agg(customers=nw.len().cast(nw.Int64()))
    return links.join(members, on=list(IDENTIFIER))


def _seen_from_the_other_id(links: Frame) -> Frame:
    return links.filter(nw.col("kind") == CUSTOMER).with_columns(member_key=nw.col("identifier_key"))


def _each_once(links: Frame) -> Frame:
    """Of links alike a login: several customer ids linked to one make it a member as often at one time."""
    declared = (nw.col("method") != PROVEN).cast(nw.Int64())
    ranked = links.with_columns(declared=declared)
    return ranked.unique([*LINK, "linked_at"], keep="first", order_by=["declared", "method"]).drop("declared")


def proving(links: pl.DataFrame, settings: IdentitySettings, apart: Collection[str] = ()) -> pl.DataFrame:
    """Logins among the links in force whose identifier several customer ids share, yet not too many.

    Who is ``apart`` is nobody else: what a minor does on a family's tablet would stand in a parent's profile.
    """
    logins = links.filter(pl.col("customers") <= settings.most_customers, method=PROVEN)
    logins = logins.filter(~pl.col("member_key").is_in(list(apart)))
    return logins.filter(pl.col("member_key").n_unique().over(IDENTIFIER) > 1)


def first_seen(tables: Tables, as_of: AsOf, members: Frame) -> Frame:
    """``first_seen`` of each ``member_key``: the day on which a customer's row or an order first named it."""
    named = (
        known_by(tables["customers"], as_of, "updated_day"),
        known_by(tables["orders"], as_of, "ordered_day", "status_day"),
    )
    rows = nw.concat([facts.select("customer_key", "delivery_day") for facts in named])
    ours = rows.join(members, left_on="customer_key", right_on="member_key", how="semi")
    seen = ours.group_by("customer_key").agg(first_seen=nw.col("delivery_day").min())
    return seen.rename({"customer_key": "member_key"})


def identities(
    links: pl.DataFrame, seen: pl.DataFrame, settings: IdentitySettings, apart: Collection[str] = ()
) -> pl.DataFrame:
    """What the links in force come to: one row a link, with ``customer_key`` and whose the events are.

    ``seen`` tells the ``first_seen`` day of those who are ``proving`` to be one. ``customer_key`` is the
    key under which the member's profile stands. The anonymous events of ``[events_from,
    events_until)`` are that customer's; both are NULL for an identifier that is a customer id,
    ``events_until`` for the identifier's last link.
    """
    persons = one_key_each(proving(links, settings, apart), seen)
    rows = links.filter(pl.col("customers") <= settings.most_customers).drop("customers")
    rows = rows.join(persons, on="member_key", how="left").with_columns(
        pl.coalesce("customer_key", "member_key").alias("customer_key")
    )
    order = ["identifier_key", "linked_at", "member_key", "kind"]
    owning = rows.filter(pl.col("kind") != CUSTOMER).sort(order)
    earliest = pl.col("linked_at") - timedelta(days=settings.window_days)
    is_first = pl.col("identifier_key").is_first_distinct()
    owning = owning.with_columns(
        pl.when(is_first).then(earliest).otherwise("linked_at").alias("events_from"),
        pl.col("linked_at").shift(-1).over("identifier_key", order_by=order).alias("events_until"),
    )
    return pl.concat([owning, rows.filter(pl.col("kind") == CUSTOMER)], how="diagonal")


def one_key_each(logins: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """``member_key`` and ``customer_key`` of all members who share an identifier, directly or in a chain."""
    ties = logins.select("member_key", pl.col("member_key").first().over(IDENTIFIER).alias("other_key"))
    members = tied_together(ties).join(seen, on="member_key", how="left")
    members = members.sort("first_seen", "member_key", nulls_last=True)
    return members.select("member_key", pl.col("member_key").first().over("component").alias("customer_key"))


def tied_together(ties: pl.DataFrame) -> pl.DataFrame:
    """``member_key`` and ``component``: the connected components of ``ties`` (member_key, other_key).

    Who is tied to nobody else is not in the result.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    between = ties.filter(pl.col("member_key") != pl.col("other_key")).unique()
    keys = pl.concat([between["member_key"], between["other_key"]]).unique().sort()
    ends = [between[name].replace_strict(keys, range(len(keys))).to_numpy() for name in between.columns]
    matrix = coo_array(([1] * between.height, ends), shape=(len(keys), len(keys)))
    _, components = connected_components(matrix, directed=False)
    return pl.DataFrame({"member_key": keys, "component": components})


@dataclass(frozen=True)
class Owners:
    """The identities of a day as two small tables that others are joined with; ``None`` if empty.

    ``merged`` maps ``member_key`` to ``profile_key`` where they differ; ``owned`` has the
    ``identifier_key``, ``events_from``, ``events_until`` and ``owner_key`` of anonymous events.
    """

    merged: Frame | None
    owned: Frame | None


def owners(found: pl.DataFrame, lend: Callable[[str, pl.DataFrame], Frame]) -> Owners:
    """The small tables of a day's identities; ``lend`` takes each, by a name, into the engine."""
    merged = found.filter(pl.col("member_key") != pl.col("customer_key"))
    merged = merged.select("member_key", profile_key="customer_key").unique().sort("member_key")
    owned = found.filter(pl.col("events_from").is_not_null()).select(
        "identifier_key", "events_from", pl.col("events_until").fill_null(FOR_EVER), owner_key="customer_key"
    )
    small = {"merged_ids": merged, "event_owners": owned}
    return Owners(*(lend(name, frame) if frame.height else None for name, frame in small.items()))


def under_one_key(tables: Tables, who: Owners) -> Tables:
    """The tables, each customer's rows under the one key of their profile.

    Anonymous events have the key of the customer whose they are; those of nobody known are left out.
    A tie between two ids of one customer is none. ``customers`` keep the id's own key as ``member_key``.
    """

    def rekeyed(table: str) -> Frame:
        rows = tables[table]
        if table == "events" and who.owned is not None:
            return nw.concat([_rekeyed(rows.filter(~_ANONYMOUS), table, who), _owned(rows, who.owned)])
        rows = _rekeyed(rows, table, who)
        if table == "social_edges" and who.merged is not None:
            return rows.filter(nw.col("source_customer_key") != nw.col("target_customer_key"))
        return rows

    return EachWhenAsked(tables, rekeyed)


_ANONYMOUS = nw.col("customer_key").is_null()


def _rekeyed(rows: Frame, table: str, who: Owners) -> Frame:
    own = ("member_key",) if table == "customers" else ()
    rows = rows.with_columns(nw.col("customer_key").alias(name) for name in own)
    if who.merged is None:
        return rows
    for name in CUSTOMER_KEYS[table]:
        key = nw.coalesce("profile_key", name).alias(name)
        rows = rows.join(who.merged, left_on=name, right_on="member_key", how="left").select(
            key if column == name else column for column in (*COLUMNS[table], *own)
        )
    return rows


def _owned(events: Frame, owned: Frame) -> Frame:
    """Anonymous events under the key of the customer whose they are."""
    at, owner = nw.col("event_at"), nw.col("owner_key").alias("customer_key")
    return (
        events.filter(_ANONYMOUS)
        .join(owned, left_on="anonymous_key", right_on="identifier_key")
        .filter(at >= nw.col("events_from"), at < nw.col("events_until"))
        .select(owner if column == "customer_key" else column for column in COLUMNS["events"])
    )
