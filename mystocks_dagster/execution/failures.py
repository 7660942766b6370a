"""Why an attempt failed: what is known of an exception, on its way from the task's process to the caller."""

import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from mystocks_dagster.errors import MyStocksError

_LONGEST_MESSAGE = 4_000
_LONGEST_TRACEBACK = 20_000
#: Their frames stand between the process's start and the user's function, and tell the user nothing.
_LIBRARY = Path(os.__file__).parent
_OURS = (str(Path(__file__).parent), str(_LIBRARY / "asyncio"), str(_LIBRARY / "importlib"), "<frozen importlib")


@dataclass(frozen=True, kw_only=True)
class ErrorInfo:
    """Why an attempt failed.

    Attributes:
        type: The exception's class: `SourceUnavailable`, `KeyError`, `requests.exceptions.ReadTimeout`; or one of ours:
            `TaskFailed` (the function returned so), `TaskTimedOut`, `TaskStopped` (on request), `TaskCrashed`
            (the process ended without a result).
        message: For a person.
        retryable: Whether trying again can mend it.
        traceback: The frames of the function and what it called; empty when there are none.
    """

    type: str
    message: str
    retryable: bool
    traceback: str = ""

    @property
    def why(self) -> str:
        """Why it is tried again, or why it is not, as the second half of a sentence."""
        if not self.retryable:
            return _NO_RETRY.get(self.type, f"no retry can mend a {self.type}")
        return _RETRY.get(self.type, f"a {self.type} may have a cause that passes")


#: What a retry waits for, by the type of the failure.
_RETRY = {
    "SourceUnavailable": "the source may answer later",
    "LakeUnavailable": "the lake may be reached later, or have room",
    "TaskTimedOut": "it may be quicker the next time",
    "TaskCrashed": "what ended its process may not happen again",
    "TaskFailed": "the function did not say that a retry is of no use",
}
_NO_RETRY = {
    "TaskStopped": "it was stopped on request",
    "InvalidParams": "its parameters stay wrong until somebody changes them",
    "SourceChanged": "a person must look at what the source sends now",
    "ContractBroken": "the rows would break the table's contract again",
    "TableDamaged": "the file stays damaged until an earlier version is restored",
    "TableMissing": "the table stays missing until its own task has run",
    "WrongWorld": "simulated and real data must not meet in one lake",
    "WrongFormat": "the table stays as it is until somebody migrates it",
    "LakeUnusable": "the folder stays as it is until somebody changes it",
}
#: Errors of the code or of the machine's set-up: the next attempt runs the same code at the same place.
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
#: Errors of the code too, unless a source gave nothing where the code takes it for something: that may pass.
_NEVER_OF_SOMETHING = (TypeError, AttributeError)
#: What polars says of an expression that does not fit its frame.
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
    """Say whether an exception that is none of ours may be gone at the next attempt; what is unknown may be."""
    if isinstance(error, _NEVER_OF_SOMETHING):
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
    """Return the traceback from the user's first frame on; empty when the error was found before the function ran."""
    frame = error.__traceback__
    while frame is not None and _is_ours(frame):
        frame = frame.tb_next
    last = frame
    while last is not None and last.tb_next is not None:
        if _is_ours(last.tb_next):  # our signal handler
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


def _is_ours(frame: TracebackType) -> bool:
    return frame.tb_frame.f_code.co_filename.startswith(_OURS)
