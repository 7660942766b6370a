"""The MCP server over standard input and output."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, get_args, get_origin

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from mystocks_dagster.assistant.market_tools import market_tools
from mystocks_dagster.assistant.run_tools import reading_tools, starting_tools
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Language
from mystocks_dagster.taskfile.signature import signature
from mystocks_dagster.texts.catalogue import translate
from mystocks_dagster.texts.declarations import declared

#: What an assistant reads first.
INSTRUCTIONS = (
    "China A-share data of one project: its lake of Delta tables, and the tasks that fill it. Prices are in CNY, times "
    "in Asia/Shanghai, volumes in shares. Find a symbol with search_symbol first. A missing value is null, never zero."
)


def make_server(project: Callable[[], Project], *, allow_start: bool = False, language: Language = "en") -> MCPServer:
    """Return the server; without `allow_start` no tool changes anything.

    Args:
        project: Returns the project with the current task file.
        allow_start: Whether the tools that start runs are offered.
        language: Language of the tools' descriptions and errors; names and answers are the same in both.
    """
    instructions = declared(INSTRUCTIONS, language)
    server = MCPServer("mystocks", instructions=instructions, version=version("mystocks-dagster"), log_level="WARNING")
    for tool in (*market_tools(project), *reading_tools(project)):
        _add(server, tool, ToolAnnotations(read_only_hint=True), language)
    if allow_start:
        for tool in starting_tools(project):
            _add(server, tool, ToolAnnotations(read_only_hint=False, destructive_hint=False), language)
    return server


def _add(server: MCPServer, tool: Callable[..., Any], annotations: ToolAnnotations, language: Language) -> None:
    @functools.wraps(tool)
    def explained(*arguments: Any, **named: Any) -> Any:
        try:
            return tool(*arguments, **named)
        except MyStocksError as error:
            text = translate(str(error), language)
            raise ToolError(text) from None  # the server hides the texts of all other errors

    explained.__signature__ = _signature(tool, language)  # ty: ignore[missing-attribute]
    description = declared(inspect.getdoc(tool) or "", language)
    server.tool(description=description, annotations=annotations, structured_output=False)(explained)


def _signature(tool: Callable[..., Any], language: Language) -> inspect.Signature:
    """Return the signature of a tool with the descriptions of its parameters in a language."""
    own = signature(tool)
    parameters = [
        parameter.replace(annotation=_described(parameter.annotation, language))
        for parameter in own.parameters.values()
    ]
    return own.replace(parameters=parameters)


def _described(annotation: Any, language: Language) -> Any:
    texts = [text for part in get_args(annotation)[1:] if (text := getattr(part, "description", None))]
    if get_origin(annotation) is not Annotated or not texts:
        return annotation
    return Annotated[annotation, Field(description=declared(texts[-1], language))]  # the last description counts


def tool_names(server: MCPServer) -> list[str]:
    """Return the names of the server's tools."""
    return [tool.name for tool in asyncio.run(server.list_tools())]
