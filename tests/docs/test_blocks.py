"""Every code block of the documentation is run by the test that `blocks.yaml` names: some of them by these."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.blocks import DOCS, Block, block, blocks
from support.commands import Commands
from support.project import ROOT
from support.receivers import webhook

TESTS = ROOT / "tests"
#: What the reader types is written with comments in the page's own language.
_SHELL = ("console", "bash", "text", "pycon", "")
#: A page whose blocks are not all run says so, in these words.
_SAYS_SO = {"en": "not run by the tests", "zh": "测试不会运行"}


def pages() -> list[Path]:
    """Return the pages with blocks. A decision says what was so on its day."""
    found = [page for page in DOCS.rglob("*.md") if "decisions" not in page.parts]
    return [page for page in (*found, *ROOT.glob("*.md")) if "```" in page.read_text(encoding="utf-8")]


def named() -> dict[str, list[dict[str, str]]]:
    """Return page to how each of its blocks is tested: `run` or `checked`, to the test."""
    rows: dict[str, Any] = yaml.safe_load((TESTS / "docs" / "blocks.yaml").read_text(encoding="utf-8"))
    return {
        page: [row if isinstance(row, dict) else {"run": row} for row in ([told] if isinstance(told, str) else told)]
        for page, told in rows.items()
    }


NAMED = named()


def english(page: Path) -> Path:
    return (ROOT if page.parent == ROOT else DOCS) / page.name.replace(".zh-CN", "")


CHINESE = [page for page in pages() if page != english(page)]


def test_every_block_has_the_name_of_its_test() -> None:
    found = {page.name: len(blocks(page)) for page in pages() if page not in CHINESE}
    assert found.keys() == NAMED.keys()
    lists = {name: len(rows) for name, rows in NAMED.items() if len(rows) > 1}
    assert {name: found[name] for name in lists} == lists


@pytest.mark.parametrize("name", sorted({test for rows in NAMED.values() for row in rows for test in row.values()}))
def test_the_named_test_exists(name: str) -> None:
    file, _, function = name.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_a_page_says_which_of_its_blocks_are_not_run() -> None:
    some = {name for name, rows in NAMED.items() if any("checked" in row for row in rows)}
    for page in pages():
        language = "zh" if page in CHINESE else "en"
        text = " ".join(page.read_text(encoding="utf-8").split())
        missing = english(page).name in some and has_such(page)
        assert (_SAYS_SO[language] in text) == missing, page


def has_such(page: Path) -> bool:
    """Return whether a page, or the part of it that is in Chinese, has a block that is only checked."""
    rows = NAMED[english(page).name]
    checked = [one.text for one, row in zip(blocks(english(page)), rows, strict=True) if "checked" in row]
    return any(bare(one.text) in [bare(text) for text in checked] for one in blocks(page))


def bare(text: str) -> list[str]:
    """Return the lines of a block without its comments."""
    return [re.sub(r"\s*#.*", "", line) for line in text.splitlines()]


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_has_no_block_that_the_english_one_lacks(page: Path) -> None:
    theirs = [meant(one) for one in blocks(english(page))]
    assert [one.text for one in blocks(page) if meant(one) not in theirs] == []


def meant(block: Block) -> Any:
    """Return what a block means: without comments, and without the texts of functions."""
    if block.language in _SHELL:
        return bare(block.text)
    if block.language == "python":
        return without_texts(block.text)
    return yaml.safe_load(block.text) if block.language == "yaml" else block.text


def without_texts(code: str) -> str:
    """Return Python code without comments, docstrings and the words of f-strings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]
        if isinstance(node, ast.JoinedStr):
            node.values = [value for value in node.values if not isinstance(value, ast.Constant)]
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


@pytest.mark.slow
def test_the_example_of_the_task_file_runs(archived: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYSTOCKS_SOURCE")
    monkeypatch.setenv("MY_SOURCE", "recorded")
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-06-05T18:00:00+08:00")
    archived.folder.write("tasks.yaml", block("tasks-yaml.md", "yaml").text)
    assert archived("check").startswith("ok ")
    assert re.search(r"sync_bars +(partial_)?success", archived("run", "evening"))
    symbols = archived.json("data", "query", "SELECT DISTINCT symbol FROM daily_bars ORDER BY symbol")
    assert [row["symbol"] for row in symbols] == ["000001.SZ", "600000.SH"]


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
