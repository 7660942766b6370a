"""What a remote caller may not write: each key, by each way that changes the task file, for real and as a dry run."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api.conftest import DESK, NEW, make_desk, open_client
from fastapi.testclient import TestClient
from support.project import Folder

from mystocks_dagster.definitions import defs
from mystocks_dagster.instance import open_instance
from mystocks_dagster.project import permissions
from mystocks_dagster.settings import Settings

HOOK = "jsons://collector.example.org/${AWS_SECRET_ACCESS_KEY}"
READER = {"task_id": "sender", "task_type": "manual", "task_module": "desk", "task_function": "load"}
TASKS = """\
task_packages: [desk]
defaults: {timeout: 60}
tasks:
  - task_id: base
    task_type: manual
    task_module: desk
    task_function: load
  - task_id: sender
    task_type: manual
    task_module: desk
    task_function: load
    params: {key: "${DESK_PASSWORD}", host: mail.example.com, rows: 3}
"""
#: Entry to the fields with which it would be written; the rule that refuses it.
ENTRIES: dict[str, tuple[dict[str, Any], str]] = {
    "a variable in params": ({**NEW, "params": {"x": "${DESK_PASSWORD}"}}, "${VARIABLES}"),
    "a variable deep in params": ({**NEW, "params": {"x": [{"y": "a${HOME}"}]}}, "${VARIABLES}"),
    "a variable with a default": ({**NEW, "params": {"x": "${NO_SUCH:-1}"}}, "${VARIABLES}"),
    "a variable that is not set": ({**NEW, "params": {"x": "${DESK_PASSWORT}"}}, "${VARIABLES}"),
    "a variable in the name": ({**NEW, "task_name": "${DESK_PASSWORD}"}, "${VARIABLES}"),
    "a variable in the description": ({**NEW, "description": "${DESK_PASSWORD}"}, "${VARIABLES}"),
    "a variable in tags": ({**NEW, "tags": ["${DESK_PASSWORD}"]}, "${VARIABLES}"),
    "a variable as a number": ({**NEW, "timeout": "${DESK_PASSWORD}"}, "${VARIABLES}"),
    "a variable as the function": ({**NEW, "task_function": "${DESK_PASSWORD}"}, "${VARIABLES}"),
    "a variable in a schedule": (
        {**NEW, "task_type": "cron", "schedule": {"schedule_type": "cron", "cron_expression": "${DESK_PASSWORD}"}},
        "${VARIABLES}",
    ),
    "another place for a variable": (
        {
            **READER,
            "params": {"key": "${DESK_PASSWORD}", "host": "mail.example.com", "rows": 3, "note": "${DESK_PASSWORD}"},
        },
        "${VARIABLES}",
    ),
    "another function for a variable": (
        {
            **READER,
            "task_function": "show",
            "params": {"key": "${DESK_PASSWORD}", "host": "mail.example.com", "rows": 3},
        },
        "the function of a task that reads variables",
    ),
    "another host for a variable": (
        {**READER, "params": {"key": "${DESK_PASSWORD}", "host": "evil.example.org", "rows": 3}},
        "destinations in params of a task that reads variables",
    ),
}
HEADS: dict[str, tuple[dict[str, Any], str]] = {
    "addresses of alerts": ({"alerts": {"urls": [HOOK]}}, "alerts"),
    "alerts without an address": ({"alerts": {"link": "https://evil.example.org"}}, "alerts"),
    "a package": ({"task_packages": ["desk", "this_is_new"]}, "task_packages"),
    "a variable as the version": ({"version": "${DESK_PASSWORD}"}, "${VARIABLES}"),
    "a variable in defaults": ({"defaults": {"params": {"x": "${DESK_PASSWORD}"}}}, "${VARIABLES}"),
}


def _fill(desk: Folder) -> Folder:
    desk.write("tasks.yaml", TASKS)
    desk.write("desk.py", DESK + "\n\ndef show(params):\n    return dict(params)\n")
    return desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A project of two tasks and a group."""
    return make_desk(tmp_path / "desk", monkeypatch)


