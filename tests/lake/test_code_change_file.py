"""The team's own code changes: read from a file beside tasks.yaml, with every problem at its line and column."""

from datetime import date
from pathlib import Path

import pytest
from support.commands import Commands

from mystocks_dagster.lake.code_change_file import read_changes
from mystocks_dagster.taskfile.problems import TaskFileError

HEADER = "old_symbol,new_symbol,from_day\n"


def problems(tmp_path: Path, text: str) -> list[tuple[int, int, str]]:
    path = tmp_path / "code_changes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TaskFileError) as caught:
        read_changes(path)
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


def test_codes_in_any_notation_comments_and_a_denied_change_are_read(tmp_path: Path) -> None:
    path = tmp_path / "code_changes.csv"
    path.write_text(f"\ufeff# ours\n{HEADER}sz301111, 302222.SZ ,2025-03-05  # merger\n\n300114,,2025-02-17\n")
    assert read_changes(path).rows() == [
        ("301111.SZ", "302222.SZ", date(2025, 3, 5), "file"),
        ("300114.SZ", None, date(2025, 2, 17), "file"),
    ]


def test_all_problems_are_said_at_once_with_their_places(tmp_path: Path) -> None:
    text = HEADER + (
        "301111.SZ,30222,2025-03-05\n"
        "301112.SZ,302223.SZ,5.3.2025\n"
        "301113.SZ,302224.SZ,2025-03-08\n"
        "301114.SZ,302225.SZ\n"
        "301115.SZ,302226.SZ,2025-03-05\n"
        "301115.SZ,302227.SZ,2025-03-06\n"
        "302226.SZ,301115.SZ,2025-03-07\n"
    )
    assert problems(tmp_path, text) == [
        (2, 11, "'30222' is not a stock code; write it like 600519.SH, sh600519 or 600519"),
        (3, 21, "'5.3.2025' is not a day"),
        (4, 21, "2025-03-08 is not a trading day"),
        (5, 1, "2 values, and 3 are expected"),
        (7, 1, "301115.SZ is in line 6 already"),
        (8, 1, "301115.SZ leads back to 302226.SZ"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("old,new,day\n", 1), ("# only a comment\n", 1), ("\n\n301111.SZ,302222.SZ,2025-03-05\n", 3)],
)
def test_another_first_line_is_refused(tmp_path: Path, text: str, line: int) -> None:
    assert problems(tmp_path, text) == [(line, 1, "the first line is not old_symbol,new_symbol,from_day")]


def test_a_full_width_comma_in_the_first_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "code_changes.csv"
    path.write_text(HEADER.replace(",", "，"), encoding="utf-8")
    with pytest.raises(TaskFileError) as caught:
        read_changes(path)
    assert caught.value.problems[0].hint == "It contains '，' (fullwidth comma, U+FF0C). Write ','."


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "code_changes.csv"
    path.write_bytes("# 代码变更\n".encode("gbk"))
    with pytest.raises(TaskFileError, match="Save it as UTF-8"):
        read_changes(path)


def test_mystocks_check_reports_its_problems(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    cli.folder.write("code_changes.csv", HEADER + "301111.SZ,302222.SZ,2025-03-08\n")
    assert "code_changes.csv:2:21: 2025-03-08 is not a trading day" in cli("check", code=1).replace("\n", "")
    cli.folder.write("code_changes.csv", HEADER + "301111.SZ,302222.SZ,2025-03-05\n")
    assert cli.json("check") == []
