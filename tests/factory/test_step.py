"""What each way to end looks like in Dagster: real bodies in real processes, run by Dagster in this one."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.taskfile.reader import load_task_file

ENDINGS = """
    def done(params):
        return {"status": "success", "rows": 3}

    def partly(params):
        return {"status": "partial_success", "message": "2 of 3", "failed_items": ["600000.SH"]}

    def skips(params):
        return {"status": "skipped", "message": "not a trading day"}

    def says_failed(params):
        return {"status": "failed", "error": "the source is empty"}

    def flaky(params):
        raise RuntimeError("try again")

    def hopeless(params):
        from mystocks_dagster.errors import SourceChanged

        raise SourceChanged("a column is gone")
"""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory, which keeps what runs log."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run(folder: Folder, instance: dg.DagsterInstance) -> Any:
    """Return a function that runs a task of that function in a job of its own."""
    folder.write("endings.py", ENDINGS)

    def execute(function: str, **fields: Any) -> dg.ExecuteInProcessResult:
        extra = "".join(f", {name}: {value}" for name, value in fields.items())
        task = f"{{task_id: one, task_type: data_sync, task_module: endings, task_function: {function}{extra}}}"
        path = folder.write("tasks.yaml", f"task_packages: [endings]\ntasks:\n  - {task}\n")
        job = build_definitions(load_task_file(path)).resolve_job_def("one")
        return job.execute_in_process(raise_on_error=False, instance=instance)

    return execute


def checks(result: dg.ExecuteInProcessResult) -> list[tuple[bool, str]]:
    return [(one.passed, one.severity.value) for one in result.get_asset_check_evaluations()]


def test_success_materializes_and_passes_the_check(run: Any) -> None:
    result = run("done")
    assert result.success
    assert [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()] == ["one"]
    assert checks(result) == [(True, "WARN")]


def test_partial_success_is_a_visible_warning_with_what_was_not_done(run: Any) -> None:
    result = run("partly")
    assert result.success
    assert checks(result) == [(False, "WARN")]
    metadata = result.get_asset_materialization_events()[0].materialization.metadata
    assert metadata["mystocks/failed_items"].value == ["600000.SH"]


def test_skipped_stops_nothing_and_claims_no_new_data(run: Any) -> None:
    result = run("skips")
    assert result.success
    assert result.get_asset_materialization_events() == []
    assert "not a trading day" in (result.get_asset_check_evaluations()[0].description or "")


@pytest.mark.parametrize(("function", "why"), [("says_failed", "the source is empty"), ("flaky", "try again")])
def test_a_failure_fails_the_run_and_turns_the_table_red(run: Any, function: str, why: str) -> None:
    result = run(function)
    assert not result.success
    assert checks(result) == [(False, "ERROR")]
    assert why in (result.get_asset_check_evaluations()[0].description or "")


@pytest.mark.parametrize(("function", "attempts"), [("flaky", 3), ("hopeless", 1), ("done", 1)])
def test_attempts_are_one_and_retry_count_and_only_for_what_a_retry_can_mend(
    run: Any, function: str, attempts: int
) -> None:
    result = run(function, retry_count=2, retry_delay=0)
    starts = [event for event in result.all_events if event.event_type_value in ("STEP_START", "STEP_RESTARTED")]
    assert len(starts) == attempts
    assert len(checks(result)) == 1


TRIED = {
    "flaky": [
        "attempt 1 of 3 failed: one: RuntimeError: try again; retry in 0 s, because a RuntimeError may have a cause "
        "that passes",
        "attempt 2 of 3 failed: one: RuntimeError: try again; retry in 0 s, because a RuntimeError may have a cause "
        "that passes",
        "attempt 3 of 3 failed: one: RuntimeError: try again; it was the last attempt",
    ],
    "hopeless": [
        "attempt 1 of 3 failed: one: a column is gone; there is no retry, because the source's answer has a new form, "
        "which a person must check"
    ],
}


@pytest.mark.parametrize("function", TRIED)
def test_the_log_says_when_and_why_a_failure_is_tried_again_or_not(
    run: Any, instance: dg.DagsterInstance, function: str
) -> None:
    result = run(function, retry_count=2, retry_delay=0)
    told = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert [line for line in told if line.startswith("attempt ")] == TRIED[function]


def test_the_demo_does_not_wait_five_minutes_for_a_retry(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("endings.py", ENDINGS)
    task = (
        "{task_id: one, task_module: endings, task_function: flaky, task_type: manual, retry_count: 3, "
        "retry_delay: 300}"
    )
    path = folder.write("tasks.yaml", f"task_packages: [endings]\ntasks:\n  - {task}\n")
    spec = build_specs(load_task_file(path))["one"]
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    assert spec.retry_delay == 300
    monkeypatch.setenv("MYSTOCKS_LAKE", str(folder.root / "demo" / "lake"))
    assert spec.retry_delay <= 5
