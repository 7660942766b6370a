"""Every error this package raises on purpose.

MyStocksError
├── SettingsError             an environment variable or a folder of ours is wrong
├── TaskFileError             tasks.yaml is wrong; holds every problem with file:line:column and a remedy
(taskfile/problems.py)
├── EditRefused               an edit of tasks.yaml would break what others rely on (taskfile/edit/plans.py)
├── ChangedMeanwhile          an entry of it is no longer what it was when its edit began (project/edit.py)
├── Forbidden                 what was asked for is not allowed from where it came
├── UnknownName               no task, table, source… of that name; the message lists near names
├── InvalidParams             a task's parameters do not fit its function
├── OutsideCalendar           a date lies beyond the published exchange calendar
├── SourceError               a data source failed
│   ├── SourceUnavailable     network, ban, 5xx, timeout: a retry later may mend it
│   ├── SourceChanged         columns or units differ from the contract: a person must look
│   └── NotOffered            the source has no such dataset: the task is skipped
├── LakeError                 a table could not be read or written
│   ├── TableMissing          nothing has written that table yet
│   ├── WrongWorld            simulated and real data must not meet in one lake
│   ├── ContractBroken        a frame does not obey its table's contract
│   ├── WrongFormat           a newer version wrote the table, or an older one whose table must be migrated
│   ├── TableDamaged          files of the table are lost, cut or altered: an earlier version can be restored
│   └── LakeUnavailable       the folder cannot be read or written for now, or the disk is full
│       └── LakeUnusable      its name, kind or rights do not allow it: a person must change them
├── TaskFailed                the task's function said that it failed
│   └── TaskTimedOut          it ran longer than its timeout and was stopped
└── InstanceError             Dagster's daemon, instance or run could not do what was asked
    ├── AlreadyRunning        as many executions of the task as max_instances allows are under way
    ├── NotRunning            there is nothing to stop
    ├── NoSwitch              it has no schedule that could be switched on or off
    └── NoDaemon              nobody would take a queued run off the queue

Each class carries its HTTP status, its exit code and whether a retry can mend it.
"""

from collections.abc import Iterable
from typing import Any, ClassVar


class MyStocksError(Exception):
    """Base of every error raised on purpose: the message says what is wrong and what to do.

    A class states its `status` and `exit_code` where it is declared; below the first level it inherits what it does
    not state.

    Attributes:
        status: HTTP status with which REST and the pages answer it.
        exit_code: With which a command ends.
        retryable: Whether trying again later can mend it: only then does a task use its retries.
    """

    status: ClassVar[int]
    exit_code: ClassVar[int]
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls, *, status: int | None = None, exit_code: int | None = None) -> None:
        """Keep what the class states.

        Raises:
            TypeError: It neither states nor inherits a status or an exit code.
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
        """Return it as REST and `--json` show it: kind, message, located problems, ids that stand in the way."""
        return error_json(type(self).__name__, str(self), **self._details())

    def _details(self) -> dict[str, Any]:
        return {}


def error_json(kind: str, message: str, **details: Any) -> dict[str, Any]:
    """Return the one shape of an error for programs, with what else is known of it."""
    empty = {"problems": [], "names": [], "task_id": None, "execution_id": None}
    return {"success": False, "error": kind, "message": message, **empty, **details}


class SettingsError(MyStocksError, status=503, exit_code=1):
    """An environment variable or a folder of ours is wrong."""


class UnknownName(MyStocksError, status=404, exit_code=1):
    """No task, table or source of that name; the message lists near names."""


class InvalidParams(MyStocksError, status=422, exit_code=1):
    """A task's parameters do not fit its function."""


class Forbidden(MyStocksError, status=403, exit_code=1):
    """What was asked for is not allowed from where it came: a path outside the export folder, a command over REST."""


class OutsideCalendar(MyStocksError, status=422, exit_code=1):
    """A date lies beyond the published exchange calendar."""


class SourceError(MyStocksError, status=503, exit_code=1):
    """A data source failed."""


class SourceUnavailable(SourceError):
    """Network, ban, 5xx or timeout: a retry later may mend it. Names the host."""

    retryable = True


class SourceChanged(SourceError):
    """Columns or units differ from the contract: a person must look."""


class NotOffered(SourceError):
    """The source has no such dataset: the task that wants it is skipped."""


class LakeError(MyStocksError, status=503, exit_code=1):
    """A table could not be read or written."""


class TableMissing(LakeError, status=404):
    """Nothing has written that table yet."""


class WrongWorld(LakeError, status=409):
    """Simulated and real data must not meet in one lake."""


class ContractBroken(LakeError):
    """A frame does not obey its table's contract (columns, types, keys, ranges)."""


class WrongFormat(LakeError):
    """A newer version of this package wrote the table, or an older one whose table must be migrated first."""


class TableDamaged(LakeError):
    """Files of a table are lost, cut or altered; the message names one of them and the way back."""


class LakeUnavailable(LakeError):
    """The lake's folder cannot be read or written for now, or the disk is full."""

    retryable = True


class LakeUnusable(LakeUnavailable):
    """The lake's folder has a name, a kind or rights with which it cannot work: a person must change them."""

    retryable = False


class TaskFailed(MyStocksError, status=500, exit_code=1):
    """The task's function said that it failed, or raised."""

    retryable = True


class TaskTimedOut(TaskFailed):
    """It ran longer than its timeout and was stopped."""


class InstanceError(MyStocksError, status=503, exit_code=1):
    """Dagster's daemon, instance or run could not do what was asked."""


class AlreadyRunning(InstanceError, status=409):
    """As many executions of the task are under way as its `max_instances` allows.

    Attributes:
        executions: Their ids, the newest first.
    """

    def __init__(self, message: str, executions: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.executions = tuple(executions)

    def _details(self) -> dict[str, Any]:
        return {"names": list(self.executions), "execution_id": next(iter(self.executions), None)}


class NotRunning(InstanceError, status=409):
    """There is nothing to stop: it has ended, or was never started."""


class NotNow(InstanceError, status=409):
    """Something else is in the way for now: another clean-up, a program that only itself can stop."""


class NoSwitch(InstanceError, status=409):
    """It has no schedule, so that there is nothing to switch on or off."""


class Disabled(InstanceError, status=409):
    """The group is switched off in the task file; the message says how to run it all the same."""


class NoDaemon(InstanceError):
    """No daemon is alive on this instance, so that nobody would take a queued run off the queue."""
