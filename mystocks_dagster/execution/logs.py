"""Forwarding of log records from a task's process to the caller."""

import logging
import sysconfig
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mystocks_dagster.execution.channel import Channel

#: Characters of one message; the rest is cut, and a note with their number is added.
_LONGEST = 32_000
_LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One log record of a task's function, formatted.

    Attributes:
        time: When it was logged, in Asia/Shanghai.
        level: The number of Python's `logging`.
        logger: The logger's name.
    """

    time: datetime
    level: int
    logger: str
    message: str
    task_id: str
    run_id: str
    attempt: int

    @property
    def level_name(self) -> str:
        """Name of the nearest standard level at or below `level`: 25 is INFO."""
        return logging.getLevelName(next((level for level in _LEVELS if level <= self.level), logging.DEBUG))


class Forwarder(logging.Handler):
    """The root logger's handler in a task's process.

    Below INFO it forwards only lines of the user's own code: with `log_level: DEBUG`, the lines of libraries would
    hide those of the task.
    """

    def __init__(self, channel: Channel, module: str) -> None:
        super().__init__()
        self._channel = channel
        self._own = {"task", "mystocks_dagster", module.partition(".")[0]}
        self._libraries = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        self._formatter = logging.Formatter()
        self.addFilter(self._is_forwarded)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._channel.send(
            "log", time=record.created, level=record.levelno, logger=record.name, message=self._message(record)
        )

    def _is_forwarded(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.INFO or record.name.partition(".")[0] in self._own:
            return True
        return not record.pathname.startswith(self._libraries)

    def _message(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 - the values' own code runs here; the line must not be lost
            text = f"{record.msg} [values {_repr(record.args)} do not fit this text: {error}]"
        if record.exc_info and record.exc_info[0]:
            text = f"{text}\n{self._formatter.formatException(record.exc_info)}"
        if record.stack_info:
            text = f"{text}\n{record.stack_info}"
        cut = len(text) - _LONGEST
        return text if cut <= 0 else f"{text[:_LONGEST]}… ({cut:,} characters cut)"


def forward_logs(channel: Channel, module: str, level: str | int) -> None:
    """Send the records of all loggers from `level` up to the caller only; `module` is the task's.

    Raises:
        ValueError: Python's `logging` does not know the level.
    """
    root = logging.getLogger()
    root.handlers[:] = [Forwarder(channel, module)]
    root.setLevel(level.upper() if isinstance(level, str) else level)


def _repr(values: Any) -> str:
    try:
        return repr(values)
    except Exception as error:  # noqa: BLE001 - as above
        return f"of which one cannot be shown ({type(error).__name__})"
