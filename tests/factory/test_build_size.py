"""What loading costs grows with the file, and a run's process builds only what it runs."""

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.taskfile.reader import load_task_file
from mystocks_dagster.taskfile.versions import load_version, store


def calls(work: Callable[[], Any]) -> int:
    """Count the function calls of `work`: the same on every machine, unlike seconds."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]


@pytest.fixture
def file_of(folder: Folder) -> Callable[[int], Any]:
    """Return a function that writes a file of so many tasks, half of them assets, each fifth a chain's start."""
    folder.write("quick.py", "def work(params):\n    pass\n")

    def write(count: int) -> Any:
        tasks = [
            f"  - {{task_id: t{i}, task_type: {'data_sync' if i % 2 else 'manual'}, task_module: quick, task_function:"
            f" work, params: {{a: {i}}}, dependencies: [{f't{i - 1}' if i % 5 else ''}]}}"
            for i in range(count)
        ]
        return folder.write("tasks.yaml", "task_packages: [quick]\ntasks:\n" + "\n".join(tasks) + "\n")

    return write


@pytest.mark.slow
def test_loading_is_linear_in_the_number_of_tasks(file_of: Callable[[int], Any]) -> None:
    def load(count: int) -> Callable[[], Any]:
        path = file_of(count)
        return lambda: build_definitions(load_task_file(path)).get_repository_def().get_all_jobs()

    load(5)()  # imports are not what is counted
    small, large = calls(load(125)), calls(load(1000))
    assert large < 8 * small * 1.25


def test_a_worker_of_one_task_builds_that_task_whatever_the_size_of_the_file(
    file_of: Callable[[int], Any], folder: Folder
) -> None:
    def stored(count: int) -> str:
        return store(load_task_file(file_of(count)), folder.root / "versions")

    def build(version: str) -> dg.Definitions:
        return build_definitions(load_version(folder.root / "versions", version, "t4"))

    ten, thousand = stored(10), stored(1000)
    names = {job.name for job in build(thousand).get_repository_def().get_all_jobs()}
    assert names - {"__ASSET_JOB"} == {"t0", "t1", "t2", "t3", "t4"}
    build(ten)
    # Reading the copy costs a few calls for each task; building the rest would cost a hundred times as many.
    assert calls(lambda: build(thousand)) < 3 * calls(lambda: build(ten))
