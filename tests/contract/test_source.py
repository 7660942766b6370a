"""Who decides where data come from: the run, then MYSTOCKS_SOURCE, then the task's params, then the default."""

from typing import Any

import dagster as dg
import pytest
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.taskfile.reader import load_task_file

ASKS = """
    from pydantic import BaseModel

    class Params(BaseModel):
        data_source: str | None = None

    def ask(params: Params, run):
        return {"source": run.source(params.data_source).name}
"""


@pytest.fixture
def answer(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs a task and gives the name of the source that it was given."""
    folder.write("asks.py", ASKS)
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(folder.root))

    def run(*, config: str | None = None, variable: str | None = None, params: str | None = None) -> str:
        if variable:
            monkeypatch.setenv("MYSTOCKS_SOURCE", variable)
        given = f", params: {{data_source: {params}}}" if params else ""
        entry = f"{{task_id: one, task_type: manual, task_module: asks, task_function: ask{given}}}"
        path = folder.write("tasks.yaml", f"task_packages: [asks]\ntasks:\n  - {entry}\n")
        job = build_definitions(load_task_file(path)).resolve_job_def("one")
        done = job.execute_in_process({"ops": {"one": {"config": {"data_source": config}}}} if config else None)
        [output] = [event for event in done.all_events if event.event_type == dg.DagsterEventType.STEP_OUTPUT]
        return output.step_output_data.metadata["mystocks/result"].value["source"]

    return run


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "akshare"),
        ({"params": "simulated"}, "simulated"),
        ({"params": "akshare", "variable": "simulated"}, "simulated"),
        ({"params": "akshare", "variable": "akshare", "config": "simulated"}, "simulated"),
    ],
    ids=["the default", "the task's params", "MYSTOCKS_SOURCE", "the run"],
)
def test_the_source_is_the_runs_then_the_environments_then_the_tasks_then_the_default(
    answer: Any, given: Any, name: str
) -> None:
    assert answer(**given) == name
