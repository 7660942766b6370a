"""How a problem looks: to a person, and to a program."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.excerpts import near, suggest
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.reader import check_task_file, read_task_file


def _problem(**changes: object) -> Problem:
    return Problem(**({"file": "tasks.yaml", "line": 1, "column": 1, "path": "", "message": "wrong"} | changes))  # type: ignore[arg-type]


def test_the_message_shows_the_line_with_a_caret(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(write("tasks:\n  - task_id: a\n    shedule: {}\n").parent)
    with pytest.raises(TaskFileError) as caught:
        read_task_file(Path("tasks.yaml"))
    assert str(caught.value).startswith(
        "tasks.yaml:2:5: task_type is missing\n"
        "    2 |   - task_id: a\n"
        "      |     ^^^^^^^\n"
        "  Add task_type, such as cron.\n"
    )  # fmt: skip
    assert (
        "tasks.yaml:3:5: unknown key 'shedule'\n"
        "    3 |     shedule: {}\n"
        "      |     ^^^^^^^\n"
        "  Did you mean 'schedule'?\n"
    ) in str(caught.value)  # fmt: skip
    assert str(caught.value).endswith("4 problems in tasks.yaml")


def test_the_caret_stands_under_its_character_after_chinese_text():
    line = "name: 每日同步 {x: 错误}"
    shown = _problem(column=16, width=2).render([line]).splitlines()
    assert shown[1] == "    1 | name: 每日同步 {x: 错误}"
    # name: and the space take 6 cells, four characters 8, " {x: " 5: 19 in all; the fault is 4 wide.
    assert shown[2] == "      | " + " " * 19 + "^^^^"


def test_the_caret_stands_under_its_character_after_a_tab():
    assert _problem(column=4).render(["a:\tb"]).splitlines()[2] == "      |   \t^"


def test_a_combining_character_takes_no_cell():
    assert _problem(column=3).render(["e\N{COMBINING ACUTE ACCENT}x"]).splitlines()[2] == "      |  ^"


@pytest.mark.slow
def test_a_long_line_is_cut_around_the_fault():
    line = "x" * 5000 + "FAULT" + "y" * 5000
    shown = _problem(column=5001, width=5).render([line]).splitlines()
    assert len(shown[1]) < 140
    start = shown[2].index("^")
    assert shown[1][start : start + 5] == "FAULT"


def test_terminal_codes_in_a_file_are_not_passed_on():
    assert "\x1b" not in _problem().render(["a: \x1b[31mred"])


def test_a_line_beyond_the_file_shows_the_message_alone():
    assert _problem(line=9, hint="Do this.").render(["a"]) == "tasks.yaml:9:1: wrong\n  Do this."


def test_programs_get_the_fields_of_the_contract(write: Callable[[str], Path]):
    path = write("tasks:\n  - task_id: a\n    shedule: {}\n")
    found = [problem.to_json() for problem in check_task_file(path)]
    assert found[-1] == {
        "file": str(path),
        "line": 3,
        "column": 5,
        "path": "tasks[0].shedule",
        "message": "unknown key 'shedule'",
        "hint": "Did you mean 'schedule'?",
    }


def test_the_error_is_one_of_ours_and_survives_a_process_border():
    error = TaskFileError([_problem(), _problem(line=2)], ["a", "b"])
    assert isinstance(error, MyStocksError)
    again = pickle.loads(pickle.dumps(error))
    assert again.problems == error.problems
    assert str(again) == str(error)


def test_a_hundred_problems_do_not_flood_the_screen():
    text = str(TaskFileError([_problem(line=line) for line in range(1, 101)], ["x"] * 100))
    assert "... and 50 more" in text
    assert text.endswith("100 problems in tasks.yaml")


@pytest.mark.parametrize(
    ("name", "found"), [("shedule", ["schedule"]), ("TAGS", ["tags"]), ("x" * 5000, []), ("", []), ("zzz", [])]
)
def test_near_names(name: str, found: list[str]):
    assert near(name, ["schedule", "tags", "params"]) == found


def test_what_is_allowed_is_listed_when_nothing_is_near():
    assert suggest("zzz", ["a", "b"]) == "Allowed: a, b."
    assert suggest("zzz", []) == ""
