"""Files that cannot be read at all: one message with the remedy, never a traceback."""

import os
from pathlib import Path

import pytest

from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.reader import check_task_file, load_task_file, read_task_file


def _only(path: Path) -> Problem:
    [problem] = check_task_file(path)
    for read in (read_task_file, load_task_file):
        with pytest.raises(TaskFileError) as caught:
            read(path)
        assert caught.value.problems == (problem,)
    return problem


def test_a_missing_file_names_the_ones_beside_it(tmp_path: Path):
    (tmp_path / "tasks.yaml").touch()
    problem = _only(tmp_path / "task.yaml")
    assert problem.message == f"there is no task file {tmp_path / 'task.yaml'}"
    assert problem.hint == "Did you mean 'tasks.yaml'?"


def test_dagsters_own_files_are_not_taken_for_a_missing_task_file(tmp_path: Path):
    for name in ("dagster.yaml", "workspace.yaml"):
        (tmp_path / name).touch()
    assert _only(tmp_path / "tasks.yaml").hint == "Create it, or name another file in MYSTOCKS_TASKS."


def test_a_missing_file_in_an_empty_folder_says_how_to_name_one(tmp_path: Path):
    assert _only(tmp_path / "tasks.yaml").hint == "Create it, or name another file in MYSTOCKS_TASKS."


def test_a_folder_is_no_file(tmp_path: Path):
    assert _only(tmp_path).message == f"{tmp_path} is a folder"


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path):
    path = tmp_path / "tasks.yaml"
    path.touch(mode=0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert _only(path).message == "the file cannot be read: Permission denied"


def test_a_huge_file_is_refused_without_reading_it_all(tmp_path: Path):
    path = tmp_path / "tasks.yaml"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)
    assert _only(path).message == "the file is larger than 5 MB"


def test_gbk_is_told_with_the_place_of_the_first_byte(tmp_path: Path):
    path = tmp_path / "tasks.yaml"
    path.write_bytes("version: 1\ndescription: ab数据\n".encode("gbk"))
    problem = _only(path)
    assert (problem.line, problem.column, problem.message) == (2, 16, "the file is not UTF-8: byte 0xca")
    assert problem.hint == "Save it as UTF-8 (it may be GBK)."


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path):
    path = tmp_path / "tasks.yaml"
    path.write_bytes(b"\xef\xbb\xbftasks: []\nshedule: 1\n")
    [problem] = check_task_file(path)
    assert (problem.line, problem.column) == (2, 1)


def test_windows_line_ends_keep_lines_and_columns(tmp_path: Path):
    path = tmp_path / "tasks.yaml"
    path.write_bytes(b"version: 1\r\ntasks: []\r\n  \r\nshedule: 1\r\n")
    [problem] = check_task_file(path)
    assert (problem.line, problem.column) == (4, 1)


def test_a_pipe_is_no_file_and_nobody_waits_for_it(tmp_path: Path):
    path = tmp_path / "tasks.yaml"
    os.mkfifo(path)
    assert _only(path).message == f"{path} is a pipe or a device"


def test_a_file_that_an_editor_of_windows_saved_as_unicode_is_named_as_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_bytes("tasks: []\n".encode("utf-16"))
    assert _only(path).hint == "Save it as UTF-8 (it is UTF-16)."
