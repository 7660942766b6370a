"""Checks of whether the project does its work, for REST, `mystocks health` and monitoring."""

import shutil
from collections.abc import Callable, Iterator, Sequence
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
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import LOCATION, State
from mystocks_dagster.taskfile.last_good import notice
from mystocks_dagster.trading_calendar.in_force import in_force
from mystocks_dagster.trading_calendar.outlook import outlook

#: Least free disk space; with less, a day's load fails sooner or later.
LEAST_FREE_BYTES = 1_000_000_000
#: A start is late after so long; the daemon checks the schedules every few seconds.
LATE = timedelta(minutes=5)
LAKE_REMEDY = "set MYSTOCKS_LAKE to a usable folder or URL"
_UI_SECONDS = 10.0
_LOCATION = """query { workspaceOrError { __typename
  ... on PythonError { message }
  ... on Workspace { locationEntries { name locationOrLoadError {
    __typename ... on PythonError { message causes { message } } } } } } }"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check.

    Attributes:
        detail: The finding.
        remedy: What to do; empty if nothing.
        warning: It is ok, but soon will not be; the project still counts as healthy.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    warning: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of REST and `--json`."""
        return asdict(self)


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
    checks = (
        checked("daemon", lambda: daemon(project)),
        checked("task_file", lambda: task_file(project), "mystocks check"),
        *machines(project),
        checked("web_ui", lambda: web_ui(project)),
        checked("lake", lambda: lake(project.settings), LAKE_REMEDY),
        checked("disk", lambda: disk(project)),
        checked("calendar", calendar),
        checked("schedules", lambda: on_time(project, schedules)),
        checked("last_runs", lambda: last_runs(project, history, schedules)),
    )
    return Health(
        total_tasks=_count(lambda: len(project.taskfile.tasks)),
        running_tasks=_count(lambda: _running(project, history)),
        total_executions=_count(lambda: sum(task.total_executions for task in history.statistics().values())),
        checks=checks,
    )


def readiness(project: ProjectState) -> tuple[Check, ...]:
    """Check what every request needs: that the storage answers, and that a version of the task file can be used."""

    def storage() -> Check:
        count = project.tables.rows("runs", "SELECT count(*) FROM runs WHERE id < 0")[0][0]
        return Check(name="storage", ok=count == 0, detail="it answers")

    def usable() -> Check:
        return Check(name="task_file", ok=True, detail=f"{len(project.taskfile.tasks)} tasks are loaded")

    return (checked("storage", storage), checked("task_file", usable, "mystocks check"))


