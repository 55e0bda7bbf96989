"""How many of a list may be contacted is told by consent alone."""

import polars as pl

from customer_profiles.profiles.reach import NEEDED, reach

SCORES = {"customer_key": list("abcde"), "conversion_probability": [0.9, 0.8, 0.7, 0.1, None]}


def consents(email, sms, push):
    given = (email, sms, push)
    named = {name: pl.Series(each, dtype=pl.Boolean) for name, each in zip(NEEDED[2:], given, strict=True)}
    return pl.DataFrame(SCORES | named)


def test_those_of_the_highest_who_consent_are_counted_by_way_and_once_in_all():
    profiles = consents(
        [True, False, None, True, True], [True, None, None, True, True], [False, None, None, True, True]
    )
    assert reach(profiles, 0.75) == (
        "Of the 3 highest, 1 consent to marketing (1 by e-mail, 1 by SMS, 0 by push); of 1 it is not known."
    )
    assert "Of the 4 highest, 2 consent to marketing (2 by e-mail, 2 by SMS, 1 by push)" in reach(profiles, 1)


def test_without_consents_nobody_is_said_to_consent():
    nothing = [None] * 5
    assert reach(consents(nothing, nothing, nothing), 0.5) == (
        "No delivery tells whether the 2 highest consent to marketing."
    )


def test_where_nobody_is_scored_nothing_is_said():
    nothing = [True] * 5
    profiles = consents(nothing, nothing, nothing).with_columns(
        conversion_probability=pl.lit(None, pl.Float64)
    )
    assert not reach(profiles, 0.5)
