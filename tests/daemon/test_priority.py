"""Who starts first: a slot is kept for critical work, and in the queue critical overtakes batch."""

from collections.abc import Iterator

import pytest
from support.project import Folder, Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [held]
    defaults: {task_type: manual, task_module: held, task_function: hold}
    tasks:
      - {task_id: one, priority: batch}
      - {task_id: two}
      - {task_id: three, priority: high}
      - {task_id: four, priority: high}
      - {task_id: batch, task_type: data_sync, priority: batch}
      - {task_id: urgent, task_type: data_sync, priority: critical}
"""
HELD = """
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def hold(params, run):
        with (HERE / "started.txt").open("a") as started:
            started.write(run.task_id + chr(10))
        while not (HERE / f"{run.task_id}.go").exists():
            time.sleep(0.1)
"""


def make(root: Folder) -> Folder:
    root.write("tasks.yaml", TASKS)
    root.write("held.py", HELD)
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(make(make_folder(tmp_path_factory.mktemp("priority") / "project"))) as server:
        yield server


def started(server: Server) -> list[str]:
    path = server.folder.root / "started.txt"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def release(server: Server, *tasks: str) -> None:
    for task in tasks:
        (server.folder.root / f"{task}.go").touch()


def test_one_slot_is_kept_for_critical_whoever_starts_the_others(server: Server) -> None:
    ordinary = [server.launch("one"), server.launch("two"), server.materialize("batch")]
    wait_for(lambda: set(started(server)) == {"one", "two", "batch"}, 60, "three ordinary runs")
    waiting = [server.launch("four"), server.launch("three")]
    critical = server.materialize("urgent")
    wait_for(lambda: "urgent" in started(server), 60, "the critical run, behind two that wait")
    assert [server.status(run) for run in waiting] == ["QUEUED", "QUEUED"]
    release(server, "one", "two", "three", "four", "batch", "urgent")
    assert {server.wait(run) for run in (*ordinary, *waiting, critical)} == {"SUCCESS"}


def test_with_one_slot_critical_overtakes_batch(folder: Folder) -> None:
    text = (folder.root / "dagster.yaml").read_text(encoding="utf-8")
    assert "max_concurrent_runs: 64" in text
    folder.write("dagster.yaml", text.replace("max_concurrent_runs: 64", "max_concurrent_runs: 1"))
    with serve(make(folder)) as server:
        first = server.launch("two")
        wait_for(lambda: started(server) == ["two"], 60, "the first run")
        queued = [server.launch(task) for task in ("batch", "one", "three", "urgent")]
        release(server, "batch", "one", "three", "urgent", "two")
        assert {server.wait(run) for run in (first, *queued)} == {"SUCCESS"}
        assert started(server) == ["two", "urgent", "three", "batch", "one"]