def checked(name: str, check: Callable[[], Check], remedy: str = "mystocks doctor") -> Check:
    """Return the result of a check; an error that it raises is a failure with `remedy`."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a damaged storage raises errors of any class
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Check(name=name, ok=False, detail=lines[0], remedy=remedy)


def daemon(project: ProjectState) -> Check:
    """Check that the daemon is running, without which no schedule fires and no queued run starts."""
    age = launch.heartbeat_age(project.instance)
    alive = False
    if age is None:
        detail = "no daemon has run on this instance, or it was stopped"
    elif pid := launch.killed_daemon(project.instance):
        detail = f"its process {pid} is gone; last heartbeat {age:.0f} s ago"
    else:
        alive, detail = age < launch.HEARTBEAT_SECONDS, f"last heartbeat {age:.0f} s ago"
    return Check(name="daemon", ok=alive, detail=detail, remedy="" if alive else "mystocks ui")


def machines(project: ProjectState) -> Iterator[Check]:
    """Yield the check that a machine, or Kubernetes, takes runs, where dagster.yaml names a launcher for several."""
    try:
        launcher: Any = _or_none(lambda: project.instance).run_launcher
    except InstanceError as error:
        yield Check(name="kubernetes", ok=False, detail=str(error), remedy="docs/kubernetes.md")
        return
    except Exception:  # noqa: BLE001 - as in `checked`
        return
    if hasattr(launcher, "reach"):
        yield checked("kubernetes", lambda: _kubernetes(launcher))
    if hasattr(launcher, "machines"):
        yield checked("machines", lambda: _machines(launcher.machines()))


def _kubernetes(launcher: Any) -> Check:
    try:
        return Check(name="kubernetes", ok=True, detail=launcher.reach())
    except InstanceError as error:
        return Check(name="kubernetes", ok=False, detail=str(error), remedy="docs/kubernetes.md")


def _machines(found: Sequence[tuple[int, str, str]]) -> Check:
    if not found:
        detail = "no machine takes runs, so all wait in the queue"
        return Check(name="machines", ok=False, detail=detail, remedy="mystocks worker, on each machine")
    detail = ", ".join(f"{name} executes up to {slots} runs" for slots, _, name in found)
    return Check(name="machines", ok=True, detail=detail)


def task_file(project: ProjectState) -> Check:
    """Check that every task of the file can run."""
    version = project.version
    if version.unusable:
        remedy = "correct the file until `mystocks check` says ok"
        return Check(name="task_file", ok=False, detail=str(notice(version)), remedy=remedy)
    if version.broken:
        detail = f"{len(version.broken)} not loaded: {', '.join(version.broken)}"
        return Check(name="task_file", ok=False, detail=detail, remedy="mystocks check")
    return Check(name="task_file", ok=True, detail=f"{project.settings.task_file}, version {version.hash}")


def web_ui(project: ProjectState) -> Check:
    """Check that the web UI answers and has loaded the task file. A daemon may also run without a web UI."""
    address = ui_address(project.settings.dagster_home)
    if address is None:
        alive = launch.daemon_alive(project.instance)
        detail = "no web UI was started by `mystocks ui`" + ("; a daemon runs without it" if alive else "")
        return Check(name="web_ui", ok=alive, detail=detail, remedy="" if alive else "mystocks ui")
    try:
        answer = ask(project.settings, address, _LOCATION, patience=_UI_SECONDS)
    except InstanceError as error:
        return Check(name="web_ui", ok=False, detail=str(error), remedy="stop `mystocks ui` and start it again")
    if answer is None:
        detail = f"it was started at {address}, but does not answer: it was killed"
        return Check(name="web_ui", ok=False, detail=detail, remedy="mystocks ui")
    trouble = _location_trouble(answer["workspaceOrError"])
    if trouble:
        detail = f"{address} could not load the task file: {trouble}"
        return Check(name="web_ui", ok=False, detail=detail, remedy="mystocks check")
    if text := reload_state.trouble(project.settings):
        return Check(name="web_ui", ok=False, detail=text, remedy="mystocks reload")
    loading = ", and is loading the task file" if reload_state.under_way(project.settings) else ""
    return Check(name="web_ui", ok=True, detail=f"answers at {address}{loading}")


def _location_trouble(workspace: dict[str, Any]) -> str | None:
    """Return why the code location is not loaded; None if it is."""
    if workspace["__typename"] != "Workspace":
        return workspace.get("message", workspace["__typename"])
    entry = next((entry for entry in workspace["locationEntries"] if entry["name"] == LOCATION), None)
    loaded: dict[str, Any] = (entry or {}).get("locationOrLoadError") or {"__typename": "it is still being loaded"}
    if loaded["__typename"] == "RepositoryLocation":
        return None
    # The first error only says that loading failed; the last one is its cause.
    innermost = loaded.get("causes") or [loaded]
    return innermost[-1].get("message", loaded["__typename"]).strip().splitlines()[0]


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
        remedy = "free space: mystocks run monthly_cache_cleanup, or move the lake with MYSTOCKS_LAKE"
        return Check(name="disk", ok=False, detail=detail, remedy=remedy)
    return Check(name="disk", ok=True, detail=f"{shutil.disk_usage(project.settings.root).free / 1e9:.1f} GB free")


def _folders(project: ProjectState) -> Iterator[tuple[str, Path]]:
    yield "history", existing(project.settings.dagster_home)
    if "://" not in project.settings.lake:
        yield "lake", existing(Path(project.settings.lake))


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
        detail = "; ".join(f"{start.name} was due at {start.due:%Y-%m-%d %H:%M} and did not fire" for start in late)
        remedy = f"mystocks run {late[0].name} (and keep the daemon running: mystocks ui)"
        return Check(name="schedules", ok=False, detail=detail, remedy=remedy)
    return Check(name="schedules", ok=True, detail="every schedule that is on fired when it was due")


def last_runs(project: ProjectState, history: RunHistory, schedules: Schedules) -> Check:
    """Check that no task with a schedule, its own or a group's, failed in its last run."""
    outcomes = history.last_outcomes()
    failed = [name for name in _scheduled(project, schedules) if outcomes.get(name) == State.FAILED]
    if failed:
        remedy = f"mystocks logs {failed[0]}, then: mystocks run {failed[0]}"
        return Check(name="last_runs", ok=False, detail=f"failed in the last run: {', '.join(failed)}", remedy=remedy)
    return Check(name="last_runs", ok=True, detail="no task with a schedule failed in its last run")


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


def _or_none(value: Callable[[], Any]) -> Any:
    """Return a value, or None if it raises an error, which another check reports."""
    try:
        return value()
    except Exception:  # noqa: BLE001 - as in `checked`
        return None


def _running(project: ProjectState, history: RunHistory) -> int:
    """Return the number of running executions."""
    runs = stop.active_runs(project.instance)
    executions = [execution for run in runs for execution in history.of_run(run.run_id)]
    return sum(execution.status == State.RUNNING for execution in executions)
