"""Whether the project does its work: what REST's health call, `mystocks health` and monitoring ask."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.market.clock import now
from mystocks_dagster.project import reload_state
from mystocks_dagster.project.reload import ask
from mystocks_dagster.project.run_history import RunHistory
from mystocks_dagster.project.schedules import Schedules
from mystocks_dagster.project.servers import ui_address
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import launch, stop
from mystocks_dagster.scheduling.missed_schedules import missed_schedules
from mystocks_dagster.tags import LOCATION, State
from mystocks_dagster.taskfile.last_good import notice
from mystocks_dagster.trading_calendar.in_force import in_force
from mystocks_dagster.trading_calendar.outlook import outlook

#: Less than so much free space stops a day's load sooner or later.
LEAST_FREE_BYTES = 1_000_000_000
#: A start later than that is late; the daemon looks every few seconds, and a run that hangs is another matter.
LATE = timedelta(minutes=5)
_UI_SECONDS = 10.0
_LOCATION = """query { workspaceOrError { __typename
  ... on PythonError { message }
  ... on Workspace { locationEntries { name locationOrLoadError {
    __typename ... on PythonError { message causes { message } } } } } } }"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        detail: What was found.
        remedy: What to do; empty when there is nothing to do.
        warning: It is ok, and will not be for long: the project counts as healthy.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    warning: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as REST and `--json` show it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Health:
    """What the health call tells: `healthy` when every check is ok, else `degraded`."""

    total_tasks: int
    running_tasks: int
    total_executions: int
    checks: tuple[Check, ...]

    @property
    def status(self) -> str:
        """`healthy` or `degraded`."""
        return "healthy" if all(check.ok for check in self.checks) else "degraded"

    def to_json(self) -> dict[str, Any]:
        """Return it as REST and `--json` show it."""
        return {"status": self.status, **vars(self), "checks": [check.to_json() for check in self.checks]}


def health(project: ProjectState, history: RunHistory, schedules: Schedules) -> Health:
    """Look at the daemon, the web UI, the task file, the disk, the calendar, the schedules and the last runs.

    What cannot be looked at, such as an unreadable task file, is a check that is not ok; nothing is raised.
    """
    checks = (
        checked("daemon", lambda: daemon(project)),
        checked("task_file", lambda: task_file(project), "mystocks check"),
        checked("web_ui", lambda: web_ui(project)),
        checked("disk", lambda: disk(project)),
        checked("calendar", calendar),
        checked("schedules", lambda: fired(project, schedules)),
        checked("last_runs", lambda: last_runs(project, history, schedules)),
    )
    return Health(
        total_tasks=_count(lambda: len(project.taskfile.tasks)),
        running_tasks=_count(lambda: _running(project, history)),
        total_executions=_count(lambda: sum(one.total_executions for one in history.statistics().values())),
        checks=checks,
    )


