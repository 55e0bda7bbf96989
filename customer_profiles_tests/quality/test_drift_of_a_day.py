"""A day that differs is found, a day that does not is left alone, and chance is called chance."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from customer_profiles.contracts.stored import day_number
from customer_profiles.quality.drift import drift_of_day
from customer_profiles.quality.drift_table import finding
from customer_profiles.quality.history import histories
from customer_profiles.quality.references import World
from customer_profiles.settings import DriftLimits, DriftSettings

START = date(2026, 1, 5)
SETTINGS = DriftSettings()


class Table:
    """Days of a table, as counts: 1,000 rows a day of spend, channel and sometimes-missing coupons."""

    def __init__(self, days: int = 42, rows: int = 1000, seed: int = 1) -> None:
        self.random, self.days, self.rows = np.random.default_rng(seed), days, rows
        self.day = {number: self.usual(number) for number in range(days)}

    def usual(
        self, number: int, *, times: float = 1.0, web: float = 0.4, missing: float = 0.01, part: float = 1.0
    ):
        rows = self.random.poisson(self.rows * part)
        spend = np.floor(self.random.lognormal(9, 0.8, rows) * times)
        names = ["web", "app", "store"]
        return {
            ("(rows)", "rows"): {None: rows},
            ("coupon", "missing"): {None: self.random.binomial(rows, missing)},
            ("spend", "number"): dict(zip(*np.unique(_low(spend), return_counts=True), strict=True)),
            ("channel", "category"): dict(
                zip(names, self.random.multinomial(rows, [web, 0.5, 0.5 - web]), strict=True)
            ),
        }

    def alarms(self, days: range) -> dict[int, dict[str, str]]:
        known = self.histories()
        found = {
            day: {
                drift.column_name: drift.verdict
                for drift in drift_of_day(known, day_number(START) + day, World(), SETTINGS)
                if drift.verdict in ("warn", "error")
            }
            for day in days
        }
        return {day: columns for day, columns in found.items() if columns}

    def verdicts(self, number: int, world: World | None = None, settings: DriftSettings = SETTINGS):
        found = drift_of_day(self.histories(), day_number(START) + number, world or World(), settings)
        return {(drift.column_name, drift.reference): drift for drift in found}

    def drifted(self, number: int, **options) -> dict[str, str]:
        found = self.verdicts(number, **options).values()
        return {
            drift.column_name: drift.verdict
            for drift in reversed(found)
            if drift.verdict in ("warn", "error")
        }

    def histories(self):
        rows = [
            {
                "delivery_day": START + timedelta(days=number),
                "table_name": "orders",
                "model_version": "",
                "column_name": column,
                "kind": kind,
                "number": float(bin_) if kind == "number" else None,
                "category": bin_ if kind == "category" else None,
                "rows": int(count),
            }
            for number, day in self.day.items()
            for (column, kind), bins in day.items()
            for bin_, count in bins.items()
            if count or kind in ("rows", "missing")
        ]
        return list(histories(pl.DataFrame(rows, infer_schema_length=None), "delivery_day"))


def _low(values):
    width = 2.0 ** np.floor(np.log2(np.maximum(values, 1))) / 64
    return np.floor(values / width) * width


@pytest.fixture
def table() -> Table:
    return Table()


def test_quiet_days_are_left_alone(table):
    assert table.alarms(range(7, 42)) == {}


@pytest.mark.parametrize(
    ("change", "column", "least"),
    [
        ({"times": 1.3}, "spend", "warn"),
        ({"times": 100}, "spend", "error"),
        ({"times": 0.01}, "spend", "error"),
        ({"web": 0.5}, "channel", "error"),
        ({"web": 0.3}, "channel", "warn"),
        ({"missing": 0.06}, "coupon", "warn"),
        ({"missing": 1.0}, "coupon", "error"),
        ({"part": 0.7}, "(rows)", "warn"),
        ({"part": 0.2}, "(rows)", "error"),
    ],
)
def test_a_planted_change_is_found_on_its_first_day(table, change, column, least):
    table.day[41] = table.usual(41, **change)
    assert table.drifted(41).get(column) == least


def test_a_category_that_nobody_knew_is_named(table):
    table.day[41]["channel", "category"] = {"web": 400, "app": 450, "fax": 150}
    drift = table.verdicts(41)["channel", "trailing"]
    assert (drift.verdict, drift.unseen) == ("error", "fax")


def test_a_slow_drift_of_one_percent_a_day_is_found_within_fourteen_days():
    table = Table(days=64)
    for number in range(50, 64):
        table.day[number] = table.usual(number, times=1.01 ** (number - 49))
    assert any("spend" in columns for columns in table.alarms(range(50, 64)).values())
    assert ("spend", "earlier") in table.verdicts(63)


def test_rows_that_creep_down_by_one_percent_a_day_are_found_and_growth_is_not():
    table = Table(days=70, rows=5000)
    for number in range(70):
        crept = 0.99 ** max(number - 55, 0)
        table.day[number] = table.usual(number, part=1.002**number * crept)
    assert table.alarms(range(7, 56)) == {}
    assert any("(rows)" in columns for columns in table.alarms(range(56, 70)).values())
    assert table.verdicts(69)["(rows)", "earlier"].statistic == "slow"


def test_a_fortnight_unlike_all_others_is_told_and_breaks_nothing():
    table = Table(days=70, rows=5000)
    for number in range(56, 70):
        table.day[number] = table.usual(number, part=0.01)
    assert table.alarms(range(56, 70)).keys() == set(range(56, 70))


def test_a_weekly_rhythm_is_no_drift_and_a_broken_sunday_is():
    table = Table(days=63)
    for number in range(63):
        sunday = (START + timedelta(days=number)).isoweekday() == 7
        table.day[number] = table.usual(number, web=0.1 if sunday else 0.4, part=0.5 if sunday else 1.0)
    assert table.alarms(range(28, 63)) == {}
    table.day[62] = table.usual(62, web=0.25, part=0.3)
    assert table.drifted(62) == {"channel": "warn", "(rows)": "warn"}


def test_profiles_computed_a_quarter_ago_do_not_tell_how_many_are_usual_now():
    """A cohort that dwindles: snapshots for training, 91 days apart, then a fortnight of days."""
    table = Table(days=0, rows=2300)
    for number in (0, 91, 182, 273, 364, 455):
        table.day[number] = table.usual(number, times=2.0)
    for number in range(457, 471):
        table.day[number] = table.usual(number, part=0.35)
    for number in range(457, 471):
        assert table.drifted(number, world=World(panel=True)) == {}
    assert table.alarms(range(457, 471))
    table.day[470] = table.usual(470, part=0.1)
    assert table.drifted(470, world=World(panel=True)) == {"(rows)": "error"}


def test_growth_and_a_holiday_peak_are_no_drift():
    table = Table(days=150)
    for number in range(150):
        peak = 2.0 if 100 <= number < 105 else 1.0
        table.day[number] = table.usual(number, part=peak * 1.002**number)
    assert table.alarms(range(7, 150)) == {}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("growth", [1.0, 1.002, 1.006])
def test_thirty_percent_fewer_rows_are_found_though_rows_grow_and_peak(seed, growth):
    random, table = np.random.default_rng(seed), Table(days=0)
    weekday = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.35, 1.25])
    rows = [
        5000 * weekday[day % 7] * growth**day * (2.0 if 70 <= day < 75 else 1.0) * random.lognormal(0, 0.05)
        for day in range(110)
    ]
    table.day = {day: {("(rows)", "rows"): {None: round(count)}} for day, count in enumerate(rows)}
    assert table.alarms(range(42, 110)) == {}
    found = 0
    for day in range(90, 110):
        usual, table.day[day] = table.day[day], {("(rows)", "rows"): {None: round(0.7 * rows[day])}}
        found += table.drifted(day) == {"(rows)": "warn"}
        table.day[day] = usual
    assert found >= 19  # a day that chance raises by 15 % lacks less than 20 %


def test_days_that_always_differ_must_differ_more():
    table = Table(days=42)
    for number in range(41):
        table.day[number] = table.usual(number, times=float(np.exp(table.random.normal(0, 0.3))))
    table.day[41] = table.usual(41, times=1.3)
    assert "spend" not in table.drifted(41)
    assert table.verdicts(41)["spend", "trailing"].verdict in ("chance", "stable")


def test_small_samples_say_so_and_few_days_too(table):
    small = Table(rows=40)
    small.day[41] = small.usual(41, times=100)
    assert small.verdicts(41)["spend", "trailing"].verdict == "too few rows"
    assert table.verdicts(3)["spend", "trailing"].verdict == "too few days"


def test_the_frozen_reference_is_shown_beside_the_trailing_one_and_only_it_sees_an_old_change(table):
    for number in range(10, 42):
        table.day[number] = table.usual(number, times=2)
    world = World({"orders": [day_number(START) + number for number in range(8)]}, frozen_is_error=True)
    told = table.verdicts(41, world)
    assert told["spend", "trailing"].verdict == "stable"
    assert told["spend", "frozen"].verdict == "error"
    assert told["spend", "frozen"].reference_rows == pytest.approx(8_000, rel=0.05)
    assert table.verdicts(41, World(world.frozen))["spend", "frozen"].verdict == "warn"


def test_a_home_that_has_outgrown_its_model_warns(table):
    world = World({"orders": [day_number(START) + number for number in range(8)]}, frozen_is_error=True)
    for part, verdict in ((1.4, "error"), (1.6, "warn")):
        for number in range(10, 42):
            table.day[number] = table.usual(number, times=2, part=part)
        assert table.verdicts(41, world)["spend", "frozen"].verdict == verdict


def test_what_counts_all_history_is_compared_with_the_days_just_before(table):
    for number in range(42):
        table.day[number] = table.usual(number, times=1 + number / 10)
    growing = World(growing=frozenset({("orders", "spend")}), first_day=day_number(START))
    assert "spend" not in table.drifted(30, world=growing)
    assert table.verdicts(30, growing)["spend", "newest"].reference_rows == pytest.approx(2_000, rel=0.1)
    assert table.verdicts(5, growing)["spend", "newest"].verdict == "too few days"
    table.day[41] = table.usual(41, times=30)
    assert table.drifted(41, world=growing)["spend"] == "error"


@pytest.mark.parametrize("first_number", [20, 150, 1_000])
def test_customers_who_all_signed_up_on_one_day_grow_older_and_nothing_drifts(table, first_number):
    tenure, known = ("tenure", "number"), frozenset({("orders", "tenure")})
    shop = World(growing=known, ageing=known, first_day=day_number(START), panel=True)
    for number in range(42):
        table.day[number][tenure] = {_low(first_number + number): 990, _low(number + 1): 10}
    for number in (20, 30, 41):
        assert "tenure" not in table.drifted(number, world=shop)
        older = World(growing=known, ageing=known, first_day=day_number(START) - 5_000, panel=True)
        assert "tenure" not in table.drifted(number, world=older)
    table.day[41][tenure] = {_low(first_number + 41 + 60): 990, _low(42): 10}
    assert table.drifted(41, world=shop)["tenure"] == "error"


def test_thresholds_are_those_of_the_column_if_it_has_some(table):
    table.day[41] = table.usual(41, times=1.3)
    patient = DriftSettings(columns={"orders.spend": DriftLimits(level_warn=0.5, warn=0.5, error=0.6)})
    assert "spend" not in table.drifted(41, settings=patient)


def test_an_empty_day_of_a_daily_table_is_an_error_and_of_a_rare_one_is_not(table):
    table.day[41] = {("(rows)", "rows"): {None: 0}, ("coupon", "missing"): {None: 0}}
    assert table.drifted(41) == {"(rows)": "error"}
    for number in range(0, 41, 2):
        table.day[number] = table.day[41]
    assert table.drifted(41) == {}


def test_a_finding_names_the_worst_first_in_one_sentence(table):
    table.day[41] = table.usual(41, times=100, web=0.5)
    told = finding([vars(drift) for drift in table.verdicts(41).values()])
    assert (told.passed, told.severity) == (False, "error")
    assert told.says.startswith("2 of 4 columns have drifted: spend: psi ")
    assert [row["column_name"] for row in told.details][:2] == ["spend", "channel"]
    assert list(told.details[0])[:3] == ["column_name", "verdict", "moved"]
    assert float("inf") not in {row["error"] for row in told.details}
    assert finding([]).passed
