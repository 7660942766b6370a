"""Runs that another machine executes: with the version of the task file that they were queued with, and lost or stopped
as on one machine."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import dagster as dg
import psutil
import pytest
from support.machines import Machine, machine, project, share, takes_runs
from support.project import Folder, wait_for

from mystocks_dagster.factory.machines import names, queue
from mystocks_dagster.factory.machines.attendance import database_url
from mystocks_dagster.history.cleanup import orphans
from mystocks_dagster.instance import open_instance
from mystocks_dagster.market.clock import now
from mystocks_dagster.settings import Settings

#: Each needs a server.
pytestmark = pytest.mark.slow

TASKS = """
    task_packages: [where]
    defaults: {task_type: manual, task_module: where}
    tasks:
      - {task_id: tell, task_function: tell, params: {text: first version}}
      - {task_id: hold, task_function: hold}
      - {task_id: print, task_function: print_only}
"""
WHERE = """
    import logging
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def tell(params, run):
        logging.getLogger("task").info(f"{params['text']} on {HERE.parent.name}")

    def print_only(params, run):
        print("only printed")

    def hold(params, run):
        (HERE / "holds").write_text(run.run_id)
        time.sleep(600)
"""


@dg.job
def nothing() -> None:
    """A job of no step, for runs that nobody executes."""


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def shared_project(
    tmp_path_factory: pytest.TempPathFactory, postgres: Any, stack: ExitStack
) -> tuple[Folder, Machine, dict[str, str]]:
    root = tmp_path_factory.mktemp("machines")
    monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
    head = project(root / "head", {})
    head.write("tasks.yaml", TASKS)
    head.write("where.py", WHERE)
    shared = share(head, postgres, monkeypatch)
    head.mystocks("list")
    first = stack.enter_context(machine(root / "first", head, shared, "where.py", runs=2))
    takes_runs(first)
    return head, first, shared


@pytest.fixture(autouse=True)
def same_database(shared_project: tuple[Folder, Machine, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find the database too."""
    for name, value in shared_project[2].items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def head(shared_project: tuple[Folder, Machine, dict[str, str]]) -> Folder:
    return shared_project[0]


@pytest.fixture
def first(shared_project: tuple[Folder, Machine, dict[str, str]]) -> Machine:
    return shared_project[1]


def test_a_run_executes_the_machines_own_code_with_the_file_of_the_head(head: Folder, first: Machine) -> None:
    assert not (first.folder.root / "tasks.yaml").exists()
    told = head.mystocks("run", "tell")
    assert "success" in told
    execution = head.json("history", "tell")[0]
    assert execution["status"] == "success"
    # The head reads in the database what the other machine has in a file.
    log = (first.folder.root / ".dagster" / "logs" / "tell.log").read_text(encoding="utf-8")
    assert "first version on first" in log
    assert not (head.root / ".dagster" / "logs" / "tell.log").exists()
    assert "first version on first" in head.mystocks("logs", "tell")
    assert f"run={execution['run_id']}" in log


def test_what_reads_works_on_a_machine_without_tasks_yaml(head: Folder, first: Machine) -> None:
    there = first.folder
    told = there.mystocks("check", code=1)
    assert "Several machines share this project's database: do this where the file is" in " ".join(told.split())
    (run,) = {execution["run_id"] for execution in head.json("history", "tell")}
    for command in (["history"], ["history", "tell"], ["logs", run], ["stats"], ["list"], ["next"], []):
        told = there.mystocks(*command)
        assert "tell" in told or command in (["next"], [])
    assert "3 tasks, 0 groups" in told
    assert "tell is not running" in there.mystocks("stop", "tell", code=1)
    checks = {check["name"]: check for check in there.json("health", code=1)["checks"]}
    assert "another machine has it; the last run was queued with version" in checks["task_file"]["detail"]
    assert [name for name, check in checks.items() if not check["ok"]] == ["daemon", "web_ui"]
    assert "success" in there.mystocks("run", "tell")


def test_a_run_without_a_daemon_is_not_said_to_run_here(head: Folder, first: Machine) -> None:
    told = head.mystocks("run", "tell")
    assert "waits for a machine with a free slot (first), without the queue, because no daemon is alive" in told
    assert "foreground" not in told


def test_the_log_of_a_task_that_only_printed_says_on_which_machine_the_output_is(head: Folder, first: Machine) -> None:
    head.mystocks("run", "print")
    (run,) = {execution["run_id"] for execution in head.json("history", "print")}
    for command in (["logs", "print"], ["logs", "print", "--follow"]):
        told = head.mystocks(*command)
        assert f"What this task printed is on first. Read it there with: mystocks logs {run}" in told
    assert "only printed" in first.folder.mystocks("logs", run)
    assert "What this task printed is on" not in first.folder.mystocks("logs", run)