@pytest.fixture
def caller(desk: Folder) -> Iterator[TestClient]:
    """A client of the application over a project that reads a variable."""
    _fill(desk)
    with open_client() as client:
        yield client


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Folder]]:
    """The same for all calls that are refused, and so change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        folder = _fill(make_desk(tmp_path_factory.mktemp("refusing") / "desk", patch))
        patch.setenv("AWS_SECRET_ACCESS_KEY", "abcdef0123456789")
        with open_client() as client:
            yield client, folder


def register(client: TestClient, entry: dict[str, Any], dry: bool) -> Any:
    return client.post("/api/tasks/register", json=entry, params={"dry_run": dry})


def put(client: TestClient, entry: dict[str, Any], dry: bool) -> Any:
    name = entry["task_id"] if entry["task_id"] != "more" else "base"
    return client.put(f"/api/tasks/{name}", json={**entry, "task_id": name}, params={"dry_run": dry})


def patch(client: TestClient, entry: dict[str, Any], dry: bool) -> Any:
    name = entry["task_id"] if entry["task_id"] != "more" else "base"
    return client.patch(f"/api/tasks/{name}", json={**entry, "task_id": name}, params={"dry_run": dry})


def body(client: TestClient, entry: dict[str, Any], dry: bool) -> Any:
    return client.post("/api/tasks/import", json={"config": {"tasks": [entry]}, "dry_run": dry})


def file(client: TestClient, entry: dict[str, Any], dry: bool) -> Any:
    return _file(client, {"tasks": [entry]}, dry)


def form(client: TestClient, entry: dict[str, Any], dry: bool) -> Any:
    """Send the form as a browser does; a form has no dry run."""
    new = entry["task_id"] == "more"
    path = "/tasks/-/new" if new else f"/tasks/{entry['task_id']}/edit"
    stamp = client.get(path).text.partition('name="stamp" value="')[2].partition('"')[0]
    fields: dict[str, str] = {
        "section": "tasks",
        "stamp": stamp,
        "enabled": "on",
        "stop_on_error": "on",
        "log_level": "INFO",
    }
    for key, value in entry.items():
        fields |= {f"schedule.{inner}": str(one) for inner, one in value.items()} if key == "schedule" else {}
        fields[key] = ", ".join(value) if key == "tags" else json.dumps(value) if key == "params" else str(value)
    return client.post(
        path, data=fields, headers={"origin": str(client.base_url), "accept-language": "en"}, follow_redirects=False
    )


def _file(client: TestClient, content: dict[str, Any], dry: bool) -> Any:
    folder = Settings.from_env().exports
    folder.mkdir(exist_ok=True)
    (folder / "taken.json").write_text(json.dumps(content), encoding="utf-8")
    return client.post("/api/tasks/import", json={"config_path": "taken.json", "dry_run": dry})


WAYS: list[Callable[..., Any]] = [register, put, patch, body, file, form]


@pytest.mark.parametrize("case", ENTRIES)
def test_a_remote_caller_cannot_write(case: str, refusing: tuple[TestClient, Folder]) -> None:
    caller, desk = refusing
    entry, key = ENTRIES[case]
    why = next(rule.why for rule in permissions.RULES if rule.key == key)
    for way, dry in itertools.product(WAYS, (False, True)):
        # What is registered already is refused for that, and a form has no dry run.
        if (way is register and entry["task_id"] == "sender") or (way is form and dry):
            continue
        answer = way(caller, entry, dry)
        assert (answer.status_code, why in answer.text.replace("&#39;", "'")) == (403, True), (way, answer.text)
        assert "geheim" not in answer.text
        assert "DESK_PASSWORD" not in answer.text or "DESK_PASSWORD" in json.dumps(entry)
        assert (desk.root / "tasks.yaml").read_text(encoding="utf-8") == TASKS


@pytest.mark.parametrize("case", HEADS)
def test_a_file_from_elsewhere_cannot_bring(case: str, refusing: tuple[TestClient, Folder]) -> None:
    caller, desk = refusing
    head, key = HEADS[case]
    content = {**head, "tasks": [NEW]}
    why = next(rule.why for rule in permissions.RULES if rule.key == key)
    for dry in (False, True):
        for answer in (
            caller.post("/api/tasks/import", json={"config": content, "dry_run": dry}),
            _file(caller, content, dry),
        ):
            assert (answer.status_code, why in answer.text) == (403, True), answer.text
    assert why in _job(desk, content, dry=False)
    assert (desk.root / "tasks.yaml").read_text(encoding="utf-8") == TASKS


def _job(desk: Folder, content: dict[str, Any], dry: bool) -> str:
    """Run the job `import_tasks` of Dagster's UI and return why it failed."""
    path = desk.root / "exports" / "taken.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    with open_instance(Settings.from_env()) as instance:
        config = {"ops": {"import_tasks": {"config": {"config_path": "exports/taken.json", "dry_run": dry}}}}
        job = defs().get_repository_def().get_job("import_tasks")
        done = job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)
    failed = [event for event in done.all_node_events if event.event_type_value == "STEP_FAILURE"]
    return str(failed[0].step_failure_data.user_failure_data.description)


