"""Every code block of the documentation is run by a test: here, or by the test that the table names."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml
from docs.test_tutorial import Block, blocks
from support.commands import Commands
from support.project import ROOT
from support.receivers import webhook

DOCS = ROOT / "docs"
#: A page with code blocks to the test that runs them; each Chinese page has the blocks of the English one.
RUN_BY = {
    "alerts.md": "docs/test_blocks.py",
    "assistants.md": "docs/test_blocks.py",
    "backtests.md": "docs/test_blocks.py",
    "bootstrap.md": "cli/test_bootstrap.py",
    "calendar.md": "docs/test_blocks.py",
    "cli.md": "daemon/test_examples.py",
    "dagster.md": "daemon/test_dagster_cli.py",
    "datasets.md": "docs/test_datasets.py",
    "formulas.md": "market/formulas/test_docs.py",
    "graphql.md": "live/test_graphql.py",
    "how-to.md": "docs/test_tutorial.py",
    "index.md": "daemon/test_demo.py",
    "indicators.md": "docs/test_blocks.py",
    "kubernetes.md": "docs/test_kubernetes.py",
    "lake.md": "lake/test_docs.py",
    "machines.md": "daemon/test_two_machines.py",
    "operation.md": "docs/test_container.py",
    "own-project.md": "docs/test_release.py",
    "python.md": "live/test_seed.py",
    "rest.md": "live/test_seed.py",
    "security.md": "live/test_tls.py",
    "sources.md": "docs/test_blocks.py",
    "strategies.md": "docs/test_blocks.py",
    "tasks-yaml.md": "docs/test_blocks.py",
    "troubleshooting.md": "docs/test_pages.py",
    "tutorial.md": "docs/test_tutorial.py",
    "web.md": "cli/test_service.py",
}
#: What is installed on many machines is written for the reader's own names, in each language with its own comments.
_SHELL = ("console", "bash", "text", "")
#: What other programs read is the same in each language.
_DATA = ("csv", "graphql", "json")


def pages() -> list[Path]:
    found = [page for page in DOCS.rglob("*.md") if "decisions" not in page.parts]
    return [page for page in found if "```" in page.read_text(encoding="utf-8")]


def english(page: Path) -> Path:
    return DOCS / page.name.replace(".zh-CN", "")


def block(page: str, language: str, number: int = 0) -> Block:
    return [one for one in blocks(DOCS / page) if one.language == language][number]


def test_every_page_with_blocks_names_the_test_that_runs_them() -> None:
    assert {english(page).name for page in pages()} == RUN_BY.keys()
    assert [test for test in RUN_BY.values() if not (ROOT / "tests" / test).exists()] == []


@pytest.mark.parametrize("page", [page for page in pages() if page != english(page)], ids=lambda page: page.name)
def test_a_chinese_page_has_no_block_that_the_english_one_lacks(page: Path) -> None:
    def typed(path: Path) -> list[list[str]]:
        shell = [one for one in blocks(path) if one.language in _SHELL]
        return [[re.sub(r"\s+#.*", "", line) for line in one.lines] for one in shell]

    theirs = typed(english(page))
    assert [lines for lines in typed(page) if lines not in theirs] == []


@pytest.mark.parametrize("page", [page for page in pages() if page != english(page)], ids=lambda page: page.name)
def test_the_data_and_the_python_of_a_chinese_page_are_those_of_the_english_one(page: Path) -> None:
    """But for comments and the texts of functions."""

    def meant(path: Path) -> list[str]:
        data = [one.text for one in blocks(path) if one.language in _DATA]
        return data + [without_texts(one.text) for one in blocks(path) if one.language == "python"]

    theirs = meant(english(page))
    assert [text for text in meant(page) if text not in theirs] == []


def without_texts(code: str) -> str:
    """Return Python code without comments and docstrings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    return ast.unparse(tree)


