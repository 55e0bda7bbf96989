"""A retailer with planted truth: the demo's and the tests' data."""

from customer_profiles.simulation.retailer import SimulationError, SimulationSummary, simulate
from customer_profiles.simulation.truth import TruthError, conversion_probability, order_probabilities

__all__ = [
    "SimulationError",
    "SimulationSummary",
    "TruthError",
    "conversion_probability",
    "order_probabilities",
    "simulate",
]
