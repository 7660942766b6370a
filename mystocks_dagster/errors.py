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
├── LakeError                 a table could not be read or written
│   ├── TableMissing          the table has not been written yet
│   ├── WrongWorld            simulated and real data must not be in one lake
│   ├── ContractBroken        a frame violates its table's contract
│   ├── WrongFormat           written by a newer version, or by an older one and not migrated yet
│   ├── TableDamaged          files of the table are missing or altered: an earlier version can be restored
│   └── LakeUnavailable       the folder cannot be accessed at the moment, or the disk is full
│       └── LakeUnusable      its name, file type or permissions are wrong and must be changed
├── TaskFailed                the task's function raised or returned a failure
│   └── TaskTimedOut          the task exceeded its timeout and was stopped
└── InstanceError             the Dagster daemon, instance or run cannot do this
    ├── AlreadyRunning        max_instances executions of the task are active
    ├── NotRunning            there is nothing to stop
    ├── NotNow                another operation is in the way
    ├── NoSwitch              the task or group has no schedule
    ├── Disabled              the group is disabled in the task file
    └── NoDaemon              no daemon is alive to start a queued run

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
    """

    status: ClassVar[int]
    exit_code: ClassVar[int]
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


class UnknownName(MyStocksError, status=404, exit_code=1):
    """No task, table or source has this name; the message lists similar names."""


class InvalidParams(MyStocksError, status=422, exit_code=1):
    """A task's parameters do not match its function."""


class Forbidden(MyStocksError, status=403, exit_code=1):
    """The caller is not allowed to do this, such as a path outside the export folder or a command over REST."""


class OutsideCalendar(MyStocksError, status=422, exit_code=1):
    """A date is outside the published exchange calendar."""


class SourceError(MyStocksError, status=503, exit_code=1):
    """A data source failed."""


class SourceUnavailable(SourceError):
    """Network error, ban, 5xx or timeout: a later retry may succeed. The message names the host."""

    retryable = True


class SourceChanged(SourceError):
    """Columns or units differ from the contract: needs investigation."""


class NotOffered(SourceError):
    """The source does not offer this dataset: the task is skipped."""


class LakeError(MyStocksError, status=503, exit_code=1):
    """A table could not be read or written."""


class TableMissing(LakeError, status=404):
    """The table has not been written yet."""


class QueryRefused(LakeError, status=422):
    """A query is not a single SELECT, DuckDB rejects it, or it costs more than it may."""


class WrongWorld(LakeError, status=409):
    """Simulated and real data must not be in one lake."""


class ContractBroken(LakeError):
    """A frame violates its table's contract (columns, types, keys, ranges)."""


class WrongFormat(LakeError):
    """The table was written by a newer version of this package, or by an older one and not migrated yet."""


class TableDamaged(LakeError):
    """Files of a table are missing or altered; the message names one of them and how to restore it."""


class LakeUnavailable(LakeError):
    """The lake's folder cannot be accessed at the moment, or the disk is full."""

    retryable = True


class LakeUnusable(LakeUnavailable):
    """The lake's folder has a wrong name, file type or permissions, which must be changed."""

    retryable = False


class TaskFailed(MyStocksError, status=500, exit_code=1):
    """The task's function raised or returned a failure."""

    retryable = True


class TaskTimedOut(TaskFailed):
    """The task exceeded its timeout and was stopped."""


class InstanceError(MyStocksError, status=503, exit_code=1):
    """The Dagster daemon, instance or run cannot do this."""


class AlreadyRunning(InstanceError, status=409):
    """The task has `max_instances` active executions already.

    Attributes:
        executions: Ids of the active executions, the newest first.
    """

    def __init__(self, message: str, executions: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.executions = tuple(executions)

    def _details(self) -> dict[str, Any]:
        return {"names": list(self.executions), "execution_id": next(iter(self.executions), None)}


class NotRunning(InstanceError, status=409):
    """There is nothing to stop: the execution has ended or was never started."""


class NothingFailed(InstanceError, status=409):
    """There is nothing to repeat: nothing failed in the task's last execution."""


class NotNow(InstanceError, status=409):
    """Another operation is in the way, such as a second clean-up or a run inside another program."""


class NoSwitch(InstanceError, status=409):
    """The task or group has no schedule to switch on or off."""


class Disabled(InstanceError, status=409):
    """The group is disabled in the task file; the message says how to run it anyway."""


class NoDaemon(InstanceError):
    """No daemon is alive on this instance, so a queued run would not start."""
