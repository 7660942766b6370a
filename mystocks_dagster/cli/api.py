"""api: the REST interface, until Ctrl-C."""

from typing import Annotated

import typer

from mystocks_dagster.cli.printing import console
from mystocks_dagster.settings import Settings, demo_only, use_demo


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(api)


def api(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Another one than loopback needs MYSTOCKS_API_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8888,
) -> None:
    """Serve REST and the page of all tasks alone, as `mystocks ui` does beside the rest. Starts need a daemon.

    Example: mystocks api --port 8888
    """
    from mystocks_dagster.api.server import serve

    if demo_only():
        use_demo()
        console.print(
            "Serving the [bold]demo[/]: its market is simulated. Real data: set MYSTOCKS_LAKE=data, or run a task first."
        )
    serve(Settings.from_env(), host, port, lambda line: console.print(line, markup=False))
