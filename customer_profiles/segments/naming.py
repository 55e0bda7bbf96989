"""Plain names for segments, made by rule from what sets each apart.

A trait that lies well above or below the average brings words for one place of the name, as in
"Frequent evening app bargain hunters": how often, when, where, who. The strongest trait takes a place. The
words compare: among customers who come daily, those who come weekly are less recent, not lapsed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Place = Literal["pace", "time", "channel", "who"]
PLACES: tuple[Place, ...] = ("pace", "time", "channel", "who")
NOTABLE = 0.6
"""Standard deviations from the average above which a difference is worth a word."""
ORDINARY, ANYONE = "Average customers", "shoppers"


@dataclass(frozen=True)
class Words:
    """What a trait brings to a name: words for a high and for a low value, if there are any."""

    place: Place
    high: str = ""
    low: str = ""


_ORDERS = Words("pace", "frequent", "infrequent")
_VISITS = Words("pace", "busy", "quiet")
_SPEND = Words("who", "big spenders", "small spenders")

WORDS: dict[str, Words] = {
    "orders": _ORDERS,
    "mean_days_between_orders": Words("pace", "slow", "frequent"),
    "days_since_last_order": Words("pace", "less recent", "recent"),
    "overdue_ratio": Words("pace", "overdue"),
    "days_since_last_visit": Words("pace", "absent"),
    "sessions": _VISITS,
    "active_days": _VISITS,
    "page_views": _VISITS,
    "product_views": _VISITS,
    "night_share": Words("time", "night"),
    "morning_share": Words("time", "morning"),
    "afternoon_share": Words("time", "afternoon"),
    "evening_share": Words("time", "evening"),
    "weekend_share": Words("time", "weekend", "weekday"),
    "channel_share_web": Words("channel", "web"),
    "channel_share_app": Words("channel", "app"),
    "channel_share_mini_program": Words("channel", "mini-program"),
    "channel_share_store": Words("channel", "store"),
    "channel_share_call_centre": Words("channel", "telephone"),
    "channel_share_email": Words("channel", "e-mail"),
    "channel_share_social": Words("channel", "social-media"),
    "discount_share": Words("who", "bargain hunters", "full-price buyers"),
    "average_order_minor": _SPEND,
    "spend_minor": _SPEND,
    "items_per_order": Words("who", "big-basket buyers", "small-basket buyers"),
    "refund_rate": Words("who", "returners"),
    "category_entropy": Words("who", "all-round buyers", "few-category buyers"),
    "distinct_categories": Words("who", "all-round buyers", "few-category buyers"),
    "top_category_share": Words("who", "few-category buyers", "all-round buyers"),
    "searches": Words("who", "searchers"),
    "cart_abandonment_rate": Words("who", "cart abandoners", "decided buyers"),
    "shares": Words("who", "sharers"),
    "degree": Words("who", "networkers"),
}
"""A trait, without its window, and its words."""


def segment_names(differences: Sequence[Mapping[str, float]]) -> list[str]:
    """Name segments from each one's traits and their standardised differences from the average.

    A name has up to three words from the strongest traits; a fourth where two segments would share a
    name, and a number where even that does not help.
    """
    names = [_name(of, words=3) for of in differences]
    shared = {name for name, times in Counter(names).items() if times > 1}
    longer = (_name(of, words=4) for of in differences)
    return _numbered([more if name in shared else name for name, more in zip(names, longer, strict=True)])


def without_window(trait: str) -> str:
    """``orders_30`` and ``orders_lifetime`` -> ``orders``."""
    stem, _, window = trait.rpartition("_")
    return stem if window == "lifetime" or window.isdigit() else trait


def _name(differences: Mapping[str, float], words: int) -> str:
    taken: dict[Place, str] = {}
    strongest = sorted(differences.items(), key=lambda item: (-abs(item[1]), item[0]))
    for trait, difference in strongest:
        about = WORDS.get(without_window(trait))
        if about is None or abs(difference) < NOTABLE or len(taken) == words:
            continue
        word = about.high if difference > 0 else about.low
        if word:
            taken.setdefault(about.place, word)
    if not taken:
        return ORDINARY
    told = [taken[place] for place in PLACES if place in taken]
    name = " ".join(told if "who" in taken else [*told, ANYONE])
    return name[0].upper() + name[1:]


def _numbered(names: Sequence[str]) -> list[str]:
    times = Counter(names)
    so_far: Counter[str] = Counter()
    told = []
    for name in names:
        so_far[name] += 1
        told.append(f"{name} {so_far[name]}" if times[name] > 1 else name)
    return told
