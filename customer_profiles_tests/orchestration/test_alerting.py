"""From Dagster's event log to messages in a home: folded by cause, told once, nothing lost."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from customer_profiles.collection.reading import DeliveryError
from customer_profiles.definitions import ANCESTORS
from customer_profiles.orchestration.alerts import evaluate, open_alerts, tell
from customer_profiles.orchestration.checks import day_check
from customer_profiles.orchestration.destinations import URLS_VARIABLE, destinations
from customer_profiles.orchestration.observations import log_name, newest_event
from customer_profiles.orchestration.partitions import (
    ALL_DAYS_IN_ONE_RUN,
    DAILY,
    RANGE_END,
    RANGE_START,
    store_days,
)
from customer_profiles.orchestration.platform import Platform
from customer_profiles.quality.finding import Finding
from customer_profiles.settings import Settings, load_settings
from customer_profiles.warehouse.outbox import OutboxError, open_outbox

KEY = dg.AssetKey(["raw", "numbers"])
FIRST = date(2026, 1, 1)
NOW = datetime.now(UTC)
NOBODY = {URLS_VARIABLE: "json://127.0.0.1:9/nobody"}
WRONG, ODD = Finding(False, 3, 0, "three are wrong"), Finding(False, 1, 0, "one is odd", "warn")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path)


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    """One for all: each home has its own cursor, and looks at what its test adds."""
    with dg.instance_for_test() as instance:
        yield instance


def run(
    instance: dg.DagsterInstance,
    settings: Settings,
    findings: Mapping[int, Finding] | None = None,
    *,
    days: int = 3,
    refuse: Mapping[int, Exception] | None = None,
    blocking: bool = False,
) -> None:
    """A range of days of January with these findings, or with days that cannot be stored."""

    def store(day: date) -> Mapping[str, object]:
        if refuse and day.day in refuse:
            raise refuse[day.day]
        return {}

    @dg.asset(key=KEY, partitions_def=DAILY, backfill_policy=ALL_DAYS_IN_ONE_RUN)
    def numbers(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
        store_days(context, platform, store)

    good = Finding(True, 0, 0, "all is well")
    check = day_check(
        KEY.path,
        "numbers_add_up",
        "they add up",
        lambda platform, every: {day: (findings or {}).get(day.day, good) for day in every},
        blocking=blocking,
    )
    definitions = dg.Definitions(
        assets=[numbers],
        asset_checks=[check],
        resources={"platform": Platform(settings, {})},
        jobs=[dg.define_asset_job("everything", executor_def=dg.in_process_executor)],
    )
    definitions.resolve_job_def("everything").execute_in_process(
        instance=instance,
        tags={RANGE_START: str(FIRST), RANGE_END: str(FIRST + timedelta(days=days - 1))},
        raise_on_error=False,
    )


def told(settings: Settings) -> list[str]:
    """The titles of all messages so far."""
    text = "".join(file.read_text() for file in sorted(settings.alerts_folder.glob("*.log")))
    return re.findall(r"^\S+ (\[.+)$", text, flags=re.MULTILINE)


def start(settings: Settings, instance: dg.DagsterInstance) -> None:
    """A home that has read all that other tests left in the log."""
    with open_alerts(settings) as outbox:
        outbox.move(log_name(instance), newest_event(instance), NOW)


def test_a_long_run_with_twelve_old_failing_days_is_one_message(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    run(instance, settings, dict.fromkeys(range(3, 15), ODD), days=31)
    tell(settings, {}, instance, ANCESTORS)
    tell(settings, {}, instance, ANCESTORS)
    assert told(settings) == [
        "[WARN] raw/numbers: numbers_add_up failed on 12 days from 2026-01-03 to 2026-01-14"
    ]
    run(instance, settings, days=20)
    tell(settings, {}, instance, ANCESTORS)
    assert len(told(settings)) == 1


def test_a_failing_newest_day_is_open_until_a_day_passes(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    run(instance, settings, {3: ODD})
    tell(settings, {}, instance, ANCESTORS)
    run(instance, settings, {3: ODD})
    tell(settings, {}, instance, ANCESTORS)
    run(instance, settings, {3: WRONG})
    tell(settings, {}, instance, ANCESTORS)
    run(instance, settings, days=4)
    tell(settings, {}, instance, ANCESTORS)
    failed = "raw/numbers: numbers_add_up failed on 2026-01-03"
    assert told(settings) == [f"[WARN] {failed}", f"[ERROR] worse: {failed}", f"[OK] recovered: {failed}"]


def test_a_run_that_its_blocking_check_stopped_is_one_message(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    run(instance, settings, {3: WRONG}, blocking=True)
    tell(settings, {}, instance, ANCESTORS)
    assert told(settings) == ["[ERROR] raw/numbers: numbers_add_up failed on 2026-01-03"]
    assert "stopped: assets that follow" in next(settings.alerts_folder.glob("*.log")).read_text()


def test_a_blocking_check_of_an_asset_that_nothing_follows_stopped_nothing(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    run(instance, settings, {3: WRONG}, blocking=True)
    tell(settings, {}, instance, {"raw/numbers": frozenset({"raw/digits"}), "raw/digits": frozenset()})
    assert "stopped: assets that follow" not in next(settings.alerts_folder.glob("*.log")).read_text()


def test_a_failed_run_is_told_with_our_own_words_and_recovers_with_the_step(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    run(instance, settings, refuse={2: DeliveryError("numbers of 2026-01-02: it is empty; ask 'Ouyang'")})
    tell(settings, {}, instance, ANCESTORS)
    run(instance, settings)
    tell(settings, {}, instance, ANCESTORS)
    failed = "raw/numbers: run failed"
    assert [title.partition(" on ")[0] for title in told(settings)] == [
        f"[ERROR] {failed}",
        f"[OK] recovered: {failed}",
    ]
    text = next(settings.alerts_folder.glob("*.log")).read_text()
    assert "1 of 3 days failed / numbers of 2026-01-02: it is empty; ask …" in text


def test_a_run_that_a_person_clicked_is_called_so(settings: Settings, instance: dg.DagsterInstance) -> None:
    @dg.asset
    def numbers() -> None:
        raise DeliveryError("the file is empty")

    start(settings, instance)
    by_hand = dg.Definitions(assets=[numbers]).resolve_implicit_global_asset_job_def()
    by_hand.execute_in_process(instance=instance, raise_on_error=False)
    tell(settings, {}, instance, ANCESTORS)
    text = next(settings.alerts_folder.glob("*.log")).read_text()
    assert "what: a run by hand: the file is empty" in text


def test_the_words_of_an_unforeseen_error_are_not_told(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    run(instance, settings, refuse={2: KeyError("Ouyang Plantedname, ouyang@post.example")})
    tell(settings, {}, instance, ANCESTORS)
    text = next(settings.alerts_folder.glob("*.log")).read_text()
    assert "KeyError; its words stand in the run's log alone" in text
    assert "Ouyang" not in text


def test_an_evaluation_that_is_cut_off_loses_nothing(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(settings, instance)
    run(instance, settings, {3: ODD})
    with pytest.raises(RuntimeError), monkeypatch.context() as patch, open_alerts(settings) as outbox:
        patch.setattr(type(outbox), "add", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        evaluate(outbox, settings, {}, instance, ANCESTORS, NOW)
    assert told(settings) == []
    tell(settings, {}, instance, ANCESTORS)
    assert len(told(settings)) == 1


def test_what_cannot_be_sent_waits_longer_each_time_and_goes_to_the_file_at_once(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    run(instance, settings, {3: WRONG})
    seconds, attempts = (0, 5, 11, 20, 32), []
    for second in seconds:
        done = tell(settings, NOBODY, instance, ANCESTORS, now=NOW + timedelta(seconds=second))
        assert (done.sent, done.waiting) == (0, 1)
        with open_alerts(settings) as outbox:
            attempts.append(outbox.waiting()[0].attempts)
    assert attempts == [1, 1, 2, 2, 3]
    assert len(told(settings)) == 1
    with open_alerts(settings) as outbox:
        assert not outbox.waiting()[0].perhaps_arrived


def test_an_outbox_that_was_moved_away_numbers_anew_and_writes_on(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for finding in (WRONG, ODD):
        start(settings, instance)
        run(instance, settings, {3: finding})
        tell(settings, {}, instance, ANCESTORS)
        for file in settings.alerts_folder.glob("outbox.sqlite*"):
            file.rename(file.with_name(f"old-{finding.severity}-{file.name}"))
    failed = "raw/numbers: numbers_add_up failed on 2026-01-03"
    assert told(settings) == [f"[ERROR] {failed}", f"[WARN] {failed}"]


def test_a_process_that_does_not_know_the_address_leaves_the_message_to_one_that_does(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    start(settings, instance)
    tell(settings, NOBODY, instance, ANCESTORS)
    run(instance, settings, {3: WRONG})
    assert tell(settings, {}, instance, ANCESTORS).waiting == 1
    with open_alerts(settings) as outbox:
        (parcel,) = outbox.waiting()
    assert (parcel.destination, parcel.attempts) == (*destinations(NOBODY), 0)
    assert tell(settings, {}, instance, ANCESTORS, now=NOW + timedelta(days=8)).waiting == 0


def test_names_of_addresses_do_not_tell_their_tokens() -> None:
    names = destinations({URLS_VARIABLE: "slack://tokenA/tokenB/tokenC no-url-but-a-token"})
    assert not any("token" in name for name in names)


def test_an_outbox_that_is_none_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(b"no database" * 1000)
    with (
        pytest.raises(OutboxError, match=r"outbox.sqlite cannot be used .*move the file away"),
        open_outbox(tmp_path / "outbox.sqlite"),
    ):
        pass


@pytest.mark.parametrize("in_its_place", ["alerts", "alerts/outbox.sending"])
def test_an_outbox_that_cannot_be_written_is_trouble_of_the_alerts_alone(
    settings: Settings, instance: dg.DagsterInstance, in_its_place: str
) -> None:
    place = settings.home / in_its_place
    if place.parent == settings.home:
        place.write_text("a file in the place of the folder")
    else:
        place.mkdir(parents=True)
    with pytest.raises(OutboxError, match=r"outbox.sqlite cannot be used \("):
        tell(settings, {}, instance, ANCESTORS)
