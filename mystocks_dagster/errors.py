"""The exceptions that this package raises on purpose.

MyStocksError
├── SettingsError             an environment variable or a project folder is invalid
├── TaskFileError             tasks.yaml is invalid; lists each problem with file:line:column and a remedy
│                             (taskfile/problems.py)
├── EditRefused               an edit of tasks.yaml conflicts with another entry (taskfile/edit/plans.py)
├── ChangedMeanwhile          an entry changed between the start and the save of its edit (project/edit.py)
├── Forbidden                 the caller is not allowed to do this
├── UnknownName               no task, table or source has this name; the message lists similar names
├── InvalidParams             a task's parameters do not match its function
├── OutsideCalendar           a date is outside the published exchange calendar
├── SourceError               a data source failed
│   ├── SourceUnavailable     network error, ban, 5xx or timeout: a later retry may succeed
│   ├── SourceChanged         columns or units differ from the contract: needs investigation
│   └── NotOffered            the source does not offer this dataset: the task is skipped
├── BackupError               a backup cannot be made here, or not be restored here
│   └── BackupDamaged         a file of a backup is missing or altered
├── LakeError                 a table could not be read or written
│   ├── TableMissing          the table has not been written yet
│   ├── WrongWorld            simulated and real data must not be in one lake
│   ├── ContractBroken        a frame violates its table's contract
│   ├── WrongFormat           written by a newer version, or by an older one and not migrated yet
│   ├── TableDamaged          files of the table are missing or altered: an earlier version can be restored
│   └── LakeUnavailable       the folder cannot be accessed at the moment, or the disk is full
│       └── LakeUnusable      its name, file type or permissions are wrong and must be changed
├── EngineError               the cluster that computes grids is not fit for it
│   └── EngineUnavailable     it does not answer, or has lost its workers
├── TaskFailed                the task's function raised or returned a failure
│   └── TaskTimedOut          the task exceeded its timeout and was stopped
└── InstanceError             the Dagster daemon, instance or run cannot do this
    ├── AlreadyRunning        max_instances executions of the task are active
    ├── NotRunning            there is nothing to stop
    ├── NotNow                another operation is in the way
    ├── NoSwitch              the task or group has no schedule
    ├── Disabled              the group is disabled in the task file
    ├── NoDaemon              no daemon is alive to start a queued run
    ├── OtherLake             the runs would use another lake or source than the caller's
    └── NoDatabase            the database that keeps Dagster's storage does not answer

Each class has its HTTP status, its exit code and whether a retry can succeed.
"""

from collections.abc import Iterable
from typing import Any, ClassVar


class MyStocksError(Exception):
    """Base of every error raised on purpose: the message states the fault and the remedy.

    A class states its `status` and `exit_code` in its declaration. Below the first level it inherits the ones that it
    does not state.

    Attributes:
        status: HTTP status of the response of REST and the pages.
        exit_code: Exit code of a command.
        retryable: Whether a later attempt can succeed; only then does a task use its retries.
        remedy: What a person does about it, for docs/errors.md; the message says it with the names at hand.
    """

    status: ClassVar[int]
    exit_code: ClassVar[int]
    remedy: ClassVar[str] = ""
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls, *, status: int | None = None, exit_code: int | None = None) -> None:
        """Set the status and exit code that the class states.

        Raises:
            TypeError: The class neither states nor inherits a status or an exit code.
        """
        super().__init_subclass__()
        for name, value in (("status", status), ("exit_code", exit_code)):
            if value is not None:
                setattr(cls, name, value)
            elif not hasattr(cls, name):
                raise TypeError(
                    f"{cls.__name__} has no {name}: class {cls.__name__}(MyStocksError, status=…, exit_code=…)"
                )

    def to_json(self) -> dict[str, Any]:
        """Return the error as REST and `--json` show it: kind, message, located problems, ids of blocking entries."""
        return error_json(type(self).__name__, str(self), **self._details())

    def _details(self) -> dict[str, Any]:
        return {}


