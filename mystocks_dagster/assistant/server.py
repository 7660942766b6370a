"""The MCP server over standard input and output."""

import asyncio
import functools
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from mystocks_dagster.assistant.market_tools import market_tools
from mystocks_dagster.assistant.run_tools import reading_tools, starting_tools
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.project.project import Project

_INSTRUCTIONS = (
    "China A-share data of one project: its lake of Delta tables, and the tasks that fill it. Prices are in CNY, times "
    "in Asia/Shanghai, volumes in shares. Find a symbol with search_symbol first. A missing value is null, never zero."
)


def make_server(project: Callable[[], Project], *, allow_start: bool = False) -> MCPServer:
    """Return the server; without `allow_start` no tool changes anything.

    Args:
        project: Returns the project with the current task file.
        allow_start: Whether the tools that start runs are offered.
    """
    server = MCPServer("mystocks", instructions=_INSTRUCTIONS, version=version("mystocks-dagster"), log_level="WARNING")
    for tool in (*market_tools(project), *reading_tools(project)):
        _add(server, tool, ToolAnnotations(read_only_hint=True))
    if allow_start:
        for tool in starting_tools(project):
            _add(server, tool, ToolAnnotations(read_only_hint=False, destructive_hint=False))
    return server


def _add(server: MCPServer, tool: Callable[..., Any], annotations: ToolAnnotations) -> None:
    @functools.wraps(tool)
    def explained(*arguments: Any, **named: Any) -> Any:
        try:
            return tool(*arguments, **named)
        except MyStocksError as error:
            raise ToolError(str(error)) from None  # the server hides the texts of all other errors

    server.tool(annotations=annotations, structured_output=False)(explained)


def tool_names(server: MCPServer) -> list[str]:
    """Return the names of the server's tools."""
    return [tool.name for tool in asyncio.run(server.list_tools())]
