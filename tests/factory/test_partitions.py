"""Which days the catalog lists of a table, and which of them a run fills."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.project import ROOT

from mystocks_dagster.execution.attempt import Outcome
from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.partitions import LakeWatch, stored_first_days
from mystocks_dagster.factory.report import Report
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import table
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.reader import load_task_file
from mystocks_dagster.tasks.run import TaskResult

FLOW = {"date": date(2024, 3, 5), "concept": "白酒", **dict.fromkeys(("main_net", "small_net"), 0.0)}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    return Settings.from_env()


def store(settings: Settings, day: date) -> None:
    lake = Lake(settings.lake, "real")
    frame = pl.DataFrame([{**FLOW, "date": day}], schema=table("capital_flow_concept").dtypes)
    lake.replace_days("capital_flow_concept", frame, [day])
    record_days(lake, "capital_flow_concept", {day: 1}, source="akshare")


def first_partitions(settings: Settings) -> dict[str, str]:
    definitions = build_definitions(load_task_file(ROOT / "tasks.yaml"), first_days=stored_first_days(settings))
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    return {key: spec.partitions_def.get_first_partition_key() for key, spec in specs.items() if spec.partitions_def}


def test_days_before_the_first_one_of_a_table_are_not_missing(settings: Settings) -> None:
    assert set(first_partitions(settings).values()) == {"2005-01-04"}
    store(settings, date(2024, 3, 5))
    first = first_partitions(settings)
    # The tables of one task are filled together; those of another task, still empty, offer every day.
    assert first["capital_flow_concept"] == first["capital_flow_stock"] == "2024-03-05"
    assert first["daily_bars"] == "2005-01-04"


def test_days_that_are_loaded_before_the_first_one_make_the_servers_look_again(settings: Settings) -> None:
    store(settings, date(2024, 3, 5))
    watch = LakeWatch(settings, stored_first_days(settings))
    assert not watch.reaches_back()
    store(settings, date(2024, 3, 6))
    assert not watch.reaches_back()
    store(settings, date(2024, 3, 4))
    assert watch.reaches_back()


def test_a_lake_in_the_cloud_is_not_asked_while_definitions_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_LAKE", "s3://bucket.invalid/lake")
    assert stored_first_days(Settings.from_env()) == {}


def test_ex_dividend_events_are_up_to_date_for_the_days_whose_bars_were_stored(settings: Settings) -> None:
    spec = build_specs(load_task_file(ROOT / "tasks.yaml"))["daily_data_sync"]
    days = (date(2024, 3, 4), date(2024, 3, 5))
    result = TaskResult(rows={"daily_bars": 10, "adjust_events": 0}, days={"daily_bars": days})
    report = Report(spec=spec, outcome=Outcome(result=result, error=None, seconds=1.0, peak_rss=None, pid=None))
    found = {
        (event.asset_key.to_user_string(), event.partition) for events in report.materializations() for event in events
    }
    assert found == {(key, f"{day}") for key in ("daily_bars", "adjust_events") for day in days}
