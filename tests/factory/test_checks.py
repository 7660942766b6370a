"""The asset checks of the tables: one for each question that a declaration asks, run by hand and after a load."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import polars as pl
import pytest
from support.project import Folder

from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.checks import build_table_checks, table_outcomes
from mystocks_dagster.history.reading import read
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.taskfile.reader import load_task_file

EVENTS = """
    from datetime import date
    import polars as pl
    from mystocks_dagster.tasks.run import declares

    @declares(writes=("adjust_events",))
    def events(params, run):
        frame = pl.DataFrame({"symbol": ["600000.SH"], "date": [date(2024, 1, 2)], "ratio": [None]},
                             schema_overrides={"ratio": pl.Float64})
        return {"status": "success", "rows": {"adjust_events": run.lake("real").upsert("adjust_events", frame)}}
"""
TASK = "{task_id: one, task_type: data_sync, task_module: loads, task_function: events}"


@pytest.fixture
def definitions(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.chdir(folder.root)
    folder.write("loads.py", EVENTS)
    path = folder.write("tasks.yaml", f"task_packages: [loads]\ntasks:\n  - {TASK}\n")
    return build_definitions(load_task_file(path))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory, which keeps what runs log."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def test_a_load_shows_the_checks_of_its_table_and_a_failing_one_fails_no_run(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    result = definitions.resolve_job_def("one").execute_in_process(instance=instance)
    assert result.success
    assert outcomes(result) == {"last_run": True, "ratio_unknown": False, "value_rules": True}


def test_materialize_runs_the_checks_too_and_each_runs_by_itself(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    everything = definitions.resolve_implicit_global_asset_job_def()
    result = everything.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("adjust_events")])
    assert result.success
    assert outcomes(result) == {"last_run": True, "ratio_unknown": False, "value_rules": True}
    key = dg.AssetCheckKey(dg.AssetKey("adjust_events"), "ratio_unknown")
    alone = definitions.get_repository_def().get_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection={key}
    )  # fmt: skip
    assert outcomes(alone.execute_in_process(instance=instance)) == {"ratio_unknown": False}


def test_each_table_with_rules_has_its_checks() -> None:
    with_rules = {name for name, table in TABLES.items() if table.rules}
    built = {key.asset_key.to_user_string() for one in build_table_checks(TABLES) for key in one.check_keys}
    assert built == with_rules


def test_what_cannot_be_read_fails_the_check_with_the_reason(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.root)
    table = TABLES["adjust_events"]
    assert [(one.passed, one.description) for one in table_outcomes(table)] == [(True, "Nothing is stored yet.")] * 2
    lake = Lake(str(folder.root / "data"), "real")
    lake.upsert("adjust_events", pl.DataFrame({"symbol": ["600000.SH"], "date": [date(2024, 1, 2)], "ratio": [0.9]}))
    (file,) = (folder.root / "data" / "adjust_events").glob("*.parquet")
    file.unlink()
    outcomes = table_outcomes(table)
    assert [one.passed for one in outcomes] == [False, False]
    assert all("adjust_events" in one.description and "restore" in one.description for one in outcomes)


def test_checks_are_no_executions_of_a_task(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    everything = definitions.resolve_implicit_global_asset_job_def()
    run = everything.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("adjust_events")])
    assert {event.step_key for event in run.all_node_events if event.step_key} == {"one__asset", "adjust_events__check"}
    ((_, executions),) = read(InstanceTables(instance), [run.run_id]).values()
    assert [(record.task, record.status) for record in executions] == [("one", "success")]
