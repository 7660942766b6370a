"""Runs one server as a child that ends with its parent: `python child.py DESCRIPTOR CODE_SERVER ENTRY ARGUMENTS...`.

The descriptor is one end of a pipe whose other end only the parent holds. One byte means "begin": until then the child
only imports its modules, in parallel with the others. End of file means that the parent has ended, by whatever signal
and on every system; the child and all processes of its group, such as code servers, then end too. Workers of runs are
in their own sessions and go on. Only the standard library is imported: workspace.yaml may name another interpreter.
A fork of the supervisor calls `serve`.
"""

import contextlib
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import NoReturn

#: Seconds that the group has to end by itself.
_GRACE = 5.0
#: Seconds between two checks of the process in which a code server has loaded the project's code.
_CHECK_SECONDS = 1.0
#: The exit code of a code server whose process was killed (EX_SOFTWARE of sysexits.h).
_CODE_PROCESS_GONE = 70


def watch_parent(descriptor: int, begin: threading.Event) -> None:
    """Set `begin` at the first byte; end the group when the parent ends."""
    while os.read(descriptor, 1):
        begin.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpgrp(), signal.SIGINT)
        time.sleep(_GRACE)
        os.killpg(os.getpgrp(), signal.SIGKILL)


def watch_code_process(forker: int | None) -> None:
    """Exit when the process with the project's code was killed: Dagster's code server does not start it again.

    Args:
        forker: The process below this one that is not it.
    """
    try:
        import psutil
    except ImportError:  # another interpreter
        return
    server, code_process = psutil.Process(), None
    while True:
        time.sleep(_CHECK_SECONDS)
        if code_process is not None and code_process.is_running() and code_process.status() != psutil.STATUS_ZOMBIE:
            continue
        # A reload starts the next process before it ends the former.
        below = (process for process in server.children(recursive=True) if process.pid != forker)
        alive = [process for process in below if process.status() != psutil.STATUS_ZOMBIE]
        if code_process is not None and not alive:
            os._exit(_CODE_PROCESS_GONE)
        code_process = alive[0] if alive else None


def serve(
    descriptor: int, entry: str, arguments: Iterable[str], *, code_server: bool, forker: int | None = None
) -> NoReturn:
    """Import the entry's module, wait for the parent's byte, and run the entry.

    Args:
        descriptor: This process's end of the pipe.
        entry: `module:function`.
        arguments: Its command line.
        code_server: Whether it is a code server.
        forker: See `watch_code_process`.
    """
    os.set_inheritable(descriptor, False)
    begin = threading.Event()
    threading.Thread(target=watch_parent, args=(descriptor, begin), name="parent-watch", daemon=True).start()
    module, _, function = entry.partition(":")
    gc.disable()  # a third of the time of the imports, which leave nothing to collect
    if not code_server:  # such a one opens no storage: the process below it does, with scripts of its own
        importlib.import_module("mystocks_dagster.migration_scripts").read_once()
    run = getattr(importlib.import_module(module), function)
    gc.freeze()
    gc.enable()
    begin.wait()
    if code_server:
        threading.Thread(target=watch_code_process, args=(forker,), name="code-process-watch", daemon=True).start()
    sys.argv = [module, *arguments]
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(run())
    except KeyboardInterrupt:  # the server had not yet come to where it handles it
        sys.exit(128 + signal.SIGINT)


def main() -> NoReturn:
    """Run the server that the command line names."""
    # Until its work begins there is nothing to clean up: the signal to stop ends it at once and without a word. The
    # parent blocks that signal while it starts this process, so that one which came earlier arrives now.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # Replaces this file's folder, which Python puts first.
    sys.path[0] = os.getcwd()  # noqa: PTH109 - pathlib is not needed otherwise
    descriptor, code_server, entry, *arguments = sys.argv[1:]
    serve(int(descriptor), entry, arguments, code_server=code_server == "yes")


if __name__ == "__main__":
    main()
