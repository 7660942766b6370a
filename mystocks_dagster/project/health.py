"""Checks of whether the project does its work, for REST, `mystocks health` and monitoring."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import NoDatabase
from mystocks_dagster.market.clock import now
from mystocks_dagster.project import server_checks
from mystocks_dagster.project.check import Check, checked
from mystocks_dagster.project.run_history import RunHistory
from mystocks_dagster.project.schedules import Schedules
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import stop
from mystocks_dagster.scheduling.missed_schedules import missed_schedules
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import locks
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.tags import State
from mystocks_dagster.taskfile.last_good import notice
from mystocks_dagster.trading_calendar.in_force import in_force
from mystocks_dagster.trading_calendar.outlook import outlook

#: Least free disk space; with less, a day's load fails sooner or later.
LEAST_FREE_BYTES = 1_000_000_000
#: A start is late after so long; the daemon checks the schedules every few seconds.
LATE = timedelta(minutes=5)
#: Late schedules that are named; of the others, the number is.
_NAMED = 3
LAKE_REMEDY = "set MYSTOCKS_LAKE to a usable folder or URL"


@dataclass(frozen=True, kw_only=True)
class Health:
    """The project's checks and counts."""

    total_tasks: int
    running_tasks: int
    total_executions: int
    checks: tuple[Check, ...]

    @property
    def status(self) -> str:
        """`healthy` if every check is ok, else `degraded`."""
        return "healthy" if all(check.ok for check in self.checks) else "degraded"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of REST and `--json`."""
        return {"status": self.status, **vars(self), "checks": [check.to_json() for check in self.checks]}


def health(project: ProjectState, history: RunHistory, schedules: Schedules) -> Health:
    """Check the daemon, the web UI, the task file, the lake, the disk, the calendar, the schedules and the last runs.

    An error, such as an unreadable task file, makes its check fail; none is raised.
    """
    if (away := database(project.settings)) is not None:
        return Health(
            total_tasks=_count(lambda: len(project.taskfile.tasks)),
            running_tasks=0,
            total_executions=0,
            checks=(away, checked("task_file", lambda: task_file(project), "mystocks check"), *_of_disks(project)),
        )
    checks = (
        checked("daemon", lambda: server_checks.daemon(project)),
        checked("task_file", lambda: task_file(project), "mystocks check"),
        *server_checks.machines(project),
        checked("web_ui", lambda: server_checks.web_ui(project)),
        *_of_disks(project),
        checked("schedules", lambda: on_time(project, schedules)),
        checked("last_runs", lambda: last_runs(project, history, schedules)),
    )
    return Health(
        total_tasks=_count(lambda: len(project.taskfile.tasks)),
        running_tasks=_count(lambda: _running(project, history)),
        total_executions=_count(lambda: sum(task.total_executions for task in history.statistics().values())),
        checks=checks,
    )


def _of_disks(project: ProjectState) -> tuple[Check, ...]:
    return (
        checked("lake", lambda: lake(project.settings), LAKE_REMEDY),
        checked("disk", lambda: disk(project)),
        checked("calendar", calendar),
    )


def database(settings: Settings) -> Check | None:
    """Return the failed check of a database that does not answer; None if it does, or is on this machine's disk."""
    try:
        locks.check(settings.dagster_home)
    except NoDatabase as error:
        return Check(name="database", ok=False, detail=str(error), remedy="mystocks doctor")
    return None


def readiness(project: ProjectState) -> tuple[Check, ...]:
    """Check what every request needs: that the storage answers, and that a version of the task file can be used."""

    def storage() -> Check:
        count = project.tables.rows("runs", "SELECT count(*) FROM runs WHERE id < 0")[0][0]
        return Check(name="storage", ok=count == 0, detail="it answers")

    def usable() -> Check:
        return Check(name="task_file", ok=True, detail=f"{len(project.taskfile.tasks)} tasks are loaded")

    away = database(project.settings)
    answers = replace(away, name="storage") if away else checked("storage", storage)
    return (answers, checked("task_file", usable, "mystocks check"))


def task_file(project: ProjectState) -> Check:
    """Check that every task of the file can run."""
    version = project.version
    if version.unusable:
        remedy = "correct the file until `mystocks check` says ok"
        return Check(name="task_file", ok=False, detail=str(notice(version)), remedy=remedy)
    if version.broken:
        detail = f"{len(version.broken)} not loaded: {_first([*version.broken])}"
        return Check(name="task_file", ok=False, detail=detail, remedy="mystocks check")
    if not project.settings.task_file.exists():
        detail = f"another machine has it; the last run was queued with version {version.hash}"
        return Check(name="task_file", ok=True, detail=detail)
    return Check(name="task_file", ok=True, detail=f"{project.settings.task_file}, version {version.hash}")


