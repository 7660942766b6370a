"""An assistant asks the project's MCP server through the protocol's official client."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from support.project import Folder
from support.small_market import small_lake

from mystocks_dagster.assistant.server import make_server
from mystocks_dagster.project.access import ASSISTANT
from mystocks_dagster.project.project_cache import ProjectCache
from mystocks_dagster.settings import Language, Settings

TASKS = """
    task_packages: [own]
    tasks:
      - {task_id: load, task_name: 装载, task_type: data_sync, task_module: own, task_function: load}
"""
OWN = """
    def load(params):
        raise ValueError("the vendor's file is empty")
"""


@pytest.fixture
def projects(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectCache]:
    folder.write("tasks.yaml", TASKS)
    folder.write("own.py", OWN)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    small_lake(folder.root / "data")
    return ProjectCache(Settings.from_env())


def ask(
    projects: ProjectCache, tool: str, *, allow_start: bool = False, language: Language = "en", **arguments: Any
) -> Any:
    """Return the answer of a tool; an error's text if it failed."""

    async def call() -> Any:
        server = make_server(lambda: projects.project(ASSISTANT), allow_start=allow_start, language=language)
        async with Client(server) as client:
            result = await client.call_tool(tool, arguments)
            texts = [part.text for part in result.content]  # ty: ignore
            return " ".join(texts) if result.is_error else [json.loads(text) for text in texts]

    return anyio.run(call)


def names(projects: ProjectCache, *, allow_start: bool) -> set[str]:
    async def call() -> set[str]:
        async with Client(make_server(lambda: projects.project(ASSISTANT), allow_start=allow_start)) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    return anyio.run(call)


def test_nothing_can_be_started_unless_it_was_allowed(projects: ProjectCache) -> None:
    reading = names(projects, allow_start=False)
    assert {"search_symbol", "bars", "executions", "explain_failure"} <= reading
    assert names(projects, allow_start=True) - reading == {"start", "fill"}
    assert "There is no tool 'start'" in str(ask_unknown(projects))


def ask_unknown(projects: ProjectCache) -> Any:
    try:
        return ask(projects, "start", name="load")
    except Exception as error:  # the client raises what the server refuses
        return error


def test_a_symbol_is_found_and_its_bars_are_those_of_the_lake(projects: ProjectCache) -> None:
    (found,) = ask(projects, "search_symbol", text="gzmt")
    assert found["symbol"] == "600519.SH"
    (answer,) = ask(projects, "bars", symbol="600519", adjustment="none")
    assert [(row["date"], row["close"]) for row in answer["rows"]] == [("2026-11-20", 10.0), ("2026-11-23", 11.0)]


def test_my_screen_is_of_weekly_bars_where_i_ask_for_them(projects: ProjectCache) -> None:
    (answer,) = ask(projects, "screen", formula="C>0", period="weekly")
    assert (answer["period"], answer["day"]) == ("weekly", "2026-11-23")
    assert "period: Input should be 'daily'" in ask(projects, "screen", formula="C>0", period="hourly")


@pytest.mark.slow
def test_a_question_in_sql_is_answered_and_a_change_is_refused(projects: ProjectCache) -> None:
    (answer,) = ask(projects, "query", sql="SELECT count(*) AS n FROM daily_bars")
    assert answer == {"rows": [{"n": 6}], "row_count": 1}
    assert "read-only" in ask(projects, "query", sql="DELETE FROM daily_bars")


def test_what_the_lake_does_not_know_is_said_in_a_sentence(projects: ProjectCache) -> None:
    assert "600000.SH" in ask(projects, "bars", symbol="600000.SH")
    assert "not a stock code" in ask(projects, "bars", symbol="茅台")


def test_a_task_without_a_failure_has_none_to_explain(projects: ProjectCache) -> None:
    assert ask(projects, "explain_failure", name="load") == [{"message": "load has no failed execution."}]
    assert "load" in ask(projects, "explain_failure", name="lod")


def test_a_chinese_terminal_has_the_tools_described_in_chinese(projects: ProjectCache) -> None:
    async def call() -> tuple[str | None, dict[str, Any], str]:
        server = make_server(lambda: projects.project(ASSISTANT), allow_start=True, language="zh")
        async with Client(server) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            refused = await client.call_tool("bars", {"symbol": "茅台"})
            chinese = [tool for tool in tools.values() if re.search("[\u4e00-\u9fff]{2}", tool.description or "")]
            assert len(chinese) == len(tools)
            return tools["bars"].description, tools["bars"].input_schema["properties"], refused.content[0].text  # ty: ignore

    description, parameters, refused = anyio.run(call)
    assert (description or "").startswith("返回股票、指数或基金的 K 线")
    assert parameters["symbol"]["description"] == "证券代码，写法不限：600519、sh600519、600519.SH。"
    assert parameters["rows"]["description"] == "最多返回的行数，取最新的。"
    assert (parameters["rows"]["maximum"], parameters["rows"]["default"]) == (500, 60)
    assert "不是" in refused


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("bars", {"symbol": "600519", "rows": 10**9}, "rows: 应不大于 500"),
        ("bars", {"symbol": "600519", "period": "hourly"}, "period: 应为 'daily'"),
        ("bars", {"symbol": "600519", "end": "昨天"}, "end: '昨天' 不是日期"),
        ("bars", {}, "symbol: 缺少"),
        ("indicators", {"symbol": "600519", "names": []}, "names: 至少要有 1 项"),
        ("indicators", {"symbol": "600519", "names": ["NOPE"]}, "没有指标 'NOPE'"),
        ("executions", {"status": "fine"}, "status: 应为 'pending'"),
        ("data_gaps", {"table": "daily_bars"}, "data_gaps 不接受参数 'table'。是不是 'tables'？"),
        ("health", {"wide": True}, "health 不接受参数 'wide'。不接受参数。"),
        ("bar", {}, "没有工具 'bar'。是不是 'bars'？"),
    ],
)
def test_who_works_in_chinese_is_told_each_error_in_chinese(
    projects: ProjectCache, tool: str, arguments: dict[str, Any], told: str
) -> None:
    answer = ask(projects, tool, language="zh", **arguments)
    assert answer.startswith(told)
    assert not re.search(r"Error executing|pydantic|[a-z]{2,} [a-z]{2,} [a-z]{2,}", answer)


@pytest.mark.slow
def test_over_standard_input_and_output_a_failure_is_explained(projects: ProjectCache, folder: Folder) -> None:
    folder.mystocks("run", "load", code=1)

    async def call() -> str:
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "mystocks_dagster.cli.main", "mcp"],
            env=folder.environment,
            cwd=str(folder.root),
        )
        async with Client(stdio_client(command)) as client:
            return (await client.call_tool("explain_failure", {"name": "load"})).content[0].text  # ty: ignore

    answer = json.loads(anyio.run(call))
    assert "the vendor's file is empty" in answer["execution"]["error_message"]
    assert any("the vendor's file is empty" in line for line in answer["log"])
