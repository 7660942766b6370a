"""`TaskManager` without any server: functions of this process, edits, awaiting, and what is refused."""

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from support.project import Folder

from mystocks_dagster import AsyncTaskManager, GroupConfig, TaskConfig, TaskManager, TaskPriority, TaskType
from mystocks_dagster.errors import InstanceError, InvalidParams, NoDaemon, NotRunning, UnknownName
from mystocks_dagster.taskfile import module_cache
from mystocks_dagster.taskfile.edit.plans import EditRefused
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.tasks.run import TaskResult, TaskRun

TASKS = """\
# kept
task_packages: [shop]
tasks:
  - {task_id: count, task_type: manual, task_module: shop, task_function: count, tags: [每日, important]}
  - {task_id: after, task_type: cron, task_module: shop, task_function: count, dependencies: [count],
     schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}}
"""
SHOP = """
def count(params):
    return {"rows": 1}

def other(params):
    return None
"""


@pytest.fixture
def shop(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """A project with a package of its own; what this process imported of it is gone after the test."""
    folder.write("tasks.yaml", TASKS)
    folder.write("shop.py", SHOP)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder.root)])
    monkeypatch.setattr(module_cache, "_noted", {})
    yield folder
    sys.modules.pop("shop", None)


@pytest.fixture
def manager(shop: Folder) -> TaskManager:
    return TaskManager()


def text(shop: Folder) -> str:
    return (shop.root / "tasks.yaml").read_text(encoding="utf-8")


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("dagster", "pydantic", "polars", "fastapi")
    code = f"import sys, mystocks_dagster; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(ImportError):
        from mystocks_dagster import TaskManger  # type: ignore[attr-defined]  # noqa: F401


def test_a_registered_config_is_written_with_what_it_says_and_no_more(manager: TaskManager, shop: Folder) -> None:
    config = TaskConfig(
        task_id="mine",
        task_name="我的任务",
        task_type=TaskType.MANUAL,
        task_module="shop",
        task_function="count",
        priority=TaskPriority.HIGH,
        params={"a": [1, 2]},
    )
    assert manager.register_task(config, dry_run=True).data["dry_run"] is True
    assert text(shop) == TASKS
    response = manager.register_task(config)
    assert (response.success, response.task_id) == (True, "mine")
    added = text(shop).removeprefix(TASKS)
    assert "priority: 200" in added
    assert "timeout" not in added
    assert manager.get_task("mine") == config
    manager.register_group(GroupConfig(group_id="all", tasks=("count", "mine")))
    assert manager.get_group("all").tasks == ("count", "mine")
    manager.delete_group("all")
    manager.unregister_task("mine")
    assert [task.task_id for task in manager.list_tasks()] == ["count", "after"]
    assert text(shop).startswith("# kept")


def test_tasks_are_listed_by_type_and_by_any_of_some_tags(manager: TaskManager) -> None:
    assert [task.task_id for task in manager.list_tasks("cron")] == ["after"]
    assert [task.task_id for task in manager.list_tasks(TaskType.MANUAL, "nothing, 每日")] == ["count"]
    assert manager.list_tasks(tags=["nothing"]) == []


def test_what_is_refused_says_why_and_changes_nothing(manager: TaskManager, shop: Folder) -> None:
    with pytest.raises(EditRefused, match="after") as refused:
        manager.delete_task("count")
    assert refused.value.names == ("after",)
    with pytest.raises(TaskFileError, match="Did you mean 'count'"):
        manager.update_task("count", {"task_function": "cont"})
    with pytest.raises(UnknownName, match="Did you mean count"):
        manager.get_task("cuont")
    with pytest.raises(InvalidParams, match="cannot be changed"):
        manager.update_task("count", {"task_id": "other"})
    with pytest.raises(NoDaemon, match="mystocks ui"):
        manager.start_task("count")
    with pytest.raises(NotRunning):
        manager.stop_task("count")
    with pytest.raises(InvalidParams, match="the task file itself"):
        manager.export_config("tasks.yaml")
    assert text(shop) == TASKS


