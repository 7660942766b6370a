"""A disabled group is refused whoever starts it, unless it is forced or its switch was turned on."""

import dagster as dg
import pytest
from support.commands import Commands, commands_in
from support.project import Folder

from mystocks_dagster.errors import Disabled
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [quick]
    defaults: {task_type: manual, task_module: quick, task_function: work}
    tasks:
      - {task_id: one}
      - {task_id: two, enabled: false}
    task_groups:
      - {group_id: resting, tasks: [one], enabled: false, schedule: {schedule_type: cron, cron_expression: "0 3 * * *"}}
      - group_id: by_hand_only
        tasks: [one]
        schedule: {schedule_type: cron, cron_expression: "0 3 * * *", enabled: false}
"""


@pytest.fixture
def cli(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", "def work(params):\n    pass\n")
    monkeypatch.syspath_prepend(str(folder.root))
    return commands_in(folder, monkeypatch, capsys)


@pytest.fixture
def project(cli: Commands) -> Project:
    return Project(Settings.from_env())


def tags(project: Project, run_id: str) -> dict[str, str]:
    run = project.instance.get_run_by_id(run_id)
    assert isinstance(run, dg.DagsterRun)
    return dict(run.tags)


def test_a_disabled_group_is_refused_with_what_to_do(project: Project) -> None:
    with pytest.raises(Disabled, match=r"resting is disabled .* --force .* mystocks edit resting enabled=true"):
        project.runs.create("resting", {})
    assert project.instance.get_runs() == []


def test_it_runs_when_it_is_forced(project: Project) -> None:
    assert tags(project, project.runs.create("resting", {}, force=True))["mystocks/group_id"] == "resting"


def test_it_runs_once_a_person_has_switched_it_on_and_not_after_the_reset(project: Project) -> None:
    project.schedules.switch("resting", True)
    assert project.runs.create("resting", {})
    project.schedules.switch("resting", None)
    with pytest.raises(Disabled):
        project.runs.create("resting", {})


def test_a_group_whose_schedule_alone_is_off_and_a_disabled_task_run_by_hand(project: Project) -> None:
    assert project.runs.create("by_hand_only", {})
    assert project.runs.create("two", {})
