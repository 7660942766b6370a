"""Main program of a task's process: run the function and send its result to the caller."""

import contextlib
import faulthandler
import logging
import os
import signal
import sys
from typing import Any

from mystocks_dagster.errors import NotOffered
from mystocks_dagster.execution import failures, result_encoding
from mystocks_dagster.execution.attempt_spec import AttemptSpec
from mystocks_dagster.execution.call import call, find
from mystocks_dagster.execution.channel import Channel
from mystocks_dagster.execution.logs import forward_logs
from mystocks_dagster.execution.progress import Progress
from mystocks_dagster.tags import State


class Stopped(BaseException):
    """SIGTERM arrived: the function's `finally` blocks have the guard's grace period to clean up."""


def work(spec: AttemptSpec, channel: Channel) -> None:
    """Run one attempt in this process, which runs nothing else, and send its result or error."""
    process = os.getpid()
    stopping = _Stopping()
    progress = Progress(channel)
    try:
        forward_logs(channel, spec.module, spec.log_level)
        end = _run(spec, progress)
        stopping.ignore()
    except BaseException as error:  # noqa: BLE001 - any exception that leaves the function is the attempt's end
        stopping.ignore()
        end = {"error": failures.to_record(error)}
    if stopping.requested and "error" not in end:  # the function swallowed the exception and returned normally
        end = {"error": failures.to_record(Stopped("stopped by SIGTERM"))}
    if os.getpid() != process:  # a copy that the function forked and that reached the end of the function
        os._exit(1)
    progress.flush()
    _flush()
    channel.send("end", **end)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _run(spec: AttemptSpec, progress: Progress) -> dict[str, Any]:
    function = find(spec.module, spec.function)
    try:
        return {"result": result_encoding.to_record(call(function, spec.params, lambda: _open_run(spec, progress)))}
    except NotOffered as error:
        return {"result": {"status": State.SKIPPED, "message": str(error)}}


def _open_run(spec: AttemptSpec, progress: Progress) -> Any:
    from mystocks_dagster.settings import Settings
    from mystocks_dagster.tasks.run import TaskRun

    return TaskRun(
        task_id=spec.task_id,
        run_id=spec.run_id,
        attempt=spec.attempt,
        settings=Settings.from_env().of_file(lake=spec.lake, source=spec.source),
        logger=logging.getLogger(f"task.{spec.task_id}"),
        report_progress=progress,
        days=spec.days,
        source_override=spec.source_override,
        available_after=spec.available_after,
    )


class _Stopping:
    """Turns SIGTERM into an exception in the function, and writes the function's stack to stderr."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._on_signal)
        faulthandler.enable()
        faulthandler.register(signal.SIGTERM, all_threads=False, chain=True)  # works inside C code too

    def _on_signal(self, *_: object) -> None:
        self.requested = True
        raise Stopped("stopped by SIGTERM")

    def ignore(self) -> None:
        """Ignore SIGTERM from now on: the function has ended, and its result is sent first."""
        faulthandler.unregister(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the function closed it
            stream.flush()
