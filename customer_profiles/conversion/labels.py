"""The labels: what a model predicts of the days after a profile closed, one definition a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import polars as pl

from customer_profiles.contracts.stored import day_number
from customer_profiles.features.as_of import AsOf, Frame, Tables, newest
from customer_profiles.features.campaigns import ARM, CONTACT, CONTROL
from customer_profiles.features.purchases import order_lines
from customer_profiles.features.traits import total
from customer_profiles.settings import LabelSettings


@dataclass(frozen=True)
class LabelWindow:
    """The days in which orders count for a profile as of ``as_of``; all ends belong to it."""

    as_of: date
    first: date
    last: date
    matures: date


def label_window(as_of: date, label: LabelSettings) -> LabelWindow:
    """The window of a profile: it closes at t0 = ``as_of`` + 1 day, orders count from t0 + gap on."""
    first = as_of + timedelta(days=1 + label.gap_days)
    last = first + timedelta(days=label.horizon_days - 1)
    return LabelWindow(as_of, first, last, last + timedelta(days=label.maturity_days))


def converted(orders: Frame, as_of: date, label: LabelSettings, category: str | None = None) -> Frame:
    """Customers with at least one order of the label window that stood at maturity.

    ``orders`` is ``cleaned/orders`` with every version of every line. Only what had happened and was
    delivered by maturity counts. A line stands if it is a purchase then: see ``purchases``. An order
    stands if one of its lines does and the returned lines that name it take back less than what its
    standing lines brought (of free ones: fewer pieces); a return under an order id of its own names
    nothing, and so undoes nothing. With a ``category`` only lines of that category count, and returned
    lines that name no category.

    Returns one row per customer: ``customer_key``. Runs inside the frame's own engine. Whether the
    label is told by what was delivered is the caller's question: see ``training.label_is_told``.
    """
    window = label_window(as_of, label)
    lines = order_lines(orders, AsOf(window.matures, {}))
    if category is not None:
        unnamed = nw.col("only_returned") & nw.col("category").is_null()
        lines = lines.filter((nw.col("category") == category) | unnamed)
    standing = (
        lines.filter(
            nw.col("is_purchase"),
            nw.col("ordered_day") >= day_number(window.first),
            nw.col("ordered_day") <= day_number(window.last),
        )
        .group_by("order_id", "customer_key")
        .agg(brought=total(nw.col("net_minor")), kept=total(nw.col("pieces")))
    )
    taken_back = (
        lines.filter(nw.col("only_returned"))
        .group_by("order_id")
        .agg(taken_back=total(nw.col("given_back_minor")), pieces_back=total(nw.col("returned_pieces")))
    )
    less = nw.col("taken_back") < nw.col("brought")
    fewer = (nw.col("brought") == 0) & (nw.col("pieces_back") < nw.col("kept"))
    return (
        standing.join(taken_back, on="order_id", how="left")
        .filter(nw.col("taken_back").is_null() | less | fewer)
        .select("customer_key")
        .unique()
    )


def contacted(contacts: Frame, as_of: date, label: LabelSettings) -> Frame:
    """Customers whom a campaign reached in the label window: ``customer_key``, and the first click's day.

    ``contacts`` is ``cleaned/campaign_contacts``. A control arm was not contacted. ``clicked_day`` is
    NULL if no contact of the window was clicked by maturity.
    """
    window = label_window(as_of, label)
    known = contacts.filter(nw.col("delivery_day") <= nw.lit(window.matures))
    made = newest(known, CONTACT).filter(
        ARM != CONTROL,
        nw.col("contacted_day") >= day_number(window.first),
        nw.col("contacted_day") <= day_number(window.last),
    )
    in_time = nw.when(nw.col("clicked_day") <= day_number(window.matures)).then(nw.col("clicked_day"))
    return (
        made.select("customer_key", clicked_day=in_time)
        .group_by("customer_key")
        .agg(nw.col("clicked_day").min())
    )


@dataclass(frozen=True)
class Definition:
    """What a model predicts.

    ``says`` completes "the chance that a customer ...". ``did`` gives the customers who did it within
    the label window (``customer_key``), read from the cleaned tables that ``sources`` names; with
    ``turned`` the label is 1 for those who did not. ``among`` says by their profile whom the question
    is about, when learning and when scoring; ``asked`` gives the customers of whom the window tells
    anything, when learning (all, if it is ``None``). ``they`` are the customers whose label is 1, and
    ``stands`` tells within which days after the window (its ``{}``) what they did is settled.
    ``settings`` are those of ``label`` that it reads beside the windows'.
    """

    says: str
    did: Callable[[Tables, date, LabelSettings], Frame]
    sources: tuple[str, ...] = ("orders",)
    they: str = "buyers"
    turned: bool = False
    among: pl.Expr | None = None
    asked: Callable[[Tables, date, LabelSettings], Frame] | None = None
    stands: str = (
        "An order stands if it is paid or later, and neither cancelled nor fully refunded or returned within"
        " {}."
    )
    settings: tuple[str, ...] = ()

    @property
    def pays(self) -> bool:
        """Whether those whose label is 1 bring a margin: nobody does by leaving."""
        return not self.turned


def _bought(tables: Tables, as_of: date, label: LabelSettings) -> Frame:
    return converted(tables["orders"], as_of, label)


def _bought_of_the_category(tables: Tables, as_of: date, label: LabelSettings) -> Frame:
    return converted(tables["orders"], as_of, label, label.category)


def _contacted(tables: Tables, as_of: date, label: LabelSettings) -> Frame:
    return contacted(tables["campaign_contacts"], as_of, label).select("customer_key")


def _clicked(tables: Tables, as_of: date, label: LabelSettings) -> Frame:
    reached = contacted(tables["campaign_contacts"], as_of, label)
    return reached.filter(~nw.col("clicked_day").is_null()).select("customer_key")


DEFINITIONS: dict[str, Definition] = {
    "purchase": Definition("places at least one order that stands", _bought),
    "first_purchase": Definition(
        "who never bought in all that was delivered places an order that stands",
        _bought,
        among=pl.col("orders_lifetime") == 0,
    ),
    "repeat_purchase": Definition(
        "who bought before places another order that stands", _bought, among=pl.col("orders_lifetime") > 0
    ),
    "category_purchase": Definition(
        "places an order that stands in the category label.category",
        _bought_of_the_category,
        settings=("category",),
    ),
    "campaign_response": Definition(
        "whom a campaign reaches clicks",
        _clicked,
        sources=("orders", "campaign_contacts"),
        they="customers who click",
        asked=_contacted,
        stands="A contact of these days counts if it is clicked within them or {} after.",
    ),
    "churn": Definition(
        "who bought in the 90 days before places no order that stands",
        _bought,
        they="customers who leave",
        turned=True,
        among=pl.col("days_since_last_order") < 90,
    ),
}
"""What can be trained, by the name that ``label.train`` uses."""


def terms(name: str, label: LabelSettings) -> dict[str, Any]:
    """The settings that say what a label means: a model of other ones answers another question."""
    return label.model_dump(
        include={"gap_days", "horizon_days", "maturity_days", *DEFINITIONS[name].settings}
    )


def labelled(
    profiles: pl.DataFrame,
    name: str,
    tables: Tables,
    as_of: date,
    label: LabelSettings,
    collect: Callable[[Frame], pl.DataFrame],
) -> tuple[pl.DataFrame, set[str]]:
    """The profiles of a snapshot that the label is about, and the customers whose label is 1.

    ``collect`` runs a lazy query in the tables' engine.
    """
    definition = DEFINITIONS[name]
    chosen = about(profiles, name)
    if definition.asked is not None:
        asked = collect(definition.asked(tables, as_of, label))["customer_key"]
        chosen = chosen.filter(pl.col("customer_key").is_in(asked.implode()))
    did = set(collect(definition.did(tables, as_of, label))["customer_key"])
    return chosen, set(chosen["customer_key"]) - did if definition.turned else did


def about(profiles: pl.DataFrame, name: str) -> pl.DataFrame:
    """Those of the profiles whom the label is about."""
    among = DEFINITIONS[name].among
    return profiles if among is None else profiles.filter(among)
