"""Work whose memory is given back: a fork of this process does it and ends."""

import os
import sys
import threading
from collections.abc import Callable


def in_a_fork(work: Callable[[], None]) -> None:
    """Do work in a fork, so that what it imports and opens is not kept; where that fails, this process does it.

    A process with threads cannot be forked safely, and on macOS none can: such a process does the work itself, as it
    does after a failed fork, so that an error is raised here.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        work()
        return
    if (child := os.fork()) == 0:
        done = False
        try:
            work()
            done = True
        finally:
            os._exit(0 if done else 1)
    if os.waitpid(child, 0)[1]:
        work()
