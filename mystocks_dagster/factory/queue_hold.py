"""While the starts of a minute are being asked for, the queue starts no run.

The queue starts runs by their priority. A critical run must not find its slot taken by an ordinary one that was due in
the same minute and happened to be asked for before it. Nor should the first runs take the processor from the rest.
"""

import threading
import time

#: The longest time in seconds for which the queue waits, in each minute.
_LIMIT = 10.0


class QueueHold:
    """Held by the daemon of schedules, waited for by that of the queue, which are threads of one process."""

    def __init__(self, limit: float = _LIMIT) -> None:
        """Begin free.

        Args:
            limit: The longest time in seconds for which the queue waits.
        """
        self._limit = limit
        self._free = threading.Event()
        self._free.set()
        self._since = 0.0

    def __enter__(self) -> None:
        self._since = time.monotonic()
        self._free.clear()

    def __exit__(self, *_: object) -> None:
        self._free.set()

    def wait(self) -> None:
        """Wait until it is free, or has been held for too long."""
        left = self._since + self._limit - time.monotonic()
        if left > 0:
            self._free.wait(left)


#: The hold of this process.
HOLD = QueueHold()
