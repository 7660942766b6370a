"""Jobs with a schedule: the data that a schedule or sensor needs of its task or group."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import dagster as dg

from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.runs.max_instances import limit_reached
from mystocks_dagster.tags import schedule_name
from mystocks_dagster.taskfile.group import Group
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
        published: When the data that its tasks load are published; a start between the close and then waits.
    """

    job: str
    title: str
    schedule: Schedule
    active: bool = True
    limit: int | None = None
    published: tuple[Publication, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads: the evaluation of a schedule needs nothing else of the code."""
        return {
            "version": _version(),
            "job": self.job,
            "title": self.title,
            "schedule": self.schedule.model_dump(mode="json"),
            "limit": self.limit,
            "published": [str(publication) for publication in self.published],
        }

    @classmethod
    def from_json(cls, data: Any) -> "ScheduledJob | None":
        """Return the job that `to_json` has written, or None if another version of this package wrote it."""
        if not isinstance(data, Mapping) or data.get("version") != _version():
            return None
        return cls(
            job=data["job"],
            title=data["title"],
            schedule=Schedule.model_validate(data["schedule"]),
            limit=data["limit"],
            published=tuple(Publication.parse(text) for text in data["published"]),
        )

    @property
    def switch(self) -> str:
        """Name of its schedule or sensor in Dagster."""
        return schedule_name(self.job)

    def busy(self, instance: dg.DagsterInstance) -> str | None:
        """Return the reason if `max_instances` does not allow another start now."""
        return None if self.limit is None else limit_reached(instance, self.job, self.limit)


@cache
def _version() -> str:
    return version("mystocks-dagster")


def scheduled_jobs(specs: Iterable[TaskSpec], groups: Iterable[Group]) -> Iterator[ScheduledJob]:
    """Yield every task and group that has a schedule."""
    specs = list(specs)
    by_id = {spec.task.task_id: spec for spec in specs}
    for spec in specs:
        task = spec.task
        if task.schedule:
            yield ScheduledJob(
                job=spec.name,
                title=task.task_name,
                schedule=task.schedule,
                active=task.active,
                limit=task.max_instances,
                published=tuple(_published(spec)),
            )
    for group in groups:
        if group.schedule:
            stated = (by_id[name].task.available_after for name in group.tasks if name in by_id)
            yield ScheduledJob(
                job=group.dagster_name,
                title=group.group_name,
                schedule=group.schedule,
                active=group.active,
                # Only what the file states: one table's evening must not delay the whole group.
                published=tuple(Publication.parse(text) for text in stated if text),
            )


def _published(spec: TaskSpec) -> Iterator[Publication]:
    """Yield when the data of a task are published: as the file states, or as its tables by trading day declare."""
    if spec.task.available_after:
        yield Publication.parse(spec.task.available_after)
    elif spec.by_day:
        from mystocks_dagster.market.tables import TABLES

        tables = (TABLES[key] for key in spec.owned if key in TABLES)
        yield from (table.available_after for table in tables if table.by_day and table.origin == "source")
