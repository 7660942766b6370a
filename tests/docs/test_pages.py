"""The generated page of commands is in step, and what the troubleshooting pages tell people to type can be typed."""

import functools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from support.project import ROOT
from typer.main import get_command

from mystocks_dagster.cli import reference
from mystocks_dagster.cli.main import app
from mystocks_dagster.market.checks import checks_of
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.taskfile.secrets import is_secret

DOCS = ROOT / "docs"
TROUBLE = (DOCS / "troubleshooting.md", DOCS / "troubleshooting.zh-CN.md")
#: The changelog names families of commands, `mystocks a | b`.
PAGES = [
    *(page for page in sorted(ROOT.glob("*.md")) if page.name != "CHANGELOG.md"),
    ROOT / "tests" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
#: What the seed's chapter on trouble names, and what users of such systems meet most: the heading in English and in
#: Chinese.
PROBLEMS = {
    "where to look": ("Where do I look", "到哪里看"),
    "logs": ("Read the logs", "查看日志"),
    "a failed task": ("A task failed", "任务执行失败"),
    "a timeout": ("A task timed out", "任务超时"),
    "the scheduler does nothing": ("Schedules do not fire", "调度器不工作"),
    "the web UI does not start": (
        "The web UI or the daemon does not start, or ends",
        "网页或守护进程无法启动，或中途退出",
    ),
    "memory or disk": ("Memory or disk grows", "内存或磁盘持续增长"),
    "a ban": ("An upstream bans this address", "上游封禁了本机地址"),
    "partial data": ("The run is green and data are missing", "运行成功但数据不全"),
    "holidays": ("Holidays and the end of the calendar", "节假日与日历的末尾"),
    "ex-dividend days": ("Prices jump at an ex-dividend day", "除权除息日价格跳变"),
    "an unknown ratio": ("Nothing is computed of a symbol from some day on", "某只股票从某天起不再计算"),
    "bad answers": ("An upstream's answer is cut, stale or wrong", "上游返回的数据被截断、过期或错误"),
    "akshare changed": ("akshare's columns changed", "akshare 的列变了"),
    "past days": ("Past trading days are missing", "缺少过去的交易日"),
    "bootstrap": ("A bootstrap stops or loads less than expected", "bootstrap 中断或装载不全"),
    "late data": ("Data come later in the day", "数据要晚些才有"),
    "codes of stocks": ("A symbol is unknown or has another code", "找不到股票代码或代码变了"),
    "weekdays": ("It runs on the wrong weekday", "星期几不对"),
    "a refused file": ("The task file is refused", "任务文件被拒绝"),
    "missing tasks": ("Tasks are missing after an edit", "修改后任务不见了"),
    "a refused clean-up path": ("A clean-up path is refused", "清理路径被拒绝"),
    "a refused export": ("An export is refused", "导出被拒绝"),
    "an edit without effect": ("An edit has no effect", "修改没有生效"),
    "a trial": ("Try a change before it counts", "先试后改"),
    "precedence": ("Which value counts", "哪个值算数"),
    "secrets": ("Secrets and variables", "密钥与变量"),
    "missed starts": ("A start was missed while the machine was down", "机器停机时错过了执行"),
    "retries": ("Too many retries or none", "重试太多或没有重试"),
    "a damaged table": ("A table is damaged, or a file of the lake is missing", "表损坏，或数据湖中缺文件"),
    "a folder's name": ("The name of a folder cannot be used", "目录名不可用"),
    "a switched-off schedule": ("A schedule is there and off", "调度存在但没有开启"),
    "no message": ("No alert was sent", "没有收到告警"),
    "locks": ("The database is locked, or two runs write one table", "数据库被锁，或两个运行写同一张表"),
    "a stuck run": ("A run stays started, or the queue does not move", "运行一直显示已开始，或队列不动"),
    "priority": ("Urgent work waits behind other work", "紧急任务排在后面"),
    "an open UI": ("The web UI is open to others", "网页对外开放"),
}


def typed(page: Path) -> list[str]:
    """Return the `mystocks …` lines and inline commands of a page, without comments and placeholders."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"```console\n(.*?)```", text, re.S)
        for line in re.findall(r"^\$ (mystocks .*)$", block, re.M)
    ]
    inline = re.findall(r"`(mystocks [^`…]*)`", text)
    return [
        re.sub(r"\s{2,}#.*|<[^>]*>", lambda match: "X" if match[0][0] == "<" else "", command).strip()
        for command in (*lines, *inline)
    ]


@functools.cache
def known_commands() -> dict[str, Any]:
    """Return every command by its words, such as `data tables`."""
    known = dict(reference.commands())
    known["alerts"] = get_command(app).commands["alerts"]  # type: ignore[attr-defined]  # a command and a group
    return known


def check_typed(command: str) -> None:
    """Parse a command as the shell and the command line would; nothing is run."""
    words = shlex.split(command)[1:]
    words = [word for word in words if word != "--demo"]
    known = known_commands()
    if words and words[0] in ("--version", "--install-completion", "--help"):
        return
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
    assert name, f"{command}: there is no such command"
    click_command: Any = known[name]
    context = click_command.context_class(click_command, info_name=name)
    given, rest, _ = click_command.make_parser(context).parse_args(args=words[len(name.split()) :])
    assert not rest, f"{command}: {rest} is too much"
    assert set(given) <= {parameter.name for parameter in click_command.params}


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), [(page.name, command) for page in PAGES for command in typed(page)])
def test_every_command_that_a_page_names_can_be_typed(page: str, command: str) -> None:
    check_typed(command)


def test_every_command_of_a_checks_remedy_can_be_typed() -> None:
    remedies = {check.remedy for table in TABLES.values() for check in checks_of(table)}
    days = {"first": "2024-01-02", "last": "2024-01-03"}
    commands = {
        command.format(table="daily_bars", task="daily_data_sync", **days)
        for remedy in remedies
        for command in re.findall(r"mystocks [^:;,]*?(?=[.,;]?(?: [A-Z]|$))", remedy)
    }
    assert len(commands) > 8
    for command in sorted(commands):
        check_typed(command)


def sections(page: Path) -> list[tuple[list[str], int]]:
    """Return, for each section, the commands in it and the number of its list items."""
    parts = page.read_text(encoding="utf-8").split("\n## ")[1:]
    return [(sorted(re.findall(r"mystocks [a-z]+", part)), len(re.findall(r"^\d\. ", part, re.M))) for part in parts]


def test_both_troubleshooting_pages_have_the_same_sections_with_the_same_commands() -> None:
    english, chinese = map(sections, TROUBLE)
    assert len(english) == len(chinese) > 25
    assert english == chinese


def test_every_known_problem_has_its_section_in_both_languages() -> None:
    for language, page in enumerate(TROUBLE):
        headings = re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.M)
        assert headings == [heading[language] for heading in PROBLEMS.values()]


@pytest.mark.parametrize(
    ("problem", "remedies"),
    [
        ("no message", ["`mystocks alerts`", "`mystocks alerts test`", "(alerts.md)"]),
        ("past days", ["`mystocks backfill`", "$ mystocks backfill daily_data_sync --from"]),
    ],
)
def test_a_section_names_the_commands_that_help(problem: str, remedies: list[str]) -> None:
    for page, heading in zip(TROUBLE, PROBLEMS[problem], strict=True):
        section = page.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
        assert all(remedy in section for remedy in remedies), page.name


def test_the_section_on_secrets_says_which_names_are_masked() -> None:
    for page in TROUBLE:
        names = re.search(r"`(password)`.*?`credentials`", page.read_text(encoding="utf-8"), re.S)
        assert names
        assert all(is_secret(name) for name in re.findall(r"`(\w+)`", names[0]))
    assert not is_secret("key")


def test_the_page_of_commands_is_in_step() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), (
        "run: python -m mystocks_dagster.cli.reference"
    )


@pytest.mark.parametrize("command", ["mystocks no_such", "mystocks logs a b", "mystocks check --nothing"])
def test_what_cannot_be_typed_is_noticed(command: str) -> None:
    with pytest.raises(Exception, match=r"no such|too much|No such option"):
        check_typed(command)
