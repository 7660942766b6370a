"""doctor: is this machine fit for the project?"""

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_checks, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(json: Json = False) -> None:
    """Look for what keeps the project from running here: Python, time, instance, daemon, sources, disk, permissions (1 when one is wrong).

    Example: mystocks doctor
    """
    checks = open_project().doctor()
    wrong = [check for check in checks if not check.ok]
    if json:
        print_json([check.to_json() for check in checks])
    else:
        print_checks(checks)
        console.print(
            f"[red]{len(wrong)} of {len(checks)} are wrong[/]" if wrong else f"[green]all {len(checks)} are well[/]"
        )
    raise typer.Exit(1 if wrong else 0)
