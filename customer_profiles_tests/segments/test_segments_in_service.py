"""The segmentation of a day's customers as it is stored, and fits that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import TrainingDays, TrainingRows
from customer_profiles.projection.service import fit_projection
from customer_profiles.segments.segmentation import Segmentation
from customer_profiles.segments.service import fit_segmentation, load_segmentation, segment_day
from customer_profiles.segments.tables import SEGMENTS
from customer_profiles.segments.traits import SEGMENTATION_TRAITS
from customer_profiles.settings import SegmentSettings
from customer_profiles.warehouse import Session, Warehouse
from customer_profiles.warehouse.artefacts import Fitted

DAY = date(2026, 3, 31)
BEFORE = DAY - timedelta(days=1)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Warehouse(tmp_path / "warehouse.duckdb").session() as session:
        yield session


def profiles(day: date, customers: int = 200, *, alike: bool = False) -> pl.DataFrame:
    """Feature rows of a day: customers ``c0``, ``c1``, ... whose habits never change."""
    draw = np.random.default_rng(0)
    known = {"customer_key": pl.Series([f"c{n}" for n in range(customers)]), "as_of": pl.lit(day)}
    for name in SEGMENTATION_TRAITS:
        known[name] = pl.lit(1) if alike else pl.Series(draw.random(300)[:customers] * 3)
    columns = {
        name: known.get(name, pl.lit(None)).cast(kind) for name, kind in CUSTOMER_FEATURES.schema.items()
    }
    required = {column.name for column in CUSTOMER_FEATURES.columns if not column.nullable}
    rows = pl.DataFrame({"row": range(customers)}).with_columns(**columns).drop("row")
    return rows.with_columns(pl.col(name).fill_null(strategy="zero") for name in required - known.keys())


def training(rows: pl.DataFrame) -> TrainingRows:
    return TrainingRows(rows, TrainingDays((BEFORE,), DAY, DAY), {str(BEFORE): "0"})


def test_a_new_fit_moves_nobody_who_stayed_as_he_was(session: Session) -> None:
    for day in (BEFORE, DAY):
        session.write(CUSTOMER_FEATURES, {"as_of": day}, profiles(day, 200 if day == BEFORE else 210))
    earlier = Segmentation().fit(profiles(BEFORE), SEGMENTATION_TRAITS)
    later = Segmentation().fit(profiles(BEFORE), SEGMENTATION_TRAITS)
    later.names_ = [f"{name} renamed" for name in later.names_]
    segment_day(session, Fitted(earlier, "1", BEFORE), BEFORE)
    segment_day(session, Fitted(later, "2", BEFORE), DAY)
    first, second = (session.frame(SEGMENTS, day, day) for day in (BEFORE, DAY))
    assert first["previous_segment"].null_count() == 200
    known = second.filter(pl.col("previous_segment").is_not_null())
    assert (second.height, known.height) == (210, 200)
    assert (known["previous_segment"] == known["segment"]).all()


@pytest.mark.parametrize(
    ("rows", "projection", "segments"),
    [
        (
            profiles(BEFORE, 1),
            "No projection yet: a projection needs at least two customers to learn from, got 1.",
            "No segments yet: segments need at least 50 customers, got 1.",
        ),
        (
            profiles(BEFORE, 60, alike=True),
            "No projection yet: none of the ",
            "No segments yet: none of the ",
        ),
    ],
)
def test_a_fit_that_cannot_be_is_told_in_a_sentence_and_replaces_nothing(
    tmp_path: Path, rows: pl.DataFrame, projection: str, segments: str
) -> None:
    fit_segmentation(tmp_path, training(profiles(BEFORE)), SegmentSettings())
    standing = load_segmentation(tmp_path)
    told = (
        fit_projection(tmp_path, training(rows), 0.9),
        fit_segmentation(tmp_path, training(rows), SegmentSettings()),
    )
    assert all(isinstance(said, str) for said in told)
    assert (str(told[0]).startswith(projection), str(told[1]).startswith(segments)) == (True, True)
    assert standing is not None
    assert load_segmentation(tmp_path).version == standing.version
