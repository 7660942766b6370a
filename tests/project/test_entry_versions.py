"""The versions of a task with who made them, and the way back."""

import pytest
import yaml
from support.project import Folder

from mystocks_dagster.errors import Forbidden, UnknownName
from mystocks_dagster.project.access import PAGES, REST
from mystocks_dagster.project.edit_ledger import FILE
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [quick]
    defaults: {task_module: quick, task_function: nothing, task_type: manual}
    tasks:
      # The first.
      - {task_id: load, task_name: 装载, task_module: quick, task_function: nothing, params: {api_key: sesame}}
      - {task_id: report, task_name: 报表}
"""


@pytest.fixture
def root(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", "def nothing(params): return None\n")
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    return folder


def opened(caller: object = PAGES) -> Project:
    """Return the project, with its task file read and its version stored."""
    project = Project(Settings.from_env(), caller=caller)  # type: ignore[arg-type]
    assert project.version
    return project


@pytest.mark.usefixtures("root")
def test_a_version_says_when_and_by_whom_and_the_task_goes_back_to_it(root: Folder) -> None:
    opened().edits.edit("load", {"timeout": 77})
    opened(REST).edits.edit("load", {"timeout": 78})
    opened(REST).edits.edit("report", {"timeout": 5})
    project = opened()
    states = project.entry_versions.of("load")
    assert [(state.by, state.data.get("timeout")) for state in states] == [("rest", 78), ("web", 77), (None, None)]
    assert states == sorted(states, key=lambda state: state.time, reverse=True)
    assert all("sesame" not in state.text for state in states)
    project.entry_versions.restore("load", states[-1].version)
    text = (root.root / "tasks.yaml").read_text(encoding="utf-8")
    entries = {task["task_id"]: task for task in yaml.safe_load(text)["tasks"]}
    assert "timeout" not in entries["load"]
    assert entries["load"]["params"] == {"api_key": "sesame"}
    assert entries["report"]["timeout"] == 5  # only the task itself goes back
    assert "# The first." in text


@pytest.mark.usefixtures("root")
def test_a_deleted_task_comes_back_and_what_is_no_version_is_refused(root: Folder) -> None:
    opened().edits.remove("report")
    states = opened().entry_versions.of("report")
    assert [state.data is None for state in states] == [True, False]
    with (root.root / ".dagster" / FILE).open("a", encoding="utf-8") as file:
        file.write('{"time": "2026')  # a line that a crash has cut off
    opened().entry_versions.restore("report", states[-1].version)
    assert opened().find("report")
    with pytest.raises(UnknownName):
        opened().entry_versions.restore("report", "nothing")


def test_a_page_may_not_go_back_to_what_it_may_not_write(root: Folder) -> None:
    path = root.root / "tasks.yaml"
    path.write_text(TASKS.replace("api_key: sesame", "home: '${HOME}'"), encoding="utf-8")
    opened()
    path.write_text(TASKS, encoding="utf-8")
    states = opened().entry_versions.of("load")
    with pytest.raises(Forbidden):
        opened().entry_versions.restore("load", states[-1].version)
