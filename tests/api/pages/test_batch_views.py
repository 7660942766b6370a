"""One action on several tasks, the copy of one, and the page that imports, exports and cleans up."""

import html
import re

import pytest
import yaml
from fastapi.testclient import TestClient
from support.project import Folder

pytestmark = pytest.mark.slow


def test_a_switch_is_turned_for_all_that_are_selected(browser: TestClient) -> None:
    data = {"do": "off", "pick.load": "on", "back": "tag=daily&page=1"}
    answer = browser.post("/tasks/-/batch", data=data, follow_redirects=False)
    assert answer.headers["location"] == "/tasks?tag=daily&page=1&done=batch"
    assert 'class="switch is-off"' in browser.get("/tasks").text


def test_what_is_refused_is_said_and_the_others_are_done(browser: TestClient) -> None:
    page = browser.post("/tasks/-/batch", data={"do": "off", "pick.load": "on", "pick.report": "on"})
    assert "已处理 1 项，其余未处理" in page.text
    assert re.search(r"<p>report：.*没有调度", html.unescape(page.text))
    assert 'class="switch is-off"' in page.text
    page = browser.post("/tasks/-/batch", data={"do": "start", "pick.load": "on"}).text
    assert "没有守护进程在运行" in page
    assert "没有选择任务" in browser.post("/tasks/-/batch", data={"do": "stop"}).text
    assert browser.post("/tasks/-/batch", data={"do": "delete", "pick.load": "on"}).status_code == 422


def test_a_batch_of_another_site_does_nothing(browser: TestClient) -> None:
    foreign = {"origin": "http://evil.example"}
    for path in ("batch", "manage/import", "manage/export", "manage/cleanup", "executions/a:b/stop"):
        answer = browser.post(f"/tasks/-/{path}", data={"do": "off", "pick.load": "on"}, headers=foreign)
        assert answer.status_code == 403, path
    assert browser.post("/tasks/load/versions", data={"version": "a"}, headers=foreign).status_code == 403
    assert 'class="switch is-off"' not in browser.get("/tasks").text


def test_a_copy_is_a_filled_form_with_a_free_id(browser: TestClient) -> None:
    page = browser.get("/tasks/-/new?copy=load").text
    assert 'name="task_id" value="load_copy"' in page
    assert "rows: 3" in page
    assert "QUICK_SECRET" in page
    assert browser.get("/tasks/-/new?copy=nothing").status_code == 404


IMPORTED = """
task_packages: [paged]
tasks:
  - {task_id: tidy, task_name: 整理, task_type: manual, task_module: paged, task_function: report}
"""


def test_an_import_is_checked_first_and_then_written(browser: TestClient, project: Folder) -> None:
    def ids() -> list[str]:
        data = yaml.safe_load((project.root / "tasks.yaml").read_text(encoding="utf-8"))
        return [task["task_id"] for task in data["tasks"]]

    page = browser.post("/tasks/-/manage/import", data={"do": "check", "text": IMPORTED}).text
    assert "+  - task_id: tidy" in html.unescape(page)
    assert ids() == ["load", "report"]
    answer = browser.post("/tasks/-/manage/import", data={"do": "import", "text": IMPORTED}, follow_redirects=False)
    assert answer.headers["location"] == "/tasks?done=imported"
    assert ids() == ["load", "report", "tidy"]
    assert browser.post("/tasks/-/manage/import", data={"do": "import", "text": "tasks: ["}).status_code == 422


def test_an_export_stays_in_its_folder_and_a_clean_up_is_estimated_first(browser: TestClient, project: Folder) -> None:
    page = browser.post("/tasks/-/manage/export", data={"name": "copy.json"}).text
    assert str(project.root / "exports" / "copy.json") in page
    assert (project.root / "exports" / "copy.json").exists()
    assert browser.post("/tasks/-/manage/export", data={"name": "/etc/tasks.yaml"}).status_code == 422
    estimate = browser.post("/tasks/-/manage/cleanup", data={"do": "estimate", "days": "30"}).text
    assert "将删除 0 次运行" in estimate
    assert "已删除 0 次运行" in browser.post("/tasks/-/manage/cleanup", data={"do": "clean", "days": "30"}).text
    assert browser.post("/tasks/-/manage/cleanup", data={"do": "clean", "days": "soon"}).status_code == 422


def test_the_versions_of_a_task_are_listed_and_one_is_restored(browser: TestClient, project: Folder) -> None:
    browser.get("/tasks")
    assert browser.patch("/api/tasks/load", json={"timeout": 77}).status_code == 200
    page = browser.get("/tasks/load/versions").text
    assert "REST 接口" in page
    assert "其他程序（如文本编辑器）" in page
    version = re.search(r'name="version" value="(\w+)"', page)
    assert version
    answer = browser.post("/tasks/load/versions", data={"version": version[1]}, follow_redirects=False)
    assert answer.headers["location"] == "/tasks/load?done=restored"
    assert "timeout" not in (project.root / "tasks.yaml").read_text(encoding="utf-8")
    assert browser.get("/tasks/nothing/versions").status_code == 404
