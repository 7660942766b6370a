"""Runs that are not simply over: still going on, lost, kept alive, never begun."""

import datetime as dt
import subprocess
import sys

from alerts.conftest import Project
from support.project import wait_for
from support.receivers import Webhook

from mystocks_dagster.market.clock import SHANGHAI

EXECUTE = """
from pathlib import Path
from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.reader import load_task_file

settings = Settings.from_env()
job = build_definitions(load_task_file(settings.task_file)).resolve_job_def("long")
job.execute_in_process(instance=open_instance(settings), raise_on_error=False)
"""


def test_a_task_that_failed_in_a_group_is_told_while_the_group_goes_on_and_not_again_at_its_end(
    project: Project, hook: Webhook
) -> None:
    project.use(hook.url)
    project.mood("bad")
    group = subprocess.Popen([sys.executable, "-c", EXECUTE], cwd=project.folder.root, stderr=subprocess.DEVNULL)

    def told() -> bool:
        assert group.poll() is None
        project.look()
        return bool(hook.titles)

    wait_for(told, 90, "the message while the group runs")
    (project.folder.root / "go").touch()
    group.wait(90)
    project.look()
    assert hook.titles == ["❌ 任务失败：第一步"]


def test_a_supervisor_that_crashes_is_told_from_its_third_restart_in_a_row_on_and_once(
    project: Project, hook: Webhook
) -> None:
    project.use(hook.url)
    project.mood("bad")
    for restarts in range(6):
        project.run("server", tags={"mystocks/restarts": str(restarts)})
        project.look()
        assert len(hook.titles) == (1 if restarts >= 3 else 0), restarts
    assert hook.titles == ["❌ 常驻任务反复崩溃：服务"]
    assert "停止：mystocks disable server" in hook.text


def lose(project: Project, job: str) -> None:
    """Let Dagster find that a run's process was lost."""
    definition = project.job(job)
    tags = {**definition.tags, **definition.run_tags}
    run = project.instance.create_run_for_job(definition, tags=tags)
    project.instance.report_run_failed(run, "the run's process 4711 is gone")


def test_a_lost_run_that_is_started_again_is_not_told(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    lose(project, "restarted")
    project.look()
    assert hook.titles == []


def test_a_lost_run_that_is_not_started_again_is_told_with_the_reason(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    lose(project, "other")
    project.look()
    assert hook.titles == ["❌ 任务失败：另一个"]
    assert "the run's process 4711 is gone" in hook.text
    assert "重新运行：mystocks run other" in hook.text


def test_a_run_that_a_person_stopped_is_not_told(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    run = project.instance.create_run_for_job(project.job("other"))
    project.instance.report_run_canceled(run)
    project.look()
    assert hook.titles == []


def passed_by(project: Project) -> str:
    """Let Dagster lose a run that it says it starts again; return its id."""
    lose(project, "restarted")
    return project.instance.get_runs(limit=1)[0].run_id


def test_a_lost_run_whose_restart_dagster_gives_up_is_told_once(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    lost = passed_by(project)
    project.look()
    assert hook.titles == []
    project.restart()
    project.instance.add_run_tags(lost, {"dagster/will_retry": "false"})
    project.look()
    project.look()
    assert hook.titles == ["❌ 任务失败：可重启"]


def test_a_lost_run_that_nobody_starts_again_is_told_once_after_ten_minutes(project: Project, hook: Webhook) -> None:
    project.at("2026-01-05T09:00:00")
    project.use(hook.url)
    lost = passed_by(project)
    project.look()
    assert hook.titles == []
    ended = project.instance.get_run_record_by_id(lost).end_time  # type: ignore[union-attr]
    later = dt.datetime.fromtimestamp(ended + 700, SHANGHAI)
    project.at(f"{later:%Y-%m-%dT%H:%M:%S}")
    project.look()
    project.look()
    assert hook.titles == ["❌ 任务失败：可重启"]


def test_a_lost_run_that_was_started_again_is_not_told_whatever_dagster_says_of_it(
    project: Project, hook: Webhook
) -> None:
    project.use(hook.url)
    lost = passed_by(project)
    project.look()
    definition = project.job("restarted")
    tags = {**definition.tags, "dagster/parent_run_id": lost, "dagster/retry_number": "1"}
    project.instance.create_run_for_job(definition, tags=tags)
    project.instance.add_run_tags(lost, {"dagster/will_retry": "false"})
    project.look()
    assert hook.titles == []
