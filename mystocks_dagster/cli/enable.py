"""enable, disable, reset: the switch of a schedule, the same that the UI shows."""

from collections.abc import Callable

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import TaskOrGroup
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_json

#: Command, where it turns the switch (None: back to what the file says), and its help.
_COMMANDS = (
    (
        "enable",
        True,
        "Switch the schedule of a task or group on, whatever the file says; it stays so until `mystocks reset`.",
    ),
    ("disable", False, "Switch the schedule of a task or group off, whatever the file says; what runs goes on."),
    ("resume", True, "Do what `mystocks enable` does."),
    ("pause", False, "Do what `mystocks disable` does."),
    ("reset", None, "Let the file's `enabled` count again."),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, on, told in _COMMANDS:
        app.command(name, help=f"{told}\n\nExample: mystocks {name} daily_job")(_command(on))


def _command(on: bool | None) -> Callable[..., None]:
    def turn(name: TaskOrGroup, json: Json = False) -> None:
        _turn(name, on, json=json)

    return turn


def _turn(name: str, on: bool | None, *, json: bool) -> None:
    project = open_project()
    switch = project.switch(name, on)
    if json:
        print_json(switch.to_json())
        return
    colour = "green" if switch.on else "yellow"
    told = f"{name} is [{colour}]{'on' if switch.on else 'off'}[/]"
    if on is None:
        told += ", as the file says"
    elif switch.on != switch.declared:
        told += (
            f"; the file has it {'on' if switch.declared else 'off'}, which counts again after: mystocks reset {name}"
        )
    console.print(told)
    if switch.on and not project.daemon_alive:
        console.print("No daemon is alive now; schedules fire while `mystocks ui` runs.")
