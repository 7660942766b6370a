"""One project as an object: what CLI, REST, pages, Python and Dagster's management jobs do with tasks.

All of them go through `Project`, whose parts call `access.check` for each action. Importing it does not import Dagster.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mystocks_dagster.project import reload_state
from mystocks_dagster.project.access import CLI, Action, Caller, check
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.last_good import notice
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.reader import Version

if TYPE_CHECKING:
    from datetime import datetime

    import dagster as dg

    from mystocks_dagster.project.audit import Entry
    from mystocks_dagster.project.backtest_view import BacktestView
    from mystocks_dagster.project.check import Check
    from mystocks_dagster.project.data_coverage import DataCoverage
    from mystocks_dagster.project.edit import TaskFileEditor
    from mystocks_dagster.project.entry_versions import EntryVersions
    from mystocks_dagster.project.health import Health
    from mystocks_dagster.project.lake_view import LakeView
    from mystocks_dagster.project.logs import ExecutionLogs
    from mystocks_dagster.project.market_view.view import MarketView
    from mystocks_dagster.project.metrics.exposition import Exposition
    from mystocks_dagster.project.reload import ReloadResult
    from mystocks_dagster.project.run_control import RunControl
    from mystocks_dagster.project.run_history import RunHistory
    from mystocks_dagster.project.schedules import Schedules
    from mystocks_dagster.project.screening import Screening
    from mystocks_dagster.trading_calendar.refresh import RefreshResult


class Project:
    """One project for one caller.

    A program that outlives changes of the task file gets its projects from `project_cache.ProjectCache`.

    Args:
        settings: The project's settings.
        instance: The open Dagster instance; None: it is opened when first needed.
        caller: The caller, which decides the permissions and the tag `mystocks/started_by` of the runs it starts.
        warn: Called at most once, with the warning that the last good version of the task file is in use.
        state: A loaded state, instead of `instance` and `warn`.
    """

    def __init__(
        self,
        settings: Settings,
        instance: "dg.DagsterInstance | None" = None,
        *,
        caller: Caller = CLI,
        warn: Callable[[str], None] = lambda _: None,
        state: ProjectState | None = None,
    ) -> None:
        self.settings = settings
        self.caller = caller
        self._state = state or ProjectState(settings, instance, warn=warn)

    @property
    def version(self) -> Version:
        """The task file without its broken entries, or its last good version; see `ProjectState.version`."""
        return self._state.version

    @property
    def loaded(self) -> Version | None:
        """The version of the task file if it is loaded already."""
        return self._state.known

    @property
    def notice(self) -> str | None:
        """A one-line warning if this process or the web UI uses another version than the current task file."""
        return notice(self.loaded or self.version) or reload_state.trouble(self.settings)

    @property
    def taskfile(self) -> TaskFile:
        """The tasks and groups that can run."""
        return self._state.taskfile

    @property
    def task_ids(self) -> dict[str, str]:
        """Dagster name to task id."""
        return self._state.task_ids

    @property
    def instance(self) -> "dg.DagsterInstance":
        """The project's Dagster instance."""
        return self._state.instance

    @property
    def daemon_alive(self) -> bool:
        """Whether a daemon is running."""
        from mystocks_dagster.runs.launch import daemon_alive

        return daemon_alive(self.instance)

    def find(self, name: str) -> Task | Group:
        """Return a task or group by its id.

        Raises:
            UnknownName: There is none; the message lists similar ids.
            TaskFileError: It is broken in the file; the message names the lines.
        """
        return self._state.find(name)

    def title(self, name: str) -> str:
        """Return the name of a task or group by its id."""
        entry = self.find(name)
        return entry.group_name if isinstance(entry, Group) else entry.task_name

    @cached_property
    def edits(self) -> "TaskFileEditor":
        """Changes of the task file: add, edit, replace, remove, import, export."""
        from mystocks_dagster.project.edit import TaskFileEditor

        return TaskFileEditor(self.settings, self.caller, self._state.background_reload)

    @cached_property
    def entry_versions(self) -> "EntryVersions":
        """The stored versions of each task and group, and roll-back."""
        from mystocks_dagster.project.entry_versions import EntryVersions

        _ = self.version  # loading the current version stores it
        return EntryVersions(self.settings, self.edits)

    @cached_property
    def runs(self) -> "RunControl":
        """Start and stop runs, and backfills."""
        from mystocks_dagster.project.run_control import RunControl

        return RunControl(self._state, self.caller)

    @cached_property
    def schedules(self) -> "Schedules":
        """Switches and next starts."""
        from mystocks_dagster.project.schedules import Schedules

        return Schedules(self._state, self.caller)

    @cached_property
    def history(self) -> "RunHistory":
        """Executions, statistics and the clean-up."""
        from mystocks_dagster.project.run_history import RunHistory

        return RunHistory(self._state, self.schedules, self.caller)

    @cached_property
    def logs(self) -> "ExecutionLogs":
        """Log lines and output of executions."""
        from mystocks_dagster.project.logs import ExecutionLogs

        return ExecutionLogs(self._state, self.history)

    @cached_property
    def coverage(self) -> "DataCoverage":
        """Which trading days the lake has, and how the others can be loaded."""
        from mystocks_dagster.project.data_coverage import DataCoverage

        return DataCoverage(self._state)

    @cached_property
    def screening(self) -> "Screening":
        """Screens of the market."""
        from mystocks_dagster.project.screening import Screening

        return Screening(self._state)

    @cached_property
    def tables(self) -> "LakeView":
        """The lake's tables, for pages."""
        from mystocks_dagster.project.lake_view import LakeView

        return LakeView(self._state)

    @cached_property
    def backtests(self) -> "BacktestView":
        """The stored backtests, for pages."""
        from mystocks_dagster.project.backtest_view import BacktestView

        return BacktestView(self._state)

    @cached_property
    def market(self) -> "MarketView":
        """The lake's market data for charts and overviews."""
        from mystocks_dagster.project.market_view.view import MarketView

        return MarketView(self._state)

    def params_of_failed(self, name: str) -> dict[str, Any]:
        """Return the parameters that repeat just what failed in a task's last execution; `NothingFailed` if nothing."""
        from mystocks_dagster.project.failed_items import params_of_failed

        return params_of_failed(self._state, self.history, name)

    def reload(self) -> "ReloadResult":
        """Make a running web UI use the current task file; raises as `reload.reload` does."""
        from mystocks_dagster.project.reload import reload

        check(self.caller, Action.RELOAD)
        return reload(self.settings)

    def refresh_calendar(self, source: str | None = None) -> "RefreshResult":
        """Fetch the trading days from a source, or from the project's own; raises as `refresh_calendar` does."""
        from mystocks_dagster.project import audit
        from mystocks_dagster.project.calendar_refresh import refresh_calendar

        check(self.caller, Action.REFRESH_CALENDAR)
        audit.check_storage(self.settings)
        result = refresh_calendar(self._state, source)
        if result.asked and not result.error:
            audit.note(self.settings, self.caller, Action.REFRESH_CALENDAR, source or "")
        return result

    def audit(self, *, limit: int = 100, since: "datetime | None" = None, user: str | None = None) -> "list[Entry]":
        """Return the newest entries of the audit log, the newest first; arguments as in `audit.entries`."""
        from mystocks_dagster.project import audit

        return list(audit.entries(self._state.tables, limit=limit, since=since, user=user))

    def health(self) -> "Health":
        """Check whether the project does its work."""
        from mystocks_dagster.project.health import health

        return health(self._state, self.history, self.schedules)

    def metrics(self, exposition: "Exposition") -> bytes:
        """Return the figures of the project as text for Prometheus; `exposition` keeps what is slow to read."""
        return exposition.text(self._state)

    def readiness(self) -> "tuple[Check, ...]":
        """Check what every request needs: the storage, and a task file that can be used."""
        from mystocks_dagster.project.health import readiness

        return readiness(self._state)

    def doctor(self) -> "list[Check]":
        """Check whether this machine can run the project."""
        from mystocks_dagster.project.doctor import examine

        return examine(self._state)
