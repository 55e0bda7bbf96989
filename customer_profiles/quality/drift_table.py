"""Drift as a warehouse table, as findings of checks, and as rows for a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

import polars as pl

from customer_profiles.contracts.stored import PolarsType, StoredColumn
from customer_profiles.quality.counts import NO_COLUMN
from customer_profiles.quality.drift import URGENCY, Drift
from customer_profiles.quality.finding import Finding
from customer_profiles.warehouse import Table

MOST_NAMED, DETAILED = 5, 14
ABOUT: dict[str, tuple[PolarsType, bool, str]] = {
    "table_name": (pl.String, False, "what was measured"),
    "column_name": (pl.String, False, "its column, or (rows)"),
    "family": (pl.String, False, "volume, lateness, missing, concentrated, repeated, category or number"),
    "reference": (
        pl.String,
        False,
        "trailing: the days before; frozen: those the model learned from; earlier; newest",
    ),
    "verdict": (pl.String, False, "error, warn, chance, stable, too few rows or too few days"),
    "statistic": (pl.String, False, "the one furthest above its threshold"),
    "value": (pl.Float64, True, "what it came to"),
    "warn": (pl.Float64, True, "from where on it warns"),
    "error": (pl.Float64, True, "from where on it is an error"),
    "p_value": (pl.Float64, True, "chance of as much if nothing had changed"),
    "q_value": (pl.Float64, True, "share of chance among the day's alarms at this level"),
    "rows": (pl.Int64, False, "rows of the day"),
    "reference_rows": (pl.Int64, False, "rows of the reference"),
    "psi": (pl.Float64, True, "population stability index"),
    "jensen_shannon": (pl.Float64, True, "Jensen-Shannon distance, 0 to 1"),
    "kolmogorov_smirnov": (pl.Float64, True, "largest gap of the cumulative shares"),
    "wasserstein": (pl.Float64, True, "earth mover's distance in standard deviations of the reference"),
    "cramers_v": (pl.Float64, True, "Cramér's V, 0 to 1"),
    "moved": (pl.String, False, "what moved most"),
    "unseen": (pl.String, False, "categories that the reference does not hold"),
}
"""The columns of a table of drift beside its day: those of ``Drift``."""
IN_WORDS = {
    "psi": ("psi {:.2f}", "{:g}"),
    "fall": ("fewer by {:.0%}", "{:.0%}"),
    "rise": ("more by {:.0%}", "{:.0%}"),
    "missing": ("share of NULLs changed by {:.1%}", "{:.0%}"),
    "concentrated": ("share of rows with one key grew by {:.1%}", "{:.0%}"),
    "repeated": ("share of rows that repeat others under another id grew by {:.1%}", "{:.0%}"),
    "share": ("one value's share changed by {:.1%}", "{:.0%}"),
    "level": ("level changed by {:.0%}", "{:.0%}"),
    "mean": ("mean changed by {:.0%}", "{:.0%}"),
    "clock": ("looks moved by {:g} h", "{:g} h"),
    "slow": ("crept by {:.0%}", "{:.0%}"),
}
"""A statistic's value and its limit in words."""
AGAINST = {
    "trailing": "last days",
    "frozen": "training",
    "earlier": "earlier weeks",
    "newest": "days just before",
}
"""References in words."""
SHOWN = ("column_name", "verdict", "moved", "statistic", "value", "warn", "error", "reference", "family")
SHOWN_TOO = ("rows", "reference_rows", "q_value", "psi", "unseen")
"""What to read comes first: the UI cuts a wide table off."""


def drift_table(name: str, day: StoredColumn) -> Table:
    """A warehouse table of drift: one row per day, table, column and reference."""
    columns = (StoredColumn(column.name, *ABOUT[column.name]) for column in fields(Drift))
    return Table(name, (day, *columns), ("table_name", "column_name", "family", "reference"), (day.name,))


def rows_of(drifts: Iterable[Drift], day: date, table: Table) -> pl.DataFrame:
    """The rows of a table of drift."""
    found = [{table.day: day, **vars(drift)} for drift in drifts]
    return pl.DataFrame(found, schema=table.schema)


def findings(rows: pl.DataFrame, day: str) -> dict[date, Finding]:
    """A finding per day of a table of drift; with details of the newest days and of those that fail."""
    found: dict[date, Finding] = {}
    for part in reversed(rows.sort(day).partition_by(day, maintain_order=True)):
        told = finding(part.drop(day).to_dicts())
        found[part[day][0]] = told if len(found) < DETAILED or not told.passed else replace(told, details=[])
    return found


def finding(drifts: Sequence[Mapping[str, Any]]) -> Finding:
    """Hold that none of a day's columns has drifted; name the worst that have."""
    worst = sorted(drifts, key=worst_first)
    drifted = [drift for drift in worst if drift["verdict"] in ("warn", "error")]
    shown: Mapping[str, Any] = (
        worst[0] if worst else {"value": None, "warn": None, "error": None, "verdict": "stable"}
    )
    limits = {name: shown[name] for name in ("warn", "error") if shown[name] not in (None, float("inf"))}
    return Finding(
        passed=not drifted,
        value=None if shown["value"] is None else round(shown["value"], 4),
        threshold=limits,
        says=_in_a_sentence(worst, drifted),
        severity="error" if shown["verdict"] == "error" else "warn",
        details=[
            {name: None if drift[name] == float("inf") else drift[name] for name in (*SHOWN, *SHOWN_TOO)}
            for drift in worst
        ],
    )


def worst_first(drift: Mapping[str, Any]) -> tuple[int, float, str, str]:
    """Sort rows of a table of drift by this: the worst verdict, then the largest part of its threshold."""
    excess = drift["value"] / drift["warn"] if drift["value"] is not None and drift["warn"] else 0.0
    return -URGENCY.get(drift["verdict"], 0), -excess, drift["table_name"], drift["column_name"]


def _in_a_sentence(worst: Sequence[Mapping[str, Any]], drifted: Sequence[Mapping[str, Any]]) -> str:
    columns = len({(drift["table_name"], drift["column_name"]) for drift in worst})
    if not drifted:
        silent = [
            name for name in ("too few rows", "too few days") if all(d["verdict"] == name for d in worst)
        ]
        return f"{silent[0]} to tell" if worst and silent else f"none of {columns} columns has drifted"
    named = dict.fromkeys(_in_words(drift) for drift in drifted)
    told = "; ".join(list(named)[:MOST_NAMED])
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    how_many = len({(drift["table_name"], drift["column_name"]) for drift in drifted})
    have = "has" if how_many == 1 else "have"
    return f"{how_many} of {columns} columns {have} drifted: {told}{more}"


def _in_words(drift: Mapping[str, Any]) -> str:
    unseen = f", new: {drift['unseen']}" if drift["unseen"] else ""
    how, limit = IN_WORDS[drift["statistic"]]
    column = "rows" if drift["column_name"] == NO_COLUMN else drift["column_name"]
    told = f"{column}: {how.format(drift['value'])}, limit {limit.format(drift['warn'])}"
    return f"{told} (against {AGAINST[drift['reference']]}: {drift['moved']}{unseen})"
