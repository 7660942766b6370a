"""Health and the logs of executions over a real web UI and daemon."""

import json
import re
import shutil
from collections.abc import Iterator

import pytest
from support.commands import Commands, commands_in
from support.project import Server, make_folder, serve, wait_for

from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [chatty]
    tasks:
      - {task_id: talks, task_type: manual, task_module: chatty, task_function: talks,
         params: {api_token: s3cr3t-value}}
      - {task_id: sleeps, task_type: manual, task_module: chatty, task_function: sleeps, retry_count: 2,
         retry_delay: 300}
      - task_id: fails
        task_type: cron
        task_module: chatty
        task_function: fails
        schedule: {schedule_type: cron, cron_expression: "0 5 1 1 *"}
"""
CHATTY = """
    import logging
    import subprocess
    import time

    log = logging.getLogger(__name__)

    def talks(params):
        log.info("got %d of %s", 3, "三")
        print("printed", params["api_token"], flush=True)
        subprocess.run("echo from a child >&2", shell=True)
        time.sleep(1)
        log.warning("first line\\nsecond line")
        return {"status": "success", "message": "all said"}

    def sleeps(params):
        time.sleep(600)

    def fails(params):
        raise RuntimeError("no data today")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("health") / "project")
    folder.env["MYSTOCKS_NOW"] = "2026-06-01T12:00:00+08:00"  # the calendar's last 30 days are a matter of another test
    folder.write("tasks.yaml", TASKS)
    folder.write("chatty.py", CHATTY)
    with serve(folder) as server:
        yield server


@pytest.fixture
def cli(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    for name, value in server.folder.env.items():
        monkeypatch.setenv(name, value)
    return commands_in(server.folder, monkeypatch, capsys)


@pytest.fixture
def project(cli: Commands) -> Project:
    assert cli.folder.root.exists()
    return Project(Settings.from_env())


def test_a_project_that_does_its_work_is_healthy(project: Project) -> None:
    told = wait_for(
        lambda: (one := project.health()).status == "healthy" and one, 60, f"health {project.health().to_json()}"
    )
    assert told.to_json() | {"checks": []} == {
        "status": "healthy",
        "total_tasks": 3,
        "running_tasks": 0,
        "total_executions": 0,
        "checks": [],
    }
    assert {check.name for check in told.checks} == {
        "daemon",
        "task_file",
        "web_ui",
        "lake",
        "disk",
        "calendar",
        "schedules",
        "last_runs",
    }


def test_a_detached_run_is_followed_by_its_id_and_its_logs_are_shown_by_task_run_and_execution(cli: Commands) -> None:
    assert "talks has not run" in cli("logs", "talks", code=1)
    started = cli.json("run", "talks", "--detach")
    assert started["execution_id"] == f"{started['run_id']}:talks"
    followed = cli("logs", started["execution_id"], "--follow").splitlines()
    assert [line.partition(" | ")[2] for line in followed[:2]] == ["got 3 of 三", "printed ***"]
    assert followed[-1].endswith("all said")
    run = started["run_id"][:8]
    for arguments in (["talks"], ["talks", "--run", run], [run], [started["execution_id"]]):
        assert cli("logs", *arguments).splitlines() == followed
    assert cli("logs", "talks", "--lines", "2").splitlines() == followed[-2:]
    assert cli("logs", "talks", "--lines", "0") == ""
    for extra in ([], ["--follow"]):
        objects = [json.loads(line) for line in cli("logs", "talks", "--json", *extra).splitlines()]
        shape = "{time} {level:<8} {task_id} attempt={attempt} run={run_id} | {text}"
        assert [shape.format(**one) for one in objects] == followed
        assert {(one["attempt"], one["run_id"]) for one in objects} == {(1, started["run_id"])}
    assert "has not run in 00000000" in cli("logs", "talks", "--run", "00000000", code=1)
    assert "There is no run or execution" in cli("logs", "00000000", code=1)
    assert "Did you mean talks" in cli("logs", "tals", code=1)


def test_a_stopped_task_is_cancelled_and_its_retries_are_not_waited_for(cli: Commands, project: Project) -> None:
    run_id = cli.json("run", "sleeps", "--detach")["run_id"]
    wait_for(lambda: project.history.execution(f"{run_id}:sleeps").status == "running", 90, "the task's start")
    assert [one["status"] for one in cli.json("stop", "sleeps")] == ["canceled"]
    events = {
        entry.dagster_event.event_type_value for entry in project.instance.all_logs(run_id) if entry.dagster_event
    }
    assert "STEP_UP_FOR_RETRY" not in events
    stopped = project.history.execution(f"{run_id}:sleeps")
    assert (stopped.status, stopped.retry_count) == ("cancelled", 0)
    assert cli("logs", "sleeps").endswith("| stopped on request\n")


# Of the twelve failures of the earlier implementation the eleventh: log lines lost their values.
def test_an_execution_is_followed_while_it_runs_and_its_file_has_all_it_said(server: Server, project: Project) -> None:
    run_id = server.launch("talks")
    followed = list(project.logs.follow(f"{run_id}:talks"))
    assert server.wait(run_id) == "SUCCESS"
    form = re.compile(
        rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}\+08:00 ([A-Z]+) +talks attempt=1 run={run_id} \| (.*)\n$"
    )
    told = [match.groups() for line in followed if (match := form.match(line))]
    assert len(told) == len(followed)
    assert told[:-1] == [
        ("INFO", "got 3 of 三"),
        ("STDOUT", "printed ***"),
        ("STDERR", "from a child"),
        ("WARNING", "first line"),
        ("WARNING", "second line"),
    ]
    assert re.fullmatch(r"success after \d+\.\d s\. all said", told[-1][1])
    assert project.logs.read(f"{run_id}:talks") == "".join(followed)
    assert (project.settings.logs / "talks.log").read_text(encoding="utf-8").endswith("".join(followed))


