"""Who is whom on a day: customer ids that are one customer, and whose the anonymous events are.

The delivered ``identity_links`` tie identifiers (cookies, devices, addresses, other customer ids) to
customer ids. As of a day D those count that were made and told by D and not withdrawn by D; a link
that is withdrawn counts as if it had never been. Then:

1. An identifier on more than so many customer ids links nobody: a till, a tablet in a shop.
2. Customer ids that logged in with the same identifier are one customer. All stand under one key: that
   of the id seen first, the smallest key among equals.
3. An anonymous event belongs to the customer whom its identifier was linked to last before it; before
   the first link, to the first customer, as far back as the window reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import narwhals as nw
import polars as pl

from customer_profiles.contracts import CONTRACTS
from customer_profiles.contracts.stored import cleaned_columns
from customer_profiles.features.as_of import AsOf, Frame, Tables, known_by, newest
from customer_profiles.settings import IdentitySettings

IDENTIFIER = ("kind", "identifier_key")
LINK = (*IDENTIFIER, "member_key")
PROVEN = "login"
CUSTOMER = "customer"
"""The kind of an identifier that is itself a customer id."""
CUSTOMER_KEYS: Mapping[str, tuple[str, ...]] = {
    table: tuple(c.name for c in cleaned_columns(table) if c.name.endswith("customer_key"))
    for table in CONTRACTS
}
"""Per cleaned table the columns that name a customer."""


def links_in_force(tables: Tables, as_of: AsOf) -> Frame:
    """Links that hold as of D: ``LINK``, ``linked_at``, ``method``, ``customers``, ``first_seen``.

    ``member_key`` is the linked customer id's own key, ``customers`` how many of them the identifier
    has, ``first_seen`` the day on which the id was first delivered as a customer's or an order's. A
    withdrawal undoes all earlier links of its identifier with its customer, however often they were
    told. A link between two customer ids appears with either as the member.
    """
    told = tables["identity_links"].with_columns(nw.col("kind").str.to_lowercase())
    told = told.rename({"customer_key": "member_key"})
    versions = newest(known_by(told, as_of, "linked_day"), (*LINK, "linked_at"))
    undone = nw.when(nw.col("unlinked_day") <= as_of.number).then(nw.col("unlinked_at"))
    held = versions.with_columns(withdrawn_at=undone.max().over(*LINK)).filter(
        nw.col("withdrawn_at").is_null() | (nw.col("linked_at") > nw.col("withdrawn_at"))
    )
    links = held.select(*LINK, "linked_at", "method")
    links = nw.concat([links, _seen_from_the_other_id(links)])
    members = links.select(*LINK).unique().group_by(*IDENTIFIER).agg(customers=nw.len().cast(nw.Int64()))
    return links.join(members, on=list(IDENTIFIER)).join(
        _first_seen(tables, as_of), on="member_key", how="left"
    )


def _seen_from_the_other_id(links: Frame) -> Frame:
    others = links.filter(nw.col("kind") == CUSTOMER).with_columns(member_key=nw.col("identifier_key"))
    return others.unique([*LINK, "linked_at"], keep="first", order_by=["method"])


def _first_seen(tables: Tables, as_of: AsOf) -> Frame:
    named = (
        known_by(tables["customers"], as_of, "updated_day"),
        known_by(tables["orders"], as_of, "ordered_day", "status_day"),
    )
    rows = nw.concat([facts.select("customer_key", "delivery_day") for facts in named])
    seen = rows.group_by("customer_key").agg(first_seen=nw.col("delivery_day").min())
    return seen.rename({"customer_key": "member_key"})


def identities(links: pl.DataFrame, settings: IdentitySettings) -> pl.DataFrame:
    """What the links in force come to: one row a link, with ``customer_key`` and whose the events are.

    ``customer_key`` is the key under which the member's profile stands. The anonymous events of
    ``[events_from, events_until)`` are that customer's; both are NULL for an identifier that is
    a customer id, ``events_until`` for the identifier's last link.
    """
    linking = links.filter(pl.col("customers") <= settings.most_customers)
    persons = one_key_each(linking.filter(method=PROVEN))
    rows = linking.join(persons, on="member_key", how="left").with_columns(
        pl.coalesce("customer_key", "member_key").alias("customer_key")
    )
    order = ["identifier_key", "linked_at", "member_key", "kind"]
    owning = rows.filter(pl.col("kind") != CUSTOMER).sort(order)
    is_first = pl.col("identifier_key").is_first_distinct()
    window = timedelta(days=settings.window_days)
    owning = owning.with_columns(
        pl.when(is_first).then(pl.col("linked_at") - window).otherwise("linked_at").alias("events_from"),
        pl.col("linked_at").shift(-1).over("identifier_key", order_by=order).alias("events_until"),
    )
    others = rows.filter(pl.col("kind") == CUSTOMER)
    return pl.concat([owning, others], how="diagonal").drop("customers", "first_seen")


def one_key_each(links: pl.DataFrame) -> pl.DataFrame:
    """``member_key`` and ``customer_key`` of all members who share an identifier, directly or in a chain.

    ``links`` has the columns ``IDENTIFIER``, ``member_key`` and ``first_seen``. The result may lack
    members who share nothing.
    """
    ties = links.select("member_key", pl.col("member_key").first().over(IDENTIFIER).alias("other_key"))
    seen = links.select("member_key", "first_seen").unique()
    members = tied_together(ties).join(seen, on="member_key")
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


def under_one_key(tables: Tables, found: Frame) -> dict[str, Frame]:
    """The tables, each customer's rows under the one key of their profile.

    ``found`` are the identities of a day. Anonymous events have the key of the customer whose they
    are; those of nobody known are left out. A tie between two ids of one customer is none.
    """
    merged = found.filter(nw.col("member_key") != nw.col("customer_key"))
    merged = merged.select("member_key", nw.col("customer_key").alias("profile_key")).unique()
    rekeyed = {table: _rekeyed(rows, CUSTOMER_KEYS[table], merged) for table, rows in tables.items()}
    if "events" in rekeyed:
        rekeyed["events"] = _attributed(rekeyed["events"], found)
    if "social_edges" in rekeyed:
        between = nw.col("source_customer_key") != nw.col("target_customer_key")
        rekeyed["social_edges"] = rekeyed["social_edges"].filter(between)
    return rekeyed


def _rekeyed(rows: Frame, names: tuple[str, ...], merged: Frame) -> Frame:
    for name in names:
        rows = (
            rows.join(merged, left_on=name, right_on="member_key", how="left")
            .with_columns(nw.coalesce("profile_key", name).alias(name))
            .drop("profile_key")
        )
    return rows


def _attributed(events: Frame, found: Frame) -> Frame:
    """The events that are a customer's: those that name one, and those that an identifier's owner made."""
    columns = [column.name for column in cleaned_columns("events")]
    owners = found.filter(~nw.col("events_from").is_null()).select(
        "identifier_key", "events_from", "events_until", owner_key=nw.col("customer_key")
    )
    during = (nw.col("event_at") >= nw.col("events_from")) & (
        nw.col("events_until").is_null() | (nw.col("event_at") < nw.col("events_until"))
    )
    anonymous = events.filter(nw.col("customer_key").is_null())
    owned = anonymous.join(owners, left_on="anonymous_key", right_on="identifier_key").filter(during)
    owned = owned.with_columns(customer_key=nw.col("owner_key")).select(columns)
    return nw.concat([events.filter(~nw.col("customer_key").is_null()).select(columns), owned])
