"""api: the REST interface, until Ctrl-C."""

from typing import Annotated

import typer

from mystocks_dagster.cli.printing import console, translate
from mystocks_dagster.cli.ui import use_demo_if_only_lake
from mystocks_dagster.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(api)


def api(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Addresses other than loopback need MYSTOCKS_API_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8888,
) -> None:
    """Serve only REST and the pages, which `mystocks ui` includes. Starting a task needs a running daemon.

    Example: mystocks api --port 8888
    """
    from mystocks_dagster.api.server import serve
    from mystocks_dagster.processes.log_lines import reporter

    use_demo_if_only_lake()
    settings = Settings.from_env()
    report = reporter(lambda line: console.print(translate(line), markup=False), as_json=settings.log_json)
    serve(settings, host, port, report)
