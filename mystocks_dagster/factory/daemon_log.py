"""The daemon's log as a terminal shows it: what happened, without each look that found nothing to do.

Dagster logs every look of every sensor: in a terminal, the address of the pages is off the screen within a minute.
"""

import logging
import re
from collections.abc import Iterable

from mystocks_dagster.dagster_internals import DAEMON_LOGGER, IDLE_LINES, SKIPPED_LINE


def _form(line: str) -> str:
    """Return the regular expression of a line that stands in a source with its values in braces."""
    return ".*".join(re.escape(part) for part in re.split(r"\{[^}]*\}", line))


_IDLE = re.compile("|".join(_form(line) for lines in IDLE_LINES.values() for line in lines), re.DOTALL)
_SKIPPED = re.compile(_form(SKIPPED_LINE).replace(".*", "(.*)"), re.DOTALL)
_DIGITS = re.compile(r"\d+")


class LookFilter(logging.Filter):
    """Gives the lines of looks without a result the level DEBUG, so that `DAGSTER_DAEMON_LOG_LEVEL=debug` shows them.

    A schedule that skips a start says why once, until the reason is another one or the daemon starts again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reasons: dict[str, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass; the level decides which handler writes it."""
        if record.levelno == logging.INFO and self._is_idle(record.getMessage()):
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return True

    def _is_idle(self, line: str) -> bool:
        skipped = _SKIPPED.fullmatch(line)
        if not skipped:
            return _IDLE.fullmatch(line) is not None
        schedule, reason = skipped.groups()
        reason = _DIGITS.sub("", reason)  # the minute of the start makes no other reason
        known, self._reasons[schedule] = self._reasons.get(schedule), reason
        return known == reason


_looks = LookFilter()


def quieten(daemons: Iterable[str]) -> None:
    """Keep the looks of these daemons, by the names of their classes, out of a log of level INFO."""
    for daemon in daemons:
        logging.getLogger(f"{DAEMON_LOGGER}.{daemon}").addFilter(_looks)