def lake(settings: Settings) -> Check:
    """Check that the lake's tables are undamaged and have the current format."""
    from mystocks_dagster.lake.location import is_unfilled
    from mystocks_dagster.lake.migrate import plan
    from mystocks_dagster.lake.store import Lake

    tables = Lake(settings.lake).tables()
    troubles = [table.trouble for table in tables if table.trouble]
    if troubles:
        detail, _, remedy = troubles[0].rpartition(": ")
        others = f" (and {len(troubles) - 1} more of its tables)" if troubles[1:] else ""
        return Check(name="lake", ok=False, detail=f"{detail}{others}", remedy=remedy)
    behind = plan(Lake(settings.lake))
    if behind:
        detail = f"an older version wrote {settings.lake}: {behind[0].table} {behind[0].about}"
        return Check(name="lake", ok=False, detail=detail, remedy="mystocks data migrate")
    if is_unfilled(settings.lake):
        detail = f"{settings.lake} has no bars yet"
        return Check(name="lake", ok=True, detail=detail, remedy="mystocks bootstrap", warning=True)
    return Check(name="lake", ok=True, detail=f"{settings.lake}, {len(tables)} tables")


def disk(project: ProjectState) -> Check:
    """Check the free space on the disks of the instance and of a local lake."""
    low = []
    for name, folder in _folders(project):
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            low.append(f"{name} ({folder}) has {free / 1e9:.2f} GB")
    if low:
        detail = f"{'; '.join(low)} free, less than {LEAST_FREE_BYTES / 1e9:g} GB"
        remedy = "free space: mystocks cleanup --days 30, or move the lake with MYSTOCKS_LAKE"
        return Check(name="disk", ok=False, detail=detail, remedy=remedy)
    return Check(name="disk", ok=True, detail=f"{shutil.disk_usage(project.settings.root).free / 1e9:.1f} GB free")


def _folders(project: ProjectState) -> Iterator[tuple[str, Path]]:
    yield kept_in_home(project.settings), existing(project.settings.dagster_home)
    if "://" not in project.settings.lake:
        yield "lake", existing(Path(project.settings.lake))


def kept_in_home(settings: Settings) -> str:
    """Return what the instance's folder holds, for people: `history`, or `instance` where Postgres has the history."""
    return "instance" if database_url(settings.dagster_home) else "history"


def existing(folder: Path) -> Path:
    """Return the nearest existing folder at or above `folder`, whose disk `folder` would be on."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def calendar() -> Check:
    """Check until when the trading calendar is known; a warning 30 days before its end."""
    state = outlook(in_force(), now())
    ok, warning = state.level != "error", state.level == "warning"
    return Check(name="calendar", ok=ok, warning=warning, detail=state.detail, remedy=state.remedy)


def on_time(project: ProjectState, schedules: Schedules) -> Check:
    """Check that every schedule that is on fired when it was due."""
    missed = missed_schedules(project.instance, project.taskfile.by_id(), schedules.switches().values())
    late = [start for start in missed if now() - start.due > LATE]
    if late:
        first = (f"{start.name} was due at {start.due:%Y-%m-%d %H:%M} and did not fire" for start in late[:_NAMED])
        others = [f"{len(late) - _NAMED} more did not fire"] if late[_NAMED:] else []
        detail = "; ".join([*first, *others])
        remedy = f"mystocks run {late[0].name} (and keep the daemon running: mystocks ui)"
        return Check(name="schedules", ok=False, detail=detail, remedy=remedy)
    return Check(name="schedules", ok=True, detail="every schedule that is on fired when it was due")


def last_runs(project: ProjectState, history: RunHistory, schedules: Schedules) -> Check:
    """Check that no task with a schedule, its own or a group's, failed in its last run."""
    outcomes = history.last_outcomes()
    failed = [name for name in _scheduled(project, schedules) if outcomes.get(name) == State.FAILED]
    if failed:
        remedy = f"mystocks logs {failed[0]}, then: mystocks run {failed[0]}"
        return Check(name="last_runs", ok=False, detail=f"failed in the last run: {_first(failed)}", remedy=remedy)
    return Check(name="last_runs", ok=True, detail="no task with a schedule failed in its last run")


def _first(items: Sequence[str]) -> str:
    """Return the first items, and the number of the others."""
    from mystocks_dagster.tasks.findings import abbreviate  # polars is loaded only where something failed

    return abbreviate(items)


def _scheduled(project: ProjectState, schedules: Schedules) -> list[str]:
    on = {switch.name for switch in schedules.switches().values() if switch.on}
    groups = [group for group in project.taskfile.task_groups if group.group_id in on]
    members = {task_id for group in groups for task_id in group.tasks}
    return [task.task_id for task in project.taskfile.tasks if task.task_id in on | members]


def _count(count: Callable[[], int]) -> int:
    """Return a count, or 0 if it raises an error, which a check reports."""
    try:
        return count()
    except Exception:  # noqa: BLE001 - as in `checked`
        return 0


def _running(project: ProjectState, history: RunHistory) -> int:
    """Return the number of running executions."""
    runs = stop.active_runs(project.instance)
    executions = [execution for run in runs for execution in history.of_run(run.run_id)]
    return sum(execution.status == State.RUNNING for execution in executions)
