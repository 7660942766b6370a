"""The task's process begins here, as a script: `python -P child.py DESCRIPTOR`, with the attempt on standard input."""

import io
import json
import os
import sys


def main() -> None:
    """Take over the caller's module path, then run the attempt."""
    call = json.load(sys.stdin.buffer)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path[:] = call["path"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    # only now: until here the package may not be on the path
    from mystocks_dagster.execution.attempt_spec import AttemptSpec
    from mystocks_dagster.execution.channel import Channel
    from mystocks_dagster.execution.task_process import work

    work(AttemptSpec.from_json(call["body"]), Channel(int(sys.argv[1])))


if __name__ == "__main__":
    main()
