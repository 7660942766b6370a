"""Starting and stopping: runs of a task or group, and backfills."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import AlreadyRunning, Disabled, InvalidParams, NoDaemon, NotRunning
from mystocks_dagster.project.access import Action, Caller, check
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import launch, max_instances
from mystocks_dagster.runs import stop as stopping
from mystocks_dagster.runs.disabled_groups import refusal_reason
from mystocks_dagster.runs.stop import StopResult
from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.entries import params_faults
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.problems import TaskFileError, near, path_text
from mystocks_dagster.taskfile.signature import params_model

if TYPE_CHECKING:
    from mystocks_dagster.runs.backfill import Planner


class RunControl:
    """Starts and stops for one caller; the methods are those of `Project`, which describes them."""

    def __init__(self, state: ProjectState, caller: Caller) -> None:
        self._state, self._caller = state, caller

    def create(self, name: str, params: Mapping[str, Any], *, only: bool, force: bool) -> str:
        """Write a new run; it is not queued yet."""
        self._check(name, params)
        return self._create(name, params, only=only, force=force)

    def _create(self, name: str, params: Mapping[str, Any], *, only: bool, force: bool) -> str:
        state = self._state
        entry = state.version_for(name).find(name)
        self._check_params(entry, params, only=only)
        config = {"ops": {entry.dagster_name: {"config": dict(params)}}} if params else {}
        steps = [entry.dagster_name] if only else None
        instance, repository = state.instance, state.repository_for(name)
        tags = {Tag.STARTED_BY: self._caller.name, **({Tag.FORCE: "true"} if force else {})}
        off = {Tag.DISABLED: "true"} if isinstance(entry, Group) and not entry.enabled else {}
        if refused := refusal_reason(instance, entry.dagster_name, {**tags, **off}):
            raise Disabled(refused)
        # Counting and writing are one act, or two starts at the same moment would both find the place free.
        with atomic_files.locked(state.settings.dagster_home / "starts"):
            if isinstance(entry, Task) and (
                reason := max_instances.limit_reached(instance, entry.dagster_name, entry.max_instances)
            ):
                raise AlreadyRunning(reason, max_instances.active_executions(instance, entry.dagster_name))
            return launch.create_run(instance, repository, entry.dagster_name, config, tags, steps)

    def start(self, name: str, params: Mapping[str, Any], *, only: bool, force: bool) -> str:
        """Put a new run into the daemon's queue."""
        self._check(name, params)
        state = self._state
        if not launch.daemon_alive(state.instance):
            raise NoDaemon(
                f"{name} was not started: no daemon is alive on {state.settings.dagster_home}. "
                "Start one with: mystocks ui"
            )
        run_id = self._create(name, params, only=only, force=force)
        launch.start(state.instance, run_id, queued=True)
        return run_id

    def backfill(self, name: str) -> "Planner":
        """Return what plans and writes the backfills of a task."""
        state = self._state
        check(self._caller, Action.BACKFILL)
        entry = state.find(name)
        if isinstance(entry, Group):
            raise InvalidParams(f"{name} is a group; name one task, such as {entry.tasks[0]}.")
        from mystocks_dagster.runs.backfill import Planner  # with polars, for the tables

        return Planner(state.instance, state.repository, entry.task_id, entry.dagster_name)

    def stop(self, name: str) -> list[StopResult]:
        """Stop what a task or group has under way, or the run or execution of that id."""
        state = self._state
        check(self._caller, Action.STOP)
        try:
            task_ids = state.task_ids
        except TaskFileError:
            # What runs must be stoppable also when the file has become unreadable.
            task_ids = {}
        runs = stopping.runs_of(state.instance, task_ids, name)
        if not runs and stopping.is_run_id(name):
            runs = [stopping.run_named(state.instance, task_ids, name)]
        if not runs:
            state.find(name)
            raise NotRunning(f"{name} is not running, and no run of it waits. What ran last: mystocks history {name}")
        return [stopping.stop(state.instance, run, task_ids) for run in runs]

    def unlisted_params(self, name: str, params: Mapping[str, Any]) -> list[str]:
        """Return a warning for each parameter that the task file does not list."""
        entry = self._state.version_for(name).find(name)
        if isinstance(entry, Group) or params_model(self._state.version_for(entry.task_id).functions[entry.task_id]):
            return []
        listed = ", ".join(entry.params) or "none"
        return [
            f"{name} does not list the parameter {param!r} in the task file (listed: {listed}); its function gets it "
            "all the same."
            for param in params
            if param not in entry.params
        ]

    def _check(self, name: str, params: Mapping[str, Any]) -> None:
        self._state.version_for(name).find(name)
        check(self._caller, Action.START, self._state.settings, self._state.version_for(name), name, params)

    def _check_params(self, entry: Task | Group, params: Mapping[str, Any], *, only: bool) -> None:
        if isinstance(entry, Group):
            if params or only:
                raise InvalidParams(f"{entry.group_id} is a group: parameters and --only are for a single task.")
            return
        function = self._state.version_for(entry.task_id).functions[entry.task_id]
        model = params_model(function)
        if not model:
            _check_names(entry, params)
            return
        if not params:
            return
        secret = [(name,) for name in entry.secrets]
        if faults := params_faults(model, function, {**entry.params, **params}, secret):
            texts = [f"{path_text(('params', *fault.path))}: {fault.message}. {fault.hint}".strip() for fault in faults]
            raise InvalidParams(f"{entry.task_id} was not started. " + " ".join(texts))


def _check_names(task: Task, params: Mapping[str, Any]) -> None:
    """Refuse what looks like a misspelt parameter of a function that takes a plain dict.

    It would pass without effect.
    """
    for name in params:
        if name not in task.params and (alike := near(name, task.params)):
            raise InvalidParams(
                f"{task.task_id} was not started. It has no parameter {name!r} in the task file. "
                f"Did you mean {alike[0]!r}?"
            )
