"""What came before among many rows, in eight bytes a row."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

DIGITS = 16
"""Hexadecimal digits of eight bytes."""
LONGEST_RUN = 1 << 23
"""Numbers in a run from which on it is merged with no other: a merge holds both runs twice."""
Numbers = npt.NDArray[np.uint64]


class Met:
    """Numbers that were met so far, in sorted runs: one is merged with those before that are not longer."""

    def __init__(self) -> None:
        self.runs: list[Numbers] = []

    def again(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        """Add numbers. Returns of each whether it came before: in an earlier call, or earlier in this one."""
        order = numbers.argsort(kind="stable")
        run = numbers[order]
        before = np.zeros(len(run), dtype=bool)
        before[1:] = run[1:] == run[:-1]
        for earlier in self.runs:
            before |= earlier[np.searchsorted(earlier, run).clip(max=len(earlier) - 1)] == run
        self._keep(run)
        told = np.empty_like(before)
        told[order] = before
        return told

    def _keep(self, run: Numbers) -> None:
        while self.runs and len(self.runs[-1]) <= len(run) < LONGEST_RUN:
            run = np.concatenate([self.runs.pop(), run])
            run.sort(kind="stable")  # two runs that are in order, which it merges
        if len(run):
            self.runs.append(run)


class Repeats:
    """How often digests came before. Only those that came twice are counted by themselves."""

    def __init__(self) -> None:
        self.seen = Met()
        self.counts: Counter[str] = Counter()

    def met(self, digests: list[str]) -> dict[int, int]:
        """Add digests. Returns, by place among them, which of its kind each is that is not the first."""
        heads = np.array([int(digest[:DIGITS], 16) for digest in digests], dtype=np.uint64)
        numbers = {}
        for place in self.seen.again(heads).nonzero()[0].tolist():
            digest = digests[place]
            self.counts[digest] = max(self.counts[digest], 1) + 1
            numbers[place] = self.counts[digest]
        return numbers
