"""enable, disable, reset: the switch of a schedule, the same that the UI shows."""

from typing import Annotated

import typer

from mystocks_dagster.cli.files import Json
from mystocks_dagster.cli.printing import console, print_json
from mystocks_dagster.settings import Settings

Name = Annotated[str, typer.Argument(help="Id of a task or group.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(enable)
    app.command()(disable)
    app.command()(resume)
    app.command()(pause)
    app.command()(reset)


def enable(name: Name, json: Json = False) -> None:
    """Switch the schedule of a task or group on, whatever the file says; it stays so until `mystocks reset`.

    Example: mystocks enable daily_job
    """
    _turn(name, True, json=json)


def disable(name: Name, json: Json = False) -> None:
    """Switch the schedule of a task or group off, whatever the file says; what runs goes on.

    Example: mystocks disable daily_job
    """
    _turn(name, False, json=json)


def resume(name: Name, json: Json = False) -> None:
    """Do what `mystocks enable` does.

    Example: mystocks resume daily_job
    """
    _turn(name, True, json=json)


def pause(name: Name, json: Json = False) -> None:
    """Do what `mystocks disable` does.

    Example: mystocks pause daily_job
    """
    _turn(name, False, json=json)


def reset(name: Name, json: Json = False) -> None:
    """Let the file's `enabled` count again.

    Example: mystocks reset daily_job
    """
    _turn(name, None, json=json)


def _turn(name: str, on: bool | None, *, json: bool) -> None:
    from mystocks_dagster.launch import daemon_alive
    from mystocks_dagster.service import Project

    project = Project(Settings.from_env())
    switch = project.switch(name, on)
    if json:
        print_json(switch.to_json())
        return
    colour = "green" if switch.on else "yellow"
    told = f"{name} is [{colour}]{'on' if switch.on else 'off'}[/]"
    if on is None:
        told += ", as the file says"
    elif switch.on != switch.declared:
        told += f"; the file has it {'on' if switch.declared else 'off'}, which counts again after: mystocks reset {name}"
    console.print(told)
    if switch.on and not daemon_alive(project.instance):
        console.print("No daemon is alive now; schedules fire while `mystocks ui` runs.")
