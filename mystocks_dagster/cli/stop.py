"""stop: stop active runs."""

from typing import Annotated

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import all_ids
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(stop)


def stop(
    name: Annotated[
        str,
        typer.Argument(
            help="Id of an execution, a run (the first 8 characters are enough), a task or a group.",
            autocompletion=all_ids,
        ),
    ],
    json: Json = False,
) -> None:
    """Stop a run with all its processes, or take it off the queue; exits when it has stopped.

    Example: mystocks stop daily_data_sync
    """
    stopped = open_project().runs.stop(name)
    if json:
        print_json([run.to_json() for run in stopped])
        return
    for run in stopped:
        console.print(f"run {run.run_id} of {escape(run.job)}: [magenta]{run.status}[/]")
        for execution in run.executions:
            console.print(f"  {execution}", markup=False)
