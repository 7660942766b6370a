"""The inside of a task's process: run the function, tell the caller how it ended."""

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
    """SIGTERM arrived: the function's `finally` blocks have the guard's grace to put things in order."""


def work(body: AttemptSpec, channel: Channel) -> None:
    """Run one attempt in this process, which is the task's alone, and send how it ended."""
    process = os.getpid()
    stopping = _Stopping()
    progress = Progress(channel)
    try:
        forward_logs(channel, body.module, body.log_level)
        end = _perform(body, progress)
        stopping.over()
    except BaseException as error:  # noqa: BLE001 - whatever leaves the function is how the attempt ended
        stopping.over()
        end = {"error": failures.to_record(error)}
    if stopping.asked and "error" not in end:  # it swallowed the exception and returned as if all were well
        end = {"error": failures.to_record(Stopped("stopped by SIGTERM"))}
    if os.getpid() != process:  # a copy that the function forked and that ran out of its code
        os._exit(1)
    progress.flush()
    _flush()
    channel.send("end", **end)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _perform(body: AttemptSpec, progress: Progress) -> dict[str, Any]:
    function = find(body.module, body.function)
    try:
        return {"result": result_encoding.to_record(call(function, body.params, lambda: _open_run(body, progress)))}
    except NotOffered as error:
        return {"result": {"status": State.SKIPPED, "message": str(error)}}


def _open_run(body: AttemptSpec, progress: Progress) -> Any:
    from mystocks_dagster.settings import Settings
    from mystocks_dagster.tasks.run import TaskRun

    return TaskRun(
        task_id=body.task_id,
        run_id=body.run_id,
        attempt=body.attempt,
        settings=Settings.from_env().of_file(lake=body.lake, source=body.source),
        logger=logging.getLogger(f"task.{body.task_id}"),
        report_progress=progress,
        days=body.days,
        source_override=body.source_override,
    )


class _Stopping:
    """Turns SIGTERM into an exception in the function, and shows on stderr where it stood."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._on_signal)
        faulthandler.enable()
        faulthandler.register(signal.SIGTERM, all_threads=False, chain=True)  # works inside C code too

    def _on_signal(self, *_: object) -> None:
        self.asked = True
        raise Stopped("stopped by SIGTERM")

    def over(self) -> None:
        """The function has ended: let its result get out first."""
        faulthandler.unregister(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the function closed it
            stream.flush()
