"""What people do with tasks, whichever way they reach us: find, start, follow, stop, look back."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache, cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from mystocks_dagster import history
from mystocks_dagster.dagster_tables import DagsterTables, InstanceTables
from mystocks_dagster.errors import AlreadyRunning, Disabled, InvalidParams, NoDaemon, NotRunning, UnknownName
from mystocks_dagster.history import CleanupResult, Execution, Statistics, catch_up
from mystocks_dagster.history.aggregates import TimeWindow
from mystocks_dagster.history.catch_up import Progress
from mystocks_dagster.instance import open_instance, open_tables
from mystocks_dagster.market.clock import now
from mystocks_dagster.scheduling import interval_state, next_runs, switch_table
from mystocks_dagster.scheduling.next_runs import NextRun
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.entries import params_faults
from mystocks_dagster.taskfile.functions import params_model
from mystocks_dagster.taskfile.last_good import load_usable, notice
from mystocks_dagster.taskfile.model import Group, Task, TaskFile
from mystocks_dagster.taskfile.names import OUR_NAMES, dagster_name
from mystocks_dagster.taskfile.problems import TaskFileError, near, path_text
from mystocks_dagster.taskfile.reader import Version

# What writes needs Dagster, which takes longer to import than a question about the history to answer.
if TYPE_CHECKING:
    import dagster as dg

    from mystocks_dagster.runs.backfill import Planner
    from mystocks_dagster.runs.launch import Repository
    from mystocks_dagster.runs.stop import StopResult


class Project:
    """One project: its task file, as it is when first needed, and its Dagster instance.

    A program that lives longer than a save of the task file takes its projects from `current.Current`.

    Args:
        settings: The project's.
        instance: Opened already; else it is opened when first needed.
        warn: Called once, when the last good version of the task file is used instead of it, with the line that says
            so.
    """

    def __init__(
        self,
        settings: Settings,
        instance: "dg.DagsterInstance | None" = None,
        *,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self._instance = instance
        self._warn = warn

    @cached_property
    def version(self) -> Version:
        """The task file as it is now, without what is broken in it; when nothing of it can be used, its last good version.

        Raises:
            TaskFileError: It cannot be used, and there is no good version of it.
        """
        version = load_usable(self.settings)
        if text := notice(version):
            self._warn(text)
        return version

    @property
    def loaded(self) -> Version | None:
        """The version of the task file, when it was read already."""
        return self.__dict__.get("version")

    @property
    def notice(self) -> str | None:
        """One line about the task file when its last good version is used instead of it; None when the file itself is used."""
        return notice(self.version)

    @property
    def taskfile(self) -> TaskFile:
        """The tasks and groups that can run."""
        return self.version.taskfile

    @cached_property
    def instance(self) -> "dg.DagsterInstance":
        """The project's Dagster instance."""
        return self._instance or open_instance(self.settings)

    @cached_property
    def tables(self) -> DagsterTables:
        """The instance's tables, for reading."""
        opened = self._instance or self.__dict__.get("instance")
        return InstanceTables(opened) if opened else open_tables(self.settings)

    @cached_property
    def repository(self) -> "Repository":
        """The definitions from which runs are made."""
        from mystocks_dagster.runs import launch

        return launch.load(self.settings)

    @cached_property
    def task_ids(self) -> dict[str, str]:
        """Dagster name to task id."""
        return {task.dagster_name: task.task_id for task in self.taskfile.tasks}

    def find(self, name: str) -> Task | Group:
        """Return the task or group of that id.

        Raises:
            UnknownName: There is none; the message lists near names.
            TaskFileError: It is broken in the file; the message has the lines.
        """
        return self.version.find(name)

    def title(self, name: str) -> str:
        """Return the name, for people, of the task or group of that id."""
        found = self.find(name)
        return found.group_name if isinstance(found, Group) else found.task_name

    def create(
        self, name: str, params: Mapping[str, Any], *, only: bool = False, by: str = "cli", force: bool = False
    ) -> str:
        """Write a new run of a task or group and return the run's id.

        Args:
            name: Id of a task or group.
            params: Values for the task's parameters, for this run only.
            only: Leave out the tasks that it depends on.
            by: Who starts it, such as `cli`, `rest`, `python`: a tag of the run.
            force: Run a group although the file has it disabled.

        Raises:
            UnknownName: There is no such task or group.
            InvalidParams: The function does not take these parameters.
            AlreadyRunning: The task's `max_instances` are under way.
            Disabled: The file has the group disabled.
        """
        from mystocks_dagster.runs import launch, max_instances
        from mystocks_dagster.runs.disabled_groups import DISABLED, FORCE, refusal_reason

        found = self.find(name)
        self._check_params(found, params, only=only)
        config = {"ops": {found.dagster_name: {"config": dict(params)}}} if params else {}
        steps = [found.dagster_name] if only else None
        instance, repository = self.instance, self.repository
        tags = {"mystocks/started_by": by, **({FORCE: "true"} if force else {})}
        off = {DISABLED: "true"} if isinstance(found, Group) and not found.enabled else {}
        if refused := refusal_reason(instance, found.dagster_name, {**tags, **off}):
            raise Disabled(refused)
        # Counting and writing are one act, or two starts at the same moment would both find the place free.
        with atomic_files.locked(self.settings.dagster_home / "starts"):
            if isinstance(found, Task) and (
                reason := max_instances.limit_reached(instance, found.dagster_name, found.max_instances)
            ):
                raise AlreadyRunning(reason, max_instances.active_executions(instance, found.dagster_name))
            return launch.create_run(instance, repository, found.dagster_name, config, tags, steps)

    def _check_params(self, found: Task | Group, params: Mapping[str, Any], *, only: bool) -> None:
        if isinstance(found, Group):
            if params or only:
                raise InvalidParams(f"{found.group_id} is a group: parameters and --only are for a single task.")
            return
        function = self.version.functions[found.task_id]
        model = params_model(function)
        if not model:
            self._check_names(found, params)
            return
        if not params:
            return
        secret = [(name,) for name in found.secrets]
        if faults := params_faults(model, function, {**found.params, **params}, secret):
            told = [f"{path_text(('params', *fault.path))}: {fault.message}. {fault.hint}".strip() for fault in faults]
            raise InvalidParams(f"{found.task_id} was not started. " + " ".join(told))

    def _check_names(self, found: Task, params: Mapping[str, Any]) -> None:
        """Refuse what looks like a misspelt parameter of a function that takes a plain dict, which would pass without effect."""
        for name in params:
            if name not in found.params and (alike := near(name, found.params)):
                raise InvalidParams(
                    f"{found.task_id} was not started. It has no parameter {name!r} in the task file. Did you mean {alike[0]!r}?"
                )

    def unlisted_params(self, name: str, params: Mapping[str, Any]) -> list[str]:
        """Return a warning for each parameter that the task file does not list, of a function that takes a plain dict."""
        found = self.find(name)
        if isinstance(found, Group) or params_model(self.version.functions[found.task_id]):
            return []
        listed = ", ".join(found.params) or "none"
        return [
            f"{name} does not list the parameter {one!r} in the task file (listed: {listed}); its function gets it all the same."
            for one in params
            if one not in found.params
        ]

    def start(
        self, name: str, params: Mapping[str, Any], *, only: bool = False, by: str = "cli", force: bool = False
    ) -> str:
        """Put a new run into the daemon's queue, and return its id at once; arguments as in `create`.

        Raises:
            NoDaemon: No daemon is alive, so that the run would wait for ever; nothing was started.
            AlreadyRunning: The task's `max_instances` are under way.
            Disabled: The file has the group disabled.
        """
        from mystocks_dagster.runs import launch

        self.find(name)
        if not launch.daemon_alive(self.instance):
            raise NoDaemon(
                f"{name} was not started: no daemon is alive on {self.settings.dagster_home}. Start one with: mystocks ui"
            )
        run_id = self.create(name, params, only=only, by=by, force=force)
        launch.start(self.instance, run_id, queued=True)
        return run_id

    def backfill(self, name: str) -> "Planner":
        """Return what plans and writes the backfills of a task.

        Raises:
            InvalidParams: It keeps no table by trading day.
        """
        found = self.find(name)
        if isinstance(found, Group):
            raise InvalidParams(f"{name} is a group; name one task, such as {found.tasks[0]}.")
        from mystocks_dagster.runs.backfill import Planner

        return Planner(self.instance, self.repository, found.task_id, found.dagster_name)

    def history(
        self,
        name: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        status: str | None = None,
    ) -> Iterator[Execution]:
        """Yield executions that started in [since, until), those of the newest run first; of one status, `limit` at most.

        With the id of a task they are its own, in whichever job; with that of a group, those of all tasks in the
        group's runs.
        """
        group = isinstance(self.taskfile.by_id().get(name or ""), Group)
        # Paused is what pending is called while the task's switch is off, which the roll-up does not know.
        asked = "pending" if status == "paused" else status
        shown_status = self._shown_status()
        with catch_up.opened(self.tables, self.settings.dagster_home) as rollup:
            wanted = {"job": dagster_name(name)} if name and group else {"task_id": name}
            records = rollup.executions(
                **wanted, window=TimeWindow.of(since, until), status=asked, limit=None if asked == "pending" else limit
            )
            shown = (record.shown(self.tables, self.task_ids) for record in records)
            told = (replace(one, status=shown_status(one.task_id, one.status)) for one in shown)
            yield from islice((one for one in told if status in (None, one.status)), limit)

    def _shown_status(self) -> Callable[[str, str], str]:
        """Return what tells the status of a task's execution for people; it looks at the switches when it needs them, once."""
        switches = cache(self.switches)

        def shown_status(task_id: str, status: str) -> str:
            switch = switches().get(task_id) if status == "pending" else None
            return "paused" if switch and not switch.on else status

        return shown_status

    def execution(self, execution_id: str) -> Execution:
        """Return one execution by its id, `<run id>:<step>`.

        Raises:
            UnknownName: There is none.
        """
        for one in history.of_run(self.instance, execution_id.partition(":")[0], self.task_ids):
            if one.execution_id == execution_id:
                return replace(one, status=self._shown_status()(one.task_id, one.status))
        raise UnknownName(f"There is no execution {execution_id!r}. What ran: mystocks history")

    def statistics(
        self, task_id: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Statistics]:
        """Return statistics by task id, of every task or of one, over the executions that started in [since, until).

        Tasks of the file are there even when they never ran; what clean-ups removed is counted.
        """
        with catch_up.opened(self.tables, self.settings.dagster_home) as rollup:
            tallies = rollup.tallies(task_id, TimeWindow.of(since, until))
        names = {task.task_id: task.task_name for task in self.taskfile.tasks if task_id in (None, task.task_id)}
        shown_status = self._shown_status()
        found = {name: Statistics(task_id=name, task_name=title) for name, title in names.items()}
        for tally in tallies:
            if tally.task in OUR_NAMES:  # the project's own jobs are no tasks
                continue
            name = self.task_ids.get(tally.name, tally.task)
            found[name] = tally.shown(name, names.get(name, name), shown_status(name, tally.last_status))
        return found

    def last_outcomes(self) -> dict[str, str]:
        """Return, by task id, how the newest execution ended that did the work or failed at it: success, partial_success or failed."""
        with catch_up.opened(self.tables, self.settings.dagster_home) as rollup:
            return {self.task_ids.get(name, name): status for name, status in rollup.last_outcomes().items()}

    def read_history(self, progress: Progress | None = None, *, rebuild: bool = False) -> None:
        """Bring the roll-up up to date, as every question about history does; with progress, since the first time takes minutes.

        Args:
            progress: Told after each batch how many runs of how many have been read.
            rebuild: Throw the roll-up away first: history and statistics are then what they were.
        """
        with catch_up.opened(self.tables, self.settings.dagster_home, progress, rebuild=rebuild):
            pass

    def cleanup(self, days: int, *, dry_run: bool = False, progress: Progress | None = None) -> CleanupResult:
        """Remove runs, events, logs and ticks that ended more than `days` days ago; what stands on them stays.

        Args:
            days: At least 1.
            dry_run: Only say what would be removed.
            progress: Told after each batch how many runs of how many are done.

        Raises:
            InstanceError: Another clean-up runs, or `days` is less than 1.
        """
        from mystocks_dagster.history.cleanup.clean_up import InstanceRef, clean_up, make_room

        # Before the databases are opened, which needs room.
        tight = make_room(self.settings.dagster_home, days, dry_run=dry_run)
        return clean_up(
            InstanceRef(self.instance, self.settings.dagster_home),
            days,
            dry_run=dry_run,
            progress=progress,
            tight=tight,
        )

    def switches(self) -> dict[str, Switch]:
        """Return the switches of all tasks and groups that have a schedule, by id."""
        return switch_table.read(self.tables, switch_table.location(self.settings), self.taskfile.by_id())

    def switch(self, name: str, on: bool | None) -> Switch:
        """Turn the schedule of a task or group on or off, or (None) back to what the file says."""
        from mystocks_dagster.scheduling import switches

        found = self.find(name)
        return switches.turn(self.instance, switches.repository(self.settings), name, found, on)

    def coming(self, name: str | None, count: int) -> list[NextRun]:
        """Return the next `count` starts of each schedule that is on, of all or of one task or group, in order."""
        if name is not None:
            self.find(name)
        entries, moment = self.taskfile.by_id(), now().replace(microsecond=0)
        wanted = [one for one in self.switches().values() if one.on and name in (None, one.name)]
        noted = interval_state.read(self.tables)
        found = []
        for one in wanted:
            entry = entries[one.name]
            if schedule := entry.schedule:
                anchor = noted[entry.dagster_name].start if entry.dagster_name in noted else None
                found.append(
                    islice(next_runs.starts(one.name, schedule, moment, anchor=anchor, cursor=one.cursor), count)
                )
        return list(heapq.merge(*found, key=lambda coming: coming.time))

    def stop(self, name: str) -> "list[StopResult]":
        """Stop what a task or group has under way, or the run or execution of that id; return when it has ended.

        Raises:
            NotRunning: Nothing of it runs or waits.
            UnknownName: There is nothing of that name.
        """
        from mystocks_dagster.runs import stop as stopping

        try:
            task_ids = self.task_ids
        except TaskFileError:
            # What runs must be stoppable also when the file has become unreadable.
            task_ids = {}
        runs = stopping.runs_of(self.instance, task_ids, name)
        if not runs and stopping.is_run_id(name):
            runs = [stopping.run_named(self.instance, task_ids, name)]
        if not runs:
            self.find(name)
            raise NotRunning(f"{name} is not running, and no run of it waits. What ran last: mystocks history {name}")
        return [stopping.stop(self.instance, run, task_ids) for run in runs]
