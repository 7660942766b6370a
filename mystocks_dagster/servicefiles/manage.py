"""Installing, removing and asking about the service."""

import os
import plistlib
import shutil
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.servicefiles import launchd, systemd
from mystocks_dagster.servicefiles.environment import content, needed
from mystocks_dagster.servicefiles.plan import Plan
from mystocks_dagster.settings import Settings, environment

_SECONDS = 90
_PROGRAMS = {"systemd": "systemctl", "launchd": "launchctl"}


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the service is.

    Attributes:
        installed: Whether its file is there.
        enabled: Whether it starts by itself; None when the manager did not say.
        active: Whether it runs; None when the manager did not say.
        pid: Its process; None when there is none.
        restarts: How often the manager has started it again; None when it did not say.
        detail: What the manager said when it could not be asked.
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
        """Return it as `--json` shows it."""
        return asdict(self)


def text(plan: Plan) -> str:
    """Return the unit or the property list."""
    return systemd.unit(plan) if plan.manager == "systemd" else launchd.property_list(plan)


def install(settings: Settings, plan: Plan) -> None:
    """Write the files, make them known, and start the service; one that runs is started again.

    Raises:
        SettingsError: It cannot be; nothing is left behind that was not there.
    """
    _usable(plan)
    written = text(plan)
    before = plan.file.read_text(encoding="utf-8") if plan.file.exists() else None
    if before is not None and not _is_of(plan, before):
        raise SettingsError(
            f"{plan.file} is of another project. Choose another name: mystocks service install --name NAME"
        )
    try:
        plan.environment.parent.mkdir(parents=True, exist_ok=True)
        _write(plan.environment, content(needed(environment(), settings.task_file)), 0o600, plan.uid)
        plan.file.parent.mkdir(parents=True, exist_ok=True)
        _write(plan.file, written, 0o644)
    except OSError as error:
        hint = " A service of the machine is installed by root: sudo …, or leave --system out." if plan.system else ""
        raise SettingsError(f"{error.filename} cannot be written: {error.strerror}.{hint}") from None
    if before is not None and plan.manager == "launchd":
        _run(plan.disable[0])
    for command in plan.enable:
        if complaint := _run(command):
            if before is None:
                plan.file.unlink(missing_ok=True)
                plan.environment.unlink(missing_ok=True)
            else:
                _write(plan.file, before, 0o644)
            raise SettingsError(
                f"{' '.join(command)}: {complaint}. Nothing was installed.{'' if plan.system else _SESSION}"
            )


_SESSION = " A service of the user needs a session of that user (not `su`); without one: --system, as root."


def remove(plan: Plan) -> bool:
    """Stop the service and delete its files; return False when it was not installed."""
    if not plan.file.exists():
        return False
    if not _is_of(plan, plan.file.read_text(encoding="utf-8")):
        raise SettingsError(f"{plan.file} is of another project; remove it there, or name yours with --name.")
    for command in plan.disable:
        if complaint := _run(command):
            raise SettingsError(f"{' '.join(command)}: {complaint}. Nothing was removed.")
    plan.file.unlink()
    plan.environment.unlink(missing_ok=True)
    if plan.manager == "systemd":
        _run(plan.enable[0])
    return True


def status(plan: Plan) -> Status:
    """Ask the manager how the service is."""
    known = Status(
        manager=plan.manager, name=plan.name, system=plan.system, file=str(plan.file), installed=plan.file.exists()
    )
    if not known.installed:
        return known
    done = _done(plan.show)
    if done.returncode:
        return replace(known, detail=done.stderr.strip())
    if plan.manager == "launchd":
        found = _pairs(done.stdout, " = ")
        return replace(
            known, enabled=True, active=found.get("state") == "running", pid=int(found.get("pid", 0)) or None
        )
    found = _pairs(done.stdout, "=")
    return replace(
        known,
        enabled=found["UnitFileState"] == "enabled",
        active=found["ActiveState"] == "active",
        pid=int(found["MainPID"]) or None,
        restarts=int(found["NRestarts"]),
    )


def _pairs(text: str, sign: str) -> dict[str, str]:
    pairs = (line.strip().partition(sign) for line in text.splitlines())
    return {name: value for name, found, value in pairs if found}


def _usable(plan: Plan) -> None:
    program = _PROGRAMS[plan.manager]
    if shutil.which(program) is None:
        raise SettingsError(
            f"There is no {program} here. Keep `mystocks ui` running by other means; --dry-run prints the files."
        )


def _is_of(plan: Plan, written: str) -> bool:
    """Say whether a file that is there was written for this project."""
    if plan.manager == "systemd":
        return systemd.folder(plan) in written.splitlines()
    return plistlib.loads(written.encode()).get("WorkingDirectory") == str(plan.root)


def _write(path: Path, content: str, mode: int, uid: int | None = None) -> None:
    """Replace a file; at no moment can others read one that they must not."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
        if uid is not None and os.getuid() == 0:
            os.fchown(descriptor, uid, -1)
    scratch.replace(path)


def _done(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _run(command: list[str]) -> str:
    """Return what a command that failed said; empty when it did its work."""
    done = _done(command)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""
