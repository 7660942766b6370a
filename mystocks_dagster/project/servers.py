"""The web UI and the daemon as one foreground service."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from mystocks_dagster.addresses import check_host
from mystocks_dagster.alerts.daemon_watch import watching
from mystocks_dagster.dagster_internals import SERVER_MODULES, ConfigurableClassData, InstanceRef
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.factory.forking import prepare
from mystocks_dagster.instance import ADDRESS_FILE, DAGSTER_PATH, address_note, open_instance, prepare_home
from mystocks_dagster.instance import ui_address as ui_address  # part of this module's interface
from mystocks_dagster.processes import lock
from mystocks_dagster.processes.commands import address as reached
from mystocks_dagster.processes.commands import commands, socket_folder
from mystocks_dagster.processes.fork import can_fork, in_a_fork
from mystocks_dagster.processes.supervisor import Supervisor
from mystocks_dagster.project import reload_state
from mystocks_dagster.project.users import check_door
from mystocks_dagster.scheduling.switches import note_intervals
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import load_usable
from mystocks_dagster.taskfile.problems import TaskFileError

#: A daemon whose `mystocks ui` was killed exits within so many seconds.
_ORPHAN_SECONDS = 20.0
#: Postgres gives the lock of a process that has ended back within so many seconds.
_LOCK_SECONDS = 2.0
_STOP = (signal.SIGINT, signal.SIGTERM)


def serve(
    settings: Settings,
    host: str,
    port: int,
    report: Callable[[str], None],
    ready: Callable[[str], None] = lambda _address: None,
) -> int:
    """Start code server, daemon and web server, report the address, and keep them running until a signal to stop.

    Active runs continue: each is a separate process, and the next daemon takes over.

    Args:
        settings: The project.
        host: Address to listen on.
        port: Port to listen on; if it is in use, the next free one.
        report: Takes each line for the person at the terminal.
        ready: Takes the address once the pages answer.

    Returns:
        The exit code: 0 after a signal to stop, 1 if a server could not be kept running.

    Raises:
        SettingsError: It would be reachable from other machines without a token.
        InstanceError: The servers are running already, or did not start; the message says where to look.
    """
    check_host(settings, host)
    home = prepare_home(settings)
    open_instance(settings).dispose()  # it creates the storage before several servers try to at once
    check_door(settings)
    stop_requested = stop_on_signals()
    _claim(home, report)
    try:
        return _serve(settings, home, host, port, report, ready, stop_requested)
    except KeyboardInterrupt:
        return 0
    finally:
        lock.release(home / lock.UI_LOCK)


def _serve(
    settings: Settings,
    home: Path,
    host: str,
    port: int,
    report: Callable[[str], None],
    ready: Callable[[str], None] = lambda _address: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> int:
    chosen = free_port(host, port)
    if chosen != port and port:
        report(f"Port {port} is in use; using {chosen}.")
    report(f"Starting the web server, Dagster's daemon, and the code server that loads {settings.task_file.name} …")
    servers = commands(settings, socket_folder(home), host, chosen)
    supervisor = Supervisor(servers, settings.root, report, stop_requested, forks=_prepare_forks(home))
    address_file = home / ADDRESS_FILE
    address_file.unlink(missing_ok=True)  # left by a killed `mystocks ui`
    reload_state.forget(settings)
    try:
        supervisor.start()
        in_a_fork(lambda: _note_intervals(settings))
        supervisor.wait_until_ready()
        address = reached(host, chosen)
        address_file.write_text(address_note(address), encoding="utf-8")
        report(f"\nMyStocks is at {address} (stop with Ctrl-C); Dagster's own UI: {address}{DAGSTER_PATH}")
        ready(address)
        with watching(settings) as watch:
            reason = supervisor.run()
            report(f"Giving up: {reason}. See the lines above.")
            watch.check(stopped=f"Dagster 的进程意外退出（{reason}）")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        _ignore_signals()
        if stop_requested():
            report("stopping the servers …")
        address_file.unlink(missing_ok=True)
        supervisor.stop()
        _forget_heartbeats(settings, home)


def _forget_heartbeats(settings: Settings, home: Path) -> None:
    """Remove the last heartbeat of this process's daemon, which would look like a running one for some time."""
    # A database that does not answer keeps it. Another machine's daemon, which may have refused this one, needs its.
    with contextlib.suppress(InstanceError):
        if _daemon_on_database(home) is None:
            with open_instance(settings) as instance:
                instance.wipe_daemon_heartbeats()


def _daemon_on_database(home: Path) -> str | None:
    """Return the daemon that holds the database's lock; one that has just ended has some time to lose it."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while (found := database_lock.holder(home)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _prepare_forks(home: Path) -> bool:
    """Import what the servers share; return whether they can be forks of this process."""
    try:
        parts = [
            part.module_name for part in InstanceRef.from_dir(str(home)) if isinstance(part, ConfigurableClassData)
        ]
        return can_fork() and prepare([*SERVER_MODULES, *parts])
    except Exception:  # noqa: BLE001 - the server that needs it reports the error
        return False


def _note_intervals(settings: Settings) -> None:
    with contextlib.suppress(TaskFileError):  # the code location reports the problems of the file
        note_intervals(settings, load_usable(settings, functions=False).taskfile)


def _claim(home: Path, report: Callable[[str], None]) -> None:
    """Make sure that this is the only `mystocks ui` of the instance, and that no other daemon runs on it.

    Raises:
        InstanceError: Another one is running, here or on another machine; the message names its process.
    """
    try:
        lock.claim(home / lock.UI_LOCK, "This project's web UI")
    except lock.LockHeld as held:
        address = ui_address(home)
        where = f", at {address} ({held.holder})" if address else f", or starting: {held.holder}"
        raise InstanceError(
            f"This project's web UI is running already{where}. Stop it first; two would take each other's runs."
        ) from None
    deadline, reported = time.monotonic() + _ORPHAN_SECONDS, False
    while holder := lock.holder(home / lock.DAEMON_LOCK):
        if not holder.orphaned or time.monotonic() > deadline:
            raise InstanceError(
                f"A daemon runs already on this instance: {holder}. Stop it first; two would start runs twice."
            )
        if not reported:
            report(f"waiting until the daemon of a killed web UI exits: {holder} …")
            reported = True
        time.sleep(0.2)
    if elsewhere := _daemon_on_database(home):
        raise InstanceError(
            f"A daemon runs already on this instance: {elsewhere}. Stop it first; two would start runs twice."
        )


def stop_on_signals() -> Callable[[], bool]:
    """Raise KeyboardInterrupt on SIGTERM and SIGINT, so that the servers are stopped in order.

    Returns:
        A function that says whether a signal has arrived: an interrupt within a finalizer or an import is lost.
    """
    requested = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        requested.set()
        raise KeyboardInterrupt

    # SIGINT too: a process that a shell starts in the background ignores it by default.
    for number in _STOP:
        signal.signal(number, stop)
    return requested.is_set


def _ignore_signals() -> None:
    """Ignore further stop signals, such as a second Ctrl-C: the servers are stopping already."""
    for number in _STOP:
        signal.signal(number, signal.SIG_IGN)


def free_port(host: str, port: int) -> int:
    """Return `port`, or the next free one; for 0 one that the system chooses.

    Raises:
        InstanceError: The host is not an address of this machine, or a hundred consecutive ports are in use.
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
            return int(probe.getsockname()[1])
    raise InstanceError(f"Ports {port} to {port + 99} are all in use; choose another with --port.")


_FOREIGN_HOST = {99, 49, -2}  # EADDRNOTAVAIL on Linux and macOS, a name that does not resolve
