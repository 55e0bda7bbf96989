"""A small home in which a model can be trained: profiles of three snapshots, and who bought."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
import yaml

from customer_profiles.cleaning.tables import CLEANED
from customer_profiles.collection.tables import DELIVERIES
from customer_profiles.conversion import plots, train
from customer_profiles.conversion.artefacts import STORABLE
from customer_profiles.conversion.assets import ASSETS
from customer_profiles.conversion.baselines import BASELINES, Logistic
from customer_profiles.features.tables import CUSTOMER_FEATURES
from customer_profiles.features.training import training_rows
from customer_profiles.orchestration.platform import Platform
from customer_profiles.projection.service import fit_projection
from customer_profiles.settings import Settings, load_settings

FIRST = date(2026, 1, 1)
SNAPSHOTS = [date(2026, 1, 9) + timedelta(days=6 * place) for place in range(3)]
LAST = date(2026, 1, 29)
CUSTOMERS = 1_500
SETTINGS: dict[str, Any] = {
    "label": {"gap_days": 1, "horizon_days": 5, "maturity_days": 2, "smallest_history_days": 3},
    "conversion": {"bootstrap_rounds": 60, "smallest_positives": 20},
}
KEYS = sorted(hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(CUSTOMERS))
EPOCH = date(1970, 1, 1)


@dataclass
class ModelHome:
    """A home's platform, and what it takes to train and score in it."""

    platform: Platform
    last: date = LAST

    @property
    def settings(self) -> Settings:
        return self.platform.settings

    def profiles(self, day: date) -> pl.DataFrame:
        with self.platform.warehouse() as session:
            return session.frame(CUSTOMER_FEATURES, day, day)

    def materialize(self, *names: str, first: date = LAST, last: date = LAST) -> Any:
        """Materialize models/conversion, profiles/conversion_scores or both, with their blocking checks."""
        assets = [asset for asset in ASSETS if asset.key.path[-1] in names]
        tags = {
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
        }
        return dg.materialize(
            assets,
            resources={"platform": self.platform},
            instance=dg.DagsterInstance.ephemeral(),
            tags=tags if "conversion_scores" in names else None,
            raise_on_error=False,
        )


def profiles(day: date) -> tuple[pl.DataFrame, list[str]]:
    """Profiles as of a day, of which few traits are known, and who buys afterwards."""
    draw = np.random.default_rng(day.toordinal())
    orders, since = draw.poisson(1.5, CUSTOMERS), draw.integers(0, 90, CUSTOMERS)
    known = {
        "as_of": [day] * CUSTOMERS,
        "customer_key": KEYS,
        "orders_lifetime": orders,
        "days_since_last_order": [int(s) if o else None for s, o in zip(since, orders, strict=True)],
        "tenure_days": draw.integers(0, 400, CUSTOMERS),
        "sessions_30": draw.poisson(4, CUSTOMERS),
        "average_order_minor": draw.integers(500, 5_000, CUSTOMERS),
        "gender": draw.choice(["female", "male"], CUSTOMERS),
        "consent_marketing_email": draw.random(CUSTOMERS) < 0.9,
        "eligible_for_scoring": [True] * CUSTOMERS,
    }
    frame = pl.DataFrame(known, strict=False)
    unknown = [pl.lit(None).alias(name) for name in CUSTOMER_FEATURES.schema if name not in known]
    frame = frame.with_columns(unknown).select(
        pl.col(name).cast(kind) for name, kind in CUSTOMER_FEATURES.schema.items()
    )
    logit = 0.9 * orders - since / 60 - 1.5
    bought = draw.random(CUSTOMERS) < 1 / (1 + np.exp(-logit))
    return frame, [key for key, chosen in zip(KEYS, bought, strict=True) if chosen]


def order_lines(as_of: date, buyers: list[str]) -> pl.DataFrame:
    """One paid order for each buyer in the label window of a day."""
    day = as_of + timedelta(days=3)
    known = {
        "delivery_day": [day] * len(buyers),
        "source": ["orders.csv"] * len(buyers),
        "row_number": range(1, len(buyers) + 1),
        "order_id": [f"{as_of} {key}" for key in buyers],
        "line_number": [1] * len(buyers),
        "customer_key": buyers,
        "ordered_day": [(day - EPOCH).days] * len(buyers),
        "quantity": [1] * len(buyers),
        "status_day": [(day - EPOCH).days] * len(buyers),
        "status": ["paid"] * len(buyers),
        "amount_minor": [1_000] * len(buyers),
        "category": ["shoes"] * len(buyers),
        "status_at": [day] * len(buyers),
    }
    return pl.DataFrame(
        {
            name: pl.Series(known[name]).cast(kind)
            if name in known
            else pl.Series([None] * len(buyers), dtype=kind)
            for name, kind in CLEANED["orders"].schema.items()
        }
    )


def fill(platform: Platform, plant: Callable[[pl.DataFrame, list[str]], pl.DataFrame] | None = None) -> None:
    """Write deliveries, orders and profiles; ``plant`` may put the future into the profiles."""
    with platform.warehouse() as session:
        days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
        for day in days:
            file = {
                "delivery_day": day,
                "table_name": "orders",
                "source": "orders.csv",
                "bytes": 1,
                "sha256": "",
                "rows": 1,
            }
            partition = {"delivery_day": day, "table_name": "orders"}
            session.write(DELIVERIES, partition, pl.DataFrame([file], schema=DELIVERIES.schema))
        for day in [*SNAPSHOTS, LAST]:
            frame, buyers = profiles(day)
            session.write(CUSTOMER_FEATURES, {"as_of": day}, plant(frame, buyers) if plant else frame)
            if day != LAST:
                lines = order_lines(day, buyers)
                session.write(CLEANED["orders"], {"delivery_day": lines["delivery_day"][0]}, lines)
        rows = training_rows(session, platform.settings.label)
    assert not isinstance(rows, str), rows
    fit_projection(platform.settings.models, rows, 0.9)


class InPlaceOfTheNetwork(Logistic):
    """A regression that stands where the network stands: what is told of it is not how good it is."""

    kind = "conversion_network"

    def __init__(self, seed: int = 0, *, numeric: Any = (), categories: Any = (), **others: Any) -> None:
        super().__init__(numeric, categories)


@pytest.fixture(scope="module")
def quick_training() -> Any:
    """Trainings without TensorFlow, and with one chart of six."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "ConversionModel", InPlaceOfTheNetwork)
        patch.setitem(STORABLE, "conversion_network", InPlaceOfTheNetwork)
        patch.delitem(BASELINES, "seed_recipe")
        patch.setattr(plots, "charts_of", lambda *_: {"Chart: deciles": plots.decile_chart})
        yield


@pytest.fixture(scope="module")
def new_model_home(
    tmp_path_factory: pytest.TempPathFactory, quick_training: None
) -> Callable[..., ModelHome]:
    """``new_model_home(plant=None, **settings)``: a filled home in which nothing was trained."""

    def make(plant: Any = None, **changed: dict[str, Any]) -> ModelHome:
        settings = {section: values | changed.get(section, {}) for section, values in SETTINGS.items()}
        folder = tmp_path_factory.mktemp("models")
        (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
        home = ModelHome(Platform(load_settings(folder), {}))
        fill(home.platform, plant)
        return home

    return make


@pytest.fixture(scope="module")
def trained_home(new_model_home: Callable[..., ModelHome]) -> tuple[ModelHome, Any]:
    """A home in which a model was trained and the newest day was scored, and the run. Not to be changed."""
    home = new_model_home()
    return home, home.materialize("conversion", "conversion_scores")