def error_json(kind: str, message: str, **details: Any) -> dict[str, Any]:
    """Return the JSON shape of an error, shared by REST and `--json`, with further details."""
    empty = {"problems": [], "names": [], "task_id": None, "execution_id": None}
    return {"success": False, "error": kind, "message": message, **empty, **details}


class SettingsError(MyStocksError, status=503, exit_code=1):
    """An environment variable or a project folder is invalid."""

    remedy = "Correct the variable or the folder that the message names; `mystocks doctor` checks all of them."


class SourceNotSet(SettingsError):
    """A data source needs a variable that is not set."""

    remedy = "Set the variable that the message names, or choose another source."


class UnknownName(MyStocksError, status=404, exit_code=1):
    """No task, table or source has this name; the message lists similar names."""

    remedy = (
        "Use one of the similar names of the message; `mystocks list` has the tasks, `mystocks data tables` the tables."
    )


class InvalidParams(MyStocksError, status=422, exit_code=1):
    """A task's parameters do not match its function."""

    remedy = "Correct the parameter that the message names; `mystocks show TASK` prints those of a task."


class Forbidden(MyStocksError, status=403, exit_code=1):
    """The caller is not allowed to do this, such as a path outside the export folder or a command over REST."""

    remedy = "Do it in the project's folder with `mystocks`, or give the token; docs/rest.md says who may do what."


class OutsideCalendar(MyStocksError, status=422, exit_code=1):
    """A date is outside the published exchange calendar."""

    remedy = "Extend the calendar: `mystocks calendar --refresh`, or a file of your own beside tasks.yaml."


class SourceError(MyStocksError, status=503, exit_code=1):
    """A data source failed."""

    remedy = "Read the source's answer with `mystocks logs TASK`, and run the task again or name another source."


class SourceUnavailable(SourceError):
    """Network error, ban, 5xx or timeout: a later retry may succeed. The message names the host."""

    remedy = "Wait, or name another source: `mystocks run TASK -p data_source=baostock`."

    retryable = True


class SourceChanged(SourceError):
    """Columns or units differ from the contract: needs investigation."""

    remedy = "Update the package of the source; until then name another source. What is stored stays as it is."


class NotOffered(SourceError):
    """The source does not offer this dataset: the task is skipped."""

    remedy = "Name a source that has it: docs/sources.md lists what each one has."


class BackupError(MyStocksError, status=409, exit_code=1):
    """A backup cannot be made here or not be restored here: something is in the place, or the storage is unknown."""

    remedy = "Name an empty folder, or restore in one; nothing is overwritten."


class BackupDamaged(BackupError):
    """A file of a backup is missing, or its digest differs from the one that was noted when it was made."""

    remedy = "Copy the named file again from where the backup was copied, or use another backup."


class LakeError(MyStocksError, status=503, exit_code=1):
    """A table could not be read or written."""

    remedy = "`mystocks doctor` checks the lake; `mystocks data tables` names a damaged table."


class TableMissing(LakeError, status=404):
    """The table has not been written yet."""

    remedy = "Run the task that writes it: `mystocks list` names the tasks, `mystocks bootstrap` fills an empty lake."


class QueryRefused(LakeError, status=422):
    """A query is not a single SELECT, DuckDB rejects it, or it costs more than it may."""

    remedy = "Write one SELECT over the tables of `mystocks data tables`, with a narrower range of days."


class WrongWorld(LakeError, status=409):
    """Simulated and real data must not be in one lake."""

    remedy = "Name another folder in MYSTOCKS_LAKE for the other kind of data; `--demo` uses a lake of its own."


class ContractBroken(LakeError):
    """A frame violates its table's contract (columns, types, keys, ranges)."""

    remedy = (
        "Correct the rows or the function that made them; docs/lake.md has the columns, units and rules of each table."
    )


class WrongFormat(LakeError):
    """The table was written by a newer version of this package, or by an older one and not migrated yet."""

    remedy = "`mystocks data migrate` for an older lake; for a newer one, update this package."


