"""The application over a project folder, in the test's own process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from support.project import Folder, make_folder

from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import module_cache

#: Without a token the server answers to loopback names only.
ADDRESS = "http://127.0.0.1:8888"
TASKS = """\
# The tasks of a small desk.
task_packages: [desk]
tasks:
  - task_id: base
    task_name: 基础
    task_type: manual
    task_module: desk
    task_function: load
    timeout: 60   # a minute
    tags: [first]
  - task_id: daily
    task_type: cron
    task_module: desk
    task_function: load
    schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}
    dependencies: [base]
    params: {password: "${DESK_PASSWORD}"}
task_groups:
  - group_id: evening
    tasks: [base, daily]
    schedule: {schedule_type: cron, cron_expression: "0 18 * * 1-5"}
"""
DESK = """
def load(params):
    return {"rows": 1}
"""
NEW = {"task_id": "more", "task_type": "manual", "task_module": "desk", "task_function": "load"}


def make_desk(root: Path, patch: pytest.MonkeyPatch) -> Folder:
    """Make a project of two tasks and a group, and turn this process to it."""
    folder = make_folder(root)
    folder.write("tasks.yaml", TASKS)
    folder.write("desk.py", DESK)
    patch.chdir(root)
    patch.setenv("DESK_PASSWORD", "geheim")
    patch.setenv("DAGSTER_HOME", str(root / ".dagster"))
    patch.setenv("MYSTOCKS_ROOT", str(root))
    # Another test's module of that name is another module.
    patch.setattr(sys, "path", [entry for entry in sys.path if "desk" not in Path(entry).parts])
    patch.setattr(module_cache, "_noted", {})
    sys.modules.pop("desk", None)
    return folder


def open_client() -> TestClient:
    """Return a client of the real application."""
    return TestClient(create_app(Settings.from_env()), base_url=ADDRESS, raise_server_exceptions=False)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A project of two tasks and a group."""
    return make_desk(tmp_path / "desk", monkeypatch)


@pytest.fixture
def client(desk: Folder) -> Iterator[TestClient]:
    """A client of the real application over that project."""
    with open_client() as client:
        yield client


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Folder]]:
    """One client, and its project, for all calls of a module that change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        folder = make_desk(tmp_path_factory.mktemp("still") / "desk", patch)
        with open_client() as client:
            yield client, folder
