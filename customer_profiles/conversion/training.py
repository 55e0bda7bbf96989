"""All that one training found, as a value."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from customer_profiles.conversion.baselines import Model
from customer_profiles.conversion.evaluation import Evaluation
from customer_profiles.conversion.examples import Split
from customer_profiles.conversion.leaks import leaks_in
from customer_profiles.conversion.promotion import CANDIDATE, Decision
from customer_profiles.quality.finding import Finding


@dataclass(frozen=True)
class Training:
    """All that one training found.

    ``models`` maps names to fitted models (the network is ``conversion_network``), ``predictions``
    holds ``customer_key``, ``label`` and a column per model for the test rows, ``findings`` the
    canaries by name, ``not_finite`` the models whose answers to odd rows are no probabilities,
    ``seconds`` what each part took.
    """

    models: dict[str, Model]
    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    parts: Split
    predictions: pl.DataFrame
    evaluation: Evaluation
    findings: dict[str, Finding]
    not_finite: tuple[str, ...]
    decision: Decision
    seconds: dict[str, float]

    @property
    def chosen(self) -> str:
        """The model that is stored: the one to serve, or the network if none is promoted."""
        return self.decision.serve or CANDIDATE

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the stored model must never serve, whoever asks for it."""
        wild = f"{self.chosen} is not finite on odd inputs"
        return leaks_in(self.findings) + ((wild,) if self.chosen in self.not_finite else ())