def test_health_names_the_machines_that_take_runs(head: Folder, first: Machine) -> None:
    checks = {check["name"]: check for check in head.json("health", code=1)["checks"]}
    assert checks["machines"]["ok"]
    assert checks["machines"]["detail"] == "first executes up to 2 runs"


def test_a_clean_up_removes_versions_that_no_run_refers_to(head: Folder, first: Machine) -> None:
    with open_instance(_settings(head)) as instance:
        key = "mystocks/taskfiles/0123456789abcdef"
        instance.run_storage.set_cursor_values({key: '{"root": "/", "stored": 0, "copy": {}}'})
        # That of the run above is in use.
        assert orphans.unused_shared_versions(instance, now()) == [key]
        head.mystocks("cleanup", "--days", "30")
        assert instance.run_storage.get_cursor_values({key}) == {}
        assert orphans.unused_shared_versions(instance, now()) == []


def test_a_stopped_run_ends_on_its_machine(head: Folder, first: Machine) -> None:
    with _running(head, first) as run_id:
        head.mystocks("stop", run_id)
        assert head.json("history", "hold")[0]["status"] == "cancelled"
        wait_for(lambda: not _processes_of(first, run_id), 20, "the end of the run's process")


def test_a_run_whose_process_is_killed_is_found_lost_by_its_lock(head: Folder, first: Machine) -> None:
    with _running(head, first) as run_id, open_instance(_settings(head)) as instance:
        launcher, run = instance.run_launcher, instance.get_run_by_id(run_id)
        assert launcher.check_run_worker_health(run).status.value == "RUNNING"
        for process in _processes_of(first, run_id):
            process.kill()

        def lost() -> Any:
            health = launcher.check_run_worker_health(run)
            return health.status.value == "FAILED" and health.msg

        assert wait_for(lost, 60, "the lost run") == (
            "the run's process on first is gone: it was killed, or the machine went down"
        )


def test_code_that_the_other_machine_lacks_is_named_with_the_machine(head: Folder, first: Machine) -> None:
    before = (head.root / "tasks.yaml").read_text(encoding="utf-8")
    head.write("only_here.py", "def work(params):\n    pass\n")
    try:
        head.write(
            "tasks.yaml",
            "task_packages: [only_here]\ntasks:\n  - {task_id: far, task_type: manual, "
            "task_module: only_here, task_function: work}\n",
        )
        told = head.mystocks("run", "far", code=1)
        assert "only_here" in told
        assert "first" in told
    finally:
        (head.root / "tasks.yaml").write_text(before, encoding="utf-8")


def test_a_run_that_a_dead_machine_had_taken_and_not_begun_is_taken_by_another(head: Folder, first: Machine) -> None:
    with open_instance(_settings(head)) as instance, queue.opened(database_url(instance)) as app:
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTING)
        ended = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.FAILURE)
        taken = (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, args) VALUES "
            "(%(queue)s, %(queue)s, 'doing', jsonb_build_object('run_id', %(run)s::text, 'package', %(package)s::text))"
        )
        for run_id in (run.run_id, ended.run_id):
            app.connector.execute_query(taken, queue=queue.QUEUE, run=run_id, package=names.installed())

        async def recover() -> None:
            receiving = queue.receiving(database_url(instance), lambda line: None)
            async with receiving.open_async():
                await queue.recover(receiving, lambda run_id: True if run_id == run.run_id else None)

        asyncio.run(recover())

        def reason() -> Any:
            failed = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
            return failed and failed[0].event_log_entry.dagster_event.message

        assert "first cannot start this run" in wait_for(reason, 30, "the machine that takes it")
        left = "SELECT id FROM procrastinate_jobs"
        wait_for(lambda: not app.connector.execute_query_all(left), 30, "an empty queue")


def test_a_machine_with_another_version_of_the_package_takes_no_run(head: Folder, first: Machine) -> None:
    """The last one: the machine ends."""
    with open_instance(_settings(head)) as instance, queue.opened(database_url(instance)) as app:
        queue.hand_over(app, "no-such-run", "9.9.9", 0)
    assert first.process.wait(60) == 1
    assert "first has mystocks-dagster 0.1.0, and the daemon has 9.9.9" in " ".join(first.output.split())


@contextmanager
def _running(head: Folder, first: Machine) -> Iterator[str]:
    """Start the task that holds, and yield the id of its run once the other machine executes it."""
    mark = first.folder.root / "holds"
    mark.unlink(missing_ok=True)
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "run", "hold"]
    following = subprocess.Popen(command, cwd=head.root, env=head.environment, stdout=subprocess.DEVNULL)
    try:
        yield wait_for(lambda: mark.exists() and mark.read_text(encoding="utf-8"), 90, "the task on the other machine")
    finally:
        following.kill()
        following.wait()


def _settings(head: Folder) -> Settings:
    return replace(Settings.from_env(), root=head.root, dagster_home=head.root / ".dagster")


def _processes_of(first: Machine, run_id: str) -> list[psutil.Process]:
    return [process for process in first.processes() if run_id in " ".join(_command(process))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
