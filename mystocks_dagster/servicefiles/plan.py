"""The plan of a service: its files, and the commands that register it."""

import os
import pwd
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.servicefiles.environment import FILE
from mystocks_dagster.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A service of this project.

    Attributes:
        manager: `systemd` or `launchd`.
        name: The service's name.
        system: Whether it is a system service, started at boot, or a user service.
        user: The user that runs it: the owner of the project's folder.
        uid: That user's id.
        root: The project's folder.
        file: Path of the unit or property list.
        environment: Path of the environment file.
        log: Path of its output, with launchd; systemd has its journal.
        command: The command line.
    """

    manager: str
    name: str
    system: bool
    user: str
    uid: int
    root: Path
    file: Path
    environment: Path
    log: Path
    command: tuple[str, ...]

    @property
    def enable(self) -> list[list[str]]:
        """The commands that register and start it."""
        if self.manager == "launchd":
            return [["launchctl", "bootstrap", self._domain, str(self.file)]]
        return [
            [*self._systemctl, "daemon-reload"],
            [*self._systemctl, "enable", self.name],
            [*self._systemctl, "restart", self.name],
        ]

    @property
    def disable(self) -> list[list[str]]:
        """The commands that stop it and unregister it."""
        if self.manager == "launchd":
            return [["launchctl", "bootout", f"{self._domain}/{self.name}"]]
        return [[*self._systemctl, "disable", "--now", self.name]]

    @property
    def show(self) -> list[str]:
        """The command that prints its state."""
        if self.manager == "launchd":
            return ["launchctl", "print", f"{self._domain}/{self.name}"]
        return [*self._systemctl, "show", self.name, "--property=ActiveState,UnitFileState,MainPID,NRestarts"]

    @property
    def reboot(self) -> str:
        """When it starts again after a reboot, for people."""
        if self.system:
            return "It starts when the machine starts."
        if self.manager == "launchd":
            return f"It starts when {self.user} logs in. For a start at boot: sudo mystocks service install --system"
        return (
            f"It starts when {self.user} logs in, and ends with the last session. "
            f"For a start at boot: loginctl enable-linger {self.user}"
        )

    @property
    def _systemctl(self) -> list[str]:
        return ["systemctl"] if self.system else ["systemctl", "--user"]

    @property
    def _domain(self) -> str:
        return "system" if self.system else f"gui/{self.uid}"


#: Beside the environment file of `mystocks ui`: a head may have both services.
_WORKER_FILE = "worker.env"


def plan(
    settings: Settings,
    *,
    name: str | None = None,
    system: bool,
    host: str = "127.0.0.1",
    port: int = 3000,
    manager: str | None = None,
    runs: int | None = None,
) -> Plan:
    """Return the plan for this project on this machine.

    Args:
        settings: The project's.
        name: The service's name; None for `mystocks`, or `mystocks-worker`.
        system: Whether the machine starts it at boot; else the user's session does.
        host: Address of the web UI.
        port: Its port.
        manager: `systemd` or `launchd`; None for the machine's own.
        runs: Runs that `mystocks worker` executes at once; None for the service of `mystocks ui`.

    Raises:
        SettingsError: The name is not valid.
    """
    name = name or ("mystocks" if runs is None else "mystocks-worker")
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is not a valid service name: use letters, digits, dots, dashes and underscores.")
    manager = manager or ("launchd" if sys.platform == "darwin" else "systemd")
    owner = pwd.getpwuid(settings.root.stat().st_uid if system else os.getuid())
    folders = {
        ("systemd", False): Path(owner.pw_dir, ".config/systemd/user"),
        ("systemd", True): Path("/etc/systemd/system"),
        ("launchd", False): Path(owner.pw_dir, "Library/LaunchAgents"),
        ("launchd", True): Path("/Library/LaunchDaemons"),
    }
    command = ("ui", "--host", host, "--port", str(port)) if runs is None else ("worker", "--runs", str(runs))
    return Plan(
        manager=manager,
        name=name,
        system=system,
        user=owner.pw_name,
        uid=owner.pw_uid,
        root=settings.root,
        file=folders[manager, system] / (f"{name}.service" if manager == "systemd" else f"{name}.plist"),
        environment=settings.dagster_home / (FILE if runs is None else _WORKER_FILE),
        log=settings.dagster_home / ("service.log" if runs is None else "worker.log"),
        command=(sys.executable, "-m", "mystocks_dagster.cli.main", *command),
    )
