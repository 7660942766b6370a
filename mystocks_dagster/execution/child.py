"""Entry point of a task's process, a script: `python -P child.py DESCRIPTOR`, with the attempt on standard input."""

import io
import json
import os
import sys


def main() -> None:
    """Adopt the caller's module path, then run the attempt."""
    attempt = json.load(sys.stdin.buffer)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path[:] = attempt["path"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    # Imported here: before this line the package may not be on the path.
    from mystocks_dagster.execution.attempt_spec import AttemptSpec
    from mystocks_dagster.execution.channel import Channel
    from mystocks_dagster.execution.task_process import work

    work(AttemptSpec.from_json(attempt["spec"]), Channel(int(sys.argv[1])))


if __name__ == "__main__":
    main()
