"""History and statistics are what Dagster's storage says, whatever became of the roll-up, on SQLite and on Postgres."""

import threading
from datetime import timedelta

import dagster as dg
import numpy
import pytest
from history.conftest import Store

from mystocks_dagster.market.clock import now


def test_statistics_count_what_ran(store: Store) -> None:
    store.run("load", load="success")
    store.run("load", load="failed")
    store.run("night", load="partial_success", calc_it="skipped", report="failed")
    store.run("load", load="success")
    told = store.statistics()
    assert (told["load"]["total_executions"], told["load"]["success_count"], told["load"]["failed_count"]) == (4, 3, 1)
    assert told["load"]["success_rate"] == 75.0
    assert told["load"]["last_status"] == "success"
    assert (told["calc-it"]["total_executions"], told["calc-it"]["success_count"], told["calc-it"]["success_rate"]) == (
        1,
        0,
        None,
    )
    assert (told["report"]["failed_count"], told["report"]["success_rate"]) == (1, 0.0)
    assert told["nightly"]["total_executions"] == 0


def test_durations_are_those_of_dagsters_own_step_statistics(store: Store) -> None:
    runs = [store.run("load", load="success") for _ in range(7)]
    spans = []
    for run_id in runs:
        (step,) = store.instance.get_run_step_stats(run_id)
        assert step.start_time is not None
        assert step.end_time is not None
        spans.append(step.end_time - step.start_time)
    told = store.statistics()["load"]
    assert told["avg_duration"] == pytest.approx(numpy.mean(spans), abs=0.001)
    assert told["p95_duration"] == pytest.approx(numpy.percentile(spans, 95, method="inverted_cdf"), abs=0.001)


def test_history_tells_the_newest_first_and_what_each_did(store: Store) -> None:
    first = store.run("night", load="success", calc_it="failed")
    second = store.run("load", load="skipped")
    told = store.history()
    assert [one["execution_id"] for one in told] == [f"{second}:load", f"{first}:calc_it", f"{first}:load"]
    assert [one["task_id"] for one in told] == ["load", "calc-it", "load"]
    assert told[1]["status"] == "failed"
    assert told[1]["error_message"] == "no such luck"
    assert told[1]["result"]["message"] == "hier 沪"
    assert told[2]["log_path"].endswith(".out")
    assert told == [store.project.history.execution(one["execution_id"]).to_json() for one in told]
    assert [one["execution_id"] for one in store.history("load", limit=1)] == [f"{second}:load"]
    assert [one["execution_id"] for one in store.history("calc-it")] == [f"{first}:calc_it"]
    assert [one["task_id"] for one in store.history(status="failed")] == ["calc-it"]
    assert [one["execution_id"] for one in store.history("night")] == [f"{first}:calc_it", f"{first}:load"], (
        "a group: its runs"
    )
    assert [one["execution_id"] for one in store.history("night", limit=1, status="success")] == [f"{first}:load"]


def test_a_window_holds_what_started_in_it(store: Store) -> None:
    store.run("load", load="failed")
    between = now()
    store.run("load", load="success")
    assert store.statistics(since=between)["load"]["failed_count"] == 0
    assert store.statistics(since=between)["load"]["success_rate"] == 100.0
    assert store.statistics(until=between)["load"]["success_count"] == 0
    assert [one["status"] for one in store.history(since=between)] == ["success"]
    assert [one["status"] for one in store.history(until=between)] == ["failed"]
    assert store.statistics(since=now() + timedelta(days=1))["load"]["total_executions"] == 0


def test_what_was_seen_waiting_is_seen_when_it_has_ended(store: Store) -> None:
    definition, run_id = store.new_run("night", load="success", report="success")
    assert {one["status"] for one in store.history()} == {"pending"}
    assert store.statistics()["load"]["last_status"] == "pending"
    store.finish(definition, run_id)
    assert {one["status"] for one in store.history()} == {"success"}
    assert store.statistics()["load"]["success_count"] == 1


def test_the_last_run_is_the_last_that_started_also_while_the_next_one_waits(store: Store) -> None:
    store.run("load", load="success")
    started = store.history("load")[0]["start_time"]
    store.new_run("load", load="success")
    told = store.statistics()["load"]
    assert (told["last_execution_time"], told["last_status"]) == (started, "pending")


def test_the_projects_own_jobs_are_no_tasks(store: Store) -> None:
    store.run("import_tasks", import_tasks="success")
    assert "import_tasks" not in store.statistics()
    assert [one["job"] for one in store.history()] == ["import_tasks"]


