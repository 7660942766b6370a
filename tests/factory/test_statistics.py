"""The asset task_statistics: its lines, its charts, and when its sensor refreshes it."""

import json
from datetime import datetime
from typing import Any

import dagster as dg
import pytest
from support.project import Folder

from mystocks_dagster.factory.load import load_definitions
from mystocks_dagster.factory.statistics import statistics_metadata
from mystocks_dagster.history import Statistics
from mystocks_dagster.instance import open_instance
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [counted]
    tasks:
      - {task_id: good, task_name: 好任务, task_type: manual, task_module: counted, task_function: good}
      - {task_id: bad, task_type: manual, task_module: counted, task_function: bad}
      - {task_id: idle, task_type: manual, task_module: counted, task_function: good}
"""
QUICK = """
    def good(params):
        return {"status": "success"}

    def bad(params):
        return {"status": "failed", "error": "no"}
"""


class Project:
    """A project whose jobs run in this process, and whose sensor is asked by hand."""

    def __init__(self) -> None:
        self.instance = open_instance(Settings.from_env())
        self.repository = load_definitions().get_repository_def()

    def run(self, job: str) -> None:
        self.repository.get_job(job).execute_in_process(instance=self.instance, raise_on_error=False)

    def ask(self, cursor: str | None) -> Any:
        context = dg.build_sensor_context(instance=self.instance, cursor=cursor)
        return self.repository.get_sensor_def("task_statistics__sensor").evaluate_tick(context)


@pytest.fixture
def project(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Project:
    folder.write("tasks.yaml", TASKS)
    folder.write("counted.py", QUICK)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    return Project()


def an_hour_later(cursor: str) -> str:
    """Return the cursor as if it had been written an hour earlier."""
    told = json.loads(cursor)
    return json.dumps({**told, "time": told["time"] - 3600})


def test_it_is_refreshed_when_executions_ended_and_not_more_than_once_a_minute(project: Project) -> None:
    assert "no execution has ended" in project.ask(None).skip_message
    project.run("good")
    project.run("bad")
    first = project.ask(None)
    shown = first.asset_events[0].metadata
    assert first.asset_events[0].asset_key == dg.AssetKey("task_statistics")
    assert shown["good · 成功率 %"].value == 100
    assert shown["bad · 成功率 %"].value == 0
    assert shown["ALL 全部任务 · 成功率 %"].value == 50
    assert "成功率 100 % · 1 次，失败 0 · 平均 " in shown["good 好任务"].text
    assert "成功率 0 % · 1 次，失败 1 · " in shown["bad bad"].text
    assert "never ran" in shown["idle idle"].text
    # Soon after, and later with nothing new, there is no further event.
    project.run("good")
    assert "next check in" in project.ask(first.cursor).skip_message
    second = project.ask(an_hour_later(first.cursor))
    assert second.asset_events[0].metadata["ALL 全部任务 · 执行次数"].value == 3
    assert "no execution has ended" in project.ask(an_hour_later(second.cursor)).skip_message


def test_the_materialize_button_works_it_out_too(project: Project) -> None:
    project.run("good")
    result = project.repository.get_implicit_global_asset_job_def().get_subset(
        asset_selection={dg.AssetKey("task_statistics")}
    )
    done = result.execute_in_process(instance=project.instance)
    assert done.asset_materializations_for_node("task_statistics")[0].metadata["good · 成功率 %"].value == 100


def test_charts_are_drawn_of_the_tasks_that_ran_last_and_every_task_has_a_line() -> None:
    def statistics(number: int) -> Statistics:
        moment = datetime(2026, 10, 1, number // 60, number % 60, tzinfo=SHANGHAI)
        return Statistics(
            task_id=f"t{number}", task_name="", total_executions=2, success_count=1, failed_count=1, success_rate=50.0,
                avg_duration=1.5,
            p95_duration=2.0, last_execution_time=moment, last_status="failed",
        )  # fmt: skip

    shown = statistics_metadata({f"t{number}": statistics(number) for number in range(300)})
    charts = [name for name in shown if name.endswith("耗时 s")]
    assert "t299 · 耗时 s" in charts
    assert "t0 · 耗时 s" not in charts
    assert len(charts) <= 30
    assert sum("成功率 50 % · 2 次，失败 1" in str(value) for value in shown.values()) == 300


def test_a_task_whose_newest_execution_waits_is_counted_and_drawn() -> None:
    waits = Statistics(
        task_id="a", task_name="A", total_executions=3, success_count=1, failed_count=1, success_rate=50.0,
            avg_duration=1.5,
        p95_duration=2.0, last_execution_time=None, last_status="pending",
    )  # fmt: skip
    shown = statistics_metadata({"a": waits})
    assert shown["ALL 全部任务 · 执行次数"] == 3
    assert shown["a · 成功率 %"] == 50
