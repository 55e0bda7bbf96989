"""From which effect on a column drifts."""

from __future__ import annotations

from customer_profiles.quality.counts import SHARES
from customer_profiles.settings import DriftSettings


def thresholds(settings: DriftSettings, table: str, column: str, statistic: str) -> tuple[float, float]:
    """The values of a statistic that warn and that are an error; the column's own where it has some."""
    chosen, never = settings.of_column(f"{table}.{column}"), float("inf")
    return {
        "psi": (chosen.warn, chosen.error),
        "share": (chosen.share_warn, never),
        "level": (chosen.level_warn, never),
        "mean": (chosen.mean_warn, never),
        "clock": (chosen.clock_warn, never),
        "slow": (chosen.slow_warn, never),
        **dict.fromkeys(SHARES, (chosen.missing_warn, chosen.missing_error)),
        "fall": (chosen.fall_warn, chosen.fall_error),
        "rise": (chosen.rise_warn, never),
    }[statistic]
