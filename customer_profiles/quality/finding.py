"""What a check found: a value that every room's plain check functions return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Finding:
    """One claim held against data.

    ``value`` is what was measured and ``threshold`` what it was held against, both JSON-ready.
    ``says`` tells a reader in one sentence. ``details`` are rows for a table in the UI, ``plot`` a PNG.
    """

    passed: bool
    value: Any
    threshold: Any
    says: str
    severity: Severity = "error"
    details: list[dict[str, Any]] = field(default_factory=list)
    plot: bytes | None = field(default=None, repr=False)
