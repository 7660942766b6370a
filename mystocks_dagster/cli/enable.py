"""enable, disable, reset: the switch of a schedule, which is Dagster's own."""

from collections.abc import Callable

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import TaskOrGroup
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_json, translate

#: Command, position of the switch (None: as the task file says), help.
_COMMANDS = (
    ("enable", True, "Switch on the schedule of a task or group, whatever tasks.yaml says, until `mystocks reset`."),
    ("disable", False, "Switch off the schedule of a task or group, whatever tasks.yaml says; active runs continue."),
    ("resume", True, "Same as `mystocks enable`."),
    ("pause", False, "Same as `mystocks disable`."),
    ("reset", None, "Set the switch back to `enabled` in tasks.yaml, and let it follow the file again."),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, on, summary in _COMMANDS:
        app.command(name, help=f"{summary}\n\nExample: mystocks {name} daily_job")(_command(on))


def _command(on: bool | None) -> Callable[..., None]:
    def turn(name: TaskOrGroup, json: Json = False) -> None:
        _turn(name, on, json=json)

    return turn


def _turn(name: str, on: bool | None, *, json: bool) -> None:
    project = open_project()
    switch = project.schedules.switch(name, on)
    if json:
        print_json(switch.to_json())
        return
    said = translate(f"{name} is on" if switch.on else f"{name} is off")
    text = f"[{'green' if switch.on else 'yellow'}]{said}[/]"
    if on is None:
        text += translate(", as the task file says")
    elif switch.on != switch.declared:
        declared = "on" if switch.declared else "off"
        text += translate(f"; the task file says {declared}, which applies again after: mystocks reset {name}")
    console.print(text)
    if switch.on and not project.daemon_alive:
        console.print("The daemon is not running; schedules fire only while `mystocks ui` runs.")
