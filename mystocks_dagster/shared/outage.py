"""Recognises a database that does not answer, whatever raised the error: Dagster's storage, a lock or a queue."""

import sys
from collections.abc import Iterator

from mystocks_dagster.errors import NoDatabase

#: What the drivers of Postgres raise where the server cannot be reached, ends a connection, or refuses a new one.
_DRIVERS = ("psycopg2", "psycopg")
_CLASSES = ("OperationalError", "InterfaceError")


def explain(error: BaseException) -> NoDatabase | None:
    """Return the error for a person if a database that does not answer is the cause; None for any other cause.

    It names no password.
    """
    for cause in _causes(error):
        if isinstance(cause, _raised()):
            return unanswered(cause)
    return None


def unanswered(error: BaseException) -> NoDatabase:
    """Return the error for what a driver has raised; it names no password."""
    reason = " ".join(str(error).split()).rstrip(".?") or type(error).__name__
    return NoDatabase(
        f"The database that the machines share does not answer: {reason}. Check the storage in dagster.yaml, and that "
        "the server runs."
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    known: list[BaseException] = []
    while error is not None and error not in known:
        known.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _raised() -> tuple[type[BaseException], ...]:
    """Return the classes of the drivers that this process has imported; another driver has raised nothing."""
    drivers = [sys.modules[name] for name in _DRIVERS if name in sys.modules]
    return tuple(getattr(driver, name) for driver in drivers for name in _CLASSES)
