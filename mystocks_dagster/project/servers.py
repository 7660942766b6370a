"""The web UI and the daemon as one foreground service."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from mystocks_dagster.addresses import check_host
from mystocks_dagster.alerts.daemon_watch import watching
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import ADDRESS_FILE, DAGSTER_PATH, open_instance, prepare_home
from mystocks_dagster.instance import ui_address as ui_address  # the callers of servers ask for it here
from mystocks_dagster.processes import lock
from mystocks_dagster.processes.commands import address as reached
from mystocks_dagster.processes.commands import commands, socket_folder
from mystocks_dagster.processes.supervisor import Supervisor
from mystocks_dagster.project import reload_state
from mystocks_dagster.scheduling.switches import note_intervals
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import load_usable
from mystocks_dagster.taskfile.problems import TaskFileError

#: A daemon whose `mystocks ui` was killed ends by itself within so many seconds.
_ORPHAN_SECONDS = 20.0


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> int:
    """Start code server, daemon and web server, say the address, and keep all running until told to stop.

    Runs that are under way go on: each is a process of its own, and the next daemon finds it again.

    Returns:
        The exit code: 0 when it was told to stop, 1 when a server could not be kept running.

    Raises:
        SettingsError: Other machines could reach it without a token.
        InstanceError: They run already, or did not come up; the message says where to look.
    """
    check_host(settings, host)
    home = prepare_home(settings)
    stop_on_signals()
    _claim(home, say)
    try:
        return _serve(settings, home, host, port, say)
    except KeyboardInterrupt:
        say("stopping …")
        return 0
    finally:
        lock.release(home / lock.UI_LOCK)


def _serve(settings: Settings, home: Path, host: str, port: int, say: Callable[[str], None]) -> int:
    chosen = free_port(host, port)
    if chosen != port:
        say(f"Port {port} is taken; using {chosen}.")
    supervisor = Supervisor(commands(settings, socket_folder(home), host, chosen), settings.root, say)
    note = home / ADDRESS_FILE
    note.unlink(missing_ok=True)  # a killed one has left it
    reload_state.forget(settings)
    open_instance(settings).dispose()  # makes the storage, before several servers would at once
    try:
        supervisor.start()
        with contextlib.suppress(TaskFileError):  # the code location says what is wrong with the file
            note_intervals(settings, load_usable(settings, functions=False).taskfile)
        supervisor.wait_until_ready()
        address = reached(host, chosen)
        note.write_text(json.dumps({"address": address, "pid": os.getpid()}), encoding="utf-8")
        say(f"\nMyStocks is at {address} (stop with Ctrl-C); Dagster's own UI: {address}{DAGSTER_PATH}")
        with watching(settings) as watch:
            reason = supervisor.run()
            say(f"Giving up: {reason}. The reason is in the lines above.")
            watch.check(stopped=f"Dagster 的进程意外退出（{reason}）")
        return 1
    except KeyboardInterrupt:
        say("stopping …")
        return 0
    finally:
        note.unlink(missing_ok=True)
        supervisor.stop()
        # Else its last heartbeat would pass for a living daemon for some time.
        with open_instance(settings) as instance:
            instance.wipe_daemon_heartbeats()


def _claim(home: Path, say: Callable[[str], None]) -> None:
    """Make sure that this is the only `mystocks ui` of the instance, and that nobody else runs a daemon on it.

    Raises:
        InstanceError: Another one runs; the message names its process.
    """
    try:
        lock.claim(home / lock.UI_LOCK, "This project's web UI")
    except lock.LockHeld as held:
        place = ui_address(home)
        where = f", at {place} ({held.holder})" if place else f" or is starting: {held.holder}"
        raise InstanceError(
            f"This project's web UI runs already{where}. Stop that one first; two would take each other's runs."
        ) from None
    deadline, told = time.monotonic() + _ORPHAN_SECONDS, False
    while holder := lock.holder(home / lock.DAEMON_LOCK):
        if not holder.orphaned or time.monotonic() > deadline:
            raise InstanceError(
                f"A daemon runs already on this instance: {holder}. Stop it first; two would start everything twice."
            )
        if not told:
            say(f"waiting for the daemon of a web UI that was killed to end: {holder} …")
            told = True
        time.sleep(0.2)


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