def test_a_failure_is_the_last_outcome_until_the_task_does_its_work(store: Store) -> None:
    store.run("night", load="success", calc_it="failed")
    assert store.project.history.last_outcomes() == {"load": "success", "calc-it": "failed"}
    store.run("load", load="skipped")
    _, run_id = store.new_run("calc_it", calc_it="success")
    run = store.instance.get_run_by_id(run_id)
    assert run
    store.instance.report_run_canceled(run)
    assert store.statistics()["calc-it"]["last_status"] == "cancelled"
    assert store.project.history.last_outcomes() == {"load": "success", "calc-it": "failed"}
    store.run("calc_it", calc_it="partial_success")
    assert store.project.history.last_outcomes()["calc-it"] == "partial_success"


def test_the_rollup_can_be_thrown_away_and_rebuilt(store: Store) -> None:
    store.run("night", load="success", calc_it="failed")
    store.run("load", load="partial_success")
    store.new_run("report", report="success")
    before = store.statistics(), store.history()
    store.throw_away()
    assert (store.statistics(), store.history()) == before
    seen: list[tuple[int, int]] = []
    store.project.history.update(lambda done, total: seen.append((done, total)), rebuild=True)
    assert seen[-1] == (3, 3)
    assert (store.statistics(), store.history()) == before


def test_a_rollup_that_is_no_database_begins_anew(store: Store) -> None:
    store.run("load", load="success")
    before = store.statistics()
    store.throw_away()
    (store.home / "history.db").write_bytes(b"spilt coffee " * 1000)
    assert store.statistics() == before


def test_runs_that_a_person_deletes_in_the_ui_are_gone_as_after_a_rebuild(store: Store) -> None:
    gone = [store.run("load", load="failed"), store.run("load", load="failed")]
    store.run("load", load="success")
    assert store.statistics()["load"]["total_executions"] == 3
    # As many are made as are deleted, the newest among them: no count, and on SQLite no number, gives it away.
    for run_id in [*gone, store.history()[0]["run_id"]]:
        store.instance.delete_run(run_id)
    store.run("report", report="success")
    store.run("report", report="success")
    store.run("report", report="success")
    told = store.statistics()
    assert (told["load"]["total_executions"], told["report"]["total_executions"]) == (0, 3)
    store.throw_away()
    assert store.statistics() == told


def test_a_run_that_goes_on_after_it_was_called_cancelled_is_read_again(store: Store) -> None:
    definition, run_id = store.new_run("load", load="success")
    instance = store.instance
    run = instance.get_run_by_id(run_id)
    assert run
    instance.report_run_canceled(run, "forced")
    _settle(store)
    assert store.history()[0]["status"] == "cancelled"
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run

    execute_run(InMemoryJob(definition), run, instance, raise_on_error=False)
    assert store.history()[0]["status"] == "success"


def _settle(store: Store) -> None:
    """Let the minute pass after which an ended run is not read again without cause."""
    import sqlite3

    store.history()
    with sqlite3.connect(store.home / "history.db") as file:
        file.execute("UPDATE runs SET settled = 1")


def test_a_run_that_failed_before_it_began_is_a_failure_of_its_task(store: Store) -> None:
    _, run_id = store.new_run("report", load="success", report="success")
    instance = store.instance
    run = instance.get_run_by_id(run_id)
    assert run
    instance.report_run_failed(run, "the run's process is gone")
    told = store.history()
    assert [(one["task_id"], one["status"], one["error_message"]) for one in told] == [
        ("report", "failed", "the run's process is gone")
    ]
    assert store.statistics()["report"]["failed_count"] == 1
    assert store.statistics(since=now() - timedelta(hours=1))["report"]["failed_count"] == 1


def test_pending_reads_paused_while_the_switch_is_off(store: Store) -> None:
    store.new_run("nightly", nightly="success")
    assert store.history()[0]["status"] == "pending"
    store.project.schedules.switch("nightly", False)
    assert store.history()[0]["status"] == "paused"
    assert len(store.history(status="paused")) == 1
    assert store.history(status="pending") == []
    assert store.statistics()["nightly"]["last_status"] == "paused"


def test_many_readers_at_once_count_each_run_once(store: Store) -> None:
    for _ in range(5):
        store.run("load", load="success")
    found: list[int] = []
    readers = [
        threading.Thread(target=lambda: found.append(store.statistics()["load"]["total_executions"])) for _ in range(6)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [5] * 6
    assert len(store.history()) == 5


@pytest.mark.slow
def test_an_asset_step_counts_for_its_task(store: Store) -> None:
    @dg.asset(name="load__asset")
    def table() -> None:
        return None

    dg.materialize([table], instance=store.instance, run_config=SILENT_ASSETS)
    (one,) = store.history()
    assert (one["task_id"], one["execution_id"].partition(":")[2]) == ("load", "load__asset")
    assert store.statistics()["load"]["success_count"] == 1


SILENT_ASSETS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
