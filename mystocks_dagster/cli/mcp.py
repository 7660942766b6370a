"""mcp: serve the project's data and runs to an assistant."""

from typing import Annotated

import typer

from mystocks_dagster.gc_tuning import tune_server_gc
from mystocks_dagster.settings import Settings, terminal_language


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(mcp)


def mcp(
    allow_start: Annotated[
        bool, typer.Option("--allow-start", help="Also offer the tools that start runs and fill missing days.")
    ] = False,
    list_tools: Annotated[bool, typer.Option("--list", help="Print the names of the tools and exit.")] = False,
) -> None:
    """Serve the Model Context Protocol on standard input and output, for assistants that start this command.

    The tools read the lake and the history: search, bars, indicators, a day's market, gaps, SQL, tasks, executions,
    logs, and why a task failed. Nothing can be changed without --allow-start.

    Example: mystocks mcp --list
    """
    from mystocks_dagster.assistant.server import make_server, tool_names
    from mystocks_dagster.project.access import ASSISTANT
    from mystocks_dagster.project.project_cache import ProjectCache

    projects = ProjectCache(Settings.from_env())
    server = make_server(lambda: projects.project(ASSISTANT), allow_start=allow_start, language=terminal_language())
    if list_tools:
        for name in tool_names(server):
            typer.echo(name)
        return
    tune_server_gc()
    server.run("stdio")
