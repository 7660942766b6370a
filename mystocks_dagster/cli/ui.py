"""ui: the web UI and the daemon, until Ctrl-C."""

from typing import Annotated

import typer

from mystocks_dagster.cli.printing import console, translate
from mystocks_dagster.settings import Settings, demo_only, use_demo


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ui)


def ui(
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port to listen on; if it is in use, the next free one; 0 picks any free."),
    ] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Addresses other than loopback need MYSTOCKS_API_TOKEN.")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open", help="Open the browser when the pages answer.")] = False,
) -> None:
    """Start the web UI (pages, REST, Dagster's own) and the daemon, print the address, and run until Ctrl-C.

    Example: mystocks ui --port 3001 --open
    """
    from mystocks_dagster.processes.log_lines import reporter
    from mystocks_dagster.project.servers import serve

    use_demo_if_only_lake()
    settings = Settings.from_env()
    report = reporter(lambda line: console.print(translate(line), markup=False), as_json=settings.log_json)
    ready = [_open] if open_browser else []
    raise typer.Exit(serve(settings, host, port, report, *ready))


def _open(address: str) -> None:
    """Open the browser of this machine; where there is none, the printed address is enough."""
    import webbrowser

    if not webbrowser.open(address):
        console.print("[yellow]No browser was found.[/] Open the address above by hand.")


def use_demo_if_only_lake() -> None:
    """Serve the demo, and print so, if the project has no other lake yet."""
    if demo_only():
        use_demo()
        console.print(
            "Serving the [bold]demo[/], a simulated market. For real data set MYSTOCKS_LAKE=data, or run a task first."
        )
