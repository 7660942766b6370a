"""health: does the project do its work?"""

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_checks, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(health)


def health(json: Json = False) -> None:
    """Look at the daemon, the web UI, the task file, the disk, the calendar, the schedules and the last runs (1 when one is wrong).

    Example: mystocks health
    """
    told = open_project().health()
    if json:
        print_json(told.to_json())
    else:
        print_checks(told.checks)
        colour = "green" if told.status == "healthy" else "red"
        counts = f"{told.total_tasks} tasks, {told.running_tasks} running, {told.total_executions} executions so far"
        console.print(f"[{colour}]{told.status}[/]: {counts}")
    raise typer.Exit(0 if told.status == "healthy" else 1)
