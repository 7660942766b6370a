"""health: check whether the project does its work."""

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_checks, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(health)


def health(json: Json = False) -> None:
    """Check the daemon, the web UI, the task file, the disk, the calendar, the schedules and the last runs.

    The exit code is 1 if a check fails.

    Example: mystocks health
    """
    state = open_project().health()
    if json:
        print_json(state.to_json())
    else:
        print_checks(state.checks)
        colour = "green" if state.status == "healthy" else "red"
        counts = f"{state.total_tasks} tasks, {state.running_tasks} running, {state.total_executions} executions so far"
        console.print(f"[{colour}]{state.status}[/]: {counts}")
    raise typer.Exit(0 if state.status == "healthy" else 1)
