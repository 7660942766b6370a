"""What a person sees of the file: its version and description, all mistakes in one pass, values with secrets masked."""

import json

import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from support.commands import Commands, commands_in
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.taskfile.reader import load_task_file

TASKS = """
    version: "2.7"
    description: 我的任务
    task_packages: [quick]
    defaults: {timeout: 90, retry_count: 4, params: {token: "${MY_TOKEN}"}}
    alerts: {urls: ["json://user:${MY_TOKEN}@localhost"]}
    tasks:
      - {task_id: one, task_type: manual, task_module: quick, task_function: work, retry_count: 1}
    task_groups:
      - {group_id: all, tasks: [one]}
"""
WRONG = """
    tasks:
      - {task_id: a, task_type: manual, task_module: os, task_function: system}
      - {task_id: b, task_type: manual, task_module: app.tasks.data_sync, task_function: sync_basic_stock_info,
         priority: hihg}
      - {task_id: b, task_type: manual, task_module: app.tasks.data_sync, task_function: sync_basic_stock_info,
         retries: 3}
    task_groups:
      - {group_id: g, tasks: [missing]}
"""


@pytest.fixture
def cli(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", "def work(params):\n    pass\n")
    monkeypatch.syspath_prepend(str(folder.root))
    monkeypatch.setenv("MY_TOKEN", "s3cret-value")
    return commands_in(folder, monkeypatch, capsys)


def test_the_files_version_and_description_are_listed_and_every_run_carries_the_version(cli: Commands) -> None:
    assert "tasks.yaml 2.7 我的任务" in cli("list")
    definitions = build_definitions(load_task_file(cli.folder.root / "tasks.yaml"))
    assert {definitions.resolve_job_def(name).tags["dagster/mystocks_version"] for name in ("one", "all")} == {"2.7"}


def test_show_resolved_has_defaults_the_nearest_value_and_no_secret(cli: Commands) -> None:
    shown = cli.json("show", "one", "--resolved")
    assert (shown["timeout"], shown["retry_count"], shown["retry_delay"]) == (90, 1, 60)
    assert shown["params"] == {"token": "${MY_TOKEN}"}


def test_no_secret_leaves_by_any_command_that_prints_the_file(cli: Commands) -> None:
    for command in (
        ["list", "--json"],
        ["show", "one", "--resolved"],
        ["export"],
        ["export", "--format", "json"],
        ["check"],
    ):
        assert "s3cret-value" not in cli(*command), command


def test_no_secret_is_in_what_dagster_is_given(cli: Commands) -> None:
    repository = build_definitions(load_task_file(cli.folder.root / "tasks.yaml")).get_repository_def()
    given = serialize_value(RepositorySnap.from_def(repository))
    assert "${MY_TOKEN}" in given
    assert "s3cret-value" not in given


def test_check_warns_of_a_secret_that_stands_in_the_file_and_does_not_fail(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", TASKS.replace("${MY_TOKEN}", "hunter2x", 1))
    told = cli("check")
    assert "ok" in told
    assert "tasks.yaml:5:57: warning: the file contains a secret. Put it into an environment variable" in told.replace(
        "\n", " "
    )
    assert "hunter2x" not in told
    assert cli.json("check") == []


def test_check_says_that_two_day_fields_mean_either(cli: Commands) -> None:
    timed = "task_type: cron, schedule: {schedule_type: cron, cron_expression: '0 9 1 * 1'}"
    cli.folder.write("tasks.yaml", TASKS.replace("task_type: manual", timed, 1))
    message = " ".join(cli("check").split())
    assert "ok" in message
    assert "warning: '0 9 1 * 1' fires when the day of month or the day of week fits, as in cron" in message
    cli.folder.write("tasks.yaml", TASKS.replace("task_type: manual", timed.replace("1 * 1'", "1 * */1'"), 1))
    assert "warning" not in cli("check").replace("stands in the file", "")


def test_check_tells_every_mistake_in_one_pass_to_people_and_to_programs(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", WRONG)
    told = cli("check", code=1)
    for expected in (
        "'os' is outside the task packages",
        "unknown priority 'hihg'",
        "used twice",
        "unknown key 'retries'",
        "'missing'",
    ):
        assert expected in told
    assert "5 problem(s)" in told
    found = json.loads(cli("check", "--json", code=1))
    assert {tuple(problem) for problem in found} == {("file", "line", "column", "path", "message", "hint")}
    assert [problem["line"] for problem in found] == sorted(problem["line"] for problem in found)
    assert len(found) == 5
