"""Run one attempt of one task in a process of its own, and be sure that nothing of it is left afterwards."""

import multiprocessing
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mystocks_dagster.errors import TaskFailed
from mystocks_dagster.execution.attempt_spec import AttemptSpec
from mystocks_dagster.execution.channel import Records
from mystocks_dagster.execution.failures import ErrorInfo
from mystocks_dagster.execution.logs import LogLine
from mystocks_dagster.execution.masking import Mask
from mystocks_dagster.execution.output import Lines, OnOutput, to_own_streams
from mystocks_dagster.execution.result_encoding import from_record
from mystocks_dagster.execution.supervised_process import SupervisedProcess
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.run import TaskResult

#: Seconds between two questions whether to stop.
_TICK = 0.2
#: Seconds that a process has to end after its result; a thread that is no daemon would keep it for ever.
_LINGER = 5.0
_CHUNK = 65_536


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        result: What the function returned; None when it did not come to that.
        error: Why the attempt failed; None when it did not. A function that returned `status: failed` has both.
        seconds: Wall time, with the process's start and end.
        peak_rss: Bytes of memory that the largest of its processes held at its largest; None when unknown.
        pid: The process's id; None when it never started.
    """

    result: TaskResult | None
    error: ErrorInfo | None
    seconds: float
    peak_rss: int | None
    pid: int | None


def run_attempt(
    body: AttemptSpec,
    *,
    on_log: Callable[[LogLine], None],
    on_progress: Callable[[int, int, str], None],
    should_stop: Callable[[], bool] | threading.Event | None = None,
    on_output: OnOutput = to_own_streams,
) -> Outcome:
    """Run one attempt and wait for its end; a failure is an `Outcome`, not an exception.

    When this returns or raises, every process of the attempt is gone: at the latest 5 seconds after its timeout, after
    `should_stop` said yes, or after an exception (an interruption of Dagster's or Ctrl-C) hit the waiting thread. They
    also go when the calling process is killed, or is a multiprocessing child whose parent is.

    Args:
        body: What to run.
        on_log: Gets the function's log lines, in this thread.
        on_progress: Gets `(done, total, message)`, at most twice a second.
        should_stop: Asked five times a second; True stops the attempt.
        on_output: Gets what the body and its children write to stdout and stderr; by default it goes to this process's.

    Raises:
        InvalidParams: A parameter cannot be sent to another process.
    """
    started = time.monotonic()
    attempt = _Attempt(body, on_log, on_progress, on_output)
    message = body.to_json()
    with SupervisedProcess(body.timeout) as guarded:
        guarded.send(message)
        _listen(guarded, attempt, _asks_to_stop(should_stop))
    return attempt.outcome(time.monotonic() - started)


def _listen(guarded: SupervisedProcess, attempt: "_Attempt", asks_to_stop: Callable[[], bool]) -> None:
    hearers = {
        guarded.report: attempt.on_report,
        guarded.stdout: attempt.stdout.feed,
        guarded.stderr: attempt.stderr.feed,
    }
    ask_at = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for pipe, hear in {**hearers, guarded.status: attempt.on_status}.items():
            selector.register(pipe, selectors.EVENT_READ, hear)
        while guarded.status.fileno() in selector.get_map():
            for key, _ in selector.select(_TICK):
                if chunk := os.read(key.fd, _CHUNK):
                    key.data(chunk)
                else:
                    selector.unregister(key.fileobj)
            if time.monotonic() >= ask_at:
                ask_at = time.monotonic() + _TICK
                if asks_to_stop() or attempt.lingers:
                    guarded.stop()
                guarded.check()
    guarded.wait()
    for pipe, hear in hearers.items():
        _drain(pipe.fileno(), hear)
    attempt.stdout.flush()
    attempt.stderr.flush()


def _drain(descriptor: int, hear: Callable[[bytes], None]) -> None:
    """Read what the dead have written; a process that could not be killed may still hold the other end."""
    os.set_blocking(descriptor, False)
    try:
        while chunk := os.read(descriptor, _CHUNK):
            hear(chunk)
    except BlockingIOError:
        return


def _asks_to_stop(should_stop: Callable[[], bool] | threading.Event | None) -> Callable[[], bool]:
    asked = should_stop.is_set if isinstance(should_stop, threading.Event) else should_stop or (lambda: False)
    parent = multiprocessing.parent_process()  # a step's process must not outlive the run worker that started it
    return asked if parent is None else lambda: asked() or not parent.is_alive()


class _Attempt:
    """What is known of an attempt while it runs."""

    def __init__(
        self,
        body: AttemptSpec,
        on_log: Callable[[LogLine], None],
        on_progress: Callable[[int, int, str], None],
        on_output: OnOutput,
    ) -> None:
        self._body, self._on_log, self._on_progress = body, on_log, on_progress
        self._mask = Mask(body.params, body.secret)
        self.stdout = Lines("stdout", self._mask, on_output)
        self.stderr = Lines("stderr", self._mask, on_output)
        self._records = Records()
        self._status = b""
        self._pid: int | None = None
        self._stopping: str | None = None  # why the guard ended it: timeout, stopped, or late (it had its result)
        self._end: Mapping[str, Any] | None = None
        self._ended_at = float("inf")
        self._exit: tuple[int, int] | None = None

    @property
    def lingers(self) -> bool:
        """Whether the process has given its result some time ago and still runs."""
        return time.monotonic() - self._ended_at > _LINGER

    def on_report(self, chunk: bytes) -> None:
        """Take what the body reports."""
        for record in self._records.feed(chunk):
            match record:
                case {"kind": "log", "message": message, "level": level, "logger": logger, "time": moment}:
                    self._log(message, level=level, logger=logger, moment=moment)
                case {"kind": "progress", "done": done, "total": total, "message": message}:
                    self._on_progress(done, total, self._mask.text(message))
                case {"kind": "end"}:
                    self._end, self._ended_at = self._mask.plain(record), time.monotonic()

    def on_status(self, chunk: bytes) -> None:
        """Take what the guard says."""
        *lines, self._status = (self._status + chunk).split(b"\n")
        for line in lines:
            match line.decode().split():
                case ["started", pid]:
                    self._pid = int(pid)
                case ["stopping", reason]:
                    self._stopping = reason if self._end is None else "late"
                    if self._stopping == "late":
                        self._log(
                            f"it still ran {_LINGER:g} s after its result (a thread that is no daemon?) and was ended"
                        )
                case ["stuck", *pids]:
                    self._log(
                        f"processes {', '.join(pids)} could not be ended (another user's, or stuck in the kernel?)"
                    )
                case ["ended", status, peak, left]:
                    self._exit = os.waitstatus_to_exitcode(int(status)), int(peak) * 1024
                    if int(left) and self._stopping is None:
                        self._log(f"{left} of the processes that it started outlived it and were ended")

    def outcome(self, seconds: float) -> Outcome:
        """Return how it ended; call it when all is over."""
        result, error = self._judged(seconds)
        return Outcome(
            result=result, error=error, seconds=seconds, peak_rss=self._exit[1] if self._exit else None, pid=self._pid
        )

    def _judged(self, seconds: float) -> tuple[TaskResult | None, ErrorInfo | None]:
        where = self._end["error"]["traceback"] if self._end and "error" in self._end else ""
        if self._stopping == "timeout":
            return None, ErrorInfo(
                type="TaskTimedOut",
                message=f"timed out after {self._body.timeout:g} s",
                retryable=True,
                traceback=where,
            )
        if self._stopping == "stopped":
            return None, ErrorInfo(
                type="TaskStopped", message=f"stopped after {seconds:.1f} s", retryable=False, traceback=where
            )
        if self._end is None:
            return None, ErrorInfo(type="TaskCrashed", message=self._crash(), retryable=True)
        if "error" in self._end:
            return None, ErrorInfo(**self._end["error"])
        result = from_record(self._end["result"])
        if result.status != State.FAILED:
            return result, None
        message = result.error or result.message or "the function returned status 'failed' and no error."
        return result, ErrorInfo(type="TaskFailed", message=message, retryable=TaskFailed.retryable)

    def _crash(self) -> str:
        if self._exit is None:
            return "its guard process was killed, and the function with it."
        code, peak = self._exit
        if code >= 0:
            return (
                f"its process ended with exit code {code} and without a result (os._exit, or a library "
                "ended it); see its stderr."
            )
        name = signal.Signals(-code).name
        if -code == signal.SIGKILL:
            return (
                f"its process was killed by {name} at {peak / 1e6:,.0f} MB of memory at its peak; the "
                "machine may have run out of it."
            )
        return f"its process was killed by {name} (a crash in a library's machine code?); see its stderr."

    def _log(
        self, message: str, *, level: int = 30, logger: str = "mystocks_dagster.execution", moment: float | None = None
    ) -> None:
        line = LogLine(
            time=datetime.fromtimestamp(time.time() if moment is None else moment, SHANGHAI),
            level=level,
            logger=logger,
            message=self._mask.text(message),
            task_id=self._body.task_id,
            run_id=self._body.run_id,
            attempt=self._body.attempt,
        )
        self._on_log(line)
