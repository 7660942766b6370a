"""A project whose runs are made quickly: real jobs of Dagster, run in the test's own process on its instance."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from support.postgres import use_postgres
from support.project import Folder

from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [quick]
    defaults: {task_module: quick, task_function: nothing, task_type: manual}
    tasks:
      - {task_id: load}
      - {task_id: calc-it}
      - {task_id: report}
      - {task_id: nightly, task_type: cron, schedule: {schedule_type: cron, cron_expression: "0 3 * * *"}}
    task_groups:
      - {group_id: night, tasks: [load, calc-it]}
"""
QUICK = "def nothing(params): return None\n"
SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Store:
    """A project, opened anew whenever it is asked for, as after a restart; the instance, which runs are made on,
    stays."""

    folder: Folder

    @property
    def project(self) -> Project:
        return Project(Settings.from_env())

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        return self.project.instance

    @property
    def home(self) -> Path:
        return self.folder.root / ".dagster"

    def new_run(self, job: str, **outcomes: str) -> tuple[dg.JobDefinition, str]:
        """Write a run of a job of these tasks, one after another; nothing starts yet."""
        definition = make_job(job, outcomes)
        return definition, self.instance.create_run_for_job(definition, run_config=SILENT).run_id

    def finish(self, definition: dg.JobDefinition, run_id: str) -> None:
        """Run a run that was written."""
        instance = self.instance
        run = instance.get_run_by_id(run_id)
        assert run
        execute_run(InMemoryJob(definition), run, instance, raise_on_error=False)

    def run(self, job: str, **outcomes: str) -> str:
        """Run a job whose tasks end as told, and return the run's id."""
        definition, run_id = self.new_run(job, **outcomes)
        self.finish(definition, run_id)
        return run_id

    def statistics(self, **window: Any) -> dict[str, dict[str, Any]]:
        return {name: one.to_json() for name, one in self.project.history.statistics(**window).items()}

    def history(self, *name: str, **wanted: Any) -> list[dict[str, Any]]:
        return [one.to_json() for one in self.project.history.executions(*name, **wanted)]

    def throw_away(self) -> None:
        """Remove the roll-up."""
        for file in self.home.glob("history.db*"):
            file.unlink()


def make_job(name: str, outcomes: dict[str, str]) -> dg.JobDefinition:
    @dg.job(name=name, executor_def=dg.in_process_executor)
    def job() -> None:
        before = None
        for task, outcome in outcomes.items():
            op = _op(task, outcome)
            before = op(before) if before is not None else op()

    return job


def _op(task: str, outcome: str) -> dg.OpDefinition:
    @dg.op(name=task.replace("-", "_"), ins={"before": dg.In(dg.Nothing)})
    def body(context: dg.OpExecutionContext) -> Iterator[dg.Output]:
        told = {
            "mystocks/task_id": task.replace("calc_it", "calc-it"),
            "mystocks/status": outcome,
            "mystocks/message": "hier 沪",
        }
        if outcome == "failed":
            raise dg.Failure("no such luck", metadata=told)
        yield dg.Output(None, metadata=told)

    return body


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty project, on either storage."""
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    if request.param == "postgres":
        use_postgres(folder, request.getfixturevalue("postgres"), monkeypatch)
    assert "DAGSTER_HOME" in os.environ
    return Store(folder)
