"""Who may come in, with how much, and what may not be done from outside."""

import base64
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from api.conftest import NEW, TASKS, open_client
from fastapi.testclient import TestClient
from support.commands import commands_in
from support.project import Folder

COMMAND = {
    "task_id": "shell",
    "task_type": "supervisor",
    "task_module": "mystocks_dagster.tasks.process",
    "task_function": "run_command",
    "params": {"command": ["sleep", "600"]},
}
WITH_COMMAND = f"{TASKS}".replace("task_groups:", f"  - {json.dumps({**COMMAND, 'task_type': 'manual'})}\ntask_groups:")


@pytest.fixture
def guarded(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of a server that has a token."""
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", "s3cret-of-the-desk")
    return open_client()


def text(desk: Folder) -> str:
    return (desk.root / "tasks.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"host": "evil.example"}, b"", 403),
        ({"origin": "https://evil.example"}, b"", 403),
        ({"authorization": "Bearer wrong"}, b"", 401),
        ({}, b"x" * 1_000_001, 413),
    ],
    ids=["foreign-name", "foreign-page", "no-token", "large"],
)
def test_who_reads_chinese_is_refused_in_chinese(
    desk: Folder, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], content: bytes, status: int
) -> None:
    if status == 401:
        monkeypatch.setenv("MYSTOCKS_API_TOKEN", "s3cret")
    told = {"accept-language": "zh-CN,zh;q=0.9", **headers}
    answer = open_client().post("/api/tasks/register", content=content, headers=told)
    assert answer.status_code == status
    assert re.match("[\u4e00-\u9fff]", answer.json()["message"])
    assert answer.headers["vary"] == "accept-language"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8888", "10.0.0.5:8888", ""])
def test_another_sites_name_for_this_machine_is_refused(
    still: tuple[TestClient, Folder], method: str, host: str
) -> None:
    answer = still[0].request(method, "/api/tasks/", headers={"host": host})
    assert answer.status_code == 403
    assert "MYSTOCKS_API_TOKEN" in answer.json()["message"]


@pytest.mark.parametrize("host", ["localhost:8888", "LOCALHOST", "127.0.0.1", "[::1]:8888", "127.9.9.9:1"])
def test_every_name_of_loopback_is_answered(still: tuple[TestClient, Folder], host: str) -> None:
    assert still[0].get("/openapi.json", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_site_cannot_change_anything(
    still: tuple[TestClient, Folder], headers: dict[str, str]
) -> None:
    client, desk = still
    for method, path in (("POST", "/api/tasks/register"), ("DELETE", "/api/tasks/base"), ("PATCH", "/api/tasks/base")):
        answer = client.request(method, path, json=NEW, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"] == "Forbidden"
    assert text(desk) == TASKS
    own = {"origin": "http://127.0.0.1:8888", "sec-fetch-site": "same-origin"}
    assert client.post("/api/tasks/register?dry_run=true", json=NEW, headers=own).status_code == 200


def test_without_the_token_only_the_bare_health_is_told(guarded: TestClient, desk: Folder) -> None:
    for method, path in (
        ("GET", "/api/tasks/"),
        ("POST", "/api/tasks/register"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
    ):
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "Basic !"},
            {"authorization": "s3cret-of-the-desk"},
        ):
            answer = guarded.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert "Bearer" in answer.headers["www-authenticate"]
            assert "s3cret-of-the-desk" not in answer.text
    response = guarded.get("/api/tasks/health")
    assert response.status_code == 200
    assert set(response.json()) == {"status"}
    assert text(desk) == TASKS


@pytest.mark.parametrize("path", ["/api/tasks/health", "/api/tasks/health/", "/ready"])
def test_only_the_call_is_open_not_its_path(guarded: TestClient, desk: Folder, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
        assert guarded.request(method, path).status_code == 401, method
    for other in (path + "/x", path.upper(), "/" + path, path + "//"):
        assert guarded.get(other).status_code == 401, other
    assert guarded.get(path).status_code == 200
    assert text(desk) == TASKS


def test_a_header_that_decides_cannot_be_sent_twice(still: tuple[TestClient, Folder]) -> None:
    for name, values in (
        ("host", ("127.0.0.1:8888", "evil.example")),
        ("origin", ("https://evil.example", "http://127.0.0.1:8888")),
        ("sec-fetch-site", ("cross-site", "same-origin")),
    ):
        # The client adds the host itself.
        headers = [(name, value) for value in values]
        answer = still[0].post("/api/tasks/base/enable", headers=headers)
        assert answer.status_code in (400, 403), name


def test_a_failure_of_the_server_has_the_same_headers_as_any_answer(
    desk: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("mystocks_dagster.manager.tasks.TaskManager.list_tasks", fail)
    answer = open_client().get("/api/tasks/")
    assert (answer.status_code, answer.json()["error"]) == (500, "InternalError")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_the_token_opens_everything_under_any_name(guarded: TestClient) -> None:
    basic = base64.b64encode(b"anybody:s3cret-of-the-desk").decode()
    for shown in ("Bearer s3cret-of-the-desk", f"Basic {basic}"):
        headers = {"authorization": shown, "host": "tasks.example.com"}
        assert guarded.get("/api/tasks/base", headers=headers).status_code == 200
        assert guarded.get("/api/tasks/health", headers=headers).json()["total_tasks"] == 2
    foreign = {
        "authorization": "Bearer s3cret-of-the-desk",
        "host": "tasks.example.com",
        "origin": "https://evil.example",
    }
    assert guarded.post("/api/tasks/base/enable", headers=foreign).status_code == 403


def test_a_body_over_the_limit_is_refused_whether_its_size_is_declared_or_not(still: tuple[TestClient, Folder]) -> None:
    client, desk = still
    body = json.dumps({**NEW, "description": "x" * 1_000_000}).encode()

    def pieces() -> Iterator[bytes]:
        yield from (body[start : start + 50_000] for start in range(0, len(body), 50_000))

    for content in (body, pieces()):
        answer = client.post("/api/tasks/register", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["error"] == "TooLarge"
    assert text(desk) == TASKS


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"task_id": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"params": {"a": NaN}}',
        b'{"params": {"a": 1e999}}',
        b'{"description": "\\ud800"}',
        b'{"timeout": ' + b"9" * 5000 + b"}",
        b'{"\\u0000": 1}',
        b"null",
    ],
    ids=lambda content: content[:20].decode("latin-1"),
)
def test_a_body_that_no_file_can_hold_is_refused(still: tuple[TestClient, Folder], content: bytes) -> None:
    client, desk = still
    for method, path in (("POST", "/api/tasks/register"), ("PATCH", "/api/tasks/base"), ("POST", "/api/tasks/import")):
        answer = client.request(method, path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["message"]
    assert text(desk) == TASKS


def test_other_machines_are_let_in_with_a_token_only(
    desk: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = commands_in(desk, monkeypatch, capsys)
    output = cli("api", "--host", "0.0.0.0", "--port", "0", code=1)
    assert "MYSTOCKS_API_TOKEN" in output
    assert "127.0.0.1" in output
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", "x")
    assert "it has fewer than 16 characters" in cli("api", "--host", "0.0.0.0", "--port", "0", code=1)
    monkeypatch.delenv("MYSTOCKS_API_TOKEN")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        assert "--port" in cli("api", "--port", str(holder.getsockname()[1]), code=1)


def test_a_token_that_can_be_guessed_opens_no_name_of_another_machine(
    desk: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token, status in (("x" * 15, 403), ("x" * 16, 200)):
        monkeypatch.setenv("MYSTOCKS_API_TOKEN", token)
        headers = {"authorization": f"Bearer {token}"}
        client = open_client()
        answer = client.get("/api/tasks/", headers={**headers, "host": "stocks.example.org"})
        assert answer.status_code == status, answer.text
        assert status == 200 or "fewer than 16 characters" in answer.json()["message"]
        assert client.get("/api/tasks/", headers=headers).status_code == 200


@pytest.mark.parametrize("module", ["mystocks_dagster.tasks.process", "app.tasks.process"])
def test_a_task_that_runs_a_command_cannot_be_written_over_rest(client: TestClient, desk: Folder, module: str) -> None:
    command = {**COMMAND, "task_module": module}
    inherited = {"defaults": {"task_function": "run_command", "task_module": module}, "tasks": [NO_NAME]}
    desk.write("again.py", "from mystocks_dagster.tasks.process import run_command\n")
    text_ = TASKS.replace("[desk]", "[desk, again]")
    desk.write("tasks.yaml", text_)
    for method, path, body in (
        ("POST", "/api/tasks/register", command),
        ("POST", "/api/tasks/register", {**command, "task_module": "again"}),
        ("PATCH", "/api/tasks/base", {name: command[name] for name in ("task_module", "task_function", "params")}),
        ("PUT", "/api/tasks/base", {**command, "task_id": "base", "task_type": "manual"}),
        ("POST", "/api/tasks/import", {"config": {"tasks": [command]}}),
        (
            "POST",
            "/api/tasks/import",
            {"config": inherited},
        ),
    ):
        answer = client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden"), answer.text
        assert "MYSTOCKS_API_COMMANDS" in answer.json()["message"]
    assert text(desk) == text_


NO_NAME = {"task_id": "shell", "task_type": "manual", "params": {"command": ["true"]}}


def test_one_that_is_there_keeps_its_command(client: TestClient, desk: Folder) -> None:
    desk.write("tasks.yaml", WITH_COMMAND)
    assert client.patch("/api/tasks/shell", json={"params": {"command": ["rm"]}}).status_code == 403
    assert client.post("/api/tasks/shell/start", json={"params": {"command": ["rm"]}}).status_code == 403
    assert text(desk) == WITH_COMMAND
    assert client.post("/api/tasks/shell/start").status_code == 503, "as it is it may be started"
    assert client.patch("/api/tasks/base", json={"timeout": 5}).status_code == 200, "others are edited beside it"


def test_the_setting_allows_commands(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_API_COMMANDS", "yes")
    assert open_client().post("/api/tasks/register", json=COMMAND).status_code == 200


def test_a_package_that_the_file_does_not_have_is_neither_added_nor_imported(client: TestClient, desk: Folder) -> None:
    desk.write("sly.py", "from pathlib import Path\nPath('imported').touch()\ndef load(params):\n    return None\n")
    body = {"config": {"task_packages": ["sly"], "tasks": [{**NEW, "task_module": "sly"}]}}
    answer = client.post("/api/tasks/import", json=body)
    assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden")
    assert "sly" in answer.json()["message"]
    assert not (desk.root / "imported").exists()
    assert text(desk) == TASKS


@pytest.mark.parametrize(
    "named",
    [
        "/etc/passwd.json",
        "../tasks.yaml",
        "a/../../dagster.yaml",
        "link/tasks.json",
        "{root}/tasks.yaml",
        "plain.txt",
        "",
        ".",
        "folder.json",
        "nul\0.json",
        "x" * 300 + ".json",
        "/".join(["d"] * 3000) + ".json",
    ],
    ids=lambda named: named[:20],
)
def test_paths_outside_the_export_folder_are_refused(
    client: TestClient, desk: Folder, tmp_path: Path, named: str
) -> None:
    exports = desk.root / "exports"
    (exports / "folder.json").mkdir(parents=True)
    (exports / "link").symlink_to(tmp_path)
    named = named.replace("{root}", str(desk.root))
    before = sorted(path for path in tmp_path.rglob("*") if ".dagster" not in path.parts)
    response = client.post("/api/tasks/export", json={"output_path": named})
    assert response.status_code == 422, response.text
    assert client.post("/api/tasks/import", json={"config_path": named}).status_code in (404, 422)
    assert sorted(path for path in tmp_path.rglob("*") if ".dagster" not in path.parts) == before
    assert text(desk) == TASKS
    if (
        "plain" not in named
        and "folder.json" not in named
        and len(named) < 200
        and "\0" not in named
        and named not in ("", ".")
    ):
        assert str(exports) in response.json()["message"]
        assert "MYSTOCKS_EXPORTS" in response.json()["message"]


def test_an_export_folder_that_holds_the_project_is_refused(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_EXPORTS", str(desk.root))
    answer = open_client().post("/api/tasks/export", json={"output_path": "workspace.yaml"})
    assert answer.status_code == 503
    assert "MYSTOCKS_EXPORTS" in answer.json()["message"]
    assert "load_from" in (desk.root / "workspace.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["all.yaml", "deep/er/all.json"])
def test_an_export_imported_into_an_empty_file_is_the_same(client: TestClient, desk: Folder, name: str) -> None:
    before = client.get("/api/tasks/").json(), client.get("/api/groups/").json()
    path = client.post("/api/tasks/export", json={"output_path": name}).json()["path"]
    assert path == str(desk.root / "exports" / name)
    desk.write("tasks.yaml", "task_packages: [desk]\ntasks: []\n")
    assert client.post("/api/tasks/import", json={"config_path": name}).status_code == 200
    assert (client.get("/api/tasks/").json(), client.get("/api/groups/").json()) == before
    assert "nothing to change" in client.post("/api/tasks/import", json={"config_path": path}).json()["message"]


def test_what_is_imported_is_checked_in_its_own_lines(client: TestClient, desk: Folder) -> None:
    desk.write(
        "exports/bad.yaml",
        "tasks:\n  - task_id: a\n    task_type: manual\n    task_module: desk\n    task_function: lod\n",
    )
    result = client.post("/api/tasks/import", json={"config_path": "bad.yaml"}).json()
    problem = result["problems"][0]
    assert (problem["file"], problem["line"]) == (str(desk.root / "exports" / "bad.yaml"), 5)
    assert "Did you mean 'load'" in problem["hint"]
    assert text(desk) == TASKS
    for body in ({}, {"config_path": "a.json", "config": {}}, {"config": {"tasks": 5}}, {"config_path": 5}):
        assert client.post("/api/tasks/import", json=body).status_code == 422
    assert client.post("/api/tasks/import", json={"config_path": "none.yaml"}).status_code == 404