def test_every_rule_has_a_case_that_it_refuses() -> None:
    tested = {key for _, key in (ENTRIES | HEADS).values()}
    # These two cannot be reached today: no call changes them, and an import writes defaults into its tasks.
    assert {rule.key for rule in permissions.RULES} - tested == {"defaults", "other keys of the file"}


def test_what_a_task_reads_already_stays_and_all_else_of_it_may_be_changed(caller: TestClient, desk: Folder) -> None:
    assert caller.patch("/api/tasks/sender", json={"timeout": 90, "params": {"rows": 5}}).status_code == 200
    exported = caller.post("/api/tasks/export", json={"output_path": "own.json"}).json()["path"]
    assert "${DESK_PASSWORD}" in Path(exported).read_text(encoding="utf-8")
    again = caller.post("/api/tasks/import", json={"config_path": "own.json"})
    assert again.status_code == 200, again.text
    # What was changed since is no export of ours.
    content = json.loads(Path(exported).read_text(encoding="utf-8"))
    content["tasks"][1]["params"]["more"] = "${HOME}"
    Path(exported).write_text(json.dumps(content), encoding="utf-8")
    assert caller.post("/api/tasks/import", json={"config_path": "own.json"}).status_code == 403
    # A literal that only looks like a variable reads nothing.
    assert caller.post("/api/tasks/register", json={**NEW, "params": {"x": "costs $${5}"}}).status_code == 200


#: Addresses under names that say nothing of it.
PLACES = (
    {"api_base": "http://evil.example.org"},
    {"mirror": "evil.example.org"},
    {"site": "10.0.0.1:8080"},
    {"path": "me@evil.example.org"},
)


def test_a_task_with_a_secret_whose_module_is_a_default_may_be_edited(caller: TestClient, desk: Folder) -> None:
    text = TASKS.replace("{timeout: 60}", "{timeout: 60, task_module: desk}")
    head, _, sender = text.partition("  - task_id: sender")
    desk.write("tasks.yaml", head + "  - task_id: sender" + sender.replace("    task_module: desk\n", ""))
    answer = caller.patch("/api/tasks/sender", json={"timeout": 120})
    assert answer.status_code == 200, answer.text
    assert "timeout: 120" in (desk.root / "tasks.yaml").read_text(encoding="utf-8")
    desk.write("thief.py", DESK)
    for field, value in (("task_module", "thief"), ("task_function", "show")):
        assert caller.patch("/api/tasks/sender", json={field: value}).status_code == 403


