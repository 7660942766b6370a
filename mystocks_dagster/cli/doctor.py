"""doctor: check whether this machine can run the project."""

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_checks, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(json: Json = False) -> None:
    """Check what the project needs on this machine: Python, time, database, daemon, sources, disk, permissions.

    The exit code is 1 if a check fails.

    Example: mystocks doctor
    """
    checks = open_project().doctor()
    failed = [check for check in checks if not check.ok]
    if json:
        print_json([check.to_json() for check in checks])
    else:
        print_checks(checks)
        number = len(checks)
        console.print(f"[red]{len(failed)} of {number} failed[/]" if failed else f"[green]all {number} passed[/]")
    raise typer.Exit(1 if failed else 0)