def test_the_channels_and_expectations_of_the_page_on_alerts_are_valid(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = block("alerts.md", "yaml").text
    for name in re.findall(r"\$\{(\w+)\}", text):
        monkeypatch.setenv(name, "693a91f6")
    shipped = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
    cli.folder.write("tasks.yaml", f"{text}\n{shipped}")
    assert cli("check").startswith("ok ")
    told = cli("alerts", "list")
    assert "by 18:30: daily_bars" in told
    assert "by 19:00: calc_strategy_signals" in told
    assert "693a91f6" not in told


def test_the_commands_of_the_page_on_alerts_send_and_list_a_message(cli: Commands) -> None:
    with webhook() as hook:
        settings = yaml.safe_load(block("alerts.md", "yaml").text)
        settings["alerts"]["urls"] = [hook.url]
        shipped = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
        cli.folder.write("tasks.yaml", f"{yaml.safe_dump(settings)}\n{shipped}")
        test, listed, history = (line.split()[1:] for line in block("alerts.md", "console").lines)
        assert f"ok {hook.url}" in cli(*test)
        assert hook.titles == ["🔔 MyStocks 测试消息"]
        assert hook.url in cli(*listed)
        assert cli(*history).strip()


def test_the_configuration_of_an_assistant_names_the_command_that_lists_the_tools(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    (server,) = json.loads(block("assistants.md", "json").text)["mcpServers"].values()
    assert server["command"] == "mystocks"
    named = re.findall(r"`(\w+)`(?=.*\|)", (DOCS / "assistants.md").read_text(encoding="utf-8"))
    assert set(cli(*server["args"], "--list").split()) == set(named)


@pytest.mark.parametrize(
    ("page", "number"),
    [
        ("backtests.md", 0),
        ("zh/backtests.md", 0),
        ("strategies.md", 0),
        ("indicators.md", 1),
        ("indicators.md", 0),
        ("zh/indicators.md", 1),
        ("zh/indicators.md", 0),
    ],
)
def test_the_entries_of_a_page_are_valid(cli: Commands, page: str, number: int) -> None:
    cli.folder.write("formulas/trend.txt", "UP:C>MA(C,20);")
    cli.folder.write("formulas/slow.txt", "INPUT: N(60,5,250);\nSLOW:MA(C,N);")
    found = yaml.safe_load(block(page, "yaml", number).text)
    if isinstance(found, dict):  # the params of a task
        task = {"task_id": "own", "task_type": "indicator_calc", "task_function": "calculate_technical_indicators"}
        found = [{**task, "task_module": "mystocks_dagster.tasks.indicators", **found}]
    cli.folder.write("tasks.yaml", yaml.safe_dump({"tasks": found}, allow_unicode=True))
    assert cli("check").startswith("ok ")


def test_the_example_of_the_task_file_is_valid(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", block("tasks-yaml.md", "yaml").text)
    assert cli("check").startswith("ok ")


@pytest.mark.parametrize(("number", "last"), [(0, "2027-01-05"), (1, "2027-01-04"), (2, "2027-12-31")])
def test_each_calendar_file_of_the_page_is_read(cli: Commands, number: int, last: str) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    (cli.folder.root / "trading_calendar.csv").write_text(block("calendar.md", "text", number).text, encoding="utf-8")
    assert f"trading days are known until {last}" in cli(*block("calendar.md", "console").lines[0].split()[1:])


@pytest.mark.slow
def test_the_archive_of_the_page_on_sources_is_loaded(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    for number, table in enumerate(("daily_bars", "corporate_actions")):
        cli.folder.write(f"archive/{table}.csv", block("sources.md", "csv", number).text)
    monkeypatch.setenv("MYSTOCKS_RECORDED", "archive")
    monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded")
    cli("run", "daily_data_sync", "-p", "include_basic=false")
    stored = cli.json("data", "query", "SELECT date, close, suspended FROM daily_bars ORDER BY date")
    assert [(row["close"], row["suspended"]) for row in stored] == [(10.0, False), (9.7, False), (9.7, True)]


@pytest.mark.slow
def test_the_strategy_and_the_indicator_of_the_page_are_found(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    new = block("strategies.md", "console").lines[0].split()[1:]
    cli(*new)
    cli.folder.write("strategies/my_breakout.py", block("strategies.md", "python").text)
    assert "my_breakout" in cli("strategies", "show", "my_breakout")
    cli.folder.write("indicators/flow.py", block("strategies.md", "python", 1).text)
    cli("edit", "calc_technical_indicators", "params.indicators=[flow]")
    assert cli("check").startswith("ok ")
