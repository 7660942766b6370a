"""next: the next starts of schedules."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import all_ids
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_json
from mystocks_dagster.cli.tables import print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("next")(next_starts)


def next_starts(
    name: Annotated[
        str | None,
        typer.Argument(help="Id of a task or group; all with a schedule if omitted.", autocompletion=all_ids),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="Number of starts per schedule.")] = 5,
    json: Json = False,
) -> None:
    """Show the next starts of the tasks and groups whose schedule is switched on.

    Example: mystocks next daily_job --count 3
    """
    project = open_project()
    starts = project.schedules.next_runs(name, count)
    if json:
        print_json([start.to_json() for start in starts])
        return
    if starts:
        rows = [
            (
                f"{start.time:%Y-%m-%d %H:%M:%S %z}",
                start.weekday,
                _trading_day(start),
                start.task_id,
                project.title(start.task_id),
            )
            for start in starts
        ]
        print_table(
            ("time", "weekday", "trading day", "task", "name"),
            rows,
            optional=("name", "weekday"),
            said=("weekday", "trading day"),
        )
    if any(not start.certain for start in starts):
        console.print("[dim]yes?: a weekday after the end of the published exchange calendar[/]")
    switches = project.schedules.switches().values()
    off = [switch.name for switch in switches if not switch.on and name in (None, switch.name)]
    if off:
        console.print(f"Switched off: {', '.join(off)}. Switch on with: mystocks enable {off[0]}")
    elif not starts:
        console.print(
            "No task or group has a next start."
            if name is None
            else f"{name} has no next start. See its schedule with: mystocks show {name}"
        )


def _trading_day(start: Any) -> str:
    if not start.trading_day:
        return "no"
    return "yes" if start.certain else "yes?"
