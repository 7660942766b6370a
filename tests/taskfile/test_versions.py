"""A run keeps the file that it was queued with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version, load_task_file
from mystocks_dagster.taskfile.versions import load_version, store

Write = Callable[[str], Path]
Task = Callable[..., str]


@pytest.fixture
def version(write: Write, head: str, task: Task) -> Version:
    """A file of six tasks and a group, with a default, a variable, and one broken task."""
    text = (
        "defaults: {timeout: 60}\n"
        + head
        + task("params: {token: '${TOKEN}'}", task_id="a-one")
        + task("dependencies: [a-one]", task_id="b", function="typed")
        + task(task_id="c")
        + task("timeout: -1", task_id="broken")
        + task("dependencies: [b]", task_id="d")
        + "task_groups:\n  - group_id: g-g\n    tasks: [c, d]\n"
    )
    return load_task_file(write(text), environment={"TOKEN": "s3cret"})


def test_a_stored_version_is_the_one_that_was_read(version: Version, tmp_path: Path):
    content = store(version, tmp_path / "taskfiles")
    again = load_version(tmp_path / "taskfiles", content, environment={"TOKEN": "s3cret"})
    assert again.taskfile == version.taskfile
    assert (again.hash, again.lines, again.writes, set(again.broken)) == (
        version.hash,
        version.lines,
        version.writes,
        {"broken"},
    )
    assert [problem.line for problem in again.problems] == [18]
    assert again.functions == version.functions


def test_the_copy_holds_no_secret_and_reads_variables_anew(version: Version, tmp_path: Path):
    content = store(version, tmp_path)
    assert "s3cret" not in (tmp_path / f"{content}.json").read_text(encoding="utf-8")
    again = load_version(tmp_path, content, environment={"TOKEN": "another"})
    assert again.taskfile.tasks[0].params == {"token": "another"}


def test_the_copy_does_not_follow_the_file(version: Version, tmp_path: Path):
    content = store(version, tmp_path)
    version.source.write_text("tasks: [", encoding="utf-8")
    assert [task.task_id for task in load_version(tmp_path, content, environment={"TOKEN": "x"}).taskfile.tasks] == [
        "a-one",
        "b",
        "c",
        "d",
    ]


@pytest.mark.parametrize(
    ("only", "tasks", "groups"),
    [
        ("c", ["c"], []),
        ("d", ["a-one", "b", "d"], []),
        ("a_one", ["a-one"], []),
        ("g_g", ["a-one", "b", "c", "d"], ["g-g"]),
    ],
)
def test_only_what_is_asked_for_is_built(
    only: str, tasks: list[str], groups: list[str], version: Version, tmp_path: Path
):
    again = load_version(tmp_path, store(version, tmp_path), only, environment={"TOKEN": "s3cret"})
    assert [task.task_id for task in again.taskfile.tasks] == tasks
    assert [group.group_id for group in again.taskfile.task_groups] == groups
    assert [task.timeout for task in again.taskfile.tasks] == [60] * len(tasks)
    # Who owns a table is known although only some tasks were built.
    assert again.writes == {"a-one": (), "b": ("daily_bars",), "c": (), "d": ()}
    assert again.problems == ()


def test_a_name_that_is_no_task_may_need_everything(version: Version, tmp_path: Path):
    again = load_version(tmp_path, store(version, tmp_path), "__ASSET_JOB", environment={"TOKEN": "s3cret"})
    assert len(again.taskfile.tasks) == 4


def test_a_variable_that_is_gone_stops_the_task_that_wants_it(version: Version, tmp_path: Path):
    content = store(version, tmp_path)
    with pytest.raises(TaskFileError, match="TOKEN is not set"):
        load_version(tmp_path, content, "d", environment={})
    assert load_version(tmp_path, content, "c", environment={}).taskfile.tasks


def test_a_group_that_was_queued_without_a_broken_task_runs_without_it(
    write: Write, head: str, task: Task, tmp_path: Path
):
    text = head + task(task_id="a") + task("timeout: -1", task_id="b") + task("params: {t: '${T}'}", task_id="c")
    version = load_task_file(
        write(text + "task_groups:\n- {group_id: g, tasks: [a, b, c], execution_mode: parallel}\n"),
        environment={"T": "1"},
    )
    content = store(version, tmp_path)
    assert load_version(tmp_path, content, "g", environment={"T": "1"}).taskfile.task_groups[0].tasks == ("a", "c")
    with pytest.raises(TaskFileError, match="T is not set"):
        load_version(tmp_path, content, "g", environment={})


def test_a_copy_that_is_gone_says_what_to_do(tmp_path: Path):
    with pytest.raises(TaskFileError, match="Start the task again"):
        load_version(tmp_path, "0123456789abcdef")


def test_storing_again_is_harmless(version: Version, tmp_path: Path):
    assert store(version, tmp_path / "copies") == store(version, tmp_path / "copies")
    assert len(list((tmp_path / "copies").iterdir())) == 1
