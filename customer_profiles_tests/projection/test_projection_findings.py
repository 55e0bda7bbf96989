"""Broken components are found, and pictures are pictures."""

from __future__ import annotations

import numpy as np
import polars as pl

from customer_profiles.projection.findings import components_are_finite, variance_is_reached
from customer_profiles.projection.plots import component_scatter, explained_variance_plot
from customer_profiles.projection.projection import Projection

PNG = b"\x89PNG"


def fitted() -> Projection:
    random = np.random.default_rng(3)
    frame = pl.DataFrame({name: random.normal(size=200) for name in "abcdef"})
    return Projection(0.8).fit(frame, list("abcdef"))


def test_a_component_that_is_null_or_not_finite_is_counted_where_it_is():
    components = pl.DataFrame(
        {
            "customer_key": ["x", "y", "z"],
            "component_1": [0.5, None, float("nan")],
            "component_2": [1.0, float("inf"), 2.0],
        }
    )

    finding = components_are_finite(components)

    assert not finding.passed
    assert finding.value == 3
    assert finding.details == [
        {"component": "component_1", "not_finite": 2},
        {"component": "component_2", "not_finite": 1},
    ]
    assert components_are_finite(components.head(1)).passed
    assert components_are_finite(components.clear()).passed


def test_variance_that_is_not_reached_is_found():
    projection = fitted()
    assert variance_is_reached(projection).passed

    projection.explained_variance_ratio_ = projection.explained_variance_ratio_ / 2
    finding = variance_is_reached(projection)

    assert not finding.passed
    assert finding.value < finding.threshold == 0.8


def test_plots_are_drawn_also_without_customers():
    random = np.random.default_rng(3)
    keys = [str(number) for number in range(300)]
    components = pl.DataFrame(
        {
            "customer_key": keys,
            "component_1": random.normal(size=300),
            "component_2": random.normal(size=300),
        }
    )
    segments = pl.DataFrame({"customer_key": keys[:200], "segment": ["Night owls", "Bargain hunters"] * 100})

    assert explained_variance_plot(fitted()).startswith(PNG)
    assert component_scatter(components, segments).startswith(PNG)
    assert component_scatter(components, segments) == component_scatter(components.reverse(), segments)
    assert component_scatter(components.clear(), segments).startswith(PNG)
    assert component_scatter(components.drop("component_2"), segments).startswith(PNG)
