"""Progress of a task's function: at most two reports a second; the last report is always sent."""

import os
import threading

from mystocks_dagster.execution.channel import Channel

_PAUSE = 0.5


class Progress:
    """The callable behind `run.report_progress(done, total, message)`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pending: tuple[int, int, str] | None = None
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start without a timer: a forked worker does not inherit the timer's thread."""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Report that `done` of `total` is done; a report that comes too soon is replaced by the next one."""
        with self._lock:
            self._pending = (int(done), int(total), str(message))
            if self._timer is None:
                self._send()

    def flush(self) -> None:
        """Send the pending report, and stop."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._pending is not None:
                self._send(again=False)

    def _send(self, *, again: bool = True) -> None:
        assert self._pending is not None
        done, total, message = self._pending
        self._pending = None
        self._channel.send("progress", done=done, total=total, message=message)
        self._timer = None
        if again:
            self._timer = threading.Timer(_PAUSE, self._on_time)
            self._timer.daemon = True
            self._timer.start()

    def _on_time(self) -> None:
        with self._lock:
            if self._pending is not None:
                self._send()
            else:
                self._timer = None
