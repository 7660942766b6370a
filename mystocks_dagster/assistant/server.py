"""The MCP server over standard input and output."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, get_args, get_origin

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.types import ToolAnnotations
from pydantic import Field, ValidationError

from mystocks_dagster.assistant.market_tools import market_tools
from mystocks_dagster.assistant.run_tools import reading_tools, starting_tools
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.excerpts import suggest
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
    server = _Server(
        language, "mystocks", instructions=instructions, version=version("mystocks-dagster"), log_level="WARNING"
    )
    for tool in (*market_tools(project), *reading_tools(project)):
        _add(server, tool, ToolAnnotations(read_only_hint=True), language)
    if allow_start:
        for tool in starting_tools(project):
            _add(server, tool, ToolAnnotations(read_only_hint=False, destructive_hint=False), language)
    return server


class _Server(MCPServer):
    """A server whose errors are sentences in a language; it refuses arguments that its tools do not have."""

    def __init__(self, language: Language, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._language = language

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool.

        Raises:
            ToolError: There is no such tool or argument, a value is wrong, or the tool has said why it failed.
            UnexpectedToolError: The tool failed otherwise; the server's log says why.
        """
        parameters = {tool.name: tool.input_schema.get("properties", {}) for tool in await self.list_tools()}
        if name not in parameters:
            hint = suggest(name, parameters, allowed="The tools are")
            raise ToolError(translate(f"There is no tool {name!r}. {hint}", self._language))
        if unknown := [argument for argument in arguments if argument not in parameters[name]]:
            hint = suggest(unknown[0], parameters[name]) or "It takes no arguments."
            raise ToolError(translate(f"{name} takes no argument {unknown[0]!r}. {hint}", self._language))
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            raise type(error)(translate(_said(name, error), self._language)) from error.__cause__


def _said(name: str, error: ToolError) -> str:
    """Return why a tool failed, without the beginning that the protocol's library puts before it."""
    cause = error.__cause__
    if isinstance(error, UnexpectedToolError):
        return f"The tool {name} failed; the log of `mystocks mcp` says why."
    if isinstance(cause, ValidationError):
        faults = cause.errors(include_url=False)
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in faults).replace(
            "Value error, ", ""
        )
    return str(cause or error)


def _add(server: MCPServer, tool: Callable[..., Any], annotations: ToolAnnotations, language: Language) -> None:
    @functools.wraps(tool)
    def explained(*arguments: Any, **named: Any) -> Any:
        try:
            return tool(*arguments, **named)
        except MyStocksError as error:
            raise ToolError(str(error)) from None  # the server hides the texts of all other errors

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