class TableDamaged(LakeError):
    """Files of a table are missing or altered; the message names one of them and how to restore it."""

    remedy = "`mystocks data restore TABLE` lists the versions, and restores one with `--to`."


class LakeUnavailable(LakeError):
    """The lake's folder cannot be accessed at the moment, or the disk is full."""

    remedy = "Free disk space or mount the folder, then run the task again; `mystocks health` shows the space."

    retryable = True


class LakeUnusable(LakeUnavailable):
    """The lake's folder has a wrong name, file type or permissions, which must be changed."""

    remedy = "Rename the folder or change its permissions, as the message says."

    retryable = False


class Overtaken(LakeError, status=409):
    """Another task wrote the rows of a table from which this one computed its own; nothing was written."""

    remedy = "Run the task again. If it happens often, let the tasks start one after the other (`dependencies`)."

    retryable = True


class EngineError(MyStocksError, status=503, exit_code=1):
    """The engine of `MYSTOCKS_ENGINE` is not fit to compute: versions differ, or code is missing."""

    remedy = "Install one release on all machines; or unset `MYSTOCKS_ENGINE` to compute on this machine."


class EngineUnavailable(EngineError):
    """The engine does not answer, has no workers, or has lost them."""

    remedy = "Start `dask scheduler` and `dask worker`; or unset `MYSTOCKS_ENGINE` to compute on this machine."

    retryable = True


class TaskFailed(MyStocksError, status=500, exit_code=1):
    """The task's function raised or returned a failure."""

    remedy = "Read the cause with `mystocks logs TASK`, mend it, and run the task again."

    retryable = True


class TaskTimedOut(TaskFailed):
    """The task exceeded its timeout and was stopped."""

    remedy = "Raise `timeout` of the task in tasks.yaml, or give it fewer days or symbols."


class InstanceError(MyStocksError, status=503, exit_code=1):
    """The Dagster daemon, instance or run cannot do this."""

    remedy = "`mystocks health` shows what runs; `mystocks doctor` checks the instance."


class AlreadyRunning(InstanceError, status=409):
    """The task has `max_instances` active executions already.

    Attributes:
        executions: Ids of the active executions, the newest first.
    """

    remedy = "Wait for it, stop it with `mystocks stop TASK`, or raise `max_instances`."

    def __init__(self, message: str, executions: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.executions = tuple(executions)

    def _details(self) -> dict[str, Any]:
        return {"names": list(self.executions), "execution_id": next(iter(self.executions), None)}


class NotRunning(InstanceError, status=409):
    """There is nothing to stop: the execution has ended or was never started."""

    remedy = "Nothing needs to be done; `mystocks history TASK` shows how it ended."


class NothingFailed(InstanceError, status=409):
    """There is nothing to repeat: nothing failed in the task's last execution."""

    remedy = "Nothing needs to be done; to run it all again leave out `--failed-only`."


class NotNow(InstanceError, status=409):
    """Another operation is in the way, such as a second clean-up or a run inside another program."""

    remedy = "Wait until the other operation has ended, and do it again."


class NoSwitch(InstanceError, status=409):
    """The task or group has no schedule to switch on or off."""

    remedy = "Give the entry a `schedule` in tasks.yaml first."


class Disabled(InstanceError, status=409):
    """The group is disabled in the task file; the message says how to run it anyway."""

    remedy = "Set `enabled: true` in tasks.yaml, or run it as the message says."


class NoDaemon(InstanceError):
    """No daemon is alive on this instance, so a queued run would not start."""

    remedy = "Start `mystocks ui`, which runs the daemon, or `mystocks service install`."


class OtherLake(InstanceError, status=409):
    """The daemon's lake or source is another one than the caller's, so a queued run would write into another lake."""

    remedy = "Run it without `--detach`, or with MYSTOCKS_LAKE and MYSTOCKS_SOURCE as the daemon has them."


class NoDatabase(InstanceError):
    """The Postgres database that keeps Dagster's storage does not answer."""

    remedy = "Start the database server, or correct its address under `storage` in dagster.yaml."
