"""One bad task does not stop the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version, load_task_file, read_task_file

Write = Callable[[str], Path]
Task = Callable[..., str]


def _group(name: str, tasks: str, mode: str = "sequential") -> str:
    return f"- group_id: {name}\n  tasks: [{tasks}]\n  execution_mode: {mode}\n"


def _ids(version: Version) -> list[str]:
    return [task.task_id for task in version.taskfile.tasks]


def test_a_broken_task_takes_only_those_along_that_need_it(write: Write, head: str, task: Task):
    path = write(
        head
        + task("timeout: -1", task_id="a")
        + task("dependencies: [a]", task_id="b")
        + task("dependencies: [b]", task_id="c")
        + task(task_id="d")
    )  # fmt: skip
    version = load_task_file(path)
    assert _ids(version) == ["d"]
    assert set(version.functions) == {"d"}
    assert [problem.message for problem in version.problems] == ["timeout must be at least 1, found -1"]
    assert {name: [problem.message for problem in found] for name, found in version.broken.items()} == {
        "a": ["timeout must be at least 1, found -1"],
        "b": ["needs 'a', which is broken"],
        "c": ["needs 'b', which is broken"],
    }
    assert [(problem.line, problem.owner) for problem in version.broken["b"]] == [(12, "b")]
    with pytest.raises(TaskFileError):
        read_task_file(path)


def test_a_sequential_group_ends_where_a_broken_task_would_have_stopped_it(write: Write, head: str, task: Task):
    tasks = (
        task(task_id="a")
        + task("timeout: -1", task_id="b")
        + task("timeout: -1\nstop_on_error: false", task_id="c")
        + task(task_id="d")
    )
    groups = (
        _group("stopped", "a, b, d")
        + _group("goes_on", "a, c, d")
        + _group("side_by_side", "a, b, d", "parallel")
        + _group("empty", "b, a")
    )
    version = load_task_file(write(head + tasks + "task_groups:\n" + groups))
    assert {group.group_id: group.tasks for group in version.taskfile.task_groups} == {
        "stopped": ("a",),
        "goes_on": ("a", "d"),
        "side_by_side": ("a", "d"),
    }
    assert version.shortened == {"stopped": ("b", "d"), "goes_on": ("c",), "side_by_side": ("b",)}
    assert [problem.message for problem in version.broken["empty"]] == ["needs 'b', which is broken"]
    assert {problem.owner for problem in version.problems} == {"b", "c"}


def test_two_tasks_of_one_id_are_both_left_out(write: Write, head: str, task: Task):
    version = load_task_file(write(head + task(task_id="a") + task(task_id="a") + task(task_id="b")))
    assert _ids(version) == ["b"]
    assert list(version.broken) == ["a"]


def test_a_circle_leaves_out_its_tasks_and_what_needs_them(write: Write, head: str, task: Task):
    tasks = (
        task("dependencies: [b]", task_id="a")
        + task("dependencies: [a]", task_id="b")
        + task("dependencies: [a]", task_id="c")
        + task(task_id="d")
    )
    version = load_task_file(write(head + tasks))
    assert _ids(version) == ["d"]
    assert set(version.broken) == {"a", "b", "c"}
    assert len(version.problems) == 1


def test_a_key_that_occurs_twice_breaks_its_task_only(write: Write, head: str, task: Task):
    version = load_task_file(write(head + task("timeout: 5\ntimeout: 6", task_id="a") + task(task_id="b")))
    assert _ids(version) == ["b"]


def test_a_task_without_an_id_is_known_by_its_place(write: Write, head: str, task: Task):
    version = load_task_file(write(head + task(task_id="7") + task(task_id="b")))
    assert _ids(version) == ["b"]
    assert list(version.broken) == ["tasks[0]"]


def test_a_mistake_beside_the_tasks_stops_none_of_them(write: Write, head: str, task: Task):
    version = load_task_file(write("descripton: x\ndefaults: 5\n" + head + task(task_id="a")))
    assert _ids(version) == ["a"]
    assert [problem.owner for problem in version.problems] == [None, None]


def test_a_broken_default_breaks_the_tasks_that_take_it(write: Write, head: str, task: Task):
    version = load_task_file(
        write("defaults: {timeout: -1}\n" + head + task(task_id="a") + task("timeout: 5", task_id="b"))
    )
    assert _ids(version) == ["b"]
    assert len(version.problems) == 1


@pytest.mark.parametrize(
    "text", ["", "tasks: [", "tasks: {}", "task: []", "tasks: []\ntasks: []", "tasks: []\ntask_groups: 5"]
)
def test_a_file_that_cannot_be_used_at_all_fails_as_a_whole(text: str, write: Write):
    with pytest.raises(TaskFileError):
        load_task_file(write(text))
