"""Data is printed as it is: brackets and colons in it are no colours, styles or pictures."""

from types import SimpleNamespace

import pytest
from support.commands import Commands

from mystocks_dagster.cli.printing import coloured, console, escape, print_checks, print_table
from mystocks_dagster.cli.runs import print_executions

NAME = "报表 [/] [demo] [red]x :fire: \\"


@pytest.fixture
def odd(cli: Commands) -> Commands:
    """A project whose task, group and description have brackets in their texts."""
    cli.folder.write(
        "tasks.yaml",
        f"""
        description: '{NAME}'
        defaults: {{task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data}}
        tasks:
          - task_id: odd
            task_name: '{NAME}'
            task_type: cron
            schedule: {{schedule_type: cron, cron_expression: "0 16 * * 1-5"}}
        task_groups:
          - {{group_id: group, group_name: '{NAME}', tasks: [odd]}}
        """,
    )
    return cli


@pytest.mark.parametrize("arguments", [("list",), ("stats",), ("show", "odd"), ("show", "group"), ("next",)], ids=lambda words: words[0])
def test_names_with_brackets_are_printed_as_they_are(odd: Commands, arguments: tuple[str, ...]) -> None:
    assert NAME in odd(*arguments)


def test_rows_and_headings_of_a_query_are_printed_as_they_are(cli: Commands) -> None:
    told = cli("data", "query", """SELECT '[/] :fire:' AS "[bold]a", [1, 2] AS b""")
    for text in ("[/] :fire:", "[bold]a", "[1, 2]"):
        assert text in told


def test_messages_of_errors_are_printed_as_they_are(odd: Commands) -> None:
    assert "'[/]'" in odd("show", "[/]", code=1)
    assert "[/]x" in odd("edit", "odd", "[/]x", code=2)


def test_what_is_escaped_may_end_with_a_backslash(capsys: pytest.CaptureFixture[str]) -> None:
    console.print(f"[red]{escape(NAME)}[/]|")
    assert capsys.readouterr().out == f"{NAME}|\n"


def test_a_status_keeps_its_colour_and_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("status", "rows"), [(coloured("failed"), 5), (coloured("success"), 12_000)])
    assert coloured("failed").style == "red"
    assert capsys.readouterr().out.splitlines() == ["status     rows", "failed        5", "success  12,000"]


def test_remarks_errors_and_checks_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    failed = SimpleNamespace(task_id="odd", status="failed", duration=1.5, result=None, error_message=NAME, execution_id="run:odd[1]")
    print_executions([failed])
    told = capsys.readouterr()
    assert NAME in told.out
    assert f"odd: {NAME}" in told.err
    assert "mystocks logs run:odd[1]" in told.err
    print_checks([SimpleNamespace(ok=False, name="disk", detail=NAME, remedy=NAME)])
    assert capsys.readouterr().out.count(NAME) == 2
