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
from functools import cache
from pathlib import Path
from typing import Any

from mystocks_dagster.dagster_internals import RUN_COMMAND_MODULE
from mystocks_dagster.execution.heartbeat import ProcessIdentity
from mystocks_dagster.factory.fork_server import IDENTITY_FILE
from mystocks_dagster.gc_tuning import tune_gc
from mystocks_dagster.migration_scripts import read_once
from mystocks_dagster.processes.fork import can_fork
from mystocks_dagster.processes.imported import ImportedFiles
from mystocks_dagster.processes.messages import receive, send
from mystocks_dagster.processes.title import set_title

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


def main() -> None:
    """Serve, in a new interpreter, the line whose descriptor is the argument."""
    serve(socket.socket(fileno=int(sys.argv[1])))


def serve(line: socket.socket) -> None:
    """Serve until the caller ends; in a forked process, execute its run.

    The first message names modules to import; each other one is a request.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getsid(0) != os.getpid():
        os.setsid()  # nothing meant for the daemon's group is meant for it
    tune_gc()
    modules = receive(line)
    if modules is None:
        return
    try:
        safe = prepare(modules)
    except Exception as error:  # noqa: BLE001 - imports and Dagster raise anything; a run's own process tells all of it
        sys.exit(f"mystocks: runs start without the fork server, which cannot be prepared: {error!r}")
    if not safe:
        sys.exit("mystocks: runs start without the fork server, which has threads after its imports.")
    request = _serve(line)
    if request is not None:
        from mystocks_dagster.factory.worker import run

        run(request["arguments"])


def prepare(modules: Iterable[str]) -> bool:
    """Import what runs need, and more modules; return whether forks of this process are safe then."""
    gc.disable()  # the imports leave nothing to collect
    for module in (*PRELOAD, *modules):
        importlib.import_module(module)
    read_once()
    _rehearse()
    ImportedFiles.now()  # for the forks too
    gc.collect()
    gc.freeze()  # a collection would copy the memory that all forks share
    gc.enable()
    return can_fork()


@cache
def _rehearse() -> None:
    """Execute a run that does nothing, in a folder of its own: Dagster imports many modules at their first use.

    A fork of a process that has done it need not do it again.
    """
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
    files = ImportedFiles.now()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps
    try:
        line.sendall(b".")
    except OSError:  # the caller has ended meanwhile
        return None
    while request := receive(line):
        if files.changed():  # the package was upgraded or edited: the next server imports it again
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
    set_title(f"run {Path(request['folder']).name}")
    os.environ.clear()
    os.environ.update(request["environment"])
