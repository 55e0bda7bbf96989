"""Personal traits, dayparts, ties, campaigns and eligibility."""

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from customer_profiles.features.eligibility import eligibility

D = date(2026, 3, 31)


def ago(days):
    return D - timedelta(days=days)


def known(key, **more):
    return {"customer_key": key, "updated_day": ago(9), **more}


def seen(customer, day, number=0, **more):
    return {
        "event_id": f"{customer}{day}{number}", "customer_key": customer, "event_day": day,
        "event_name": "page_view", **more,
    }  # fmt: skip


def ordered(customer, days):
    return {
        "order_id": f"{customer}{days}", "line_number": 1, "customer_key": customer, "ordered_day": ago(days),
        "status_day": ago(days), "amount_minor": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("year", "month", "age", "band"),
    [
        (1996, 3, 30, "25-34"),
        (1996, 4, 29, "25-34"),
        (2001, 3, 25, "25-34"),
        (2001, 4, 24, "18-24"),
        (1950, 1, 76, "65 and over"),
        (None, None, None, None),
    ],
)
def test_age_turns_on_the_first_of_the_birth_month(year, month, age, band, profiles, cleaned, evening):
    tables = cleaned(customers=[known("a", birth_year=year, birth_month=month)])
    row = profiles("personal", tables, evening())["a"]
    assert (row["age_years"], row["age_band"]) == (age, band)


def test_the_newest_version_known_by_the_day_counts(profiles, cleaned, evening):
    versions = [
        known("a", city="Xi'an", registered_day=ago(100)),
        {"customer_key": "a", "updated_day": ago(3), "city": "Wuhan", "registered_day": ago(100)},
        {"customer_key": "a", "updated_day": ago(2), "city": "Berlin", "delivery_day": D + timedelta(days=1)},
    ]
    row = profiles("personal", cleaned(customers=versions), evening())["a"]
    assert (row["city"], row["tenure_days"]) == ("Wuhan", 100)


def test_of_ids_that_are_one_the_newest_that_says_something_counts(profiles, cleaned, evening):
    told = known("a", gender="female", city="Wuhan", birth_year=1980, birth_month=5, registered_day=ago(1000))
    guest = {"customer_key": "a", "updated_day": ago(2), "city": "Berlin", "registered_day": ago(2)}
    tables = cleaned(customers=[{**told, "is_test": True}, {**guest, "is_test": False}])
    ids = tables["customers"].with_columns(member_key=pl.Series(["a", "a2"]))
    row = profiles("personal", tables | {"customers": ids}, evening())["a"]
    assert (row["gender"], row["city"], row["age_years"]) == ("female", "Berlin", 45)
    assert row["tenure_days"] == 1000
    assert profiles("eligibility", tables | {"customers": ids}, evening())["a"]["is_test"] is True


def test_who_signs_up_tomorrow_has_no_tenure_yet(profiles, cleaned, evening):
    tables = cleaned(
        customers=[
            known("a", registered_day=D + timedelta(days=1), delivery_day=D),
            known("b", registered_day=D),
        ]
    )
    rows = profiles("personal", tables, evening())
    assert (rows["a"]["tenure_days"], rows["b"]["tenure_days"]) == (None, 0)


def test_sessions_carts_and_searches(profiles, cleaned, evening):
    events = [
        seen("a", ago(1), 1, session_id="s", event_name="add_to_cart"),
        seen("a", ago(2), 2, session_id="s", event_name="checkout_start"),
        seen("a", ago(1), 3, session_id="t", event_name="add_to_cart"),
        seen("a", ago(5), 4),
        seen("a", ago(5), 5, channel="app"),
        seen("a", ago(20), 6, event_name="search", category="tea"),
        seen("a", ago(20), 7, event_name="search", category="books"),
        seen("a", ago(40), 8, event_name="search", category="tea"),
    ]
    row = profiles("behaviour", cleaned(events=events), evening("events"))["a"]
    assert (row["sessions_7"], row["sessions_30"], row["active_days_7"]) == (3, 4, 3)
    assert row["cart_abandonment_rate"] == 0.5
    assert row["channel_share_app"] == pytest.approx(1 / 7)
    assert row["top_searched_category"] == "books"
    assert (row["searches_30"], row["searches_90"]) == (2, 3)
    assert row["views_trend"] == 1


def test_a_cart_from_before_the_window_is_none_however_long_its_session_lasts(profiles, cleaned, evening):
    events = [
        seen("a", ago(30), 1, session_id="s", event_name="add_to_cart"),
        seen("a", ago(2), 2, session_id="s"),
    ]
    row = profiles("behaviour", cleaned(events=events), evening("events"))["a"]
    assert (row["sessions_30"], row["cart_adds_30"], row["cart_abandonment_rate"]) == (1, 0, None)


