"""The pages within the test's process, over a project of two tasks and a group; no server runs."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from support.project import Folder

from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings

ORIGIN = "http://127.0.0.1:8888"
TASKS = """
    # What this project runs.
    task_packages: [paged]
    tasks:
      - task_id: load
        task_name: 装载行情
        task_type: data_sync
        task_module: paged
        task_function: load
        params: {rows: 3, secret: "${QUICK_SECRET:-hush}"}   # three is enough
        tags: [daily]
        schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}
      - task_id: report
        task_name: 报表 <b>
        task_type: manual
        task_module: paged
        task_function: report
        dependencies: [load]
    task_groups:
      - {group_id: evening, group_name: 晚间任务组, tasks: [load, report]}
"""
QUICK = """
    def load(params):
        return {"status": "success"}

    def report(params):
        return {"status": "success"}
"""


@pytest.fixture
def project(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder.write("tasks.yaml", TASKS)
    folder.write("paged.py", QUICK)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    return folder


@pytest.fixture
def browser(project: Folder) -> Iterator[TestClient]:
    with TestClient(
        create_app(Settings.from_env()), base_url=ORIGIN, headers={"origin": ORIGIN, "accept-language": "zh-CN"}
    ) as client:
        yield client
