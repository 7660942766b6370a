"""The application over a project folder, in the test's own process."""

import os
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from support.project import Folder

from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings

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


@pytest.fixture
def desk(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A project of two tasks and a group."""
    folder.write("tasks.yaml", TASKS)
    folder.write("desk.py", DESK)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("DESK_PASSWORD", "geheim")
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    return folder


@pytest.fixture
def client(desk: Folder) -> Iterator[TestClient]:
    """A client of the real application."""
    assert os.environ["MYSTOCKS_ROOT"] == str(desk.root)
    with TestClient(create_app(Settings.from_env()), base_url=ADDRESS, raise_server_exceptions=False) as client:
        yield client