def test_a_product_seen_twice_is_one_product(profiles, cleaned, evening):
    events = [
        seen("a", ago(days), product_id=product, event_name="product_view")
        for days, product in [(1, "p"), (10, "p"), (10, "q"), (50, "r")]
    ]
    row = profiles("behaviour", cleaned(events=events), evening("events"))["a"]
    counts = [row[f"distinct_products_viewed_{days}"] for days in (7, 30, 90)]
    assert counts == [1, 2, 3]


def test_dayparts_need_three_observations(profiles, cleaned, evening):
    events = [seen("often", ago(n), event_hour=hour) for n, hour in enumerate((5, 6, 23))]
    events += [seen("twice", ago(n), event_hour=6) for n in range(2)]
    events += [seen("day-precise", ago(n), event_hour=None) for n in range(3, 6)]
    rows = profiles("times", cleaned(events=events), evening("events"))
    row = rows["often"]
    assert [row[f"{part}_share"] for part in ("night", "morning", "afternoon", "evening")] == [
        pytest.approx(share) for share in (1 / 3, 1 / 3, 0, 1 / 3)
    ]
    assert row["preferred_daypart"] == "night"
    assert rows["twice"]["morning_share"] is rows["twice"]["weekend_share"] is None
    assert rows["day-precise"]["preferred_daypart"] is None
    assert rows["day-precise"]["weekend_share"] == pytest.approx(1 / 3), "28, 27 and 26 March: a Saturday"


def tie(source, target, kind="friend", day=None, **more):
    day = day or ago(20)
    return {
        "source_customer_key": source,
        "target_customer_key": target,
        "kind": kind,
        "created_day": day,
        **more,
    }


def test_ties_count_people_in_either_direction_while_they_last(profiles, cleaned, evening):
    ended = tie("a", "e", ended_day=D, delivery_day=D)
    edges = [
        tie("a", "b"), tie("b", "a", "follow"), tie("c", "a"), tie("a", "d", "referral"), tie("a", "e"),
        ended,
        tie("a", "f", "share"), tie("a", "f", "share", ago(89)), tie("a", "f", "share", ago(90)),
        tie("a", "d", "referral", ago(3)),
    ]  # fmt: skip
    tables = cleaned(customers=[known("a"), known("b")], social_edges=edges)
    rows = profiles("social", tables, evening())
    row = rows["a"]
    assert (row["degree"], row["reciprocal_degree"], row["referrals_made"], row["shares_90"]) == (2, 1, 1, 2)
    assert (rows["b"]["degree"], rows["b"]["referrals_made"]) == (1, 0)


def test_buying_friends_are_told_of_from_five_friends_on(profiles, cleaned, evening):
    friends = "pqrst"
    edges = [tie("five", friend) for friend in friends] + [tie("four", friend) for friend in friends[1:]]
    orders = [ordered("p", 5), ordered("q", 89), ordered("r", 90)]
    tables = cleaned(customers=[known("five"), known("four")], social_edges=edges, orders=orders)
    rows = profiles("social", tables, evening())
    assert rows["five"]["friends_buyer_share_90"] == 0.4
    assert rows["four"]["friends_buyer_share_90"] is None
    unknown = profiles("social", tables, evening(missing=(ago(50),)))
    assert unknown["five"]["friends_buyer_share_90"] is None


def contact(customer, days, **more):
    return {
        "campaign_id": f"{days}",
        "customer_key": customer,
        "contacted_day": ago(days),
        "channel": "email",
        **more,
    }


def decision(customer, purpose, status, days=5, **more):
    return {
        "customer_key": customer,
        "purpose": purpose,
        "status": status,
        "effective_day": ago(days),
        **more,
    }


def test_the_control_arm_was_not_contacted(profiles, cleaned, evening):
    contacts = [
        contact("a", 10, opened_day=ago(9), clicked_day=D + timedelta(days=1), delivery_day=D),
        contact("a", 2, arm="control"),
        contact("a", 1, arm="Control"),
        contact("a", 95),
    ]
    tables = cleaned(customers=[known("a"), known("b")], campaign_contacts=contacts)
    rows = profiles("campaigns", tables, evening())
    row = rows["a"]
    assert (row["contacts_90"], row["opens_90"], row["clicks_90"]) == (1, 1, 0)
    assert row["days_since_last_contact"] == 10
    assert (rows["b"]["contacts_90"], rows["b"]["days_since_last_contact"]) == (0, None)


def test_unsubscribed_is_about_the_channel_of_the_last_contact(profiles, cleaned, evening):
    customers = [known(key) for key in ("left", "left sms", "silent", "post")]
    contacts = [contact(row["customer_key"], 10, channel="Email") for row in customers[:3]]
    contacts += [contact("left sms", 20, channel="sms"), contact("left", 1, channel="post")]
    contacts += [contact("post", 3, channel="post")]
    consents = [
        decision("left", "marketing_email", "granted", 30),
        decision("left", "marketing_email", "withdrawn", 3),
        decision("left sms", "marketing_sms", "withdrawn"), decision("post", "marketing_email", "denied"),
    ]  # fmt: skip
    tables = cleaned(customers=customers, campaign_contacts=contacts, consents=consents)
    rows = profiles("campaigns", tables, evening())
    told = {key: row["unsubscribed"] for key, row in rows.items()}
    assert told == {"left": True, "left sms": False, "silent": False, "post": None}