@pytest.mark.parametrize("name", ["out.yaml", "out.json"])
def test_what_is_exported_imports_without_loss(manager: TaskManager, shop: Folder, name: str) -> None:
    before = manager.list_tasks()
    path = manager.export_config(name)
    shop.write("tasks.yaml", "tasks: []\n")
    manager.import_config(path)
    assert manager.list_tasks() == before
    assert (path.read_text(encoding="utf-8") == TASKS) == (name == "out.yaml"), "YAML keeps its comments"


def test_an_importable_function_keeps_its_path_and_may_be_scheduled(manager: TaskManager, shop: Folder) -> None:
    import shop as module  # type: ignore[import-not-found]

    schedule = {"schedule_type": "cron", "cron_expression": "0 9 * * *"}
    manager.register_function("mine", module.other, task_type="cron", schedule=schedule)
    task = manager.get_task("mine")
    assert (task.task_module, task.task_function) == ("shop", "other")
    assert manager.switches()["mine"].on
    again = manager.register_function("mine", module.other)
    assert "nothing to change" in again.message
    with pytest.raises(EditRefused, match="already"):
        manager.register_function("count", module.other)


def test_a_function_of_this_process_runs_here_and_is_in_the_history(
    manager: TaskManager, shop: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def here(params: dict) -> dict:
        print("printed")
        logging.getLogger("task.here").warning("logged %s", "here")
        seen.append((params, threading.current_thread() is threading.main_thread()))
        return {"status": "success", "rows": {"stocks": 3}, "answer": 42}

    manager.register_function("here", here, params={"a": 1, "b": 2}, task_name="这里")
    done = manager.wait(manager.start_task("here", {"b": 3}).execution_id, 60)
    assert seen == [({"a": 1, "b": 3}, False)]
    assert (done.task_id, done.status, done.retry_count) == ("here", "success", 0)
    assert capfd.readouterr() == ("printed\n", ""), "what it prints is the program's, and Dagster prints nothing"
    assert "logged here" in manager.get_logs(done.execution_id)
    assert done.params == {"a": 1, "b": 3}
    assert done.result["result"] == {"answer": 42}
    fresh = TaskManager()
    assert [execution.execution_id for execution in fresh.get_executions("here")] == [done.execution_id], (
        "another manager sees it too"
    )
    assert fresh.get_statistics("here")["here"].success_count == 1
    assert text(shop) == TASKS


class Numbers(BaseModel):
    """Params of a function."""

    left: int
    right: int = 2


@pytest.mark.parametrize(
    ("function", "params", "status", "expected"),
    [
        (lambda: None, {}, "success", ""),
        (lambda params: {"status": "failed", "error": "no data"}, {}, "failed", "no data"),
        (lambda params: {"status": "skipped", "message": "not today"}, {}, "skipped", ""),
        (lambda params: 1 / 0, {}, "failed", "ZeroDivisionError"),
        (lambda params: {"rows": object()}, {}, "failed", "object"),
        (lambda params: sys.exit(3), {}, "failed", "sys.exit"),
    ],
    ids=["none", "failed", "skipped", "raises", "no json", "exits"],
)
def test_how_it_ended_is_what_the_function_said(
    manager: TaskManager, function: object, params: dict, status: str, expected: str
) -> None:
    manager.register_function("here", function)  # type: ignore[arg-type]
    done = manager.wait(manager.start_task("here", params).execution_id, 60)
    assert done.status == status
    assert expected in (done.error_message or "")


@pytest.mark.slow
def test_a_coroutine_is_awaited_and_model_and_run_are_given(manager: TaskManager) -> None:
    async def here(params: Numbers, run: TaskRun) -> TaskResult:
        await asyncio.sleep(0)
        run.report_progress(1, 2, "half")
        return TaskResult(metadata={"sum": params.left + params.right, "task": run.task_id})

    manager.register_function("here", here)
    assert manager.wait(manager.start_task("here", {"left": 40}).execution_id, 60).result["result"] == {
        "sum": 42,
        "task": "here",
    }
    wrong = manager.wait(manager.start_task("here", {"left": "many"}).execution_id, 60)
    assert wrong.status == "failed"
    assert "left" in (wrong.error_message or "")


def test_what_only_this_process_has_cannot_be_scheduled_and_says_why(manager: TaskManager, shop: Folder) -> None:
    def here(params: dict) -> None:
        return None

    with pytest.raises(InvalidParams, match="task_packages"):
        manager.register_function("here", here, schedule={"schedule_type": "cron", "cron_expression": "0 9 * * *"})
    with pytest.raises(InvalidParams, match="timeout"):
        manager.register_function("here", here, timeout=5)
    with pytest.raises(InvalidParams, match="starts with a letter"):
        manager.register_function("../here", here)
    with pytest.raises(EditRefused, match="count"):
        manager.register_function("count", here)
    manager.register_function("here", here)
    with pytest.raises(InvalidParams, match=r"params\.a is a object"):
        manager.start_task("here", {"a": object()})
    assert manager.get_executions("here") == []
    with pytest.raises(InvalidParams, match="cannot be scheduled"):
        manager.enable("here")
    with pytest.raises(TaskFileError, match="outside the task packages"):
        manager.register_task(
            {"task_id": "x", "task_type": "manual", "task_module": here.__module__, "task_function": "here"}
        )
    manager.unregister_task("here")
    with pytest.raises(UnknownName):
        manager.start_task("here")
    assert text(shop) == TASKS


def test_what_runs_in_this_process_is_not_stopped_from_outside(manager: TaskManager) -> None:
    go_on = threading.Event()

    def here() -> None:
        go_on.wait(60)

    manager.register_function("here", here)
    execution = manager.start_task("here").execution_id
    assert execution
    with pytest.raises(InstanceError, match="inside the Python program"):
        manager.stop_task(execution)
    go_on.set()
    assert manager.wait(execution, 60).status == "success"


def test_results_may_be_awaited_also_where_a_loop_runs_already(manager: TaskManager) -> None:
    manager.register_function("here", lambda: None)

    async def notebook() -> str:
        started = await manager.start_task("here")
        assert started is await started
        return manager.wait(started.execution_id, 60).status

    assert asyncio.run(notebook()) == "success"


def test_the_async_manager_lets_the_loop_go_on(shop: Folder) -> None:
    async def program() -> tuple[list[str], str, int]:
        manager = AsyncTaskManager()

        def here() -> None:
            threading.Event().wait(0.5)

        await manager.register_function("here", here)
        started = await manager.start_task("here")
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.01)

        beating = asyncio.create_task(beat())
        ended = await manager.wait(started.execution_id, 60)
        beating.cancel()
        return [task.task_id for task in await manager.list_tasks()], ended.status, beats

    names, status, beats = asyncio.run(program())
    assert (names, status) == (["count", "after"], "success")
    assert beats > 5


def test_an_edit_by_another_program_is_seen_and_threads_share_a_manager(manager: TaskManager, shop: Folder) -> None:
    assert manager.get_task("count").timeout is None
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "edit", "count", "timeout=7"]
    subprocess.run(command, cwd=shop.root, env=shop.environment, check=True, capture_output=True, timeout=120)
    assert manager.get_task("count").timeout == 7
    errors: list[BaseException] = []

    def change(number: int) -> None:
        try:
            manager.register_task(
                {"task_id": f"t{number}", "task_type": "manual", "task_module": "shop", "task_function": "count"}
            )
            assert manager.get_task(f"t{number}").task_id == f"t{number}"
            manager.get_executions()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors
    assert {task.task_id for task in manager.list_tasks()} == {"count", "after", *(f"t{number}" for number in range(6))}


def test_the_shared_manager_is_one_object_and_opens_nothing_by_itself(shop: Folder) -> None:
    from mystocks_dagster import task_manager
    from mystocks_dagster.manager.shared import task_manager as same

    assert task_manager is same
    assert not Path(shop.root / ".dagster" / "dagster.yaml").exists()
