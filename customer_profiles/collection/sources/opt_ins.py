"""Opt-ins: consent told by columns of a customer's row, each of which is a row of ``consents``."""

from __future__ import annotations

from typing import Any

import polars as pl

from customer_profiles.collection.parsing import FALSE, TRUE
from customer_profiles.collection.sources.schema_matching import tells, words_of
from customer_profiles.warehouse.statements import literals, quoted

ASKED = (
    "accepts accept accepted consent consents newsletter opt optin permission subscribe subscribed "
    "subscription opted optout unsubscribe unsubscribed 订阅 同意 接受 授权 退订 拒绝"
)
REFUSED = "out optout not unsubscribe unsubscribed 退订 拒绝 不"
"""Words of a column in which yes means no: ``HasOptedOutOfEmail``."""
PURPOSES = {
    "marketing_sms": "sms text mobile 短信",
    "marketing_push": "push 推送",
    "profiling": "profiling personalisation personalization 画像 个性化",
    "ads_sharing": "ads advertising sharing 广告 共享",
}
"""Words by which a column names a purpose; the e-mail of marketing is meant where none of them stands."""
YES_AND_NO = tuple(zip(TRUE, FALSE, strict=True))
DECISIONS = (
    *YES_AND_NO,
    ("subscribed", "unsubscribed"),
    ("subscribed", "never_subscribed"),
    ("granted", "denied"),
    ("opted_in", "opted_out"),
    ("opted in", "opted out"),
)
"""Words that decide, each with its opposite."""


def opt_ins(cells: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """By the file's column that says yes or no to something, ``purpose`` and ``status`` of ``consents``."""
    found = {name: _decisions(cells[name], refusals(name)) for name in cells.columns if _names(name, ASKED)}
    return {
        name: {"purpose": {"constant": _purpose(name)}, "status": {"column": name, "values": decisions}}
        for name, decisions in found.items()
        if decisions
    }


def refusals(column: str) -> bool:
    """Whether a column's yes refuses."""
    return _names(column, REFUSED)


def not_asked(column: str, cells: pl.Series) -> dict[str, str]:
    """The ``drop`` of customers of whom a column says neither yes nor no, as it is empty in ``cells``."""
    words = cells.filter(~tells(cells)).str.strip_chars().unique().drop_nulls().sort().to_list()
    empty = f"IN ({literals(['', *filter(None, words)])})" if any(words) else "= ''"
    return {"not asked": f"COALESCE({quoted(column)}, '') {empty}"}


def _names(column: str, words: str) -> bool:
    """Whether a column's name has one of the words; Chinese ones stand anywhere in it."""
    said = words_of(column)
    return any(word in (said if word.isascii() else column) for word in words.split())


def _purpose(column: str) -> str:
    named = (purpose for purpose, words in PURPOSES.items() if _names(column, words))
    return next(named, "marketing_email")


def _decisions(cells: pl.Series, refused: bool) -> dict[str, str]:
    """What each of a column's words decides, and its opposite; nothing if one of them is no decision.

    Where yes is ``refused``, it denies; ``subscribed`` says the same in any column.
    """
    decisions: dict[str, str] = {}
    for said in cells.filter(tells(cells)).str.strip_chars().unique().sort():
        pair = next((pair for pair in DECISIONS if said.lower() in pair), None)
        if pair is None:
            return {}
        meant = ("denied", "granted") if refused and pair in YES_AND_NO else ("granted", "denied")
        for word, decision in zip(pair, meant, strict=True):
            decisions[_cased_as(said, word)] = decision
    return decisions


def _cased_as(said: str, word: str) -> str:
    return word.upper() if said.isupper() else word.capitalize() if said[0].isupper() else word
