"""What contacting the highest brings: lists of the test scaled to the customers of today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.settings import ConversionSettings

NORMAL_95 = 1.96
ROUNDING = 1e-9


def contact_table(
    lists: pl.DataFrame, tested: int, customers: int, conversion: ConversionSettings
) -> list[dict[str, Any]]:
    """What a list of the highest of ``customers`` brings, by its size.

    ``lists`` are those of one model on ``tested`` customers, as ``Evaluation`` has them. Returns rows of
    share, customers, cutoff, buyers, low, high, precision, recall (with ``_low`` and ``_high``), profit
    in minor units (with ``_low`` and ``_high``) and ``expected_profit_minor``, what the model promised.
    The range of the buyers is one for new customers: it holds the uncertainty of the tested rate (customer
    bootstrap) and the chance of that many draws. Where all of the tested did it, or nobody, resamples
    hardly differ: the rate's error is then at least that of two more who did and two more who did not
    (Agresti and Coull 1998, Am. Statist. 52).
    """
    share = lists["share"].to_numpy()
    size, seen = np.round(share * customers), share * tested
    rate = lists["buyers"].to_numpy() / seen
    error = (lists["high"] - lists["low"]).to_numpy() / (2 * NORMAL_95 * seen)
    variance = rate * (1 - np.minimum(rate, 1))
    unanimous, guarded = (error == 0) | (variance < ROUNDING), (rate * seen + 2) / (seen + 4)
    variance = np.where(unanimous, guarded * (1 - guarded), variance)
    error = np.where(unanimous, np.maximum(error, np.sqrt(variance / (seen + 4))), error)
    spread = NORMAL_95 * np.sqrt((size * error) ** 2 + size * variance)
    middle = size * rate
    buyers = {
        end: np.clip(count, 0, size)
        for end, count in {"": middle, "_low": middle - spread, "_high": middle + spread}.items()
    }
    promised = lists["expected_buyers"].to_numpy() * customers / tested
    columns = {
        "share": share,
        "customers": size.astype(int),
        "cutoff": lists["cutoff"].to_numpy(),
        **{f"buyers{end}": count for end, count in buyers.items()},
        **{f"precision{end}": count / np.maximum(size, 1) for end, count in buyers.items()},
        **{f"recall{end}": lists[f"recall{end}"].to_numpy() for end in ("", "_low", "_high")},
        **{f"profit_minor{end}": _profit(count, size, conversion) for end, count in buyers.items()},
        "expected_profit_minor": _profit(promised, size, conversion),
    }
    return pl.DataFrame(columns).to_dicts()


def contact_sentence(
    rows: Sequence[dict[str, Any]], share: float, customers: int, they: str, days: int
) -> str:
    """``Contact the 1,800 highest of 18,000 customers: expect 240 buyers (205 to 275) in 30 days.``

    Between the sizes of the table it is read off a straight line.
    """
    size = round(share * customers)
    known = [0, *(row["customers"] for row in rows)]
    expected, low, high = (
        round(float(np.interp(size, known, [0.0, *(row[f"buyers{end}"] for row in rows)])))
        for end in ("", "_low", "_high")
    )
    return (
        f"Contact the {size:,} highest of {customers:,} customers:"
        f" expect {expected:,} {they} ({low:,} to {high:,}) in {in_days(days)}."
    )


def in_days(days: int) -> str:
    """``1 day``, ``30 days``."""
    return f"{days} day{'' if days == 1 else 's'}"


def _profit(buyers: np.ndarray, size: np.ndarray, conversion: ConversionSettings) -> np.ndarray:
    profit = conversion.margin_minor * buyers - conversion.contact_cost_minor * size
    return np.asarray(np.round(profit), dtype=np.int64)
