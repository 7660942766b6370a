"""Log lines as JSON objects, one per line, with the keys of Dagster's own JSON: event, level, logger, timestamp."""

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: The logger of what `mystocks ui` and `mystocks api` say.
_OWN = "mystocks"
#: The functions by which Dagster's storages log each try; who asked them says when they give up.
_TRIES = ("retry_pg_connection_fn", "retry_pg_creation_fn")


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


def keep_root(*, as_json: bool = False) -> None:
    """Give the root logger a handler, unless it has one.

    Otherwise Python makes one at the first `logging.warning` of a library, such as Dagster's storages on Postgres: it
    writes all lines of the process once more, those of level DEBUG too, and none as JSON. Dagster's own lines have
    colours in a terminal only.

    Args:
        as_json: Whether each line is JSON.
    """
    _keep_plain()
    if logging.root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.addFilter(_is_news)
    if as_json:
        handler.setFormatter(JsonLines())
    logging.root.addHandler(handler)


def _keep_plain() -> None:
    """Take the colours out of Dagster's lines where stdout, to which it writes them, is a file or a pipe."""
    library = sys.modules.get("coloredlogs")
    if library is None or (sys.stdout is not None and sys.stdout.isatty()):
        return
    usual = logging.Formatter.format
    library.ColoredFormatter.format = lambda self, record: _COLOUR.sub("", usual(self, record))


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether no other handler has written a record, and it does not only tell of a further try."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger is not logging.root:
        if logger.handlers:
            return False
        logger = logger.parent if logger.propagate else None
    return record.funcName not in _TRIES


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
