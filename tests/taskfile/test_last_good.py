"""One slip in tasks.yaml: what looks or steers goes on with the last good version and says so; what edits is
refused."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient
from support.commands import Commands
from support.project import Folder

from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings

pytestmark = pytest.mark.slow

TASKS = """\
task_packages: [desk]
tasks:
  - {task_id: load, task_type: data_sync, task_module: desk, task_function: load,
     schedule: {schedule_type: cron, cron_expression: "0 16 * * *"}}
  - {task_id: slow, task_type: manual, task_module: desk, task_function: load}
task_groups:
  - {group_id: night, tasks: [load]}
"""
#: What happens to a file, and what is then said of it.
SLIPS = {
    "an unclosed bracket": (TASKS + "  - {task_id: [oops\n", "tasks.yaml:9"),
    "an empty file": ("", "the task file is empty"),
    "GBK": ("tasks: [] # 任务".encode("gbk"), "the file is not UTF-8"),
    "a list": ("- task_id: load\n", "a task file is a mapping"),
    "no tasks": ("version: 1\n", "the file has no `tasks`"),
    "gone": (None, "there is no task file"),
    "a folder": (Path, "is a folder"),
}
#: Commands that look or steer, with their exit code; no daemon runs here.
GO_ON = [
    (("list",), 0), (("list", "--json"), 0), (("show", "load"), 0), (("history",), 0), (("history", "load"), 0),
    (("history", "--json"), 0), (("stats",), 0), (("next",), 0), (("logs", "load"), 0), (("enable", "load"), 0),
    (("disable", "load"), 0),
    (("pause", "load"), 0), (("resume", "load"), 0), (("reset", "load"), 0), (("stop", "load"), 1), (("alerts",), 0),
    (("alerts", "history"), 0), (("health",), 1), (("doctor",), 1), (("cleanup", "--days", "90", "--dry-run"), 0),
    (("run", "slow"), 0),
    (("run", "load", "--only"), 0),
]  # fmt: skip
#: Commands that judge or change the file.
REFUSED = [
    ("check",), ("edit", "load", "timeout=5"), ("remove", "slow"), ("add", "new.yaml"), ("import", "new.yaml"),
    ("export", "out.yaml"),
    ("reload",),
]  # fmt: skip


def slip(folder: Folder, content: object) -> None:
    """Let the task file become what it should not be."""
    path = folder.root / "tasks.yaml"
    path.unlink()
    if content is Path:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else str(content).encode())


@pytest.fixture
def used(cli: Commands) -> Commands:
    """Commands of a project whose task has run once."""
    cli.folder.write("tasks.yaml", TASKS)
    cli.folder.write("desk.py", "def load(params):\n    print('loaded')\n    return {'message': 'one row'}\n")
    cli.folder.write("new.yaml", "task_id: more\ntask_type: manual\ntask_module: desk\ntask_function: load\n")
    cli("run", "load")
    return cli


@pytest.fixture
def client(used: Commands) -> Iterator[TestClient]:
    """A client of the pages and REST calls over it."""
    address = "http://127.0.0.1:8888"
    with TestClient(
        create_app(Settings.from_env()), base_url=address, headers={"origin": address, "accept-language": "en"}
    ) as found:
        yield found


@pytest.mark.parametrize("kind", ["gone", "a folder"])
def test_a_project_whose_task_file_is_gone_is_still_one(used: Commands, kind: str) -> None:
    slip(used.folder, SLIPS[kind][0])
    told = used()
    assert SLIPS[kind][1] in told
    assert "mystocks check" in told
    assert "mystocks init" not in told


def test_every_command_that_looks_or_steers_goes_on_and_says_what_is_wrong(used: Commands) -> None:
    good = used("list").split("(")[1][:16]
    slip(used.folder, SLIPS["an unclosed bracket"][0])
    for command, code in GO_ON:
        told = used(*command, code=code)
        if command != ("cleanup", "--days", "90", "--dry-run"):  # it needs no task file
            assert "tasks.yaml:9:" in told, (command, told)
            assert good in told, command
    for command in REFUSED:
        told = used(*command, code=1)
        assert "tasks.yaml:9:" in told, (command, told)
        assert good not in told, command
    assert (used.folder.root / "tasks.yaml").read_text(encoding="utf-8") == SLIPS["an unclosed bracket"][0]
    assert "mystocks check" in used("edit", "load", "timeout=5", code=1)
    assert [one["status"] for one in used.json("history", "load")] == ["success", "success"]


def test_whatever_the_slip_was_and_back_at_once_when_it_is_mended(used: Commands) -> None:
    path = used.folder.root / "tasks.yaml"
    for name, (content, reason) in SLIPS.items():
        slip(used.folder, content)
        told = used("history")
        assert reason in told, name
        assert "last good version" in told, name
        assert "success" in told, name
        assert "load is" in used("pause", "load"), name
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        used.folder.write("tasks.yaml", TASKS.replace("slow", "fast"))
        told = used("list")
        assert "fast" in told, name
        assert "last good" not in told, name


def test_without_any_good_version_the_error_is_all_there_is(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", "tasks: [\n")
    for command in (("history",), ("list",), ("pause", "load"), ("run", "load")):
        assert "tasks.yaml:" in cli(*command, code=1)


def test_another_task_file_has_a_last_good_version_of_its_own(used: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    used.folder.write("other.yaml", "tasks: [\n")
    monkeypatch.setenv("MYSTOCKS_TASKS", "other.yaml")
    assert "other.yaml:" in used("list", code=1)


def test_a_clean_up_keeps_the_last_good_version(used: Commands) -> None:
    slip(used.folder, "")
    used("cleanup", "--days", "1")
    assert "load" in used("list")


CALLS = [
    ("GET", "/api/tasks/", 200), ("GET", "/api/tasks/load", 200), ("GET", "/api/tasks/executions/", 200),
    ("GET", "/api/tasks/statistics/", 200), ("GET", "/api/tasks/load/next", 200), ("GET", "/api/next", 200),
    ("GET", "/api/tasks/health", 200),
    ("GET", "/api/groups/", 200), ("GET", "/api/groups/night", 200), ("POST", "/api/tasks/load/disable", 200),
    ("POST", "/api/tasks/load/enable", 200), ("POST", "/api/tasks/load/reset", 200), ("POST", "/api/tasks/load/stop",
    409),
    ("POST", "/api/tasks/load/start", 503), ("GET", "/tasks", 200), ("GET", "/tasks/load", 200), ("GET",
    "/tasks/load/run", 200),
]  # fmt: skip
EDITS = [
    ("POST", "/api/tasks/register", {"task_id": "more"}), ("PATCH", "/api/tasks/load", {"timeout": 5}), ("PUT",
    "/api/tasks/load", {}),
    ("DELETE", "/api/tasks/slow", None), ("POST", "/api/groups/register", {"group_id": "g", "tasks": ["load"]}),
    ("PATCH", "/api/groups/night", {"enabled": False}), ("DELETE", "/api/groups/night", None),
    ("POST", "/api/tasks/import", {"config": {"tasks": []}}), ("GET", "/tasks/-/new", None), ("GET",
    "/tasks/load/edit", None),
    ("GET", "/tasks/load/delete", None), ("POST", "/tasks/-/new", None), ("POST", "/tasks/load/edit", None),
    ("POST", "/tasks/load/delete", None),
]  # fmt: skip


def test_rest_and_pages_go_on_and_say_so_and_edits_are_refused(client: TestClient, used: Commands) -> None:
    good = client.get("/api/tasks/").headers["x-mystocks-taskfile"]
    slip(used.folder, SLIPS["an unclosed bracket"][0])
    for method, path, status in CALLS:
        answer = client.request(method, path)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["x-mystocks-taskfile"] == good
        assert "tasks.yaml:9:" in unquote(answer.headers["x-mystocks-taskfile-problem"])
        if path.startswith("/tasks"):
            assert 'role="alert"' in answer.text
            assert "tasks.yaml:9:" in answer.text
    for method, path, body in EDITS:
        answer = client.request(method, path, json=body if path.startswith("/api") else None)
        assert answer.status_code == 422, (path, answer.text)
        assert "tasks.yaml:9:" in answer.text, path
        assert "Nothing was changed" in answer.text, path
    export = client.post("/api/tasks/export", json={"output_path": "a.yaml"})
    assert (export.status_code, "tasks.yaml:9:" in export.text) == (422, True)
    health = client.get("/api/tasks/health").json()
    assert next(one for one in health["checks"] if one["name"] == "task_file")["ok"] is False
    slip(used.folder, TASKS)
    answer = client.get("/api/tasks/")
    assert (answer.headers["x-mystocks-taskfile"], answer.headers.get("x-mystocks-taskfile-problem")) == (good, None)
    assert client.patch("/api/tasks/load", json={"timeout": 5}).status_code == 200
