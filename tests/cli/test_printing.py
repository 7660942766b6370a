"""Data is printed as it is: brackets and colons in it are no colours, styles or pictures."""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from support.commands import Commands

from mystocks_dagster.cli.printing import Output, coloured, console, escape, print_checks
from mystocks_dagster.cli.run import print_executions
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.history import Execution

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


@pytest.mark.parametrize(
    "arguments", [("list",), ("stats",), ("show", "odd"), ("show", "group"), ("next",)], ids=lambda words: words[0]
)
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
    failed = Execution(task_id="odd", status="failed", duration=1.5, error_message=NAME, execution_id="run:odd[1]")
    print_executions([failed])
    told = capsys.readouterr()
    assert NAME in told.out
    assert f"odd: {NAME}" in told.err
    assert "mystocks logs run:odd[1]" in told.err
    print_checks([SimpleNamespace(ok=False, name="disk", detail=NAME, remedy=NAME)])
    assert capsys.readouterr().out.count(NAME) == 2


REMARK = (
    "699 trading days, 186,769 bars from simulated. Stock list: 272 stocks; 其中 3 只停牌，余下全部完整 and a long tail"
    " of words to wrap"
)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 140])
def test_a_result_keeps_status_rows_and_seconds_at_any_width(
    width: int, terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(width)
    done = [
        Execution(
            task_id="calc_technical_indicators",
            status="partial_success",
            duration=1234.5,
            result={"rows": {"daily_bars": 187_566}, "message": REMARK},
            execution_id="run:x",
        )
    ]
    print_executions(done)
    out = _plain(capsys.readouterr().out)
    lines = out.splitlines()
    if "status" in lines[0]:  # else a block of lines for each row, which the terminal itself wraps
        assert max(map(cell_len, lines)) <= width
    for text in ("partial_success", "187,566", "1,234.50"):
        assert text in out
    remark = re.sub(r"\s", "", "".join(line[_remark_column(out) :] for line in lines))
    remark = remark[remark.index(REMARK[:3]) :]
    assert re.sub(r"\s", "", REMARK).startswith(remark.removesuffix("…"))
    assert remark.endswith("…") or remark == re.sub(r"\s", "", REMARK)


def test_words_are_not_broken_and_a_long_remark_is_cut_after_three_lines(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(60)
    print_table(("task", "remark"), [("calc_technical_indicators", "sync_financial_data " * 9)])
    lines = _plain(capsys.readouterr().out).splitlines()
    assert len(lines) == 4
    assert lines[3].rstrip().endswith("…")
    assert {word.rstrip("…") for line in lines[1:] for word in line.split()} == {
        "calc_technical_indicators",
        "sync_financial_data",
    }


def test_columns_that_can_be_missed_are_left_out_and_named(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(40)
    print_table(("task", "type", "note"), [("a" * 20, "b" * 12, "c" * 12)], optional=("note", "type"))
    lines = _plain(capsys.readouterr().out).splitlines()
    assert lines[1].split() == ["a" * 20, "b" * 12]
    assert lines[2] == "Not shown in 40 columns: note"


def _plain(out: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", out)


def _remark_column(out: str) -> int:
    """Return where the remark begins: below its heading, or behind it where each row is a block."""
    heading = next(line for line in out.splitlines() if "remark" in line)
    return heading.index("remark") if heading.startswith("task") else heading.index(REMARK[:3])


def test_a_row_that_no_line_can_hold_is_a_block_of_lines(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(80)
    columns = [f"column_{number}" for number in range(15)]
    print_table(columns, [[number * 1000.5 for number in range(15)]] * 2)
    lines = _plain(capsys.readouterr().out).splitlines()
    assert len(lines) == 31
    assert lines[14] == "column_14  14,007.00"


def test_a_pipe_gets_one_line_a_row_whatever_its_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(("a", "b"), [("x" * 300, "y" * 300)])
    assert capsys.readouterr().out.splitlines()[1].split() == ["x" * 300, "y" * 300]


def test_a_pipe_keeps_to_the_width_that_COLUMNS_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_table(("task", "remark"), [("calc_technical_indicators", "sync_financial_data " * 9)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert max(map(cell_len, lines)) <= 60


def test_numbers_keep_the_digits_that_they_have(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ratio",), [(1e-05,), (0.125,), (12.0,), (1234.5678,), (2.5e-9,), (None,), (float("nan"),)])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()][1:] == [
        "0.00001",
        "0.125",
        "12.00",
        "1,234.5678",
        "2.5e-09",
        "",
        "nan",
    ]


def test_an_error_under_json_is_json_too(odd: Commands) -> None:
    cli = odd
    told = cli._run(("show", "nothing_of_that_name", "--json"), 1, "")
    error = json.loads(told.out)
    assert (error["success"], error["error"]) == (False, "UnknownName")
    assert "nothing_of_that_name" in error["message"]
    assert "Error:" in told.err
    cli.folder.write("tasks.yaml", "tasks: 5\n")
    error = json.loads(cli._run(("edit", "odd", "timeout=5", "--json"), 1, "").out)
    assert error["success"] is False
    assert [problem["line"] for problem in error["problems"]] == [1]


def test_the_groups_are_listed_as_json_when_asked_for(odd: Commands) -> None:
    assert [one["task_id"] for one in odd.json("list")] == ["odd"]
    assert [(one["group_id"], one["tasks"]) for one in odd.json("list", "--groups")] == [("group", ["odd"])]
    assert "group" in odd("list", "--groups")


def test_a_text_in_colour_that_ends_with_a_value_is_in_chinese(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    console.print("[dim]the project's files from /home/我的 项目[/]")
    console.print("[green]daily_job[/] [dim]x[/]")
    console.print("[dim]more: mystocks logs daily_job[/]")
    assert capsys.readouterr().out == "/home/我的 项目 中的项目文件\ndaily_job x\n详情：mystocks logs daily_job\n"


def test_data_cannot_steer_the_terminal(cli: Commands) -> None:
    told = cli("data", "query", "SELECT chr(27) || '[31mred' || chr(155) || chr(8238) AS a, chr(7) AS b")
    assert "␛[31mred\ufffd\ufffd" in told
    assert not re.search("[\x07\x1b\x9b\u202e]", told)


def test_a_tasks_name_cannot_steer_the_terminal(cli: Commands) -> None:
    cli.folder.write(
        "tasks.yaml",
        r"""
        tasks:
          - {task_id: odd, task_name: "\e]0;other\a报表", task_type: manual,
             task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data}
        """,
    )
    for arguments, code in ((("list",), 0), (("show", "odd"), 1), (("check",), 1)):
        assert not re.search("[\x07\x1b]", cli(*arguments, code=code))


def test_what_the_program_itself_colours_stays_coloured() -> None:
    terminal = Output(force_terminal=True, color_system="standard")
    with terminal.capture() as printed:
        terminal.print("[red]failed[/]", end="")
    assert printed.get() == "\x1b[31mfailed\x1b[0m"