def test_what_was_rotated_away_is_read_from_dagster(server: Server, project: Project) -> None:
    run_id = server.launch("talks")
    assert server.wait(run_id) == "SUCCESS"
    (project.settings.logs / "talks.log").unlink()
    told = project.logs.read(f"{run_id}:talks")
    for part in ("got 3 of 三", "printed ***", "from a child", "second line", f"run={run_id}"):
        assert part in told


def test_a_scheduled_task_that_failed_makes_the_project_degraded_until_it_succeeds(
    server: Server, project: Project
) -> None:
    run_id = server.launch("fails")
    assert server.wait(run_id) == "FAILURE"
    told = project.health()
    assert told.status == "degraded"
    assert [(one.name, one.remedy) for one in told.checks if not one.ok] == [
        ("last_runs", "mystocks logs fails, then: mystocks run fails")
    ]
    assert "RuntimeError: no data today" in project.logs.read(f"{run_id}:fails")


def test_health_ends_with_1_and_says_what_to_do_when_something_is_wrong(cli: Commands) -> None:
    told = cli("health", code=1)
    assert re.search(r"failed +last_runs +failed in the last run: fails", told)
    assert "→ mystocks logs fails, then: mystocks run fails" in told


def test_a_location_that_does_not_load_is_told_with_its_reason(server: Server, project: Project) -> None:
    text = (server.folder.root / "tasks.yaml").read_text(encoding="utf-8")
    again = 'mutation { reloadRepositoryLocation(repositoryLocationName: "mystocks") { __typename } }'
    (server.folder.root / "tasks.yaml").write_bytes(b"tasks: \xff")
    # Else the last good version would be loaded.
    versions = server.folder.root / ".dagster" / "taskfiles"
    versions.rename(versions.with_name("away"))
    try:
        server.graphql(again)
        web_ui = next(check for check in project.health().checks if check.name == "web_ui")
        assert not web_ui.ok
        assert "could not load the task file" in web_ui.detail
        assert "UTF-8" in web_ui.detail
    finally:
        (server.folder.root / "tasks.yaml").write_text(text, encoding="utf-8")
        shutil.rmtree(versions, ignore_errors=True)
        versions.with_name("away").rename(versions)
        server.graphql(again)


def test_once_the_service_is_stopped_its_daemon_is_not_taken_for_alive(server: Server, cli: Commands) -> None:
    server.process.terminate()
    server.process.wait(60)
    assert "no daemon is alive" in cli("run", "talks", "--detach", code=1)
    checks = {check["name"]: check for check in json.loads(cli("health", "--json", code=1))["checks"]}
    assert (checks["daemon"]["ok"], checks["daemon"]["remedy"]) == (False, "mystocks ui")
    assert (checks["web_ui"]["ok"], checks["web_ui"]["remedy"]) == (False, "mystocks ui")
