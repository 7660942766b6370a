"""The aggregates of executions in a time window from which statistics are made."""

from datetime import datetime
from typing import Any, NamedTuple

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.history.models import Statistics
from mystocks_dagster.history.record import moment


class TimeWindow(NamedTuple):
    """Executions that started in [since, until), in seconds since 1970; None: unbounded."""

    since: float | None = None
    until: float | None = None

    @classmethod
    def of(cls, since: datetime | None, until: datetime | None) -> "TimeWindow":
        """Return the window between two aware times.

        Raises:
            InvalidParams: It ends before or when it begins.
        """
        if since and until and since >= until:
            form = "%Y-%m-%d %H:%M"
            raise InvalidParams(
                f"There is no time from {since:{form}} until {until:{form}}, which is not included. Exchange the two, "
                "or name a later end."
            )
        return cls(since.timestamp() if since else None, until.timestamp() if until else None)

    def conditions(self) -> list[tuple[str, Any]]:
        """Return the window as SQL conditions, each with its value."""
        return [
            (text, value)
            for text, value in (("start >= ?", self.since), ("start < ?", self.until))
            if value is not None
        ]


ALWAYS = TimeWindow()


class TaskAggregate(NamedTuple):
    """Aggregates of a task's executions; `name` is its name in Dagster, `task` its id according to its runs."""

    name: str
    task: str
    total: int
    good: int
    bad: int
    mean: float | None
    p95: float | None
    last_start: float | None
    last_status: str

    def to_statistics(self, task_id: str, title: str, last_status: str) -> Statistics:
        """Return the public statistics."""
        ended = self.good + self.bad
        return Statistics(
            task_id=task_id,
            task_name=title,
            total_executions=self.total,
            success_count=self.good,
            failed_count=self.bad,
            avg_duration=None if self.mean is None else round(self.mean, 3),
            p95_duration=self.p95,
            last_execution_time=moment(self.last_start),
            last_status=last_status,
            success_rate=round(100 * self.good / ended, 2) if ended else None,
        )
