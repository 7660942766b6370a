"""Characters of a Chinese keyboard or a web page where YAML needs its own: they are named, with their line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mystocks_dagster.taskfile.problems import Problem
from mystocks_dagster.taskfile.reader import check_task_file

Check = Callable[[str], list[Problem]]

# The lines of a task start in line 7, column 5. Expected: line and column of the character, its code, the remedy.
IN_THE_PARSER = {
    "full-width colon": ("timeout：600", 7, 12, "U+FF1A", "Write ':'."),
    "full-width colon and a space": ("timeout： 600\nretry_count: 1", 7, 12, "U+FF1A", "Write ':'."),
    "full-width colon above a list": ("tags：\n  - a", 7, 9, "U+FF1A", "Write ':'."),
    "ideographic space behind the colon": ("timeout:\u3000600", 7, 13, "U+3000", "Write a plain space."),
    "no-break space behind the colon": ("timeout:\u00a0600", 7, 13, "U+00A0", "Write a plain space."),
    "full-width comma in a list": ('tags: ["a"，"b"]', 7, 15, "U+FF0C", "Write ','."),
    "ideographic comma in a list": ("tags: [a、b, c", 7, 13, "U+3001", "Write ','."),
    "full-width brace": ("params: ｛a: 1｝", 7, 13, "U+FF5B", "Write '{'."),
    "curly quote": ("description: “a: b”", 7, 18, "U+201C", "Write '\"'."),
    "full-width number sign": ("＃ comment", 7, 5, "U+FF03", "Write '#'."),
}
IN_A_VALUE = {
    "full-width digits": ("timeout: １８００", "tasks[0].timeout", "U+FF11", "Write '1'."),
    "full-width letter": ("priority: ｈigh", "tasks[0].priority", "U+FF48", "Did you mean 'high'?"),
    "full-width comma between names": ("dependencies: [a，b]", "tasks[0].dependencies[0]", "U+FF0C", "Write ','."),
    "full-width brackets": ("tags: ［a, b］", "tasks[0].tags", "U+FF3B", "Write '['."),
    "full-width dashes of a list": ("tags:\n  － a\n  － b", "tasks[0].tags", "U+FF0D", "Write '-'."),
    "em dash of a list": ("tags:\n  — a", "tasks[0].tags", "U+2014", "Write '-'."),
    "zero width space": ("log_level: INFO\u200b", "tasks[0].log_level", "U+200B", "Remove it. Did you mean 'INFO'?"),
    "zero width space before a key": (
        "\u200btimeout: 600",
        "tasks[0].\u200btimeout",
        "U+200B",
        "Did you mean 'timeout'?",
    ),
    "Cyrillic letter in a key": (
        "timеout: 600",
        "tasks[0].timеout",
        "U+0435",
        "Write the Latin letter that looks like it.",
    ),
    "full-width underscore": ("retry＿count: 1", "tasks[0].retry＿count", "U+FF3F", "Did you mean 'retry_count'?"),
}


@pytest.mark.parametrize("kind", IN_THE_PARSER)
def test_a_character_that_breaks_the_file_is_named_with_its_own_line(
    kind: str, check: Check, head: str, task: Callable[..., str]
):
    lines, line, column, code, remedy = IN_THE_PARSER[kind]
    [problem] = check(head + task(lines))
    assert (problem.line, problem.column, problem.hint) == (line, column, remedy)
    assert code in problem.message


@pytest.mark.parametrize("kind", IN_A_VALUE)
def test_a_character_that_spoils_a_value_is_named(kind: str, check: Check, head: str, task: Callable[..., str]):
    lines, path, code, remedy = IN_A_VALUE[kind]
    [problem] = check(head + task(lines))
    assert (problem.line >= 7, problem.path) == (True, path)
    assert code in problem.hint
    assert remedy in problem.hint


def test_no_break_spaces_in_the_indentation_are_blamed_and_not_the_line_after_them(
    check: Check, head: str, task: Callable[..., str]
):
    text = (head + task("timeout: 60\nretry_count: 1")).replace("    timeout", "\u00a0 \u00a0 timeout")
    [problem] = check(text)
    assert (problem.line, problem.column, problem.hint) == (7, 1, "Write a plain space.")


def test_a_file_of_full_width_colons_only(check: Check):
    [problem] = check("tasks：\n  - task_id： pull_bars\n    task_type：manual\n")
    assert (problem.line, problem.column, problem.hint) == (1, 6, "Write ':'.")


def test_chinese_punctuation_in_prose_comments_and_quotes_is_never_blamed(
    check: Check, head: str, task: Callable[..., str]
):
    prose = 'description: 收盘：“清理”，然后——\ntags: ["日线，周线"]  # 注意：全角，也行\ntimeout: soon'
    [problem] = check(head + task(prose))
    assert (problem.line, problem.message, problem.hint) == (9, "timeout must be a whole number, found 'soon'", "")
    [problem] = check(head + task("description: 收盘：清理\ntags: [a, b"))
    assert "U+" not in problem.message


def test_the_stock_codes_of_a_chinese_keyboard(tmp_path: Path):
    text = (
        "tasks:\n  - task_id: pull\n    task_type: data_sync\n    task_module: app.tasks.data_sync\n"
        "    task_function: sync_daily_stock_data\n    params: {{symbols: {}}}\n"
    )
    for written, code in {"[600519，000001]": "U+FF0C", "[“600519”]": "U+201C", "[600519、000001]": "U+3001"}.items():
        path = tmp_path / "tasks.yaml"
        path.write_text(text.format(written), encoding="utf-8")
        [problem] = check_task_file(path)
        assert (problem.line, problem.path) == (6, "tasks[0].params.symbols")
        assert code in problem.hint
