"""Jobs with a schedule: the data that a schedule or sensor needs of its task or group."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dagster as dg

from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.runs.max_instances import limit_reached
from mystocks_dagster.tags import schedule_name
from mystocks_dagster.taskfile.model import Group
from mystocks_dagster.taskfile.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class ScheduledJob:
    """A job with a schedule.

    Attributes:
        job: Name of the job.
        title: Display name of the task or group.
        schedule: Its schedule.
        active: Whether the file enables it.
        limit: The task's `max_instances`; None for a group.
    """

    job: str
    title: str
    schedule: Schedule
    active: bool = True
    limit: int | None = None

    @property
    def switch(self) -> str:
        """Name of its schedule or sensor in Dagster."""
        return schedule_name(self.job)

    def busy(self, instance: dg.DagsterInstance) -> str | None:
        """Return the reason if `max_instances` does not allow another start now."""
        return None if self.limit is None else limit_reached(instance, self.job, self.limit)


def scheduled_jobs(specs: Iterable[TaskSpec], groups: Iterable[Group]) -> Iterator[ScheduledJob]:
    """Yield every task and group that has a schedule."""
    for spec in specs:
        task = spec.task
        if task.schedule:
            yield ScheduledJob(
                job=spec.name,
                title=task.task_name,
                schedule=task.schedule,
                active=task.active,
                limit=task.max_instances,
            )
    for group in groups:
        if group.schedule:
            yield ScheduledJob(
                job=group.dagster_name, title=group.group_name, schedule=group.schedule, active=group.active
            )
