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


def started(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.step_key or "" for event in result.all_node_events if event.event_type_value == "STEP_START"}


CONTRACT = {"keys_unique": True, "required_values": True, "witnesses_agree": True}


def test_a_load_shows_the_checks_of_its_table_and_a_warning_fails_no_run(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    result = definitions.resolve_job_def("one").execute_in_process(instance=instance)
    assert result.success
    assert outcomes(result) == {"last_run": True, "ratio_unknown": False, "value_rules": True, **CONTRACT}


def test_materialize_runs_the_checks_too_and_each_runs_by_itself(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    everything = definitions.resolve_implicit_global_asset_job_def()
    result = everything.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("adjust_events")])
    assert result.success
    assert outcomes(result) == {"last_run": True, "ratio_unknown": False, "value_rules": True, **CONTRACT}
    key = dg.AssetCheckKey(dg.AssetKey("adjust_events"), "ratio_unknown")
    alone = definitions.get_repository_def().get_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection={key}
    )  # fmt: skip
    assert outcomes(alone.execute_in_process(instance=instance)) == {"ratio_unknown": False}


def test_each_table_has_its_checks_and_each_says_what_to_do() -> None:
    specs = [spec for one in build_table_checks(TABLES) for spec in one.check_specs]
    assert {spec.asset_key.to_user_string() for spec in specs} == set(TABLES)
    assert {spec.name for spec in specs if spec.blocking} == {"keys_unique", "required_values", "prev_close_explained"}
    assert [spec.name for spec in specs if "mystocks " not in (spec.description or "")] == []


def test_the_failing_rows_are_a_table_in_the_metadata_of_the_check(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    result = definitions.resolve_job_def("one").execute_in_process(instance=instance)
    (failed,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    rows = failed.metadata["mystocks/first_failing"]
    assert isinstance(rows, dg.TableMetadataValue)
    assert [record.data for record in rows.records] == [
        {"symbol": "600000.SH", "date": "2024-01-02", "ratio": None, "rule": "ratio_unknown"}
    ]
    assert failed.metadata["mystocks/failing_rows"].value == 1


BARS = """
    from datetime import date
    import polars as pl
    from mystocks_dagster.market.tables.market import DAILY_BARS
    from mystocks_dagster.tasks.run import declares

    @declares(writes=("daily_bars",))
    def bars(params, run):
        bar = dict.fromkeys(("open", "high", "low", "close", "amount"), 9.)
        bar |= {"symbol": "600000.SH", "volume": 1, "is_st": False, "suspended": False}
        rows = [bar | {"date": date(2024, 1, day), "prev_close": stated}
                for day, stated in ((2, 9.), (3, params.get("stated", 8.)))]
        frame = pl.DataFrame(rows, schema=DAILY_BARS.dtypes)
        written = run.lake("real").replace_days("daily_bars", frame, [date(2024, 1, 2), date(2024, 1, 3)])
        return {"status": "success", "rows": {"daily_bars": written}}

    @declares(writes=("signals",), reads=("daily_bars",))
    def later(params, run):
        return {"status": "success"}
"""
CHAIN = """
task_packages: [loads]
tasks:
  - {task_id: first, task_type: data_sync, task_module: loads, task_function: bars}
  - {task_id: second, task_type: data_sync, task_module: loads, task_function: later, dependencies: [first]}
"""


@pytest.fixture
def chain(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """A task whose bars have a previous close that nothing explains, and one that depends on it."""
    monkeypatch.chdir(folder.root)
    folder.write("loads.py", BARS)
    return build_definitions(load_task_file(folder.write("tasks.yaml", CHAIN)))


def test_a_blocking_check_stops_what_depends_on_the_task_and_names_the_remedy(
    chain: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    job = chain.resolve_job_def("second")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    states = {event.step_key: event.event_type_value for event in result.get_step_failure_events()}
    assert states == {"first": "STEP_FAILURE"}
    assert started(result) == {"first"}
    ((_, executions),) = read(InstanceTables(instance), [result.run_id]).values()
    (error,) = [record.error for record in executions if record.status == "failed"]
    assert error is not None
    assert "a blocking check failed, so what depends on it does not run. daily_bars: 1 of 2 rows fail" in error
    assert "mystocks backfill first --from 2024-01-03 --to 2024-01-03 --again" in error
    assert outcomes(result)["prev_close_explained"] is False
    good = {"ops": {"first": {"config": {"stated": 9.0}}}}
    assert job.execute_in_process(good, instance=instance, raise_on_error=False).success


def test_in_the_catalog_a_blocking_check_stops_the_assets_that_depend_on_its_table(
    chain: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    everything = chain.resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey("daily_bars"), dg.AssetKey("signals")]
    subset = everything.get_subset(asset_selection=set(keys))
    result = subset.execute_in_process(
        instance=instance, partition_key=None, raise_on_error=False, tags={"dagster/partition": "2024-01-03"}
    )
    assert not result.success
    assert {event.step_key for event in result.get_step_failure_events()} == {"daily_bars__check"}
    assert started(result) == {"first__asset", "daily_bars__check"}


def test_what_cannot_be_read_fails_the_check_with_the_reason(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.root)
    table = TABLES["adjust_events"]
    assert [(one.passed, one.description) for one in table_outcomes(table)] == [(True, "Nothing is stored yet.")] * 5
    lake = Lake(str(folder.root / "data"), "real")
    lake.upsert("adjust_events", pl.DataFrame({"symbol": ["600000.SH"], "date": [date(2024, 1, 2)], "ratio": [0.9]}))
    (file,) = (folder.root / "data" / "adjust_events").glob("*.parquet")
    file.unlink()
    outcomes = table_outcomes(table)
    assert [(one.passed, one.blocking) for one in outcomes] == [(False, False)] * 5
    assert all("adjust_events" in one.description and "restore" in one.description for one in outcomes)


def test_checks_are_no_executions_of_a_task(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    everything = definitions.resolve_implicit_global_asset_job_def()
    run = everything.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("adjust_events")])
    assert {event.step_key for event in run.all_node_events if event.step_key} == {"one__asset", "adjust_events__check"}
    ((_, executions),) = read(InstanceTables(instance), [run.run_id]).values()
    assert [(record.task, record.status) for record in executions] == [("one", "success")]
