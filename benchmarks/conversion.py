"""The conversion model beside its rivals: one table, every model in the same run.

    python benchmarks/conversion.py [--data FOLDER] [--home FOLDER] [--only NAME] [--quick] [--json FILE]
    python benchmarks/conversion.py --table FILE --label NAME
    python benchmarks/conversion.py --tune

Bank Marketing and Hillstrom are read from ``--data`` (default ``../shared/datasets``; what is not there
is left out and named). The simulated retailer is the home of a finished demo (``--home``); without one it
is simulated and run first, which takes a few minutes. ``--quick`` is one seed and a small retailer.
``--table`` is any table of your own, CSV or Parquet, with a label of two values; the greater counts as 1.

No choice rests on a test row. ``tasks`` splits each table once; ``--tune`` is handed the training rows
alone, and prints how each recipe does on folds of them (the later fifth of them, where the split is by
time). What was best over all tables became the model's defaults. Its shapes (detailed, smooth, linear,
stepped, branched) the model weighs by itself in ``fit``, which sees training rows only, out of fold; where
rows carry the snapshot at which they stood, one of each kind counts alike.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from customer_profiles.conversion import ConversionModel
from customer_profiles.conversion.baselines import BASELINES, Model, RfmRule, rfm_applies
from customer_profiles.conversion.columns import column_kinds
from customer_profiles.conversion.days import days_among, with_days
from customer_profiles.conversion.metrics import Economics, Measures
from customer_profiles.conversion.snapshots import CATEGORIES, NUMERIC, gather
from customer_profiles.orchestration.demo import prepare_home
from customer_profiles.orchestration.platform import Platform
from customer_profiles.privacy.pseudonyms import Pseudonyms
from customer_profiles.settings import Settings, load_settings
from customer_profiles.simulation.retailer import simulate
from customer_profiles.simulation.truth import conversion_probability

DATASETS = Path(__file__).parents[1] / "../shared/datasets"
RIVALS = ("seed_recipe", "logistic_regression", "hist_gradient_boosting", RfmRule.kind)
METRICS = ("roc_auc", "average_precision", "log_loss", "ece", "expected_over_actual", "lift_10")
COLUMNS = ("dataset", "split", "model", "seed", *METRICS, "seconds")
RAREST = 13
"""Rows of the rarer class that a table needs: four fifths of them are the ten that a training needs."""
RANDOM, IN_TIME = "stratified 80/20", "last fifth in time"
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "detailed": {"shapes": ["detailed"]},
    "smooth": {"shapes": ["smooth"]},
    "linear": {"shapes": ["linear"]},
    "stepped": {"shapes": ["stepped"]},
    "branched": {"shapes": ["branched"]},
    "without branched": {"shapes": ["detailed", "smooth", "linear", "stepped"]},
    "as the platform": {"shapes": ["detailed", "stepped"]},
    "fewer ramps": {"shapes": ["detailed"], "bends": 96},
    "no sparsity": {"shapes": ["detailed"], "sparsity": 0.0},
    "more sparsity": {"shapes": ["detailed"], "sparsity": 2e-5},
    "wider": {"shapes": ["detailed"], "hidden": (128, 64)},
    "faster": {"shapes": ["detailed"], "learning_rate": 3e-3},
    "stronger decay": {"shapes": ["detailed"], "weight_decay": 0.1},
    "more members": {"shapes": ["detailed"], "members": 10},
}
"""What ``--tune`` compares: names of recipes and the arguments of ``ConversionModel``."""


@dataclass(frozen=True)
class Rows:
    """A table, its label, and, where the rows carry them, whose they are and when they stood."""

    frame: pl.DataFrame
    label: np.ndarray
    customer_key: np.ndarray | None = None
    as_of: np.ndarray | None = None

    def at(self, places: np.ndarray) -> Rows:
        """The rows at ``places``."""
        key, as_of = (None if part is None else part[places] for part in (self.customer_key, self.as_of))
        return Rows(self.frame[places], self.label[places], key, as_of)


@dataclass(frozen=True)
class Task:
    """What is learnt, and what is judged. ``planted`` (test rows,) is the true probability, if known."""

    dataset: str
    split: str
    train: Rows
    test: Rows
    planted: np.ndarray | None = None


def tasks(data: Path, home: Path | None, quick: bool, only: str | None) -> Iterator[Task]:
    """Every task whose data are there; the others are named. ``only`` takes one dataset's."""
    real = {"bank": ("bank_marketing.csv", bank), "hillstrom": ("hillstrom.parquet", hillstrom)}
    for name, (file, read) in real.items():
        if only not in (None, name):
            continue
        if (data / file).is_file():
            yield from read(data / file)
        else:
            print(f"left out: {file} is not in {data}")
    if only in (None, "simulated"):
        yield simulated(home, quick)


