"""What contacting the highest brings: lists of the test scaled to the customers of today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from customer_profiles.settings import ConversionSettings

NORMAL_95 = 1.96


def contact_table(
    lists: pl.DataFrame, tested: int, customers: int, conversion: ConversionSettings
) -> list[dict[str, Any]]:
    """What a list of the highest of ``customers`` brings, by its size.

    ``lists`` are those of one model on ``tested`` customers, as ``Evaluation`` has them. Returns rows of
    share, customers, cutoff, buyers, low, high, precision, recall (with ``_low`` and ``_high``), profit
    in minor units (with ``_low`` and ``_high``) and ``expected_profit_minor``, what the model promised.
    The range of the buyers is one for new customers: it holds the uncertainty of the tested rate (customer
    bootstrap) and the chance of that many draws.
    """
    share = lists["share"].to_numpy()
    size = np.round(share * customers)
    rate = lists["buyers"].to_numpy() / (share * tested)
    error = (lists["high"] - lists["low"]).to_numpy() / (2 * NORMAL_95 * share * tested)
    spread = NORMAL_95 * np.sqrt((size * error) ** 2 + size * rate * (1 - np.minimum(rate, 1)))
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


def contact_sentence(rows: Sequence[dict[str, Any]], share: float, customers: int, they: str) -> str:
    """``Contact the 1,800 highest of 18,000 customers: expect 240 buyers (205 to 275).``

    Between the sizes of the table it is read off a straight line.
    """
    known = [0.0, *(row["share"] for row in rows)]
    expected, low, high = (
        round(float(np.interp(share, known, [0.0, *(row[f"buyers{end}"] for row in rows)])))
        for end in ("", "_low", "_high")
    )
    return (
        f"Contact the {round(share * customers):,} highest of {customers:,} customers:"
        f" expect {expected:,} {they} ({low:,} to {high:,})."
    )


def _profit(buyers: np.ndarray, size: np.ndarray, conversion: ConversionSettings) -> np.ndarray:
    profit = conversion.margin_minor * buyers - conversion.contact_cost_minor * size
    return np.asarray(np.round(profit), dtype=np.int64)
