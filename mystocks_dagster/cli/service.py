"""service: `mystocks ui` or `mystocks worker` as a service of the machine or the session, by systemd or launchd."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, print_json, translate
from mystocks_dagster.settings import Settings

Name = Annotated[
    str | None,
    typer.Option(
        help="Name of the service, by default mystocks or mystocks-worker; choose another for a second project."
    ),
]
Worker = Annotated[bool, typer.Option("--worker", help="The service of `mystocks worker`, not of `mystocks ui`.")]
System = Annotated[
    bool,
    typer.Option("--system", help="Service of the machine, started at boot (needs root), instead of your session."),
]
Manager = Annotated[str | None, typer.Option(help="systemd or launchd; the machine's own if omitted.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Run `mystocks ui` or `mystocks worker` as a service of the machine or session (systemd, launchd).",
    )
    group.command()(install)
    group.command()(status)
    group.command()(remove)
    app.add_typer(group, name="service")


def install(
    name: Name = None,
    system: System = False,
    worker: Worker = False,
    runs: Annotated[int, typer.Option(min=1, max=999, help="With --worker: runs that it executes at once.")] = 4,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address of the web UI.")] = "127.0.0.1",
    manager: Manager = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files and the commands, and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the service's files and start it. Repeat it after a change of a variable, a port or the Python environment.

    The values of the variables that the project reads are copied from this shell into a file that only its user can
    read (.dagster/service.env).

    Example: mystocks service install --dry-run
    """
    from mystocks_dagster.servicefiles import manage
    from mystocks_dagster.servicefiles.environment import of_project
    from mystocks_dagster.servicefiles.plan import plan

    settings = Settings.from_env()
    of_worker = runs if worker else None
    service = plan(settings, name=name, system=system, host=host, port=port, manager=_manager(manager), runs=of_worker)
    if not worker:
        manage.check_head(settings)
    planned = {
        "file": str(service.file),
        "content": manage.text(service),
        "environment": str(service.environment),
        "variables": sorted(of_project(settings)),
        "commands": service.enable,
        "reboot": service.reboot,
    }
    if not dry_run:
        manage.install(settings, service)
    if json:
        print_json(planned)
    elif dry_run:
        commands = "\n".join(f"$ {' '.join(command)}" for command in service.enable)
        names = f"# {service.environment} (mode 600): {', '.join(planned['variables'])}"
        console.print(
            f"# {service.file}\n{planned['content']}\n{names}\n\n{commands}\n\n{service.reboot}", markup=False
        )
    else:
        console.print(translate(f"{service.name} is running: {service.file}. {service.reboot}"), markup=False)


def status(
    name: Name = None, system: System = False, worker: Worker = False, manager: Manager = None, json: Json = False
) -> None:
    """Show whether the service is installed, starts automatically, and is running (exit code 1 if it is not running).

    Example: mystocks service status --json
    """
    from mystocks_dagster.servicefiles import manage

    service = _plan(name, system, worker, manager)
    state = manage.status(service)
    if json:
        print_json(state.to_json())
    elif not state.installed:
        console.print(
            translate(f"{service.name} is not installed. Install it with: mystocks service install"), markup=False
        )
    else:
        words = {True: "yes", False: "no", None: "unknown"}
        text = f"{service.name}: running: {words[state.active]}, starts automatically: {words[state.enabled]}"
        console.print(
            translate(f"{text}, process: {state.pid or '-'}. {state.file} {state.detail}".strip()), markup=False
        )
    raise typer.Exit(0 if state.active else 1)


def remove(
    name: Name = None, system: System = False, worker: Worker = False, manager: Manager = None, json: Json = False
) -> None:
    """Stop the service and delete its files. Active runs continue.

    Example: mystocks service remove
    """
    from mystocks_dagster.servicefiles import manage

    service = _plan(name, system, worker, manager)
    removed = manage.remove(service)
    if json:
        print_json({"name": service.name, "file": str(service.file), "removed": removed})
        return
    text = (
        f"{service.name} is removed." if removed else f"{service.name} is not installed: {service.file} does not exist."
    )
    console.print(translate(text), markup=False)


def _plan(name: str | None, system: bool, worker: bool, manager: str | None) -> Any:
    """Return the plan of a service whose address and slots do not matter."""
    from mystocks_dagster.servicefiles.plan import plan

    return plan(Settings.from_env(), name=name, system=system, manager=_manager(manager), runs=4 if worker else None)


def _manager(name: str | None) -> str | None:
    if name not in (None, "systemd", "launchd"):
        raise typer.BadParameter(f"{name!r} is neither systemd nor launchd", param_hint="--manager")
    return name
