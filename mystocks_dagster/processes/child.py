"""Runs one server as a child that ends with its parent: `python child.py DESCRIPTOR CODE_SERVER ENTRY ARGUMENTS...`.

The descriptor is the end of a pipe whose other end only the parent holds. One byte in it means "begin": until then the
child
only imports what it needs, beside the others. Its end means that the parent has ended, however it was killed, on every
system; the child and all processes of its group, such as code servers, end then. Workers of runs are in sessions of
their own
and go on. Imports only what every interpreter brings: workspace.yaml may name another one.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import time

#: Seconds that the group has to end by itself.
_GRACE = 5.0
#: Seconds between two looks at the process that a code server keeps the project's code in.
_LOOK = 1.0
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


def watch_code_process() -> None:
    """End when the process that holds the project's code was killed: Dagster's code server does not start it again."""
    try:
        import psutil
    except ImportError:  # another interpreter
        return
    own, known = psutil.Process(), None
    while True:
        time.sleep(_LOOK)
        if known is not None and known.is_running() and known.status() != psutil.STATUS_ZOMBIE:
            continue
        # A reload starts another one before it ends the former.
        alive = [one for one in own.children() if one.status() != psutil.STATUS_ZOMBIE]
        if known is not None and not alive:
            os._exit(_CODE_PROCESS_GONE)
        known = alive[0] if alive else None


def main() -> None:
    """Import, wait for the parent's byte, and run."""
    descriptor, code_server, entry, *arguments = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)
    # Not this file's folder, which Python puts first.
    sys.path[0] = os.getcwd()  # noqa: PTH109 - pathlib is not needed otherwise
    begin = threading.Event()
    threading.Thread(target=watch_parent, args=(int(descriptor), begin), name="parent-watch", daemon=True).start()
    module, _, function = entry.partition(":")
    run = getattr(importlib.import_module(module), function)
    begin.wait()
    if code_server == "yes":
        threading.Thread(target=watch_code_process, name="code-process-watch", daemon=True).start()
    sys.argv = [module, *arguments]
    sys.exit(run())


if __name__ == "__main__":
    main()