def test_a_secret_that_stands_in_the_file_is_sent_to_no_new_place_either(desk: Folder) -> None:
    _fill(desk)
    desk.write("tasks.yaml", TASKS.replace('key: "${DESK_PASSWORD}"', "password: hunter2secret"))
    with open_client() as client:
        for params in ({"url": "http://127.0.0.1:39945"}, *PLACES):
            assert client.post("/api/tasks/sender/start", json={"params": params}).status_code == 403
            assert client.patch("/api/tasks/sender", json={"params": params}).status_code == 403
        assert client.patch("/api/tasks/sender", json={"task_function": "show"}).status_code == 403
        assert client.post("/api/tasks/sender/start", json={"params": {"rows": 9}}).json()["error"] == "NoDaemon"


def test_a_start_cannot_send_a_variable_elsewhere(caller: TestClient, desk: Folder) -> None:
    for params in (
        {"host": "evil.example.org"},
        {"webhook_url": "https://evil.example.org"},
        {"smtp": {"server": "evil.example.org"}},
        *PLACES,
    ):
        answer = caller.post("/api/tasks/sender/start", json={"params": params})
        assert (answer.status_code, "holds secrets or reads variables" in answer.text) == (403, True), answer.text
        fields = {f"param.{name}": json.dumps(value) for name, value in params.items()}
        if "host" in params:
            page = caller.post(
                "/tasks/sender/run", data=fields, headers={"origin": str(caller.base_url)}, follow_redirects=False
            )
            assert page.status_code == 403, page.text
    # With other values it is only the daemon that is missing.
    assert caller.post("/api/tasks/sender/start", json={"params": {"rows": 9}}).json()["error"] == "NoDaemon"
    assert (
        caller.post("/api/tasks/sender/start", json={"params": {"host": "mail.example.com"}}).json()["error"]
        == "NoDaemon"
    )


def test_a_variable_in_the_params_of_a_start_is_a_text(desk: Folder) -> None:
    _fill(desk)
    desk.mystocks("run", "base", "-p", "x=${DESK_PASSWORD}", code=None)
    ran = desk.json("history", "base")
    assert ran[0]["params"] == {"x": "${DESK_PASSWORD}"}
    assert "geheim" not in json.dumps(ran)


FILL = {"task_module": "mystocks_dagster.tasks.bootstrap", "task_function": "bootstrap_market"}


def test_an_operator_reads_no_folder_of_the_server(caller: TestClient, desk: Folder, tmp_path: Path) -> None:
    own = {**FILL, "task_id": "own", "task_type": "manual", "params": {"folder": "archive", "years": 2}}
    desk.write("tasks.yaml", TASKS + f"  - {json.dumps(own)}\n")
    (tmp_path / "outside").mkdir()
    told = set()
    for folder in (str(tmp_path / "outside"), "/no/such/folder", "~", "../outside", "data"):
        asked = {"params": {"folder": folder, "years": 1}}
        answers = (
            caller.post("/api/tasks/own/start", json={**asked, "only": True}),
            caller.patch("/api/tasks/own", json=asked, params={"dry_run": True}),
            caller.patch("/api/tasks/base", json={**FILL, **asked}, params={"dry_run": True}),
        )
        assert [answer.status_code for answer in answers] == [403] * 3
        told |= {answer.text for answer in answers}
    assert len(told) == 3, "whether a folder is there cannot be told"
    assert "folder of own names files of this machine, which may not be given from here" in "".join(told)
    # The value that the owner has written stays.
    assert caller.patch("/api/tasks/own", json={"timeout": 90}).status_code == 200
    same = {"params": {"folder": "archive", "years": 1}}
    assert caller.post("/api/tasks/own/start", json=same).json()["error"] == "NoDaemon"


def test_a_file_under_another_function_is_not_taken_along(caller: TestClient) -> None:
    assert caller.patch("/api/tasks/base", json={"params": {"folder": "/etc"}}).status_code == 200
    assert caller.patch("/api/tasks/base", json=FILL).status_code == 403
