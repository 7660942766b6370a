"""Log lines as JSON objects, one per line, with the keys of Dagster's own JSON: event, level, logger, timestamp."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

#: The logger of what `mystocks ui` and `mystocks api` say.
_OWN = "mystocks"


class JsonLines(logging.Formatter):
    """Formats a record as one line; an exception is text in `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "event": record.getMessage().strip(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def use_json() -> None:
    """Write all log records of this process as JSON to stderr: those of the web server too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(_OWN).setLevel(logging.INFO)


def do_not_use_json() -> None:
    """Take back what `use_json` has set up, in a fork that sets up its own log."""
    logging.basicConfig(handlers=[], level=logging.WARNING, force=True)
    logging.getLogger(_OWN).setLevel(logging.NOTSET)


def reporter(say: Callable[[str], None], *, as_json: bool) -> Callable[[str], None]:
    """Return the function for lines that a long-lived command says: `say`, or one that logs them as JSON."""
    if not as_json:
        return say
    use_json()
    return logging.getLogger(_OWN).info
