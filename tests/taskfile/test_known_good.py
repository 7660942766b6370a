"""A file whose functions were found right is read without them, until something changes that the verdict stands on."""

from pathlib import Path

import pytest
from support.project import Folder

from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import FOLDER, load_for_reading, load_for_running, load_usable
from mystocks_dagster.taskfile.names import id_fault

TASKS = """
    task_packages: [mine]
    tasks:
    - {task_id: a, task_type: manual, task_module: mine.jobs, task_function: work, params: {days: 3}}
    - {task_id: b, task_type: manual, task_module: mine.jobs, task_function: work, dependencies: [a]}
    - {task_id: c, task_type: manual, task_module: mine.others, task_function: rest}
    - {task_id: d, task_type: manual, task_module: mystocks_dagster.tasks.indicators,
       task_function: calculate_technical_indicators, params: {indicators: [{name: OWN, file: formulas/own.txt}]}}
    task_groups:
    - {group_id: g, tasks: [a]}
"""


@pytest.fixture
def settings(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(folder.root)
    folder.write("mine/__init__.py", "")
    folder.write("mine/jobs.py", "def work(params): return None\n")
    folder.write("mine/others.py", "def rest(params): return None\n")
    folder.write("formulas/own.txt", "X:C;")
    folder.write("tasks.yaml", TASKS)
    return Settings.from_env()


def is_known(settings: Settings) -> bool:
    return not load_for_reading(settings).functions


def test_the_second_look_imports_no_function_and_says_the_same(settings: Settings) -> None:
    first, second = load_for_reading(settings), load_for_reading(settings)
    assert (set(first.functions), set(second.functions)) == ({"a", "b", "c", "d"}, set())
    assert second.taskfile == first.taskfile
    assert (second.hash, second.lines, second.writes) == (first.hash, first.lines, first.writes)
    assert [task.masked() for task in second.taskfile.tasks] == [task.masked() for task in first.taskfile.tasks]


def test_a_run_imports_what_it_needs_and_no_more(settings: Settings) -> None:
    assert load_for_running(settings, "b") is None
    load_usable(settings)
    part = load_for_running(settings, "b")
    assert part
    assert set(part.functions) == {"a", "b"}
    group = load_for_running(settings, "g")
    assert group
    assert set(group.functions) == {"a"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("mine/jobs.py", "def other(params): return None\n"),
        ("mine/jobs.py", "import no_such_module\ndef work(params): return None\n"),
        ("mine/others.py", None),
        ("formulas/own.txt", "X:C+;"),
        ("tasks.yaml", TASKS.replace("days: 3", "days: 4")),
    ],
)
def test_a_change_of_the_file_or_of_a_module_is_seen(
    settings: Settings, folder: Folder, file: str, text: str | None
) -> None:
    load_usable(settings)
    assert is_known(settings)
    if text is None:
        (folder.root / file).unlink()
    else:
        folder.write(file, text)
    # Not imported here, where the module of before is still known: by a process that begins now.
    printed = folder.mystocks("list")
    assert ("Not loaded: " in printed) == (file != "tasks.yaml")


def test_a_module_that_is_found_elsewhere_is_imported_again(settings: Settings, folder: Folder) -> None:
    folder.mystocks("list")
    (folder.root / "elsewhere").mkdir()
    (folder.root / "mine").rename(folder.root / "elsewhere" / "mine")
    folder.env["PYTHONPATH"] = str(folder.root / "elsewhere")
    assert "Not loaded" not in folder.mystocks("list")


@pytest.mark.parametrize(
    "text",
    [
        TASKS.replace("days: 3", "days: '${DAYS:-3}'"),
        TASKS.replace("tasks:\n", "defaults: {params: {days: 3}}\n    tasks:\n", 1),
        TASKS.replace("function: rest", "function: missing"),
    ],
    ids=["a variable", "params of the defaults", "a problem"],
)
def test_what_depends_on_more_than_file_and_modules_is_always_asked(
    settings: Settings, folder: Folder, text: str
) -> None:
    folder.write("tasks.yaml", text)
    load_usable(settings)
    assert not is_known(settings)


def test_looking_makes_no_instance(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "none"))
    load_for_reading(Settings.from_env())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"%s": 5}', '{"%s": {"hash": "x"}}'])
def test_a_damaged_note_is_written_anew(settings: Settings, content: str) -> None:
    load_usable(settings)
    note = settings.dagster_home / FOLDER / "known-good.json"
    note.write_text(content.replace("%s", str(settings.task_file.resolve())), encoding="utf-8")
    assert not is_known(settings)
    assert is_known(settings)


def test_an_id_that_is_a_table_is_refused_all_the_same(settings: Settings, folder: Folder) -> None:
    load_for_reading(settings)
    load_for_reading(settings)
    assert id_fault("daily_bars")
