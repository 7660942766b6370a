"""Time limits on a machine that does other work too: the limit grows as the machine slows down."""

import resource
import subprocess
import sys
import time

#: Some tenths of a second of work.
WORK = "sum(range(3_000_000))"


def slowdown() -> float:
    """Return how many times its own CPU time a process takes at this moment: 1 where it has a core to itself."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-c", WORK], check=True)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return max(1.0, seconds / max(work, 0.01))


def in_time(seconds: float, limit: float) -> bool:
    """Return whether something took less than its limit, or less than this slow machine's limit.

    Args:
        seconds: What it took.
        limit: What is promised where nothing else runs, in seconds.
    """
    return seconds < limit or seconds < limit * slowdown()
