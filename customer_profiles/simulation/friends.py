"""The friend graph in which buying spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_profiles.simulation.shoppers import Population


@dataclass(frozen=True)
class FriendGraph:
    """Ties between customer numbers; ``source`` hears of what ``target`` buys."""

    source: np.ndarray
    target: np.ndarray
    degree: np.ndarray  # ties out of each customer

    def buyers_among_friends(self, bought: np.ndarray) -> np.ndarray:
        """For each customer, how many friends are marked in the boolean ``bought``."""
        hears = bought[self.target]
        return np.bincount(self.source[hears], minlength=self.degree.size)


def befriend(people: Population, rng: np.random.Generator) -> FriendGraph:
    """Ties with more weight on the own type; about six in ten go both ways."""
    ties = rng.poisson(people.of_type("friends"))
    source = np.repeat(np.arange(people.size), ties)
    target = rng.integers(0, people.size, source.size)
    alike = rng.random(source.size) < 0.6
    for kind in range(people.shopper_type.max() + 1):
        members = np.flatnonzero(people.shopper_type == kind)
        mine = np.flatnonzero(alike & (people.shopper_type[source] == kind))
        target[mine] = members[rng.integers(0, members.size, mine.size)] if members.size else target[mine]
    back = rng.random(source.size) < 0.6
    both = np.concatenate([source, target[back]]), np.concatenate([target, source[back]])
    pairs = np.unique(both[0] * people.size + both[1])
    pairs = pairs[pairs // people.size != pairs % people.size]
    source, target = pairs // people.size, pairs % people.size
    return FriendGraph(source, target, np.bincount(source, minlength=people.size))
