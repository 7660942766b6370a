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


def to_record(error: BaseException) -> dict[str, Any]:
    """Return the fields of `ErrorInfo` for an exception that left the function."""
    kind = type(error)
    ours = isinstance(error, MyStocksError)
    known = kind.__module__.partition(".")[0] in ("builtins", "mystocks_dagster")
    name = kind.__qualname__ if known else f"{kind.__module__}.{kind.__qualname__}"
    # what is missing from the code or the machine will be missing again
    retryable = error.retryable if ours else not isinstance(error, (ImportError, SyntaxError))
    return {"type": name, "message": _message(error, name)[:_LONGEST_MESSAGE], "retryable": retryable, "traceback": _frames(error)}


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
