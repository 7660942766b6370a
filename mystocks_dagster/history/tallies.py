"""The executions of all tasks, counted for monitoring: two scans of one index, whatever the number of tasks is."""

from collections.abc import Sequence
from typing import NamedTuple

from mystocks_dagster.history.rollup import Rollup
from mystocks_dagster.tags import SUCCESSES


class Tally(NamedTuple):
    """The executions of one task with one status.

    Attributes:
        name: The task's name in Dagster.
        status: The status.
        count: Their number.
        timed: How many of them have a duration.
        seconds: The sum of the durations.
        last: Start of the newest, in seconds since 1970; None if none has started.
    """

    name: str
    status: str
    count: int
    timed: int
    seconds: float
    last: float | None

    @property
    def good(self) -> bool:
        """Whether the status is a success."""
        return self.status in SUCCESSES


def by_task(rollup: Rollup) -> list[Tally]:
    """Return the tallies of all tasks, those of removed runs included."""
    query = """SELECT name, status, count(*), count(timed), coalesce(sum(timed), 0), max(start)
      FROM executions INDEXED BY tally GROUP BY name, status"""
    return [Tally(*row) for row in rollup.rows(query)]


def at_most(rollup: Rollup, bounds: Sequence[float]) -> list[int]:
    """Return, for each number of seconds, how many executions of all tasks took at most as long."""
    sums = ", ".join("sum(timed <= ?)" for _ in bounds)
    return [count or 0 for count in rollup.rows(f"SELECT {sums} FROM executions INDEXED BY tally", bounds)[0]]
