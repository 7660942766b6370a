"""next: when schedules will start their jobs."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import all_ids
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("next")(next_starts)


def next_starts(
    name: Annotated[
        str | None,
        typer.Argument(help="Id of a task or group; all that have a schedule when left out.", autocompletion=all_ids),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="So many times of each.")] = 5,
    json: Json = False,
) -> None:
    """Show when schedules will start tasks and groups; those that are switched off are left out.

    Example: mystocks next daily_job --count 3
    """
    project = open_project()
    found = project.next_runs(name, count)
    if json:
        print_json([one.to_json() for one in found])
        return
    if found:
        rows = [
            (f"{one.time:%Y-%m-%d %H:%M:%S %z}", one.weekday, _mark(one), one.task_id, project.title(one.task_id))
            for one in found
        ]
        print_table(("time", "weekday", "trading day", "task", "name"), rows)
    if any(not one.certain for one in found):
        console.print("[dim]yes?: a weekday beyond the published exchange calendar[/]")
    switches = project.switches()
    off = [one.name for one in switches.values() if not one.on and name in (None, one.name)]
    if off:
        console.print(f"Switched off: {', '.join(off)}. Switch on with: mystocks enable {off[0]}")
    elif not found:
        console.print(
            "No task or group has a start to come."
            if name is None
            else f"{name} has no start to come: mystocks show {name}"
        )


def _mark(coming: Any) -> str:
    if not coming.trading_day:
        return "no"
    return "yes" if coming.certain else "yes?"
