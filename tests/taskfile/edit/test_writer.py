"""Edits: comments and order stay, nothing wrong is written, and two editors lose nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mystocks_dagster.errors import SettingsError, UnknownName
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.edit.plans import EditRefused, planned
from mystocks_dagster.taskfile.edit.splice import apply
from mystocks_dagster.taskfile.edit.writer import (
    Edit,
    add_group,
    add_task,
    edit_group,
    edit_task,
    remove_group,
    remove_task,
    set_enabled,
)
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import read_task_file
from mystocks_dagster.taskfile.yaml.source import Source, parse_text

Write = Callable[[str], Path]

TEXT = """\
# yaml-language-server: $schema=docs/tasks.schema.json
# The team's tasks.

task_packages: [taskfile_samples]

tasks:
  # ---- data ----

  # the first one
  - task_id: a        # its id
    task_type: cron
    task_module: taskfile_samples.jobs
    task_function: plain
    timeout:   60     # seconds
    schedule:
      # after the close
      schedule_type: cron
      cron_expression: '0 16 * * 1-5'   # 16:00
    tags:
      - x   # one
      - y   # two
    # the end of a

  # the second one
  - task_id: "b"
    task_type: manual
    task_module: taskfile_samples.jobs
    task_function: plain
    params: {p: 1, q: [2]}   # in braces
    dependencies: [a]

  - task_id: c
    task_type: manual
    task_module: taskfile_samples.jobs
    task_function: plain
    dependencies:
      - a   # first a
      - b   # then b

# ---- groups ----
task_groups:
  - group_id: g
    tasks:
      - a
      - c
  - group_id: only_a
    tasks: [a]
