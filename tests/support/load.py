"""Time limits on a machine that does other work too: the limit grows as the machine slows down."""

import time


def slowdown() -> float:
    """Return how many times its own CPU time a piece of work takes at this moment: 1 where it has a core to itself."""
    start, work = time.monotonic(), time.thread_time()
    sum(range(10_000_000))
    return max(1.0, (time.monotonic() - start) / (time.thread_time() - work))


def in_time(seconds: float, limit: float) -> bool:
    """Return whether something took less than its limit, or less than this slow machine's limit.

    Args:
        seconds: What it took.
        limit: What is promised where nothing else runs, in seconds.
    """
    return seconds < limit or seconds < limit * slowdown()