def checked(name: str, look: Callable[[], Check], remedy: str = "mystocks doctor") -> Check:
    """Return what `look` finds; an error that it raises is what it found."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a broken storage raises whatever it raises, and to say so is the purpose
        told = str(error).strip().splitlines() or [type(error).__name__]
        return Check(name=name, ok=False, detail=told[0], remedy=remedy)


def daemon(project: ProjectState) -> Check:
    """Say whether the daemon lives, without which no schedule fires and no queued run starts."""
    age = launch.heartbeat_age(project.instance)
    if age is None:
        return Check(
            name="daemon",
            ok=False,
            detail="no daemon has run on this instance, or it was stopped",
            remedy="mystocks ui",
        )
    if pid := launch.killed_daemon(project.instance):
        return Check(
            name="daemon",
            ok=False,
            detail=f"its process {pid} is gone; last heartbeat {age:.0f} s ago",
            remedy="mystocks ui",
        )
    alive = age < launch.HEARTBEAT_SECONDS
    return Check(
        name="daemon", ok=alive, detail=f"last heartbeat {age:.0f} s ago", remedy="" if alive else "mystocks ui"
    )


def task_file(project: ProjectState) -> Check:
    """Say whether every task of the file can run."""
    version = project.version
    if version.unusable:
        detail = str(notice(version))
        return Check(
            name="task_file", ok=False, detail=detail, remedy="mend the file; mystocks check says when it is right"
        )
    if version.broken:
        detail = f"{len(version.broken)} not loaded: {', '.join(version.broken)}"
        return Check(name="task_file", ok=False, detail=detail, remedy="mystocks check")
    return Check(name="task_file", ok=True, detail=f"{project.settings.task_file}, version {version.hash}")


def web_ui(project: ProjectState) -> Check:
    """Say whether the web UI answers and has loaded the task file; a project may also be run by a daemon alone."""
    address = ui_address(project.settings.dagster_home)
    if address is None:
        alone = launch.daemon_alive(project.instance)
        detail = "no web UI was started by `mystocks ui`" + ("; a daemon runs without it" if alone else "")
        return Check(name="web_ui", ok=alone, detail=detail, remedy="" if alone else "mystocks ui")
    try:
        answer = ask(project.settings, address, _LOCATION, patience=_UI_SECONDS)
    except InstanceError as error:
        return Check(name="web_ui", ok=False, detail=str(error), remedy="stop `mystocks ui` and start it again")
    if answer is None:
        detail = f"it was started at {address}, and nobody answers there: it was killed"
        return Check(name="web_ui", ok=False, detail=detail, remedy="mystocks ui")
    trouble = _location_trouble(answer["workspaceOrError"])
    if trouble:
        return Check(
            name="web_ui",
            ok=False,
            detail=f"{address} could not load the task file: {trouble}",
            remedy="mystocks check",
        )
    if text := reload_state.trouble(project.settings):
        return Check(name="web_ui", ok=False, detail=text, remedy="mystocks reload")
    loading = ", and loads the task file now" if reload_state.under_way(project.settings) else ""
    return Check(name="web_ui", ok=True, detail=f"answers at {address}{loading}")


def _location_trouble(workspace: dict[str, Any]) -> str | None:
    """Return why the code location is not loaded; None when it is."""
    if workspace["__typename"] != "Workspace":
        return workspace.get("message", workspace["__typename"])
    entry = next((one for one in workspace["locationEntries"] if one["name"] == LOCATION), None)
    loaded: dict[str, Any] = (entry or {}).get("locationOrLoadError") or {"__typename": "it is still being loaded"}
    if loaded["__typename"] == "RepositoryLocation":
        return None
    # The first error only says that loading failed; the last one is what made it fail.
    innermost = loaded.get("causes") or [loaded]
    return innermost[-1].get("message", loaded["__typename"]).strip().splitlines()[0]


def disk(project: ProjectState) -> Check:
    """Say whether the disks of the instance and of a local lake have room."""
    low = []
    for name, folder in _folders(project):
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            low.append(f"{name} ({folder}) has {free / 1e9:.2f} GB")
    if low:
        remedy = "make room: mystocks run monthly_cache_cleanup, or move the lake with MYSTOCKS_LAKE"
        return Check(
            name="disk",
            ok=False,
            detail="; ".join(low) + f" free, less than {LEAST_FREE_BYTES / 1e9:g} GB",
            remedy=remedy,
        )
    return Check(name="disk", ok=True, detail=f"{shutil.disk_usage(project.settings.root).free / 1e9:.1f} GB free")


def _folders(project: ProjectState) -> Iterator[tuple[str, Path]]:
    yield "history", existing(project.settings.dagster_home)
    if "://" not in project.settings.lake:
        yield "lake", existing(Path(project.settings.lake))


def existing(folder: Path) -> Path:
    """Return the nearest folder at or above `folder` that exists: on its disk it would be made."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def calendar() -> Check:
    """Say how far the trading calendar reaches and what it stands on: amber 30 days before its end."""
    found = outlook(in_force(), now())
    return Check(
        name="calendar",
        ok=found.level != "error",
        warning=found.level == "warning",
        detail=found.detail,
        remedy=found.remedy,
    )


def fired(project: ProjectState, schedules: Schedules) -> Check:
    """Say whether every schedule that is on fired when it was due."""
    late = [
        one
        for one in missed_schedules(project.instance, project.taskfile.by_id(), schedules.switches().values())
        if now() - one.due > LATE
    ]
    if late:
        detail = "; ".join(f"{one.name} was due at {one.due:%Y-%m-%d %H:%M} and did not fire" for one in late)
        return Check(
            name="schedules",
            ok=False,
            detail=detail,
            remedy=f"mystocks run {late[0].name} (and keep the daemon running: mystocks ui)",
        )
    return Check(name="schedules", ok=True, detail="every schedule that is on fired when it was due")


def last_runs(project: ProjectState, history: RunHistory, schedules: Schedules) -> Check:
    """Say whether every task that has a schedule, of its own or of a group, did its work the last time."""
    outcomes = history.last_outcomes()
    failed = [name for name in _scheduled(project, schedules) if outcomes.get(name) == State.FAILED]
    if failed:
        remedy = f"mystocks logs {failed[0]}, then: mystocks run {failed[0]}"
        return Check(name="last_runs", ok=False, detail=f"failed the last time: {', '.join(failed)}", remedy=remedy)
    return Check(name="last_runs", ok=True, detail="no task with a schedule failed the last time that it ran")


def _scheduled(project: ProjectState, schedules: Schedules) -> list[str]:
    on = {one.name for one in schedules.switches().values() if one.on}
    members = {task_id for group in project.taskfile.task_groups if group.group_id in on for task_id in group.tasks}
    return [task.task_id for task in project.taskfile.tasks if task.task_id in on | members]


def _count(look: Callable[[], int]) -> int:
    """Return a number, or 0 when it cannot be told: a check says why."""
    try:
        return look()
    except Exception:  # noqa: BLE001 - as in `checked`
        return 0


def _running(project: ProjectState, history: RunHistory) -> int:
    """Return how many executions run now."""
    runs = stop.active_runs(project.instance)
    return sum(one.status == State.RUNNING for run in runs for one in history.of_run(run.run_id))
