"""The `mystocks` command: parses, asks the service, prints; every expected error ends here as one line."""

import sys
from functools import cache

import typer

from mystocks_dagster.cli.printing import errors
from mystocks_dagster.errors import MyStocksError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="China A-share data and indicators, kept fresh by the tasks in tasks.yaml and run by Dagster.",
)


@app.callback()
def options(
    demo: bool = typer.Option(False, "--demo", help="Use the demo's lake and its simulated market."),
) -> None:
    """Options of every command."""
    if demo:
        from mystocks_dagster.settings import use_demo

        use_demo()


@cache
def register_all() -> None:
    """Add every command, once."""
    from mystocks_dagster.cli import alerts, backfill, data, demo, edits, files, history, runs, stopping, switches, ui, upcoming

    for module in (files, runs, history, stopping, upcoming, switches, edits, backfill, data, alerts, demo, ui):
        module.register(app)


def main() -> None:
    """Run the command line; an expected error becomes one message and exit code 1."""
    register_all()
    try:
        app()
    except MyStocksError as error:
        errors.print(f"[red]Error:[/] {_escaped(str(error))}")
        sys.exit(1)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


if __name__ == "__main__":
    main()
