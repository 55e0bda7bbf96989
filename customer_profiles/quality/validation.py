"""Suites held against frames by Great Expectations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from customer_profiles.quality.claims import Claim, ClaimResult, Suite

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition

VOLUME = "ExpectTableRowCountToBeBetween"
QUANTILES = "ExpectColumnQuantileValuesToBeBetween"
FEWEST_FOR_QUANTILES = 30
"""A quantile of fewer known values says nothing."""
MOST_EXAMPLES, AT_ONCE = 3, 8
"""Great Expectations copies the whole frame for each claim: with few claims at once it is narrow."""


def validate(frame: pl.DataFrame, suite: Suite, *, largest_sample: int, seed: int) -> list[ClaimResult]:
    """Hold every claim of ``suite`` against the rows of ``frame``; results in the suite's order.

    Above ``largest_sample`` rows all claims but the volume's look at a sample of that size, drawn by
    ``seed`` (the contract's own check covers every row). Without rows only the volume can be broken.
    """
    sample = frame.select(_seen_by_the_suite(frame, suite))
    if frame.height > largest_sample:
        sample = sample.sample(largest_sample, seed=seed)
    answers = {claim.name: _answered_without_engine(claim, frame, sample) for claim in suite.claims}
    open_claims = [claim for claim in suite.claims if answers[claim.name] is None]
    parts = [open_claims[first : first + AT_ONCE] for first in range(0, len(open_claims), AT_ONCE)]
    reports = {name: told for part in parts for name, told in _reports(sample, suite.name, part).items()}
    return [
        answers[claim.name] or _result(claim, reports[claim.name], frame.height, sample.height)
        for claim in suite.claims
    ]


def _seen_by_the_suite(frame: pl.DataFrame, suite: Suite) -> list[pl.Expr]:
    """Select the suite's columns; of a sealed one only whether it holds anything."""
    return [
        pl.when(pl.col(name).is_not_null()).then(True).alias(name)
        if frame.schema[name] == pl.Binary
        else pl.col(name)
        for name in suite.columns
        if name in frame.columns
    ]


def _answered_without_engine(claim: Claim, frame: pl.DataFrame, sample: pl.DataFrame) -> ClaimResult | None:
    """Answer what needs no engine: the volume, absent columns, and where there is nothing to look at."""
    if claim.expectation == VOLUME:
        low, high = claim.arguments["min_value"], claim.arguments["max_value"]
        passed = low <= frame.height and (high is None or frame.height <= high)
        return ClaimResult(claim, passed, frame.height, frame.height, frame.height)
    absent = [name for name in claim.columns if name not in frame.columns]
    if absent:
        note = f"the table has no column {', '.join(absent)}"
        return ClaimResult(claim, False, None, frame.height, sample.height, note=note)
    if sample.height == 0:
        return ClaimResult(claim, True, None, 0, 0, note="no rows")
    if claim.expectation == QUANTILES:
        known = sample.height - sample[claim.columns[0]].null_count()
        if known < FEWEST_FOR_QUANTILES:
            note = f"{known} known values are too few"
            return ClaimResult(claim, True, None, frame.height, sample.height, note=note)
    return None


def _reports(sample: pl.DataFrame, name: str, claims: Sequence[Claim]) -> dict[str, Any]:
    """Run Great Expectations on the claims' columns; return its report of each claim by the claim's name.

    Its results do not come in the suite's order, so each expectation carries its claim's name.
    """
    import great_expectations as gx
    import great_expectations.expectations as gxe

    suite = gx.ExpectationSuite(
        name=name,
        expectations=[
            getattr(gxe, claim.expectation)(**claim.arguments, meta={"claim": claim.name}) for claim in claims
        ],
    )
    seen = sample.select(sorted({column for claim in claims for column in claim.columns}))
    batch = _batch_definition().get_batch({"dataframe": seen.to_pandas()})
    outcome: Any = batch.validate(
        suite, result_format={"result_format": "BASIC", "partial_unexpected_count": MOST_EXAMPLES}
    )
    return {report.expectation_config.meta["claim"]: report for report in outcome.results}


@cache
def _batch_definition() -> BatchDefinition[Any]:
    """Return the one in-memory context's door for data frames: no files, no telemetry, no progress bars."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all_rows")


def _result(claim: Claim, report: Any, rows: int, looked_at: int) -> ClaimResult:
    found: Mapping[str, Any] = report.result
    unexpected = int(found.get("unexpected_count") or 0)
    share = unexpected / looked_at
    return ClaimResult(
        claim=claim,
        passed=bool(report.success),
        observed=_quantile(found) if claim.expectation == QUANTILES else share,
        rows=rows,
        looked_at=looked_at,
        unexpected=unexpected,
        unexpected_share=share,
        examples=_masked(found.get("partial_unexpected_list", ())) if claim.examples else (),
        note=str(report.exception_info.get("exception_message") or ""),
    )


def _quantile(found: Mapping[str, Any]) -> float | None:
    values = found.get("observed_value", {}).get("values", [None])
    return None if values[0] is None else float(values[0])


def _masked(values: Sequence[Any]) -> tuple[str, ...]:
    """Show numbers as they are, and of anything else the first two characters and the length."""
    distinct = list(dict.fromkeys(values))[:MOST_EXAMPLES]
    return tuple(
        f"{value:.15g}"
        if isinstance(value, int | float | np.number)
        else f"{str(value)[:2]}… ({len(str(value))} characters)"
        for value in distinct
    )
