"""Progress of a task's function: at most two reports a second, the last one always."""

import os
import threading

from mystocks_dagster.execution.channel import Channel

_PAUSE = 0.5


class Progress:
    """What a function calls as `run.report_progress(done, total, message)`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: tuple[int, int, str] | None = None
        self._fresh()
        os.register_at_fork(after_in_child=self._fresh)

    def _fresh(self) -> None:
        """Start without a timer, as in a forked worker, which has no thread but its own."""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Report that `done` of `total` is done; reports that come too quickly give way to later ones."""
        with self._lock:
            self._waiting = (int(done), int(total), str(message))
            if self._timer is None:
                self._send()

    def flush(self) -> None:
        """Send the report that waits, and stop."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._waiting is not None:
                self._send(again=False)

    def _send(self, *, again: bool = True) -> None:
        assert self._waiting is not None
        done, total, message = self._waiting
        self._waiting = None
        self._channel.send("progress", done=done, total=total, message=message)
        self._timer = None
        if again:
            self._timer = threading.Timer(_PAUSE, self._on_time)
            self._timer.daemon = True
            self._timer.start()

    def _on_time(self) -> None:
        with self._lock:
            if self._waiting is not None:
                self._send()
            else:
                self._timer = None
