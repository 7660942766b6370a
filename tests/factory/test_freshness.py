"""A table becomes late as time passes: its check turns red when a day is published, and green by that day only."""

from collections.abc import Callable
from datetime import date, datetime

import dagster as dg
import polars as pl
import pytest
from support.object_store import object_store
from support.project import Folder, wait_for

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.freshness import FreshnessWatch
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.instance import open_instance
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import versions, watermarks
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.reader import load_task_file

TASKS = """
tasks:
  - task_id: sync
    task_type: cron
    task_module: mystocks_dagster.tasks.data_sync
    task_function: sync_daily_stock_data
    available_after: "17:30"
    schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}
  - {task_id: boards, task_type: manual, task_module: mystocks_dagster.tasks.market_data,
     task_function: fetch_longhubang_data}
"""
INDICATORS = """
  - {task_id: calc, task_type: cron, task_module: mystocks_dagster.tasks.indicators,
     task_function: calculate_technical_indicators, schedule: {schedule_type: cron, cron_expression: "0 17 * * 1-5"}}
"""
KEY = dg.AssetCheckKey(dg.AssetKey("daily_bars"), "newest_day")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture
def load(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    folder.write("tasks.yaml", TASKS)
    lake = Lake(str(folder.root / "data"), "real")
    return lambda text: put(lake, text)


def put(lake: Lake, text: str) -> None:
    """Store one bar of a day."""
    day = date.fromisoformat(text)
    prices = dict.fromkeys(("open", "high", "low", "close", "prev_close", "amount"), 9.0)
    bar = {"symbol": "600000.SH", "date": day, **prices, "volume": 1, "is_st": False, "suspended": False}
    lake.replace_days("daily_bars", pl.DataFrame([bar], schema=DAILY_BARS.dtypes), [day])
    record_days(lake, "daily_bars", {day: 1}, source="test")


def watch(folder: Folder) -> FreshnessWatch:
    return FreshnessWatch(LoadedFile(version=load_task_file(folder.root / "tasks.yaml")))


def outcomes(watched: FreshnessWatch, monkeypatch: pytest.MonkeyPatch, moment: str) -> list[tuple[str, bool]]:
    monkeypatch.setenv("MYSTOCKS_NOW", f"{moment}+08:00")
    return [(outcome.asset.to_user_string(), outcome.passed) for outcome in watched.due(at(moment))]


def test_it_is_evaluated_when_a_day_is_published_and_after_a_load_and_not_in_between(
    folder: Folder, load: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    load("2026-11-23")
    watched = watch(folder)
    # The manual task's table is not expected on any day.
    assert outcomes(watched, monkeypatch, "2026-11-24T16:00") == [("daily_bars", True)]
    assert outcomes(watched, monkeypatch, "2026-11-24T17:29") == []
    assert outcomes(watched, monkeypatch, "2026-11-24T17:30") == [("daily_bars", False)]
    assert outcomes(watched, monkeypatch, "2026-11-24T17:40") == []
    load("2026-11-20")
    assert outcomes(watched, monkeypatch, "2026-11-24T17:41") == [("daily_bars", False)]
    load("2026-11-24")
    assert outcomes(watched, monkeypatch, "2026-11-24T17:42") == [("daily_bars", True)]
    # Over the weekend nothing becomes late.
    assert outcomes(watched, monkeypatch, "2026-11-24T23:59") == []


def test_indicators_that_are_older_than_their_bars_are_warned_of_after_a_while(
    folder: Folder, load: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    load("2026-11-23")
    folder.write("tasks.yaml", TASKS + INDICATORS)
    lake = Lake(str(folder.root / "data"), "real")

    def compute() -> None:
        seen = watermarks(["MA"], versions(lake, ["daily_bars"]))
        row = pl.DataFrame({"symbol": "600000.SH", "date": [date(2026, 11, 23)], "close_hfq": 9.0})
        lake.replace_all("indicators_daily", INDICATORS_DAILY.typed(row), watermarks=seen)

    compute()
    watched = watch(folder)
    assert ("indicators_daily", True) in outcomes(watched, monkeypatch, "2026-11-24T16:00")
    load("2026-11-24")
    # The task that computes them usually runs within minutes after the load.
    assert outcomes(watched, monkeypatch, "2026-11-24T16:01") == [("daily_bars", True)]
    assert outcomes(watched, monkeypatch, "2026-11-24T16:15") == []
    assert ("indicators_daily", False) in outcomes(watched, monkeypatch, "2026-11-24T16:16")
    assert outcomes(watched, monkeypatch, "2026-11-24T16:40") == []
    compute()
    assert outcomes(watched, monkeypatch, "2026-11-24T16:41") == []
    assert ("indicators_daily", True) in outcomes(watched, monkeypatch, "2026-11-24T16:56")


@pytest.mark.slow
def test_a_lake_at_a_url_is_watched_in_the_background(
    folder: Folder, load: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_store("bucket") as variables:
        for name, value in {**variables, "MYSTOCKS_LAKE": "s3://bucket/lake"}.items():
            monkeypatch.setenv(name, value)
        lake = Lake("s3://bucket/lake", "real")
        put(lake, "2026-11-23")
        watched = watch(folder)
        assert outcomes(watched, monkeypatch, "2026-11-24T17:30") == [], "nobody waits for the store"
        late, there = [("daily_bars", False)], [("daily_bars", True)]
        wait_for(lambda: outcomes(watched, monkeypatch, "2026-11-24T17:30") == late, 60, "the outcome")
        put(lake, "2026-11-24")
        wait_for(lambda: outcomes(watched, monkeypatch, "2026-11-24T18:30") == there, 60, "the new day")
    assert not (folder.root / "data").exists()


def test_the_system_sensor_records_it_in_dagster(
    folder: Folder, load: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    load("2026-11-23")
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T17:30:00+08:00")
    definitions = build_definitions(load_task_file(folder.root / "tasks.yaml"))
    sensor = definitions.get_repository_def().get_sensor_def("system__sensor")
    with open_instance(Settings.from_env()) as instance:
        sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([KEY])[KEY]
        assert record.evaluation is not None
        assert (record.evaluation.passed, record.evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert "mystocks run sync" in (record.evaluation.description or "")


def test_after_a_load_that_failed_before_its_checks_the_sensor_goes_on_and_stores_them(
    folder: Folder, load: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    load("2026-11-23")
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T17:30:00+08:00")
    definitions = build_definitions(load_task_file(folder.root / "tasks.yaml")).get_repository_def()
    checks = {KEY, dg.AssetCheckKey(dg.AssetKey("task_file"), "loads")}
    checks.add(dg.AssetCheckKey(dg.AssetKey("trading_calendar"), "covers_next_30_days"))
    with open_instance(Settings.from_env()) as instance:
        storage = instance.event_log_storage
        for key in checks:
            job = definitions.get_job("__ASSET_JOB").get_subset(asset_check_selection={key})
            run = instance.create_run_for_job(job)
            instance.report_run_failed(run, "the upstream does not answer")
        planned = storage.get_latest_asset_check_execution_by_key([*checks])
        assert {record.status.value for record in planned.values()} == {"PLANNED"}
        definitions.get_sensor_def("system__sensor").evaluate_tick(dg.build_sensor_context(instance=instance))
        stored = storage.get_latest_asset_check_execution_by_key([*checks])
        assert all(isinstance(stored[key].evaluation, dg.AssetCheckEvaluation) for key in checks)


def test_an_outcome_that_could_not_be_stored_comes_again(
    folder: Folder, load: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    load("2026-11-24")
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T17:30:00+08:00")
    watched = watch(folder)
    begun = watched.due(at("2026-11-24T17:30"))
    next(begun)
    del begun  # as when the database is locked while it is stored
    assert outcomes(watched, monkeypatch, "2026-11-24T17:31") == [("daily_bars", True)]
    assert outcomes(watched, monkeypatch, "2026-11-24T17:32") == []
