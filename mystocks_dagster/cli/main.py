"""The `mystocks` command: parses, asks the service, prints; every expected error ends here as one line."""

import sys
from functools import cache

import typer

from mystocks_dagster.cli.printing import console, errors, escape, print_json
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.lean import collect_rarely

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="China A-share data and indicators, kept fresh by the tasks in tasks.yaml and run by Dagster.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.print(f"mystocks {version('mystocks-dagster')}")
        raise typer.Exit


@app.callback()
def options(
    _shown: bool = typer.Option(False, "--version", is_eager=True, callback=_version, help="Print the version and end."),
    demo: bool = typer.Option(False, "--demo", help="Use the demo's lake and its simulated market."),
) -> None:
    """Options of every command."""
    if demo:
        from mystocks_dagster.settings import use_demo

        use_demo()


@cache
def register_all() -> None:
    """Add every command, once."""
    from mystocks_dagster.cli import (
        alerts,
        api,
        backfill,
        calendar,
        data,
        demo,
        doctor,
        edits,
        files,
        health,
        history,
        logs,
        runs,
        service,
        stopping,
        switches,
        ui,
        upcoming,
    )

    looking = (files, runs, history, logs, stopping, upcoming, switches, edits, backfill, calendar, data, alerts, health, doctor)
    for module in (*looking, demo, ui, api, service):
        module.register(app)


def main() -> None:
    """Run the command line; an expected error becomes one message and exit code 1."""
    collect_rarely()
    register_all()
    try:
        app()
    except MyStocksError as error:
        errors.print(f"[red]Error:[/] {escape(str(error))}")
        if "--json" in sys.argv[1:]:
            print_json(error.to_json())
        sys.exit(1)


if __name__ == "__main__":
    main()
