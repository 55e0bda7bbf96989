"""Claims that can be true of a table, what came of each, and all of them as one finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from customer_profiles.quality.finding import Finding, Severity


@dataclass(frozen=True)
class Claim:
    """One claim about a table, free of any engine.

    ``expectation`` and ``arguments`` say it in the words of Great Expectations, ``says`` in a
    reader's. ``threshold`` is what an observation is held against. A claim whose ``examples`` is
    False shows no offending values: they could tell of a person.
    """

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    threshold: Any
    says: str
    severity: Severity = "error"
    examples: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the claim is about; none if it is about the table."""
        if "column" in self.arguments:
            return (self.arguments["column"],)
        return tuple(self.arguments.get("column_list", ()))


@dataclass(frozen=True)
class Suite:
    """The claims that are held against one table."""

    name: str
    claims: tuple[Claim, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the suite looks at, each once, in the order of the claims."""
        return tuple(dict.fromkeys(column for claim in self.claims for column in claim.columns))


@dataclass(frozen=True)
class ClaimResult:
    """What came of a claim.

    ``observed`` is the count of rows for a claim about volume, the value for a quantile, and the share
    of unexpected values for all others. ``looked_at`` is below ``rows`` where a sample was taken.
    ``note`` says why there was nothing to hold, or what went wrong.
    """

    claim: Claim
    passed: bool
    observed: Any
    rows: int
    looked_at: int
    unexpected: int = 0
    unexpected_share: float = 0.0
    examples: tuple[str, ...] = ()
    note: str = ""


def finding_of(results: Sequence[ClaimResult]) -> Finding:
    """Sum a suite's results up: an error if a claim of that severity is broken, else a warning."""
    broken = [result for result in results if not result.passed]
    errors = [result for result in broken if result.claim.severity == "error"]
    return Finding(
        passed=not broken,
        value=len(broken),
        threshold=0,
        says=_in_a_sentence(results, broken),
        severity="warn" if broken and not errors else "error",
        details=[_row(result) for result in sorted(results, key=lambda result: result.passed)],
    )


def _in_a_sentence(results: Sequence[ClaimResult], broken: Sequence[ClaimResult]) -> str:
    rows = max((result.rows for result in results), default=0)
    held = f"{len(results) - len(broken)} of {len(results)} claims hold on {rows:,} rows"
    if not broken:
        return held
    return f"{held}; broken: {'; '.join(map(_in_words, broken))}"


def _in_words(result: ClaimResult) -> str:
    """A broken claim in the words of its column's description, with what was seen and what was expected."""
    claim = result.claim
    about = f"{claim.name} ({claim.says})" if claim.says else claim.name
    seen = f"{result.unexpected:,} rows" if result.unexpected else _readable(result.observed)
    examples = f", such as {', '.join(result.examples)}" if result.examples else ""
    expected = f", expected {claim.threshold}" if claim.threshold not in (0, None) else ""
    return f"{about}: {result.note or seen + expected + examples}"


def _readable(observed: Any) -> str:
    return f"{observed:,.6g}" if isinstance(observed, int | float) else str(observed)


def _row(result: ClaimResult) -> dict[str, Any]:
    return {
        "claim": result.claim.name,
        "holds": result.passed,
        "severity": result.claim.severity,
        "observed": result.observed,
        "threshold": result.claim.threshold,
        "unexpected": result.unexpected,
        "unexpected_share": round(result.unexpected_share, 6),
        "examples": ", ".join(result.examples),
        "rows": result.rows,
        "looked_at": result.looked_at,
        "about": result.claim.says,
        "note": result.note,
    }
