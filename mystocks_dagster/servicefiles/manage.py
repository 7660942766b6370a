"""Install, remove and query the service."""

import os
import plistlib
import shutil
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.servicefiles import launchd, systemd
from mystocks_dagster.servicefiles.environment import content as environment_file
from mystocks_dagster.servicefiles.environment import of_project
from mystocks_dagster.servicefiles.plan import Plan
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.place import database_url

_SECONDS = 90
_PROGRAMS = {"systemd": "systemctl", "launchd": "launchctl"}


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of the service.

    Attributes:
        installed: Whether its file exists.
        enabled: Whether it starts by itself; None when the manager does not report it.
        active: Whether it runs; None when the manager does not report it.
        pid: Its pid; None when it does not run.
        restarts: How often the manager has restarted it; None when the manager does not report it.
        detail: The manager's error when the query failed.
    """

    manager: str
    name: str
    system: bool
    file: str
    installed: bool
    enabled: bool | None = None
    active: bool | None = None
    pid: int | None = None
    restarts: int | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `--json`."""
        return asdict(self)


def text(plan: Plan) -> str:
    """Return the systemd unit or the launchd property list."""
    return systemd.unit(plan) if plan.manager == "systemd" else launchd.property_list(plan)


def check_head(settings: Settings) -> None:
    """Check that this machine can have the service of `mystocks ui`.

    Raises:
        SettingsError: It has no task file, and shares a database with other machines.
    """
    if not settings.task_file.exists() and database_url(settings.root):
        raise SettingsError(
            f"{settings.task_file} does not exist, so `mystocks ui` does not start here, and another machine has it. "
            "For a machine that executes runs: mystocks service install --worker"
        )


def install(settings: Settings, plan: Plan) -> None:
    """Write the files, register them, and start or restart the service.

    Raises:
        SettingsError: The service cannot be installed; its files are as they were.
    """
    _require_manager(plan)
    content = text(plan)
    before = plan.file.read_text(encoding="utf-8") if plan.file.exists() else None
    if before is not None and not _is_of(plan, before):
        raise SettingsError(
            f"{plan.file} belongs to another project. Choose another name: mystocks service install --name NAME"
        )
    try:
        plan.environment.parent.mkdir(parents=True, exist_ok=True)
        variables = environment_file(of_project(settings))
        _write(plan.environment, variables, 0o600, plan.uid)
        plan.file.parent.mkdir(parents=True, exist_ok=True)
        _write(plan.file, content, 0o644)
    except OSError as error:
        hint = " Only root can install a system service: use sudo, or leave out --system." if plan.system else ""
        raise SettingsError(f"{error.filename} cannot be written: {error.strerror}.{hint}") from None
    if before is not None and plan.manager == "launchd":
        _run(plan.disable[0])
    for command in plan.enable:
        if error_text := _run(command):
            if before is None:
                plan.file.unlink(missing_ok=True)
                plan.environment.unlink(missing_ok=True)
            else:
                _write(plan.file, before, 0o644)
            hint = "" if plan.system else _SESSION
            raise SettingsError(f"{' '.join(command)}: {error_text}. Nothing was installed.{hint}")


_SESSION = " A user service needs a login session of that user (not `su`); without one, use --system as root."


def remove(plan: Plan) -> bool:
    """Stop the service and delete its files; return False when it is not installed."""
    if not plan.file.exists():
        return False
    if not _is_of(plan, plan.file.read_text(encoding="utf-8")):
        raise SettingsError(
            f"{plan.file} belongs to another project; remove it there, or name this project's service with --name."
        )
    for command in plan.disable:
        if error_text := _run(command):
            raise SettingsError(f"{' '.join(command)}: {error_text}. Nothing was removed.")
    plan.file.unlink()
    plan.environment.unlink(missing_ok=True)
    if plan.manager == "systemd":
        _run(plan.enable[0])
    return True


def status(plan: Plan) -> Status:
    """Query the manager for the state of the service."""
    installed = plan.file.exists()
    state = Status(manager=plan.manager, name=plan.name, system=plan.system, file=str(plan.file), installed=installed)
    if not installed:
        return state
    answer = _completed(plan.show)
    if answer.returncode:
        return replace(state, detail=answer.stderr.strip())
    if plan.manager == "launchd":
        values = _pairs(answer.stdout, " = ")
        pid = int(values.get("pid", 0)) or None
        return replace(state, enabled=True, active=values.get("state") == "running", pid=pid)
    values = _pairs(answer.stdout, "=")
    return replace(
        state,
        enabled=values["UnitFileState"] == "enabled",
        active=values["ActiveState"] == "active",
        pid=int(values["MainPID"]) or None,
        restarts=int(values["NRestarts"]),
    )


def _pairs(text: str, sign: str) -> dict[str, str]:
    pairs = (line.strip().partition(sign) for line in text.splitlines())
    return {name: value for name, separator, value in pairs if separator}


def _require_manager(plan: Plan) -> None:
    program = _PROGRAMS[plan.manager]
    if shutil.which(program) is None:
        raise SettingsError(
            f"{program} is not on this machine. Keep the command running by other means; --dry-run prints the files."
        )


def _is_of(plan: Plan, content: str) -> bool:
    """Return whether an existing service file was written for this project."""
    if plan.manager == "systemd":
        return systemd.folder(plan) in content.splitlines()
    return plistlib.loads(content.encode()).get("WorkingDirectory") == str(plan.root)


def _write(path: Path, content: str, mode: int, uid: int | None = None) -> None:
    """Replace a file; it has its final mode from the first moment on, so that nobody else can read a secret."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
        if uid is not None and os.getuid() == 0:
            os.fchown(descriptor, uid, -1)
    scratch.replace(path)


def _completed(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _run(command: list[str]) -> str:
    """Run a command; return its error text, empty on success."""
    process = _completed(command)
    return (process.stderr.strip() or f"exit code {process.returncode}") if process.returncode else ""
