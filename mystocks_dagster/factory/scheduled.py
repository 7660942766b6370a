"""Whatever has a schedule: what a schedule or sensor needs to know of the task or group that it starts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.tags import schedule_name
from mystocks_dagster.taskfile.model import Group
from mystocks_dagster.taskfile.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class ScheduledJob:
    """A job that starts by itself.

    Attributes:
        job: The job's name.
        title: The task's or group's name, for people.
        schedule: When it starts.
        active: False when the file has it switched off.
        limit: The task's `max_instances`; a group has none.
    """

    job: str
    title: str
    schedule: Schedule
    active: bool = True
    limit: int | None = None

    @property
    def switch(self) -> str:
        """The name of its schedule or sensor, which a person switches on and off."""
        return schedule_name(self.job)


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
