"""People with roles use one server: each does what docs/rest.md grants, and the audit log says who did what."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import anyio
import pytest
from api.conftest import DESK, make_desk, open_client
from fastapi.testclient import TestClient
from project.test_access import TASKS, WAYS, Desk
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from support.blocks import Reader, block
from support.commands import Commands, commands_in
from support.postgres import server_of_a_language, use_postgres
from support.project import ROOT, make_folder

from mystocks_dagster.api.auth import USER, AuthMiddleware
from mystocks_dagster.dagster_tables import SqliteTables
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import open_instance, open_tables
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.project import calendar_refresh, users
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.roles import Role
from mystocks_dagster.runs import stop
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.named_lock import held
from mystocks_dagster.trading_calendar.refresh import RefreshResult
from mystocks_dagster.web.mutations import MutationGuard

pytestmark = pytest.mark.slow

ROLES = ("viewer", "operator", "editor")
#: In a message or page: the role is not enough.
REFUSED = re.compile(r"is here as (viewer|operator), and may not do this")
#: Nothing runs in this project: an action that was let through ends so.
LET_THROUGH = re.compile(r"no daemon is alive|is not running")
OWNER = "own-3r"


def granted() -> list[tuple[str, str, bool]]:
    """Return each row and column of the table of roles: action, role, whether it is granted."""
    text = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8").partition("## Users and roles")[2]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    table = [row for row in rows if row[0] in WAYS]
    return [(row[0], role, row[column] == "yes") for row in table for column, role in enumerate(ROLES, start=1)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A project behind the owner's token."""
    folder = make_desk(tmp_path / "desk", monkeypatch)
    folder.write("tasks.yaml", TASKS)
    folder.write("desk.py", DESK)
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", OWNER)
    open_instance(Settings.from_env()).dispose()
    with open_client() as client:
        yield Desk(folder, client)


