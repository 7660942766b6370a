"""service: start `mystocks ui` with the machine or the session, by systemd or launchd."""

from typing import Annotated

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, print_json
from mystocks_dagster.settings import Settings

Name = Annotated[str, typer.Option(help="The service's name; another one for a second project of the same user.")]
System = Annotated[
    bool, typer.Option("--system", help="A service of the machine, started at boot (needs root), not of your session.")
]
Manager = Annotated[str | None, typer.Option(help="systemd or launchd; the machine's own without it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True, help="Start `mystocks ui` with the machine or the session, by systemd or launchd."
    )
    group.command()(install)
    group.command()(status)
    group.command()(remove)
    app.add_typer(group, name="service")


def install(
    name: Name = "mystocks",
    system: System = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address of the web UI.")] = "127.0.0.1",
    manager: Manager = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files and the commands, and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the service's files and start it; again after a change of a variable, a port or the Python environment.

    Variables that the project reads are taken from this shell into a file that only its user can read
    (.dagster/service.env).

    Example: mystocks service install --dry-run
    """
    from mystocks_dagster.servicefiles import manage
    from mystocks_dagster.servicefiles.environment import needed
    from mystocks_dagster.servicefiles.plan import plan
    from mystocks_dagster.settings import environment

    settings = Settings.from_env()
    made = plan(settings, name=name, system=system, host=host, port=port, manager=_manager(manager))
    planned = {
        "file": str(made.file),
        "content": manage.text(made),
        "environment": str(made.environment),
        "variables": sorted(needed(environment(), settings.task_file)),
        "commands": made.enable,
        "reboot": made.reboot,
    }
    if not dry_run:
        manage.install(settings, made)
    if json:
        print_json(planned)
    elif dry_run:
        commands = "\n".join(f"$ {' '.join(command)}" for command in made.enable)
        names = f"# {made.environment} (mode 600): {', '.join(planned['variables'])}"
        console.print(f"# {made.file}\n{planned['content']}\n{names}\n\n{commands}\n\n{made.reboot}", markup=False)
    else:
        console.print(f"{name} runs: {made.file}. {made.reboot}", markup=False)


def status(name: Name = "mystocks", system: System = False, manager: Manager = None, json: Json = False) -> None:
    """Say whether the service is installed, starts by itself, and runs (exit code 1 when it does not run).

    Example: mystocks service status --json
    """
    from mystocks_dagster.servicefiles import manage
    from mystocks_dagster.servicefiles.plan import plan

    made = plan(Settings.from_env(), name=name, system=system, host="127.0.0.1", port=3000, manager=_manager(manager))
    found = manage.status(made)
    if json:
        print_json(found.to_json())
    elif not found.installed:
        console.print(f"{name} is not installed: mystocks service install", markup=False)
    else:
        words = {True: "yes", False: "no", None: "unknown"}
        told = f"{name}: runs: {words[found.active]}, starts by itself: {words[found.enabled]}, process: {found.pid or '-'}. {found.file}"
        console.print(f"{told} {found.detail}".strip(), markup=False)
    raise typer.Exit(0 if found.active else 1)


def remove(name: Name = "mystocks", system: System = False, manager: Manager = None, json: Json = False) -> None:
    """Stop the service and delete its files. Runs that are under way go on.

    Example: mystocks service remove
    """
    from mystocks_dagster.servicefiles import manage
    from mystocks_dagster.servicefiles.plan import plan

    made = plan(Settings.from_env(), name=name, system=system, host="127.0.0.1", port=3000, manager=_manager(manager))
    gone = manage.remove(made)
    if json:
        print_json({"name": name, "file": str(made.file), "removed": gone})
        return
    console.print(
        f"{name} is removed." if gone else f"{name} was not installed: there is no {made.file}.", markup=False
    )


def _manager(name: str | None) -> str | None:
    if name not in (None, "systemd", "launchd"):
        raise typer.BadParameter(f"{name!r}: systemd or launchd", param_hint="--manager")
    return name