def own_table(file: Path, label: str) -> Task:
    """A table of the reader's own: rows without a label are left out, the greater of two values is 1."""
    read = pl.read_parquet if file.suffix == ".parquet" else partial(pl.read_csv, infer_schema_length=None)
    try:
        table = read(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SystemExit(f"{file} cannot be read as CSV or Parquet: {error}") from error
    if label not in table.columns:
        raise SystemExit(f"{file} has no column {label!r}; it has {', '.join(table.columns)}")
    known = table.drop_nulls(label)
    values = known[label].unique().sort()
    if len(values) != 2:
        raise SystemExit(f"{label} has {len(values)} different values in {file}: a label has two")
    rarer = int(known[label].value_counts()["count"].to_numpy().min())
    if rarer < RAREST:
        raise SystemExit(f"{rarer} rows of the rarer class in {file} are too few: {RAREST} are needed")
    left_out = (
        f"; {table.height - known.height} rows without one are left out"
        if known.height < table.height
        else ""
    )
    print(f"{label}: {values[1]!r} counts as 1, {values[0]!r} as 0{left_out}")
    target = (known[label] == values[1]).cast(pl.Int8).to_numpy()
    rows = known.drop(label)
    return _at_random(file.stem, Rows(with_days(rows, days_among(rows)), target))


def bank(file: Path) -> Iterator[Task]:
    """Subscribing to a deposit after a call. How long the call took is known only afterwards.

    The file is sorted by date but names only months; the number of months passed is when a row stood.
    """
    table = pl.read_csv(file, separator=";", infer_schema_length=None).drop("duration")
    label = (table["y"] == "yes").cast(pl.Int8).to_numpy()
    month = table["month"].rle_id().to_numpy().astype(np.int64)
    yield _at_random("bank", Rows(table.drop("y"), label))
    yield _in_time("bank", Rows(table.drop("y"), label, as_of=month))


def hillstrom(file: Path) -> Iterator[Task]:
    """Visiting the shop, and buying there, after an e-mail; which e-mail is an input."""
    table = pl.read_parquet(file)
    outcomes = ["visit", "conversion", "spend"]
    features = table.drop(outcomes, "segment", "arm_men", "arm_women", "arm_control")
    for outcome in outcomes[:2]:
        yield _at_random(f"hillstrom {outcome}", Rows(features, table[outcome].to_numpy()))


def simulated(home: Path | None, quick: bool) -> Task:
    """The simulated retailer's last matured snapshot, and the probabilities that were planted in it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(home) if home else _simulate(Path(folder), quick)
        platform = Platform(settings, os.environ)
        with platform.warehouse() as warehouse:
            gathered = gather(warehouse, settings, settings.label.train[0])
        if isinstance(gathered, str):
            raise SystemExit(gathered)
        train, test = gathered.parts
        known = [n for n in (*NUMERIC, *CATEGORIES) if train.features[n].null_count() < len(train)]
        as_of, label = test.as_of[0].item(), settings.label
        true = conversion_probability(settings.home / "truth", as_of, label.gap_days, label.horizon_days)
        keys = Pseudonyms(platform.secrets.pseudonym).keys(true["customer_id"])
    planted = pl.DataFrame({"customer_key": test.customer_key}).join(
        true.with_columns(customer_key=keys), on="customer_key", how="left", maintain_order="left"
    )
    learnt, judged = (
        Rows(part.features.select(known), part.label, part.customer_key, part.as_of) for part in (train, test)
    )
    return Task("simulated retailer", "later day, new customers", learnt, judged, _known(planted))


def _simulate(home: Path, quick: bool) -> Settings:
    from customer_profiles.orchestration.run import run_range

    settings = prepare_home(home)
    print("simulating a retailer and running the platform on it (--home FOLDER takes a finished one)")
    summary = simulate(home, customers=2_000 if quick else 10_000)
    result = run_range(Platform(settings, os.environ), summary.first_day, summary.last_day)
    if not result.succeeded:
        raise SystemExit(f"the platform's run failed: {'; '.join(result.failures)}")
    return settings


def _known(planted: pl.DataFrame) -> np.ndarray:
    return planted["probability"].fill_null(0.0).to_numpy()


def _at_random(dataset: str, rows: Rows) -> Task:
    places = np.arange(len(rows.label))
    train, test = train_test_split(places, test_size=0.2, stratify=rows.label, random_state=42)
    return Task(dataset, RANDOM, rows.at(train), rows.at(test))


def _in_time(dataset: str, rows: Rows) -> Task:
    cut = len(rows.label) * 4 // 5
    return Task(dataset, IN_TIME, rows.at(np.arange(cut)), rows.at(np.arange(cut, len(rows.label))))


def rivals(rows: Rows, seed: int) -> dict[str, Model]:
    """The untrained baselines that suit the table."""
    kinds = column_kinds(rows.frame)
    suitable = [name for name in RIVALS if name != RfmRule.kind or rfm_applies(rows.frame)]
    return {name: BASELINES[name](*kinds, seed) for name in suitable}


def measured(rows: Rows, probability: np.ndarray) -> dict[str, float]:
    """The metrics of one model's probabilities; ties in lists are broken by the row's number."""
    measures = Measures(rows.label, probability, np.arange(len(rows.label)), Economics())
    values = measures.of(np.ones((1, len(rows.label))))
    return {name: float(values[name][0]) for name in METRICS}


def compare(task: Task, seeds: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Train every model once per seed and judge it on the test rows."""
    about = {"dataset": task.dataset, "split": task.split}
    if task.planted is not None:
        yield (
            about
            | {"model": "planted truth", "seed": None, "seconds": 0.0}
            | measured(task.test, task.planted)
        )
    for seed in seeds:
        untrained: dict[str, Model] = {ConversionModel.kind: ConversionModel(seed)}
        for name, model in (untrained | rivals(task.train, seed)).items():
            started = time.monotonic()
            model.fit(task.train.frame, task.train.label, task.train.customer_key, task.train.as_of)
            figures = measured(task.test, model.predict(task.test.frame))
            yield about | {"model": name, "seed": seed, "seconds": time.monotonic() - started} | figures


def tune(dataset: str, split: str, train: Rows) -> Iterator[dict[str, Any]]:
    """How each recipe does on rows of the training set that it did not see; test rows are not here."""
    for name in (*RECIPES, *rivals(train, 0)):
        started, probability = time.monotonic(), np.full(len(train.label), np.nan)
        for learn, hold in _folds(split, train):
            part = train.at(learn)
            model = ConversionModel(0, **RECIPES[name]) if name in RECIPES else rivals(part, 0)[name]
            model.fit(part.frame, part.label, part.customer_key, part.as_of)
            probability[hold] = model.predict(train.frame[hold])
        held = np.flatnonzero(~np.isnan(probability))
        about = {"dataset": dataset, "split": f"training rows, {split}", "model": name, "seed": 0}
        yield about | {"seconds": time.monotonic() - started} | measured(train.at(held), probability[held])


def _folds(split: str, train: Rows) -> list[tuple[np.ndarray, np.ndarray]]:
    places = np.arange(len(train.label))
    if split == IN_TIME:
        cut = len(places) * 4 // 5
        return [(places[:cut], places[cut:])]
    if train.customer_key is None:
        return list(StratifiedKFold(3, shuffle=True, random_state=0).split(places, train.label))
    return list(StratifiedGroupKFold(3).split(places, train.label, train.customer_key))


def print_rows(rows: list[dict[str, Any]]) -> None:
    """One line per dataset, split and model: the mean over the seeds, and the spread if there are several."""
    print(
        f"{'dataset':<21}{'split':<35}{'model':<24}"
        + "".join(f"{name[:12]:>16}" for name in METRICS)
        + "     s"
    )
    groups = pl.DataFrame(rows).group_by("dataset", "split", "model", maintain_order=True)
    for (dataset, split, model), group in groups:
        cells = "".join(f"{_cell(group[name].to_numpy()):>16}" for name in METRICS)
        seconds = group["seconds"].to_numpy().mean()
        print(f"{dataset:<21}{split:<35}{model:<24}{cells}{seconds:>6.1f}")


def _cell(values: np.ndarray) -> str:
    spread = f" ±{np.ptp(values):.3f}" if len(values) > 1 else ""
    return f"{values.mean():.4f}{spread}"


def main() -> None:
    warnings.filterwarnings("ignore", module="dagster")
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--data", type=Path, default=DATASETS, help="folder of the real tables")
    arguments.add_argument("--home", type=Path, help="home of a finished demo, with its truth/")
    arguments.add_argument("--table", type=Path, help="a table of your own instead: CSV or Parquet")
    arguments.add_argument("--label", help="its column with the label")
    arguments.add_argument("--only", choices=("bank", "hillstrom", "simulated"), help="one dataset")
    arguments.add_argument("--quick", action="store_true", help="one seed, a small retailer")
    arguments.add_argument("--tune", action="store_true", help="compare recipes on folds of training rows")
    arguments.add_argument("--json", type=Path, help="also write the rows here")
    chosen = arguments.parse_args()
    if (chosen.table is None) != (chosen.label is None):
        arguments.error("--table and --label belong together")
    rows: list[dict[str, Any]] = []
    asked = (
        [own_table(chosen.table, chosen.label)]
        if chosen.table
        else tasks(chosen.data, chosen.home, chosen.quick, chosen.only)
    )
    for task in asked:
        seeds = range(1 if chosen.quick else 3)
        found = tune(task.dataset, task.split, task.train) if chosen.tune else compare(task, seeds)
        rows += list(found)
        print_rows([row for row in rows if row["dataset"] == task.dataset and task.split in row["split"]])
    if chosen.json:
        chosen.json.write_text(json.dumps([{name: row[name] for name in COLUMNS} for row in rows], indent=1))


if __name__ == "__main__":
    main()
