"""How often a line came before in a long file, in eight bytes a line."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

DIGITS = 16
"""Hexadecimal digits of eight bytes."""


class Repeats:
    """Digests that were met so far.

    Eight bytes of each are kept in sorted runs, of which no two have alike sizes: a run is merged with
    one that is not longer. Only digests that came twice are counted by themselves.
    """

    def __init__(self) -> None:
        self.runs: list[npt.NDArray[np.uint64]] = []
        self.counts: Counter[str] = Counter()

    def met(self, digests: list[str]) -> dict[int, int]:
        """Add digests. Returns, by place among them, which of its kind each is that is not the first."""
        heads = np.array([int(digest[:DIGITS], 16) for digest in digests], dtype=np.uint64)
        order = heads.argsort(kind="stable")
        run = heads[order]
        again = np.zeros(len(heads), dtype=bool)
        again[order[1:][run[1:] == run[:-1]]] = True  # within these: all but the first
        known = np.zeros(len(heads), dtype=bool)
        for earlier in self.runs:
            known |= earlier[np.searchsorted(earlier, heads).clip(max=len(earlier) - 1)] == heads
        self._keep(run)
        numbers = {}
        for place in (known | again).nonzero()[0].tolist():
            digest = digests[place]
            self.counts[digest] = max(self.counts[digest], 1) + 1
            numbers[place] = self.counts[digest]
        return numbers

    def _keep(self, run: npt.NDArray[np.uint64]) -> None:
        while self.runs and len(self.runs[-1]) <= len(run):
            run = np.union1d(self.runs.pop(), run)
        if len(run):
            self.runs.append(run)
