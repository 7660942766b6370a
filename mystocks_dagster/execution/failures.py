"""Why an attempt failed: a record of an exception, sent from the task's process to the caller."""

import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from mystocks_dagster.errors import MyStocksError

_LONGEST_MESSAGE = 4_000
_LONGEST_TRACEBACK = 20_000
_LIBRARY = Path(os.__file__).parent
#: Frames of these files lie between the process's start and the user's function; they do not help the user.
_HIDDEN = (str(Path(__file__).parent), str(_LIBRARY / "asyncio"), str(_LIBRARY / "importlib"), "<frozen importlib")


@dataclass(frozen=True, kw_only=True)
class ErrorInfo:
    """Why an attempt failed.

    Attributes:
        type: The exception's class, such as `SourceUnavailable`, `KeyError`, `requests.exceptions.ReadTimeout`; or
            `TaskFailed` (the function returned `status: failed`), `TaskTimedOut`, `TaskStopped` (on request),
            `TaskCrashed` (the process ended without a result).
        message: What went wrong, for people.
        retryable: Whether another attempt can succeed.
        traceback: The frames of the function and of what it called; empty when there are none.
    """

    type: str
    message: str
    retryable: bool
    traceback: str = ""

    @property
    def why(self) -> str:
        """Why there is or is not another attempt, as the second half of a sentence."""
        if not self.retryable:
            return _NO_RETRY.get(self.type, f"a retry cannot resolve a {self.type}")
        return _RETRY.get(self.type, f"a {self.type} may have a cause that passes")


#: Why a retry may help, by the type of the failure.
_RETRY = {
    "SourceUnavailable": "the source may answer later",
    "LakeUnavailable": "the lake may be reachable later, or have room",
    "TaskTimedOut": "it may be faster the next time",
    "TaskCrashed": "what ended its process may not happen again",
    "TaskFailed": "the function did not rule out a retry",
}
_NO_RETRY = {
    "TaskStopped": "it was stopped on request",
    "InvalidParams": "its parameters stay wrong until somebody changes them",
    "SourceChanged": "the source's answer has a new form, which a person must check",
    "ContractBroken": "the rows would break the table's contract again",
    "TableDamaged": "the file stays damaged until an earlier version is restored",
    "TableMissing": "the table stays missing until its own task has run",
    "WrongWorld": "one lake cannot hold simulated and real data",
    "WrongFormat": "the table keeps its format until somebody migrates it",
    "LakeUnusable": "the folder stays unusable until somebody changes it",
}
#: Errors of the code or of the machine's set-up: the next attempt runs the same code in the same place.
_NEVER = (
    ImportError,
    SyntaxError,
    NameError,
    NotImplementedError,
    RecursionError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
)
#: Also errors of the code, unless their message names NoneType: a source sent nothing, which may pass.
_NEVER_UNLESS_NONE = (TypeError, AttributeError)
#: Polars' errors about an expression that does not fit its frame.
_NEVER_OF_POLARS = frozenset(
    {
        "ColumnNotFoundError",
        "DuplicateError",
        "InvalidOperationError",
        "SchemaError",
        "SchemaFieldNotFoundError",
        "SQLSyntaxError",
    }
)


def to_record(error: BaseException) -> dict[str, Any]:
    """Return the fields of `ErrorInfo` for an exception that left the function."""
    kind = type(error)
    known = kind.__module__.partition(".")[0] in ("builtins", "mystocks_dagster")
    name = kind.__qualname__ if known else f"{kind.__module__}.{kind.__qualname__}"
    retryable = error.retryable if isinstance(error, MyStocksError) else _may_pass(error)
    return {
        "type": name,
        "message": _message(error, name)[:_LONGEST_MESSAGE],
        "retryable": retryable,
        "traceback": _frames(error),
    }


def _may_pass(error: BaseException) -> bool:
    """Return whether the next attempt may be free of an exception of another package; True for unknown classes."""
    if isinstance(error, _NEVER_UNLESS_NONE):
        return "NoneType" in _message(error, "")
    if type(error).__module__.partition(".")[0] == "polars":
        return type(error).__name__ not in _NEVER_OF_POLARS
    return not isinstance(error, _NEVER)


def _message(error: BaseException, name: str) -> str:
    try:
        text = str(error).strip()
    except Exception as broken:  # noqa: BLE001 - the user's own __str__ failed; the error itself must not be lost
        text = f"(its message cannot be shown: {type(broken).__name__})"
    if isinstance(error, MyStocksError):
        return text or name
    if isinstance(error, SystemExit):
        return f"the function called sys.exit({text}) instead of returning."
    return f"{name}: {text}" if text else name


def _frames(error: BaseException) -> str:
    """Return the traceback from the user's first frame on; empty when the error occurred before the function ran."""
    frame = error.__traceback__
    while frame is not None and _is_hidden(frame):
        frame = frame.tb_next
    last = frame
    while last is not None and last.tb_next is not None:
        if _is_hidden(last.tb_next):  # the signal handler of `task_process`
            last.tb_next = None
        last = last.tb_next
    if frame is None and not isinstance(error, SyntaxError):
        return ""
    try:
        lines = list(traceback.TracebackException(type(error), error, frame).format())
    except Exception as broken:  # noqa: BLE001 - as above
        return f"(the traceback cannot be shown: {type(broken).__name__})"
    text = "".join(lines).rstrip()
    return text if len(text) <= _LONGEST_TRACEBACK else f"…{text[-_LONGEST_TRACEBACK:]}"


def _is_hidden(frame: TracebackType) -> bool:
    return frame.tb_frame.f_code.co_filename.startswith(_HIDDEN)
