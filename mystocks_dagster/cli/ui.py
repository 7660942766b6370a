"""ui: the web UI and the daemon, until Ctrl-C."""

from typing import Annotated

import typer

from mystocks_dagster.cli.printing import console
from mystocks_dagster.settings import Settings, demo_only, use_demo


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ui)


def ui(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; the next free one is taken when it is in use.")
    ] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Another one than loopback needs MYSTOCKS_API_TOKEN.")
    ] = "127.0.0.1",
) -> None:
    """Start the web UI (pages, REST, Dagster's own) and the daemon, say the address, and keep them running until Ctrl-C.

    Example: mystocks ui --port 3001
    """
    from mystocks_dagster.project.servers import serve

    if demo_only():
        use_demo()
        console.print(
            "Showing the [bold]demo[/]: its market is simulated. Real data: set MYSTOCKS_LAKE=data, or run a task first."
        )
    raise typer.Exit(serve(Settings.from_env(), host, port, lambda line: console.print(line, markup=False)))
