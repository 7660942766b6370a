"""stop: end what runs or waits."""

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
            help="Id of an execution, a run (its first 8 characters are enough), a task or a group.",
            autocompletion=all_ids,
        ),
    ],
    json: Json = False,
) -> None:
    """Stop a run and all that it started; one that waits in the queue is taken off it. Ends when it has stopped.

    Example: mystocks stop daily_data_sync
    """
    stopped = open_project().stop(name)
    if json:
        print_json([one.to_json() for one in stopped])
        return
    for one in stopped:
        console.print(f"run {one.run_id} of {escape(one.job)}: [magenta]{one.status}[/]")
        for execution in one.executions:
            console.print(f"  {execution}", markup=False)
