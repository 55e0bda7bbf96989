"""Six latent types of shopper, each with habits, dayparts, channels and tastes of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShopperType:
    """The habits of one type. Rates are per day; weights need not add up to one."""

    name: str
    share: float
    visit: float  # chance of a visit on a day without interest
    interest: float  # rate at which an interest in buying awakes
    buy: float  # chance that a visit with interest ends in an order
    dayparts: tuple[float, float, float, float]
    channels: dict[str, float]
    tastes: dict[str, float]
    lines: float  # mean order lines beyond the first
    pieces: float  # mean pieces beyond the first
    dearness: float  # 0 cheapest to 1 dearest goods of a category
    discount: float  # share of lines bought at a discount
    undone: float  # share of orders cancelled, refunded or returned
    weekend: float  # factor on visits at weekends
    social: float  # shares, posts and likes per visit
    pages: float  # page and product views per visit
    friends: float  # mean ties to friends


TYPES = (
    ShopperType(
        name="night_gamer", share=0.16,
        visit=0.17, interest=0.016, buy=0.2,
        dayparts=(0.7, 0.02, 0.08, 0.2), weekend=1.0,
        channels={"app": 0.5, "web": 0.5},
        tastes={"games": 0.4, "computers": 0.35, "phones": 0.25}, dearness=0.6,
        lines=0.15, pieces=0.05, discount=0.12, undone=0.08,
        pages=4.5, social=0.05, friends=2.0,
    ),
    ShopperType(
        name="bargain_hunter", share=0.2,
        visit=0.2, interest=0.032, buy=0.22,
        dayparts=(0.04, 0.08, 0.2, 0.68), weekend=1.1,
        channels={"mini_program": 0.85, "app": 0.15},
        tastes={"snacks": 0.5, "household": 0.4, "groceries": 0.1}, dearness=0.2,
        lines=0.9, pieces=0.6, discount=0.85, undone=0.1,
        pages=3.5, social=0.15, friends=4.0,
    ),
    ShopperType(
        name="weekend_parent", share=0.17,
        visit=0.1, interest=0.02, buy=0.26,
        dayparts=(0.02, 0.15, 0.68, 0.15), weekend=2.6,
        channels={"web": 0.8, "app": 0.2},
        tastes={"mother_baby": 0.6, "toys": 0.4}, dearness=0.5,
        lines=1.8, pieces=0.5, discount=0.4, undone=0.08,
        pages=4.0, social=0.08, friends=3.0,
    ),
    ShopperType(
        name="premium_loyal", share=0.14,
        visit=0.12, interest=0.036, buy=0.3,
        dayparts=(0.02, 0.7, 0.2, 0.08), weekend=0.8,
        channels={"app": 0.92, "email": 0.08},
        tastes={"beauty": 0.5, "shoes_bags": 0.5}, dearness=0.85,
        lines=0.7, pieces=0.2, discount=0.06, undone=0.05,
        pages=4.0, social=0.1, friends=2.5,
    ),
    ShopperType(
        name="store_regular", share=0.18,
        visit=0.08, interest=0.034, buy=0.4,
        dayparts=(0.01, 0.64, 0.3, 0.05), weekend=1.2,
        channels={"store": 0.85, "call_centre": 0.15},
        tastes={"groceries": 0.65, "household": 0.35}, dearness=0.4,
        lines=2.2, pieces=0.8, discount=0.2, undone=0.03,
        pages=1.5, social=0.02, friends=1.5,
    ),
    ShopperType(
        name="social_trendsetter", share=0.15,
        visit=0.2, interest=0.02, buy=0.2,
        dayparts=(0.1, 0.05, 0.25, 0.6), weekend=1.2,
        channels={"social": 0.65, "app": 0.35},
        tastes={"fashion": 0.6, "sports": 0.25, "beauty": 0.15}, dearness=0.6,
        lines=0.5, pieces=0.1, discount=0.45, undone=0.35,
        pages=4.0, social=1.0, friends=7.0,
    ),
)  # fmt: skip
