"""Run one attempt of one task in its own process, and leave none of its processes behind."""

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

#: Seconds between two checks of `should_stop`.
_TICK = 0.2
#: Seconds that a process has to end after its result; a non-daemon thread would keep it alive for ever.
_LINGER = 5.0
_CHUNK = 65_536


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        result: The function's result; None when it did not return one.
        error: Why the attempt failed; None when it succeeded. A function that returned `status: failed` has both.
        seconds: Wall time, including the process's start and end.
        peak_rss: Peak resident memory of its largest process, in bytes; None when unknown.
        pid: The process id; None when the process never started.
    """

    result: TaskResult | None
    error: ErrorInfo | None
    seconds: float
    peak_rss: int | None
    pid: int | None


def run_attempt(
    spec: AttemptSpec,
    *,
    on_log: Callable[[LogLine], None],
    on_progress: Callable[[int, int, str], None],
    should_stop: Callable[[], bool] | threading.Event | None = None,
    on_output: OnOutput = to_own_streams,
) -> Outcome:
    """Run one attempt and wait for its end; a failure is an `Outcome`, not an exception.

    When this returns or raises, every process of the attempt has ended: at the latest 5 seconds after its timeout,
    after `should_stop` returned True, or after an exception (Dagster's interruption or Ctrl-C) reached the waiting
    thread. They also end when the calling process, or the parent of a multiprocessing child, is killed.

    Args:
        spec: What to run.
        on_log: Receives the function's log lines, in this thread.
        on_progress: Receives `(done, total, message)`, at most twice a second.
        should_stop: Called five times a second; True stops the attempt.
        on_output: Receives stdout and stderr of the task's process and its children; by default this process's streams.

    Raises:
        InvalidParams: A parameter cannot be sent to another process.
    """
    started = time.monotonic()
    attempt = _Attempt(spec, on_log, on_progress, on_output)
    message = spec.to_json()
    with SupervisedProcess(spec.timeout) as process:
        process.send(message)
        _listen(process, attempt, _stop_check(should_stop))
    return attempt.outcome(time.monotonic() - started)


def _listen(process: SupervisedProcess, attempt: "_Attempt", stop_requested: Callable[[], bool]) -> None:
    handlers = {
        process.report: attempt.on_report,
        process.stdout: attempt.stdout.feed,
        process.stderr: attempt.stderr.feed,
    }
    next_check = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for pipe, handler in {**handlers, process.status: attempt.on_status}.items():
            selector.register(pipe, selectors.EVENT_READ, handler)
        while process.status.fileno() in selector.get_map():
            for key, _ in selector.select(_TICK):
                if chunk := os.read(key.fd, _CHUNK):
                    key.data(chunk)
                else:
                    selector.unregister(key.fileobj)
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + _TICK
                if stop_requested() or attempt.lingers:
                    process.stop()
                process.check()
    process.wait()
    for pipe, handler in handlers.items():
        _drain(pipe.fileno(), handler)
    attempt.stdout.flush()
    attempt.stderr.flush()


def _drain(descriptor: int, handler: Callable[[bytes], None]) -> None:
    """Read what is left in a pipe; without blocking, since an unkillable process may still hold the other end."""
    os.set_blocking(descriptor, False)
    try:
        while chunk := os.read(descriptor, _CHUNK):
            handler(chunk)
    except BlockingIOError:
        return


def _stop_check(should_stop: Callable[[], bool] | threading.Event | None) -> Callable[[], bool]:
    requested = should_stop.is_set if isinstance(should_stop, threading.Event) else should_stop or (lambda: False)
    parent = multiprocessing.parent_process()  # a step's process must not outlive the run worker that started it
    return requested if parent is None else lambda: requested() or not parent.is_alive()


class _Attempt:
    """The state of an attempt while it runs."""

    def __init__(
        self,
        spec: AttemptSpec,
        on_log: Callable[[LogLine], None],
        on_progress: Callable[[int, int, str], None],
        on_output: OnOutput,
    ) -> None:
        self._spec, self._on_log, self._on_progress = spec, on_log, on_progress
        self._mask = Mask(spec.params, spec.secret)
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
        """Whether the process still runs some seconds after it sent its result."""
        return time.monotonic() - self._ended_at > _LINGER

    def on_report(self, chunk: bytes) -> None:
        """Handle records of the task's process."""
        for record in self._records.feed(chunk):
            match record:
                case {"kind": "log", "message": message, "level": level, "logger": logger, "time": moment}:
                    self._log(message, level=level, logger=logger, moment=moment)
                case {"kind": "progress", "done": done, "total": total, "message": message}:
                    self._on_progress(done, total, self._mask.text(message))
                case {"kind": "end"}:
                    self._end, self._ended_at = self._mask.plain(record), time.monotonic()

    def on_status(self, chunk: bytes) -> None:
        """Handle status lines of the guard."""
        *lines, self._status = (self._status + chunk).split(b"\n")
        for line in lines:
            match line.decode().split():
                case ["started", pid]:
                    self._pid = int(pid)
                case ["stopping", reason]:
                    self._stopping = reason if self._end is None else "late"
                    if self._stopping == "late":
                        self._log(f"it still ran {_LINGER:g} s after its result (a non-daemon thread?) and was ended")
                case ["stuck", *pids]:
                    who = ", ".join(pids)
                    self._log(f"processes {who} could not be ended (another user's, or stuck in the kernel?)")
                case ["ended", status, peak, left]:
                    self._exit = os.waitstatus_to_exitcode(int(status)), int(peak) * 1024
                    if int(left) and self._stopping is None:
                        self._log(f"{left} of the processes that it started outlived it and were ended")

    def outcome(self, seconds: float) -> Outcome:
        """Return how the attempt ended; call it when all of its processes have ended."""
        result, error = self._result_and_error(seconds)
        peak_rss = self._exit[1] if self._exit else None
        return Outcome(result=result, error=error, seconds=seconds, peak_rss=peak_rss, pid=self._pid)

    def _result_and_error(self, seconds: float) -> tuple[TaskResult | None, ErrorInfo | None]:
        traceback = self._end["error"]["traceback"] if self._end and "error" in self._end else ""
        if self._stopping == "timeout":
            message = f"timed out after {self._spec.timeout:g} s"
            return None, ErrorInfo(type="TaskTimedOut", message=message, retryable=True, traceback=traceback)
        if self._stopping == "stopped":
            message = f"stopped after {seconds:.1f} s"
            return None, ErrorInfo(type="TaskStopped", message=message, retryable=False, traceback=traceback)
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
                f"its process ended with exit code {code} and without a result "
                "(os._exit, or a library ended it); see its stderr."
            )
        name = signal.Signals(-code).name
        if -code == signal.SIGKILL:
            return (
                f"its process was killed by {name}; its memory peaked at {peak / 1e6:,.0f} MB. "
                "The machine may have run out of memory."
            )
        return f"its process was killed by {name} (a crash in a library's native code?); see its stderr."

    def _log(
        self, message: str, *, level: int = 30, logger: str = "mystocks_dagster.execution", moment: float | None = None
    ) -> None:
        line = LogLine(
            time=datetime.fromtimestamp(time.time() if moment is None else moment, SHANGHAI),
            level=level,
            logger=logger,
            message=self._mask.text(message),
            task_id=self._spec.task_id,
            run_id=self._spec.run_id,
            attempt=self._spec.attempt,
        )
        self._on_log(line)
