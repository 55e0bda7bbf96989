"""What the door tells from cells: moments, numbers, languages, categories of searches."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from customer_profiles.collection.derivation import category_of_searches, e164, language_of
from customer_profiles.collection.parsing import parse_rows
from customer_profiles.contracts import CONTRACTS

EPOCH = date(1970, 1, 1)
AT_NINE = datetime(2026, 3, 1, 1, tzinfo=UTC)


def moment(cell: str, timezone: str = "Asia/Shanghai") -> tuple[datetime | None, list[str]]:
    rows = pl.DataFrame({"valid_from": [cell]})
    parsed = parse_rows(rows, CONTRACTS["products"], ["valid_from"], timezone)
    return parsed["valid_from"][0], parsed["broken"].to_list()[0]


@pytest.mark.parametrize(
    "cell",
    [
        "2026-03-01 09:00:00",
        "2026-03-01T09:00:00",
        "2026-03-01 09:00",
        "2026-03-01T09:00:00.000",
        "2026-03-01T09:00:00+08:00",
        "2026-03-01T09:00:00+0800",
        "2026-03-01 09:00:00 +08:00",
        "2026-03-01 09:00:00+08",
        "2026-03-01T09:00+08:00",
        "2026-03-01T01:00:00Z",
        "2026-03-01T01:00Z",
        "2026-03-01 01:00:00 UTC",
        "2026-02-28T20:00:00-05:00",
    ],
)
def test_spellings_of_one_moment_are_one_moment(cell: str) -> None:
    assert moment(cell) == (AT_NINE, [])


def test_a_moment_is_read_alike_whatever_stands_beside_it() -> None:
    cells = ["2026-03-01 09:00:00", "2026-03-01T01:00Z", None, "never", "2026-02-30 09:00:00", "2026-03-01"]
    rows = pl.DataFrame({"valid_from": cells})
    together = parse_rows(rows, CONTRACTS["products"], ["valid_from"], "Asia/Shanghai")
    alone = [
        parse_rows(row, CONTRACTS["products"], ["valid_from"], "Asia/Shanghai") for row in rows.iter_slices(1)
    ]
    assert together.equals(pl.concat(alone))


def test_a_time_without_zone_is_business_time() -> None:
    assert moment("2026-03-01 09:00:00", "America/New_York") == (datetime(2026, 3, 1, 14, tzinfo=UTC), [])


def test_an_hour_that_the_clock_skips_is_unreadable_and_one_that_it_repeats_is_the_first() -> None:
    assert moment("2026-03-29 02:30:00", "Europe/Berlin") == (None, ["valid_from|unparsable"])
    assert moment("2026-10-25 02:30:00", "Europe/Berlin") == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), [])


def test_fractions_of_seconds_are_kept_to_the_microsecond() -> None:
    assert moment("2026-03-01T01:00:00.123456Z")[0] == AT_NINE.replace(microsecond=123456)


@pytest.mark.parametrize(
    ("at", "day", "hour", "weekday"),
    [
        ("2026-03-01 23:59:59", date(2026, 3, 1), 23, 7),
        ("2026-03-02 00:00:00", date(2026, 3, 2), 0, 1),
        ("2026-03-01T16:00:00Z", date(2026, 3, 2), 0, 1),
        ("2026-03-02", date(2026, 3, 2), None, 1),
        ("1969-12-31 12:00:00", date(1969, 12, 31), 12, 3),
    ],
)
def test_business_day_hour_and_weekday_are_local_and_a_date_alone_has_no_hour(
    shop, at: str, day: date, hour: int | None, weekday: int
) -> None:
    row = shop.one("events", event_at=at)
    found = row["event_day"], row["event_hour"], row["event_weekday"]
    assert found == ((day - EPOCH).days, hour, weekday)


def test_a_day_without_a_midnight_begins_at_one() -> None:
    for midnight in ("2017-10-15", "2017-10-15 00:00:00", "2017-10-15T00:00"):
        assert moment(midnight, "America/Sao_Paulo") == (datetime(2017, 10, 15, 3, tzinfo=UTC), [])
    assert moment("2017-10-15 00:30:00", "America/Sao_Paulo") == (None, ["valid_from|unparsable"])


def test_moments_beside_the_clock_have_their_day_too(shop) -> None:
    row = shop.one("campaign_contacts", contacted_at="2026-03-01", opened_at="2026-03-02T20:00:00Z")
    assert (row["contacted_day"], row["opened_day"], row["clicked_day"]) == (20513, 20515, None)


def test_of_a_birth_date_year_and_month_stay(shop) -> None:
    row = shop.one("customers", birth_date="1990-07-31")
    assert (row["birth_year"], row["birth_month"]) == (1990, 7)


def test_phones_are_told_apart_from_other_numbers() -> None:
    phones = pl.Series(
        ["138 0013 8000", "+86-13800138000", "13800138000", "12", "x", None, "+1 212 555 0100"]
    )
    one = "+8613800138000"
    assert e164(phones, "CN").to_list() == [one, one, one, None, None, None, "+12125550100"]
    assert e164(phones.clear(), "CN").to_list() == []


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("质量很好", "zh"),
        ("とても良い", "ja"),
        ("좋아요", "ko"),
        ("very good", "und-Latn"),
        ("iPhone 很好用", "zh"),
        ("5 !", None),
    ],
)
def test_the_language_is_told_from_the_script(words: str, language: str | None) -> None:
    assert pl.select(language_of(pl.lit(words))).item() == language


def test_length_and_language_of_a_text_are_noted_and_a_delivered_language_stays(shop) -> None:
    row = shop.one("texts", body=" 质量很好 ")
    assert (row["body_length"], row["language"]) == (4, "zh")
    assert shop.one("texts", body="质量很好", language="en")["language"] == "en"


CATALOGUE = {
    "shoes": "shoes",
    "red shoes": "shoes",
    "shoe polish": "care",
    "手机": "phones",
    "手机壳": "cases",
    "tea": "drinks",
    "dress": "fashion",
    "1": "firsts",
}


@pytest.mark.parametrize(
    ("search", "category"),
    [
        ("red shoes", "shoes"),
        ("cheap RED Shoes size 40", "shoes"),
        ("shoe polish for red shoes", "care"),
        ("手机壳 透明", "cases"),
        ("新款手机", "phones"),
        ("shoe", "shoes"),
        ("polish", "care"),
        ("best shoe polish", "care"),
        ("便宜的手机哪个好", "phones"),
        ("送礼 手机壳", "cases"),
        ("ho", "shoes"),
        ("ho or so", None),
        ("s", None),
        ("umbrella", None),
        ("steak", None),
        ("teapot", None),
        ("TEA,green", "drinks"),
        ("dresses", "fashion"),
        ("dress42", "fashion"),
        ("新款tea杯", "drinks"),
        ("iphone 12", None),
        ("iphone 1", "firsts"),
        ("1l bottle of 21", None),
        (None, None),
    ],
)
def test_a_search_takes_the_category_of_the_names_that_it_shares(
    search: str | None, category: str | None
) -> None:
    found = category_of_searches(pl.Series([search, "umbrella"], dtype=pl.String), CATALOGUE)
    assert found.to_list() == [category, None]


def test_without_a_catalogue_no_search_has_a_category() -> None:
    assert category_of_searches(pl.Series(["shoes", None]), {}).to_list() == [None, None]


def test_a_delivered_category_is_not_replaced(shop, sound) -> None:
    searches = [
        sound("events", event_name="search", search_query="red shoes"),
        sound("events", event_id="E2", event_name="search", search_query="red shoes", category="gifts"),
    ]
    shop.deliver("events", searches)
    rows = shop.receive("events", categories=CATALOGUE).rows
    assert rows["category"].to_list() == ["shoes", "gifts"]
