"""Profiles of a simulated retailer, told from what was planted, one customer at a time.

Plain loops over the rows of clean deliveries and the truth beside them: nothing of the platform's
features, cleaning or warehouse is used, so that the two can be held against each other.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from csv import DictReader
from datetime import date, datetime, timedelta
from io import StringIO
from math import log
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from customer_profiles.simulation.words import GOODS

SHANGHAI = ZoneInfo("Asia/Shanghai")
FAR = datetime(9999, 1, 1)  # noqa: DTZ001  local time, as all moments here
KIOSK = "ck-kiosk-01"
GENDERS = {"女": "female", "female": "female", "F": "female", "男": "male", "male": "male", "M": "male"}
COUNTED = {
    "page_views": "page_view",
    "product_views": "product_view",
    "searches": "search",
    "cart_adds": "add_to_cart",
    "checkout_starts": "checkout_start",
}
PARTNERS_TELL = ("household_size", "lifestyle")
"""Attributes of partners that may stand in a profile."""
CHANNELS = ("web", "app", "mini_program", "store", "call_centre", "email", "social")
PARTS = ("night", "morning", "afternoon", "evening")
PURPOSES = (
    "profiling", "marketing_email", "marketing_sms", "marketing_push", "ads_sharing", "automated_decision",
    "llm_processing",
)  # fmt: skip
NEEDED = {
    "email": "marketing_email",
    "sms": "marketing_sms",
    "push": "marketing_push",
    "app": "marketing_push",
}
BANDS = ((65, "65 and over"), (55, "55-64"), (45, "45-54"), (35, "35-44"), (25, "25-34"), (18, "18-24"))
RFM = (
    ("champions", (4, 5), (4, 5)), ("loyal", (3, 4, 5), (3, 4, 5)), ("new", (4, 5), (1,)),
    ("promising", (4, 5), (2,)), ("needs_attention", (3,), (1, 2)), ("at_risk", (1, 2), (3, 4, 5)),
    ("hibernating", (1, 2), (1, 2)),
)  # fmt: skip

Row = dict[str, Any]


def planted_profiles(home: Path, day: date, key: Callable[[str], str]) -> pl.DataFrame:
    """One row per customer as of ``day``: ``customer_key`` and the traits. ``key`` makes keys of ids."""
    world = World(home, day)
    keys = {person: world.key_of(ids, key) for person, ids in world.ids.items()}
    rows = {keys[person]: world.traits(person) for person in world.ids}
    buyers = {person: row for person, row in rows.items() if row["orders_lifetime"]}
    _score(buyers)
    return pl.DataFrame(
        [{"customer_key": customer, **row} for customer, row in sorted(rows.items())],
        infer_schema_length=None,
    )


class World:
    """The clean rows of a retailer, by person; ``ids`` maps each person to their customer ids."""

    def __init__(self, home: Path, day: date) -> None:
        self.day = day
        self.tables = {folder.name: _rows(folder) for folder in sorted((home / "deliveries").iterdir())}
        first = min(date.fromisoformat(file.name[:10]) for file in (home / "deliveries/orders").iterdir())
        self.days = (day - first).days + 1
        truth = home / "truth"
        second = pl.read_parquet(truth / "second_ids.parquet").to_dicts()
        proven = [row for row in second if row["proven_on"] and not row["withdrawn_on"]]
        self.person = {row["other_customer_id"]: row["customer_id"] for row in proven}
        minors = set(pl.read_parquet(truth / "customers.parquet").filter("is_underage")["customer_id"])
        owner = dict(pl.read_parquet(truth / "cookies.parquet").select("cookie", "customer_id").iter_rows())
        self.told = defaultdict(list)
        self.ids: dict[str, dict[str, date]] = defaultdict(dict)
        for row in self.tables["customers"]:
            if row["customer_id"] not in minors:
                person = self._person(row["customer_id"])
                self.ids[person].setdefault(row["customer_id"], row["delivered"])
                self.told[person].append(row)
        self.events = defaultdict(list)
        since = self._linked()
        for row in self.tables["events"]:
            customer = row["customer_id"]
            if customer is None and row["event_at"] >= since.get(row["anonymous_id"], FAR):
                customer = owner.get(row["anonymous_id"])
            if customer:
                self.events[self._person(customer)].append(row)
        self.consents = self._by_person("consents")
        self.contacts = self._by_person("campaign_contacts")
        self.partners = self._by_person("partner_attributes", "identifier")
        self.lines = defaultdict(list)
        for line in _lines(self.tables["orders"]):
            self.lines[self._person(line["customer_id"])].append(line)
        self._meet()

    def _person(self, customer: str) -> str:
        return str(self.person.get(customer, customer))

    def _by_person(self, table: str, whose: str = "customer_id") -> dict[str, list[Row]]:
        found = defaultdict(list)
        for row in self.tables[table]:
            found[self._person(row[whose])].append(row)
        return found

    def _linked(self) -> dict[str, datetime]:
        """From when on the anonymous events of each cookie are its owner's."""
        since: dict[str, datetime] = {}
        for row in self.tables["identity_links"]:
            cookie = row["identifier"]
            if row["kind"] == "cookie" and cookie != KIOSK and not row["unlinked_at"]:
                since[cookie] = min(since.get(cookie, FAR), row["linked_at"] - timedelta(days=30))
        return since

    def _meet(self) -> None:
        self.to, self.back = defaultdict(set), defaultdict(set)
        self.referred = defaultdict(set)
        self.shared: Counter[str] = Counter()
        for row in self.tables["social_edges"]:
            one, other = (self._person(row[f"{end}_customer_id"]) for end in ("source", "target"))
            if one == other:
                continue
            if row["kind"] in ("friend", "follow"):
                self.to[one].add(other)
                self.back[other].add(one)
            elif row["kind"] == "referral":
                self.referred[one].add(other)
            elif row["kind"] == "share" and self._ago(row["created_at"]) < 90:
                self.shared[one] += 1

    def _ago(self, moment: datetime) -> int:
        return (self.day - moment.date()).days

    def key_of(self, ids: dict[str, date], key: Callable[[str], str]) -> str:
        """The key of the id delivered first, then the smallest."""
        return min((first, key(customer)) for customer, first in ids.items())[1]

    def traits(self, person: str) -> Row:
        """Every trait but those that compare customers."""
        return {
            **self._personal(person),
            **self._behaviour(self.events[person]),
            **self._times(self.events[person]),
            **self._consumption(self.lines[person]),
            **self._social(person),
            **self._permissions(person),
            "partner_attributes": self._partners(person),
        }

    def _personal(self, person: str) -> Row:
        told = sorted(self.told[person], key=_when("updated_at"))[-1]
        born = date.fromisoformat(told["birth_date"]) if told["birth_date"] else None
        age = None
        if born:
            age = self.day.year - born.year - (self.day.month < born.month)
        return {
            "age_years": age,
            "age_band": None if age is None else next(name for least, name in BANDS if age >= least),
            "gender": GENDERS.get(told["gender"], "unknown"),
            "tenure_days": self._ago(min(row["registered_at"] for row in self.told[person])),
            "is_test": any(row["is_test"] == "true" for row in self.told[person]),
            **{
                name: told[name]
                for name in ("province", "city", "language", "signup_channel", "loyalty_tier")
            },
        }

    def _behaviour(self, events: list[Row]) -> Row:
        row: Row = {}
        for window in (7, 30, 90):
            seen = [event for event in events if self._ago(event["event_at"]) < window]
            names = Counter(event["event_name"] for event in seen)
            views = [event for event in seen if event["event_name"] == "product_view"]
            found = {
                "sessions": len({event["session_id"] for event in seen}),
                "active_days": len({event["event_at"].date() for event in seen}),
                "distinct_products_viewed": len({event["product_id"] for event in views} - {None}),
                **{trait: names[name] for trait, name in COUNTED.items()},
            }
            row |= {f"{name}_{window}": self._within(window, value) for name, value in found.items()}
        recent = [event for event in events if self._ago(event["event_at"]) < 30]
        carts = {event["session_id"] for event in recent if event["event_name"] == "add_to_cart"}
        out = {event["session_id"] for event in recent if event["event_name"] == "checkout_start"}
        channels = Counter(event["channel"] for event in recent)
        views = [e for e in recent if e["event_name"] in ("page_view", "product_view")]
        newer = sum(self._ago(event["event_at"]) < 15 for event in views)
        words = Counter(filter(None, (_searched(e) for e in recent if e["event_name"] == "search")))
        shares: Row = {
            "cart_abandonment_rate": _share(len(carts - out), len(carts)),
            "views_trend": _share(2 * newer - len(views), len(views)),
            "top_searched_category": _top(words),
            **{f"channel_share_{name}": _share(channels[name], len(recent)) for name in CHANNELS},
        }
        row |= {name: self._within(30, value) for name, value in shares.items()}
        ago = [(self._ago(event["event_at"]), event["event_name"]) for event in events]
        return row | {
            "days_since_last_visit": _least(days for days, _ in ago),
            "days_since_last_cart": _least(days for days, name in ago if name == "add_to_cart"),
            "days_since_last_search": _least(days for days, name in ago if name == "search"),
        }

    def _within(self, window: int, value: Any) -> Any:
        return value if window <= self.days else None

    def _times(self, events: list[Row]) -> Row:
        parts = Counter(PARTS[event["event_at"].hour // 6] for event in events)
        weekend = sum(event["event_at"].isoweekday() >= 6 for event in events)
        enough = len(events) >= 3
        return {
            **{f"{part}_share": _share(parts[part], len(events)) if enough else None for part in PARTS},
            "preferred_daypart": max(PARTS, key=lambda part: parts[part]) if enough else None,
            "weekend_share": _share(weekend, len(events)) if enough else None,
        }

    def _consumption(self, lines: list[Row]) -> Row:
        row: Row = {}
        bought = [line for line in lines if line["bought"]]
        for window in (30, 90, 365, None):
            within = [line for line in lines if window is None or line["ago"] < window]
            orders = len({line["order_id"] for line in within if line["bought"]})
            found = {"orders": orders, "spend_minor": sum(line["net"] for line in within)}
            for name, value in found.items():
                row[f"{name}_{window or 'lifetime'}"] = self._within(window or 0, value)
        orders, spent = row["orders_lifetime"], row["spend_minor_lifetime"]
        days = sorted({line["ago"] for line in bought})
        gap = (days[-1] - days[0]) / (len(days) - 1) if len(days) > 1 else None
        known = [line for line in bought if line["discount"] is not None]
        discount = sum(line["discount"] for line in known)
        kinds = Counter(line["category"] for line in bought if line["category"])
        named = sum(kinds.values())
        entropy = -sum(count / named * log(count / named) for count in kinds.values())
        return row | {
            "average_order_minor": _share(spent, orders),
            "items_per_order": _share(sum(line["pieces"] for line in bought), orders),
            "days_since_last_order": days[0] if days else None,
            "mean_days_between_orders": gap,
            "overdue_ratio": days[0] / gap if gap else None,
            "discount_share": _share(discount, discount + sum(line["net"] for line in known)),
            "refund_rate": _share(sum(line["back"] for line in lines), sum(line["sold"] for line in lines)),
            "distinct_categories": len(kinds),
            "top_category": _top(kinds),
            "top_category_share": _share(max(kinds.values(), default=0), named),
            "category_entropy": entropy if named else None,
            "currency": lines[0]["currency"] if lines else None,
            **dict.fromkeys(("frequency_rank", "recency_score", "frequency_score", "monetary_score")),
            "rfm_group": None,
        }

    def _social(self, person: str) -> Row:
        to, back = self.to[person], self.back[person]
        friends = to | back
        buying = sum(any(x["bought"] and x["ago"] < 90 for x in self.lines[friend]) for friend in friends)
        enough = len(friends) >= 5
        return {
            "degree": len(friends),
            "reciprocal_degree": len(to & back),
            "referrals_made": len(self.referred[person]),
            "friends_buyer_share_90": self._within(90, _share(buying, len(friends)) if enough else None),
            "shares_90": self._within(90, self.shared[person]),
        }

    def _permissions(self, person: str) -> Row:
        newest = {row["purpose"]: row for row in sorted(self.consents[person], key=_when("effective_at"))}
        consent = {f"consent_{purpose}": self._granted(newest.get(purpose)) for purpose in PURPOSES}
        contacts = {(row["campaign_id"], row["contacted_at"]): row for row in self.contacts[person]}
        made = [row for row in contacts.values() if row["arm"] != "control"]
        recent = [row for row in made if self._ago(row["contacted_at"]) < 90]
        asked = [row for row in made if row["channel"] in NEEDED]
        last = max(asked, key=_when("contacted_at"), default=None)
        granted = consent[f"consent_{NEEDED[last['channel']]}"] if last else None
        refuses = (
            None
            if consent["consent_automated_decision"] is None
            else not consent["consent_automated_decision"]
        )
        active = self.events[person] or self.lines[person]
        reasons = {
            "test_account": self._personal(person)["is_test"],
            "profiling_refused": consent["consent_profiling"] is False,
            "automated_decision_refused": refuses,
            "inactive": not active,
        }
        reason = next((name for name, holds in reasons.items() if holds), None)
        return consent | {
            "contacts_90": self._within(90, len(recent)),
            "opens_90": self._within(90, sum(bool(row["opened_at"]) for row in recent)),
            "clicks_90": self._within(90, sum(bool(row["clicked_at"]) for row in recent)),
            "days_since_last_contact": _least(self._ago(row["contacted_at"]) for row in made),
            "unsubscribed": (granted is False) if last else None,
            "refuses_automated_decision": refuses,
            "eligible_for_scoring": reason is None,
            "ineligible_reason": reason,
        }

    def _partners(self, person: str) -> str | None:
        newest = {row["attribute"]: row for row in sorted(self.partners[person], key=_when("observed_at"))}
        told = {name: newest[name]["value"] for name in PARTNERS_TELL if name in newest}
        return json.dumps(told) if told else None

    def _granted(self, row: Row | None) -> bool | None:
        if row is None:
            return None
        return row["status"] == "granted" and not (row["expires_at"] and self._ago(row["expires_at"]) >= 0)


def _lines(orders: list[Row]) -> list[Row]:
    """What became of every order line: bought or not, what it brought and what was given back."""
    sales: dict[tuple[Any, Any], Row] = {}
    returns: dict[tuple[Any, Any], Row] = {}
    day = max(row["delivered"] for row in orders)
    for row in sorted(orders, key=_when("status_at")):
        (returns if row["status"] == "returned" else sales)[row["order_id"], row["line_number"]] = row
    lines = []
    for place in {**sales, **returns}:
        sale, back = sales.get(place), returns.get(place)
        amount = int(sale["amount_minor"]) if sale else 0
        sold = amount if sale and sale["status"] not in ("placed", "cancelled") else 0
        given = 0
        if sale and sale["status"] == "refunded":
            given = int(sale["refunded_minor"] or amount)
        if back:
            given += abs(int(back["amount_minor"]))
        given = min(given, sold) if sale else given
        row = sale or returns[place]
        bought = given < sold
        lines.append(
            {
                "customer_id": row["customer_id"],
                "order_id": row["order_id"],
                "ago": (day - row["ordered_at"].date()).days,
                "category": row["category"],
                "currency": row["currency"],
                "bought": bought,
                "sold": sold,
                "back": given,
                "net": sold - given,
                "pieces": int(sale["quantity"]) if sale and bought else 0,
                "discount": int(row["discount_minor"]) if bought and row["discount_minor"] else None,
            }
        )
    return lines


def _score(buyers: dict[str, Row]) -> None:
    """Rank and RFM of the day's buyers, in place."""
    counts = sorted({row["orders_lifetime"] for row in buyers.values()}, reverse=True)
    worth: dict[str, Callable[[Row], Any]] = {
        "recency": lambda row: -row["days_since_last_order"],
        "frequency": lambda row: row["orders_lifetime"],
        "monetary": lambda row: row["spend_minor_lifetime"],
    }
    for name, value in worth.items():
        for place, customer in enumerate(sorted(buyers, key=lambda key: (value(buyers[key]), key))):
            buyers[customer][f"{name}_score"] = place * 5 // len(buyers) + 1
    for row in buyers.values():
        row["frequency_rank"] = counts.index(row["orders_lifetime"]) + 1
        scores = row["recency_score"], row["frequency_score"]
        row["rfm_group"] = next(name for name, r, f in RFM if scores[0] in r and scores[1] in f)


def _rows(folder: Path) -> list[Row]:
    """All rows of a table, moments in local time, each with the day on which it was ``delivered``."""
    rows = []
    for file in sorted(folder.iterdir()):
        delivered = date.fromisoformat(file.name[:10])
        for row in _read(file):
            for name in [name for name in row if name.endswith("_at") or name == "valid_from"]:
                row[name] = _local(row[name])
            rows.append(
                {name: value if value != "" else None for name, value in row.items()}
                | {"delivered": delivered}
            )
    return rows


def _read(file: Path) -> Iterable[Row]:
    if file.suffix == ".parquet":
        return pl.read_parquet(file).to_dicts()
    text = (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).decode()
    if file.suffix == ".ndjson":
        return [json.loads(line) for line in text.splitlines()]
    return list(DictReader(StringIO(text)))


def _local(value: Any) -> datetime | None:
    moment = datetime.fromisoformat(value) if isinstance(value, str) and value else value or None
    return moment.astimezone(SHANGHAI).replace(tzinfo=None) if moment and moment.tzinfo else moment


def _searched(event: Row) -> str | None:
    """The category searched for: as delivered, else that of the longest goods among the words."""
    if event["category"] or not event["search_query"]:
        return event["category"] or None
    words = event["search_query"].lower()
    named = [
        (len(good), kind) for kind, goods in GOODS.items() for both in goods for good in both if good in words
    ]
    return max(named)[1] if named else None


def _when(moment: str) -> Callable[[Row], Any]:
    return lambda row: (row[moment], row["delivered"])


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _least(values: Iterable[int]) -> int | None:
    return min(values, default=None)


def _top(counts: Counter[str]) -> str | None:
    return min(counts, key=lambda name: (-counts[name], name), default=None)