@pytest.fixture
def cli(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return commands_in(desk.folder, monkeypatch, capsys)


def test_the_commands_of_the_page_add_change_remove_and_list_a_person(desk: Desk, cli: Commands) -> None:
    add, change, remove, listed, audit = block("rest.md", "console").lines
    reader = Reader(cli)
    secret = re.findall(r"\S{32,}", reader.type(add))
    assert secret, reader.printed
    assert [(user["name"], user["role"]) for user in cli.json("users", "list")] == [("li", "operator")]
    assert secret[0] not in cli("users", "list")
    reader.type(change)
    assert [(user["name"], user["role"]) for user in cli.json("users", "list")] == [("li", "editor")]
    reader.type(remove)
    assert cli.json("users", "list") == []
    assert "There are no users" in reader.type(listed)
    done = [(entry["action"], entry["target"], entry["detail"]) for entry in cli.json("audit")]
    assert done == [
        ("remove a user", "li", ""),
        ("change a user's role", "li", "editor"),
        ("add a user", "li", "operator"),
    ]
    cli("edit", "base", "timeout=61")
    assert re.search("edit the task file +tasks.yaml", reader.type(audit))


def enter(desk: Desk, secret: str, name: str | None = None) -> TestClient:
    """Let the client send a bearer token, or a password with a user name as a browser does."""
    value = f"Bearer {secret}"
    if name is not None:
        value = f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"
    desk.client.headers["authorization"] = value
    return desk.client


def test_the_table_of_roles_has_every_way_over_rest() -> None:
    assert len(granted()) >= 3 * 8
    assert {(role, allowed) for _, role, allowed in granted()} >= {(role, True) for role in ROLES[1:]}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_over_rest_and_pages_what_the_table_grants(desk: Desk, role: str) -> None:
    enter(desk, users.add(Settings.from_env(), "li", Role(role)))
    for action, of, allowed in granted():
        if of != role:
            continue
        for caller in ("REST", "pages"):
            way = WAYS[action].get(caller)
            if way is None:
                continue
            told = way(desk)
            refused = told is not None and REFUSED.search(told) is not None
            assert refused is not allowed, (action, caller, told)
            assert told is None or refused or LET_THROUGH.search(told), (action, caller, told)


def test_everybody_reads_and_nobody_does_without_a_secret(desk: Desk) -> None:
    secret = users.add(Settings.from_env(), "wang", Role.VIEWER)
    for path in ("/api/tasks/", "/tasks", "/metrics", "/api/audit"):
        desk.client.headers.pop("authorization", None)
        assert desk.client.get(path).status_code == 401
        assert enter(desk, "wrong").get(path).status_code == 401
    for path in ("/api/tasks/", "/tasks", "/metrics", "/api/audit"):
        assert enter(desk, secret).get(path).status_code == 200
        assert enter(desk, secret, "wang").get(path).status_code == 200
    assert enter(desk, secret, "somebody").get("/tasks").status_code == 401
    assert enter(desk, OWNER, "anybody").get("/tasks").status_code == 200


def test_a_removed_user_and_a_new_role_count_within_seconds(
    desk: Desk, cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = cli.json("users", "add", "li", "--role", "viewer")["secret"]
    switch: Callable[[], Any] = lambda: enter(desk, secret).post("/api/tasks/daily/disable")  # noqa: E731
    assert switch().status_code == 403
    monkeypatch.setattr(users, "_KEPT_SECONDS", 0)
    cli("users", "role", "li", "operator")
    assert switch().status_code == 200
    assert [(user["name"], user["role"]) for user in cli.json("users", "list")] == [("li", "operator")]
    cli("users", "remove", "li")
    assert switch().status_code == 401


@pytest.mark.parametrize("change", [("remove", "li"), ("role", "li", "viewer")])
@pytest.mark.parametrize("first", ["the browser", "the server"])
def test_a_page_that_is_open_shows_nothing_more_to_a_user_who_was_removed(
    desk: Desk, cli: Commands, monkeypatch: pytest.MonkeyPatch, change: tuple[str, ...], first: str
) -> None:
    reached: list[str] = []

    async def dagster(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            reached.append(text)
            await socket.send_text("an answer")
            if text == "subscribe":
                await changed.wait()
                await socket.send_text("an event")

    settings = Settings.from_env()
    secret = users.add(settings, "li", Role.OPERATOR)
    monkeypatch.setattr(users, "_KEPT_SECONDS", 0)
    app = Starlette(routes=[WebSocketRoute("/dagster/graphql", dagster)])
    guard = AuthMiddleware(app, OWNER, "server", users.KnownUsers(settings))
    changed = anyio.Event()
    with TestClient(guard) as client:

        def opened(value: str) -> Any:
            headers = {"authorization": f"Bearer {value}"}
            return client.websocket_connect("ws://127.0.0.1/dagster/graphql", headers=headers)

        with opened(secret) as socket, opened(OWNER) as owner:
            socket.send_text("subscribe" if first == "the server" else "ask")
            assert socket.receive_text() == "an answer"
            cli("users", *change)
            if first == "the server":
                client.portal.call(changed.set)
            else:
                socket.send_text("ask again")
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()
            assert closed.value.code == 1008
            owner.send_text("ask as the owner")
            assert owner.receive_text() == "an answer"
    assert "ask again" not in reached


def test_a_log_that_is_followed_ends_for_a_user_who_was_removed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env()
    secret = users.add(settings, "li", Role.VIEWER)
    monkeypatch.setattr(users, "_KEPT_SECONDS", 0)

    def follow(*_: Any, beat: bool) -> Iterator[str]:
        yield "first\n"
        users.remove(settings, "li")
        yield from ["more\n"] * 9

    monkeypatch.setattr(TaskManager, "get_execution", lambda *_: None)
    monkeypatch.setattr(TaskManager, "follow_logs", follow)
    answer = enter(desk, secret).get(f"/api/tasks/executions/{uuid4()}:base/logs", params={"follow": True})
    assert answer.text == "first\n"


def test_no_user_is_lost_when_two_machines_add_some_at_once(
    tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [make_folder(tmp_path / name) for name in ("first", "second")]
    for folder in folders:
        folder.write("tasks.yaml", TASKS)
        use_postgres(folder, postgres, monkeypatch)
    machines = []
    for folder in folders:
        monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
        monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
        machines.append(Settings.from_env())
        open_instance(machines[-1]).dispose()
    read = users.read

    def slow(tables: Any) -> Any:
        found = read(tables)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(users, "read", slow)

    def add(machine: int) -> None:
        for number in range(5):
            users.add(machines[machine], f"m{machine}-{number}", Role.VIEWER)

    with ThreadPoolExecutor() as together:
        list(together.map(add, range(2)))
    assert len(read(open_tables(machines[0]))) == 10


def test_a_change_of_users_that_another_one_blocks_changes_nothing(
    desk: Desk, cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "_PATIENCE_SECONDS", 0)
    with held(Settings.from_env().dagster_home, "users"):
        assert "Nothing was changed" in cli("users", "add", "li", code=1)
    assert cli.json("users", "list") == []


def test_secrets_are_not_stored(desk: Desk, cli: Commands) -> None:
    secret = cli.json("users", "add", "li")["secret"]
    assert secret not in cli("users", "list")
    files = [path for path in desk.folder.root.rglob("*") if path.is_file()]
    assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_names_that_cannot_be_and_names_that_are_not_there_are_said(cli: Commands, desk: Desk) -> None:
    assert "cannot be a user's name" in cli("users", "add", "Li Wei", code=1)
    assert "cannot be a user's name" in cli("users", "add", "owner", code=1)
    cli("users", "add", "liwei")
    assert "is a user already" in cli("users", "add", "liwei", code=1)
    assert "Did you mean 'liwei'" in cli("users", "remove", "liwe", code=1)
    cli("users", "add", "x", "--role", "king", code=2)


def test_without_the_owners_token_a_server_with_users_does_not_start(
    desk: Desk, cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("users", "add", "li")
    monkeypatch.delenv("MYSTOCKS_API_TOKEN")
    for command in ("ui", "api"):
        assert "MYSTOCKS_API_TOKEN is not set" in cli(command, "--port", "0", code=1)


def test_the_log_says_who_did_what_by_which_way(desk: Desk, cli: Commands) -> None:
    secret = users.add(Settings.from_env(), "li", Role.EDITOR)
    enter(desk, secret).patch("/api/tasks/base", json={"timeout": 5})
    enter(desk, secret).post("/api/tasks/daily/disable")
    enter(desk, OWNER).post("/api/tasks/daily/enable")
    cli("disable", "daily")
    assert enter(desk, secret).post("/api/tasks/base/stop").status_code == 409  # nothing was done
    entries = cli.json("audit")
    told = [(entry["user"], entry["via"], entry["action"], entry["target"], entry["detail"]) for entry in entries]
    system = told[0][0]
    assert system not in ("li", "owner")
    version = entries[3]["detail"]
    assert told == [
        (system, "cli", "switch a schedule", "daily", "off"),
        ("owner", "rest", "switch a schedule", "daily", "on"),
        ("li", "rest", "switch a schedule", "daily", "off"),
        ("li", "rest", "edit the task file", "tasks.yaml", version),
        (system, "cli", "add a user", "li", "editor"),
    ]
    assert re.fullmatch(r"[0-9a-f]{16}", version)
    assert [entry["time"] for entry in entries] == sorted((entry["time"] for entry in entries), reverse=True)
    over_rest = enter(desk, secret).get("/api/audit", params={"user": "li", "limit": 1}).json()
    assert over_rest == [entries[2]]
    assert len(cli.json("audit", "--user", "li")) == 2
    assert cli.json("audit", "--since", "2099-01-01") == []


def test_the_log_has_an_export_and_a_refresh_of_the_calendar(
    desk: Desk, cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = users.add(Settings.from_env(), "li", Role.EDITOR)
    path = enter(desk, secret).post("/api/tasks/export", json={"output_path": "exports/a.yaml"}).json()["path"]
    enter(desk, OWNER).post("/api/tasks/export", json={"output_path": "exports/b.yaml"})
    fetched = RefreshResult(changed=True, message="fetched")
    monkeypatch.setattr(calendar_refresh, "refresh", lambda *_: fetched)
    cli("calendar", "--refresh", "--source", "simulated")
    told = [(entry["user"], entry["action"], entry["target"]) for entry in cli.json("audit")[:3]]
    assert told == [
        (told[0][0], "refresh the trading calendar", "simulated"),
        ("owner", "export the task file", path.replace("a.yaml", "b.yaml")),
        ("li", "export the task file", path),
    ]


def test_without_the_database_an_edit_or_export_is_refused_and_changes_nothing(desk: Desk, cli: Commands) -> None:
    away = "storage:\n  postgres:\n    postgres_url: postgresql://nobody@127.0.0.1:1/none\n"
    desk.folder.write("dagster.yaml", away)
    assert "does not answer" in cli("edit", "base", "timeout=99", code=1)
    assert "+" in cli("edit", "base", "timeout=99", "--dry-run")
    assert enter(desk, OWNER).patch("/api/tasks/base", json={"timeout": 99}).status_code == 503
    assert "does not answer" in cli("export", "given.yaml", code=1)
    assert "does not answer" in cli("calendar", "--refresh", "--source", "simulated", code=1)
    assert (desk.folder.root / "tasks.yaml").read_text(encoding="utf-8") == TASKS
    assert not (desk.folder.root / "given.yaml").exists()
    assert Door("editor").ask(LAUNCH) == 503


def test_what_was_done_and_could_not_be_noted_is_told_as_done(
    desk: Desk, cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise InstanceError("The database does not answer.")

    monkeypatch.setattr(SqliteTables, "keep", away)
    told = cli("disable", "daily", code=1)
    assert "This was done, but the audit log has no entry of it: switch a schedule, daily. The database" in told
    told = cli("edit", "base", "timeout=99", code=1)
    assert "This was done, but the audit log has no entry of it: edit the task file, tasks.yaml. The database" in told
    assert "timeout: 99" in (desk.folder.root / "tasks.yaml").read_text(encoding="utf-8")
    stopped: list[str] = []
    monkeypatch.setattr(stop, "runs_of", lambda *_: [SimpleNamespace(run_id="a1", job_name="base")])
    monkeypatch.setattr(stop, "stop", lambda *given: (stopped.append("a1"), given[-1]()))
    refusals = Project(Settings.from_env()).runs.stop_all(["base", "spare"])
    assert stopped == ["a1"]
    assert {name: "This was done" in str(error) for name, error in refusals.items()} == {"base": True, "spare": True}


def test_the_log_is_not_empty_on_a_database_that_orders_text_as_a_language_does(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_of_a_language(monkeypatch) as server:
        use_postgres(cli.folder, server, monkeypatch)
        cli("disable", "daily")
        middle = cli.json("audit")[0]["time"]
        cli("enable", "daily")
        assert [entry["detail"] for entry in cli.json("audit")] == ["on", "off"]
        assert [entry["detail"] for entry in cli.json("audit", "--limit", "1")] == ["on"]
        assert [entry["detail"] for entry in cli.json("audit", "--since", middle)] == ["on", "off"]


#: Where Dagster takes reports of assets; an asset may have any name.
REPORTS = ("/dagster/report_asset_materialization/x", "/dagster/report_asset_materialization/a/graphql")


class Door:
    """An application that stands for Dagster's, behind the guard, for a user of some role."""

    def __init__(self, role: str | None) -> None:
        self.reached: list[Mapping[str, Any]] = []

        async def dagster(request: Any) -> PlainTextResponse:
            self.reached.append(await request.json())
            return PlainTextResponse("Dagster")

        paths = ("/dagster/graphql", *REPORTS)
        guard = MutationGuard(
            Starlette(routes=[Route(path, dagster, methods=["POST"]) for path in paths]), Settings.from_env()
        )
        user = role and users.User(name="li", role=Role(role), digest="", since="")

        async def door(scope: Any, receive: Any, send: Any) -> None:
            await guard({**scope, USER: user or None}, receive, send)

        self.client = TestClient(door)

    def ask(self, query: str, **variables: Any) -> int:
        asked = {"query": query, "variables": variables}
        return self.client.post("/dagster/graphql", json=asked).status_code


LAUNCH = "mutation Launch($a: A!) { launchRun(executionParams: $a) { __typename } }"
HIDDEN = "query A { version } mutation B { ...all } fragment all on Mutation { terminateRun(runId: 1) { __typename } }"


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 403), ("editor", 200), (None, 200)])
def test_only_editors_change_something_in_dagsters_own_ui(desk: Desk, role: str | None, status: int) -> None:
    door = Door(role)
    assert door.ask("{ version }") == 200
    assert door.ask(LAUNCH, a={"selector": {"jobName": "base"}}) == status
    assert door.ask(HIDDEN) == status
    for path in REPORTS:
        assert door.client.post(path, json={"query": "{ version }"}).status_code == status
    assert len(door.reached) == (5 if status == 200 else 1)


def test_who_reads_chinese_is_refused_by_dagsters_own_ui_in_chinese(desk: Desk) -> None:
    door, chinese = Door("viewer"), {"accept-language": "zh"}
    for content, told in ((json.dumps({"query": LAUNCH}), "li 的角色是 viewer"), ("[]", "请发送一个 JSON 对象")):
        answer = door.client.post("/dagster/graphql", content=content, headers=chinese)
        assert told in answer.json()["message"]


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_what_is_not_one_question_as_json_reaches_dagster_from_nobody(desk: Desk, role: str) -> None:
    door, change = Door(role), json.dumps({"query": "mutation { reloadWorkspace { __typename } }"})
    bodies = [
        *(f"[{change}]", f"[[{change}]]", "[]", json.dumps(change), "7", "null", "true", "", "{", "\ud800"),
        *('{"query": ["mutation { a }"]}', '{"query": {"body": "mutation { a }"}}', '{"query": 7}'),
        *('{"query": "{ a }", "variables": []}', '{"query": "{ a }", "variables": "[]"}'),
        *('{"query": "{ a }", "variables": "{"}', '{"query": "{ a }", "operationName": ["A"]}'),
        *("mutation { reloadWorkspace { __typename } }", f"query={quote(change)}", "[" * 100_000),
        '{"query": "mutation { a }", "variables": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}",
    ]
    for text in bodies:
        answer = door.client.post("/dagster/graphql", content=text.encode("utf-8", "surrogatepass"))
        assert (answer.status_code, "Send one JSON object" in answer.text) == (400, True), text[:100]
    assert door.reached == []
    assert door.client.post("/dagster/graphql", content=b'{"query": "{ version }", "variables": "{}"}').is_success


def test_what_was_changed_in_dagsters_ui_is_in_the_log(desk: Desk, cli: Commands) -> None:
    door = Door("editor")
    door.ask("{ version }")
    door.ask("mutation { reloadWorkspace { __typename } }")
    door.ask(LAUNCH, a={"selector": {"jobName": "base"}})
    told = [(entry["user"], entry["via"], entry["action"], entry["target"]) for entry in cli.json("audit")]
    assert told == [("li", "dagster", "launchRun", "base")]
    assert json.loads(json.dumps(door.reached[-1]))["variables"]["a"]["selector"]["jobName"] == "base"
