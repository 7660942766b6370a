"""The web UI and the daemon as one foreground service."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import FrameType

from mystocks_dagster.alerts.daemon import watching
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import ADDRESS_FILE, open_instance, prepare_home
from mystocks_dagster.instance import ui_address as ui_address  # the callers of servers ask for it here
from mystocks_dagster.settings import Settings
from mystocks_dagster.switches import note_intervals
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.usable import load_usable

_START_SECONDS = 180
_STOP_SECONDS = 10


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> int:
    """Start webserver and daemon, say the address, wait until told to stop, and stop both with all they started.

    Runs that are under way go on: each is a process of its own, and the next daemon finds it again.

    Raises:
        InstanceError: They did not come up; the message says where to look.
    """
    home = prepare_home(settings)
    if running := ui_address(home):
        raise InstanceError(f"This project's web UI runs already, at {running}. Stop that one first; two would take each other's runs.")
    with contextlib.suppress(TaskFileError):  # the code location says what is wrong with the file
        note_intervals(settings, load_usable(settings, functions=False).taskfile)
    chosen = free_port(host, port)
    if chosen != port:
        say(f"Port {port} is taken; using {chosen}.")
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(settings.root / "workspace.yaml"), "-h", host, "-p", str(chosen)]
    servers = subprocess.Popen(command, cwd=settings.root, start_new_session=True)
    address = f"http://{host}:{chosen}"

    stop_on_signals()
    note = home / ADDRESS_FILE
    try:
        _wait_until_up(servers, address)
        note.write_text(json.dumps({"address": address, "pid": os.getpid()}), encoding="utf-8")
        say(f"\nMyStocks is at {address} (stop with Ctrl-C). The table of tasks, with forms: mystocks api")
        with watching(settings) as watch:
            code = servers.wait()
            watch.look(gone=f"Dagster 的进程意外退出（代码 {code}）")
        # They were not asked to end: whoever restarts what failed must see it, also when Dagster ends with 0.
        return code or 1
    except KeyboardInterrupt:
        say("stopping …")
        return 0
    finally:
        note.unlink(missing_ok=True)
        _stop(servers)
        # Else its last heartbeat would pass for a living daemon for some time.
        with open_instance(settings) as instance:
            instance.wipe_daemon_heartbeats()


def stop_on_signals() -> None:
    """Let what tells a service to stop raise KeyboardInterrupt, so that it leaves nothing behind."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # SIGINT too: a shell that starts it in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def free_port(host: str, port: int) -> int:
    """Return `port`, or the next one that nobody listens on.

    Raises:
        InstanceError: The host is none of this machine's, or a hundred ports in a row are taken.
    """
    for candidate in range(port, min(port + 100, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError as error:
                if error.errno in _FOREIGN_HOST:
                    raise InstanceError(f"{host} is not an address of this machine; use 127.0.0.1.") from None
                continue
        return candidate
    raise InstanceError(f"Ports {port} to {port + 99} are all taken; name another with --port.")


_FOREIGN_HOST = {99, 49, -2}  # EADDRNOTAVAIL on Linux and macOS, a name that does not resolve


def _wait_until_up(servers: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if servers.poll() is not None:
            raise InstanceError(f"Dagster's servers stopped at once (exit code {servers.returncode}); the reason is in the lines above.")
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise InstanceError(f"The web UI did not answer at {address} within {_START_SECONDS} s; the reason is in the lines above.")


def _stop(servers: subprocess.Popen[bytes]) -> None:
    """Stop the whole process group: a killed `dagster dev` leaves its code servers behind."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(servers.pid, sign)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            servers.poll()
            try:
                os.killpg(servers.pid, 0)
            except (ProcessLookupError, PermissionError):
                return
            time.sleep(0.1)
