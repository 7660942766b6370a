"""Dagster's tables read by plain SQL say what Dagster's own classes say, on SQLite and on Postgres."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from history.conftest import Store
from support.dagster_reading import steps_of
from support.project import Folder

from mystocks_dagster.dagster_tables import InstanceTables, PostgresTables, SqliteTables, light_tables, shard_events
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.history import reading, run_table
from mystocks_dagster.instance import code_location, open_tables, prepare_home
from mystocks_dagster.scheduling import switch_table, switches
from mystocks_dagster.settings import Settings

#: What a task may report: text, numbers and JSON, some of it in forms for which Dagster's JSON has marks of its own.
REPORTED = {
    "mystocks/task_id": "load",
    "mystocks/status": "partial_success",
    "mystocks/message": "沪深 '300'\n\"x\"",
    "mystocks/seconds": 0.1 + 0.2,
    "mystocks/tries": 3,
    "mystocks/rows": dg.MetadataValue.json({"daily_bars": 12, "nested": [1, None, {"a": [True]}]}),
    "mystocks/by_number": dg.MetadataValue.json({1: "one"}),
    "mystocks/preview": dg.MetadataValue.md("| a |\n| --- |"),
    "mystocks/link": dg.MetadataValue.url("https://example.com/"),
    "mystocks/file": dg.MetadataValue.path("/tmp/a"),
    "mystocks/flag": True,
    "mystocks/nothing": dg.MetadataValue.null(),
}


def job_of(body: Callable[[dg.OpExecutionContext], Iterator[Any]]) -> dg.JobDefinition:
    @dg.op(name="load")
    def load(context: dg.OpExecutionContext) -> Iterator[Any]:
        yield from body(context)

    @dg.op(name="report", ins={"before": dg.In(dg.Nothing)})
    def report() -> None:
        return None

    @dg.job(name="night", executor_def=dg.in_process_executor)
    def job() -> None:
        report(load())

    return job


def reports(_: dg.OpExecutionContext) -> Iterator[Any]:
    yield dg.AssetMaterialization("daily_bars", metadata={"mystocks/status": "success"})
    yield dg.Output(None, metadata=REPORTED)


def fails(_: dg.OpExecutionContext) -> Iterator[Any]:
    yield from ()
    raise dg.Failure("沪 is out of reach", metadata={**REPORTED, "mystocks/status": "failed"})


def breaks(_: dg.OpExecutionContext) -> Iterator[Any]:
    yield from ()
    raise ZeroDivisionError("by nought")


def tries_again(context: dg.OpExecutionContext) -> Iterator[Any]:
    if context.retry_number == 0:
        raise dg.RetryRequested(max_retries=1)
    yield dg.Output(None, metadata={"mystocks/status": "skipped"})


def is_stopped(_: dg.OpExecutionContext) -> Iterator[Any]:
    yield from ()
    raise dg.DagsterExecutionInterruptedError("stopped")


BODIES = [reports, fails, breaks, tries_again, is_stopped]


def run(store: Store, body: Callable[[dg.OpExecutionContext], Iterator[Any]]) -> str:
    definition = job_of(body)
    run_id = store.instance.create_run_for_job(definition, run_config=None, tags={"a": "b"}).run_id
    with suppress(dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
        store.finish(definition, run_id)
    return run_id


@pytest.mark.parametrize("body", BODIES)
def test_an_execution_is_what_dagsters_own_classes_say(
    store: Store,
    body: Callable[[dg.OpExecutionContext], Iterator[Any]],
) -> None:
    run_id = run(store, body)
    tables = open_tables(Settings.from_env())
    listed, records = reading.read(tables, [run_id])[run_id]
    stored = store.instance.get_run_record_by_id(run_id)
    assert stored is not None
    dagster_run = stored.dagster_run
    assert (listed.status, listed.job, listed.finished) == (
        dagster_run.status.value,
        dagster_run.job_name,
        dagster_run.is_finished,
    )
    assert listed.updated == stored.update_timestamp.timestamp()
    steps = steps_of(store.instance, run_id)
    assert {record.step for record in records if record.start} == steps.keys()
    for record in records:
        if record.step not in steps:
            continue
        step = steps[record.step]
        result = {**step["reported"]}
        assert record.start == step["starts"][0]
        assert record.end == step["end"]
        assert record.retries == len(step["starts"]) - 1
        assert record.task == result.pop("task_id", record.step)
        status = result.pop("status", None)
        if body is is_stopped and record.step == "load":
            assert record.status == "cancelled"
        elif step["error"] is None:
            assert record.status == (status or "success")
        else:
            assert (record.status, record.error) == ("failed", step["error"])
        assert (record.result or {}) == result


def test_a_step_whose_retries_are_used_up_says_what_went_wrong(store: Store) -> None:
    def breaks_outside_the_task(_: dg.OpExecutionContext) -> Iterator[Any]:
        yield from ()
        raise dg.RetryRequested(max_retries=0) from ZeroDivisionError("by nought")

    run_id = run(store, breaks_outside_the_task)
    _, records = reading.read(open_tables(Settings.from_env()), [run_id])[run_id]
    assert [record.error for record in records if record.step == "load"] == ["ZeroDivisionError: by nought"]


def test_light_reading_equals_reading_through_dagsters_storage(store: Store) -> None:
    run_ids = [run(store, body) for body in BODIES]
    run_ids += [store.new_run("night", load="success", report="success")[1]]
    lost = store.new_run("load", load="success")[1]
    dagster_run = store.instance.get_run_by_id(lost)
    assert dagster_run
    store.instance.report_run_failed(dagster_run, "its process is gone")
    waiting = store.new_run("report", report="success")[1]
    cancelled = store.instance.get_run_by_id(waiting)
    assert cancelled
    store.instance.report_run_canceled(cancelled)
    run_ids += [lost, waiting]
    light, opened = open_tables(Settings.from_env()), InstanceTables(store.instance)
    assert type(light) in (SqliteTables, PostgresTables)
    assert reading.read(light, run_ids) == reading.read(opened, run_ids)
    assert len(reading.read(light, run_ids)) == len(run_ids)
    assert run_table.listed(light) == run_table.listed(opened)
    assert {one.status for one in run_table.listed(light)} == {
        record.dagster_run.status.value for record in store.instance.get_run_records()
    }
    assert run_table.count_runs(light) == store.instance.get_runs_count() == len(run_ids)
    record = next(record for _, those in reading.read(light, run_ids[:1]).values() for record in those)
    assert record.to_execution(light, {}) == record.to_execution(opened, {})
    assert Path(record.to_execution(light, {}).log_path or "").is_file()


def test_what_ran_since_is_listed_whichever_way_it_is_read(store: Store) -> None:
    run(store, reports)
    (first,) = run_table.listed(InstanceTables(store.instance))
    moment = store.instance.get_run_records()[0].update_timestamp.replace(tzinfo=None)
    light = open_tables(Settings.from_env())
    assert run_table.listed(light, since=moment) == [first]
    assert run_table.listed(light, since=moment.replace(year=moment.year + 1)) == []
    assert run_table.listed(light, run_ids=[]) == []


def test_switches_are_what_dagster_says(store: Store) -> None:
    project = store.project
    origin, location = switches.repository(project.settings), code_location(project.settings)
    assert location == origin.code_location_origin.location_name
    entries = project.taskfile.by_id()
    for on in (None, False, True, None):
        if on is not None:
            switches.turn(store.instance, origin, "nightly", entries["nightly"], on)
        light = switch_table.read(open_tables(project.settings), location, entries)
        assert light == switch_table.read(InstanceTables(store.instance), location, entries)
        remote = switches._remote(entries["nightly"], origin)
        state = store.instance.get_instigator_state(remote.get_remote_origin_id(), remote.selector_id)
        assert light["nightly"].on == remote.get_current_instigator_state(state).is_running
        assert light["nightly"].selector == (remote.selector_id if state else "")
    assert switch_table.instigators(InstanceTables(store.instance), "another location") == {}


def test_the_shipped_dagster_yaml_needs_no_dagster(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.root)
    assert type(open_tables(Settings.from_env())) is SqliteTables


@pytest.mark.parametrize(
    "change",
    [
        {"storage": {"sqlite": {"base_dir": ".dagster", "more": 1}}},
        {"storage": {"postgres": {"postgres_url": {"env": "NOT_SET_ANYWHERE"}}}},
        {"storage": {"postgres": {"postgres_url": "mysql://a@b/c"}}},
        {"storage": {"custom": {"module": "a", "class": "B"}}},
        {"storage": None},
        {"run_storage": {"module": "a", "class": "B"}},
        {"compute_logs": {"module": "dagster_aws.s3", "class": "S3ComputeLogManager", "config": {"bucket": "b"}}},
        {"compute_logs": None},
    ],
    ids=str,
)
def test_what_a_light_reader_does_not_know_is_left_to_dagster(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    monkeypatch.chdir(folder.root)
    config = yaml.safe_load((prepare_home(Settings.from_env()) / "dagster.yaml").read_text(encoding="utf-8"))
    assert light_tables(config)
    assert light_tables({**config, **change}) is None


@pytest.mark.parametrize("gone", ["history/runs.db", "schedules/schedules.db"])
def test_databases_that_are_not_there_yet_are_made_by_dagster(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    monkeypatch.chdir(folder.root)
    (folder.root / ".dagster" / gone).unlink()
    tables = open_tables(Settings.from_env())
    assert type(tables) is InstanceTables
    assert run_table.count_runs(tables) == 0
    assert switch_table.instigators(tables) == {}


@pytest.mark.parametrize("damaged", ["history/runs.db", "schedules/schedules.db"])
def test_a_damaged_database_is_named_with_what_can_be_done(folder: Folder, damaged: str) -> None:
    folder.write("tasks.yaml", "tasks: []\n")
    file = folder.root / ".dagster" / damaged
    file.write_bytes(b"not a database " * 1000)
    said = " ".join(folder.mystocks("list", code=1).split())
    assert f"{damaged} is damaged: it is not a database. Restore it from a backup" in said
    file.unlink()
    folder.mystocks("list")


def test_a_damaged_file_of_one_run_is_named_and_moved_away_it_costs_only_that_run(tmp_path: Path) -> None:
    file = tmp_path / "0744419e.db"
    file.write_bytes(b"not a database " * 1000)
    with pytest.raises(InstanceError, match=r"0744419e\.db: the file of one run's events is damaged .* move it away"):
        shard_events(file, ["STEP_START"])
    file.unlink()
    assert shard_events(file, ["STEP_START"]) == []
