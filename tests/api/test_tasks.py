"""The calls that the seed does not have, and what every call answers to what is wrong."""

import os
from pathlib import Path

import pytest
from api.conftest import DESK, NEW, TASKS
from fastapi.testclient import TestClient
from support.project import Folder

ERROR = {"success", "error", "message", "problems", "names", "task_id", "execution_id"}
PROBLEM = {"file", "line", "column", "path", "message", "hint"}
NOBODY = "00000000-0000-0000-0000-000000000000:base"


def text(desk: Folder) -> str:
    return (desk.root / "tasks.yaml").read_text(encoding="utf-8")


def test_a_registered_task_is_a_task_of_the_file_and_comments_stay(client: TestClient, desk: Folder) -> None:
    result = client.post("/api/tasks/register", json=NEW).json()
    assert (result["success"], result["task_id"]) == (True, "more")
    assert "+  - task_id: more" in result["data"]["diff"]
    assert text(desk).startswith(TASKS[: TASKS.index("task_groups")])
    assert client.get("/api/tasks/more").json()["task_function"] == "load"


def test_a_patch_changes_its_lines_and_a_put_the_whole_task(client: TestClient, desk: Folder) -> None:
    assert client.patch("/api/tasks/base", json={"timeout": 120, "tags": None}).status_code == 200
    assert text(desk) == TASKS.replace("timeout: 60", "timeout: 120").replace("    tags: [first]\n", "")
    assert client.put("/api/tasks/base", json={**NEW, "task_id": "base"}).status_code == 200
    shown = client.get("/api/tasks/base").json()
    assert (shown["timeout"], shown["task_name"]) == (None, "base")
    assert "# The tasks of a small desk." in text(desk)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/tasks/register?dry_run=true", NEW),
        ("PATCH", "/api/tasks/base?dry_run=true", {"timeout": 5}),
        ("PUT", "/api/tasks/base?dry_run=true", {**NEW, "task_id": "base"}),
        ("DELETE", "/api/tasks/base?force=true&dry_run=true", None),
        ("DELETE", "/api/groups/evening?dry_run=true", None),
        ("POST", "/api/tasks/import", {"config": {"tasks": [NEW]}, "dry_run": True}),
    ],
)
def test_a_dry_run_shows_the_difference_and_changes_nothing(
    client: TestClient, desk: Folder, method: str, path: str, body: object
) -> None:
    result = client.request(method, path, json=body).json()
    assert result["data"]["dry_run"] is True
    assert "@@" in result["data"]["diff"]
    assert text(desk) == TASKS


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "expected"),
    [
        ("POST", "/api/tasks/register", {**NEW, "timeot": 5}, 422, "Did you mean 'timeout'"),
        (
            "POST",
            "/api/tasks/register",
            {**NEW, "task_module": "os", "task_function": "system"},
            422,
            "outside the task packages",
        ),
        ("POST", "/api/tasks/register", {**NEW, "task_module": "subprocess"}, 422, "outside the task packages"),
        ("POST", "/api/tasks/register", {**NEW, "dependencies": ["bse"]}, 422, "Did you mean 'base'"),
        ("POST", "/api/tasks/register", {**NEW, "task_id": "../x"}, 422, "cannot be an id"),
        ("POST", "/api/tasks/register", {**NEW, "task_id": "base"}, 409, "already"),
        ("POST", "/api/tasks/register", {}, 422, "is missing"),
        ("POST", "/api/tasks/register", [NEW], 422, "dictionary"),
        ("POST", "/api/groups/register", {"group_id": "g", "tasks": ["nothing"]}, 422, "nothing"),
        ("PATCH", "/api/tasks/daily", {"schedule": {"cron_expression": "61 * * * *"}}, 422, "61"),
        ("PATCH", "/api/tasks/base", {"task_id": "other"}, 422, "cannot be changed"),
        ("PATCH", "/api/tasks/bse", {"timeout": 5}, 404, "base"),
        ("PATCH", "/api/tasks/evening", {"timeout": 5}, 404, "evening"),
        ("DELETE", "/api/tasks/base", None, 409, "daily"),
        ("DELETE", "/api/tasks/nothing", None, 404, "nothing"),
        ("GET", "/api/tasks/bas", None, 404, "Did you mean base"),
        ("GET", "/api/tasks/evening", None, 404, "group"),
        ("GET", "/api/groups/base", None, 404, "task"),
        ("GET", "/api/tasks/a.b", None, 422, "pattern"),
        ("GET", "/api/tasks/a%2Fb", None, 404, "/api/tasks/a/b does not exist"),
        ("GET", "/api/tasks/..%2F..%2Fetc%2Fpasswd", None, 404, "etc/passwd does not exist"),
        ("POST", "/api/tasks/a%20b/start", None, 422, "pattern"),
        ("POST", "/api/tasks/nothing/start", None, 404, "nothing"),
        ("POST", "/api/tasks/base/start", {"param": {}}, 422, "param"),
        ("POST", "/api/tasks/base/start", None, 503, "mystocks ui"),
        ("POST", "/api/groups/evening/start", None, 503, "mystocks ui"),
        ("POST", "/api/tasks/base/stop", None, 409, "not running"),
        ("POST", "/api/groups/evening/stop", None, 409, "not running"),
        ("POST", "/api/tasks/nothing/stop", None, 404, "nothing"),
        ("POST", "/api/tasks/base/enable", None, 409, "no schedule"),
        ("GET", f"/api/tasks/executions/{NOBODY}", None, 404, "no execution"),
        ("GET", f"/api/tasks/executions/{NOBODY}/logs", None, 404, "no execution"),
        ("GET", f"/api/tasks/executions/{NOBODY}/logs?follow=true", None, 404, "no execution"),
        ("POST", f"/api/tasks/executions/{NOBODY}/stop", None, 404, "no run or execution"),
        ("GET", "/api/tasks/executions/1", None, 422, "pattern"),
        ("GET", "/api/tasks/executions/?limit=0", None, 422, "limit"),
        ("GET", "/api/tasks/executions/?limit=x", None, 422, "limit"),
        ("GET", "/api/tasks/executions/?since=0001-01-01T00:00:00", None, 422, "year"),
        ("GET", "/api/tasks/executions/?until=9999-12-31", None, 422, "year"),
        ("GET", "/api/tasks/executions/?status=broken", None, 422, "partial_success"),
        ("GET", "/api/tasks/executions/?task_id=nothing", None, 404, "nothing"),
        ("GET", "/api/tasks/statistics/?task_id=nothing", None, 404, "nothing"),
        ("DELETE", "/api/tasks/executions/cleanup?days=-1", None, 422, "days"),
        ("GET", "/api/tasks/?task_type=cronn", None, 422, "data_sync"),
        ("PATCH", "/api/tasks/", None, 405, "PATCH"),
        ("GET", "/api/nothing", None, 404, "/docs"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason_in_one_shape_and_changes_nothing(
    still: tuple[TestClient, Folder], method: str, path: str, body: object, status: int, expected: str
) -> None:
    client, desk = still
    answer = client.request(method, path, json=body)
    result = answer.json()
    assert answer.status_code == status, result
    assert set(result) == ERROR
    assert result["success"] is False
    assert all(set(problem) == PROBLEM for problem in result["problems"])
    assert expected in result["message"] + str(result["problems"])
    assert text(desk) == TASKS


def test_an_invalid_edit_gets_the_place_as_check_prints_it(client: TestClient, desk: Folder) -> None:
    result = client.patch("/api/tasks/daily", json={"schedule": {"cron_expression": "0 25 * * *"}}).json()
    problem = result["problems"][0]
    assert (problem["file"], problem["line"], problem["path"]) == (
        str(desk.root / "tasks.yaml"),
        15,
        "tasks[1].schedule.cron_expression",
    )
    assert "25" in problem["message"]


def test_deleting_by_force_cuts_the_task_out_of_what_names_it(client: TestClient, desk: Folder) -> None:
    assert client.delete("/api/tasks/base").json()["names"] == ["daily", "evening"]
    assert client.delete("/api/tasks/base?force=true").status_code == 200
    assert client.get("/api/tasks/daily").json()["dependencies"] == []
    assert client.get("/api/groups/evening").json()["tasks"] == ["daily"]


def test_a_schedule_is_switched_and_reset_and_its_next_runs_are_told(client: TestClient) -> None:
    for path in ("/api/tasks/daily", "/api/groups/evening"):
        assert client.post(f"{path}/disable").json()["on"] is False
        assert client.get(path).json()["switch"] == {
            "task_id": path.rpartition("/")[2],
            "on": False,
            "file": True,
            "decided": True,
        }
        assert client.get(f"{path}/next").json() == []
        assert client.post(f"{path}/enable").json()["on"] is True
        assert client.post(f"{path}/reset").json()["decided"] is False
        result = client.get(f"{path}/next?count=6").json()
        assert len(result) == 6
        assert {start["weekday"] for start in result} == {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
    both = client.get("/api/next?count=1").json()
    assert sorted(start["task_id"] for start in both) == ["daily", "evening"]


def test_secrets_leave_neither_by_showing_nor_by_exporting(client: TestClient, desk: Folder) -> None:
    assert client.get("/api/tasks/daily").json()["params"] == {"password": "${DESK_PASSWORD}"}
    path = client.post("/api/tasks/export", json={"output_path": "all.json"}).json()["path"]
    for result in (client.get("/api/tasks/").text, Path(path).read_text(encoding="utf-8")):
        assert "${DESK_PASSWORD}" in result
        assert "geheim" not in result


def test_a_save_by_others_is_noticed_at_once(client: TestClient, desk: Folder) -> None:
    assert client.get("/api/tasks/base").json()["timeout"] == 60
    desk.write("tasks.yaml", TASKS.replace("timeout: 60", "timeout: 61"))
    assert client.get("/api/tasks/base").json()["timeout"] == 61


def test_a_function_that_was_written_a_moment_ago_can_be_registered(client: TestClient, desk: Folder) -> None:
    later = {**NEW, "task_function": "later"}
    assert client.post("/api/tasks/register", json=later).status_code == 422
    desk.write("desk.py", DESK + "\n\ndef later(params):\n    return None\n")
    assert client.post("/api/tasks/register", json=later).status_code == 200
    assert client.get("/api/tasks/more").status_code == 200


def test_a_file_that_cannot_be_used_is_no_fault_of_who_reads_and_is_told_by_health(
    client: TestClient, desk: Folder
) -> None:
    desk.write("tasks.yaml", "tasks: 5\n")
    answer = client.get("/api/tasks/")
    assert answer.status_code == 503
    assert answer.json()["problems"][0]["message"] == "tasks must be a list"
    health = client.get("/api/tasks/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert client.post("/api/tasks/register", json=NEW).status_code == 422


def test_a_broken_task_says_why_and_can_be_mended_while_the_others_go_on(client: TestClient, desk: Folder) -> None:
    desk.write("tasks.yaml", TASKS.replace('"0 16 * * 1-5"', '"0 96 * * 1-5"'))
    assert [task["task_id"] for task in client.get("/api/tasks/").json()] == ["base"]
    result = client.get("/api/tasks/daily")
    assert (result.status_code, result.json()["problems"][0]["line"]) == (422, 15)
    assert client.patch("/api/tasks/daily", json={"schedule": {"cron_expression": "0 16 * * 1-5"}}).status_code == 200
    assert client.get("/api/tasks/daily").status_code == 200


@pytest.mark.parametrize("until", ["2026-12-04", "2026-11-01"])
@pytest.mark.parametrize("path", ["/api/tasks/executions/", "/api/tasks/statistics"])
def test_days_of_the_history_that_are_exchanged_are_refused(client: TestClient, path: str, until: str) -> None:
    refused = client.get(path, params={"since": "2026-12-05", "until": until})
    assert (refused.status_code, "Exchange the two" in refused.text) == (422, True)
    assert client.get(path, params={"since": "2026-12-05", "until": "2026-12-06"}).status_code == 200
    assert client.get(path, params={"since": "2026-12-05", "until": "2026-12-05"}).status_code == 200, "one whole day"


def test_a_task_file_that_is_a_link_to_itself_is_told_on_pages_and_by_calls(client: TestClient, desk: Folder) -> None:
    path = desk.root / "tasks.yaml"
    path.unlink()
    path.symlink_to(path)
    refused = client.get("/api/tasks/")
    assert (refused.status_code, "is a link that leads to no file" in refused.json()["message"]) == (503, True)
    page = client.get("/tasks", headers={"accept": "text/html"})
    assert (page.status_code, "是一个链接，它不指向任何文件" in page.text) == (503, True)


@pytest.mark.timeout(60)
def test_a_task_file_that_is_a_pipe_is_not_waited_for_and_all_goes_on_when_it_is_a_file_again(
    client: TestClient, desk: Folder
) -> None:
    path = desk.root / "tasks.yaml"
    path.unlink()
    os.mkfifo(path)
    refused = client.get("/api/tasks/")
    assert (refused.status_code, "is a pipe or a device" in refused.json()["message"]) == (503, True)
    path.unlink()
    desk.write("tasks.yaml", TASKS)
    assert [task["task_id"] for task in client.get("/api/tasks/").json()] == ["base", "daily"]


def test_the_documentation_needs_no_other_host(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "/api/tasks/{task_id}/start" in page.text
    # Else a browser asks for one, or complains that it may not show the page's own.
    assert 'rel="icon" href="data:,"' in page.text
    assert "img-src data:;" in page.headers["content-security-policy"]
    assert "://" not in page.text
    assert "<script" not in page.text
    document = client.get("/openapi.json").json()
    assert document["components"]["schemas"]["TaskConfig"]["properties"]["retry_count"]["maximum"] == 100


def test_a_program_gets_english_and_a_person_who_prefers_chinese_gets_chinese(client: TestClient) -> None:
    english, chinese = (
        client.get("/api/tasks/bose", headers={"accept-language": language}).json()
        for language in ("*", "zh-CN,en;q=0.5")
    )
    assert client.get("/api/tasks/bose", headers={"accept-language": ""}).json() == english
    assert "There is no task or group 'bose'" in english["message"]
    assert "没有任务或任务组 'bose'。是不是 base？" in chinese["message"]
    assert {**chinese, "message": ""} == {**english, "message": ""}


@pytest.mark.parametrize(
    ("call", "english", "chinese"),
    [
        (("POST", "/api/tasks/register?dry_run=true", NEW), "can be registered", "检查通过，可以新建；"),
        (("POST", "/api/tasks/register", NEW), "was registered.", "已新建。"),
        (("PATCH", "/api/tasks/base", {"description": "x"}), "was changed.", "base 已修改。"),
        (("DELETE", "/api/tasks/base?force=true", None), "base was deleted.", "base 已删除。"),
    ],
)  # fmt: skip
def test_what_was_done_is_told_in_the_language_that_the_request_prefers(
    client: TestClient, desk: Folder, call: tuple[str, str, object], english: str, chinese: str
) -> None:
    method, path, body = call
    told = []
    for language in ("en", "zh"):
        desk.write("tasks.yaml", TASKS)
        answer = client.request(method, path, json=body, headers={"accept-language": language})
        assert answer.status_code == 200
        told.append(answer.json())
    assert english in told[0]["message"]
    assert chinese in told[1]["message"]
    assert {**told[0], "message": ""} == {**told[1], "message": ""}


def test_the_problems_of_a_request_are_told_in_chinese(client: TestClient) -> None:
    refused = client.post("/api/tasks/register", json={**NEW, "timeot": 5}, headers={"accept-language": "zh"}).json()
    assert refused["error"] == "TaskFileError"
    [problem] = refused["problems"]
    assert (problem["message"], problem["hint"]) == ("未知的键 'timeot'", "是不是 'timeout'？")
