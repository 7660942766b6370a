"""Commands in processes that are forked from one with all imports done: each saves a quarter of a second to two seconds
of processor time.

A forked command is a process as any other, with its own folder, environment, output and exit code. It has not started
an interpreter and imported the program: where a test is about that, it starts one.
"""

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_PROGRAM = "mystocks_dagster.cli.main"
_TESTS = Path(__file__).parent.parent
#: What most commands import.
_PRELOAD = (_PROGRAM, "mystocks_dagster.cli.follow", "mystocks_dagster.project.project", "mystocks_dagster.runs.launch")
#: The width of what is printed is read when the program is imported.
_COLUMNS = os.environ.get("COLUMNS")
#: A request is one message: the arguments and the environment.
_LONGEST_REQUEST = 200_000


def can_run(env: Mapping[str, str], own: Mapping[str, str], folder: Path) -> bool:
    """Return whether a fork does what a new interpreter would do.

    Args:
        env: The command's environment.
        own: Those of its variables that the test has set.
        folder: The project. It may hold a copy of the package, which a new interpreter would import.
    """
    ours = all(name.startswith(("MYSTOCKS_", "DAGSTER_")) for name in own)
    same = env.get("COLUMNS") == _COLUMNS and not (folder / "mystocks_dagster").exists()
    return sys.platform == "linux" and ours and same


def run_forked(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `mystocks` with arguments, and return what `subprocess.run` would.

    Raises:
        subprocess.TimeoutExpired: It has not ended after `timeout` seconds; it was killed.
    """
    reply, far = socket.socketpair()
    pipes = [os.pipe(), os.pipe()]
    request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
    with far, _lock:
        socket.send_fds(_server(), [request], [*(write for _, write in pipes), far.fileno()])
    for _, write in pipes:
        os.close(write)
    with reply:
        reply.settimeout(timeout)
        pid = int.from_bytes(reply.recv(8))
        output = _read_all([read for read, _ in pipes], time.monotonic() + timeout)
        if output is None:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        code = int.from_bytes(reply.recv(8), signed=True)
    return subprocess.CompletedProcess(list(arguments), code, *output)


_lock = threading.Lock()


def _read_all(descriptors: list[int], deadline: float) -> list[str] | None:
    """Return what comes until all ends are closed; None at the deadline."""
    found: dict[int, bytes] = dict.fromkeys(descriptors, b"")
    with selectors.DefaultSelector() as waiting:
        for descriptor in descriptors:
            waiting.register(descriptor, selectors.EVENT_READ)
        while waiting.get_map() and time.monotonic() < deadline:
            for key, _ in waiting.select(max(0.0, deadline - time.monotonic())):
                content = os.read(key.fd, 65536)
                found[key.fd] += content
                if not content:
                    waiting.unregister(key.fd)
        ended = not waiting.get_map()
    for descriptor in descriptors:
        os.close(descriptor)
    return [found[descriptor].decode() for descriptor in descriptors] if ended else None


@cache
def _server() -> socket.socket:
    """Start the server, which ends with this process, and return the line to it."""
    line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    others = ("MYSTOCKS_", "DAGSTER_", "COLUMNS")
    env = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    env |= {} if _COLUMNS is None else {"COLUMNS": _COLUMNS}
    env["PYTHONPATH"] = os.pathsep.join((str(_TESTS), str(_TESTS / "support" / "quick")))
    program = f"from support.forked_commands import serve; serve({far.fileno()})"
    with far:
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd="/",
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(far.fileno(),),
        )
    return line


def serve(descriptor: int) -> None:
    """Fork a command at each request, until the other side ends."""
    from mystocks_dagster.factory import forking
    from mystocks_dagster.processes.fork import can_fork

    line = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in _PRELOAD:
        importlib.import_module(module)
    assert forking.prepare(())
    assert can_fork()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps
    while True:
        content, descriptors, _, _ = socket.recv_fds(line, _LONGEST_REQUEST, 3)
        if not content:
            return
        if os.fork() == 0:
            line.close()
            _answer(json.loads(content), *descriptors)
        for one in descriptors:
            os.close(one)


def _answer(request: Mapping[str, Any], output: int, errors: int, reply: int) -> None:
    """Start the command, tell its process, and its exit code when it has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (pid := os.fork()) == 0:
        os.close(reply)
        _become(request, output, errors)
    os.close(output)
    os.close(errors)
    with socket.socket(fileno=reply) as told:
        told.sendall(pid.to_bytes(8))
        _, status = os.waitpid(pid, 0)
        told.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, signed=True))
    os._exit(0)


def _become(request: Mapping[str, Any], output: int, errors: int) -> None:
    """Turn this fork into the command, and end as an interpreter does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, standard in ((output, 1), (errors, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    gc.enable()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    paths = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    kept = [path for path in sys.path if path and not Path(path).is_relative_to(_TESTS)]
    sys.path[:] = [request["cwd"], *paths, *kept]
    program = sys.modules["__main__"] = sys.modules[_PROGRAM]
    sys.argv = [str(program.__file__), *request["arguments"]]
    code = 1
    try:
        program.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