def test_the_newest_decision_in_force_counts(profiles, cleaned, evening):
    consents = [
        decision("a", "ads_sharing", "granted", 9),
        decision("a", "ads_sharing", "withdrawn", -2, delivery_day=ago(9)),
        decision("a", "profiling", "granted", 9, expires_day=D, delivery_day=ago(9)),
        decision("a", "marketing_sms", "granted", 9, expires_day=D + timedelta(days=1), delivery_day=ago(9)),
        decision("a", "marketing_email", "granted", 9), decision("a", "marketing_email", "denied", 8),
    ]  # fmt: skip
    row = profiles("eligibility", cleaned(customers=[known("a")], consents=consents), evening())["a"]
    told = {name: row[f"consent_{name}"] for name in ("ads_sharing", "profiling", "marketing_sms")}
    assert told == {"ads_sharing": True, "profiling": False, "marketing_sms": True}
    assert row["consent_marketing_email"] is False
    assert row["consent_marketing_push"] is None


@pytest.mark.parametrize("statuses", [("granted", "denied"), ("denied", "granted")])
def test_of_two_decisions_of_one_moment_a_refusal_counts(statuses, profiles, cleaned, evening):
    consents = [decision("a", "profiling", status) for status in statuses]
    row = profiles("eligibility", cleaned(customers=[known("a")], consents=consents), evening())["a"]
    assert row["consent_profiling"] is False


def test_of_two_decisions_on_one_day_the_later_counts_whichever_row_comes_first(profiles, cleaned, evening):
    noon = datetime.combine(ago(5), time(12), UTC)
    consents = [
        decision("a", "profiling", status, effective_at=noon + timedelta(hours=hours))
        for status, hours in (("denied", 1), ("granted", 0))
    ]
    row = profiles("eligibility", cleaned(customers=[known("a")], consents=consents), evening())["a"]
    assert row["consent_profiling"] is False


def test_a_newer_decision_told_late_counts_from_the_day_on_which_it_was_told(profiles, cleaned, evening):
    consents = [decision("a", "profiling", "granted", 9), decision("a", "profiling", "denied", 5)]
    consents[1]["delivery_day"] = ago(2)
    tables = cleaned(customers=[known("a")], consents=consents)
    told = [profiles("eligibility", tables, evening(day=ago(n)))["a"]["consent_profiling"] for n in (3, 2)]
    assert told == [True, False]


def test_an_expired_grant_is_a_refusal_even_if_an_older_grant_had_no_end(profiles, cleaned, evening):
    consents = [
        decision("a", "profiling", "granted", 9),
        decision("a", "profiling", "granted", 5, expires_day=ago(1), delivery_day=ago(5)),
    ]
    tables = cleaned(customers=[known("a")], consents=consents)
    told = [profiles("eligibility", tables, evening(day=ago(n)))["a"]["consent_profiling"] for n in (2, 1)]
    assert told == [True, False]


def test_the_first_reason_against_scoring_is_named(profiles, cleaned, evening):
    keys = ("test", "no profile", "no machine", "asleep", "buyer", "visitor")
    customers = [known(key, is_test=True if key == "test" else None) for key in keys]
    consents = [
        decision("test", "profiling", "denied"), decision("no profile", "profiling", "withdrawn"),
        decision("no machine", "automated_decision", "denied"), decision("buyer", "profiling", "granted"),
    ]  # fmt: skip
    orders = [ordered(key, 3) for key in keys[:3]] + [ordered("buyer", 364), ordered("asleep", 365)]
    tables = cleaned(customers=customers, consents=consents, orders=orders, events=[seen("visitor", ago(1))])
    rows = profiles("eligibility", tables, evening())
    assert {key: row["ineligible_reason"] for key, row in rows.items()} == {
        "test": "test_account",
        "no profile": "profiling_refused",
        "no machine": "automated_decision_refused",
        "asleep": "inactive",
        "buyer": None,
        "visitor": None,
    }
    assert all(row["eligible_for_scoring"] == (row["ineligible_reason"] is None) for row in rows.values())
    assert rows["no machine"]["refuses_automated_decision"] is True


def test_without_any_consents_profiling_is_not_refused(profiles, cleaned, evening):
    tables = cleaned(orders=[ordered("a", 3)])
    row = profiles("eligibility", tables, evening("orders"))["a"]
    assert row["eligible_for_scoring"] is True
    assert row["consent_profiling"] is row["is_test"] is None


def test_the_scored_window_can_be_shorter(on_polars, cleaned, evening):
    tables = on_polars(cleaned(orders=[ordered("a", 9), ordered("b", 10)]))
    rows = eligibility(tables, evening("orders"), active_days=10).collect("polars").to_native()
    assert dict(rows.select("customer_key", "ineligible_reason").rows()) == {"a": None, "b": "inactive"}
