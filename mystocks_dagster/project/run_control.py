"""Starting and stopping runs of tasks and groups, and backfills."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import (
    AlreadyRunning,
    Disabled,
    InvalidParams,
    MyStocksError,
    NoDaemon,
    NotNow,
    NotRunning,
    OtherLake,
)
from mystocks_dagster.instance import instance_config
from mystocks_dagster.project import audit, start_params
from mystocks_dagster.project.access import Action, Caller, check
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import launch, max_instances
from mystocks_dagster.runs import stop as stopping
from mystocks_dagster.runs.disabled_groups import refusal_reason
from mystocks_dagster.runs.stop import StopResult
from mystocks_dagster.shared.named_lock import held
from mystocks_dagster.storage_config import runs_elsewhere
from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version

#: Seconds to wait for other starts; each takes a second or two.
_PATIENCE_SECONDS = 60.0

if TYPE_CHECKING:
    import dagster as dg

    from mystocks_dagster.project.fill_plan import Fill
    from mystocks_dagster.runs.backfill import Planner


class RunControl:
    """Starts and stops runs for one caller."""

    def __init__(self, state: ProjectState, caller: Caller) -> None:
        self._state, self._caller = state, caller

    def create(self, name: str, params: Mapping[str, Any], *, only: bool = False, force: bool = False) -> str:
        """Create a run of a task or group, without queueing it, and return its id.

        Args:
            name: Id of a task or group.
            params: Values of the task's parameters, for this run only.
            only: Skip the tasks that it depends on.
            force: Run a group even if the task file disables it.

        Raises:
            UnknownName, InvalidParams: There is no such task or group, or its function rejects the parameters.
            AlreadyRunning: As many executions as the task's `max_instances` are active.
            Disabled: The task file disables the group.
            Forbidden: The caller may not give these parameters.
        """
        self._check(name, params)
        return self._create(name, params, only=only, force=force)

    def _create(self, name: str, params: Mapping[str, Any], *, only: bool, force: bool) -> str:
        state = self._state
        version = state.version_for(name)
        entry = version.find(name)
        config = start_params.config_of(version, entry, params, only=only)
        steps = [entry.dagster_name] if only else None
        instance, repository = state.instance, state.repository_for(name)
        tags = {Tag.STARTED_BY: self._caller.name, **({Tag.FORCE: "true"} if force else {})}
        off = {Tag.DISABLED: "true"} if isinstance(entry, Group) and not entry.enabled else {}
        if reason := refusal_reason(instance, entry.dagster_name, {**tags, **off}):
            raise Disabled(reason)
        # Under a lock: two simultaneous starts must not both count the executions before either is written.
        with held(state.settings.dagster_home, "starts", _PATIENCE_SECONDS) as alone:
            if not alone:
                raise NotNow(f"{name} was not started: another start has taken longer than {_PATIENCE_SECONDS:.0f} s.")
            if isinstance(entry, Task) and (
                reason := max_instances.limit_reached(instance, entry.dagster_name, entry.max_instances)
            ):
                active = max_instances.active_executions(instance, entry.dagster_name)
                raise AlreadyRunning(f"{reason}. {_way_out(entry, active)}", active)
            run_id = launch.create_run(instance, repository, entry.dagster_name, config, tags, steps)
        audit.note(state.settings, self._caller, Action.START, name, run_id)
        return run_id

    def start(self, name: str, params: Mapping[str, Any], *, only: bool = False, force: bool = False) -> str:
        """Queue a new run for the daemon and return its id at once; arguments and errors as in `create`.

        Raises:
            NoDaemon: The daemon is not running, so the run would never start. Nothing was created.
            OtherLake: The daemon's lake or source is another one. Nothing was created.
        """
        self._check(name, params)
        state = self._state
        self._check_daemon(name, "run", name)
        run_id = self._create(name, params, only=only, force=force)
        launch.start(state.instance, run_id, queued=True)
        return run_id

    def backfill(self, name: str) -> "Planner":
        """Return the planner of a task's backfills.

        Raises:
            InvalidParams: It fills no table by trading day, or another task of the file owns that table.
        """
        state = self._state
        check(self._caller, Action.BACKFILL)
        entry = state.find(name)
        if isinstance(entry, Group):
            raise InvalidParams(f"{name} is a group; name one task, such as {entry.tasks[0]}.")
        from mystocks_dagster.lake.store import Lake
        from mystocks_dagster.runs.backfill import Planner  # with polars, for the tables

        _check_owner(state.version, name)
        published = state.version.published
        lake = Lake(state.settings.lake)
        return Planner(state.instance, state.repository, entry.task_id, entry.dagster_name, published, lake)

    def fill(self, fills: Iterable["Fill"]) -> list[str]:
        """Queue the runs of the stretches of a fill plan and return their ids.

        Raises:
            Forbidden: The caller may start no backfill.
            NoDaemon, OtherLake: As for `start`. Nothing was created.
        """
        check(self._caller, Action.BACKFILL)
        run_ids = []
        for fill in fills:
            self._check_daemon(fill.task_id, "backfill", "--missing")
            run_ids.append(self.create_fill(fill, {}))
            launch.start(self._state.instance, run_ids[-1], queued=True)
        return run_ids

    def create_fill(self, fill: "Fill", params: Mapping[str, Any]) -> str:
        """Create the run of one stretch of a fill plan, with further parameters, without queueing it; return its id."""
        planner = self.backfill(fill.task_id)
        known = {name: value for name, value in fill.params.items() if planner.takes(name)}
        tags = {Tag.STARTED_BY: self._caller.name}
        run_id = planner.create((fill.first, fill.last), {**known, **params}, tags)
        self.note_backfill(fill.task_id, run_id)
        return run_id

    def note_backfill(self, task_id: str, run_id: str) -> None:
        """Note in the audit log that this caller has made a run of a backfill."""
        audit.note(self._state.settings, self._caller, Action.BACKFILL, task_id, run_id)

    def _check_daemon(self, name: str, *command: str) -> None:
        settings = self._state.settings
        mystocks = "mystocks --demo" if settings.demo else "mystocks"
        if not launch.daemon_alive(self._state.instance):
            raise NoDaemon(
                f"{name} was not started: no daemon is alive on {settings.dagster_home}. Start it with: {mystocks} ui"
            )
        difference = launch.daemon_difference(self._state.instance, settings)
        if difference and runs_elsewhere(instance_config(settings)):
            raise OtherLake(
                f"{name} was not put into the daemon's queue: {difference}. Set MYSTOCKS_LAKE and MYSTOCKS_SOURCE as "
                "the daemon has them."
            )
        if difference:
            raise OtherLake(
                f"{name} was not put into the daemon's queue: {difference}. Run it in the foreground: `{mystocks} "
                f"{' '.join(command)}`. Or stop `mystocks ui`, and start it with the lake and source of this "
                f"command: `{mystocks} ui`."
            )

    def stop(self, name: str) -> list[StopResult]:
        """Stop the active runs of a task or group, or one run or execution; return when they have stopped.

        Raises:
            NotRunning: It has no active run.
            UnknownName: `name` is not the id of a task, group, run or execution.
        """
        return [_raised(outcome) for outcome in self._stop(self._to_stop(name))]

    def stop_all(self, names: Iterable[str]) -> dict[str, MyStocksError]:
        """Stop the active runs of several tasks or groups together, and return the refusals by name.

        A run of two of them is stopped once. It takes as long as the slowest stop, not as long as all of them.
        """
        runs: dict[str, dg.DagsterRun] = {}
        owners: dict[str, list[str]] = {}
        refusals: dict[str, MyStocksError] = {}
        for name in names:
            try:
                for run in self._to_stop(name):
                    runs[run.run_id] = run
                    owners.setdefault(run.run_id, []).append(name)
            except MyStocksError as error:
                refusals[name] = error
        for run_id, outcome in zip(runs, self._stop(list(runs.values())), strict=True):
            if isinstance(outcome, MyStocksError):
                refusals |= dict.fromkeys(owners[run_id], outcome)
        return refusals

    def _stop(self, runs: Sequence["dg.DagsterRun"]) -> list[StopResult | MyStocksError]:
        task_ids = self._ids_for_stop()

        def stop(run: "dg.DagsterRun") -> StopResult | MyStocksError:
            name = task_ids.get(run.job_name, run.job_name)
            # Noted before the run has ended: that takes a while, may fail, and who waits for it may be killed.
            noted = partial(audit.note, self._state.settings, self._caller, Action.STOP, name, run.run_id)
            try:
                return stopping.stop(self._state.instance, run, task_ids, noted)
            except MyStocksError as error:
                return error

        with ThreadPoolExecutor(max_workers=len(runs) or 1) as together:
            return list(together.map(stop, runs))

    def _to_stop(self, name: str) -> "list[dg.DagsterRun]":
        state, task_ids = self._state, self._ids_for_stop()
        check(self._caller, Action.STOP)
        runs = stopping.runs_of(state.instance, task_ids, name)
        if not runs and stopping.is_run_id(name):
            runs = [stopping.run_named(state.instance, task_ids, name)]
        if not runs:
            state.find(name)
            raise NotRunning(f"{name} is not running or queued. See its last runs with: mystocks history {name}")
        return runs

    def _ids_for_stop(self) -> Mapping[str, str]:
        try:
            return self._state.task_ids
        except TaskFileError:  # an unreadable task file must not prevent a stop
            return {}

    def unlisted_params(self, name: str, params: Mapping[str, Any]) -> list[str]:
        """Return a warning per parameter that the task file does not list, if the function takes a plain dict."""
        version = self._state.version_for(name)
        return start_params.unlisted(version, version.find(name), params)

    def _check(self, name: str, params: Mapping[str, Any]) -> None:
        self._state.version_for(name).find(name)
        check(self._caller, Action.START, self._state.settings, self._state.version_for(name), name, params)


def _check_owner(version: Version, name: str) -> None:
    """Refuse a backfill by a task that loads tables of others only: a day of a table is loaded by its owner."""
    from mystocks_dagster.market.tables import TABLES

    written = (*version.writes.get(name, ()), *version.also_writes.get(name, ()))
    owners = {table: version.owners[table] for table in written if table in version.owners and TABLES[table].by_day}
    if owners and name not in owners.values():
        table, owner = next(iter(owners.items()))
        raise InvalidParams(
            f"{name} cannot be backfilled: {table} belongs to {owner}, the first task of the file that loads it. "
            f"Backfill that one: mystocks backfill {owner}"
        )


def _way_out(task: Task, active: Sequence[str]) -> str:
    """Return what a person does to start a task of which as many executions are active as it may have."""
    oldest = task.task_id if len(active) < 2 else active[-1]
    return (
        f"Stop it with `mystocks stop {oldest}`, or allow one more with "
        f"`mystocks edit {task.task_id} max_instances={task.max_instances + 1}`."
    )


def _raised(outcome: StopResult | MyStocksError) -> StopResult:
    if isinstance(outcome, MyStocksError):
        raise outcome
    return outcome
