"""The process of the fork server: it imports what runs need, and forks at each request. See `fork_server`."""

import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mystocks_dagster.dagster_internals import RUN_COMMAND_MODULE
from mystocks_dagster.execution.heartbeat import ProcessIdentity
from mystocks_dagster.factory.fork_server import IDENTITY_FILE, receive, send
from mystocks_dagster.gc_tuning import tune_gc
from mystocks_dagster.migration_scripts import read_once

#: What the process of each run imports, and no module of the user's.
PRELOAD = (
    "dagster",
    RUN_COMMAND_MODULE,
    "mystocks_dagster.definitions",
    "mystocks_dagster.factory.single_job",
    "mystocks_dagster.factory.step",
    "mystocks_dagster.factory.worker",
    "mystocks_dagster.runs.stop",
)
_THREADS = Path("/proc/self/task")


def main() -> None:
    """Serve the line whose descriptor is the first argument; in a forked process, execute its run.

    The other arguments are modules to import.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tune_gc()
    descriptor, *modules = sys.argv[1:]
    try:
        _prepare(modules)
    except Exception as error:  # noqa: BLE001 - imports and Dagster raise anything; a run's own process tells all of it
        sys.exit(f"mystocks: runs start without the fork server, which cannot be prepared: {error!r}")
    if (threads := len(list(_THREADS.iterdir()))) != 1:
        sys.exit(f"mystocks: runs start without the fork server, which has {threads} threads after its imports.")
    request = _serve(socket.socket(fileno=int(descriptor)))
    if request is not None:
        from mystocks_dagster.factory.worker import run

        run(request["arguments"])


def _prepare(modules: Iterable[str]) -> None:
    for module in (*PRELOAD, *modules):
        importlib.import_module(module)
    read_once()
    _rehearse()
    gc.collect()
    gc.freeze()  # a collection would copy the memory that all forks share


def _rehearse() -> None:
    """Execute a run that does nothing, in a folder of its own: Dagster imports many modules at their first use."""
    import dagster as dg

    @dg.op
    def nothing() -> None:
        pass

    @dg.job(executor_def=dg.in_process_executor)
    def rehearsal() -> None:
        nothing()

    logging.disable()
    quiet = {"telemetry": {"enabled": False}}
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder, overrides=quiet) as instance:
        rehearsal.execute_in_process(instance=instance)
    logging.disable(logging.NOTSET)


def _serve(line: socket.socket) -> Mapping[str, Any] | None:
    """Fork at each request until the caller ends; return None in the server and the request in a forked process."""
    files = _states(path for module in list(sys.modules.values()) if (path := getattr(module, "__file__", None)))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps
    line.sendall(b".")
    while request := receive(line):
        if files != _states(files):  # the package was upgraded or edited: the next server imports it anew
            return None
        permission, permit = os.pipe()
        if (pid := os.fork()) == 0:
            line.close()
            os.close(permit)
            _become(request, permission)
            return request
        os.close(permission)
        identity = Path(request["folder"]) / IDENTITY_FILE
        scratch = identity.with_suffix(".part")
        scratch.write_text(json.dumps(ProcessIdentity.of(pid).to_dict()), encoding="ascii")
        scratch.replace(identity)
        os.write(permit, b".")
        os.close(permit)
        send(line, pid)
    return None


def _become(request: Mapping[str, Any], permission: int) -> None:
    """Turn this fork into the process of a run, once the server has written down that it exists."""
    if not os.read(permission, 1):  # the server was killed
        os._exit(1)
    os.close(permission)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(Path(request["folder"]) / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["environment"])


def _states(files: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return what changes when a file is replaced or edited."""
    states = {}
    for path in files:
        try:
            status = os.stat(path)  # noqa: PTH116 - two thousand of them at each fork
        except OSError:
            states[path] = (0, 0)
        else:
            states[path] = (status.st_mtime_ns, status.st_ino)
    return states