"""
ENTRY = "- task_id: a\n  task_type: manual\n  task_module: taskfile_samples.jobs\n  task_function: plain\n"
NEW = {"task_id": "d", "task_type": "manual", "task_module": "taskfile_samples.jobs", "task_function": "plain"}


@pytest.fixture
def path(write: Write) -> Path:
    """The file above."""
    return write(TEXT)


def _changed(edit: Edit) -> list[str]:
    """Return the lines that an edit took out and put in."""
    return [line for line in edit.diff.splitlines()[2:] if line[0] in "+-"]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"timeout": 90}, ["-    timeout:   60     # seconds", "+    timeout:   90     # seconds"]),
        ({"timeout": None}, ["-    timeout:   60     # seconds"]),
        ({"retry_count": 2}, ["+    retry_count: 2"]),
        ({"schedule": {"enabled": False}}, ["+      enabled: false"]),
        (
            {"schedule": {"cron_expression": "30 9 * * *"}},
            ["-      cron_expression: '0 16 * * 1-5'   # 16:00", '+      cron_expression: "30 9 * * *"   # 16:00'],
        ),
        ({"tags": ["y"]}, ["-      - x   # one"]),
        ({"tags": ["x", "y", "每日"]}, ["+      - 每日"]),
        ({"tags": ["y", "z"]}, ["-      - x   # one", "+      - z"]),
        ({"tags": ["z"]}, ["-      - x   # one", "-      - y   # two", "+      - z"]),
        ({"tags": None}, ["-    tags:", "-      - x   # one", "-      - y   # two"]),
        (
            {"params": {"deep": {"list": [{"k": "000001"}]}}},
            ["+    params:", "+      deep:", "+        list:", '+          - k: "000001"'],
        ),
        ({"description": "a: b # c\nd"}, ['+    description: "a: b # c\\nd"']),
        ({"priority": "high", "stop_on_error": False}, ["+    priority: high", "+    stop_on_error: false"]),
        ({"timeout": 60}, []),
    ],
    ids=str,
)
def test_an_edit_changes_its_own_lines_only(changes: dict[str, object], lines: list[str], path: Path):
    edit = edit_task(path, "a", changes)
    assert _changed(edit) == lines
    assert path.read_text(encoding="utf-8") == edit.after


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"params": {"p": 5}},
            ["-    params: {p: 1, q: [2]}   # in braces", "+    params: {p: 5, q: [2]}   # in braces"],
        ),
        (
            {"params": {"q": None, "r": "on"}},
            ["-    params: {p: 1, q: [2]}   # in braces", '+    params: {p: 1, r: "on"}   # in braces'],
        ),
        ({"dependencies": None}, ["-    dependencies: [a]"]),
        ({"task_name": "第二"}, ["+    task_name: 第二"]),
    ],
    ids=str,
)
def test_values_in_braces_stay_in_braces(changes: dict[str, object], lines: list[str], path: Path):
    assert _changed(edit_task(path, "b", changes)) == lines


_VALUES = st.sampled_from(
    [
        None,
        1,
        "x",
        "a: b",
        [],
        ["x"],
        ["x", "z"],
        ["y", "z"],
        {},
        {"k": 1},
        {"k": {"z": [1, {}]}},
        True,
        "two\nlines",
        "每日",
        "- a",
    ]
)
_FIELDS = st.sampled_from(
    ["timeout", "tags", "schedule", "params", "description", "dependencies", "enabled", "task_type", "zz"]
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2), st.dictionaries(_FIELDS, _VALUES, min_size=1, max_size=3))
def test_whatever_is_changed_in_a_task_no_line_outside_it_changes(index: int, changes: dict[str, object]):
    source = parse_text(TEXT, "tasks.yaml")
    plan = planned(source, edited=[(("tasks", index), changes)])
    gentle = apply(TEXT, plan.ways[0])
    assert parse_text(gentle, "tasks.yaml").data == plan.data
    node = source.node(("tasks", index))
    assert node is not None
    before, after = TEXT.splitlines(), gentle.splitlines()
    rest = before[node.last :]
    assert after[: node.line - 1] == before[: node.line - 1]
    assert after[len(after) - len(rest) :] == rest


def test_a_task_is_added_below_the_last_one(path: Path):
    edit = add_task(
        path, {**NEW, "task_name": "新任务", "params": {"days": [1, 2], "none": {}}, "schedule": None, "tags": ("x",)}
    )
    assert _changed(edit) == [
        "+  - task_id: d",
        "+    task_type: manual",
        "+    task_module: taskfile_samples.jobs",
        "+    task_function: plain",
        "+    task_name: 新任务",
        "+    params:",
        "+      days:",
        "+        - 1",
        "+        - 2",
        "+      none: {}",
        "+    tags:",
        "+      - x",
        "+",
    ]
    assert "      - b   # then b\n\n  - task_id: d\n" in edit.after
    assert "      - x\n\n# ---- groups ----\n" in edit.after


def test_a_group_is_added_and_edited_and_removed(path: Path):
    assert _changed(add_group(path, {"group_id": "h", "tasks": ["b"]})) == [
        "+  - group_id: h",
        "+    tasks:",
        "+      - b",
    ]
    assert _changed(edit_group(path, "h", {"execution_mode": "parallel"})) == ["+    execution_mode: parallel"]
    assert _changed(remove_group(path, "h")) == [
        "-  - group_id: h",
        "-    tasks:",
        "-      - b",
        "-    execution_mode: parallel",
    ]
    assert path.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize("section", ["", "tasks:\n", "tasks: []\n", "tasks: []   # none yet\n"])
def test_the_first_task_of_a_file(section: str, write: Write):
    path = write("task_packages: [taskfile_samples]\n" + (section or "tasks: []\n"))
    if not section:
        path.write_text("tasks: []\ntask_packages: [taskfile_samples]", encoding="utf-8")
    add_task(path, NEW)
    add_group(path, {"group_id": "g", "tasks": ["d"]})
    taskfile = read_task_file(path)
    assert [task.task_id for task in taskfile.tasks] == ["d"]
    assert taskfile.task_groups[0].tasks == ("d",)


def test_the_last_task_can_be_removed(write: Write):
    path = write(f"task_packages: [taskfile_samples]\ntasks:\n{ENTRY}# end\n")
    assert remove_task(path, "a").after == "task_packages: [taskfile_samples]\ntasks: []\n# end\n"


def test_removing_a_task_that_others_name_is_refused_with_their_names(path: Path):
    with pytest.raises(EditRefused, match="a is still used by b, c, g, only_a") as caught:
        remove_task(path, "a")
    assert caught.value.names == ("b", "c", "g", "only_a")
    assert path.read_text(encoding="utf-8") == TEXT


def test_force_cuts_the_task_out_of_all_that_name_it(path: Path):
    edit = remove_task(path, "a", force=True)
    lines = TEXT.splitlines()
    first, last = lines.index("  # the first one"), lines.index("    # the end of a")
    gone = [f"-{line}" for line in lines[first : last + 2]] + [
        "-    dependencies: [a]",
        "-      - a   # first a",
        "-      - a",
        "-  - group_id: only_a",
        "-    tasks: [a]",
    ]
    assert _changed(edit) == gone
    assert [task.task_id for task in read_task_file(path).tasks] == ["b", "c"]


@pytest.mark.parametrize(
    ("name", "off", "on"),
    [
        ("a", ["+      enabled: false"], ["-      enabled: false", "+      enabled: true"]),
        ("b", ["+    enabled: false"], ["-    enabled: false", "+    enabled: true"]),
        ("g", ["+    enabled: false"], ["-    enabled: false", "+    enabled: true"]),
    ],
)
def test_tasks_and_groups_are_switched_off_and_on(name: str, off: list[str], on: list[str], path: Path):
    assert _changed(set_enabled(path, name, False)) == off
    assert read_task_file(path).by_id()[name].active is False
    assert _changed(set_enabled(path, name, True)) == on
    assert read_task_file(path).by_id()[name].active is True


def test_an_edit_that_would_be_wrong_is_refused_with_its_line(path: Path):
    with pytest.raises(TaskFileError) as caught:
        edit_task(path, "a", {"timeout": -1, "shedule": {}})
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (14, "timeout must be at least 1, found -1"),
        (22, "unknown key 'shedule'"),
    ]
    assert "timeout:   -1     # seconds" in str(caught.value)
    assert path.read_text(encoding="utf-8") == TEXT
    assert {beside.name for beside in path.parent.iterdir()} == {"tasks.yaml", ".tasks.yaml.lock"}


@pytest.mark.parametrize("name", ["tasks.yaml", "tasks.json"])
def test_half_a_character_is_refused(name: str, path: Path):
    other = path.with_name(name)
    other.write_text(
        TEXT if name == "tasks.yaml" else '{"tasks": [], "task_packages": ["taskfile_samples"]}', encoding="utf-8"
    )
    before = other.read_text(encoding="utf-8")
    with pytest.raises((TaskFileError, EditRefused)):
        add_task(other, {**NEW, "task_name": "\ud83d"})
    assert other.read_text(encoding="utf-8") == before


def test_an_unknown_task_names_the_near_one(path: Path):
    with pytest.raises(UnknownName, match="has no task 'bb'"):
        edit_task(path, "bb", {})
    with pytest.raises(UnknownName, match=r"has no group 'gg'\. Did you mean 'g'"):
        remove_group(path, "gg")
    with pytest.raises(UnknownName):
        set_enabled(path, "nobody", True)


def test_a_file_whose_sections_are_no_lists_is_refused_with_its_line(path: Path):
    path.write_text("tasks: 5\n", encoding="utf-8")
    with pytest.raises(TaskFileError, match=r"tasks\.yaml:1:8: tasks must be a list"):
        add_task(path, NEW)


def test_an_id_that_is_taken_is_refused(path: Path):
    with pytest.raises(EditRefused, match="already has a task or group 'g'"):
        add_task(path, {**NEW, "task_id": "g"})


def test_a_mistake_elsewhere_does_not_stop_an_edit(path: Path):
    path.write_text(TEXT.replace("timeout:   60", "timeout:   -60"), encoding="utf-8")
    assert _changed(edit_task(path, "b", {"timeout": 5})) == ["+    timeout: 5"]
    with pytest.raises(TaskFileError) as caught:
        edit_task(path, "b", {"timeout": -5})
    assert [problem.owner for problem in caught.value.problems] == ["b"]
    edit_task(path, "a", {"timeout": 60})
    read_task_file(path)


def test_the_former_text_is_kept_beside_the_file(path: Path):
    path.chmod(0o640)
    edit_task(path, "a", {"timeout": 90})
    assert path.with_name("tasks.yaml.bak").read_text(encoding="utf-8") == TEXT
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_dry_run_shows_the_difference_and_writes_nothing(path: Path):
    edit = edit_task(path, "a", {"timeout": 90}, dry_run=True)
    assert "+    timeout:   90     # seconds" in edit.diff
    assert path.read_text(encoding="utf-8") == TEXT
    assert not path.with_name("tasks.yaml.bak").exists()


def test_windows_line_ends_and_byte_order_mark_stay(path: Path):
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    edit_task(path, "a", {"retry_count": 2, "params": {"x": {"y": 1}}})
    add_task(path, NEW)
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf#")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert read_task_file(path).by_id()["a"].params == {"x": {"y": 1}}  # type: ignore[union-attr]


def test_lists_without_indentation_keep_their_style(path: Path):
    text = f"task_packages: [taskfile_samples]\ntasks:\n{ENTRY}"
    path.write_text(text, encoding="utf-8")
    edit_task(path, "a", {"tags": ["x"]})
    add_task(path, NEW)
    assert (
        path.read_text(encoding="utf-8")
        == text
        + "  tags:\n  - x\n\n- task_id: d\n  task_type: manual\n  task_module: taskfile_samples.jobs\n  task_function:"
        " plain\n"
    )


def test_the_key_behind_the_dash_can_be_removed(write: Write):
    path = write(f"task_packages: [taskfile_samples]\ntasks:\n- timeout: 5\n {ENTRY[1:]}")
    assert "tasks:\n- task_id: a\n  task_type" in edit_task(path, "a", {"timeout": None}).after


def test_an_entry_in_braces_is_written_anew(write: Write):
    entry = "  - {task_id: a, task_type: manual, task_module: taskfile_samples.jobs, task_function: plain}\n"
    path = write(f"task_packages: [taskfile_samples]\ntasks:\n{entry}")
    assert _changed(edit_task(path, "a", {"timeout": 5}))[1:] == [
        "+  - task_id: a",
        "+    task_type: manual",
        "+    task_module: taskfile_samples.jobs",
        "+    task_function: plain",
        "+    timeout: 5",
    ]


def test_json_stays_json(write: Write):
    path = write('{\n    "task_packages": ["taskfile_samples"],\n    "tasks": []\n}\n')
    add_task(path, NEW)
    edit_task(path, "d", {"task_name": "✅ 新"})
    text = path.read_text(encoding="utf-8")
    assert text.startswith('{\n    "task_packages": [\n')
    assert '"task_name": "✅ 新"' in text
    assert read_task_file(path).tasks[0].task_name == "✅ 新"


def test_what_anchors_share_is_not_changed_behind_ones_back(write: Write):
    base = f"- &base\n {ENTRY[1:]}  timeout: 5\n- <<: *base\n  task_id: b\n"
    path = write("task_packages: [taskfile_samples]\ntasks:\n" + base)
    edit_task(path, "b", {"timeout": 6})
    assert [task.timeout for task in read_task_file(path).tasks] == [5, 6]
    before = path.read_text(encoding="utf-8")
    with pytest.raises(EditRefused, match="edit it by hand"):
        edit_task(path, "a", {"retry_count": 1})
    assert path.read_text(encoding="utf-8") == before


def test_a_link_to_the_file_stays_a_link(path: Path, tmp_path: Path):
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    edit_task(link, "a", {"timeout": 90})
    assert link.is_symlink()
    assert "timeout:   90" in path.read_text(encoding="utf-8")


def test_a_file_that_cannot_be_written_is_told_and_stays(path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        edit_task(path, "a", {"timeout": 90})
    assert path.read_text(encoding="utf-8") == TEXT
    assert not list(path.parent.glob("*.tmp*")) + list(path.parent.glob(".*.tmp"))


def test_a_save_by_a_program_that_knows_no_lock_is_not_lost(path: Path, monkeypatch: pytest.MonkeyPatch):
    from mystocks_dagster.taskfile.edit import writer

    check, saved = writer._check, []

    def saved_meanwhile(where: Path, before: Source, after: Source, allow: Any) -> None:
        check(where, before, after, allow)
        if not saved:
            saved.append(where.write_text(TEXT.replace("# its id", "# saved meanwhile"), encoding="utf-8"))

    monkeypatch.setattr(writer, "_check", saved_meanwhile)
    edit_task(path, "a", {"timeout": 90})
    text = path.read_text(encoding="utf-8")
    assert "# saved meanwhile" in text
    assert "timeout:   90" in text


def test_an_editor_that_does_not_finish_is_not_waited_for_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(atomic_files, "_PATIENCE", 0.1)
    with atomic_files.locked(path), pytest.raises(SettingsError, match="has been locked by another editor"):
        edit_task(path, "a", {"timeout": 90})


_EDITOR = """
import sys
from pathlib import Path
from mystocks_dagster.taskfile.yaml.source import Source, parse_text
from mystocks_dagster.taskfile.edit.splice import apply
from mystocks_dagster.taskfile.edit.writer import add_task, edit_task
path, name = Path(sys.argv[1]), sys.argv[2]
for number in range(3):
    add_task(path, {"task_id": f"{name}{number}", "task_type": "manual", "task_module": "beside_two_editors.work",
        "task_function": "run"})
    edit_task(path, "shared", {"params": {f"{name}{number}": number}})
"""


def test_two_editors_at_once_lose_nothing(write: Write, tmp_path: Path):
    (tmp_path / "beside_two_editors").mkdir()
    (tmp_path / "beside_two_editors" / "work.py").write_text("def run(params):\n    pass\n", encoding="utf-8")
    entry = "- task_id: shared\n  task_type: manual\n  task_module: beside_two_editors.work\n  task_function: run\n"
    path = write("# kept\ntask_packages: [beside_two_editors]\ntasks:\n" + entry)
    editors = [subprocess.Popen([sys.executable, "-c", _EDITOR, str(path), name]) for name in ("x", "y")]
    assert [editor.wait(60) for editor in editors] == [0, 0]
    taskfile = read_task_file(path)
    names = {f"{name}{number}" for name in "xy" for number in range(3)}
    assert {task.task_id for task in taskfile.tasks} == {"shared", *names}
    assert set(taskfile.tasks[0].params) == names
    assert path.read_text(encoding="utf-8").startswith("# kept\n")
