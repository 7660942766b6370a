"""The servers of `mystocks ui`: the code servers of workspace.yaml, shared by a daemon and a web server."""

import hashlib
import os
import socket
import stat
import sys
import tempfile
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import yaml

from mystocks_dagster.addresses import url
from mystocks_dagster.dagster_internals import (
    CODE_SERVER_ENTRY_POINT,
    DAEMON_ENTRY_POINT,
    CodeLocationOrigin,
    GrpcServerCodeLocationOrigin,
    InstanceRef,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    WorkspaceFileTarget,
)
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.processes import forker, lock
from mystocks_dagster.processes.loopback import opener
from mystocks_dagster.settings import Settings

#: A socket's path has at most 108 bytes on Linux and 104 on macOS, including the terminating NUL.
_PATH_BYTES = 100
_PROBE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Command:
    """One server.

    Attributes:
        name: Its name in messages.
        waits_for: The object of "waiting for" in progress lines.
        entry: `module:function` that runs it.
        arguments: Its command line.
        ready: Returns whether the process with a given pid is ready.
        executable: Its interpreter.
        is_code_server: Whether the other servers wait for it.
        forker: `module:function` that its forker executes; empty when it needs none.
    """

    name: str
    waits_for: str
    entry: str
    arguments: tuple[str, ...]
    ready: Callable[[int], bool]
    executable: str = sys.executable
    is_code_server: bool = False
    forker: str = ""


def commands(settings: Settings, folder: Path, host: str, port: int) -> list[Command]:
    """Return the commands of all servers, and write the workspace of their code servers into `folder`."""
    origins = _origins(settings.root / "workspace.yaml")
    entries = [_entry(number, origin, folder) for number, origin in enumerate(origins)]
    workspace = folder / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": entry} for entry in entries]}), encoding="utf-8")
    return [*_code_servers(settings, origins, folder), _daemon(settings, workspace), web(workspace, host, port)]


def _origins(workspace: Path) -> Sequence[CodeLocationOrigin]:
    try:
        return WorkspaceFileTarget([str(workspace)]).create_origins()
    except Exception as error:  # noqa: BLE001 - the errors of Dagster and PyYAML have no common class
        reason = str(error).strip().splitlines()[0] if workspace.exists() else "the file does not exist"
        raise InstanceError(
            f"{workspace}: cannot be used: {reason}. It names the code locations that `mystocks ui` starts."
        ) from None


def web(workspace: Path, host: str, port: int) -> Command:
    """Return the web server's command."""
    return Command(
        name="web server",
        waits_for="the web server",
        entry="mystocks_dagster.web.__main__:main",
        arguments=("--host", host, "--port", str(port), "--workspace", str(workspace)),
        ready=lambda pid: _listens(pid, port) and _answers(f"{address(host, port)}/ready"),
    )


def _daemon(settings: Settings, workspace: Path) -> Command:
    path = settings.dagster_home / lock.DAEMON_LOCK
    return Command(
        name="daemon",
        waits_for="the daemon",
        entry=DAEMON_ENTRY_POINT,
        arguments=("run", "--workspace", str(workspace), *_log_format(settings)),
        ready=lambda pid: (holder := lock.holder(path)) is not None and holder.pid == pid,
        forker=forker.OF_RUNS,
    )


def _code_servers(settings: Settings, origins: Sequence[CodeLocationOrigin], folder: Path) -> Iterator[Command]:
    instance = dg.serialize_value(InstanceRef.from_dir(str(settings.dagster_home)))
    for number, origin in enumerate(origins):
        if not isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin):
            continue
        path, target = _socket(folder, number), origin.loadable_target_origin
        options = [
            *("--socket", path),
            *("--location-name", origin.location_name),
            *("--instance-ref", instance),
            *("--log-level", "warning"),
            *_log_format(settings),
        ]
        options += ["--use-python-environment-entry-point"] if target.executable_path else []
        yield Command(
            name=f"code server {origin.location_name}",
            waits_for=f"the code server {origin.location_name}, which loads {settings.task_file.name}",
            entry=CODE_SERVER_ENTRY_POINT,
            arguments=(*options, "--inject-env-vars-from-instance", *target.get_cli_args()),
            ready=lambda _pid, path=path: _accepts(path),
            executable=target.executable_path or sys.executable,
            is_code_server=True,
            forker="mystocks_dagster.processes.code_process:serve",
        )


def _log_format(settings: Settings) -> tuple[str, ...]:
    return ("--log-format", "json") if settings.log_json else ()


def _entry(number: int, origin: CodeLocationOrigin, folder: Path) -> dict[str, object]:
    """Return a workspace entry: of a code server that `mystocks ui` starts, or of one that runs elsewhere."""
    if isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin):
        entry = {
            "location_name": origin.location_name,
            "socket": _socket(folder, number),
            "host": "localhost",
            "additional_metadata": origin.loadable_target_origin.as_dict,
        }
    else:
        assert isinstance(origin, GrpcServerCodeLocationOrigin)
        entry = {
            name: getattr(origin, name)
            for name in ("location_name", "socket", "host", "port", "use_ssl", "additional_metadata")
        }
    return {name: value for name, value in entry.items() if value}


def _socket(folder: Path, number: int) -> str:
    # With this process's pid: a code server of a killed `mystocks ui` may listen a moment longer.
    return str(folder / f"code{number}-{os.getpid()}")


def socket_folder(home: Path) -> Path:
    """Return an empty folder for the instance's sockets that only this user can enter; the same one at each start.

    Code servers have no authentication, so other users must not reach them. The instance's own folder may be on a
    network drive or have a long path, where a socket cannot be created.
    """
    name = f"mystocks-{os.getuid()}-{hashlib.sha256(str(real_path(home)).encode()).hexdigest()[:12]}"
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base / name / "code00-4194304")) > _PATH_BYTES:
        base = Path("/tmp")
    folder = base / name
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        # Another user has created it, or may enter it.
        return Path(tempfile.mkdtemp(prefix="mystocks-", dir=base))
    for path in folder.iterdir():  # left by a killed `mystocks ui`
        path.unlink(missing_ok=True)
    return folder


def address(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server on `host`."""
    return url({"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host), port)


def _listens(pid: int, port: int) -> bool:
    """Return whether the process listens on the port.

    Checked before connecting: while no process listens on a high port, the system may choose that same port for the
    client's side, which then connects to itself and keeps the server from listening.
    """
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(entry.status == psutil.CONN_LISTEN and entry.laddr.port == port for entry in connections)


def _answers(url: str) -> bool:
    try:
        with opener.open(url, timeout=_PROBE_SECONDS):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _accepts(path: str) -> bool:
    """Return whether a process listens on the socket: a code server does once it has loaded the code."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
