"""What a manager can tell without changing anything but the history's length."""

import time
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from mystocks_dagster.history import CleanupResult, Execution, Statistics
from mystocks_dagster.manager.local import LocalFunctions
from mystocks_dagster.project import health, logs
from mystocks_dagster.project.health import Health
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.project_cache import ProjectCache
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import UNDER_WAY

_POLL_SECONDS = 0.25


class LookingBack:
    """The part of `TaskManager` that looks back: executions, logs, statistics, health."""

    def __init__(self, settings: Settings | None = None, *, started_by: str = "python", trusted: bool = True) -> None:
        self._settings = settings
        self._started_by = started_by
        self._trusted = trusted

    @cached_property
    def settings(self) -> Settings:
        """The project's settings."""
        return self._settings or Settings.from_env()

    @property
    def project(self) -> Project:
        """The project as it is now."""
        return self._current.project()

    @property
    def last_project(self) -> Project | None:
        """The project that answered last, without a look at the file."""
        return self._current.last

    @property
    def notice(self) -> str | None:
        """One line about tasks.yaml when nothing of it can be used and its last good version is used instead; else None."""
        return self.project.notice

    def get_executions(
        self,
        task_id: str | None = None,
        limit: int = 100,
        *,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Execution]:
        """Return what ran, the newest first.

        Args:
            task_id: Only executions of this task, or in the runs of this group.
            limit: At most this many.
            status: Only executions of this status, such as `failed`.
            since: Only those that started at or after this aware time.
            until: Only those that started before this aware time.

        Raises:
            UnknownName: Neither the file nor the history knows the task.
        """
        project = self.project
        newest = list(project.history(task_id, since=since, until=until, limit=limit, status=status))
        if task_id and not newest and not self._local.has(task_id):
            project.find(task_id)
        return newest

    def get_execution(self, execution_id: str) -> Execution:
        """Return one execution; raises `UnknownName` when there is none of that id."""
        return self.project.execution(execution_id)

    def wait(self, execution_id: str, timeout: float | None = None) -> Execution:
        """Return an execution when it has ended.

        Args:
            execution_id: Which one.
            timeout: Seconds to wait at most; None: however long it takes.

        Raises:
            TimeoutError: It goes on after that; it is not stopped.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (found := self.get_execution(execution_id)).status in UNDER_WAY:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(
                    f"{execution_id} is {found.status} after {timeout:g} s; it goes on. Stop it with: stop_task({execution_id!r})"
                )
            time.sleep(_POLL_SECONDS)
        return found

    def get_logs(self, execution_id: str) -> str:
        """Return what an execution has logged and printed so far."""
        return logs.read(self.project, execution_id)

    def follow_logs(self, execution_id: str, *, beat: bool = False) -> Iterator[str]:
        """Yield what an execution logs and prints, as it comes, until it has ended; with `beat` also empty text while nothing comes."""
        return logs.follow(self.project, execution_id, beat=beat)

    def get_statistics(
        self, task_id: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Statistics]:
        """Return statistics by task id, of every task or of one, over the executions that started in [since, until).

        Raises:
            UnknownName: Neither the file nor the history knows the task.
        """
        project = self.project
        found = project.statistics(task_id, since=since, until=until)
        if task_id and task_id not in found:
            project.find(task_id)
        return found

    def cleanup_executions(self, days: int = 7, *, dry_run: bool = False) -> CleanupResult:
        """Remove executions that ended more than `days` days (at least 1) ago from the history; tables and statistics stay."""
        return self.project.cleanup(days, dry_run=dry_run)

    cleanup = cleanup_executions

    def health(self) -> Health:
        """Say whether the project works, and what to do where it does not."""
        return health.health(self.project)

    @cached_property
    def _current(self) -> ProjectCache:
        return ProjectCache(self.settings)

    @cached_property
    def _local(self) -> LocalFunctions:
        return LocalFunctions()
