"""Who may do what: each row and column of the table in docs/rest.md, done by the caller's own way."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from api.conftest import DESK, NEW, make_desk, open_client
from fastapi.testclient import TestClient
from support.project import ROOT, Folder
from typer.testing import CliRunner

from mystocks_dagster import TaskManager
from mystocks_dagster.cli.main import app, register_all
from mystocks_dagster.definitions import defs
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.instance import open_instance
from mystocks_dagster.project.access import LIMITS, Action
from mystocks_dagster.settings import Settings

CALLERS = ("command line", "Python", "REST", "pages", "jobs")
TASKS = """\
task_packages: [desk]
tasks:
  - {task_id: base, task_type: manual, task_module: desk, task_function: load}
  - {task_id: spare, task_type: manual, task_module: desk, task_function: load}
  - {task_id: daily, task_type: cron, task_module: desk, task_function: load,
     schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}}
  - {task_id: shell, task_type: manual, task_module: mystocks_dagster.tasks.process, task_function: run_command,
     params: {command: ["true"]}}
  - {task_id: fill, task_type: manual, task_module: mystocks_dagster.tasks.bootstrap, task_function: bootstrap_market}
"""
FILL = {
    "task_id": "more",
    "task_type": "manual",
    "task_module": "mystocks_dagster.tasks.bootstrap",
    "task_function": "bootstrap_market",
}
COMMAND = {
    "task_id": "more",
    "task_type": "manual",
    "task_module": "mystocks_dagster.tasks.process",
    "task_function": "run_command",
    "params": {"command": ["true"]},
}
FILLED = {**FILL, "params": {"folder": "/etc"}}
SECRET = {**NEW, "params": {"x": "${DESK_PASSWORD}"}}
#: In a message or page: it is this caller who may not.
REFUSED = re.compile(r"from here|outside of the export folder")
#: Nothing runs in this project, and no live source is asked: an action that was let through ends so.
LET_THROUGH = re.compile(
    r"no daemon is alive|is not running|has no table with daily partitions|simulated generates prices"
)


class Desk:
    """A project, and each way to reach it. A way returns None for done, else the message."""

    def __init__(self, folder: Folder, client: TestClient) -> None:
        self.folder, self.client, self.manager = folder, client, TaskManager()
        self.pages = {"origin": str(client.base_url).rstrip("/"), "accept-language": "en"}
        self._repository = defs().get_repository_def()

    def cli(self, *arguments: str) -> str | None:
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
        if isinstance(done.exception, MyStocksError):
            return str(done.exception)
        return None if done.exit_code == 0 else done.output

    def python(self, act: Callable[[TaskManager], Any]) -> str | None:
        try:
            act(self.manager)
        except MyStocksError as error:
            return str(error)
        return None

    def rest(self, method: str, path: str, **body: Any) -> str | None:
        answer = self.client.request(method, path, json=body or None)
        return None if answer.status_code == 200 else answer.json()["message"]

    def page(self, path: str, **fields: str) -> str | None:
        answer = self.client.post(path, data=fields, headers=self.pages, follow_redirects=False)
        return None if answer.status_code == 303 else answer.text

    def job(self, name: str, **config: Any) -> str | None:
        done = self._repository.get_job(name).execute_in_process(
            run_config={"ops": {name: {"config": config}}},
            instance=open_instance(Settings.from_env()),
            raise_on_error=False,
        )
        failures = [event for event in done.all_node_events if event.is_step_failure]
        return failures[0].step_failure_data.user_failure_data.description if failures else None


def add(entry: Mapping[str, Any]) -> Mapping[str, Callable[[Desk], str | None]]:
    """Return how each caller adds a task."""

    def by_file(desk: Desk) -> str:
        lines = "".join(f"{name}: {value}\n" for name, value in entry.items())
        desk.folder.write("entry.yaml", lines)
        desk.folder.write("exports/entry.yaml", "tasks:\n- " + lines.replace("\n", "\n  ").rstrip() + "\n")
        return str(desk.folder.root / "entry.yaml")

    def by_job(desk: Desk) -> str | None:
        by_file(desk)
        return desk.job("import_tasks", config_path="entry.yaml")

    fields = {name: value for name, value in entry.items() if name != "params"}
    params = "".join(f"{name}: {value}\n" for name, value in entry.get("params", {}).items())
    return {
        "command line": lambda desk: desk.cli("add", by_file(desk)),
        "Python": lambda desk: desk.python(lambda manager: manager.register_task(entry)),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/register", **entry),
        "pages": lambda desk: desk.page("/tasks/-/new", section="tasks", **fields, params=params),
        "jobs": by_job,
    }


def import_of(place: str) -> Mapping[str, Callable[[Desk], str | None]]:
    """Return how each caller imports the file of a folder of the project."""

    def file(desk: Desk) -> str:
        desk.folder.write(f"{place}/taken.yaml", f"tasks:\n- {NEW}\n")
        return str(desk.folder.root / place / "taken.yaml")

    return {
        "command line": lambda desk: desk.cli("import", file(desk)),
        "Python": lambda desk: desk.python(lambda manager: manager.import_config(file(desk))),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/import", config_path=file(desk)),
        "jobs": lambda desk: desk.job("import_tasks", config_path=file(desk)),
    }


def export_to(place: str) -> Mapping[str, Callable[[Desk], str | None]]:
    """Return how each caller exports into a folder of the project."""

    def file(desk: Desk) -> str:
        return str(desk.folder.root / place / "given.yaml")

    return {
        "command line": lambda desk: desk.cli("export", file(desk)),
        "Python": lambda desk: desk.python(lambda manager: manager.export_config(file(desk))),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/export", output_path=file(desk)),
        "jobs": lambda desk: desk.job("export_tasks", output_path=file(desk)),
    }


WAYS: Mapping[str, Mapping[str, Callable[[Desk], str | None]]] = {
    "start a task": {
        "command line": lambda desk: desk.cli("run", "base", "--detach"),
        "Python": lambda desk: desk.python(lambda manager: manager.start_task("base")),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/base/start"),
        "pages": lambda desk: desk.page("/tasks/base/run"),
    },
    "start a task that runs a command with other params": {
        "command line": lambda desk: desk.cli("run", "shell", "--detach", "-p", "command=[ls]"),
        "Python": lambda desk: desk.python(lambda manager: manager.start_task("shell", {"command": ["ls"]})),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/shell/start", params={"command": ["ls"]}),
        "pages": lambda desk: desk.page("/tasks/shell/run", **{"param.command": "[ls]"}),
    },
    "start a task with another file (a param of the type `FilePath` or `Path`)": {
        "command line": lambda desk: desk.cli("run", "fill", "--detach", "-p", "folder=/etc"),
        "Python": lambda desk: desk.python(lambda manager: manager.start_task("fill", {"folder": "/etc"})),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/fill/start", params={"folder": "/etc"}, only=True),
        "pages": lambda desk: desk.page("/tasks/fill/run", **{"param.folder": "/etc"}),
    },
    "load past days (backfill)": {
        "command line": lambda desk: desk.cli("backfill", "base", "--from", "2026-03-02"),
        "pages": lambda desk: desk.page("/data/daily_bars/fill", first="2026-03-02", last="2026-03-02"),
    },
    "stop what runs": {
        "command line": lambda desk: desk.cli("stop", "base"),
        "Python": lambda desk: desk.python(lambda manager: manager.stop_task("base")),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/base/stop"),
        "pages": lambda desk: desk.page("/tasks/base/stop"),
    },
    "switch a schedule": {
        "command line": lambda desk: desk.cli("disable", "daily"),
        "Python": lambda desk: desk.python(lambda manager: manager.disable("daily")),
        "REST": lambda desk: desk.rest("POST", "/api/tasks/daily/disable"),
        "pages": lambda desk: desk.page("/tasks/daily/switch", to="off"),
    },
    "add a task": {name: way for name, way in add(NEW).items() if name != "jobs"},
    "change a task": {
        "command line": lambda desk: desk.cli("edit", "base", "timeout=5"),
        "Python": lambda desk: desk.python(lambda manager: manager.update_task("base", {"timeout": 5})),
        "REST": lambda desk: desk.rest("PATCH", "/api/tasks/base", timeout=5),
        "pages": lambda desk: change_by_form(desk),
    },
    "delete a task": {
        "command line": lambda desk: desk.cli("remove", "spare"),
        "Python": lambda desk: desk.python(lambda manager: manager.delete_task("spare")),
        "REST": lambda desk: desk.rest("DELETE", "/api/tasks/spare"),
        "pages": lambda desk: desk.page("/tasks/spare/delete"),
        "jobs": lambda desk: desk.job("delete_task", task_id="spare"),
    },
    "write what only trusted editing may (below)": add(SECRET),
    "write a task that runs a command": add(COMMAND),
    "write a task with a file (a param of the type `FilePath` or `Path`)": add(FILLED),
    "import a file of the export folder": import_of("exports"),
    "import another file": import_of("elsewhere"),
    "export into the export folder": export_to("exports"),
    "export to another place": export_to("elsewhere"),
    "clean up the history": {
        "command line": lambda desk: desk.cli("cleanup", "--days", "30"),
        "Python": lambda desk: desk.python(lambda manager: manager.cleanup(30)),
        "REST": lambda desk: desk.rest("DELETE", "/api/tasks/executions/cleanup?days=30"),
        "jobs": lambda desk: desk.job("cleanup_history", days=30),
    },
    "reload the web UI without an edit": {"command line": lambda desk: desk.cli("reload")},
    "refresh the trading calendar": {
        "command line": lambda desk: desk.cli("calendar", "--refresh", "--source", "simulated"),
        "jobs": lambda desk: desk.job("refresh_calendar", data_source="simulated"),
    },
}


def change_by_form(desk: Desk) -> str | None:
    """Send the form of a task with another timeout."""
    page = desk.client.get("/tasks/base/edit").text
    stamp = re.search(r'name="stamp" value="(\w+)"', page)
    assert stamp
    fields = {"task_type": "manual", "task_module": "desk", "task_function": "load", "timeout": "5"}
    return desk.page("/tasks/base/edit", stamp=stamp[1], **fields)


def documented() -> dict[tuple[str, str], str]:
    """Return the table of docs/rest.md: action and caller to yes, no or a dash."""
    text = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8").partition("## Who may do what")[2]
    text = text.partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in re.findall(r"^\|.*\|$", text, re.M)]
    assert rows[0] == ["action", *CALLERS]
    return {(row[0], caller): cell for row in rows[2:] for caller, cell in zip(CALLERS, row[1:], strict=True)}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    register_all()
    with pytest.MonkeyPatch.context() as patch:
        folder = make_desk(tmp_path_factory.mktemp("access") / "desk", patch)
        folder.write("tasks.yaml", TASKS)
        folder.write("desk.py", DESK)
        with open_client() as client:
            yield Desk(folder, client)


@pytest.mark.slow
@pytest.mark.parametrize(("action", "caller"), sorted(documented()))
def test_each_caller_may_do_what_the_table_says(desk: Desk, action: str, caller: str) -> None:
    said = documented()[action, caller]
    way = WAYS[action].get(caller)
    assert (way is None) == (said == "-"), "a way that the table does not have, or that there is not"
    if way is None:
        return
    desk.folder.write("tasks.yaml", TASKS)
    message = way(desk)
    text = (desk.folder.root / "tasks.yaml").read_text(encoding="utf-8")
    if said == "no":
        assert message, "it was done"
        assert REFUSED.search(message), message
        assert text == TASKS, "nothing is written"
    else:
        assert message is None or LET_THROUGH.search(message), message


def test_every_action_of_the_table_is_tried() -> None:
    assert {action for action, _ in documented()} == set(WAYS)


def test_only_one_module_asks_whether_a_caller_is_trusted() -> None:
    readers = [
        path.name
        for path in (ROOT / "mystocks_dagster").rglob("*.py")
        if re.search(r"\.trusted\b", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["access.py"]


def test_each_action_is_asked_for_somewhere_and_each_limit_belongs_to_one() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "mystocks_dagster" / "project").glob("*.py")
        if path.name != "access.py"
    )
    assert [action.name for action in Action if f"Action.{action.name}" not in source] == []
    assert set(LIMITS) <= set(Action)


def test_files_that_untrusted_callers_name_mean_one_thing(desk: Desk, tmp_path: Path) -> None:
    given = str(desk.folder.root / "exports" / "twice.yaml")
    by_rest = desk.client.post("/api/tasks/export", json={"output_path": "exports/twice.yaml"}).json()["path"]
    assert by_rest == given
    assert desk.job("export_tasks", output_path="exports/twice.yaml") is None
    assert desk.job("export_tasks", output_path="day_$(date +%Y).yaml") is None
    assert re.fullmatch(r"day_20\d\d\.yaml", next((desk.folder.root / "exports").glob("day_*")).name)


@pytest.mark.parametrize(
    ("rule", "module"),
    [
        (r"headers\.get\(\"(origin|sec-fetch-\w+)\"", "api/origins.py"),
        (r"nosniff|no-store|frame-ancestors", "api/security_headers.py"),
        (r"is outside of the export folder", "taskfile/edit/exports.py"),
        (r"may not be given other parameters from here", "project/permissions.py"),
    ],
)
def test_a_rule_about_callers_stands_in_one_module(rule: str, module: str) -> None:
    package = ROOT / "mystocks_dagster"
    places = [path for path in package.rglob("*.py") if re.search(rule, path.read_text(encoding="utf-8"))]
    assert [path.relative_to(package).as_posix() for path in places] == [module]
